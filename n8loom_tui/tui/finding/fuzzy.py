"""Nodes by some letters of their text, by tags, notes, bookmarks and letters. Knows no widget.

A query is words, all of which have to fit. A word fits a text that holds it, a tag or a note that does; from three
letters on also a text that begins with its letters, others between them, close together. `#word` fits tags alone,
`;word` notes alone, `*` bookmarks, `'` what is marked by a letter.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.widgets.shown import shown_text

from .query import LONGEST, fold

MOST = 200
"""No more than these are found, the best."""
HEAD = 160
"""In so many characters at the beginning of a text its letters may stand apart."""
_LOOSE = 3
"""So many letters a word needs for that."""
_PART = 512
"""Nodes between two chances for a pause, where nothing fits."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What a person hung on a node, folded."""

    bookmark: bool
    letters: str
    tags: tuple[str, ...]
    note: str

    def fits(self, word: str) -> bool:
        """Whether a word of a query fits what hangs here."""
        match word[0]:
            case "*":
                return self.bookmark and len(word) == 1
            case "'":
                return bool(self.letters) and (len(word) == 1 or word[1:] in self.letters)
            case "#":
                return any(tag.startswith(word[1:]) for tag in self.tags)
            case ";":
                return bool(self.note) and word[1:] in self.note
        return word in self.note or any(word in tag for tag in self.tags)


class FuzzyIndex:
    """The nodes of the trees with what they are found by; a picture of one moment. Built in slices."""

    def __init__(self) -> None:
        self.nodes: list[Heddle] = []
        self._texts: list[str] = []
        self._marked: dict[int, Marked] = {}

    def build(self, roots: Iterable[Heddle], letters: Mapping[str, str]) -> Iterator[None]:
        """Take in trees, and the letters that mark nodes (by letter, the node's id)."""
        of = {
            name: "".join(sorted(at for at, other in letters.items() if other == name))
            for name in letters.values()
        }
        nodes, texts, todo = self.nodes, self._texts, list(roots)[::-1]
        while todo:
            for _ in range(min(64, len(todo))):
                node = todo.pop()
                marks = node.marks
                if marks.by_hand or node.id in of:
                    tags, note = tuple(map(fold, marks.tags)), fold(marks.note)
                    self._marked[len(nodes)] = Marked(marks.bookmark, of.get(node.id, ""), tags, note)
                nodes.append(node)
                texts.append(fold(shown_text(node)))
                todo += node.children[::-1]
            yield

    def find(self, query: str, found: list[Heddle]) -> Iterator[None]:
        """Put what fits into `found`, the best first; without a query, all that a person marked, from top to bottom.

        The list is filled twice where few texts hold the words as they are.
        """
        words = fold(query[:LONGEST]).split()
        if not words:
            found[:] = [self.nodes[place] for place in sorted(self._marked)[:MOST]]
            return
        best = _Best()
        yield from self._exact(words, best)
        found[:] = [self.nodes[place] for place in best.places()]
        if len(found) < MOST and any(len(word) >= _LOOSE for word in words):
            yield from self._loose(words, best)
            found[:] = [self.nodes[place] for place in best.places()]

    def _exact(self, words: list[str], best: _Best) -> Iterator[None]:
        """All words as they are."""
        first, *others = words
        texts = self._texts
        for start in range(0, len(texts), _PART):
            part = texts[start : start + _PART]
            for place, text in enumerate(part, start):
                if first in text and all(word in text for word in others):
                    best.add(sum(_exact_score(word, text) for word in words), place)
            yield
        for place, marked in self._marked.items():
            text = texts[place]
            scores = [_word_score(word, text, marked) for word in words]
            if all(scores):
                best.add(sum(scores) + 5, place)

    def _loose(self, words: list[str], best: _Best) -> Iterator[None]:
        """Some words with others' letters between theirs."""
        known = best.seen
        for start in range(0, len(self._texts), _PART // 8):
            for place, text in enumerate(self._texts[start : start + _PART // 8], start):
                if place in known:
                    continue
                total = 0.0
                for word in words:
                    score = _word_score(word, text, self._marked.get(place)) or _loose_score(word, text)
                    if not score:
                        break
                    total += score
                else:
                    best.add(total, place)
            yield


class _Best:
    """The best so far."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self.seen: set[int] = set()

    def add(self, score: float, place: int) -> None:
        if place in self.seen:
            return
        self.seen.add(place)
        if len(self._heap) < MOST:
            heapq.heappush(self._heap, (score, -place))
        else:
            heapq.heappushpop(self._heap, (score, -place))

    def places(self) -> list[int]:
        return [-place for _, place in sorted(self._heap, reverse=True)]


def _exact_score(word: str, text: str) -> float:
    """How well a text that holds a word fits it: at the beginning of a word, and of the text, is best."""
    at = text.find(word)
    begins = at == 0 or not text[at - 1].isalnum()
    behind = at + len(word)
    ends = behind == len(text) or not text[behind].isalnum()
    return 100 + 20 * begins + 10 * ends - min(at, 400) / 20


def _word_score(word: str, text: str, marked: Marked | None) -> float:
    if marked is not None and marked.fits(word):
        return 120
    return _exact_score(word, text) if word in text else 0


def _loose_score(word: str, text: str) -> float:
    places = letters_apart(word, text)
    if not places:
        return 0
    gaps = places[-1] - places[0] + 1 - len(word)
    begins = sum(place == 0 or not text[place - 1].isalnum() for place in places)
    return 60 + 4 * begins - 2 * gaps


def letters_apart(word: str, text: str) -> list[int]:
    """Where a word's letters stand at a text's beginning, one behind the other and close together, if they do."""
    if len(word) < _LOOSE:
        return []
    at = -1
    for letter in word:
        at = text.find(letter, at + 1, HEAD)
        if at < 0:
            return []
    places = []
    behind = at + 1
    for letter in reversed(word):  # from the end back they stand as close as they can
        behind = text.rfind(letter, 0, behind)
        places.append(behind)
    places.reverse()
    return places if at - places[0] < 2 * len(word) + 4 else []


def lit_places(query: str, label: str) -> list[tuple[int, int]]:
    """What of a label is to be set off for a query: (start, end) in order, none over another."""
    text = fold(label)
    cells: set[int] = set()
    for word in fold(query[:LONGEST]).split():
        bare = word[1:] if word[0] in "#;*'" else word
        at = text.find(bare) if bare else -1
        cells.update(range(at, at + len(bare)) if at >= 0 else letters_apart(word, text))
    spans: list[tuple[int, int]] = []
    for cell in sorted(cells):
        if spans and spans[-1][1] == cell:
            spans[-1] = (spans[-1][0], cell + 1)
        else:
            spans.append((cell, cell + 1))
    return spans
