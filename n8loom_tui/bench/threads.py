"""How many threads to measure with: those that the app would settle on."""

from __future__ import annotations

from n8loom_tui.bench.contenders import EngineBranches, Path, source
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.models.blas import prepare_device, thread_choices
from n8loom_tui.models.governor import FIRST_TRIAL_AFTER, TRIAL, ThreadGovernor

BRANCHES = 8
PER_CHOICE = FIRST_TRIAL_AFTER + TRIAL + 4
"""Steps in which the governor tries one number against another, and a few to spare."""


def settle(engine: Engine, path: Path) -> int:
    """Let the governor try its numbers on a running batch, as it does in the app. The number that it keeps is set.

    `path`: a node that the engine has read.
    """
    choices = thread_choices()
    governor = ThreadGovernor(choices, prepare_device)
    steps = len(choices) * PER_CHOICE
    branches = EngineBranches(engine, [source(path, BRANCHES)], SamplingParams(max_tokens=steps + 2))
    branches.start()
    for _ in range(steps):
        (seconds,) = branches.round(1)
        governor.record(BRANCHES, seconds)
    branches.close()
    prepare_device(governor.threads)  # a trial may have been left unfinished
    return governor.threads
