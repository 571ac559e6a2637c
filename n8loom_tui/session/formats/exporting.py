"""A session into a file of another format."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from n8loom_tui.session.errors import SessionError, explain
from n8loom_tui.session.files import write_atomically
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.store import is_session, read_session
from n8loom_tui.session.typed import typed_path

from .facts import leave_out
from .format import Format
from .gather import Chosen, gather
from .outline import Outline
from .registry import find_format
from .tally import Tally

STDOUT = "-"


def export_session(
    session: Path,
    to: str,
    output: str | Path,
    *,
    node: str | None = None,
    path: bool = False,
    nodes: tuple[str, ...] = (),
) -> list[str]:
    """Write a session in a format to a file (`-` is stdout), which is replaced once all of it is written.

    Args:
        node: only this node, and what stands below it. Without it, everything; where a format holds one tree, the one
            that the person last stood in.
        path: only the path down to `node`, or to where the person stood.
        nodes: only these nodes, and what stands below each.

    Returns lines about what was left out.

    Raises:
        SessionError: no such format, session or node, or the output can't be written.
    """
    format = find_format(to)
    return export_loaded(read_session(session), format, output, Chosen(node, path, nodes))


def export_loaded(loaded: LoadedSession, format: Format, output: str | Path, chosen: Chosen) -> list[str]:
    """The same for a session that is read already, which is let go.

    Raises:
        SessionError: there is nothing in it, no such node, or the output can't be written.
    """
    try:
        return _export(loaded, format, output, chosen)
    finally:
        loaded.let_go()


def _export(loaded: LoadedSession, format: Format, output: str | Path, chosen: Chosen) -> list[str]:
    if not loaded.roots:
        raise SessionError("There is nothing in the session yet.")
    chunks, notices = write_foreign(loaded, format, chosen)
    if str(output) == STDOUT:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.writelines(chunk.encode(encoding, "replace").decode(encoding) for chunk in chunks)
        sys.stdout.flush()
    else:
        target, _ = typed_path(output)
        try:
            if is_session(target):
                raise SessionError(
                    f"{target} is a session; an export does not replace one. Name another file."
                )
            write_atomically(target, chunks)
        except (OSError, ValueError) as error:
            raise SessionError(explain(error, target)) from None
    return [*notices, *loaded.problems]


def write_foreign(loaded: LoadedSession, format: Format, chosen: Chosen) -> tuple[Iterable[str], list[str]]:
    """What was chosen of a session in a format, piece by piece, and lines about what is left out.

    Raises:
        SessionError: there is no such node.
    """
    assert format.write is not None
    tally = Tally()
    outline = gather(loaded, chosen, tally)
    if format.single and len(outline.roots) > 1:
        tally.left_out["other looms"] += len(outline.roots) - 1
        outline = _tree_stood_in(outline)
    leave_out(outline, format.holds, format.current, tally)
    if loaded.trashed and chosen == Chosen():
        tally.left_out["nodes in the trash"] += loaded.trashed
    return format.write(outline), tally.lines(format.title)


def _tree_stood_in(outline: Outline) -> Outline:
    for root in outline.roots:
        if outline.current is not None and any(node is outline.current for node in root.walk()):
            return replace(outline, roots=[root])
    return Outline(outline.roots[:1])
