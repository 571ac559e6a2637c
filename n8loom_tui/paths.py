"""Where the program keeps its files.

Each folder is the platform's own (by `platformdirs`) unless an environment variable names another:
`N8LOOM_CONFIG_DIR`, `N8LOOM_DATA_DIR`, `N8LOOM_CACHE_DIR`. Nothing here creates a folder: whoever
writes does.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP_NAME = "n8loom-tui"


def config_dir() -> Path:
    """The folder of the user's settings and keymaps."""
    return _overridden("N8LOOM_CONFIG_DIR") or Path(_dirs().user_config_path)


def data_dir() -> Path:
    """The folder of what the user made: sessions and their journals."""
    return _overridden("N8LOOM_DATA_DIR") or Path(_dirs().user_data_path)


def cache_dir() -> Path:
    """The folder of what can be made again: the built-in model, converted models."""
    return _overridden("N8LOOM_CACHE_DIR") or Path(_dirs().user_cache_path)


class NoHomeFolder(Exception):
    """A path begins with the home folder of somebody who has none here. Says so in a line. `whose`: its beginning."""

    def __init__(self, whose: str) -> None:
        super().__init__(f"there is no home folder {whose} here; write the folder out")
        self.whose = whose


def expanded(text: str | Path) -> Path:
    """The path that a person means, where `~` is a home folder.

    Raises:
        NoHomeFolder: there is none.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise NoHomeFolder(Path(text).parts[0]) from None


def _overridden(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value).expanduser().absolute() if value else None


def _dirs() -> platformdirs.PlatformDirs:
    return platformdirs.PlatformDirs(APP_NAME, appauthor=False)
