"""The tree: what n8loom documents of `Heddle` and `Loom`, by name, argument and result."""

from __future__ import annotations

import gc
import inspect
import math
import subprocess
import sys

import numpy as np
import pytest
from tiny import greedy, scratch_logits, tiny_model, tiny_tokenizer

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.protocol import Alternative, Framing

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")


def tree() -> tuple[Loom, dict[str, Heddle]]:
    """root ─ a ─ (aa, ab ─ aba), b"""
    root = Loom(MODEL, TOKENIZER, "root")
    nodes: dict[str, Heddle] = {}
    for name in ("a", "b"):
        nodes[name] = root.add_text_child(f" {name}")
    for name in ("aa", "ab", "aba"):
        nodes[name] = nodes[name[:-1]].add_text_child(f" {name}")
    return root, nodes


def test_the_attributes() -> None:
    root, nodes = tree()
    node = nodes["ab"]
    assert node.model is MODEL
    assert node.tokenizer is TOKENIZER
    assert node.text == " ab"
    assert node.tokens == TOKENIZER.encode(" ab")
    assert node.ends[-1] == len(node.text)
    assert node.children == [nodes["aba"]]
    assert node.parent is nodes["a"]
    assert not node.terminal
    assert [frag.keys.shape for frag in node.frag] == [(1, 2, len(node.tokens), 16)] * 2
    assert node.kind is Kind.WRITTEN
    assert root.kind is Kind.PROMPT
    assert root.parent is None
    assert len({n.id for n in root.walk()}) == 6
    assert all(len(n.id) == 12 for n in root.walk())


def test_the_signatures_are_n8looms() -> None:
    def names(function: object) -> list[str]:
        return [name for name in inspect.signature(function).parameters if name != "self"]  # type: ignore[arg-type]

    assert names(Heddle.__init__) == [
        "model",
        "tokenizer",
        "text",
        "frags",
        "children",
        "parent",
        "trim_toks",
    ]
    assert names(Loom.__init__)[:3] == ["model", "tokenizer", "prompt"]
    assert names(Heddle.make_children) == ["n", "temp", "max_tokens", "min_p", "kwargs"]
    assert names(Heddle.make_child_stream) == ["n", "temp", "max_tokens", "min_p", "kwargs"]
    assert names(Heddle.ramify) == ["arg", "kwargs"]
    assert names(Heddle.apply_all_children) == ["func", "apply_self", "leaves_only"]
    defaults = {n: p.default for n, p in inspect.signature(Heddle.make_children).parameters.items()}
    assert (defaults["n"], defaults["temp"], defaults["max_tokens"], defaults["min_p"]) == (4, 0.8, 8, 0.05)


def test_a_heddle_made_by_hand() -> None:
    child = Heddle(MODEL, TOKENIZER, " child", None, None)
    node = Heddle(MODEL, TOKENIZER, "the", None, [child])
    assert node.children == [child]
    assert child.parent is node
    below = Heddle(MODEL, TOKENIZER, " in", None, None, parent=node)
    assert below.parent is node
    assert below not in node.children
    assert below.get_prefix_text() == "the in"
    by_tokens = Heddle(MODEL, TOKENIZER, [70, 71], None, None)
    assert by_tokens.tokens == [70, 71]
    assert by_tokens.text == TOKENIZER.decode([70, 71])


def test_fragments_given_by_hand_are_used_where_it_is_known_what_they_stand_behind() -> None:
    root = Heddle(MODEL, TOKENIZER, "the end of it", None, None)
    child = root.add_text_child(" and more")
    again = root.add_child(Heddle(MODEL, TOKENIZER, list(child.tokens), child.frag, None, root))
    (kid,) = again.ramify(n=1, temp=0, max_tokens=4)
    assert kid.tokens == greedy(MODEL, child.get_prefix_tokens(), 4)
    with pytest.raises(ValueError, match="layers"):
        Heddle(MODEL, TOKENIZER, list(child.tokens), child.frag[:1], None, root)


def test_fragments_from_behind_another_path_change_no_logits() -> None:
    root = Heddle(MODEL, TOKENIZER, "something long in front", None, None)
    child = root.add_text_child("the same words")
    alone = Heddle(MODEL, TOKENIZER, list(child.tokens), child.frag, None)
    (kid,) = alone.ramify(n=1, temp=0, max_tokens=4)
    assert kid.tokens == greedy(MODEL, child.tokens, 4)
    root.add_child(alone)
    (kid,) = alone.ramify(n=1, temp=0, max_tokens=4)
    assert kid.tokens == greedy(MODEL, alone.get_prefix_tokens(), 4)


