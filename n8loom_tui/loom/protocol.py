"""What crosses between the tree's owner and the engine: requests in, events out.

Plain Python values only, so that one side may live on another thread. Neither MLX nor NumPy is imported here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from .bounds import MOST_ALTERNATIVES, check_real, check_whole
from .survey import Survey, Surveyed
from .until import Condition


class Alternative(NamedTuple):
    """A token that could stand at a position, and its log probability there."""

    token: int
    logprob: float


class Finish(StrEnum):
    """Why a branch ended."""

    EOS = "eos"
    LENGTH = "length"
    STOP = "stop"
    CONDITION = "condition"
    CANCELLED = "cancelled"


class Framing(StrEnum):
    """How a text becomes token ids."""

    CHAT = "chat"
    """A user's message in the model's chat template, the answer's opening included."""
    RAW = "raw"
    """A text from its very beginning: the tokenizer's own leading tokens (BOS) are put in front."""
    CONTINUATION = "continuation"
    """A text that goes on from what stands before it: nothing is put in front."""
    TURN = "turn"
    """A user's further message: the template's end of the answer before it is put in front, the next answer's opening
    behind."""
    OPENING = "opening"
    """A user's first message behind a text that is no conversation: as `CHAT`, without the tokenizer's own tokens."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen, and when a branch ends.

    The filters act on the untempered distribution, as mlx-lm's do. `temp` 0 is greedy. `top_p`, `min_p` and
    `top_k` are off at 0 (`top_p` also at 1). `repetition_penalty` (1 is off) acts on the last
    `repetition_context_size` tokens of the path. A `seed` makes a branch repeatable, whatever runs beside it;
    without one a fresh seed is drawn and recorded.

    A branch ends where any condition of `until` holds. With each token come its `top_logprobs` most probable
    alternatives (0: none).
    """

    temp: float = 0.8
    max_tokens: int = 8
    min_p: float = 0.05
    top_p: float = 0.0
    top_k: int = 0
    min_tokens_to_keep: int = 1
    repetition_penalty: float = 1.0
    repetition_context_size: int = 20
    stop_strings: tuple[str, ...] = ()
    seed: int | None = None
    top_logprobs: int = 8
    until: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temp", 0.0, 100.0),
            ("min_p", 0.0, 1.0),
            ("top_p", 0.0, 1.0),
            ("repetition_penalty", 0.01, 100.0),
        ):
            check_real(name, getattr(self, name), low, high)
        for name, least in (
            ("max_tokens", 1),
            ("top_k", 0),
            ("min_tokens_to_keep", 1),
            ("repetition_context_size", 0),
        ):
            check_whole(name, getattr(self, name), least)
        check_whole("top_logprobs", self.top_logprobs, 0, MOST_ALTERNATIVES)
        given: Any = self.stop_strings
        stops = (given,) if isinstance(given, str) else tuple(given)
        for stop in stops:
            if not isinstance(stop, str):
                raise ValueError(f"stop_strings must be texts, not {stop!r}")
        object.__setattr__(self, "stop_strings", tuple(s for s in stops if s))
        if self.seed is not None and not isinstance(self.seed, int):
            raise ValueError(f"seed must be a whole number, not {self.seed!r}")
        until: Any = self.until
        conditions = (until,) if isinstance(until, Condition) else tuple(until)
        for condition in conditions:
            if not isinstance(condition, Condition):
                raise ValueError(f"until must be conditions, not {condition!r}")
        object.__setattr__(self, "until", conditions)


@dataclass(frozen=True, slots=True)
class Segment:
    """One node of a path: its token ids, or a text that the engine is to encode first.

    `system` is what a `CHAT` message has as the system's message; empty: what the template puts there by itself.
    """

    node_id: str
    tokens: tuple[int, ...] | None = None
    text: str = ""
    framing: Framing = Framing.CONTINUATION
    system: str = ""


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token that a branch begins with instead of drawing it, and what is known of its position."""

    token: int
    logprob: float = math.nan
    alternatives: tuple[Alternative, ...] = ()
    entropy: float = math.nan


@dataclass(frozen=True, slots=True)
class BranchSpec:
    """A branch to be grown: the id that its events will carry, its seed, and what it begins with.

    The `given` tokens are the branch's own: they are told like all others, and count as its first. `params` are
    its own; None takes the request's.
    """

    id: str
    seed: int
    given: tuple[GivenToken, ...] = ()
    params: SamplingParams | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A node to grow from: its path, root first, and the branches wanted."""

    path: tuple[Segment, ...]
    branches: tuple[BranchSpec, ...]


@dataclass(frozen=True, slots=True)
class Ramify:
    """Grow branches from one or many nodes. All of them run in one batch."""

    id: str
    sources: tuple[Source, ...]
    params: SamplingParams


