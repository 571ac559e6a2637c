"""Many leaves at once: against as many branches of one node, one leaf after another, and mlx-lm on clones."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from n8loom_tui.bench.contenders import EngineBranches, MlxLmBranches, Path, cache_of, source
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.measure import forget, in_turns
from n8loom_tui.bench.results import LeavesRow, Timing
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import SamplingParams, Source

TRUNK = 256
LEAF = 64
"""Tokens that all the leaves' paths share, and tokens of each leaf of its own."""
TOKENS = 16
"""What each branch grows."""
ROUNDS = 3
"""The leaves one after another take long; a time here is that of a whole request, not of a step."""


def units(settings: BenchSettings) -> int:
    """How many units of work there are."""
    return 1 + min(ROUNDS, settings.rounds)


def run(lab: Lab) -> None:
    """Fill `report.leaves`."""
    lab.tell("leaves: reading them")
    engine, settings = lab.engine(), lab.settings
    if not lab.fits(TRUNK + LEAF + TOKENS + 1, "leaves"):
        return
    trunk = lab.prompts.path("trunk", TRUNK)
    leaves = [trunk + lab.prompts.path(f"leaf {number}", LEAF) for number in range(settings.leaves)]
    for leaf in leaves:
        engine.prefill(leaf[:-1])
    all_branches = settings.leaves * settings.branches_per_leaf
    ways: dict[str, Callable[[], float]] = {
        "one leaf after another": lambda: sum(
            _grow(engine, [source(leaf, settings.branches_per_leaf)]) for leaf in leaves
        ),
        "all leaves in one batch": lambda: _grow(
            engine, [source(leaf, settings.branches_per_leaf) for leaf in leaves]
        ),
        "as many of one node": lambda: _grow(engine, [source(leaves[0], all_branches)]),
    }
    if lab.mlx_lm:
        ways["mlx-lm: all leaves, clones"] = lambda: _grow_clones(lab, engine, leaves)
    rounds = min(ROUNDS, settings.rounds)
    times = in_turns(list(ways.values()), rounds, lambda number: lab.tell(f"leaves: round {number + 1}"))
    for way, seconds in zip(ways, times, strict=True):
        lab.report.leaves.append(
            LeavesRow(
                way=way,
                branches=all_branches,
                tokens=TOKENS,
                took=Timing.of(seconds),
                tokens_per_second=all_branches * TOKENS / median(seconds),
                speed_to_one_by_one=median(times[0]) / median(seconds),
            )
        )
    forget()


def _grow(engine: Engine, sources: list[Source]) -> float:
    return EngineBranches(engine, sources, SamplingParams(max_tokens=TOKENS)).run()


def _grow_clones(lab: Lab, engine: Engine, leaves: list[Path]) -> float:
    caches = [(cache_of(engine, leaf), leaf[-1]) for leaf in leaves]
    branches = MlxLmBranches(lab.model, caches * lab.settings.branches_per_leaf, TOKENS)
    try:
        return branches.run()
    finally:
        branches.close()