def test_clip_and_trim() -> None:
    root, nodes = tree()
    a = nodes["a"]
    node = a.add_text_child(" éx€y the")
    tokens, text = list(node.tokens), node.text
    leaf = node.add_text_child("!")
    assert node.clip(len(tokens)) is node
    assert node.clip(99) is node
    assert node.trim(0) is node
    assert node.children == [leaf]
    assert node.trim(1) is node
    assert node.tokens == tokens[:-1]
    assert node.text == " éx€y"
    assert node.children == []
    assert leaf.parent is None
    assert node.clip(-1).tokens == tokens[:-2]
    assert node.clip(2).tokens == tokens[:2]
    assert text.startswith(node.text)
    assert len(node.tokens) == len(node.ends)
    assert node.clip(-99).tokens == []
    assert node.text == ""
    assert root.count_children() == 7


def test_clipping_inside_a_character_leaves_it_out_until_it_is_whole() -> None:
    root = Loom(MODEL, TOKENIZER, "x🌷")
    tokens = list(root.tokens)
    root.trim(1)
    assert root.text == "x"
    root.tokens.append(0)  # a list of its own: what was cut off is not changed through it
    assert tokens[-1] != 0
    root.tokens.pop()
    rest = Heddle(MODEL, TOKENIZER, tokens[-1:], None, None, parent=root)
    assert rest.text == "🌷"


def exact_logprobs(path: list[int], tokens: list[int]) -> np.ndarray:
    """`[tokens, vocabulary]`, from a run from scratch."""
    logits = scratch_logits(MODEL, path + tokens)[len(path) - 1 : -1].astype(np.float64)
    best = logits.max(axis=1, keepdims=True)
    return logits - best - np.log(np.exp(logits - best).sum(axis=1, keepdims=True))


def test_each_generated_token_carries_its_odds() -> None:
    root = Loom(MODEL, TOKENIZER, "the abc")
    for kid in root.ramify(n=3, temp=1.5, min_p=0.0, max_tokens=9, seed=2):
        wanted = exact_logprobs(root.tokens, kid.tokens)
        chosen = wanted[range(len(kid.tokens)), kid.tokens]
        np.testing.assert_allclose(kid.logprobs, chosen, atol=1e-3)
        np.testing.assert_allclose(kid.entropies, -(np.exp(wanted) * wanted).sum(axis=1), atol=1e-3)
        for others, row in zip(kid.alternatives, wanted, strict=True):
            best = np.sort(row)[::-1][:8]
            np.testing.assert_allclose([other.logprob for other in others], best, atol=1e-3)
            np.testing.assert_allclose(row[[other.token for other in others]], best, atol=1e-3)
    (kid,) = root.ramify(n=1, top_logprobs=0, max_tokens=3)
    assert kid.alternatives == [()] * len(kid.tokens)
    assert not any(math.isnan(value) for value in kid.logprobs + kid.entropies)


def test_odds_stay_with_their_tokens() -> None:
    root = Loom(MODEL, TOKENIZER, "the abc")
    assert [math.isnan(value) for value in root.logprobs] == [True] * len(root.tokens)
    assert root.alternatives == [()] * len(root.tokens)
    (kid,) = root.ramify(n=1, temp=1.5, min_p=0.0, max_tokens=9, seed=2)
    before = (kid.logprobs, kid.alternatives, kid.entropies)
    kid.trim(2)
    assert (kid.logprobs, kid.alternatives, kid.entropies) == tuple(each[:7] for each in before)
    kid.clip(3)
    assert (kid.logprobs, kid.alternatives, kid.entropies) == tuple(each[:3] for each in before)
    kid.append_token(65, "A")
    kid.append_token(66, "B", -0.5, (Alternative(66, -0.5),), 1.0)
    assert kid.logprobs == pytest.approx([*before[0][:3], math.nan, -0.5], nan_ok=True)
    assert kid.alternatives == [*before[1][:3], (), (Alternative(66, -0.5),)]
    copy = Heddle.from_span(kid.tokens, kid.text, kid.ends, odds=kid.odds)
    assert copy.alternatives == kid.alternatives
    kid.text = "something else"
    assert kid.odds is None
    assert len(kid.logprobs) == len(kid.tokens)
    with pytest.raises(ValueError, match="odds of 5"):
        kid.set_span([1], "a", [1], copy.odds)


def test_clipping_makes_a_node_open_again() -> None:
    _, nodes = tree()
    node = nodes["aba"]
    node.terminal, node.finish = True, "eos"
    node.clip(99)
    assert node.terminal
    node.trim(1)
    assert not node.terminal
    assert node.finish is None


def test_to_leaf() -> None:
    root, nodes = tree()
    assert nodes["a"].to_leaf() is nodes["a"]
    assert nodes["a"].children == []
    assert nodes["aa"].parent is None
    assert root.get_all_children() == [nodes["a"], nodes["b"]]


