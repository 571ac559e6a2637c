"""What the bars say: the model, the session, what is going on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import EngineStats, PrefillProgress
from n8loom_tui.models.progress import Progress
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.document import counted
from n8loom_tui.tui.settings import Settings
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
        self.pending = ""
        self.said = ""
        """What the last action says of itself."""

    def show(
        self, view: LoomScreen, document: Document, settings: Settings, rate: float | None, marked: int
    ) -> None:
        """Write the title's and the state's lines. `marked`: how many nodes are."""
        view.title_bar.show(self._title(view.tree_view.hoisted), self._facts(document))
        parts = (self.said, f"{marked:,} marked" if marked else "", self._activity(document, rate))
        view.state_bar.show(" · ".join(part for part in parts if part), settings.summary)

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

    def _facts(self, document: Document) -> str:
        model = (
            f"{self.model.name} · {self.model.device}"
            if self.model
            else "no model"
            if self.failure
            else "no model yet"
        )
        parts = [model, counted(len(document.nodes), "node")]
        if self.stats.kv_bytes:
            parts.append(f"{self.stats.kv_bytes / 1e6:.0f} MB KV")
        parts.append(self.saving.state)
        return " · ".join(part for part in parts if part)

    def _activity(self, document: Document, rate: float | None) -> str:
        if self.loading is not None:
            return loading_text(self.loading)
        if self.failure:
            return f"no model: {self.failure}"
        growing = list(document.growing.values())
        parts = []
        if growing:
            begun = sum(bool(node.tokens) for node in growing)
            parts.append(f"weaving {begun} of {len(growing)}")
        if rate is not None:
            parts.append(f"{rate:.0f} tok/s")
        if self.prefill is not None and self.prefill.done < self.prefill.total:
            parts.append(f"reading {self.prefill.done}/{self.prefill.total} tokens")
        if self.stats.queued:
            parts.append(f"{self.stats.queued} queued")
        if waiting := document.waiting:
            parts.append(f"{waiting} waiting")
        if growing:
            longest = max(growing, key=lambda node: len(node.tokens))
            parts.append(f"{len(longest.tokens)}/{_limit(longest)} tokens")
        elif self.stats.tokens:
            parts.append(f"{self.stats.tokens:,} tokens so far")
        read = self.stats.prefilled + self.stats.reused
        if read and self.stats.reused:
            parts.append(f"prefill saved {self.stats.reused / read:.0%}")
        return " · ".join(parts) or "ready"


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
