"""Contract point 1: whatever the tree did, the logits after a node are those of a fresh run."""

from __future__ import annotations

import itertools
import random
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from tiny import ARCHITECTURES, TOKENIZERS, build_model, greedy, scratch_logits, tiny_model, tiny_tokenizer
from weaving import (
    TOLERANCE,
    Weaver,
    assert_cache_continues,
    assert_drawn_exactly,
    assert_fragments_exact,
    assert_greedy,
)

from n8loom_tui.loom.engine import Engine, engine_for
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    BranchToken,
    Finish,
    Ramify,
    SamplingParams,
    Segment,
    Source,
    Stop,
)


def all_at_once(engine: Engine, nodes: list[Heddle], count: int) -> dict[str, list[int]]:
    """Grow every node greedily in one request; the tokens by node id."""
    sources = tuple(
        Source(tuple(above.segment() for above in node.path()), (BranchSpec(node.id, index),))
        for index, node in enumerate(nodes)
    )
    said: dict[str, list[int]] = {node.id: [] for node in nodes}
    for event in itertools.chain.from_iterable(
        engine.run(Ramify("all", sources, SamplingParams(temp=0, max_tokens=count)))
    ):
        if isinstance(event, BranchToken):
            said[event.branch_id].append(event.token)
    return said


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_random_weaving_is_exact(architecture: str, kind: str, drawn_from: Any) -> None:
    weave_and_check(tiny_model(architecture), kind, sum(f"{architecture}{kind}".encode()), drawn_from)


@pytest.mark.usefixtures("own_code")
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_random_weaving_by_the_models_own_code_is_exact(architecture: str, drawn_from: Any) -> None:
    weave_and_check(build_model(architecture), "bos", sum(architecture.encode()), drawn_from)


def weave_and_check(model: Any, kind: str, seed: int, drawn_from: Any) -> None:
    tokenizer = tiny_tokenizer(kind)
    root = Loom(model, tokenizer, "the abc in 🌷 the")
    weaver = Weaver(root, drawn_from, seed)
    weaver.weave(14)
    nodes = list(root.walk())
    for node in nodes:
        assert_fragments_exact(node)
    for node in weaver.random.sample(nodes, min(4, len(nodes))):
        assert_cache_continues(node)
        node.terminal = False
        (kid,) = node.ramify(n=1, temp=0, max_tokens=4)
        assert_greedy(model, node.get_prefix_tokens(), kid.tokens)
        if kid.finish == Finish.LENGTH:
            assert len(kid.tokens) == 4
        node.remove_child(kid)
    for node_id, tokens in all_at_once(engine_for(model, tokenizer), nodes, 4).items():
        node = next(node for node in nodes if node.id == node_id)
        assert_greedy(model, node.get_prefix_tokens(), tokens)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "cohere"])
def test_long_weaving_is_exact(architecture: str, drawn_from: Any) -> None:
    """More of the same, past the size where the own part of a batch and a cache grow."""
    model = tiny_model(architecture)
    root = Loom(model, tiny_tokenizer("bos"), "the abc in the end " * 9)
    for kid in root.ramify(n=3, temp=1.2, min_p=0.0, max_tokens=150, seed=150):
        seed = kid.provenance["seed"]
        assert_drawn_exactly(drawn_from, model, root.tokens, kid.tokens, seed)
        kid.clip(130)
    weaver = Weaver(root, drawn_from, 5)
    weaver.weave(40)
    for node in list(root.walk())[::5]:
        assert_fragments_exact(node)


def test_a_child_written_behind_an_unfed_token_continues_exactly() -> None:
    """The last token that was sampled was never fed; a text child must not lose it."""
    model, tokenizer = tiny_model("llama"), tiny_tokenizer("bos")
    root = Loom(model, tokenizer, "the end")
    kid = root.ramify(n=1, temp=1.0, min_p=0.0, max_tokens=3, seed=1)[0]
    child = kid.add_text_child(" the")
    (next_one,) = child.ramify(n=1, temp=0, max_tokens=5)
    assert child.get_prefix_tokens() == root.tokens + kid.tokens + child.tokens
    assert next_one.tokens == greedy(model, child.get_prefix_tokens(), 5)


def test_siblings_of_different_lengths_in_one_batch(drawn_from: Any) -> None:
    model, tokenizer = tiny_model("llama"), tiny_tokenizer("plain")
    root = Loom(model, tokenizer, "the abc")
    kids = root.ramify([" x" * length for length in (0, 1, 7, 40)])
    for kid in kids:
        assert_greedy(
            model, kid.get_prefix_tokens(), all_at_once(engine_for(model, tokenizer), kids, 6)[kid.id]
        )


def sources_of(lengths: tuple[int, ...], numbers: random.Random) -> tuple[Source, ...]:
    """Sources with a common beginning and ends of the given lengths, two branches each."""

    def spec() -> BranchSpec:
        seed = numbers.getrandbits(48)
        return BranchSpec(f"b{seed}", seed)

    common = [numbers.randrange(256) for _ in range(20)]
    return tuple(
        Source(
            (
                Segment("root", tuple(common)),
                Segment("end", tuple(numbers.randrange(256) for _ in range(length))),
            ),
            (
                spec(),
                spec(),
            ),
        )
        for length in lengths
    )


