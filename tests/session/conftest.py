"""What the session tests share: trees to store, and a way to tell whether two are alike."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

import pytest

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Alternative

HOSTILE = (
    "plain",
    "",
    "NUL\0inside\0",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "lone \ud800 and \udfff surrogates",
    "family 👩‍👩‍👧‍👦 and flag 🇩🇪",
    "עברית و العربية \u202eturned\u202c",
    "e\u0301 \u0344 wide 漢字",
    "]]> [/b] 'quoted\" \\ \r\n\t\u2028\x85",
)


def make_loom(prompt: str = "Say it.", *, chat: bool = True) -> Loom:
    """A root as it stands once a tokenizer has read it."""
    root = Loom(None, None, prompt, chat=chat)
    text = f"<user>{prompt}</user>" if chat else prompt
    root.set_span(list(range(1, len(text) + 1)), text, list(range(1, len(text) + 1)))
    return root


def make_node(text: str, parent: Heddle | None = None) -> Heddle:
    """A generated node of one token a character, entered below `parent`."""
    tokens = [ord(character) for character in text]
    node = Heddle.from_span(tokens, text, list(range(1, len(text) + 1)))
    node.finish = "length"
    node.created = 1700000000.25
    node.provenance = {"model": "m", "fingerprint": "f", "params": {"temp": 0.8}, "seed": 2**63 - 1}
    return parent.add_child(node) if parent is not None else node


def make_forest(count: int = 60, seed: int = 0) -> list[Heddle]:
    """Some looms of all kinds of nodes and texts."""
    draw = random.Random(seed)
    roots: list[Heddle] = [
        make_loom(),
        make_loom("raw \ud800\0", chat=False),
        Loom(None, None, "unread", chat=True),
    ]
    nodes: list[Heddle] = list(roots)
    for index in range(count):
        parent = draw.choice(nodes)
        text = draw.choice(HOSTILE)
        if index % 7 == 0:
            node = parent.add_child(Heddle.from_text(text))
        else:
            node = make_node(text, parent)
            node.kind = draw.choice(list(Kind))
        if index % 3 == 0 and node.tokens:
            others = (Alternative(index * 3000, -0.25), Alternative(7, -3.5))
            node.odds = Odds.of([-draw.random() for _ in node.tokens], [others] * len(node.tokens))
        if index % 5 == 0:
            node.terminal, node.finish = True, "eos"
        nodes.append(node)
    return roots


def node_facts(node: Heddle) -> tuple[object, ...]:
    """All that a node holds, but for its place."""
    loom = (node.user_prompt, node.chat_template_used) if isinstance(node, Loom) else None
    return (
        type(node),
        node.id,
        node.text,
        node.tokens,
        node.ends,
        node.encoded,
        node.kind,
        node.terminal,
        node.finish,
        node.created,
        node.provenance,
        None if node.odds is None else node.odds.pack(),
        loom,
    )


def tree_facts(roots: list[Heddle]) -> list[tuple[object, ...]]:
    """All that trees hold, their shape and order included."""
    return [
        (node.parent.id if node.parent is not None else None, *node_facts(node))
        for root in roots
        for node in root.walk()
    ]


class Trees:
    """The helpers, as one fixture: tests are no package that could import them."""

    hostile = HOSTILE
    loom = staticmethod(make_loom)
    node = staticmethod(make_node)
    forest = staticmethod(make_forest)
    facts = staticmethod(tree_facts)


@pytest.fixture
def trees() -> type[Trees]:
    return Trees


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def heard() -> tuple[list[str], Callable[[str], None]]:
    """A list, and a callback that appends to it."""
    messages: list[str] = []
    return messages, messages.append
