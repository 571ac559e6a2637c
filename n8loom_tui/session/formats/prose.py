"""Texts for people: plain text and Markdown, of a path or of whole trees. They are only written.

A path is one text. Of a tree, nodes that are an only child go on in their parent's text, and where a tree branches each
branch is an entry of a nested list, so that in Markdown what a model wrote ends where its entry ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .facts import Fact
from .format import Format
from .outline import Node, Outline

_DEEPEST = 20
"""Levels that are set off by spaces; what lies deeper tells its level instead."""
_EMPTY = "(empty)"
_SHOWN = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"}
_SHOWN |= {0x7F: 0x2421} | dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), 0xFFFD)
"""Control characters by their pictures: a terminal would act on them. Lone surrogates have no form in a file."""


def readable(text: str) -> str:
    """A text without what would act on a terminal or has no form in a file."""
    return text.replace("\r\n", "\n").translate(_SHOWN)


def _words(node: Node) -> str:
    """A node's text; of a prompt in a chat template, what the person wrote."""
    if node.chat and node.prompt is not None:
        return node.prompt.rstrip("\n") + "\n\n"
    return node.text


@dataclass(frozen=True, slots=True)
class _Style:
    """How marks are written."""

    marks: Callable[[Node], str]
    note: Callable[[str], str]


def _marks(node: Node) -> str:
    names = ["★"] * node.bookmark + [f"#{tag}" for tag in node.tags]
    return f"[{' '.join(names)}]" if names else ""


def _escaped_marks(node: Node) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>#" else c for c in _marks(node))


_PLAIN = _Style(_marks, lambda note: f"[note: {note}]")
_MARKDOWN = _Style(_escaped_marks, lambda note: "\n".join(f"> {line}" for line in note.splitlines()))


def _is_path(outline: Outline) -> bool:
    return len(outline.roots) == 1 and all(len(node.children) < 2 for node in outline.walk())


def _write(outline: Outline, style: _Style) -> Iterator[str]:
    if _is_path(outline):
        yield readable("".join(_words(node) for node in outline.walk())).rstrip("\n") + "\n"
        return
    stack = [(root, 0) for root in reversed(outline.roots)]
    while stack:
        node, level = stack.pop()
        run = _run(node)
        yield _entry(run, level, style)
        stack.extend((child, level + 1) for child in reversed(run[-1].children))


def _run(node: Node) -> list[Node]:
    """A node, and those below it as long as each is an only child."""
    run = [node]
    while len(run[-1].children) == 1:
        run.append(run[-1].children[0])
    return run


def _entry(run: list[Node], level: int, style: _Style) -> str:
    texts = [_words(node) for node in run]
    marks = [style.marks(node) for node in run]
    deep = f"(level {level}) " if level > _DEEPEST else ""
    lead = deep + "".join(f"{mark} " for mark in marks if mark)
    text = readable("".join(texts)).strip("\n")
    blocks = [readable(lead) + (text if text.strip() else _EMPTY)]
    blocks += [readable(style.note(note)) for note in (node.note for node in run) if note]
    return _indented("\n\n".join(blocks), min(level, _DEEPEST))


def _indented(text: str, level: int) -> str:
    """A text as an entry of a list at this level."""
    space = "  " * level
    first, *lines = text.split("\n")
    return "\n".join([f"{space}- {first}", *(f"{space}  {line}" if line else "" for line in lines)]) + "\n\n"


_HOLDS = frozenset({Fact.BOOKMARK, Fact.TAGS, Fact.NOTE, Fact.FRAMING})

TEXT = Format(
    "text",
    "plain text",
    write=lambda outline: _write(outline, _PLAIN),
    holds=_HOLDS,
    aliases=("txt", "plain"),
)
MARKDOWN = Format(
    "markdown", "Markdown", write=lambda outline: _write(outline, _MARKDOWN), holds=_HOLDS, aliases=("md",)
)
