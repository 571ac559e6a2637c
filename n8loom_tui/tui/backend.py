"""What the engine's thread runs: loads a model and serves it. The one place where the app meets tensors.

Everything here is called on the engine's thread alone. Nothing heavy is imported before `load`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from n8loom_tui.loom.protocol import EngineStats, Event, Request
from n8loom_tui.models.progress import Progress


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A loaded model, for people and for the session."""

    name: str
    fingerprint: str
    device: str
    chat: bool
    context_length: int | None = None


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

    def close(self) -> None:
        """Free everything. The last call."""
        ...


class ModelBackend:
    """The real one."""

    def __init__(
        self, name: str, *, dtype: str = "auto", threads: int | None = None, kv_budget: int | None = None
    ) -> None:
        self._name = name
        self._dtype = dtype
        self._threads = threads
        self._kv_budget = kv_budget

    def load(self, progress: Callable[[Progress], None]) -> ModelInfo:
        from n8loom_tui.models.blas import prepare_device, thread_choices
        from n8loom_tui.models.governor import ThreadGovernor
        from n8loom_tui.models.load import load_model

        loaded = load_model(self._name, dtype=self._dtype, threads=self._threads, progress=progress)
        from n8loom_tui.loom.engine import Engine, limit_cache

        self._engine = Engine(loaded.model, loaded.tokenizer, kv_budget=self._kv_budget)
        limit_cache(self._engine.store.budget)
        choices = thread_choices() if self._threads is None else (self._threads,)
        self._governor = ThreadGovernor(choices, prepare_device)
        return ModelInfo(
            name=loaded.name,
            fingerprint=loaded.fingerprint,
            device=loaded.report.summary,
            chat=loaded.has_chat_template,
            context_length=loaded.context_length,
        )

    @property
    def busy(self) -> bool:
        return self._engine.busy

    def submit(self, request: Request) -> None:
        self._engine.submit(request)

    def step(self) -> list[Event]:
        rows = self._engine.running
        begun = time.perf_counter()
        events = self._engine.step()
        if rows and not self._engine.reading:
            self._governor.record(rows, time.perf_counter() - begun)
        return events

    def stats(self) -> EngineStats:
        return self._engine.stats()

    def close(self) -> None:
        import gc
        import sys

        self.__dict__.pop("_engine", None)
        if "mlx.core" in sys.modules:
            from n8loom_tui.loom.engine import clear_streams

            gc.collect()
            clear_streams()
