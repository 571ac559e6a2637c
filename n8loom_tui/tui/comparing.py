"""What differs between two texts, by word. Knows no tree and no widget.

The time that it takes is bounded: texts of very many words are compared by sentences, and what is beyond that counts as
different.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_UNITS = 3000
"""Words, or sentences, of each text that are compared with one another."""
MOST_PAIRS = 100_000
"""With more pairs of units that are alike than this, frequent ones only count beside others that match."""
CALM = 12
"""From so many words on that both texts have, each side goes on in a line of its own, level with the other."""

_WORDS = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")
_SENTENCES = re.compile(r"[^.!?\n]*[.!?\n]+\s*|[^.!?\n]+")


@dataclass(frozen=True, slots=True)
class Part:
    """What the texts have at a place: the same, or each something else (which may be nothing)."""

    left: str
    right: str
    same: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two texts, part by part; put together, the left sides are the left text, the right ones the right text.

    Attributes:
        removed, added: how many words only the left, only the right text has.
    """

    parts: tuple[Part, ...]
    removed: int
    added: int

    @property
    def equal(self) -> bool:
        """Whether the texts are the same."""
        return all(part.same for part in self.parts)

    def passages(self) -> Iterator[list[Part]]:
        """The parts in passages that begin on a line of their own: what both have for long, and what lies between."""
        passage: list[Part] = []
        for part in self.parts:
            if part.same and len(_WORDS.findall(part.left)) >= CALM:
                if passage:
                    yield passage
                yield [part]
                passage = []
            else:
                passage.append(part)
        if passage:
            yield passage


def compare(left: str, right: str) -> Comparison:
    """Compare two texts."""
    words = _WORDS.findall(left), _WORDS.findall(right)
    first = _alike(*words)
    last = _alike(
        words[0][: first - 1 if first else None : -1], words[1][: first - 1 if first else None : -1]
    )
    ends = len(words[0]) - last, len(words[1]) - last
    inner = words[0][first : ends[0]], words[1][first : ends[1]]
    long = max(map(len, inner)) > MOST_UNITS
    middle = _differences("".join(inner[0]), "".join(inner[1])) if long else _parts(*inner)
    same = "".join(words[0][:first]), "".join(words[0][ends[0] :])
    parts = _calmed([Part(same[0], same[0], True), *middle, Part(same[1], same[1], True)])
    changed = [part for part in parts if not part.same]
    return Comparison(
        tuple(parts),
        sum(len(_WORDS.findall(part.left)) for part in changed),
        sum(len(_WORDS.findall(part.right)) for part in changed),
    )


def _alike(left: Sequence[str], right: Sequence[str]) -> int:
    """How many units the two begin with alike."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _differences(left: str, right: str) -> list[Part]:
    """Of long texts: by sentences, and where few differ, by words there."""
    sentences = _SENTENCES.findall(left), _SENTENCES.findall(right)
    rest = tuple("".join(side[MOST_UNITS:]) for side in sentences)
    budget = MOST_UNITS
    parts: list[Part] = []
    for part in _parts(sentences[0][:MOST_UNITS], sentences[1][:MOST_UNITS]):
        words = _WORDS.findall(part.left), _WORDS.findall(part.right)
        longest = max(map(len, words))
        if part.same or longest > budget:
            parts.append(part)
        else:
            budget -= longest
            parts += _parts(*words)
    return [*parts, Part(rest[0], rest[1], rest[0] == rest[1])]


def _parts(left: list[str], right: list[str]) -> list[Part]:
    counts = Counter(left)
    pairs = sum(counts[unit] for unit in right)
    matcher = SequenceMatcher(None, left, right, autojunk=pairs > MOST_PAIRS)
    return [
        Part("".join(left[a:b]), "".join(right[c:d]), tag == "equal")
        for tag, a, b, c, d in matcher.get_opcodes()
    ]


def _calmed(parts: list[Part]) -> list[Part]:
    """The parts without empty ones; a word that both have by chance, amid others that differ, differs too."""
    parts = [part for part in parts if part.left or part.right]
    done: list[Part] = []
    for index, part in enumerate(parts):
        amid = 0 < index < len(parts) - 1 and not parts[index - 1].same and not parts[index + 1].same
        words = len(_WORDS.findall(part.left)) if part.same and amid else 0
        by_chance = words == 1 and _weight(parts[index - 1]) > 2 and _weight(parts[index + 1]) > 2
        same = part.same and not by_chance
        before = done.pop() if done and done[-1].same == same else Part("", "", same)
        done.append(Part(before.left + part.left, before.right + part.right, same))
    return done


def _weight(part: Part) -> int:
    return len(_WORDS.findall(part.left)) + len(_WORDS.findall(part.right))
