"""Trees that grow by what the model says: runs of `loom.adaptive` in a document, a step of the history each.

A run hears what the engine tells, once it is in the trees, and answers with further branches, which enter the trees at
once like any others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from n8loom_tui.loom.adaptive import Run
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    Event,
    Finish,
    Ramify,
    Request,
    SamplingParams,
    Stop,
)
from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History, Step
from n8loom_tui.session.history_edits import enter
from n8loom_tui.session.history_trees import Trees

Sprout = Callable[[BranchSpec, SamplingParams], Heddle]


@dataclass(slots=True)
class _Live:
    run: Run
    base: Heddle
    step: Step


class Runs:
    """The runs that are going on."""

    def __init__(
        self, trees: Trees, history: History, sprout: Sprout, grows: Callable[[Ramify, list[Heddle]], None]
    ) -> None:
        """`sprout` makes a node for a branch; `grows` is told of those that grow from now on."""
        self._trees = trees
        self._history = history
        self._sprout = sprout
        self._grows = grows
        self._live: list[_Live] = []

    def begin(self, node: Heddle, run: Run, label: str, change: Change) -> None:
        """Begin a run below a node."""
        step = self._history.begin(label)
        step.awaits += 1
        live = _Live(run, node, step)
        self._live.append(live)
        self._serve(live, [run.begin()], change)

    def take(self, event: Event, change: Change) -> None:
        """Let the runs hear an event that the trees know of already."""
        for live in list(self._live):
            self._serve(live, live.run.take(event), change)
            if live.run.done:
                self._end(live)

    def forget(self, step: Step | None = None) -> bool:
        """End the runs (those of one step, if given): nothing further grows in them. Whether there was one."""
        ended = [live for live in self._live if step is None or live.step is step]
        for live in ended:
            self._end(live)
        return bool(ended)

    def _end(self, live: _Live) -> None:
        self._live.remove(live)
        live.step.awaits -= 1
        self._history.drop_if_empty(live.step)

    def _serve(self, live: _Live, requests: Iterable[Request], change: Change) -> None:
        for request in requests:
            match request:
                case Ramify():
                    self._enter(live, request, change)
                case Stop(branch_ids=branches) if branches is not None:
                    change.stop |= branches

    def _enter(self, live: _Live, request: Ramify, change: Change) -> None:
        """Have a request's branches grow in the trees."""
        (source,) = request.sources
        above = source.path[-1].node_id
        name = above if above in live.run.nodes else live.base.id
        parent = self._trees.nodes.get(name)
        if parent is None:  # taken out meanwhile
            for spec in source.branches:
                live.run.take(BranchFinished(spec.id, Finish.CANCELLED))
            return
        children = [self._sprout(spec, spec.params or request.params) for spec in source.branches]
        self._history.extend(self._step(live), [enter(self._trees, parent, children)], change)
        self._grows(request, children)
        change.requests.append(request)

    def _step(self, live: _Live) -> Step:
        """The step that what grows now belongs to."""
        step = self._history.late(live.step)
        if step is not live.step:
            live.step.awaits -= 1
            self._history.drop_if_empty(live.step)
            step.awaits += 1
            live.step = step
        return step
