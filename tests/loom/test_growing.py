"""Adaptive weaving on an engine: it branches where a run from scratch says, and computes nothing twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.said import say
from tiny import scratch_logits, tiny_model, tiny_tokenizer
from weaving import assert_greedy

from n8loom_tui.loom.engine import engine_for
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.until import EntropyAbove, Fork, SentenceEnd, TextSaid, TopProbabilityBelow

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")
OPTIONS: dict[str, Any] = {"temp": 1.0, "min_p": 0.0, "seed": 3}


def loom(text: str = "the abc in") -> Loom:
    return Loom(MODEL, TOKENIZER, text)


def distribution(path: list[int]) -> np.ndarray:
    """What may stand behind a path, from scratch."""
    row = scratch_logits(MODEL, path)[-1].astype(np.float64)
    weights = np.exp(row - row.max())
    return np.asarray(weights / weights.sum())


def entropy(path: list[int]) -> float:
    p = distribution(path)
    return float(-(p * np.log(p)).sum())


def shape(node: Heddle) -> Any:
    return (node.tokens, node.finish, [shape(child) for child in node.children])


@pytest.mark.parametrize("architecture", ["llama", "mixtral"])
def test_it_branches_before_the_first_uncertain_token(architecture: str) -> None:
    root = Loom(tiny_model(architecture), TOKENIZER, "the abc in")
    entropies = root.ramify(n=1, max_tokens=40, **OPTIONS)[0].entropies
    limit = sorted(entropies[1:])[len(entropies) * 3 // 4]
    (trunk,) = root.weave_until(EntropyAbove(limit), n=3, depth=2, max_tokens=40, **OPTIONS)
    assert trunk.finish == "condition"
    assert len(trunk.children) == 3
    for node in trunk.walk():
        assert node.tokens
        assert all(value <= limit for value in node.entropies[1:])
        if node.children:
            assert node.finish == "condition"
            assert len(node.children) == 3
            for child in node.children:
                assert child.entropies[0] > limit
                assert child.entropies[0] == pytest.approx(node.children[0].entropies[0], abs=1e-3)


def test_nothing_is_computed_twice() -> None:
    root = loom("the abc in the end, once more")
    root.ramify(n=1, max_tokens=1)
    engine = engine_for(MODEL, TOKENIZER)
    before = engine.stats().prefilled
    (trunk,) = root.weave_until(TopProbabilityBelow(0.5), n=4, depth=3, max_tokens=12, **OPTIONS)
    root.cutoff_tree(p=0.2, depth=5)
    assert trunk.count_children() > 8
    assert engine.stats().prefilled == before


def test_where_branches_part_is_exact() -> None:
    root = loom()
    root.weave_until(TopProbabilityBelow(0.6), n=3, depth=2, max_tokens=9, temp=0)
    assert root.count_leaves() > 3
    for node in root.get_all_children():
        assert node.parent is not None
        assert_greedy(MODEL, node.parent.get_prefix_tokens(), node.tokens)
        below = distribution(node.get_prefix_tokens()).max() < 0.6
        assert node.finish == ("condition" if below else "length")


def test_the_same_seed_weaves_the_same_tree() -> None:
    first, second, other = loom(), loom(), loom()
    for root, seed in ((first, 5), (second, 5), (other, 6)):
        root.weave_until(
            EntropyAbove(1.0), n=3, depth=3, max_tokens=6, max_nodes=20, temp=1.0, min_p=0.0, seed=seed
        )
    assert shape(first) == shape(second)
    assert shape(first) != shape(other)
    for node in first.get_all_children():
        assert isinstance(node.provenance["seed"], int)
    (record,) = first.children[0].provenance["params"]["until"]
    assert record == {"condition": "EntropyAbove", "nats": 1.0, "after": 1}


def test_a_sentence_or_a_text_may_be_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    said = list(TOKENIZER.encode("It ends. So it does", add_special_tokens=False))
    say(monkeypatch, lambda draw: said[draw.step % len(said)])
    root = loom()
    (trunk,) = root.weave_until(SentenceEnd(), n=2, max_tokens=30)
    assert trunk.text == "It ends."
    assert [child.text for child in trunk.children] == ["It ends."] * 2
    (trunk,) = root.weave_until([TextSaid("end"), SentenceEnd()], n=2, max_tokens=3)
    assert (trunk.text, trunk.finish) == ("It ", "length")


def cutoff(path: list[int], p: float, depth: int) -> set[tuple[int, ...]]:
    """All the continuations whose every token is probable enough, from scratch; each as far as it goes."""
    if depth == 0:
        return {()}
    probable = np.flatnonzero(distribution(path) >= p).tolist()
    return {(t, *rest) for t in probable for rest in cutoff([*path, t], p, depth - 1)} or {()}


@pytest.mark.parametrize(("p", "depth"), [(0.1, 3), (0.3, 5), (0.95, 4), (0.02, 2)])
def test_a_cutoff_tree_holds_every_probable_continuation(p: float, depth: int) -> None:
    root = loom()
    children = root.cutoff_tree(p=p, depth=depth, max_nodes=5000)
    assert children == root.children
    leaves = root.get_all_leaves() if children else []
    eos = TOKENIZER.eos_token_id
    wanted = cutoff(root.tokens, p, depth)
    ended = {path[: path.index(eos)] for path in wanted if eos in path}
    wanted = {path for path in wanted if eos not in path}
    got = {tuple(leaf.get_prefix_tokens(1)) for leaf in leaves if not leaf.terminal}
    assert got == wanted - {()}
    assert {tuple(leaf.get_prefix_tokens(1)) for leaf in leaves if leaf.terminal} == ended
    for node in root.get_all_children():
        assert node.parent is not None
        for index, (token, logprob) in enumerate(zip(node.tokens, node.logprobs, strict=True)):
            row = distribution([*node.parent.get_prefix_tokens(), *node.tokens[:index]])
            assert np.exp(logprob) == pytest.approx(row[token], rel=2e-3)
            assert len(node.alternatives[index]) == 8
        firsts = [child.logprobs[0] for child in node.children if child.tokens]
        assert firsts == sorted(firsts, reverse=True)


def test_a_cutoff_tree_stops_at_its_number_of_nodes() -> None:
    root = loom()
    root.cutoff_tree(p=0.01, depth=6, max_nodes=17)
    assert root.count_children() - 1 == 17


def test_a_fork_is_a_condition_too() -> None:
    root = loom()
    (trunk,) = root.weave_until(Fork(0.3), n=2, max_tokens=30, **OPTIONS)
    assert np.count_nonzero(distribution(trunk.get_prefix_tokens()) >= 0.3) != 1


def test_it_can_be_watched_and_closed_early() -> None:
    root = loom()
    options: dict[str, Any] = {"n": 3, "depth": 9, "max_tokens": 8, **OPTIONS}
    stream = root.weave_until(TopProbabilityBelow(0.9), stream=True, **options)
    seen: dict[str, int] = {}
    for told in stream:
        assert told["type"] == "update"
        for node in told["nodes"]:
            assert node.root() is root
            assert len(node.tokens) >= seen.get(node.id, 0)
            seen[node.id] = len(node.tokens)
        if sum(bool(node.tokens) for node in root.get_all_children()) > 5:
            break
    stream.close()
    nodes = root.get_all_children()
    assert len(nodes) > 5
    assert all(node.tokens for node in nodes)
    assert {node.finish for node in nodes} <= {"condition", "cancelled", "length", "eos"}
    assert not engine_for(MODEL, TOKENIZER).running
    for leaf in root.get_all_leaves()[:2]:
        if not leaf.terminal:
            (more,) = leaf.ramify(n=1, temp=0, max_tokens=2)
            assert_greedy(MODEL, leaf.get_prefix_tokens(), more.tokens)


def test_a_stream_to_its_end() -> None:
    root = loom()
    *updates, final = root.cutoff_tree(p=0.05, depth=3, stream=True)
    assert {told["type"] for told in updates} == {"update"}
    assert final == {"type": "final", "children": root.children}


def test_nothing_grows_behind_a_terminal_node() -> None:
    root = loom()
    root.terminal = True
    assert root.weave_until(SentenceEnd()) == []
    assert root.cutoff_tree() == []
    assert list(root.cutoff_tree(stream=True)) == [{"type": "final", "children": []}]


def test_a_failure_keeps_what_was_said_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    root = loom()
    engine = engine_for(MODEL, TOKENIZER)
    forward, steps = engine._forward, iter(range(100))

    def broken(tokens: list[int]) -> Any:
        if next(steps) == 4:
            raise RuntimeError("the device is gone")
        return forward(tokens)

    monkeypatch.setattr(engine, "_forward", broken)
    with pytest.raises(RuntimeError, match="the device is gone"):
        root.weave_until(TextSaid("never"), max_tokens=20, **OPTIONS)
    (kid,) = root.children
    assert len(kid.tokens) == 4
    assert kid.finish == "cancelled"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"n": 0}, ValueError),
        ({"depth": 0}, ValueError),
        ({"heat": 1}, TypeError),
        ({"temp": -1}, ValueError),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    root = loom()
    with pytest.raises(error):
        root.weave_until(SentenceEnd(), **options)
    with pytest.raises(ValueError, match="until must be conditions"):
        root.weave_until(["END"])  # type: ignore[list-item]
    assert root.children == []
