"""Each section fills its part of the report, with figures that fit each other."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from n8loom_tui.bench import decode, depth, joining, leaves, prefill, sampling, threads
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.engine import Engine

SECTIONS = [decode, leaves, depth, sampling, prefill, joining]


def figures(value: Any) -> Iterator[float]:
    """All the numbers in a result."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from figures(getattr(value, field.name))
    elif isinstance(value, int | float):
        yield value


@pytest.mark.parametrize("section", SECTIONS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_section_tells_of_as_many_units_as_it_said(
    section: Any, lab: Lab, heard: list[str], settings: BenchSettings
) -> None:
    heard.clear()
    section.run(lab)
    assert len(heard) == section.units(settings)
    name = section.__name__.rpartition(".")[2]
    assert all(line.startswith(f"{name}: ") for line in heard)
    rows = getattr(lab.report, name)
    assert rows
    assert all(math.isfinite(figure) and figure >= 0 for row in rows for figure in figures(row))
    assert lab.report.notes == []
    assert len(json.loads(lab.report.to_json())[name]) == len(rows)


def test_decode(lab: Lab, settings: BenchSettings) -> None:
    decode.run(lab)
    assert [(row.prefix, row.branches) for row in lab.report.decode] == [(8, 1), (8, 3), (40, 1), (40, 3)]
    for row in lab.report.decode:
        assert row.mlx_lm is not None
        for timing in (row.engine.step, row.mlx_lm.step, row.floor, row.own_floor):
            assert timing.count == settings.rounds * settings.steps
        assert row.engine.first_token.count == row.mlx_lm.first_token.count == decode.FIRST_TOKENS
        assert row.engine.tokens_per_second == pytest.approx(1e3 * row.branches / row.engine.step.median)
        assert row.step_to_floor == pytest.approx(row.engine.step.median / row.floor.median)
        assert row.step_to_own_floor == pytest.approx(row.engine.step.median / row.own_floor.median)
        assert row.speed_to_mlx_lm == pytest.approx(row.mlx_lm.step.median / row.engine.step.median)
        assert row.memory_to_mlx_lm == pytest.approx(row.engine.extra_memory / row.mlx_lm.extra_memory)


def test_memory_that_clones_would_not_fit_into_is_left_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "free_memory", lambda: decode.HEADROOM)
    decode.run(lab)
    assert all(row.mlx_lm is None and row.speed_to_mlx_lm is None for row in lab.report.decode)
    assert all(row.engine.tokens_per_second > 0 for row in lab.report.decode)
    assert len(lab.report.notes) == 4
    assert (
        "mlx-lm at prefix 40 with 3 branches: left out, its clones may take 2.0 GiB" in lab.report.notes[-1]
    )


@pytest.mark.parametrize("section", SECTIONS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_what_the_model_cannot_read_is_left_out(section: Any, lab: Lab, settings: BenchSettings) -> None:
    lab = dataclasses.replace(
        lab, settings=dataclasses.replace(settings, prefixes=(4000,), depth_tokens=4000)
    )
    section.run(lab)
    if section is leaves:
        assert lab.report.notes == []
    else:
        assert getattr(lab.report, section.__name__.rpartition(".")[2]) == []
        assert any("left out, the model reads 2048 tokens" in note for note in lab.report.notes)


def test_without_mlx_lm_the_rest_is_measured(lab: Lab) -> None:
    lab = dataclasses.replace(lab, mlx_lm=False)
    for section in (decode, leaves, prefill):
        section.run(lab)
    assert lab.report.decode[0].mlx_lm is None
    assert [row.way for row in lab.report.leaves] == [
        "one leaf after another",
        "all leaves in one batch",
        "as many of one node",
    ]
    assert lab.report.prefill[0].mlx_lm is None
    assert lab.report.prefill[0].engine_tokens_per_second > 0


def test_leaves(lab: Lab) -> None:
    leaves.run(lab)
    rows = lab.report.leaves
    assert rows[0].speed_to_one_by_one == 1
    for row in rows:
        assert (row.branches, row.tokens) == (6, leaves.TOKENS)
        assert row.tokens_per_second == pytest.approx(6e3 * leaves.TOKENS / row.took.median)


def test_sampling_switches_everything_on() -> None:
    ways = sampling.ways(5)
    default, everything = ways["the app's default"], ways["everything on"]
    assert (ways["the best token"].temp, ways["the best token"].top_logprobs) == (0, 0)
    assert everything.top_logprobs == 8
    for field in dataclasses.fields(everything):
        if field.name not in ("seed", "max_tokens", "top_logprobs", "until"):
            assert getattr(everything, field.name) != getattr(default, field.name), field.name


def test_a_child_is_as_long_as_the_model_can_read(lab: Lab, settings: BenchSettings) -> None:
    lab = dataclasses.replace(lab, settings=dataclasses.replace(settings, child=5000, rounds=1))
    joining.run(lab)
    assert "the model reads 2048" in lab.report.notes[0]
    assert "a child of 2035 tokens is read" in lab.report.joining[-1].what


def test_the_threads_are_those_that_the_governor_keeps(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    was_set: list[int] = []
    monkeypatch.setattr(threads, "thread_choices", lambda: (3, 5))
    monkeypatch.setattr(threads, "prepare_device", was_set.append)
    engine = Engine(lab.model, lab.tokenizer)
    chosen = threads.settle(engine, lab.cached(engine, "threads", 12))
    assert chosen in (3, 5)
    assert set(was_set) == {3, 5}
    assert was_set[-1] == chosen
    assert not engine.busy
