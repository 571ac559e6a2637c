"""Keys sort as the logits fall, and equal logits by the token ids."""

from __future__ import annotations

import numpy as np

from n8loom_tui.loom.ranking import NOTHING, arranged, packed, unpacked


def test_keys_sort_as_the_logits_fall() -> None:
    rng = np.random.default_rng(0)
    logits = np.round(rng.standard_normal(500) * 3).astype(np.float32) / 2
    logits[:8] = [0.0, -0.0, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, -1e-45]
    tokens = rng.permutation(500)
    values, ids = unpacked(np.sort(packed(logits, tokens)))
    order = np.lexsort((tokens, -logits))
    np.testing.assert_array_equal(values, logits[order])
    np.testing.assert_array_equal(ids, tokens[order])


def test_nothing_stands_behind_all_tokens() -> None:
    assert packed(np.array([-np.inf], np.float32), np.array([1 << 20]))[0] < NOTHING
    assert unpacked(np.array([NOTHING]))[0] == -np.inf


def test_keys_are_arranged_by_rows() -> None:
    keys = np.array([4, 3, 9], np.uint64)
    table = arranged(keys, np.array([0, 2, 2]), 4)
    assert table.tolist() == [[4, NOTHING], [NOTHING, NOTHING], [3, 9], [NOTHING, NOTHING]]
    assert arranged(keys[:0], np.empty(0, np.int64), 3).shape == (3, 0)
