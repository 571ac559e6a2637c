"""Paths that a network reads: what lies in several blocks of memory, beside others, begun again in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from tiny import build_model, tiny_tokenizer

from n8loom_tui.loom import prefill, store
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.kernels import strand as module
from n8loom_tui.loom.kernels.native import code
from n8loom_tui.loom.kernels.strand import NetworkStrand
from n8loom_tui.loom.prefill import ToRead
from n8loom_tui.loom.strand import Row

BLOCK = 16
BlockLength = Callable[[int], None]


@pytest.fixture
def block_length(monkeypatch: pytest.MonkeyPatch) -> BlockLength:
    """Sets how many tokens lie together."""

    def set_length(tokens: int) -> None:
        for place, name in ((module, "EDGE_TOKENS"), (store, "EDGE_TOKENS"), (prefill, "KEEP")):
            monkeypatch.setattr(place, name, tokens)

    return set_length


def numbers(length: int, seed: int = 1) -> list[int]:
    return np.random.default_rng(seed).integers(3, 300, length).tolist()


def reader() -> Engine:
    engine = Engine(build_model("llama"), tiny_tokenizer("plain"))
    assert engine.network is not None
    return engine


def read(engine: Engine, paths: list[list[int]], at_once: int) -> None:
    reading = engine.prefilling([ToRead(path) for path in paths])
    while not reading.done:
        reading.step(at_once)
    engine.close(reading)


def arrays(fragment: Fragment | None) -> list[np.ndarray[Any, Any]]:
    assert fragment is not None
    return [np.array(array) for array in (*fragment.keys, *fragment.values)]


def assert_alike(one: Fragment | None, other: Fragment | None) -> None:
    """The same to the bit, where compiled code keeps the order of every sum."""
    for mine, theirs in zip(arrays(one), arrays(other), strict=True):
        if code() is not None:
            np.testing.assert_array_equal(mine, theirs)
        else:
            np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 7, 33, 400])
def test_many_blocks_hold_what_one_does(at_once: int, block_length: BlockLength) -> None:
    start = numbers(37)
    paths = [
        start,
        [*start, *numbers(50, 2)],
        [*start, *numbers(21, 3)],
        [*start[:20], *numbers(40, 4)],
        numbers(5, 5),
    ]
    whole = reader()
    read(whole, paths, 400)
    block_length(BLOCK)
    cut = reader()
    read(cut, [start[:11]], 4)
    read(cut, paths, at_once)
    for path in paths:
        assert_alike(cut.store.get(path, 0, len(path)), whole.store.get(path, 0, len(path)))
    assert cut.store.reserved == 0


def test_rows_that_go_on_from_parts_of_their_own_use_these_where_they_lie(
    block_length: BlockLength, monkeypatch: pytest.MonkeyPatch
) -> None:
    block_length(BLOCK)
    monkeypatch.setattr(module, "SHORT", 1)
    start = numbers(40)
    ends = [[*start, *numbers(30 + seed, seed)] for seed in (7, 8, 9)]
    whole, parts = reader(), reader()
    read(whole, ends, 400)
    for number, path in enumerate(ends):
        read(parts, [path[: 45 + 9 * number]], 10)
    rows = [Row(path, 45 + 9 * number, len(path)) for number, path in enumerate(ends)]
    before = mx.get_active_memory()
    strand = NetworkStrand(parts.network, parts.store, rows)
    assert mx.get_active_memory() == before, "what they go on from is not copied"
    while any(row.position < row.stop for row in rows):
        strand.read([row.path[row.position : min(row.position + 6, row.stop)] for row in rows])
        for row in rows:
            row.position = min(row.position + 6, row.stop)
        going = [row for row in rows if row.position < row.stop]
        for row in set(rows) - set(going):
            assert_alike(
                strand.fragment(row, row.start, row.stop), whole.store.get(row.path, row.start, row.stop)
            )
        strand.keep(going)
        rows = going or rows


def test_what_was_kept_in_the_middle_of_a_block_does_not_change(block_length: BlockLength) -> None:
    block_length(BLOCK)
    engine, row = reader(), Row(numbers(40), 0, 40)
    strand = NetworkStrand(engine.network, engine.store, [row])
    strand.read([row.path[:10]])
    row.position = 10
    kept = strand.fragment(row, 0, 10)
    then = arrays(kept)
    strand.read([row.path[10:40]])
    for mine, theirs in zip(arrays(kept), then, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert_alike(strand.fragment(row, 0, 10), kept)


def test_what_is_read_takes_its_memory_once(block_length: BlockLength) -> None:
    block_length(64)
    engine, path = reader(), numbers(640)
    read(engine, [path[:1]], 1)
    every = engine.store.per_token * len(path)
    mx.clear_cache()  # what is taken from there may be larger than what was asked for
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    reading = engine.prefilling([ToRead(path)])
    while not reading.done:
        reading.step(32)
        assert engine.store.nbytes + engine.store.reserved <= every * 1.02, "what is kept is counted once"
    engine.close(reading)
    assert mx.get_peak_memory() - before <= every * 1.1
    assert engine.store.held(path, 0, len(path)).tokens == len(path)
