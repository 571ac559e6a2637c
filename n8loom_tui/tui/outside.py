"""Texts that a program of the person's own edits: each in a folder of its own among the data, which stays until what is
in it was entered or thrown away. So it is found again whatever becomes of us, and such a program finds there what it
has put away itself, as vi does.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from n8loom_tui.paths import data_dir
from n8loom_tui.session.drafts import Draft

NAME = "text.txt"


def new_folder() -> str:
    """A name that no folder has."""
    return secrets.token_hex(8)


def file_in(folder: str) -> Path:
    """The file to be edited there."""
    return data_dir() / "editing" / folder / NAME


def begin(folder: str, text: str) -> Path:
    """Put a text there, unless it is there: what a program has put away beside it would seem to be older.

    Raises:
        OSError: it can't be done.
    """
    file = file_in(folder)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = text.encode("utf-8", "surrogatepass")
    if not file.is_file() or file.read_bytes() != wanted:
        file.write_bytes(wanted)
    return file


def read(file: Path, before: str) -> str:
    """What stands in a file that a program was given with a text in it. Such programs end the last line of a file; the
    text need not end so.

    Raises:
        OSError, UnicodeDecodeError: it can't be read.
    """
    text = file.read_bytes().decode("utf-8", "surrogatepass")
    return text[:-1] if text.endswith("\n") and not before.endswith("\n") else text


def newest(draft: Draft) -> Draft:
    """A draft, with what was saved in its folder after it was kept."""
    if draft.folder:
        file = file_in(draft.folder)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            saved = file.stat().st_mtime
            if saved > draft.at:
                return replace(draft, text=read(file, draft.text), at=saved)
    return draft


def holds_more(folder: str) -> bool:
    """Whether a program has put something beside the text."""
    try:
        return any(path.name != NAME for path in file_in(folder).parent.iterdir())
    except OSError:
        return False


def remove(folder: str) -> None:
    """Take a folder away."""
    shutil.rmtree(file_in(folder).parent, ignore_errors=True)
