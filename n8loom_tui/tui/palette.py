"""The command palette's list of actions, from the registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

SAID_FROM = 3
"""Letters from which on the sentences are searched, too."""
LESS = 0.5
"""What an action that only its sentence tells of counts beside one that is called so."""


class ActionCommands(Provider):
    """Every action, found by its title, its id or a word of its help, which tells its keys."""

    @property
    def _loom_app(self) -> LoomApp:
        return self.app  # type: ignore[return-value]

    def _help(self, action: str, text: str) -> str:
        keys = " ".join(self._loom_app.keymap.labels(action))
        return f"{text}  ({keys})" if keys else text

    async def discover(self) -> Hits:
        for action, title, text in self._loom_app.actions():
            yield DiscoveryHit(title, partial(self._loom_app.perform, action), help=self._help(action, text))

    async def search(self, query: str) -> Hits:
        matcher, wanted = self.matcher(query), query.casefold().strip()
        for action, title, text in self._loom_app.actions():
            says = len(wanted) >= SAID_FROM and wanted in text.casefold()
            said = matcher.match(text) if says else 0.0
            score = max(matcher.match(title), matcher.match(action), said * LESS)
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(title),
                    partial(self._loom_app.perform, action),
                    help=self._help(action, text),
                )
