"""The values that the next branches grow by."""

from __future__ import annotations

from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.settings import SETTINGS


class Set(Part):
    """The values that the next branches grow by."""

    def _set(self, action: str, count: int | None) -> None:
        setting = SETTINGS[action]
        app = self._app

        def check(text: str) -> str | None:
            try:
                app.settings.with_value(setting.name, setting.read(text))
            except ValueError as error:
                return str(error)
            return None

        def answered(text: str | None) -> None:
            if text is not None:
                app.settings = app.settings.with_value(setting.name, setting.read(text))
                app.refresh_bars()

        if count is not None:
            objection = check(str(count))
            if objection:
                raise EditError(objection)
            answered(str(count))
            return
        app.push_screen(
            AskScreen(setting.title, setting.hint, f"{setting.current(app.settings):g}", check), answered
        )

    def do_set_n(self, count: int | None) -> None:
        self._set("set_n", count)

    def do_set_temperature(self, count: int | None) -> None:
        self._set("set_temperature", count)

    def do_set_max_tokens(self, count: int | None) -> None:
        self._set("set_max_tokens", count)

    def do_set_min_p(self, count: int | None) -> None:
        self._set("set_min_p", count)
