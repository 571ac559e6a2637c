"""The command palette's list of actions, from the registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp


class ActionCommands(Provider):
    """Every action, found by its title; the help tells its keys."""

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
        matcher = self.matcher(query)
        for action, title, text in self._loom_app.actions():
            score = matcher.match(title)
            if score > 0:
                yield Hit(
                    score,
                    matcher.highlight(title),
                    partial(self._loom_app.perform, action),
                    help=self._help(action, text),
                )
