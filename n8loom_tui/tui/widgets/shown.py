"""What of a node is shown to people: its text without the chat template, and whether a person wrote it."""

from __future__ import annotations

import re

from rich.cells import cell_len

from n8loom_tui.loom.heddle import Heddle, Kind, Loom

from .sanitize import visible

_SCANNED = 4096
_BLANKS = " \t\n"
_APART = "\n\n"
_RUN_OF_BLANKS = re.compile("[ \t]+")


def shown_text(node: Heddle) -> str:
    """The node's text as people should read it (not yet `visible`): for a root and for a chat turn
    what the person wrote."""
    return node.source_text() if node.kind is Kind.TURN or isinstance(node, Loom) else node.text


def passage(node: Heddle) -> str:
    """The node's part of the path's text, ready to be drawn."""
    return _apart(node, visible(shown_text(node)))


def lead(node: Heddle) -> int:
    """How many characters stand in a node's passage before its text."""
    return len(_APART) if node.is_turn else 0


def _apart(node: Heddle, text: str) -> str:
    """A prompt in a chat template ends with an empty line; a further message has one on either side."""
    if isinstance(node, Loom) and node.chat_template_used and text:
        return text.rstrip("\n") + _APART
    return f"{_APART}{text}{_APART}" if node.is_turn else text


def path_text(node: Heddle, limit: int) -> str:
    """The path's text down to a node, for people, not yet `visible`: at least the last `limit` characters of it."""
    parts: list[str] = []
    size = 0
    for above in node.ancestors():
        parts.append(_apart(above, shown_text(above)))
        size += len(parts[-1])
        if size > limit:
            break
    return "".join(reversed(parts))


def one_line(text: str, newline: str, limit: int = _SCANNED) -> str:
    """The start of a text on one line, ready to be drawn: leading blanks gone, each run of blanks one, line
    ends a sign. Looks at no more than `limit` characters, and as many blanks before them as a label ever
    skips.
    """
    return _on_one_line(text[: limit + _SCANNED].lstrip(_BLANKS)[:limit], newline)


def last_line(text: str, newline: str, limit: int = _SCANNED) -> str:
    """As `one_line`, but the end of the text."""
    return _on_one_line(text[-limit:], newline)


def _on_one_line(text: str, newline: str) -> str:
    lines = (_RUN_OF_BLANKS.sub(" ", line).strip(" ") for line in text.split("\n"))
    line = visible(newline.join(line for line in lines if line))
    if line and cell_len(line[0]) == 0:
        line = f" {line}"  # else the mark would sit on whatever stands to the left of the text
    return line


def is_written(node: Heddle) -> bool:
    """Whether a person wrote or changed this text."""
    return node.kind is not Kind.GENERATED
