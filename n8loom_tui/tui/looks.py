"""Brings the preferences into force on the app: theme, motion, signs, panes; and remembers what is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.filter import LineFilter, Monochrome, NoColor

from n8loom_tui.tui.filters import AsciiFilter, ColourlessFilter, HarmlessFilter
from n8loom_tui.tui.preferences import SHORT_NAMES, Motion, Preferences, PreferencesFile, theme_name
from n8loom_tui.tui.widgets.signs import ASCII, UNICODE, Signs

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp


class Looks:
    """The app's looks."""

    def __init__(self, app: LoomApp, file: PreferencesFile, *, reduced: bool = False) -> None:
        """`reduced`: as little motion as can be, whatever the file says."""
        self._app = app
        self._file = file
        self._reduced = reduced
        self._harmless = HarmlessFilter()
        self._colourless = ColourlessFilter()
        self._filter = AsciiFilter(enabled=file.values.ascii)

    @property
    def now(self) -> Preferences:
        """What is in force."""
        return self._file.values

    @property
    def problem(self) -> str:
        """What is wrong with the file."""
        return self._file.problem

    @property
    def signs(self) -> Signs:
        """The signs to draw with."""
        return ASCII if self.now.ascii else UNICODE

    def filters(self, given: Sequence[LineFilter]) -> list[LineFilter]:
        """What all lines go through, of what Textual would use. NO_COLOR means none at all: no greys either."""
        if self._app.no_color:
            given = [*(one for one in given if not isinstance(one, Monochrome | NoColor)), self._colourless]
        return [*given, self._harmless, *([self._filter] if self._filter.enabled else [])]

    @property
    def themes(self) -> list[str]:
        """The names of all themes, the chief ones first."""
        others = set(self._app.available_themes) - set(SHORT_NAMES.values())
        return [*SHORT_NAMES, *sorted(others)]

    def begin(self, theme: str | None = None) -> None:
        """Bring everything into force, once the app is up, with this theme if one is given."""
        if self.problem:
            self._app.tell(self.problem, "warning")
        if theme is not None:
            self.remember(theme=theme)
        if theme_name(self.now.theme) not in self._app.available_themes:
            self._app.tell(
                f"There is no theme called {self.now.theme}; {self._label} chooses one.", "warning"
            )
        self.apply()

    @property
    def _label(self) -> str:
        return self._app.keymap.label("settings") or "the palette"

    def theme_changed(self, name: str) -> None:
        """Another theme was chosen, wherever that was."""
        if name != theme_name(self.now.theme):
            short = {full: name for name, full in SHORT_NAMES.items()}
            self.change(theme=short.get(name, name))

    def change(self, **values: object) -> None:
        """Change preferences, remember them, and bring them into force."""
        self.remember(**values)
        self.apply()

    def remember(self, **values: object) -> None:
        """Remember what changes nothing on the screen."""
        problem = self._file.change(**values)
        if problem:
            self._app.tell(problem, "warning")

    def apply(self) -> None:
        """Bring what is wanted into force."""
        app, now = self._app, self.now
        wanted = theme_name(now.theme)
        if wanted in app.available_themes and app.theme != wanted:
            app.theme = wanted
        app.animation_level = "none" if self._reduced or now.motion is Motion.REDUCED else "full"
        changed = self._filter.enabled != now.ascii
        self._filter.enabled = now.ascii
        app.view.use_looks(now, self.signs)
        if changed:
            app.refresh_css(animate=False)
            for screen in app.screen_stack:
                screen.refresh(layout=True)


def cycled(values: Iterable[str], now: str, steps: int) -> str:
    """The value some steps behind this one, and round."""
    names = list(values)
    return names[(names.index(now) + steps) % len(names)] if now in names else names[0]
