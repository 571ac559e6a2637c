"""What is known of tokens is in the file as soon as the tokens are, and back after reopening."""

from __future__ import annotations

import math

import pytest

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Alternative
from n8loom_tui.session.record import everything, snapshot
from n8loom_tui.session.store import SessionStore, read_session, write_new


def stream(node: Heddle, count: int) -> None:
    for index in range(count):
        others = tuple(Alternative(100_000 * k + index, -0.5 * k - 0.25) for k in range(8))
        node.append_token(index, "x", -0.25 * (index + 1), others, 1.5)


def known(node: Heddle) -> tuple[list[float], list[tuple[Alternative, ...]], list[float]]:
    return node.logprobs, node.alternatives, node.entropies


def test_reopening_gives_them_back(tmp_path, trees) -> None:
    root = trees.loom()
    node = root.add_child(Heddle.from_span([], "", []))
    stream(node, 5)
    node.append_token(7, "y")  # of which nothing is known
    write_new(tmp_path / "a.loom", everything([root]))
    again = read_session(tmp_path / "a.loom").roots[0]
    assert again.odds is None
    (child,) = again.children
    assert child.logprobs == pytest.approx([*node.logprobs[:5], math.nan], nan_ok=True)
    assert child.alternatives == node.alternatives
    assert child.entropies == pytest.approx(node.entropies, nan_ok=True)


def test_they_follow_the_tokens_through_the_file(tmp_path, trees) -> None:
    store = SessionStore.open(tmp_path / "a.loom")
    writer = store.writer()
    root = trees.loom()
    node = root.add_child(Heddle.from_span([], "", []))
    writer.put(snapshot("new loom", [root, node], roots=[root]))
    for count in (3, 4):
        stream(node, count)
        writer.put(snapshot("stream", [node]))
        assert writer.flush(10)
        assert known(read_session(store.path).roots[0].children[0]) == known(node)
    node.trim(5)
    writer.put(snapshot("trim", [node]))
    assert writer.flush(10)
    assert known(read_session(store.path).roots[0].children[0]) == known(node)
    node.set_span([1, 2], "ab", [1, 2])
    writer.put(snapshot("edit", [node]))
    assert writer.flush(10)
    assert read_session(store.path).roots[0].children[0].odds is None
    assert store.close(10)
