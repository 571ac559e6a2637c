"""What a person can set while weaving. Plain values with their bounds, and how they are typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from n8loom_tui.loom.protocol import SamplingParams

MAX_BRANCHES = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """How many branches a ramify grows, and how their tokens are drawn."""

    n: int = 8
    params: SamplingParams = field(default_factory=lambda: SamplingParams(max_tokens=64))

    def with_value(self, name: str, value: Any) -> Settings:
        """A copy with one setting changed.

        Raises:
            ValueError: out of bounds; the message says which are allowed.
        """
        if name == "n":
            if not 1 <= value <= MAX_BRANCHES:
                raise ValueError(f"n must be between 1 and {MAX_BRANCHES}, not {value}")
            return replace(self, n=value)
        return replace(self, params=replace(self.params, **{name: value}))

    @property
    def summary(self) -> str:
        """One line for the status bar."""
        p = self.params
        parts = [f"n {self.n}", f"temp {p.temp:g}", f"max {p.max_tokens}", f"min-p {p.min_p:g}"]
        if p.top_p:
            parts.append(f"top-p {p.top_p:g}")
        if p.top_k:
            parts.append(f"top-k {p.top_k}")
        if p.repetition_penalty != 1:
            parts.append(f"penalty {p.repetition_penalty:g}")
        if p.seed is not None:
            parts.append(f"seed {p.seed}")
        return "  ".join(parts)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that can be typed in."""

    name: str
    title: str
    hint: str
    parse: Callable[[str], Any]

    def read(self, text: str) -> Any:
        """The value of what was typed.

        Raises:
            ValueError: it is no number.
        """
        try:
            return self.parse(text.strip().replace(",", "."))
        except ValueError:
            noun = "a whole number" if self.parse is int else "a number"
            raise ValueError(f"{self.title} takes {noun}, not {text.strip()[:20]!r}") from None

    def current(self, settings: Settings) -> Any:
        """Its value now."""
        return settings.n if self.name == "n" else getattr(settings.params, self.name)


_BRANCHES = f"how many branches one ramify grows, 1 to {MAX_BRANCHES}"
_TEMPERATURE = "0 takes the likeliest token; 0.6 to 1.2 is usual"
_MIN_P = "0 to 1; 0.05 drops what is 20 times less likely than the best"

SETTINGS: dict[str, Setting] = {
    "set_n": Setting("n", "n: branches", _BRANCHES, int),
    "set_temperature": Setting("temp", "Temperature", _TEMPERATURE, float),
    "set_max_tokens": Setting("max_tokens", "Max tokens", "how many tokens a branch grows at once", int),
    "set_min_p": Setting("min_p", "Min-p", _MIN_P, float),
}
"""The settings by the action that changes them."""
