"""The words of a session that were written and not entered. Each change of them is noted, to be stored."""

from __future__ import annotations

from collections.abc import Container, Mapping

from n8loom_tui.session.drafts import Draft, Place
from n8loom_tui.session.pending import Pending
from n8loom_tui.tui import outside


class Drafts:
    """By place, the one kept last last."""

    def __init__(self, pending: Pending, kept: Mapping[Place, Draft]) -> None:
        self._pending = pending
        self._kept = dict(kept)

    def all(self) -> dict[Place, Draft]:
        """All of them."""
        return dict(self._kept)

    def at(self, place: Place) -> Draft | None:
        """What was written at a place, if anything is left there."""
        draft = self._kept.get(place)
        return outside.newest(draft) if draft is not None else None

    def keep(self, place: Place, draft: Draft) -> None:
        """Keep what was written at a place."""
        if self._kept.get(place) != draft:
            self._kept.pop(place, None)
            self._kept[place] = draft
            self._pending.draft(place, draft)

    def forget(self, place: Place) -> None:
        """What was written at a place was entered, or thrown away."""
        draft = self._kept.pop(place, None)
        if draft is not None:
            self._pending.draft(place, None)
            if draft.folder:
                outside.remove(draft.folder)

    def forget_gone(self, nodes: Container[str]) -> None:
        """Forget what was written on nodes that are not among these."""
        for place in [place for place in self._kept if place.node and place.node not in nodes]:
            self.forget(place)
