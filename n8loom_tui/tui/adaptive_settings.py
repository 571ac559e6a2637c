"""What can be set for growing by what the model says, as it is typed in a dialog, and the runs that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from n8loom_tui.loom.adaptive import CutoffTree, Run, WeaveUntil
from n8loom_tui.loom.protocol import SamplingParams, Segment
from n8loom_tui.loom.seeds import branch_seed
from n8loom_tui.loom.until import (
    Condition,
    EntropyAbove,
    ParagraphEnd,
    SentenceEnd,
    TextSaid,
    TopProbabilityBelow,
)
from n8loom_tui.tui.screens.form import Answers, Field

MakeRun = Callable[[tuple[Segment, ...], int], Run]
MOST = 1000
"""How many nodes, and how deep, one run may be asked for."""
NO_END = "nowhere"
ENDS: dict[str, Condition] = {"sentence": SentenceEnd(), "paragraph": ParagraphEnd()}

ADAPTIVE = (
    Field("entropy", "entropy above", "3", "nats; branch where the model is torn. Empty: not by that"),
    Field("top", "best token below", "", "probability, 0 to 1; branch where the best is unlikely"),
    Field("text", "text said", "", "branch behind this text"),
    Field("end", "at the end of a", NO_END, "sentence, paragraph", (NO_END, *ENDS)),
    Field("n", "branches", "3", "at each place"),
    Field("depth", "depth", "2", "branchings behind each other"),
    Field("tokens", "tokens a node", "48", "at most"),
    Field("nodes", "nodes in all", "64", f"at most, up to {MOST}"),
)
CUTOFF = (
    Field("p", "probability", "0.15", "every token at least as probable is expanded"),
    Field("depth", "depth", "6", "tokens"),
    Field("nodes", "nodes in all", "64", f"at most, up to {MOST}"),
)


def adaptive_run(answers: Answers, params: SamplingParams) -> MakeRun:
    """A run that generates until a condition and branches there.

    Raises:
        ValueError: an answer makes no sense; the message says which and what to write.
    """
    until = tuple(_conditions(answers))
    if not until:
        raise ValueError("Say where to branch: fill in one of the first four.")
    n, depth, nodes = (
        _whole(answers["n"], "branches", 64),
        _whole(answers["depth"], "depth"),
        _whole(answers["nodes"], "nodes in all"),
    )
    tokens = _whole(answers["tokens"], "tokens a node", 100_000)
    own = replace(params, until=until, max_tokens=tokens)

    def make(path: tuple[Segment, ...], children: int) -> Run:
        # Counted on from the children there are, so that with a fixed seed the next run is another one.
        seed = None if own.seed is None else branch_seed(own.seed, children)
        return WeaveUntil(path, replace(own, seed=seed), n=n, depth=depth, max_nodes=nodes)

    return make


def cutoff_run(answers: Answers, params: SamplingParams) -> MakeRun:
    """A run that expands every token above a probability.

    Raises:
        ValueError: an answer makes no sense; the message says which and what to write.
    """
    p = _number(answers["p"], "probability", 1 / 128, 1.0)
    depth, nodes = _whole(answers["depth"], "depth"), _whole(answers["nodes"], "nodes in all")

    def make(path: tuple[Segment, ...], children: int) -> Run:  # noqa: ARG001
        return CutoffTree(path, p=p, depth=depth, max_nodes=nodes, top_logprobs=params.top_logprobs)

    return make


def _conditions(answers: Answers) -> Iterator[Condition]:
    if answers["entropy"].strip():
        yield EntropyAbove(_number(answers["entropy"], "entropy above", 0.0, 100.0))
    if answers["top"].strip():
        yield TopProbabilityBelow(_number(answers["top"], "best token below", 0.0, 1.0))
    if answers["text"]:
        yield TextSaid(answers["text"].replace("\\n", "\n"))
    if answers["end"] in ENDS:
        yield ENDS[answers["end"]]


def _number(text: str, label: str, low: float, high: float) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"{label} takes a number from {low:g} to {high:g}.")
    return value


def _whole(text: str, label: str, most: int = MOST) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise ValueError(f"{label} takes a whole number from 1 to {most:,}.")
    return int(text)