def test_add_and_remove_child() -> None:
    root, nodes = tree()
    assert root.remove_child(nodes["a"]) is nodes["a"]
    assert nodes["a"].parent is None
    assert root.children == [nodes["b"]]
    assert nodes["b"].add_child(nodes["a"]) is nodes["a"]
    assert nodes["a"].parent is nodes["b"]
    assert nodes["aba"].get_prefix_text() == "root b a ab aba"
    with pytest.raises(ValueError, match="not a child"):
        root.remove_child(nodes["a"])


def test_a_cycle_is_refused() -> None:
    root, nodes = tree()
    for child in (nodes["aba"], nodes["a"], root):
        with pytest.raises(ValueError, match="itself"):
            nodes["aba"].add_child(child)
    assert root.count_children() == 6


def test_a_cycle_through_a_node_that_was_not_entered_is_refused() -> None:
    for above in (Loom(MODEL, TOKENIZER, "root"), Heddle(MODEL, TOKENIZER, "a", None, [])):
        behind = Heddle(MODEL, TOKENIZER, " b", None, [], above)
        with pytest.raises(ValueError, match="itself"):
            behind.add_child(above)
        assert above.parent is None and not behind.children
    root = Loom(MODEL, TOKENIZER, "root")
    below = Heddle(MODEL, TOKENIZER, " b", None, [], root).add_text_child(" c")
    with pytest.raises(ValueError, match="itself"):
        below.add_child(root)


def test_ramify_by_text() -> None:
    root, _ = tree()
    child = root.ramify(" the")
    assert isinstance(child, Heddle)
    assert child.text == " the"
    kids = root.ramify([" x", " y"])
    assert [kid.text for kid in kids] == [" x", " y"]
    assert root.children[-3:] == [child, *kids]
    assert root.ramify([]) == []
    with pytest.raises(TypeError, match="a text or a list of texts, not int"):
        root.ramify(5)
    with pytest.raises(TypeError, match="list"):
        root.ramify(["x", 5])


def test_ramify_by_generating() -> None:
    root, _ = tree()
    before = list(root.children)
    kids = root.ramify(n=3, temp=0, max_tokens=4)
    assert root.children == before + kids
    for kid in kids:
        assert kid.tokens == greedy(MODEL, root.tokens, 4)
        assert kid.parent is root
        assert (kid.kind, kid.finish, kid.terminal) == (Kind.GENERATED, "length", False)
        assert kid.provenance["params"]["max_tokens"] == 4
        assert isinstance(kid.provenance["seed"], int)
    assert len(root.make_children()) == 4
    with pytest.raises(TypeError, match="unknown option 'tempp'"):
        root.ramify(n=2, tempp=1)
    with pytest.raises(ValueError, match="n must be at least 1, not 0"):
        root.ramify(n=0)


def test_ramify_as_a_stream() -> None:
    root = Loom(MODEL, TOKENIZER, "the")
    stream = root.ramify(n=2, temp=0, max_tokens=3, stream=True)
    assert root.children == []
    *updates, final = stream
    wanted = greedy(MODEL, root.tokens, 3)
    assert [update["type"] for update in updates] == ["update"] * 3
    assert updates[1]["tokens"] == [wanted[:2]] * 2
    assert updates[0]["ended"] == [False, False]
    assert updates[-1]["ended"] == [True, True]
    assert final["type"] == "final"
    assert final["children"] == root.children
    assert final["tokens"] == [kid.tokens for kid in root.children] == [wanted] * 2
    assert final["decoded_texts"] == [kid.text for kid in root.children]
    assert final["generated_lengths"] == [3, 3]
    assert final["total_prompt_len"] == len(root.tokens)
    assert final["ended"] == [False, False]


def test_a_stream_returns_its_children() -> None:
    root = Loom(MODEL, TOKENIZER, "the")

    def follow() -> list[Heddle]:
        return (yield from root.make_child_stream(n=2, max_tokens=2))

    stream = follow()
    with pytest.raises(StopIteration) as stop:
        while True:
            next(stream)
    assert stop.value.value == root.children


def test_reading_the_path() -> None:
    root, nodes = tree()
    node = nodes["aba"]
    assert node.get_prefix_text() == "root a ab aba"
    assert node.get_prefix_text(2) == " ab aba"
    assert node.get_prefix_text(exclude=4) == ""
    assert node.crown() == " a ab aba"
    assert root.crown() == ""
    assert node.get_prefix_tokens() == root.tokens + nodes["a"].tokens + nodes["ab"].tokens + node.tokens
    assert node.get_prefix_tokens(exclude=3) == node.tokens
    assert node.get_display_text() == "root a ab aba"
    assert node.display_text() == " aba"
    assert node.path() == [root, nodes["a"], nodes["ab"], node]
    assert node.root() is root


