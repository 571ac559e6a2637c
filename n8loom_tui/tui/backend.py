"""What the engine's thread runs: loads a model and serves it. The one place where the app meets tensors.

Everything here is called on the engine's thread alone. Nothing heavy is imported before `load`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from n8loom_tui.loom.protocol import EngineStats, Event, Request, Stop
from n8loom_tui.models.progress import Progress
from n8loom_tui.paths import cache_dir

if TYPE_CHECKING:
    from n8loom_tui.loom.kept.keeper import Kept
    from n8loom_tui.models.load import LoadedModel

QUIET = 1.0
"""Seconds without work after which fragments are written to disk."""
BESIDE = 0.5
"""Seconds of work after which one file is written all the same: little is left for the end."""
LAST_WRITES = 0.15
"""Seconds that writing may take on leaving."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A loaded model, for people and for the session. `vocabulary`: how many token ids it knows."""

    name: str
    fingerprint: str
    device: str
    chat: bool
    context_length: int | None = None
    vocabulary: int | None = None


class Backend(Protocol):
    """A model and its engine."""

    def load(self, progress: Callable[[Progress], None]) -> ModelInfo:
        """Load. `progress` may raise `Cancelled`, which ends the load."""
        ...

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        ...

    def submit(self, request: Request) -> None:
        """Take a request."""
        ...

    def step(self) -> list[Event]:
        """Work for the time of one token."""
        ...

    def stats(self) -> EngineStats:
        """What is going on."""
        ...

    def rest(self) -> float | None:
        """Nothing is to be done: a moment for what can wait.

        Returns the seconds after which this should be called again; None for when there was something to do.
        """
        ...

    def close(self) -> None:
        """Free everything. The last call."""
        ...


class ModelBackend:
    """The real one."""

    def __init__(
        self,
        name: str,
        *,
        dtype: str = "auto",
        threads: int | None = None,
        kv_budget: int | None = None,
        kv_disk: int = 0,
    ) -> None:
        """`kv_disk`: how many bytes of fragments are kept on disk, of all models together."""
        self._name = name
        self._dtype = dtype
        self._threads = threads
        self._kv_budget = kv_budget
        self._kv_disk = kv_disk
        self._worked = self._kept_at = 0.0

    def load(self, progress: Callable[[Progress], None]) -> ModelInfo:
        from n8loom_tui.models.blas import prepare_device, thread_choices
        from n8loom_tui.models.governor import ThreadGovernor
        from n8loom_tui.models.load import load_model

        loaded = load_model(self._name, dtype=self._dtype, threads=self._threads, progress=progress)
        from n8loom_tui.loom.device import limit_cache
        from n8loom_tui.loom.engine import Engine

        self._engine = Engine(loaded.model, loaded.tokenizer, kv_budget=self._kv_budget)
        limit_cache(self._engine.store.budget)
        self._keep_on_disk(loaded)
        choices = thread_choices() if self._threads is None else (self._threads,)
        self._governor = ThreadGovernor(choices, prepare_device)
        return ModelInfo(
            name=loaded.name,
            fingerprint=loaded.fingerprint,
            device=loaded.report.summary,
            chat=loaded.has_chat_template,
            context_length=loaded.context_length,
            vocabulary=self._engine.vocabulary,
        )

    def _keep_on_disk(self, loaded: LoadedModel) -> None:
        """Have fragments kept on disk, where that is wanted and the model's can be. Without them all else works."""
        if not self._kv_disk:
            return
        with contextlib.suppress(
            Exception
        ):  # a disk, or a model's layers, may be such as nobody has foreseen
            kept = self._open_kept(loaded)
            if kept is not None:
                self._engine.keep_on_disk(kept)

    def _open_kept(self, loaded: LoadedModel) -> Kept | None:
        from n8loom_tui.loom.kept.keeper import Kept
        from n8loom_tui.models.checks import weights_stamp

        # The same weights give other numbers in another precision, on another device, or by other code. And what is on
        # disk goes on exactly with just these weights, while a fingerprint is made of samples.
        network, stamp = self._engine.network, weights_stamp(loaded.folder)
        by = network.arithmetic if network is not None else "MLX"
        known = (loaded.fingerprint, loaded.report.dtype, loaded.report.device, by, stamp)
        identity = " ".join(map(str, known))
        return Kept.open(cache_dir() / "kv", self._kv_disk, identity, loaded.model, self._engine.layout)

    @property
    def busy(self) -> bool:
        return self._engine.busy

    def submit(self, request: Request) -> None:
        self._engine.submit(request)

    def step(self) -> list[Event]:
        rows = self._engine.running
        begun = time.perf_counter()
        self._worked = time.monotonic()
        events = self._engine.step()
        if rows and not self._engine.reading:
            self._governor.record(rows, time.perf_counter() - begun)
        if self._worked - self._kept_at > BESIDE:
            self._keep_some()
        return events

    def stats(self) -> EngineStats:
        return self._engine.stats()

    def rest(self) -> float | None:
        if self._engine.kept is None:
            return None
        early = self._worked + QUIET - time.monotonic()
        return early if early > 0 else self._keep_some()

    def _keep_some(self) -> float | None:
        """Have a file written. Returns what `rest` does."""
        kept, self._kept_at = self._engine.kept, self._worked
        if kept is None:
            return None
        try:
            return kept.rest()
        except Exception:  # noqa: BLE001 - a cache must not take the engine down with it
            self._engine.keep_in_memory_alone()
            return None

    def close(self) -> None:
        import gc
        import sys

        engine = self.__dict__.pop("_engine", None)
        if engine is not None and engine.kept is not None:
            with contextlib.suppress(Exception):  # whatever broke before; at worst it is computed again
                engine.submit(Stop())
                engine.kept.close(LAST_WRITES)
        del engine
        if "mlx.core" in sys.modules:
            from n8loom_tui.loom.device import clear_streams

            gc.collect()
            clear_streams()
