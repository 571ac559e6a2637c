"""What the widgets' tests share: small trees, hostile texts, and a look at what a widget drew."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from n8loom_tui.loom.heddle import Heddle, Kind, Loom

HOSTILE = [
    "[/b] [bold]x[/] [link=javascript:x]y[/link] \\[",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \x90q\x9c",
    "".join(map(chr, range(0x20))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "\u202etxet desrever\u202c \u2066iso\u2069 \u200e\u200f\u061c",
    "line\u2028separator\u2029paragraph\r\nreturn\rmore\ttab",
    "\ud800lone\udfff surrogates \ufeffBOM \u200bzero \u2060width \u00adsoft",
    "e\u0301" * 50 + "Z\u0361\u0300\u0301" + "\u0301" * 3000,
    "\u0301starts with a mark",
    "👨\u200d👩\u200d👧 a\u200db\u200dc ❤\ufe0f 1\ufe0f\u20e3 👍🏽 🇬🇧🇫",
    "忘却について、ウトナピシュティムだけが覚えている。" * 20,
    "שלום עולם مرحبا بالعالم می‌خواهم",
    "\U000e0041\U000e0042 hidden \u3164\u115f\uffa0 blank",
    "a" * 5000,
    " " * 5000 + "x",
    "\n" * 300,
    "",
]


def make_node(text: str, parent: Heddle | None = None, kind: Kind = Kind.GENERATED) -> Heddle:
    node = Heddle.from_text(text)
    node.kind = kind
    if parent is not None:
        parent.children.append(node)
        node.parent = parent
    return node


@pytest.fixture
def node() -> Callable[..., Heddle]:
    """Make a node: `node(text, parent=None, kind=Kind.GENERATED)`."""
    return make_node


@pytest.fixture
def hostile() -> list[str]:
    return list(HOSTILE)


@pytest.fixture
def hostile_loom() -> Loom:
    """A tree in which every text is hostile: branches, chains, and a long way down."""
    root = Loom(None, None, HOSTILE[1])
    for text in HOSTILE:
        child = make_node(text, root)
        for inner in HOSTILE[::3]:
            make_node(inner, child, Kind.WRITTEN)
            child.add_child(Heddle.turn(inner))
    below: Heddle = root.children[0]
    for step in range(60):
        make_node("side", below)
        below = make_node(HOSTILE[step % len(HOSTILE)], below)
    return root


@pytest.fixture
def drawn() -> Callable[[Widget], list[str]]:
    """The lines that a widget draws. Each is as wide as the widget, and harmless."""

    def look(widget: Widget) -> list[str]:
        size = widget.size
        strips: list[Strip] = widget.render_lines(Region(0, 0, size.width, size.height))
        texts = [strip.text for strip in strips]
        for strip, text in zip(strips, texts, strict=True):
            assert strip.cell_length == cell_len(text) == size.width
            for character in text.replace("\u200c", ""):
                assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), text
        return texts

    return look
