"""The sampling values in force and the presets, and where they are remembered: in the session that is open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from n8loom_tui.session.record import PRESETS, SETTINGS
from n8loom_tui.tui.fields import from_stored, to_stored
from n8loom_tui.tui.presets import Preset, Presets, Scope
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.settings import Settings


class Tuning:
    """Settings and presets of the session that is open.

    Attributes:
        settings: what the next branches grow by.
        presets: what can be chosen.
    """

    def __init__(
        self, settings: Settings, given: Mapping[str, Any], presets_path: Path, saving: Saving
    ) -> None:
        """`given`: values of the command line, which count more than those of the first session."""
        self.settings = self._defaults = settings
        self.presets = Presets(presets_path)
        self.take_up(saving, given)

    def take_up(self, saving: Saving, given: Mapping[str, Any]) -> None:
        """Another session is open: its settings and presets count from now on, else those that the program
        began with. `given`: values that count more."""
        self._saving = saving
        stored = saving.kept.get(SETTINGS)
        values: dict[str, Any] = {}
        if isinstance(stored, dict):
            try:
                values = from_stored(stored)
            except ValueError as error:
                self.presets.problems.append(f"The session's settings are left aside: {error}.")
        self.settings = self._defaults.with_values({**values, **given})
        self.presets.take_session(saving.kept.get(PRESETS))

    def use(self, settings: Settings) -> None:
        """These count from now on; the session remembers them."""
        self.settings = settings
        self._saving.remember(SETTINGS, to_stored(settings))

    def save_preset(self, name: str, scope: Scope) -> None:
        """Keep the settings in force under a name.

        Raises:
            FileProblem: the file can't be written.
        """
        self.put_preset(Preset(name, scope, from_stored(to_stored(self.settings))))

    def put_preset(self, preset: Preset) -> None:
        """Keep a preset, in place of what has its name there.

        Raises:
            FileProblem: the file can't be written.
        """
        self.presets.put(preset)
        self._remember(preset.scope)

    def delete_preset(self, preset: Preset) -> None:
        """Take a preset away.

        Raises:
            FileProblem: the file can't be written.
        """
        self.presets.delete(preset)
        self._remember(preset.scope)

    def _remember(self, scope: Scope) -> None:
        if scope is Scope.SESSION:
            self._saving.remember(PRESETS, self.presets.session_values)

    def notices(self) -> list[str]:
        """What was wrong with presets and settings, since the last call."""
        told, self.presets.problems = self.presets.problems, []
        return told

    @property
    def preset_name(self) -> str:
        """The name of the preset that is in force; empty if none is."""
        preset = self.presets.in_force(self.settings)
        return preset.name if preset is not None else ""
