"""What the settings screen lists: the sampling values, the presets, the looks; and what is done with each line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from n8loom_tui.tui.fields import FIELDS, Setting
from n8loom_tui.tui.looks import cycled
from n8loom_tui.tui.preferences import NARROWEST, WIDEST, Motion, SignSet
from n8loom_tui.tui.presets import Preset, Scope, check_name
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.settings import Line
from n8loom_tui.tui.settings import Settings
from n8loom_tui.tui.toml_file import FileProblem
from n8loom_tui.tui.widgets.choice_list import Entry

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp

OFF = "off"
MOST_STEPS = 1000
PANE_STEP = 5
"""Per cent that a step moves the border between the panes."""


class SettingLines:
    """The lines, made anew after each change."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._deleted: Preset | None = None

    def everything(self) -> list[Line]:
        """All lines, under their headings."""
        return [
            _heading("How branches grow"),
            *(self._field(setting) for setting in FIELDS.values()),
            _heading("Presets"),
            *self.presets(),
            *self._keeping(),
            _heading("Looks"),
            *self._looks(),
        ]

    # ------------------------------------------------------------------- values

    def _field(self, setting: Setting) -> Line:
        settings = self._app.tuning.settings
        shown = setting.show(settings.value(setting.name))
        if not shown:
            shown = "drawn anew" if setting.name == "seed" else OFF
        step = partial(self._step, setting) if setting.step is not None else None
        return Line(Entry(setting.title, shown), setting.hint, partial(ask_value, self._app, setting), step)

    def _step(self, setting: Setting, steps: int) -> None:
        """Step as often as wanted, but not out of bounds."""
        settings = self._app.settings
        for _ in range(min(abs(steps), MOST_STEPS)):
            value = setting.stepped(settings.value(setting.name), 1 if steps > 0 else -1)
            try:
                settings = settings.with_value(setting.name, value)
            except ValueError:
                break
        self._app.use_settings(settings)

    # ------------------------------------------------------------------ presets

    def presets(self) -> Iterator[Line]:
        """The presets there are."""
        tuning = self._app.tuning
        in_force = tuning.presets.in_force(tuning.settings)
        for preset in tuning.presets:
            entry = Entry(preset.name, words(preset), f"({preset.scope.value})", chosen=preset == in_force)
            delete = partial(self._delete, preset) if preset.scope is not Scope.SHIPPED else None
            yield Line(entry, f"a preset, {preset.scope.value}", partial(self._apply, preset), delete=delete)

    def _apply(self, preset: Preset) -> None:
        self._app.use_settings(preset.applied(self._app.tuning.settings))

    def _keeping(self) -> Iterator[Line]:
        for scope in (Scope.SESSION, Scope.ALL):
            yield Line(
                Entry(f"Save as a preset for {scope.value}"),
                "all values above, under a name of yours",
                partial(self._ask_name, scope),
            )
        if self._deleted is not None:
            yield Line(Entry(f"Bring back {self._deleted.name}"), "the preset deleted last", self._restore)

    def _ask_name(self, scope: Scope) -> None:
        def answered(name: str | None) -> None:
            if name is not None:
                self._try(lambda: self._app.tuning.save_preset(name.strip(), scope))

        hint = f"its name, for {scope.value}; one that has it there is replaced"
        self._app.push_screen(AskScreen("Save a preset", hint, "", check_name), answered)

    def _delete(self, preset: Preset) -> None:
        self._try(lambda: self._app.tuning.delete_preset(preset))
        self._deleted = preset

    def _restore(self) -> None:
        preset, self._deleted = self._deleted, None
        if preset is not None:
            self._try(lambda: self._app.tuning.put_preset(preset))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except FileProblem as error:
            self._app.tell(str(error), "error")
        self._app.refresh_bars()

    # -------------------------------------------------------------------- looks

    def _looks(self) -> Iterator[Line]:
        looks = self._app.looks
        now = looks.now
        yield self._choice(
            "Theme", "theme", looks.themes, "dark, light, ansi (the terminal's colours), and more"
        )
        yield self._choice("Motion", "motion", list(Motion), "reduced: nothing moves but what is written")
        yield self._choice(
            "Signs", "signs", list(SignSet), "auto: ASCII where the terminal's locale lacks UTF-8"
        )
        yield self._switch("Hints", "hints", now.hints, "a word on the next useful key, now and then")
        yield self._switch("One pane at a time", "one_pane", now.one_pane, "on wide screens too")
        yield self._switch("Details", "details", now.details, "where the node under the cursor comes from")
        wider = partial(widen, self._app)
        entry = Entry("Width of the tree", f"{now.tree_width} %")
        yield Line(entry, "beside the reader; the border can be dragged, too", step=wider)

    def _choice(self, title: str, name: str, values: list[Any], hint: str) -> Line:
        looks = self._app.looks

        def step(steps: int) -> None:
            looks.change(**{name: kind(cycled(map(str, values), str(getattr(looks.now, name)), steps))})

        now = getattr(looks.now, name)
        kind = type(now)
        return Line(Entry(title, str(now)), hint, partial(step, 1), step)

    def _switch(self, title: str, name: str, value: bool, hint: str) -> Line:
        def switch(_steps: int = 1) -> None:
            self._app.looks.change(**{name: not value})

        return Line(Entry(title, "on" if value else OFF), hint, switch, switch)


def widen(app: LoomApp, steps: int) -> None:
    """Move the border between the panes to the right (to the left if negative)."""
    width = app.looks.now.tree_width + steps * PANE_STEP
    app.looks.change(tree_width=min(max(width, NARROWEST), WIDEST))


def words(preset: Preset) -> str:
    """What a preset says, in short."""
    told = preset.applied(Settings()).summary
    named = {"n": "n", "max_tokens": "max"}
    hidden = tuple(f"{word} " for name, word in named.items() if name not in preset.values)
    return "  ".join(word for word in told if not word.startswith(hidden or ("\0",)))


def ask_value(app: LoomApp, setting: Setting) -> None:
    """Ask for a value, and use it."""

    def check(text: str) -> str | None:
        try:
            app.tuning.settings.with_value(setting.name, setting.read(text))
        except ValueError as error:
            return str(error).replace(f"{setting.name} must", f"{setting.title} must")
        return None

    def answered(text: str | None) -> None:
        if text is not None:
            app.use_settings(app.tuning.settings.with_value(setting.name, setting.read(text)))

    now = setting.show(app.tuning.settings.value(setting.name))
    app.push_screen(AskScreen(setting.title, setting.hint, now, check), answered)


def _heading(title: str) -> Line:
    return Line(Entry(title, heading=True))
