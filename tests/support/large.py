"""Sessions that count as large, and a rest of them that is read when a test says so."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from support.fake_backend import FakeBackend
from support.hand import Hand

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Finish
from n8loom_tui.session import glimpse
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.glimpsed import Glimpsed, Whole
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.stored import Look


class Gate:
    """Lets the rest of sessions be read once it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open = threading.Event()
        whole, opened = Glimpsed.whole, self._open
        monkeypatch.setattr(glimpse, "LARGE", 1)

        def wait(saving: Glimpsed, model: ModelInfo | None) -> Whole | None:
            opened.wait(30)
            return whole(saving, model)

        monkeypatch.setattr(Glimpsed, "whole", wait)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """All sessions count as large, and the rest of them is read once the gate is open."""
    return Gate(monkeypatch)


def plant(path: Path, *, fans: int = 40, fan: int = 8) -> list[Heddle]:
    """Make a session of a root with children, each with children of its own, and stand on one in the middle. Returns
    the nodes from top to bottom."""
    saving = Saving.open(path)
    document = saving.document
    root = document.new_loom("Once", False).focus
    assert root is not None
    for number in range(fans):
        top = document.add_text(root, f" fan {number}").focus
        assert top is not None
        for leaf in range(fan):
            document.add_text(top, f" leaf {number}.{leaf}")
    nodes = list(root.walk())
    for index, node in enumerate(nodes):
        tokens = list(range(len(node.text)))
        node.set_span(tokens, node.text, [token + 1 for token in tokens])
        node.finish = str(Finish.LENGTH)
        document.pending.content(node)
        if index > len(nodes) // 2:
            document.trees.mark(node, type(node.marks)(unread=True))
    saving.save("plant")
    saving.place(nodes[len(nodes) // 2], frozenset())
    assert saving.close()
    return nodes


def wild(path: Path, seed: int, acts: int) -> None:
    """Make a session by a hand that does anything, and leave it folded, hoisted and standing anywhere."""
    saving = Saving.open(path)
    hand = Hand(saving.document, FakeBackend(), seed)
    for _ in range(acts):
        hand.act()
    hand.finish()
    saving.save("act")
    draw = random.Random(seed)
    nodes = list(saving.document.nodes.values())
    here = draw.choice(nodes)
    folded = [node.id for node in draw.sample(nodes, len(nodes) // 3) if node.children]
    saving.place(here, frozenset(folded))
    above = list(here.ancestors())
    hoisted = draw.sample(nodes, 1) if draw.random() < 0.3 else draw.sample(above, 1)
    if draw.random() < 0.5:
        saving.store_look(Look(tuple(node.id for node in hoisted)))
    assert saving.close()