@pytest.mark.parametrize("overhead", [1 << 20, 0], ids=["copied", "levels"])
def test_requests_that_join_and_stop_in_the_middle(
    overhead: int, drawn_from: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several requests of several sources, joining at different steps, with branches stopped on the way."""
    monkeypatch.setattr("n8loom_tui.loom.batch.Batch._level_cost", overhead)
    model = tiny_model("qwen3")
    engine = Engine(model, tiny_tokenizer("plain"), max_rows=9)
    numbers = random.Random(3)
    requests = [
        Ramify(f"r{i}", sources_of(lengths, numbers), SamplingParams(temp=1.0, min_p=0.0, max_tokens=20 + i))
        for i, lengths in enumerate([(0, 3, 70), (1,), (5, 5, 0), (130,)])
    ]
    paths = {
        spec.id: [t for segment in source.path for t in segment.tokens or ()]
        for request in requests
        for source in request.sources
        for spec in source.branches
    }
    seeds = {b.id: b.seed for r in requests for s in r.sources for b in s.branches}
    said: dict[str, list[int]] = {branch: [] for branch in paths}
    waiting = list(requests)
    done: dict[str, str] = {}
    for step in itertools.count():
        if waiting and step % 4 == 0:
            engine.submit(waiting.pop(0))
        if step in (9, 15, 21):
            alive = [branch for branch in said if said[branch] and branch not in done]
            if alive:
                engine.submit(Stop(frozenset({numbers.choice(alive)})))
        if not (waiting or engine.busy):
            break
        for event in engine.step():
            match event:
                case BranchToken(branch_id=branch, token=token):
                    assert branch not in done
                    said[branch].append(token)
                case BranchFinished(branch_id=branch, reason=reason):
                    done[branch] = reason
    assert set(done) == set(paths)
    assert Finish.CANCELLED in done.values()
    for branch, path in paths.items():
        assert_drawn_exactly(drawn_from, model, path, said[branch], seeds[branch])
    for branch, path in paths.items():
        (kept,) = engine.fragments(path, said[branch] or [1])[:1]
        assert kept.keys.shape[2] == max(len(said[branch]), 1)
        cache = engine.prefix_cache(path + said[branch])
        got = np.array(model(mx.array([[7]]), cache=cache)[0, -1])
        np.testing.assert_allclose(
            got, scratch_logits(model, [*path, *said[branch], 7])[-1], atol=TOLERANCE, rtol=0
        )


def test_eviction_and_recomputation(drawn_from: Any) -> None:
    """A budget too small for anything: all is dropped and computed again, and still exact."""
    model, tokenizer = build_model("llama"), tiny_tokenizer("bos")
    engine = engine_for(model, tokenizer)
    engine.store.budget = 4000
    root = Loom(model, tokenizer, "the abc in the")
    weaver = Weaver(root, drawn_from, 11)
    weaver.weave(30)
    nodes = list(root.walk())
    assert engine.stats().evicted > 0
    for node in nodes:
        assert_fragments_exact(node)
        assert engine.stats().kv_bytes <= 4000 + sum(f.keys.nbytes * 2 for f in node.get_prefix_cache())
    for node_id, tokens in all_at_once(engine, nodes, 3).items():
        node = next(node for node in nodes if node.id == node_id)
        assert_greedy(model, node.get_prefix_tokens(), tokens)


def test_a_tree_deeper_than_the_interpreter_recurses() -> None:
    model, tokenizer = tiny_model("llama"), tiny_tokenizer("plain")
    node: Heddle = Loom(model, tokenizer, "abc")
    root = node
    for index in range(1500):
        node = node.add_text_child("xyzw?"[index % 5])
    (kid,) = node.ramify(n=1, temp=0, max_tokens=3)
    path = node.get_prefix_tokens()
    assert len(path) == 1501
    assert_greedy(model, path, kid.tokens)
    assert [frag.keys.shape[2] for frag in node.frag] == [1, 1]
    assert root.count_children() == 1502
    assert root.count_leaves() == 1
    assert root.get_all_leaves() == [kid]
    assert kid.crown() == kid.get_prefix_text(1)
    assert "1501 nodes below" in repr(root)
    middle = root
    for _ in range(700):
        middle = middle.children[0]
    middle.trim(1)
    assert middle.children == []
    assert root.count_children() == 701


def test_fragments_survive_an_empty_node() -> None:
    model, tokenizer = tiny_model("llama"), tiny_tokenizer("plain")
    root = Loom(model, tokenizer, "the abc")
    empty = root.add_text_child("")
    assert empty.tokens == []
    assert [frag.keys.shape[2] for frag in empty.frag] == [0, 0]
    (kid,) = empty.ramify(n=1, temp=0, max_tokens=4)
    assert kid.tokens == greedy(model, root.tokens, 4)


def test_two_tokenizers_on_one_model_do_not_mix() -> None:
    model = tiny_model("llama")
    texts = []
    for kind in ("plain", "prefix_space"):
        root = Heddle(model, tiny_tokenizer(kind), [70, 71, 72, 73], None, [])
        (kid,) = root.ramify(n=1, temp=0, max_tokens=8)
        assert kid.text.rstrip("\ufffd") in tiny_tokenizer(kind).decode(root.tokens + kid.tokens)
        texts.append(kid.text)
    assert texts[0] != texts[1]
