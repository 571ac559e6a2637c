"""What a person hangs on a node: bookmark, tags, note; and whether they have seen it yet."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_TAG = 64
"""Characters of a tag."""
MOST_TAGS = 64
"""Tags of one node."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one node. Most nodes share `NO_MARKS`.

    Attributes:
        bookmark: the person wants to find it again.
        tags: words, without `#` and blanks, each once, as they were given.
        note: any text about the node; it is no part of the loom's text.
        unread: it was generated and nobody has stood on it since.
    """

    bookmark: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    unread: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether a person put anything here."""
        return bool(self.bookmark or self.tags or self.note)


NO_MARKS = Marks()
UNREAD = Marks(unread=True)


def parse_tags(text: str) -> tuple[str, ...]:
    """The tags in a line as people write it: `#one two, three` has three.

    Raises:
        ValueError: one is too long, or they are too many.
    """
    words = (word.strip("#") for word in text.replace(",", " ").split())
    tags = tuple(dict.fromkeys(word for word in words if word))
    if any(len(tag) > LONGEST_TAG for tag in tags):
        raise ValueError(f"a tag has at most {LONGEST_TAG} characters")
    if len(tags) > MOST_TAGS:
        raise ValueError(f"a node has at most {MOST_TAGS} tags, not {len(tags)}")
    return tags
