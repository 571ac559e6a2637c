"""How the app ends, or leaves a session for another one: what is open is stored as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp


class Leaving:
    """On an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app

    def quit(self) -> None:
        """Store what grows as it stands, and go."""
        self.end_all()
        self._app.exit(0)

    def end_all(self) -> None:
        """Store what grows as it stands, and stop it."""
        app = self._app
        growing = frozenset(app.document.growing)
        change = app.document.cancel_all()
        app.whereabouts.store()
        app.show(change, "leave")
        if growing:
            app.stop_branches(growing)

    def end(self, code: int) -> None:
        """Go because somebody outside says so: the terminal may be gone already, so nothing is drawn any more."""
        self.keep_all()
        self._app.saving.close()
        self._app.exit(code)

    def keep_all(self) -> None:
        """Hand over to the session whatever it does not have yet, whatever state the screen is in."""
        app = self._app
        app.document.cancel_all()
        app.saving.save("end")
        app.drafting.keep()
