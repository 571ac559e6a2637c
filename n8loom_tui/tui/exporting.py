"""Exporting what is open: from the session's file where all of it is there, else from memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import Chosen, Format, export_loaded, export_session
from n8loom_tui.session.record import Changes
from n8loom_tui.session.store import held_in
from n8loom_tui.tui.saving import Saving


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written: the format, what of the session, and where to."""

    format: Format
    chosen: Chosen
    target: Path


def unnamed(text: str) -> str | None:
    """One line where an answer names no file, else None. The terminal is the app's own: `-` is nothing here."""
    text = text.strip()
    if not text:
        return "Name a file."
    return "In the app - stands for nothing; name a file." if str(Path(text)) == "-" else None


async def write_export(saving: Saving, wanted: Export) -> list[str]:
    """Write it. Returns lines about what the format cannot hold.

    Raises:
        SessionError: it can't be written, or there is nothing yet.
    """
    if saving.path is None and not saving.stuck:
        raise SessionError("There is nothing to export yet.")
    chosen = wanted.chosen
    if not saving.stuck and await asyncio.to_thread(saving.stored):
        assert saving.path is not None
        node, path, nodes = chosen.node, chosen.path, chosen.nodes
        return await asyncio.to_thread(
            export_session, saving.path, wanted.format.name, wanted.target, node=node, path=path, nodes=nodes
        )
    changes = await saving.collected()
    return await asyncio.to_thread(_export, changes, wanted)


def _export(changes: Sequence[Changes], wanted: Export) -> list[str]:
    return export_loaded(held_in(changes), wanted.format, wanted.target, wanted.chosen)
