"""Prefix by branches: the speed of a step, the first token, the memory; everyone's, side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from n8loom_tui.bench.contenders import (
    EngineBranches,
    Floor,
    MlxLmBranches,
    OwnFloor,
    Path,
    cache_of,
    source,
)
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.measure import (
    Branches,
    Contender,
    extra_memory,
    forget,
    free_memory,
    in_turns,
    interleaved,
)
from n8loom_tui.bench.results import DecodeRow, Decoding, Timing
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import SamplingParams

WARM_UP = 2
"""Steps before anything is timed."""
FIRST_TOKENS = 3
"""How often a first token is waited for."""
CLONES_IN_HAND = 3
"""How many times over the clones exist while mlx-lm's generator puts them together."""
HEADROOM = 2 << 30
"""Bytes that must stay free beside them."""


def units(settings: BenchSettings) -> int:
    """How many units of work there are."""
    return len(settings.prefixes) * (1 + len(settings.branches))


def run(lab: Lab) -> None:
    """Fill `report.decode`."""
    for prefix in lab.settings.prefixes:
        lab.tell(f"decode: reading {prefix} tokens")
        engine = lab.engine()
        most = prefix + WARM_UP + lab.settings.rounds * lab.settings.steps + 2
        if not lab.fits(most, f"decode at a prefix of {prefix}"):
            continue
        path = lab.prompts.path("decode", prefix)
        cache = cache_of(engine, path)
        # What an engine makes once, at its first step this far down, is no branch's memory.
        _begun(EngineBranches(engine, [source(path, 1)], SamplingParams(max_tokens=most))).close()
        for branches in lab.settings.branches:
            lab.tell(f"decode: prefix {prefix}, {branches} branches")
            lab.report.decode.append(_Cell(lab, engine, path, cache, branches).measure())
            forget()


class _Cell:
    """One prefix and one number of branches."""

    def __init__(self, lab: Lab, engine: Engine, path: Path, cache: list[Any], branches: int) -> None:
        self.lab = lab
        self.engine = engine
        self.path = path
        self.cache = cache
        self.branches = branches
        self.steps = WARM_UP + lab.settings.rounds * lab.settings.steps + 2

    def measure(self) -> DecodeRow:
        """Everyone's figures."""
        lab, settings = self.lab, self.lab.settings
        generating = [extra_memory(lambda: _begun(self._engine()))]
        if lab.mlx_lm and self._can_clone():
            generating.append(extra_memory(lambda: _begun(self._mlx_lm())))
        floors: list[Contender] = [
            Floor(lab.model, lab.prompts, self.branches),
            OwnFloor(self.engine, lab.prompts, self.branches),
        ]
        for floor in floors:
            floor.round(WARM_UP)
        contenders = [*(branches for branches, _ in generating), *floors]
        times = interleaved(contenders, settings.rounds, settings.steps)
        for branches, _ in generating:
            branches.close()
        makers: list[Callable[[], Branches]] = [self._engine, self._mlx_lm]
        firsts = in_turns([partial(_first_token, make) for make in makers[: len(generating)]], FIRST_TOKENS)
        decoding = [
            Decoding(self.branches / median(steps), Timing.of(steps), Timing.of(first), memory)
            for steps, first, (_, memory) in zip(times, firsts, generating, strict=False)
        ]
        return self._row(decoding, *(Timing.of(steps) for steps in times[len(generating) :]))

    def _row(self, decoding: list[Decoding], floor: Timing, own_floor: Timing) -> DecodeRow:
        ours, theirs = decoding[0], decoding[1] if len(decoding) > 1 else None
        return DecodeRow(
            prefix=len(self.path),
            branches=self.branches,
            engine=ours,
            mlx_lm=theirs,
            floor=floor,
            own_floor=own_floor,
            step_to_floor=ours.step.median / floor.median,
            step_to_own_floor=ours.step.median / own_floor.median,
            speed_to_mlx_lm=ours.tokens_per_second / theirs.tokens_per_second if theirs else None,
            memory_to_mlx_lm=ours.extra_memory / theirs.extra_memory if theirs else None,
        )

    def _engine(self) -> Branches:
        params = SamplingParams(max_tokens=self.steps)
        return EngineBranches(self.engine, [source(self.path, self.branches)], params)

    def _mlx_lm(self) -> Branches:
        return MlxLmBranches(self.lab.model, [(self.cache, self.path[-1])] * self.branches, self.steps)

    def _can_clone(self) -> bool:
        """Whether there is memory for mlx-lm's clones. If not, the report says so."""
        need = CLONES_IN_HAND * self.branches * sum(layer.nbytes for layer in self.cache) + HEADROOM
        free = free_memory()
        if free is None or need <= free:
            return True
        self.lab.report.note(
            f"mlx-lm at prefix {len(self.path)} with {self.branches} branches: left out, its clones may take "
            f"{need / 2**30:.1f} GiB and {free / 2**30:.1f} are free"
        )
        return False


def _begun(branches: Branches) -> Branches:
    branches.start()
    branches.round(WARM_UP)
    return branches


def _first_token(make: Callable[[], Branches]) -> float:
    branches = make()
    try:
        return branches.start()
    finally:
        branches.close()
