"""What a session file tells of the trees and of how they were looked at, made into what the app works with. It may tell
anything: what makes no sense is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from n8loom_tui.session.history import History
from n8loom_tui.session.history_trees import Trees
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.record import ANSWERS, HOISTED, LETTERS, VISITED
from n8loom_tui.tui.document import Document


@dataclass(frozen=True, slots=True)
class Look:
    """How the tree is looked at: the ids of what is hoisted, and by a node's id that of its child visited last."""

    hoisted: tuple[str, ...] = ()
    visited: dict[str, str] = field(default_factory=dict)


def look_of(meta: Mapping[str, Any]) -> Look:
    """What a session tells of how it was looked at; it may tell anything."""
    hoisted, visited = meta.get(HOISTED), meta.get(VISITED)
    names = hoisted if isinstance(hoisted, list) else []
    pairs = visited.items() if isinstance(visited, dict) else ()
    return Look(
        tuple(name for name in names if isinstance(name, str)),
        {node: child for node, child in pairs if isinstance(child, str)},
    )


def document_of(loaded: LoadedSession) -> Document:
    """A document of what a session holds."""
    prints = {name: ref.fingerprint for name, ref in loaded.models.items()}
    trees = Trees(loaded.roots, loaded.trash, prints, loaded.where, loaded.by_id)
    history = History(trees, loaded.done, loaded.undone, loaded.last_step)
    letters = loaded.meta.get(LETTERS)
    pairs = letters.items() if isinstance(letters, dict) else ()
    names = {name: node for name, node in pairs if isinstance(node, str)}
    return Document(trees, history, names, _answers(loaded.meta.get(ANSWERS)))


def _answers(stored: object) -> dict[str, dict[str, str]]:
    """What was answered in dialogs, as far as it makes sense."""
    if not isinstance(stored, dict):
        return {}
    return {
        dialog: {name: text for name, text in fields.items() if isinstance(text, str)}
        for dialog, fields in stored.items()
        if isinstance(fields, dict)
    }
