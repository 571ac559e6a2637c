"""Paths as a person types them: `~` is a home folder, and whatever the system says against one is told in a line."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from n8loom_tui import paths

from .errors import SessionError


def expanded(text: str | Path) -> Path:
    """The path that is meant.

    Raises:
        SessionError: it begins with the home folder of somebody who has none here.
    """
    try:
        return paths.expanded(text)
    except paths.NoHomeFolder as error:
        raise SessionError(f"There is no home folder {error.whose} here; write the folder out.") from None


def mode_at(path: Path) -> int | None:
    """What kind of file stands at a path, as `stat` tells it; None where there is none yet.

    Raises:
        SessionError: no file can stand there, or nobody may look.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise SessionError(f"{path} cannot be the name of a file; choose another name.") from None
    except OSError as error:
        match error.errno:
            case errno.ENAMETOOLONG:
                said = f"{path.name[:20]}… is too long for the name of a file; choose a shorter one."
            case errno.EACCES | errno.EPERM:
                said = f"{path} cannot be reached: permission is missing; choose another place."
            case _:
                said = f"{path} cannot be reached: {error.strerror or error}."
        raise SessionError(said) from None


def typed_path(text: str | Path) -> tuple[Path, int | None]:
    """The path that is meant, and what stands there: see `expanded` and `mode_at`.

    Raises:
        SessionError: there is no such home folder, no file can stand there, or nobody may look.
    """
    path = expanded(text)
    return path, mode_at(path)


def is_folder(mode: int | None) -> bool:
    """Whether what stands somewhere is a folder."""
    return mode is not None and stat.S_ISDIR(mode)
