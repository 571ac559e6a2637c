"""What could come next, several tokens deep: the most probable tokens behind a path, what follows each, and so on.

Plain values alone, as in `adaptive`: it asks for the model's distribution at many places in one batch, and hears the
engine's events. The places share the path's KV, and nothing is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .heddle import new_id
from .protocol import (
    Alternative,
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
    Stop,
)
from .until import EntropyAbove

WIDTH = 12
"""How many tokens are looked at in each place."""
LEAST = 0.01
"""What is less probable than this, from where one looks, is not looked behind by itself."""
AT_ONCE = 48
"""How many places are asked for together."""


@dataclass(slots=True, eq=False)
class Possible:
    """A token that could come, behind those above it; the root stands for the path's end.

    Attributes:
        logprob: of the token, where those above it stand.
        below: what could follow; None as long as that is not known.
        entropy: of what could follow.
    """

    token: int = -1
    logprob: float = 0.0
    above: Possible | None = None
    below: list[Possible] | None = None
    entropy: float = math.nan
    id: str = field(default_factory=new_id)

    @property
    def way(self) -> list[Possible]:
        """The tokens down to this one, itself included, the root not."""
        way: list[Possible] = []
        possible: Possible = self
        while possible.above is not None:
            way.append(possible)
            possible = possible.above
        return way[::-1]

    def given(self) -> tuple[GivenToken, ...]:
        """The tokens down to this one, as a branch begins with them."""
        return tuple(
            GivenToken(
                each.token,
                each.logprob,
                tuple(Alternative(other.token, other.logprob) for other in each.above.below or ()),
                each.above.entropy,
            )
            for each in self.way
            if each.above is not None
        )


class Foresight:
    """What could come behind one path.

    Attributes:
        root: the path's end.
        failed: why nothing more can be known; empty as long as it can.
    """

    def __init__(self, path: Iterable[Segment], width: int = WIDTH) -> None:
        self.root = Possible()
        self.failed = ""
        self._path = tuple(path)
        self._width = width
        self._asked: dict[str, Possible] = {}
        self._requests: dict[str, list[str]] = {}

    def look(self, base: Possible, depth: int) -> Ramify | None:
        """Ask for what is missing behind `base`, `depth` tokens deep. None: nothing is, or it is on its way."""
        if self._asked or self.failed:
            return None
        places = list(self._missing(base, depth))[:AT_ONCE]
        if not places:
            return None
        params = SamplingParams(
            temp=0.0,
            max_tokens=1,
            min_p=0.0,
            top_logprobs=self._width,
            until=(EntropyAbove(0.0, after=0),),
        )
        sources = []
        for place in places:
            behind = tuple(Segment(each.id, (each.token,)) for each in place.way)
            spec = BranchSpec(new_id(), 0)
            self._asked[spec.id] = place
            sources.append(Source((*self._path, *behind), (spec,)))
        request = Ramify(new_id(), tuple(sources), params)
        self._requests[request.id] = [source.branches[0].id for source in sources]
        return request

    def _missing(self, base: Possible, depth: int) -> Iterator[Possible]:
        """Places behind which nothing is known yet, the nearest and then the most probable first."""
        level = [(base, 0.0)]
        for _ in range(depth):
            yield from (place for place, _ in level if place.below is None)
            following = [
                (below, joint + below.logprob)
                for place, joint in level
                for below in place.below or ()
                if math.exp(joint + below.logprob) >= LEAST
            ]
            level = sorted(following, key=lambda one: -one[1])

    def take(self, event: Event) -> bool:
        """Hear an event. Whether anything became known by it."""
        match event:
            case BranchToken(branch_id=branch) | BranchFinished(branch_id=branch) if branch in self._asked:
                place = self._asked[branch]
                if isinstance(event, BranchFinished) and event.reason is Finish.CANCELLED:
                    del self._asked[branch]  # nothing is known of what follows
                    return False
                if place.below is None and (event.alternatives or isinstance(event, BranchFinished)):
                    known = event.alternatives[: self._width]
                    place.below = [Possible(other.token, other.logprob, place) for other in known]
                    place.entropy = event.entropy
                if isinstance(event, BranchFinished):
                    del self._asked[branch]
                return True
            case Encoded(node_id=node, tokens=tokens):
                self._path = tuple(Segment(node, tokens) if s.node_id == node else s for s in self._path)
            case RequestFailed(request_id=request, message=message) if request in self._requests:
                for branch in self._requests.pop(request):
                    self._asked.pop(branch, None)
                self.failed = message
                return True
        return False

    def stop(self) -> Stop | None:
        """Ask for nothing more."""
        self.failed = self.failed or "stopped"
        return Stop(frozenset(self._asked)) if self._asked else None
