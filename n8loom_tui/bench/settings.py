"""What a bench measures and how long. Loads nothing heavy: the command line reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum


class Section(StrEnum):
    """The parts of a bench, in the order in which they run."""

    DECODE = "decode"
    """Prefix by branches: the speed of a step, the first token, the memory."""
    LEAVES = "leaves"
    """Branches of one node, of many leaves at once, and of one leaf after another."""
    DEPTH = "depth"
    """The same path as few and as many nodes."""
    SAMPLING = "sampling"
    """What choosing tokens costs."""
    PREFILL = "prefill"
    """How fast a path is read."""
    JOINING = "joining"
    """What streaming branches feel of one that joins, and of a long text that is read beside them."""


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What is measured.

    A *round* is `steps` steps of one contender; then it is the next one's turn. Every contender gets `rounds` rounds.
    Lengths are in tokens.
    """

    prefixes: tuple[int, ...] = (128, 1024, 4096)
    branches: tuple[int, ...] = (1, 4, 8, 16, 32)
    rounds: int = 5
    steps: int = 6
    seed: int = 0
    sections: tuple[Section, ...] = tuple(Section)
    leaves: int = 16
    branches_per_leaf: int = 2
    depth_tokens: int = 1000
    depths: tuple[int, ...] = (1, 10, 1000)
    """Into how many nodes the path of `depth_tokens` tokens is cut."""
    streaming: int = 8
    """Branches that stream while another joins."""
    child: int = 4000
    """The text that is read beside them."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            name, least = field.name.replace("_", " "), 0 if field.name == "seed" else 1
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers:
                raise ValueError(f"{name}: give at least one")
            if any(isinstance(number, int) and number < least for number in numbers):
                raise ValueError(f"{name} must be at least {least}")
        for name in ("prefixes", "branches", "depths", "sections"):
            value = getattr(self, name)
            if len(set(value)) != len(value):
                raise ValueError(f"{name}: each of them once")
        if min(self.prefixes) < 2:
            raise ValueError("prefixes must be at least 2 tokens long")
        if max(self.depths) > self.depth_tokens:
            raise ValueError(f"a path of {self.depth_tokens} tokens has no {max(self.depths)} nodes")

    @staticmethod
    def quick() -> BenchSettings:
        """A rough picture in a few minutes."""
        return BenchSettings(
            prefixes=(128, 1024),
            branches=(1, 8, 32),
            rounds=3,
            steps=4,
            leaves=8,
            depth_tokens=256,
            depths=(1, 16, 256),
            child=1000,
        )

    @property
    def most_branches(self) -> int:
        """How many branches run at once at most."""
        return max(*self.branches, self.leaves * self.branches_per_leaf, self.streaming + 1)


def chosen(
    *,
    quick: bool = False,
    sections: Sequence[Section] | None = None,
    prefixes: str | None = None,
    branches: str | None = None,
    rounds: int | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> BenchSettings:
    """The settings that a person chose; the rest by default. `prefixes` and `branches` are lists such as `1,8,32`.

    Raises:
        ValueError: what is wrong with which of them.
    """
    base = BenchSettings.quick() if quick else BenchSettings()
    return replace(
        base,
        sections=tuple(section for section in Section if not sections or section in sections),
        prefixes=_numbers(prefixes) if prefixes is not None else base.prefixes,
        branches=_numbers(branches) if branches is not None else base.branches,
        rounds=base.rounds if rounds is None else rounds,
        steps=base.steps if steps is None else steps,
        seed=seed,
    )


def _numbers(text: str) -> tuple[int, ...]:
    """The whole numbers of a list such as `1,8,32`."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r} is no list of whole numbers such as 1,8,32") from None
