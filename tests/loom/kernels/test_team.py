"""Lanes of one step: they share it out, wait for each other, and fail together."""

from __future__ import annotations

import pytest

from n8loom_tui.loom.kernels import blas, team
from n8loom_tui.loom.kernels.team import Lane, in_lanes, lanes_for, shared_out

needs_blas = pytest.mark.skipif(blas.placed() is None, reason="no OpenBLAS was placed in this process")


@pytest.fixture(params=[1, 2, 3, 5])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(team, "_workers", request.param)
    return int(request.param)


@pytest.mark.parametrize("rows", [1, 2, 7, 32])
def test_every_row_is_in_one_lane_and_no_lane_is_empty(workers: int, rows: int) -> None:
    lanes = lanes_for(rows)
    assert [row for lane in lanes for row in range(lane.low, lane.high)] == list(range(rows))
    assert all(len(lane) for lane in lanes)
    assert len(lanes) <= workers
    assert all((lane.number, lane.count) == (number, len(lanes)) for number, lane in enumerate(lanes))


def test_what_a_lane_did_before_they_meet_all_find_done(workers: int) -> None:
    lanes = lanes_for(4 * workers)
    written = [[0] * len(lanes) for _ in range(200)]
    missing: list[tuple[int, int]] = []

    def work(lane: Lane) -> None:
        for stage, row in enumerate(written):
            row[lane.number] = 1
            lane.meet()
            if not all(row):
                missing.append((lane.number, stage))

    in_lanes(lanes, work)
    assert not missing


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_where_a_lane_fails_the_others_end_too_and_its_error_is_told(workers: int, stage: int) -> None:
    """And the next step goes on as if nothing had been."""
    lanes = lanes_for(4 * workers)
    ended: list[int] = []

    def work(lane: Lane) -> None:
        try:
            for each in range(4):
                if lane.number == lane.count - 1 and each == stage:
                    raise ValueError("no such thing")
                lane.meet()
        finally:
            ended.append(lane.number)

    with pytest.raises(ValueError, match="no such thing"):
        in_lanes(lanes, work)
    assert sorted(ended) == list(range(len(lanes)))
    test_what_a_lane_did_before_they_meet_all_find_done(workers)


@needs_blas
def test_work_is_shared_out_and_openblas_has_its_threads_back() -> None:
    """The fixture shares out already: within it OpenBLAS keeps to one thread, and so it does further in."""
    found = blas.placed()
    assert found is not None
    assert found.threads() == 1
    with shared_out():
        assert found.threads() == 1
    assert found.threads() == 1
    assert team._workers >= 1
