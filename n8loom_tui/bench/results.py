"""What a bench finds out, as plain values: for the tables, and for JSON.

Times are milliseconds, memory is bytes, speeds are tokens per second over all branches. A field is None where
something was not measured; `Report.notes` says why.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.models.device import Device

FORMAT = 1
"""The version of the JSON."""
UNDISTURBED = 0.9
"""How many cores a bench on a CPU uses at least, if it gets them."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took that was done `count` times."""

    median: float
    p90: float
    longest: float
    count: int

    @staticmethod
    def of(seconds: Sequence[float]) -> Timing:
        """From single times in seconds. The 90th percentile is the nearest rank's."""
        ranked = sorted(second * 1e3 for second in seconds)
        ninetieth = ranked[min(len(ranked) - 1, -(-9 * len(ranked) // 10) - 1)]
        return Timing(statistics.median(ranked), ninetieth, ranked[-1], len(ranked))


@dataclass(frozen=True, slots=True)
class Host:
    """Where it ran, and with what. `threads` is None where the BLAS's number of threads is not ours to set."""

    machine: str
    system: str
    cores: int
    memory: int | None
    device: str
    dtype: str
    blas: str
    blas_detail: str
    threads: int | None
    threads_chosen: str
    versions: dict[str, str]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decoding:
    """A contender that generates: its speed, its step, the time to its first token, and its memory at the most."""

    tokens_per_second: float
    step: Timing
    first_token: Timing
    extra_memory: int


@dataclass(frozen=True, slots=True)
class DecodeRow:
    """Every contender on `branches` branches from one node of `prefix` tokens.

    `floor` is the bare forward pass as mlx-lm ships it, `own_floor` the same by this program's own means. The
    ratios are of medians: the step to the floors' (less is better), speed and memory to mlx-lm's.
    """

    prefix: int
    branches: int
    engine: Decoding
    mlx_lm: Decoding | None
    floor: Timing
    own_floor: Timing
    step_to_floor: float
    step_to_own_floor: float
    speed_to_mlx_lm: float | None
    memory_to_mlx_lm: float | None


@dataclass(frozen=True, slots=True)
class LeavesRow:
    """One way to grow `branches` branches, from the request to the last token.

    The ratio is to one leaf after another.
    """

    way: str
    branches: int
    tokens: int
    took: Timing
    tokens_per_second: float
    speed_to_one_by_one: float


@dataclass(frozen=True, slots=True)
class DepthRow:
    """The path as `nodes` nodes: making the request from the tree, and the first token after it is submitted."""

    nodes: int
    tokens: int
    request: Timing
    first_token: Timing
    step: Timing
    first_token_in_steps: float


@dataclass(frozen=True, slots=True)
class SamplingRow:
    """A step of `branches` branches with one way of choosing tokens. The ratio is to taking the best token."""

    way: str
    branches: int
    step: Timing
    step_to_greedy: float


@dataclass(frozen=True, slots=True)
class PrefillRow:
    """Reading `tokens` tokens that nothing is known of."""

    tokens: int
    engine: Timing
    engine_tokens_per_second: float
    mlx_lm: Timing | None
    mlx_lm_tokens_per_second: float | None
    speed_to_mlx_lm: float | None


@dataclass(frozen=True, slots=True)
class JoiningRow:
    """What `streaming` branches feel meanwhile: the time from token to token.

    `undisturbed` is their step before; `worst` the longest of each try; the ratio is of their medians. `took` is how
    long the whole lasted.
    """

    what: str
    streaming: int
    undisturbed: Timing
    meanwhile: Timing
    worst: Timing
    took: Timing
    worst_in_steps: float


@dataclass(slots=True)
class Report:
    """Everything, as far as it came."""

    model: str
    served: str
    """How the engine serves the model: a `Mode`."""
    host: Host
    settings: BenchSettings
    started: str
    seconds: float = 0.0
    cores_used: float = 0.0
    """Processor time over time: on a CPU, less than one core tells that something else had the machine."""
    complete: bool = False
    decode: list[DecodeRow] = field(default_factory=list)
    leaves: list[LeavesRow] = field(default_factory=list)
    depth: list[DepthRow] = field(default_factory=list)
    sampling: list[SamplingRow] = field(default_factory=list)
    prefill: list[PrefillRow] = field(default_factory=list)
    joining: list[JoiningRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def disturbed(self) -> bool:
        """Whether the process did not get the processor when it wanted it. It always does, where the CPU computes."""
        return self.host.device == Device.CPU and self.cores_used < UNDISTURBED

    def note(self, text: str) -> None:
        """Say something about the figures, once."""
        if text not in self.notes:
            self.notes.append(text)

    def to_json(self) -> str:
        """All of it, under the names of the fields."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, allow_nan=False, ensure_ascii=False)
