"""What a person can set while weaving: how many branches grow, and how their tokens are drawn. Plain values, with a
form that a session and a presets file hold. How they are typed is in `fields`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from n8loom_tui.loom.protocol import SamplingParams

MAX_BRANCHES = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """How many branches a ramify grows, and how their tokens are drawn."""

    n: int = 8
    params: SamplingParams = field(default_factory=lambda: SamplingParams(max_tokens=64))

    def value(self, name: str) -> Any:
        """A setting's value: `n`, or a field of the parameters."""
        return self.n if name == "n" else getattr(self.params, name)

    def with_value(self, name: str, value: Any) -> Settings:
        """A copy with one setting changed.

        Raises:
            ValueError: out of bounds; the message says which are allowed.
        """
        return self.with_values({name: value})

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """A copy with these settings changed.

        Raises:
            ValueError: one is out of bounds; the message says which are allowed.
        """
        params = {name: value for name, value in values.items() if name != "n"}
        changed = replace(self, params=replace(self.params, **params)) if params else self
        if "n" not in values:
            return changed
        n = values["n"]
        whole = isinstance(n, int) and not isinstance(n, bool)
        if not whole or not 1 <= n <= MAX_BRANCHES:
            raise ValueError(f"n must be between 1 and {MAX_BRANCHES}, not {n!r}")
        return replace(changed, n=n)

    @property
    def summary(self) -> tuple[str, ...]:
        """Short words for the status bar, the most important first. What is off is not named."""
        p = self.params
        parts = [f"n {self.n}", f"temp {p.temp:g}", f"max {p.max_tokens}"]
        said = (
            (p.min_p, f"min-p {p.min_p:g}"),
            (0 < p.top_p < 1, f"top-p {p.top_p:g}"),
            (p.top_k, f"top-k {p.top_k}"),
            (p.repetition_penalty != 1, f"penalty {p.repetition_penalty:g}"),
            (p.seed is not None, f"seed {p.seed}"),
            (p.stop_strings, f"stops {len(p.stop_strings)}"),
            (p.until, f"ends {len(p.until)}"),
        )
        return (*parts, *(text for wanted, text in said if wanted))
