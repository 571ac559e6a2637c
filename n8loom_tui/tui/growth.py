"""What grows: branches that the engine is asked for, their tokens as they come, and what waits for a branch to end.

A request is a step of the history from the moment it is made, and its branches enter the tree at once. Those that had
to wait join the step, unless something else was done meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from n8loom_tui.loom.adaptive import Run
from n8loom_tui.loom.heddle import Heddle, Kind, new_id
from n8loom_tui.loom.marks import UNREAD
from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    BranchToken,
    Encoded,
    Event,
    Finish,
    GivenToken,
    Ramify,
    RequestFailed,
    SamplingParams,
    Segment,
    Source,
)
from n8loom_tui.loom.seeds import branch_seed
from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History, Step
from n8loom_tui.session.history_edits import EditError, enter
from n8loom_tui.session.history_ops import Operation, Take
from n8loom_tui.session.history_trees import FIRST_STEP, Trees
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.encoding import Encoding
from n8loom_tui.tui.runs import Runs

ENDED = "The model ended here. Write a text child to go on from it, or trim it."


@dataclass(frozen=True, slots=True)
class _Deferred:
    """A ramify on a node that still grows: it starts when the node has ended."""

    nodes: list[Heddle]
    n: int
    params: SamplingParams
    step: Step
    given: tuple[GivenToken, ...] = ()


class Growth:
    """The branches of a document that grow, by id, in `growing`."""

    def __init__(self, trees: Trees, history: History, encoding: Encoding) -> None:
        self._trees = trees
        self._history = history
        self._encoding = encoding
        self.model: ModelInfo | None = None
        self.growing: dict[str, Heddle] = {}
        self.begun = 0
        """How many branches were begun since nothing grew."""
        self.times = 0
        """How often branches were begun in all."""
        self._requests: dict[str, list[str]] = {}
        self._deferred: list[_Deferred] = []
        self._runs = Runs(trees, history, self._sprout_for, self._grows)

    @property
    def waiting(self) -> int:
        """How many ramifies wait for a branch that still grows."""
        return len(self._deferred)

    # ---------------------------------------------------------------- starting

    def ramify(
        self, nodes: list[Heddle], n: int, params: SamplingParams, given: tuple[GivenToken, ...] = ()
    ) -> Change:
        """Grow `n` branches from each node; from those that still grow when they have ended. They begin with the tokens
        `given`.

        Raises:
            EditError: the model ended all of these nodes, or there is none.
        """
        open_nodes = [node for node in nodes if not node.terminal]
        if not open_nodes:
            raise EditError(ENDED)
        change = Change()
        step = self._history.begin("ramify")
        late = [node for node in open_nodes if not self._can_start(node)]
        now = [node for node in open_nodes if self._can_start(node)]
        if late:
            self._deferred.append(_Deferred(late, n, params, step, given))
            step.awaits += 1
        if now:
            self._grow(_Deferred(now, n, params, step, given), change)
        return change

    def _can_start(self, node: Heddle) -> bool:
        """Not while it still grows, nor while it isn't known whether its token ids are the model's."""
        return node.id not in self.growing and (self.model is not None or not self._trees.fingerprints)

    def _grow(self, wanted: _Deferred, change: Change) -> None:
        sources = []
        operations: list[Operation] = []
        branches: list[Heddle] = []
        for index, node in enumerate(wanted.nodes):
            # Counted on from the children there are, so that with a fixed seed the next ones are others.
            first = index * wanted.n + len(node.children)
            seeds = [branch_seed(wanted.params.seed, first + k) for k in range(wanted.n)]
            children = [self.sprout(wanted.params, seed, wanted.given) for seed in seeds]
            specs = tuple(
                BranchSpec(child.id, seed, wanted.given) for child, seed in zip(children, seeds, strict=True)
            )
            sources.append(Source(self._encoding.path(node), specs))
            operations.append(enter(self._trees, node, children))
            branches += children
        self._history.extend(wanted.step, operations, change)
        request = Ramify(new_id(), tuple(sources), wanted.params)
        self._grows(request, branches)
        change.requests.append(request)

    def sprout(
        self, params: SamplingParams, seed: int, given: tuple[GivenToken, ...] = (), name: str = ""
    ) -> Heddle:
        """A node for a branch that is to grow. It stands nowhere yet."""
        child = Heddle.from_span([], "", [], kind=Kind.GENERATED)
        child.id = name or child.id
        child.provenance = provenance(self.model, params, seed)
        if given:
            child.provenance |= {"given": len(given), FIRST_STEP: -len(given)}
        child.marks = UNREAD
        return child

    def _sprout_for(self, spec: BranchSpec, params: SamplingParams) -> Heddle:
        return self.sprout(params, spec.seed, spec.given, spec.id)

    def _grows(self, request: Ramify, branches: list[Heddle]) -> None:
        """Note that branches grow from now on."""
        self.begun = len(branches) + (self.begun if self.growing else 0)
        self.times += 1
        self.growing.update((child.id, child) for child in branches)
        self._requests[request.id] = [child.id for child in branches]

    def weave(self, node: Heddle, make: Callable[[tuple[Segment, ...], int], Run], label: str) -> Change:
        """Begin a run below a node. `make` makes it of the node's path and the number of its children.

        Raises:
            EditError: the model ended the node, or it is not known yet what it goes on from.
        """
        if node.terminal:
            raise EditError(ENDED)
        if not self._can_start(node):
            raise EditError(
                "This can't go on from here yet: the node still grows, or the model is not there yet."
            )
        change = Change()
        self._runs.begin(node, make(self._encoding.path(node), len(node.children)), label, change)
        return change

    # ----------------------------------------------------------------- growing

    def apply(self, events: Iterable[Event]) -> Change:
        """Enter what the engine told; what waited for a branch that has ended is started."""
        change = Change()
        for event in events:
            match event:
                case BranchToken(branch_id=branch):
                    node = self.growing.get(branch)
                    if node is not None:
                        node.append_token(
                            event.token, event.text, event.logprob, event.alternatives, event.entropy
                        )
                        change.touch(node)
                case BranchFinished(branch_id=branch, reason=reason):
                    self._end(branch, reason, change)
                case Encoded():
                    self._encoding.take(event, change)
                case RequestFailed(request_id=request):
                    for branch in self._requests.pop(request, []):
                        self._end(branch, Finish.CANCELLED, change)
            self._runs.take(event, change)
        self._start_due(change)
        return change

    def _end(self, branch: str, reason: Finish, change: Change, *, keep_empty: bool = False) -> None:
        node = self.growing.pop(branch, None)
        if node is None:
            return
        if reason is Finish.CANCELLED:
            self._drop_deferred(node)
        silent = not node.tokens and reason in {Finish.CANCELLED, Finish.CONDITION}
        if silent and not (keep_empty or node.marks.by_hand):
            self._history.forget(node, change)
            return
        node.finish = str(reason)
        node.terminal = reason is Finish.EOS
        self._trees.pending.content(node)
        change.touch(node)
        change.finished.append(node)

    def _start_due(self, change: Change) -> None:
        """Start what waited for branches that have ended now."""
        waiting, self._deferred = self._deferred, []
        for deferred in waiting:
            alive = [node for node in deferred.nodes if node.id in self._trees.nodes]
            if not all(self._can_start(node) for node in alive):
                self._deferred.append(replace(deferred, nodes=alive))
                continue
            ready = [node for node in alive if not node.terminal]
            if ready:
                step = self._history.late(deferred.step)
                self._grow(replace(deferred, nodes=ready, step=step), change)
            self._settle(deferred)

    # ---------------------------------------------------------------- stopping

    def _drop_deferred(self, node: Heddle) -> None:
        """A branch was stopped: what waited for it to end is not wanted either."""
        waiting, self._deferred = self._deferred, []
        for deferred in waiting:
            nodes = [other for other in deferred.nodes if other is not node]
            if nodes:
                self._deferred.append(replace(deferred, nodes=nodes))
            else:
                self._settle(deferred)

    def forget_waiting(self, step: Step | None = None) -> bool:
        """Drop every ramify that waits for a branch to end, and let no run grow any further; of one step, if given.
        Whether there was one."""
        ran = self._runs.forget(step)
        dropped = [deferred for deferred in self._deferred if step is None or deferred.step is step]
        self._deferred = [deferred for deferred in self._deferred if deferred not in dropped]
        for deferred in dropped:
            self._settle(deferred)
        return bool(dropped) or ran

    def _settle(self, deferred: _Deferred) -> None:
        """Something that waited was started, or dropped."""
        deferred.step.awaits -= 1
        self._history.drop_if_empty(deferred.step)

    def below(self, node: Heddle) -> frozenset[str]:
        """The branches that grow at this node or below it."""
        return frozenset(
            branch for branch, grown in self.growing.items() if any(a is node for a in grown.ancestors())
        )

    def end_taken(self, operations: Iterable[Operation], change: Change, *, keep_empty: bool) -> None:
        """End the branches that operations are going to take out of the trees, and have the engine stop them."""
        taken = {name for made in operations if isinstance(made, Take) for name in made.nodes}
        for branch, node in list(self.growing.items()):
            if any(above.id in taken for above in node.ancestors()):
                change.stop.add(branch)
                self._end(branch, Finish.CANCELLED, change, keep_empty=keep_empty)

    def cancel_all(self) -> Change:
        """End every branch as it stands: nothing more will be told of them."""
        change = Change()
        self.forget_waiting()
        for branch in list(self.growing):
            self._end(branch, Finish.CANCELLED, change)
        return change

    def note_growing(self) -> None:
        """Have the text of growing branches stored as far as it has come."""
        for node in self.growing.values():
            if node.tokens:
                self._trees.pending.content(node)


def provenance(model: ModelInfo | None, params: SamplingParams, seed: int) -> dict[str, Any]:
    """Where a generated node comes from, as it is stored."""
    values: dict[str, Any] = {
        "temp": params.temp,
        "max_tokens": params.max_tokens,
        "min_p": params.min_p,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_tokens_to_keep": params.min_tokens_to_keep,
        "repetition_penalty": params.repetition_penalty,
        "repetition_context_size": params.repetition_context_size,
        "stop_strings": list(params.stop_strings),
    }
    if params.until:
        values["until"] = [{"condition": type(each).__name__, **asdict(each)} for each in params.until]
    return {
        "model": model.name if model else None,
        "fingerprint": model.fingerprint if model else None,
        "params": values,
        "seed": seed,
        "time": time.time(),
    }
