"""Words that a person has written somewhere and not entered yet: by where, so that they stand there again."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .packing import pack_text, unpack_text

FOLDER = re.compile(r"[0-9a-f]{16}")
"""What a draft's `folder` is, if anything: a file that comes from elsewhere leads to no other place."""
COLUMNS = "editor, node, text, chosen, system, folder, at"


class Editor(StrEnum):
    """What words are written in. The values are stored."""

    LOOM = "loom"
    CHILD = "child"
    TURN = "turn"
    TEXT = "text"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where words are written: in which editor, and on which node (a new loom's has none)."""

    editor: Editor
    node: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """Words that are not entered.

    Attributes:
        chosen: what was chosen beside them, as in `editor.Written`.
        system: the system's message of a new loom.
        folder: the name of the folder in which a program of the person's own edits them, if one does.
        at: when they were kept, in seconds since 1970.
    """

    text: str
    chosen: bool = False
    system: str = ""
    folder: str = ""
    at: float = field(default_factory=time.time, compare=False)


Drafted = Mapping[Place, Draft | None]
"""Drafts by their places. None: there is none any more."""


def enter(db: sqlite3.Connection, drafted: Drafted) -> None:
    """Drafts into their table. The caller holds the transaction."""
    db.executemany(
        "DELETE FROM drafts WHERE editor = ? AND node = ?",
        ((str(place.editor), place.node) for place, draft in drafted.items() if draft is None),
    )
    db.executemany(
        f"INSERT OR REPLACE INTO drafts ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (_row(place, draft) for place, draft in drafted.items() if draft is not None),
    )


def _row(place: Place, draft: Draft) -> tuple[object, ...]:
    text, system = pack_text(draft.text), pack_text(draft.system)
    return str(place.editor), place.node, text, draft.chosen, system, draft.folder, draft.at


def drafts_of(rows: Iterable[tuple[Any, ...]], problems: list[str]) -> dict[Place, Draft]:
    """The drafts that rows of the table hold, the oldest first. What is not in order is told."""
    found: dict[Place, Draft] = {}
    for row in rows:
        try:
            place, draft = _draft_of(*row)
        except (ValueError, TypeError):
            problems.append("Words that were not entered could not be read.")
            continue
        found[place] = draft
    return dict(sorted(found.items(), key=lambda pair: pair[1].at))


def _draft_of(
    editor: object, node: object, text: bytes, chosen: object, system: bytes, folder: object, at: object
) -> tuple[Place, Draft]:
    if not isinstance(node, str) or not isinstance(at, float):
        raise ValueError("not a place, or not a time")
    outside = folder if isinstance(folder, str) and FOLDER.fullmatch(folder) else ""
    place = Place(Editor(str(editor)), node)
    return place, Draft(unpack_text(text), bool(chosen), unpack_text(system), outside, at)
