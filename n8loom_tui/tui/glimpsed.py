"""A session of which only what is in sight is read so far: it is shown, and nothing of it can change or be stored.

`begin_opening` gives it, or at once the whole session where that takes no time. `whole` reads the rest, on any thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from n8loom_tui.garbage import no_collector
from n8loom_tui.session.glimpse import Glimpse
from n8loom_tui.session.store import SessionStore, resolve_session_path
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.catch_up import CatchUp
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.widgets.tree_shape import TreeShape

LEAST_LINES = 40


@dataclass(frozen=True, slots=True)
class Whole:
    """All of a session, with what takes its time to be worked out. `model`: the one that it was made ready for."""

    saving: Saving
    shape: TreeShape
    catch_up: CatchUp
    model: ModelInfo | None


class Glimpsed(Saving):
    """What is in sight of a session.

    Attributes:
        near: ids of the nodes that the cursor can go to: all around them is as it will be.
        left: whether nobody wants the rest any more.
    """

    def __init__(self, store: SessionStore, glimpse: Glimpse) -> None:
        super().__init__()
        self._store, self._named = store, True
        self._below = glimpse.below
        self.near = glimpse.near
        self.left = False
        self._show(glimpse.loaded)

    def whole(self, model: ModelInfo | None) -> Whole | None:
        """Read all of the session, and make it ready for a model; None if it was left meanwhile.

        Raises:
            SessionError: nothing of it can be read.
        """
        assert self._store is not None
        with no_collector():
            loaded = self._store.load()
            if self.left:
                return None
            saving = Saving(self._store, loaded)
            if model is not None:
                saving.document.use_model(model)
                saving.model(model)
            shape = saving.shape()
            catch_up = CatchUp(saving.document, shape.rows.cursor)
        return Whole(saving, shape, catch_up, model)

    def shape(self) -> TreeShape:
        shape = super().shape()
        shape.rows.count_below(self._below)
        return shape

    def save(self, label: str) -> None:
        """There is nothing to store."""

    @property
    def size(self) -> str:
        return ""

    @property
    def state(self) -> str:
        return "opening"

    def close(self) -> bool:
        self.left = True
        return super().close()

    def leave(self) -> list[str]:
        self.close()
        return []


def begin_opening(path: Path | None, lines: int) -> Saving:
    """Open or make the session at `path`, for a screen of so many lines: of a large one, what is in sight at first.

    Raises:
        SessionError: it can't be had; the message says why and what to do.
    """
    if path is None:
        return Saving()
    store = SessionStore.open(resolve_session_path(path))
    try:
        glimpse = store.glimpse(max(lines, LEAST_LINES))
        return Saving(store) if glimpse is None else Glimpsed(store, glimpse)
    except BaseException:
        store.close()
        raise
