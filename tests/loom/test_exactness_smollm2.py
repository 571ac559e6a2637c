"""Contract point 1 on the built-in model: a real vocabulary, a real chat template, thirty layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from weaving import Weaver, assert_drawn_exactly, assert_fragments_exact, assert_greedy

import n8loom_tui
from n8loom_tui.loom.heddle import Loom


@pytest.fixture(scope="module")
def smollm2() -> Any:
    try:
        return n8loom_tui.load("smollm2")
    except Exception as error:  # noqa: BLE001 - not to be had without a network
        pytest.skip(f"the built-in model cannot be had here: {error}")


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "raw"])
def test_random_weaving_is_exact(smollm2: Any, chat: bool, drawn_from: Any) -> None:
    model, tokenizer = smollm2
    root = Loom(model, tokenizer, "Name three flowers 🌷 and a colour of each.", chat=chat)
    weaver = Weaver(root, drawn_from, 3)
    weaver.weave(9)
    nodes = list(root.walk())
    assert len(nodes) > 3
    for node in nodes[-3:]:
        assert_fragments_exact(node)
    node = nodes[-1]
    node.terminal = False
    (kid,) = node.ramify(n=1, temp=0, max_tokens=6)
    assert_greedy(model, node.get_prefix_tokens(), kid.tokens)


def test_eight_branches_of_a_sensible_length(smollm2: Any, drawn_from: Any) -> None:
    model, tokenizer = smollm2
    root = Loom(model, tokenizer, "Write a sentence about the sea.")
    for kid in root.ramify(n=8, temp=0.8, max_tokens=24, seed=1):
        assert_drawn_exactly(drawn_from, model, root.tokens, kid.tokens, kid.provenance["seed"])
        assert len(kid.text.split()) > 3
        spread = np.ptp(drawn_from[kid.provenance["seed"], 0])
        assert spread > 10
