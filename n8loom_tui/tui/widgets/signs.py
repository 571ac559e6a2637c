"""The signs that the widgets draw with, and their plain-ASCII twins for terminals that lack them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signs:
    """One set of signs. All are one cell wide unless they say otherwise."""

    root: str
    rail: str
    middle: str
    last: str
    gap: str
    """Before the number of levels that a deep row leaves out."""
    folded: str
    stream: str
    spinner: str
    """The frames of the spinner, one character each."""
    busy: str
    """The spinner where motion is not wanted."""
    ended: str
    cut: str
    """Where a person cut the end off."""
    marked: str
    """Before the label of a node that is marked."""
    evicted: str
    """Its KV is not kept any more; going on from it reads the text again."""
    turn: str
    """A user's message in the chat template."""
    written: str
    bookmark: str
    note: str
    unread: str
    tag: str
    """In front of a tag."""
    letter: str
    """In front of the letter that a person marked a node by."""
    hit: str
    """Holds what is searched for."""
    compared: str
    """Chosen to be compared with another."""
    newline: str
    space: str
    ellipsis: str
    """Where something was cut off. One cell or two."""
    bar: str
    """In the reader's margin, beside the current node."""
    caret: str
    """Behind the text that is being generated."""
    shades: str
    """For how many there are in a cell, from few to many; four characters."""
    removed: str
    """Beside a line with words that only the left text has."""
    added: str
    """Beside one with words that only the right text has."""
    empty: str
    """In the place of a node without text. Several cells."""
    pointer: str
    """Before what is chosen."""
    corner: str
    """Where a block begins."""
    single: str
    """Before a block of one line."""
    eighths: str
    """Parts of a bar's cell, from the smallest to the full one."""


UNICODE = Signs(
    root="●",
    rail="│",
    middle="├",
    last="└",
    gap="⋯",
    folded="▸",
    stream="▍",
    spinner="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    busy="⠿",
    ended="∎",
    cut="✂",
    marked="✓",
    evicted="◌",
    turn="»",
    written="✎",
    bookmark="★",
    note="†",
    unread="•",
    tag="#",
    letter="'",
    hit="◆",
    compared="=",
    newline="⏎",
    space="␣",
    ellipsis="…",
    bar="▌",
    caret="▌",
    shades="░▒▓█",
    removed="−",
    added="+",
    empty="∅",
    pointer="▸",
    corner="┌",
    single="╶",
    eighths="▏▎▍▌▋▊▉█",
)

ASCII = Signs(
    root="*",
    rail="|",
    middle="+",
    last="`",
    gap="~",
    folded=">",
    stream="!",
    spinner="|/-\\",
    busy="!",
    ended="$",
    cut="%",
    marked="x",
    evicted=".",
    turn="&",
    written="w",
    bookmark="@",
    note="n",
    unread="o",
    tag="#",
    letter="'",
    hit="?",
    compared="=",
    newline="/",
    space="_",
    ellipsis="..",
    bar="|",
    caret="_",
    shades=".:%#",
    removed="-",
    added="+",
    empty="(empty)",
    pointer=">",
    corner="+",
    single="-",
    eighths="#",
)
