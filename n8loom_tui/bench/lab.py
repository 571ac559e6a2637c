"""What every section works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from n8loom_tui.bench.contenders import Path
from n8loom_tui.bench.prompts import Prompts
from n8loom_tui.bench.results import Report
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.engine import Engine


@dataclass(frozen=True, slots=True)
class Lab:
    """A model to measure, and where the results go. `tell` hears what is being measured, once for each unit of work.

    `tokenizer` is one that ends no branch; `mlx_lm` is whether mlx-lm's batch generator serves the model;
    `context_length` is what the model reads, in tokens, None if it does not say.
    """

    model: Any
    tokenizer: Any
    prompts: Prompts
    settings: BenchSettings
    report: Report
    tell: Callable[[str], None]
    mlx_lm: bool
    context_length: int | None

    def engine(self) -> Engine:
        """An engine with nothing in its store."""
        return Engine(self.model, self.tokenizer, max_rows=self.settings.most_branches)

    def fits(self, tokens: int, what: str) -> bool:
        """Whether the model reads so many tokens. If not, the report says so."""
        limit = self.context_length
        if limit is None or tokens < limit:
            return True
        self.report.note(f"{what}: left out, the model reads {limit} tokens")
        return False

    def cached(self, engine: Engine, name: str, length: int) -> Path:
        """A path that the engine has read."""
        path = self.prompts.path(name, length)
        engine.prefill(path[:-1])
        return path
