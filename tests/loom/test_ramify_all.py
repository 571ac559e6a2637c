"""Many nodes in one batch, as one call."""

from __future__ import annotations

import pytest
from tiny import tiny_model, tiny_tokenizer
from weaving import assert_greedy

from n8loom_tui.loom.engine import Engine, engine_for
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.protocol import BranchSpec, BranchToken, Ramify, SamplingParams, Source

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")


def tree() -> tuple[Loom, list[Heddle]]:
    root = Loom(MODEL, TOKENIZER, "the abc")
    nodes = [root.add_text_child(text) for text in (" in", " the end of it", " abcabc")]
    nodes.append(nodes[1].add_text_child(" and more"))
    return root, nodes


def test_every_node_gets_its_children_and_all_run_together() -> None:
    root, nodes = tree()
    engine = engine_for(MODEL, TOKENIZER)
    rows, forward = [], engine._forward
    engine._forward = lambda tokens: (rows.append(len(tokens)), forward(tokens))[1]  # type: ignore[method-assign, func-returns-value]
    try:
        lists = root.ramify_all(nodes, n=2, temp=0, max_tokens=5)
    finally:
        del engine._forward  # type: ignore[method-assign]
    assert max(rows) == 8
    for node, children in zip(nodes, lists, strict=True):
        assert len(children) == 2
        assert node.children[-2:] == children
        for child in children:
            assert_greedy(MODEL, node.get_prefix_tokens(), child.tokens)


def test_without_nodes_it_means_the_leaves() -> None:
    root, nodes = tree()
    lists = root.ramify_all(n=1, max_tokens=2)
    assert len(lists) == 3
    assert [len(node.children) for node in nodes] == [1, 1, 1, 1]
    bare = Loom(MODEL, TOKENIZER, "the")
    assert bare.ramify_all(n=2, max_tokens=2) == [bare.children]


def test_seeds_differ_are_recorded_and_repeat() -> None:
    root, nodes = tree()
    options = {"n": 2, "temp": 1.0, "min_p": 0.0, "max_tokens": 8, "seed": 9}
    first = [child for children in root.ramify_all(nodes, **options) for child in children]
    again = [child for children in root.ramify_all(nodes, **options) for child in children]
    assert [child.tokens for child in first] == [child.tokens for child in again]
    assert len({child.provenance["seed"] for child in first}) == 8
    for child in first[2:5]:
        assert child.parent is not None
        source = Source(
            tuple(above.segment() for above in child.parent.path()),
            (BranchSpec("alone", child.provenance["seed"]),),
        )
        request = Ramify("r", (source,), SamplingParams(temp=1.0, min_p=0.0, max_tokens=8))
        events = [e for step in Engine(MODEL, TOKENIZER).run(request) for e in step]
        assert [e.token for e in events if isinstance(e, BranchToken)] == child.tokens


def test_one_node_alone_is_ramify() -> None:
    root, nodes = tree()
    (children,) = root.ramify_all([nodes[0]], n=3, max_tokens=6, seed=4)
    assert [child.tokens for child in children] == [
        child.tokens for child in nodes[0].ramify(n=3, max_tokens=6, seed=4)
    ]


def test_terminal_nodes_are_left_alone() -> None:
    root, nodes = tree()
    nodes[0].terminal = nodes[2].terminal = True
    lists = root.ramify_all(nodes, n=2, max_tokens=2)
    assert [len(children) for children in lists] == [0, 2, 0, 2]
    for node in nodes:
        node.terminal = True
    assert root.ramify_all(nodes, n=2) == [[], [], [], []]
    (final,) = root.ramify_all(nodes, n=2, stream=True)
    assert final["children"] == [[], [], [], []]
    assert root.ramify_all([]) == []


def test_as_a_stream() -> None:
    root, nodes = tree()
    *updates, final = root.ramify_all(nodes, n=2, max_tokens=4, stream=True)
    assert all(told["type"] == "update" and len(told["tokens"]) == 8 for told in updates)
    assert final["type"] == "final"
    assert [child for children in final["children"] for child in children] == [
        child for node in nodes for child in node.children[-2:]
    ]
    assert [len(tokens) for tokens in final["tokens"]] == final["generated_lengths"]


def test_a_stream_closed_early_keeps_what_there_is() -> None:
    root, nodes = tree()
    stream = root.ramify_all(nodes, n=2, temp=0, max_tokens=50, stream=True)
    for count, _ in enumerate(stream):
        if count == 3:
            break
    stream.close()
    for node in nodes:
        assert len(node.children[-2:]) == 2
        assert_greedy(MODEL, node.get_prefix_tokens(), node.children[-1].tokens)
        assert node.children[-1].finish == "cancelled"


def test_more_branches_than_rows_take_their_turn() -> None:
    root, nodes = tree()
    lists = root.ramify_all(nodes, n=20, max_tokens=2, temp=0)
    assert [len(children) for children in lists] == [20] * 4


def test_nodes_of_several_models_are_refused() -> None:
    root, nodes = tree()
    other = Loom(tiny_model("qwen2"), TOKENIZER, "the abc")
    with pytest.raises(ValueError, match="of several models"):
        root.ramify_all([*nodes, other])
    with pytest.raises(TypeError, match="unknown option 'heat'"):
        root.ramify_all(nodes, heat=1)
    assert all(node.count_children() <= 2 for node in nodes)
