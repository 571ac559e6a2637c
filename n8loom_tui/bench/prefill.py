"""How fast a path is read of which nothing is known: the engine as the app drives it, and mlx-lm's generator."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from n8loom_tui.bench.contenders import EngineBranches, Path, read_by_mlx_lm, source
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.measure import BenchError, forget, in_turns
from n8loom_tui.bench.results import PrefillRow, Timing
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.protocol import PrefillProgress, SamplingParams

READ_IN_ALL = 4096
"""Tokens after which a length has been read often enough: long paths are read once, short ones every round."""


def units(settings: BenchSettings) -> int:
    """How many units of work there are."""
    return sum(_rounds(settings, prefix) for prefix in settings.prefixes)


def run(lab: Lab) -> None:
    """Fill `report.prefill`."""
    for prefix in lab.settings.prefixes:
        if not lab.fits(prefix + 2, f"prefill of {prefix} tokens"):
            continue
        ways: list[Callable[[], float]] = [partial(_engine, lab, prefix)]
        if lab.mlx_lm:
            ways.append(partial(_mlx_lm, lab, prefix))
        times = in_turns(ways, _rounds(lab.settings, prefix), partial(_say, lab, prefix))
        lab.report.prefill.append(_row(prefix, times))
        forget()


def _say(lab: Lab, prefix: int, _round: int) -> None:
    lab.tell(f"prefill: {prefix} tokens")


def _rounds(settings: BenchSettings, prefix: int) -> int:
    return max(1, min(settings.rounds, READ_IN_ALL // prefix))


def _row(tokens: int, times: list[list[float]]) -> PrefillRow:
    theirs = times[1] if len(times) > 1 else None
    return PrefillRow(
        tokens=tokens,
        engine=Timing.of(times[0]),
        engine_tokens_per_second=tokens / median(times[0]),
        mlx_lm=Timing.of(theirs) if theirs else None,
        mlx_lm_tokens_per_second=tokens / median(theirs) if theirs else None,
        speed_to_mlx_lm=median(theirs) / median(times[0]) if theirs else None,
    )


def _path(lab: Lab, tokens: int) -> Path:
    """A path of which `tokens` tokens have to be read before its last one is fed."""
    return lab.prompts.path("prefill", tokens + 1)


def _engine(lab: Lab, tokens: int) -> float:
    """Seconds from the request until its path is read, in chunks, by an engine that does nothing else."""
    branch = EngineBranches(lab.engine(), [source(_path(lab, tokens), 1)], SamplingParams(max_tokens=1))
    begun = time.perf_counter()
    branch.engine.submit(branch.request)
    took = None
    while took is None:
        events = branch.engine.step()
        branch.take(events)
        if any(isinstance(event, PrefillProgress) and event.done >= event.total for event in events):
            took = time.perf_counter() - begun
        elif branch.finished:
            raise BenchError("the engine did not tell when the path was read")
    branch.close()
    return took


def _mlx_lm(lab: Lab, tokens: int) -> float:
    """The same of mlx-lm's generator, in the steps that it takes by itself."""
    return read_by_mlx_lm(lab.model, _path(lab, tokens))