@dataclass(frozen=True, slots=True)
class Encode:
    """Encode the last segment of a path, that its token ids are known before it is continued."""

    id: str
    path: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Spell:
    """Find out what each of these tokens would add to the text, were it to stand behind the tokens `before`."""

    id: str
    before: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Find out how probable the tokens of a path are: of its nodes `node_ids`, or of all (None)."""

    id: str
    path: tuple[Segment, ...]
    node_ids: frozenset[str] | None = None
    top_logprobs: int = 8

    def __post_init__(self) -> None:
        check_whole("top_logprobs", self.top_logprobs, 0, MOST_ALTERNATIVES)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop these branches, or everything (None), queued ones included. What they have said is kept.

    The id of a `Score` stops that.
    """

    branch_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Weigh:
    """Find out what is held of a node: its token ids, and those that stand before it."""

    id: str
    node_id: str
    before: tuple[int, ...]
    tokens: tuple[int, ...]


Request = Ramify | Encode | Spell | Score | Survey | Weigh | Stop


@dataclass(frozen=True, slots=True)
class Encoded:
    """The token ids of a text node. `ends[i]`: how many characters of `text` stand once token i is read."""

    node_id: str
    tokens: tuple[int, ...]
    text: str
    ends: tuple[int, ...]
    framing: Framing


@dataclass(frozen=True, slots=True)
class Spelled:
    """The texts of the tokens of a `Spell`, one each. Half a character is shown as U+FFFD."""

    request_id: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestStarted:
    request_id: str


@dataclass(frozen=True, slots=True)
class PrefillProgress:
    """How far the paths of a request are read: tokens done, of those that were missing."""

    request_id: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class BranchToken:
    """One token of a branch and the characters that it completed (none while a character is unfinished).

    `logprob`, `alternatives` (best first) and `entropy` (nats) are those of the model's own distribution at the
    token's position, before temperature and filters; NaN and empty where that is not known.
    """

    branch_id: str
    token: int
    text: str
    logprob: float
    alternatives: tuple[Alternative, ...] = ()
    entropy: float = math.nan


@dataclass(frozen=True, slots=True)
class BranchFinished:
    """A branch ended. Where a condition ended it before a token: what could have stood next, best first."""

    branch_id: str
    reason: Finish
    alternatives: tuple[Alternative, ...] = ()
    entropy: float = math.nan


@dataclass(frozen=True, slots=True)
class Scored:
    """How probable a node's tokens are, one entry each. Nothing is known of the first token of a path."""

    request_id: str
    node_id: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    alternatives: tuple[tuple[Alternative, ...], ...]
    entropies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Weighed:
    """What of a node's cache is held: how many of its tokens, in how many bytes; and how many were evicted."""

    request_id: str
    node_id: str
    tokens: int
    nbytes: int
    evicted: int


@dataclass(frozen=True, slots=True)
class RequestFinished:
    request_id: str


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request could not be served. Its branches that had begun are finished as cancelled before this."""

    request_id: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A snapshot of the engine, for people to look at.

    `tokens` counts all generated since the start; `kv_bytes` is what the fragments hold and `kv_working` what
    running branches and reading take beside them, both within `kv_budget`; `prefilled` and `reused` count path
    tokens that were computed and that were found in fragments. `evictions` and `evicted` (bytes) tell what the
    budget has pushed out; `recomputed`, how many of the prefilled tokens had to be read again for that. `restored`
    counts tokens that came back from disk, `refused` files there that were not what they must be, and `kv_disk` the
    bytes of all files. `kv_per_token` is what a token takes, once any is held.
    """

    running: int = 0
    queued: int = 0
    tokens: int = 0
    kv_bytes: int = 0
    kv_budget: int = 0
    prefilled: int = 0
    reused: int = 0
    evicted: int = 0
    evictions: int = 0
    recomputed: int = 0
    kv_working: int = 0
    restored: int = 0
    refused: int = 0
    kv_disk: int = 0
    kv_per_token: int = 0

    @property
    def saved(self) -> float:
        """The share of path tokens that did not have to be computed, 0 to 1."""
        known = self.reused + self.restored
        return known / max(1, known + self.prefilled)


Event = (
    Encoded
    | Spelled
    | RequestStarted
    | PrefillProgress
    | BranchToken
    | BranchFinished
    | Scored
    | Weighed
    | Surveyed
    | RequestFinished
    | RequestFailed
    | EngineStats
)


@dataclass(slots=True)
class BranchResult:
    """A branch as its events have told it so far."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    ends: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    alternatives: list[tuple[Alternative, ...]] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    finish: Finish | None = None

    def take(self, event: BranchToken) -> None:
        """Append a token."""
        self.tokens.append(event.token)
        self.text += event.text
        self.ends.append(len(self.text))
        self.logprobs.append(event.logprob)
        self.alternatives.append(event.alternatives)
        self.entropies.append(event.entropy)
