"""What the command line says of settings and looks, checked before anything is opened."""

from __future__ import annotations

from typing import Any

from n8loom_tui.paths import config_dir
from n8loom_tui.tui.keys import nearest
from n8loom_tui.tui.preferences import SHORT_NAMES
from n8loom_tui.tui.presets import FILE_NAME, Presets
from n8loom_tui.tui.settings import Settings


def given_settings(preset: str | None, **values: Any) -> dict[str, Any]:
    """The settings that are given: a preset's, and over them those that are not None.

    Raises:
        ValueError: there is no such preset, or a value is out of bounds.
    """
    chosen: dict[str, Any] = {}
    if preset is not None:
        presets = {found.name: found for found in reversed(list(Presets(config_dir() / FILE_NAME)))}
        if preset not in presets:
            close = nearest(preset, tuple(presets))
            advice = f"did you mean {close}?" if close else f"there are {', '.join(presets)}"
            raise ValueError(f"there is no preset {preset!r}; {advice}")
        chosen.update(presets[preset].values)
    chosen.update({name: value for name, value in values.items() if value is not None})
    Settings().with_values(chosen)
    return chosen


def check_theme(theme: str | None) -> None:
    """See that there is such a theme.

    Raises:
        ValueError: there is not.
    """
    from textual.theme import BUILTIN_THEMES

    names = (*SHORT_NAMES, *BUILTIN_THEMES)
    if theme is not None and theme not in names:
        close = nearest(theme, names)
        advice = f"did you mean {close}?" if close else f"there are {', '.join(names)}"
        raise ValueError(f"there is no theme {theme!r}; {advice}")
