"""The values that the next branches grow by, presets, and how the app looks."""

from __future__ import annotations

from n8loom_tui.paths import config_dir
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.fields import FIELDS
from n8loom_tui.tui.keymap import FILE_NAME, shipped_keymaps_path
from n8loom_tui.tui.keymap_edit import KeyEditor
from n8loom_tui.tui.screens.keys import KeysScreen
from n8loom_tui.tui.screens.settings import SettingsScreen
from n8loom_tui.tui.setting_lines import SettingLines, ask_value, widen


class Set(Part):
    """The values that the next branches grow by, presets, and how the app looks."""

    def do_settings(self, _count: int | None) -> None:
        app = self._app
        lines = SettingLines(app)
        app.push_screen(SettingsScreen(app.keymap, app.looks.signs, "Settings", lines.everything))

    def do_change_keys(self, _count: int | None) -> None:
        app = self._app
        editor = KeyEditor(app.keymap, config_dir() / FILE_NAME, shipped_keymaps_path())
        app.push_screen(KeysScreen(editor, app.looks.signs, app.use_keymap))

    def do_choose_preset(self, count: int | None) -> None:
        app = self._app
        presets = list(app.tuning.presets)
        if count is None:
            lines = SettingLines(app)
            signs = app.looks.signs
            app.push_screen(
                SettingsScreen(app.keymap, signs, "Presets", lambda: list(lines.presets()), once=True)
            )
            return
        if count > len(presets):
            raise EditError(f"There are {len(presets)} presets.")
        preset = presets[count - 1]
        app.use_settings(preset.applied(app.tuning.settings))
        app.status.said = f"preset: {preset.name}"

    def _set(self, name: str, count: int | None) -> None:
        app = self._app
        if count is None:
            ask_value(app, FIELDS[name])
            return
        try:
            app.use_settings(app.tuning.settings.with_value(name, count))
        except ValueError as error:
            raise EditError(str(error)) from None

    def do_set_n(self, count: int | None) -> None:
        self._set("n", count)

    def do_set_temperature(self, _count: int | None) -> None:
        self._set("temp", None)

    def do_set_max_tokens(self, count: int | None) -> None:
        self._set("max_tokens", count)

    def do_set_min_p(self, _count: int | None) -> None:
        self._set("min_p", None)

    def do_wider_tree(self, count: int | None) -> None:
        widen(self._app, count or 1)

    def do_narrower_tree(self, count: int | None) -> None:
        widen(self._app, -(count or 1))

    def do_hide_reader(self, _count: int | None) -> None:
        looks = self._app.looks
        looks.change(one_pane=not looks.now.one_pane)

    def do_details(self, _count: int | None) -> None:
        looks = self._app.looks
        looks.change(details=not looks.now.details)
