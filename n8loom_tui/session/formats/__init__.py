"""Sessions in other programs' formats. One module a format; none of them needs a model."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.errors import SessionError, explain
from n8loom_tui.session.files import write_atomically
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.store import is_session, read_session

from . import n8loom
from .registry import Export, Format

__all__ = ["FORMATS", "Export", "Format", "export_session", "find_format"]

FORMATS: dict[str, Format] = {format.name: format for format in (n8loom.FORMAT,)}
STDOUT = "-"


def find_format(name: str) -> Format:
    """The format of this name.

    Raises:
        SessionError: there is none; the message names the nearest one.
    """
    found = FORMATS.get(name.strip().lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), FORMATS, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}?" if near else f"there is {', '.join(FORMATS)}."
    raise SessionError(f"There is no format {name!r}; {meant}")


def export_session(session: Path, to: str, output: str | Path, *, root: str | None = None) -> list[str]:
    """Write a session in a format to a file (`-` is stdout), which is replaced once all of it is written.

    Where a format holds one tree, it is the one with this `root`, or else that of the node last stood on.
    Returns lines about what was left out.

    Raises:
        SessionError: no such format, session or root, or the output can't be written.
    """
    format = find_format(to)
    loaded = read_session(session)
    export = format.write(loaded, _chosen(loaded, root, session))
    if str(output) == STDOUT:
        sys.stdout.writelines(export.chunks)
        sys.stdout.flush()
    else:
        target = Path(output).expanduser()
        try:
            if is_session(target):
                raise SessionError(
                    f"{target} is a session; an export does not replace one. Name another file."
                )
            write_atomically(target, export.chunks)
        except (OSError, ValueError) as error:
            raise SessionError(explain(error, target)) from None
    return [*export.notices, *loaded.problems]


def _chosen(loaded: LoadedSession, root: str | None, session: Path) -> Heddle:
    if not loaded.roots:
        raise SessionError(f"There is nothing in {session} yet.")
    for candidate in loaded.roots:
        if candidate.id == root:
            return candidate
        if root is None and any(node.id == loaded.current_id for node in candidate.walk()):
            return candidate
    if root is not None:
        raise SessionError(f"There is no loom {root!r} in {session}.")
    return loaded.roots[0]