def test_display_text_of_a_chat() -> None:
    root = Loom(MODEL, tiny_tokenizer("bos"), "hello")
    child = root.add_text_child("Well")
    assert child.get_display_text() == "Prompt: hello\n\nResponse:\n\nWell"
    assert child.get_display_text(1) == "Well"


def test_applying_functions() -> None:
    root, nodes = tree()
    order = [nodes[name] for name in ("a", "aa", "ab", "aba", "b")]
    leaves = [nodes[name] for name in ("aa", "aba", "b")]
    assert root.get_all_children() == order
    assert root.get_all_children(1) == [root, *order]
    assert root.get_all_leaves() == leaves
    assert root.apply_all_children(lambda node: node) == order
    assert root.apply_all_children(lambda node: node, apply_self=True) == [root, *order]
    assert root.apply_all_children(lambda node: node, leaves_only=True) == leaves
    assert root.at_all_leaves(lambda node: node.text) == [" aa", " aba", " b"]
    assert nodes["b"].get_all_leaves() == []
    assert root.count_children() == 6
    assert root.count_leaves() == 3
    assert (nodes["b"].count_children(), nodes["b"].count_leaves()) == (1, 1)


def test_apply_at_leaves_goes_on_from_what_grew() -> None:
    root, _ = tree()
    crowns = root.apply_at_leaves(
        lambda node: node.ramify("!") if node.text != " b" else None,
        lambda node: node.ramify(["x", "y"]),
        lambda node: node.crown(),
    )
    assert crowns == [" a aa!x", " a aa!y", " a ab aba!x", " a ab aba!y", " bx", " by"]


def test_repr_tells_text_and_children() -> None:
    root, nodes = tree()
    assert "' ab'" in repr(nodes["ab"])
    assert "1 children" in repr(nodes["ab"])
    assert repr(root).startswith("Loom('root'")


def test_setting_the_text_encodes_anew() -> None:
    root, nodes = tree()
    nodes["b"].text = " the end"
    assert nodes["b"].tokens == TOKENIZER.encode(" the end")
    assert nodes["b"].text == " the end"
    (kid,) = nodes["b"].ramify(n=1, temp=0, max_tokens=3)
    assert kid.tokens == greedy(MODEL, nodes["b"].get_prefix_tokens(), 3)
    assert root.count_children() == 7


def test_a_tree_without_a_model() -> None:
    root = Loom(None, None, "the end")
    assert (root.text, root.tokens, root.encoded, root.user_prompt) == ("the end", [], False, "the end")
    assert root.framing() is Framing.CHAT
    assert Loom(None, None, "x", chat=False).framing() is Framing.RAW
    child = root.add_text_child(" in")
    assert not child.encoded
    assert child.segment().text == " in"
    assert child.segment().tokens is None
    with pytest.raises(ValueError, match="no model"):
        child.ramify(n=1)
    with pytest.raises(ValueError, match="no model"):
        _ = child.frag


def test_nodes_of_known_tokens() -> None:
    node = Heddle.from_span([70, 71], "ab", [1, 2])
    assert (node.tokens, node.text, node.kind) == ([70, 71], "ab", Kind.GENERATED)
    node.append_token(72, "")
    node.append_token(73, "cd")
    assert node.ends == [1, 2, 2, 4]
    assert node.clip(3).text == "ab"
    with pytest.raises(ValueError, match="do not match"):
        node.set_span([1], "a", [])
    assert not Heddle.from_text("x").encoded


def test_a_very_deep_tree_can_be_walked_and_let_go() -> None:
    root = node = Heddle.from_text("0")
    for _ in range(50_000):
        node = node.children[0] if node.children else _append(node)
    assert root.count_children() == 50_001
    assert root.count_leaves() == 1
    assert len(node.path()) == 50_001
    assert len(node.get_prefix_text()) == 50_001
    assert root.get_all_leaves() == [node]
    assert len(repr(root)) < 100
    del root, node
    gc.collect()


def _append(node: Heddle) -> Heddle:
    child = Heddle.from_text("x")
    node.children.append(child)
    child.parent = node
    return child


@pytest.mark.parametrize("module", ["n8loom_tui", "n8loom_tui.loom.heddle", "n8loom_tui.loom.protocol"])
def test_importing_the_tree_loads_nothing_heavy(module: str) -> None:
    script = (
        f"import sys, {module}\n"
        "heavy = {'mlx', 'mlx.core', 'mlx_lm', 'transformers', 'tokenizers', 'numpy', 'torch', 'textual'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert done.returncode == 0
