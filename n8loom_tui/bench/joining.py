"""What streaming branches feel of one that joins and leaves, and of a long text that is read beside them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from n8loom_tui.bench.contenders import EngineBranches, Path, source
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.measure import BenchError, forget
from n8loom_tui.bench.results import JoiningRow, Timing
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.protocol import SamplingParams

GUEST_TOKENS = 4
"""What a branch grows that joins."""
TRIES = 5
BEFORE = 12
"""Steps that tell how long one takes undisturbed."""
AFTER = 4
"""Steps that are watched once the guest has left."""
READS = 2


def units(settings: BenchSettings) -> int:
    """How many units of work there are."""
    return 2 + min(READS, settings.rounds)


def run(lab: Lab) -> None:
    """Fill `report.joining`."""
    settings = lab.settings
    engine, prefix = lab.engine(), min(settings.prefixes)
    child = _child_length(lab, prefix)
    if not lab.fits(prefix + BEFORE + GUEST_TOKENS + AFTER + 16, "joining"):
        return
    host = lab.cached(engine, "host", prefix)
    other = lab.cached(engine, "guest", prefix)
    stream = _Stream(engine, host, settings.streaming)
    tries = min(TRIES, settings.rounds)
    for what, path in (("a branch of their node joins", host), ("a branch of another node joins", other)):
        lab.tell(f"joining: {what}")
        watched = [stream.beside(path, GUEST_TOKENS) for _ in range(tries)]
        lab.report.joining.append(_row(what, settings.streaming, watched))
    watched = []
    for number in range(min(READS, settings.rounds)):
        lab.tell(f"joining: reading {child} tokens")
        text = host + lab.prompts.path(f"child {number}", child)
        watched.append(stream.beside(text, 1))
    lab.report.joining.append(_row(f"a child of {child} tokens is read", settings.streaming, watched))
    forget()


def _child_length(lab: Lab, prefix: int) -> int:
    """As long a child as is wanted, or as the model can read."""
    wanted, limit = lab.settings.child, lab.context_length
    longest = wanted if limit is None else max(1, min(wanted, limit - prefix - GUEST_TOKENS - 1))
    if longest < wanted:
        lab.report.note(f"joining: the child has {longest} tokens, the model reads {limit}")
    return longest


@dataclass(frozen=True, slots=True)
class _Watched:
    """Seconds between the tokens of the streaming branches, before and while something went on beside them."""

    before: list[float]
    meanwhile: list[float]
    took: float


class _Stream:
    """Branches that stream, and what goes on beside them."""

    def __init__(self, engine: Engine, host: Path, branches: int) -> None:
        self.engine = engine
        self._host = host
        self._branches = branches

    def beside(self, path: Path, tokens: int) -> _Watched:
        """Let a branch from `path` come, grow so many tokens, and go."""
        room = (self.engine.context_length or 1 << 30) - len(self._host)
        stream = EngineBranches(
            self.engine, [source(self._host, self._branches)], SamplingParams(max_tokens=room)
        )
        stream.start()
        before = [self._gap([stream]) for _ in range(BEFORE)]
        guest = EngineBranches(self.engine, [source(path, 1)], SamplingParams(max_tokens=tokens))
        begun = time.perf_counter()
        self.engine.submit(guest.request)
        meanwhile = []
        while not guest.finished:
            meanwhile.append(self._gap([stream, guest]))
        took = time.perf_counter() - begun
        meanwhile += [self._gap([stream]) for _ in range(AFTER)]
        stream.close()
        return _Watched(before, meanwhile, took)

    def _gap(self, listeners: list[EngineBranches]) -> float:
        """Seconds until all streaming branches, the first of the listeners, have another token."""
        stream = listeners[0]
        wanted = stream.generated + stream.branches
        begun = time.perf_counter()
        while stream.generated < wanted:
            if stream.finished:
                raise BenchError("the streaming branches have come to the end of what the model reads")
            events = self.engine.step()
            for each in listeners:
                each.take(events)
        return time.perf_counter() - begun


def _row(what: str, streaming: int, watched: list[_Watched]) -> JoiningRow:
    before = [seconds for each in watched for seconds in each.before]
    worst = [max(each.meanwhile) for each in watched]
    return JoiningRow(
        what=what,
        streaming=streaming,
        undisturbed=Timing.of(before),
        meanwhile=Timing.of([seconds for each in watched for seconds in each.meanwhile]),
        worst=Timing.of(worst),
        took=Timing.of([each.took for each in watched]),
        worst_in_steps=median(worst) / median(before),
    )
