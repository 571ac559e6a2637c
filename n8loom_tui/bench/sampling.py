"""What choosing tokens costs: the best one, as the app does by default, and with every parameter on."""

from __future__ import annotations

from statistics import median

from n8loom_tui.bench.contenders import EngineBranches, source
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.measure import forget, interleaved
from n8loom_tui.bench.results import SamplingRow, Timing
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.protocol import SamplingParams

TIMES = 2
"""So many times the rounds of other sections: small differences are looked for."""
SPARE = 32
"""Tokens that may pass until every branch has said its first: with stop strings, half a character is held back."""
UNSAID = "\u2400\u2402\u2404"
"""A stop string that nobody says."""


def units(_settings: BenchSettings) -> int:
    """How many units of work there are."""
    return 1


def run(lab: Lab) -> None:
    """Fill `report.sampling`."""
    settings = lab.settings
    prefix, branches = min(settings.prefixes), max(settings.branches)
    lab.tell(f"sampling: prefix {prefix}, {branches} branches")
    rounds = TIMES * settings.rounds * settings.steps
    if not lab.fits(prefix + rounds + SPARE, "sampling"):
        return
    contenders = []
    for params in ways(rounds + SPARE).values():
        engine = lab.engine()
        path = lab.cached(engine, "sampling", prefix)
        contenders.append(EngineBranches(engine, [source(path, branches)], params))
        contenders[-1].start()
    times = interleaved(contenders, rounds, 1)
    for way, seconds, contender in zip(ways(1), times, contenders, strict=True):
        contender.close()
        lab.report.sampling.append(
            SamplingRow(way, branches, Timing.of(seconds), median(seconds) / median(times[0]))
        )
    forget()


def ways(tokens: int) -> dict[str, SamplingParams]:
    """The ways of choosing, the least work first."""
    return {
        "the best token": SamplingParams(temp=0, min_p=0, top_logprobs=0, max_tokens=tokens),
        "the app's default": SamplingParams(max_tokens=tokens),
        "everything on": SamplingParams(
            temp=0.9,
            min_p=0.02,
            top_p=0.95,
            top_k=100,
            min_tokens_to_keep=2,
            repetition_penalty=1.1,
            repetition_context_size=64,
            stop_strings=(UNSAID,),
            top_logprobs=8,
            max_tokens=tokens,
        ),
    }
