"""The conditions that end a branch, for `SamplingParams.until`. Whether one holds is told by `conditions`."""

from __future__ import annotations

from dataclasses import dataclass

from .bounds import MOST_ALTERNATIVES, check_real, check_whole


@dataclass(frozen=True, slots=True)
class EntropyAbove:
    """Ends a branch before a token whose position has more entropy than `nats`, by the model's own distribution.

    Not before the branch has said `after` tokens.
    """

    nats: float
    after: int = 1

    def __post_init__(self) -> None:
        check_real("nats", self.nats, 0.0, 100.0)
        check_whole("after", self.after, 0)


@dataclass(frozen=True, slots=True)
class TopProbabilityBelow:
    """Ends a branch before a token where even the most probable one is less probable than `p`.

    Not before the branch has said `after` tokens.
    """

    p: float
    after: int = 1

    def __post_init__(self) -> None:
        check_real("p", self.p, 0.0, 1.0)
        check_whole("after", self.after, 0)


@dataclass(frozen=True, slots=True)
class TextSaid:
    """Ends a branch with the token that completes `text`. (A stop string ends it before that.)"""

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise ValueError(f"text must be a text that is not empty, not {self.text!r}")


@dataclass(frozen=True, slots=True)
class SentenceEnd:
    """Ends a branch where a sentence does: at its last mark, or the blank or line break behind it."""


@dataclass(frozen=True, slots=True)
class ParagraphEnd:
    """Ends a branch with the token that completes an empty line behind some text."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Ends a branch before a token, unless exactly one token is at least as probable as `p`.

    Not before the branch has said `after` tokens.
    """

    p: float
    after: int = 1

    def __post_init__(self) -> None:
        check_real("p", self.p, 1 / MOST_ALTERNATIVES, 1.0)
        check_whole("after", self.after, 0)


Condition = EntropyAbove | TopProbabilityBelow | TextSaid | SentenceEnd | ParagraphEnd | Fork
