"""Rows that come and go: each is exact whatever is beside it, and what they share is held once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models.cache import make_prompt_cache
from support.architectures import build
from tiny import ARCHITECTURES, tiny_model

from n8loom_tui.loom import attention
from n8loom_tui.loom.batch import Batch
from n8loom_tui.loom.columns import ROOM_STEP
from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.prefill import ToRead
from n8loom_tui.loom.reading import Reader
from n8loom_tui.loom.rows import Joining
from n8loom_tui.loom.store import FragmentStore


def fragment_of(model: Any, path: list[int], start: int = 0) -> Fragment:
    caches = make_prompt_cache(model)
    model(mx.array([path]), cache=caches)
    return Fragment.pack(
        [(c.keys[0, :, start : len(path)], c.values[0, :, start : len(path)]) for c in caches]
    )


def from_scratch(model: Any, path: list[int]) -> np.ndarray:
    """Logits `[tokens, vocabulary]` of one forward pass. It has caches: layers may share what these hold."""
    return np.array(model(mx.array([path]), cache=make_prompt_cache(model))[0].astype(mx.float32))


class Runner:
    """A batch whose rows feed known tokens, each checked against a run from scratch."""

    def __init__(self, model: Any, seed: int = 1, **options: Any) -> None:
        attention.install(model)
        self.model = model
        self.reader = Reader(model, 1 << 30)
        self.store = self.reader.store
        self.batch: Batch[int] = Batch(model, self.reader.layout, **options)
        self.random = np.random.default_rng(seed)
        self.paths: dict[int, list[int]] = {}
        self.next: dict[int, int] = {}
        self.got: dict[int, list[np.ndarray]] = {}

    def tokens(self, count: int) -> list[int]:
        return [int(token) for token in self.random.integers(0, 256, count)]

    def join(self, *paths: list[int], each: int = 1) -> list[int]:
        """Add rows at the end of these paths, `each` for every path. Gives their owners."""
        joining, owners = [], []
        for path in paths:
            self.read(path)
            some = list(range(len(self.paths), len(self.paths) + each))
            first = self.tokens(1)[0]
            for owner in some:
                self.paths[owner], self.next[owner] = list(path), first
            joining.append(Joining([*path, first], some))
            owners += some
        self.batch.join(joining, self.store)
        return owners

    def read(self, path: list[int]) -> None:
        """Hold what joins at the end of this path need."""
        prefill = self.reader.prefilling([ToRead(path, (len(path) + 1,))])
        while not prefill.done:
            prefill.step(256)
        self.reader.close(prefill)

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            owners = [row.owner for row in self.batch.rows]
            if not owners:
                return
            logits = self.batch.forward([self.next[owner] for owner in owners])
            for owner, got in zip(owners, logits, strict=True):
                self.paths[owner].append(self.next[owner])
                self.got.setdefault(owner, []).append(np.array(got))
                self.next[owner] = self.tokens(1)[0]

    def check(self) -> None:
        """All logits so far are those of a run from scratch."""
        for owner, got in self.got.items():
            wanted = from_scratch(self.model, self.paths[owner])[-len(got) :]
            np.testing.assert_allclose(np.array(got), wanted, atol=1e-3, rtol=0)

    def leave(self, gone: Callable[[int], bool]) -> None:
        self.batch.leave(gone)

    @property
    def held(self) -> int:
        """How many tokens the levels hold."""
        return sum(len(span.level.tokens) for span in self.batch.spans)


MODES = {"levels": {"overhead": 0}, "copied": {"overhead": 1 << 30}, "whole": {"shared": False}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_come_and_go_and_each_is_exact(architecture: str, mode: str) -> None:
    """With and without levels and own parts, joining late, leaving early."""
    run = Runner(tiny_model(architecture), **MODES[mode])
    trunk = run.tokens(9)
    run.join(trunk, each=2)
    run.step()
    other = run.tokens(30)
    run.join(other, other + run.tokens(7), other + run.tokens(2))
    run.step(2)
    run.join([])
    run.step()
    run.join(run.tokens(80), [], trunk[:4] + run.tokens(3))
    run.step(3)
    run.leave(lambda owner: owner in (0, 3, 6))
    assert len(run.batch) == 6
    run.step(ROOM_STEP + 6)
    run.leave(lambda owner: owner not in (1, 7))
    run.step()
    run.join(trunk + run.tokens(1), each=3)
    run.step()
    run.leave(lambda owner: True)
    assert len(run.batch) == run.batch.nbytes == 0
    run.join(trunk)
    run.step()
    run.check()


KINDS = {
    "gemma3_text": "sliding windows beside full attention",
    "gpt_oss": "sinks and windows",
    "gemma3n": "layers that share another layer's keys and values",
    "gemma4_text": "such layers that do not say whose",
    "iquestloopcoder": "keys of one leaf attended to with the cache of another",
    "gemma2": "an attention of its own",
    "mamba2": "states alone",
    "qwen3_next": "states and attention",
    "falcon_h1": "a state and attention in every layer",
    "baichuan_m1": "a state and a window in every layer",
    "deepseek_v3": "a mask that is part of the scores",
    "minimax_m3_vl": "values of no width",
}
SERVED = [(name, mode) for name in KINDS for mode in ("levels", "whole")]
SERVED.remove(("deepseek_v3", "levels"))
SERVED.remove(("gemma2", "whole"))


def test_a_mask_that_is_part_of_the_scores_is_refused() -> None:
    run = Runner(build("deepseek_v3"), overhead=0)
    run.join([1, 2])
    with pytest.raises(NotImplementedError, match="mask of its own"):
        run.step()


@pytest.mark.parametrize(("architecture", "mode"), SERVED)
def test_every_kind_of_layer(architecture: str, mode: str) -> None:
    """Rows of different lengths, past a window of 8; and on from what a row leaves when it ends."""
    run = Runner(build(architecture), **MODES[mode])
    # minimax_m3 counts its blocks of keys by columns: rows of different lengths are exact while it sees all.
    short = architecture == "minimax_m3_vl"
    trunk = run.tokens(3 if short else 13)
    run.join(trunk, trunk, trunk + run.tokens(2 if short else 9))
    run.step(1 if short else 3)
    run.join([], trunk[:6] + run.tokens(2))
    run.step(1 if short else 8)
    index = [row.owner for row in run.batch.rows].index(1)
    path, start = run.paths[1], len(trunk)
    fragment = run.batch.cut(index, start)
    assert fragment is not None
    run.store.put(path, start, fragment, run.batch.snapshots(index))
    run.leave(lambda owner: owner in (0, 1))
    read = run.reader.prefilled
    run.join(path[:-1], path)
    assert run.reader.prefilled == read
    run.step(1 if short else 9)
    run.check()


def test_random_comings_and_goings() -> None:
    """Paths that share whatever they share, by chance; nothing is held that nobody needs."""
    run = Runner(tiny_model("llama"), seed=4, overhead=3)
    for _ in range(60):
        match int(run.random.integers(0, 4)):
            case 0:
                known = [[], *run.paths.values()]
                paths = []
                for _ in range(int(run.random.integers(1, 4))):
                    base = known[int(run.random.integers(0, len(known)))]
                    cut = int(run.random.integers(0, len(base) + 1))
                    paths.append(base[:cut] + run.tokens(int(run.random.integers(0, 12))))
                run.join(*paths, each=int(run.random.integers(1, 3)))
            case 1:
                gone = set(run.random.choice([*run.paths], int(run.random.integers(1, 5))).tolist())
                run.leave(gone.__contains__)
            case _:
                run.step(1)
    chains = [row.level.chain() if row.level is not None else [] for row in run.batch.rows]
    assert {id(span.level) for span in run.batch.spans} == {id(level) for c in chains for level in c}
    for row, chain in zip(run.batch.rows, chains, strict=True):
        tokens = [token for level in chain for token in level.tokens]
        assert tokens == run.paths[row.owner][: len(tokens)]
        assert len(tokens) + row.length == row.position == len(run.paths[row.owner])
    run.check()


def test_three_requests_at_one_node_hold_its_path_once() -> None:
    run = Runner(tiny_model("llama"), overhead=10)
    path = run.tokens(50)
    for _ in range(3):
        run.join(path, each=4)
        run.step(2)
    assert len(run.batch) == 12
    assert run.held == 50
    assert [(span.low, span.high) for span in run.batch.spans] == [(0, 12)]
    run.check()


def test_a_level_is_split_where_a_path_leaves_it() -> None:
    run = Runner(tiny_model("llama"), overhead=10)
    path = run.tokens(60)
    run.join(path, each=3)
    run.step()
    run.join(path[:40] + run.tokens(30), each=3)
    run.step()
    assert run.held == 90
    assert len(run.batch.groups) == 2
    run.leave(lambda owner: owner < 3)
    run.step()
    assert run.held == 70
    run.check()


def test_nobodys_first_token_waits_for_levels_to_be_folded() -> None:
    run = Runner(tiny_model("llama"), overhead=100)
    path = run.tokens(90)
    run.join(path[:60], each=8)
    run.join(path, each=8)
    assert [len(span.level.tokens) for span in run.batch.spans] == [60, 30]
    run.step()
    assert [len(span.level.tokens) for span in run.batch.spans] == [60, 30]
    run.leave(lambda owner: owner < 8)
    run.join(path, each=2)
    run.step()
    assert [len(span.level.tokens) for span in run.batch.spans] == [60, 30]
    run.step()
    assert [len(span.level.tokens) for span in run.batch.spans] == [90]
    run.step()
    run.check()


def test_leaves_of_a_tree_share_its_trunk_and_copy_their_own() -> None:
    run = Runner(tiny_model("llama"), overhead=60)
    trunk = run.tokens(40)
    run.join(*(trunk + run.tokens(length) for length in range(1, 17)), each=2)
    assert run.held == 40
    assert len(run.batch.groups) == 1
    run.step(2)
    run.check()


def test_one_long_path_among_short_ones_does_not_widen_the_others() -> None:
    run = Runner(tiny_model("llama"), overhead=20)
    run.join(*(run.tokens(2) for _ in range(7)), run.tokens(200))
    assert max(row.length for row in run.batch.rows) == 2
    run.step()
    run.check()


@pytest.mark.parametrize("mode", MODES)
def test_what_a_row_has_computed_can_be_kept(mode: str) -> None:
    model = tiny_model("llama")
    run = Runner(model, **MODES[mode])
    paths = [[5, 6, 7], [5, 6, 7, 8, 9]]
    run.join(*paths)
    assert run.batch.cut(0, 3) is None
    run.step(3)
    run.leave(lambda owner: owner == 0)
    run.join([1, 2])
    run.step(2)
    for index, owner in enumerate(row.owner for row in run.batch.rows):
        path = run.paths[owner]
        for start in (len(path) - 1, len(path) - 2):
            kept = run.batch.cut(index, start)
            assert kept is not None
            wanted = fragment_of(model, path, start)
            for got, right in zip((*kept.keys, *kept.values), (*wanted.keys, *wanted.values), strict=True):
                np.testing.assert_allclose(got, right, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_a_join_that_fails_leaves_the_batch_as_it_was(mode: str) -> None:
    model = tiny_model("llama")
    run = Runner(model, **MODES[mode])
    run.join([5, 6, 7, 8], each=2)
    run.step()
    with pytest.raises(ValueError, match="dropped from memory"):
        run.batch.join([Joining([9, 9, 9], [7])], run.store)
    wrong = FragmentStore(1 << 20)
    wrong.put([1, 2], 0, Fragment.pack([(mx.zeros((3, 2, 16)), mx.zeros((3, 2, 16)))] * 2))
    if mode != "levels":
        with pytest.raises(ValueError, match="shape"):
            run.batch.join([Joining([1, 2, 3], [7])], wrong)
    assert len(run.batch) == 2
    run.step(2)
    run.check()


def test_a_row_of_broken_numbers_leaves_nothing_behind() -> None:
    """Not a number times nothing is not a number: what a broken row leaves must not get near another."""
    run = Runner(tiny_model("llama"), overhead=0)
    path = run.tokens(6)
    run.join(path, each=3)
    run.step(2)
    for columns in run.batch.columns:
        for array in columns._arrays:
            array[2] = mx.full(array[2].shape, float("nan"))
    run.batch.rows[2].broken = True
    run.leave(lambda owner: owner == 2)
    run.step()
    run.join(path, each=2)
    run.step(2)
    run.check()


@pytest.mark.parametrize("at", ["_fill", "_add", "_room"])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_rows_that_fail_to_join_leave_those_that_run_as_they_were(
    at: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their level has been split by then, where the new rows' path leaves it."""
    run = Runner(tiny_model("llama"), overhead=10)
    path = run.tokens(60)
    run.join(path, each=3)
    run.step(2)
    other = path[:40] + run.tokens(30)
    run.read(other)

    def broken(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        if at == "_room":
            patch.setattr(run.batch._room, "admit", broken)
        else:
            patch.setattr(run.batch, at, broken)
        with pytest.raises(error):
            run.batch.join([Joining([*other, 1], [7, 8])], run.store)
    run.step(2)
    run.check()
    run.join(other, each=2)
    run.step(2)
    run.check()
