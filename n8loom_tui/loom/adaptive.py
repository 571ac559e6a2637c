"""Growing a tree by what the model says: generate until a condition, branch there, and so on within limits.

A run hears the engine's events and answers with further requests. It holds plain values alone and knows neither
a tree nor an engine, so it may live wherever the events arrive. The nodes of the tree are the branches of its
requests: a branch's id is its node's, and the last segment of its source's path is the node above it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .heddle import new_id
from .protocol import (
    BranchFinished,
    BranchResult,
    BranchSpec,
    BranchToken,
    Encoded,
    Event,
    Finish,
    GivenToken,
    Ramify,
    Request,
    RequestFailed,
    SamplingParams,
    Segment,
    Source,
    Stop,
)
from .seeds import branch_seed
from .until import Condition, EntropyAbove, Fork, TopProbabilityBelow

MAX_NODES = 256
"""How many nodes a run makes unless said otherwise."""


@dataclass(slots=True)
class Grown:
    """A branch of a run, and so a node of the tree.

    Attributes:
        above: the branch that it goes on from; None for the trunk.
        depth: how many branchings stand before it.
        length: how many tokens of the run stand before it.
    """

    id: str
    request_id: str
    above: Grown | None
    seed: int
    depth: int
    length: int
    result: BranchResult = field(default_factory=BranchResult)

    @property
    def said(self) -> int:
        """How many tokens of the run stand at its end."""
        return self.length + len(self.result.tokens)


class Run(ABC):
    """Grows below one node.

    `begin` gives the first request; every event is to be told to `take`, whose requests are to be served as
    well. `stop` ends the run at any time; what was said until then stays.

    Attributes:
        nodes: the run's branches by id, each before those that grow behind it.
        max_nodes: how many there may be. `max_tokens`: how many tokens they may have together (None: any).
    """

    def __init__(
        self, path: Iterable[Segment], params: SamplingParams, *, max_nodes: int, max_tokens: int | None
    ) -> None:
        if max_nodes < 1:
            raise ValueError(f"max_nodes must be at least 1, not {max_nodes}")
        if max_tokens is not None and max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {max_tokens}")
        self.max_nodes = max_nodes
        self.max_tokens = max_tokens
        self.nodes: dict[str, Grown] = {}
        self._path = tuple(path)
        self._params = params
        self._running: set[str] = set()
        self._tokens = 0
        self._stopped = False

    @property
    def done(self) -> bool:
        """Whether nothing grows any more."""
        return not self._running

    def begin(self) -> Ramify:
        """The first request: the trunk, a single branch."""
        trunk = BranchSpec(new_id(), branch_seed(self._params.seed, 0))
        return self._grow(None, [trunk], self._params)

    def take(self, event: Event) -> list[Request]:
        """Hear an event. Returns the requests that follow from it."""
        match event:
            case BranchToken(branch_id=branch) if branch in self._running:
                self.nodes[branch].result.take(event)
                self._tokens += 1
                if self.max_tokens is not None and self._tokens >= self.max_tokens:
                    return self.stop()
            case BranchFinished(branch_id=branch, reason=reason) if branch in self._running:
                grown = self.nodes[branch]
                grown.result.finish = reason
                self._running.discard(branch)
                if reason is Finish.CONDITION and not self._stopped:
                    return self._go_on(grown, event)
            case RequestFailed(request_id=request):
                self._running -= {i for i in self._running if self.nodes[i].request_id == request}
            case Encoded(node_id=node, tokens=tokens):
                self._path = tuple(Segment(node, tokens) if s.node_id == node else s for s in self._path)
        return []

    def stop(self) -> list[Request]:
        """Grow no further."""
        self._stopped = True
        return [Stop(frozenset(self._running))] if self._running else []

    @abstractmethod
    def _go_on(self, grown: Grown, event: BranchFinished) -> list[Request]:
        """A condition ended a branch: what is to grow behind it."""

    def _branch(self, grown: Grown, specs: list[BranchSpec], params: SamplingParams) -> list[Request]:
        """Grow behind a branch, as far as there may be further nodes."""
        if not grown.result.tokens:
            del self.nodes[grown.id]  # it is no node: what follows hangs where it does
        specs = specs[: self.max_nodes - len(self.nodes)]
        return [self._grow(grown, specs, params)] if specs else []

    def _grow(self, above: Grown | None, specs: list[BranchSpec], params: SamplingParams) -> Ramify:
        request = Ramify(new_id(), (Source(self._path_to(above), tuple(specs)),), params)
        depth, length = (above.depth + 1, above.said) if above is not None else (0, 0)
        for spec in specs:
            self.nodes[spec.id] = Grown(spec.id, request.id, above, spec.seed, depth, length)
            self._running.add(spec.id)
        return request

    def _path_to(self, grown: Grown | None) -> tuple[Segment, ...]:
        """The path down to the end of a branch."""
        segments: list[Segment] = []
        while grown is not None:
            if grown.result.tokens:
                segments.append(Segment(grown.id, tuple(grown.result.tokens)))
            grown = grown.above
        return (*self._path, *reversed(segments))


class WeaveUntil(Run):
    """Generates until a condition holds and grows `n` branches there, each until one holds again, and so on.

    `depth`: how many branchings may follow each other. The conditions are those of `params.until`.
    """

    def __init__(
        self,
        path: Iterable[Segment],
        params: SamplingParams,
        *,
        n: int = 4,
        depth: int = 1,
        max_nodes: int = MAX_NODES,
        max_tokens: int | None = None,
    ) -> None:
        """Raises ValueError for a number below 1, or no condition."""
        super().__init__(path, params, max_nodes=max_nodes, max_tokens=max_tokens)
        if n < 1 or depth < 1:
            raise ValueError(f"n and depth must be at least 1, not {min(n, depth)}")
        if not params.until:
            raise ValueError("there is no condition to generate until")
        self._n = n
        self._depth = depth
        self._further = replace(params, until=tuple(map(_after_a_token, params.until)))

    def _go_on(self, grown: Grown, event: BranchFinished) -> list[Request]:  # noqa: ARG002
        if grown.depth >= self._depth:
            return []
        specs = [BranchSpec(new_id(), branch_seed(grown.seed, index)) for index in range(self._n)]
        return self._branch(grown, specs, self._further)


def _after_a_token(condition: Condition) -> Condition:
    """A condition that lets a branch say something first: at the same place it would hold again."""
    match condition:
        case EntropyAbove(after=0) | TopProbabilityBelow(after=0) | Fork(after=0):
            return replace(condition, after=1)
    return condition


class CutoffTree(Run):
    """Expands every token that is at least as probable as `p`, `depth` tokens deep.

    A node is a stretch on which only one token is; it ends where several are, or none.
    """

    def __init__(
        self,
        path: Iterable[Segment],
        *,
        p: float,
        depth: int,
        max_nodes: int = MAX_NODES,
        max_tokens: int | None = None,
        top_logprobs: int = 8,
    ) -> None:
        """Raises ValueError for `p` out of range, or a number below 1."""
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        params = SamplingParams(
            temp=0.0,
            max_tokens=depth,
            min_p=0.0,
            top_logprobs=top_logprobs,
            until=(Fork(p, after=0),),
        )
        super().__init__(path, params, max_nodes=max_nodes, max_tokens=max_tokens)
        self._p = p

    def _go_on(self, grown: Grown, event: BranchFinished) -> list[Request]:
        left = self._params.max_tokens - grown.said
        if left < 1:
            return []
        known = event.alternatives[: self._params.top_logprobs]
        specs = [
            BranchSpec(
                new_id(),
                branch_seed(grown.seed, index),
                (GivenToken(other.token, other.logprob, known, event.entropy),),
            )
            for index, other in enumerate(event.alternatives)
            if math.exp(other.logprob) >= self._p
        ]
        return self._branch(grown, specs, replace(self._params, max_tokens=left))
