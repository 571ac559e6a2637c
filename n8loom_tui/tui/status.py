"""What the bars say: the model, the session, what is going on. Knows no more of the widgets than the bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import EngineStats, PrefillProgress
from n8loom_tui.models.progress import Progress
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.meter import BranchMeter, RateMeter
from n8loom_tui.tui.settings import Settings
from n8loom_tui.tui.widgets.bars import Fact
from n8loom_tui.tui.widgets.sanitize import truncate_cells
from n8loom_tui.tui.widgets.shown import one_line, shown_text

if TYPE_CHECKING:
    from n8loom_tui.tui.document import Document
    from n8loom_tui.tui.saving import Saving
    from n8loom_tui.tui.screens.loom import LoomScreen

BAR_WIDTH = 20
HOISTED_WIDTH = 30
"""Cells for the text of the node that the tree begins with."""


class Status:
    """Gathers what is known and writes it into the bars."""

    def __init__(self, saving: Saving) -> None:
        self.saving = saving
        self.loading: Progress | None = None
        self.model: ModelInfo | None = None
        self.failure = ""
        self.stats = EngineStats()
        self.prefill: PrefillProgress | None = None
        self.meter = RateMeter()
        self.branch_meter = BranchMeter()
        self.shared_bytes = 0
        """What the branches that grow would take more, had each its own copy of its path."""
        self.preset = ""
        self.marked = 0
        """How many nodes are marked."""
        self.hint = ""
        self.pending = ""
        self.said = ""
        """What the last action says of itself."""

    def prefill_over(self, request: str) -> None:
        """A request began to run or has ended: its path is read."""
        if self.prefill is not None and self.prefill.request_id == request:
            self.prefill = None

    def show(self, view: LoomScreen, document: Document, settings: Settings) -> None:
        """Write the title's and the state's lines."""
        view.title_bar.show([Fact(self._title(view.tree_view.hoisted))], list(self._facts()))
        doing = list(self._activity(document, view.current))
        idle = [] if doing else [Fact("ready", 1)]
        told = [Fact(self.hint, 4)] if self.hint and not self.said else []
        marked = [Fact(f"{self.marked:,} marked", 1)] if self.marked else []
        view.state_bar.show([Fact(self.said), *marked, *doing, *idle, *told], self._settings(settings))

    def show_keys(self, view: LoomScreen, entries: list[tuple[str, str]]) -> None:
        """Write the keys' line."""
        view.key_bar.show(entries, self.pending)

    def _title(self, hoisted: Sequence[Heddle]) -> str:
        """The session's name, and what of it is shown."""
        if not hoisted:
            return self.saving.title
        what = one_line(shown_text(hoisted[-1]), " ", HOISTED_WIDTH * 2)
        levels = f" ({len(hoisted)} levels)" if len(hoisted) > 1 else ""
        return f"{self.saving.title} › hoisted{levels}: {truncate_cells(what, HOISTED_WIDTH)}"

    def _facts(self) -> Iterator[Fact]:
        if self.model is None:
            yield Fact("no model" if self.failure else "no model yet", 2)
        else:
            yield Fact(self.model.name, 2)
            yield Fact(self.model.device, 6)
        yield Fact(self.saving.size, 3)
        if self.stats.kv_bytes or self.stats.kv_working:
            used = (self.stats.kv_bytes + self.stats.kv_working) / 1e6
            budget = f" of {self.stats.kv_budget / 1e6:,.0f}" if self.stats.kv_budget else ""
            yield Fact(f"{used:,.0f}{budget} MB KV", 5)
        yield Fact(self.saving.state, 1)

    def _settings(self, settings: Settings) -> list[Fact]:
        words = [Fact(word, 5 + index) for index, word in enumerate(settings.summary)]
        return [Fact(self.preset, 20), *words] if self.preset else words

    # ---------------------------------------------------------- what is going on

    def _activity(self, document: Document, current: Heddle | None) -> Iterator[Fact]:
        if self.loading is not None:
            yield Fact(loading_text(self.loading), 1)
        elif self.failure:
            yield Fact(f"no model: {self.failure}", 1)
        else:
            yield from self._growth(document, current)
            yield from self._work(document)

    def _growth(self, document: Document, current: Heddle | None) -> Iterator[Fact]:
        """What grows, and how fast."""
        growing = list(document.growing.values())
        if growing:
            begun = sum(bool(node.tokens) for node in growing)
            yield Fact(f"weaving {begun} of {len(growing)}", 1)
            if done := document.growth.begun - len(growing):
                yield Fact(f"{done} done", 8)
        rate = self.meter.rate()
        if rate is not None:
            yield Fact(f"{rate:.0f} tok/s", 2)
        here = self.branch_meter.rate()
        if current is not None and current.id in document.growing:
            if here is not None and len(growing) > 1:
                yield Fact(f"this one {here:.0f} tok/s", 9)
            yield Fact(f"{len(current.tokens)}/{_limit(current)} tokens", 10)
        elif growing:
            longest = max(growing, key=lambda node: len(node.tokens))
            yield Fact(f"{len(longest.tokens)}/{_limit(longest)} tokens", 10)

    def _work(self, document: Document) -> Iterator[Fact]:
        """What is read, what waits, and what was not needed."""
        if self.prefill is not None and self.prefill.done < self.prefill.total:
            yield Fact(f"reading {self.prefill.done:,}/{self.prefill.total:,} tokens", 1)
        if self.stats.queued:
            yield Fact(f"{self.stats.queued:,} queued", 3)
        if waiting := document.waiting:
            yield Fact(f"{waiting} waiting", 3)
        if not document.growing and self.stats.tokens:
            yield Fact(f"{self.stats.tokens:,} tokens so far", 12)
        if self.stats.reused or self.stats.restored:
            yield Fact(f"prefill saved {self.stats.saved:.0%}", 13)
        if document.growing and self.shared_bytes > 1e6:
            yield Fact(f"sharing saves {self.shared_bytes / 1e6:,.0f} MB", 14)


def loading_text(progress: Progress) -> str:
    """One line with a bar."""
    fraction = progress.fraction
    if fraction is None:
        return f"loading: {progress.stage} {progress.note}".rstrip()
    filled = round(fraction * BAR_WIDTH)
    line = f"loading: {progress.stage} {'█' * filled}{'░' * (BAR_WIDTH - filled)} {fraction:.0%}"
    if progress.total and progress.total > 1_000_000:
        line += f" of {progress.total / 1e6:.0f} MB"
    return line


def _limit(node: Heddle) -> int:
    return int(node.provenance.get("params", {}).get("max_tokens", 0))
