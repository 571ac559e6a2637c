"""What is searched for, and where a text holds it. Knows no tree and no widget.

Texts are compared folded: blanks of all kinds are one kind, and small and capital letters are the same unless the
query has a capital. Folding keeps the length, so places in the folded text are places in the text.
"""

from __future__ import annotations

import re
from functools import cached_property

LONGEST = 1000
"""Characters of a query; what is beyond is left out."""
_BLANKS = re.compile("[\n\t\r\x0b\x0c\xa0]")


def flatten(text: str) -> str:
    """The text with every kind of blank as a space, so that words are found across the end of a line."""
    return text if text.isprintable() else _BLANKS.sub(" ", text)


def fold(text: str) -> str:
    """The text as it is compared where capitals do not matter."""
    low = text.lower()
    if not text.isascii():
        if len(low) != len(text):  # a capital whose small letter is two characters
            low = "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
        low = low.replace("ς", "σ")  # which of them `lower` makes depends on what stands behind
    return flatten(low)


class Query:
    """A text to look for.

    Attributes:
        text: as it was typed.
        sensitive: whether small and capital letters differ, which they do if it has a capital.
        needle: what the folded text (the flattened one, if `sensitive`) has to hold.
    """

    def __init__(self, text: str) -> None:
        self.text = text[:LONGEST]
        self.folded = fold(self.text)
        self.sensitive = any(letter.isupper() for letter in self.text)
        self.needle = flatten(self.text) if self.sensitive else self.folded

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the text holds it: (start, end), none over another."""
        where = flatten(text) if self.sensitive else fold(text)
        found, size = [], len(self.needle)
        start = where.find(self.needle) if size else -1
        while start >= 0:
            found.append((start, start + size))
            start = where.find(self.needle, start + size)
        return found

    def label_spans(self, label: str, newline: str) -> list[tuple[int, int]]:
        """The same for a text that was brought onto one line, its line ends shown as a sign."""
        if not self.needle.strip():
            return []
        where = label if self.sensitive else fold(label)
        return [match.span() for match in self._in_label(newline).finditer(where)]

    def _in_label(self, newline: str) -> re.Pattern[str]:
        if newline != self._label_newline:
            blank = f"(?: ?{re.escape(newline)} ?| |^|$)"
            self._label_pattern = re.compile(blank.join(map(re.escape, self.needle.split(" "))))
            self._label_newline = newline
        return self._label_pattern

    _label_newline = ""

    @cached_property
    def _label_pattern(self) -> re.Pattern[str]:
        return re.compile("")
