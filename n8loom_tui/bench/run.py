"""One bench from the model's name to the printed report. MLX comes in only once the fast BLAS is in place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from n8loom_tui.bench.settings import BenchSettings, Section
from n8loom_tui.models.errors import one_line
from n8loom_tui.models.load import LoadedModel, check_name, load_model
from n8loom_tui.models.progress import Progress as Loading
from n8loom_tui.models.quiet import quiet

if TYPE_CHECKING:
    from n8loom_tui.bench.lab import Lab
    from n8loom_tui.bench.results import Report


FIRST_PATH = 32
"""Tokens of the path on which the threads are tried."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for. `json` is a file, or `-` for stdout in place of the tables."""

    model: str
    settings: BenchSettings
    dtype: str
    threads: int | None
    json: str | None


def run(wanted: Wanted) -> int:
    """Measure and tell. Returns the exit code: 0, or 130 after Ctrl-C, when what there is has been told.

    Raises:
        ModelError: the model can't be had.
        BenchError: something could not be measured. What there is has been told.
        OSError: the JSON can't be written.
    """
    check_name(wanted.model)
    _check_writable(wanted.json)
    with quiet(), _Bar() as bar:
        loaded = load_model(wanted.model, dtype=wanted.dtype, threads=wanted.threads, progress=bar.load)
        lab = prepare(loaded, wanted.settings, wanted.threads, bar.tell)
        failure = _measure(lab, bar)
    _tell(lab.report, wanted.json)
    if isinstance(failure, KeyboardInterrupt):
        return 130
    if failure is not None:
        raise failure
    return 0


def prepare(
    loaded: LoadedModel, settings: BenchSettings, threads: int | None, tell: Callable[[str], None]
) -> Lab:
    """All that the sections work with. `threads` None: those that the app would settle on."""
    from n8loom_tui.bench.contenders import mlx_lm_refuses
    from n8loom_tui.bench.host import describe
    from n8loom_tui.bench.lab import Lab
    from n8loom_tui.bench.prompts import EndlessTokenizer, Prompts, vocabulary
    from n8loom_tui.bench.results import Report
    from n8loom_tui.bench.threads import settle
    from n8loom_tui.loom.engine import Engine

    tell("finding the number of threads")
    tokenizer = EndlessTokenizer(loaded.tokenizer)
    prompts = Prompts(vocabulary(loaded.model, tokenizer), settings.seed)
    engine, path = Engine(loaded.model, tokenizer), prompts.path("first of all", FIRST_PATH)
    engine.prefill(path[:-1])
    chosen = "given" if threads is not None else "settled on"
    host = describe(loaded.report, threads or settle(engine, path), chosen)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(loaded.name, engine.serving.mode, host, settings, started)
    refusal = mlx_lm_refuses(loaded.model, engine, path)
    if refusal is not None:
        report.note(f"mlx-lm's batch generator does not serve this model: {refusal}")
    return Lab(
        loaded.model, tokenizer, prompts, settings, report, tell, refusal is None, engine.context_length
    )


def _measure(lab: Lab, bar: _Bar) -> BaseException | None:
    """Run the sections. What was found out is in the lab's report, whatever happens; what broke is returned."""
    sections = {section: _section(section) for section in lab.settings.sections}
    bar.begin(sum(module.units(lab.settings) for module in sections.values()))
    begun, used = time.perf_counter(), time.process_time()
    try:
        for module in sections.values():
            module.run(lab)
        lab.report.complete = True
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - first what there is is told
        return error
    finally:
        lab.report.seconds = time.perf_counter() - begun
        lab.report.cores_used = (time.process_time() - used) / lab.report.seconds
    return None


def _section(section: Section) -> ModuleType:
    """The module of that name: it has `units` and `run`."""
    return import_module(f"n8loom_tui.bench.{section}")


def _tell(report: Report, json: str | None) -> None:
    """Print the tables, write the JSON."""
    from n8loom_tui.bench.table import show

    if json == "-":
        print(report.to_json())
        return
    show(report, Console())
    if json is not None:
        Path(json).write_text(report.to_json() + "\n", "utf-8")


def _check_writable(json: str | None) -> None:
    """Refuse now what would fail after all the work.

    Raises:
        OSError: with a message for people.
    """
    if json is None or json == "-":
        return
    path = Path(json)
    if path.is_dir():
        raise OSError(f"{json} is a folder: name a file for the JSON")
    existing = path if path.exists() else path.absolute().parent
    if not os.access(existing, os.W_OK):
        raise OSError(f"{json} can't be written: name a file for the JSON in a folder that is there")


class _Bar:
    """How far it is, on stderr where that is a terminal. Nothing draws by itself: that would take time from a step."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("loading", total=None)
        self._begun = False

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def load(self, loading: Loading) -> None:
        """Hear of the model's loading."""
        self._progress.update(self._task, completed=loading.done, total=loading.total)
        self._show(f"{loading.stage} {loading.note}")

    def begin(self, units: int) -> None:
        """From here on `tell` counts."""
        self._begun = True
        self._progress.update(self._task, completed=0, total=units)

    def tell(self, what: str) -> None:
        """Something is being measured; what was before it is done."""
        self._show(what)
        if self._begun:
            self._progress.advance(self._task)

    def _show(self, what: str) -> None:
        self._progress.update(self._task, description=escape(one_line(what, 60)))
        self._progress.refresh()
