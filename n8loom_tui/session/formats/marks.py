"""A person's marks on a heddle, as an outline's node has them. They stand in the node's provenance."""

from __future__ import annotations

from typing import Any

from n8loom_tui.loom.heddle import Heddle

from . import values
from .outline import Node
from .tally import Tally

KEY = "marks"


def take_marks(heddle: Heddle, node: Node) -> None:
    """Read the marks of a heddle into a node."""
    found = heddle.provenance.get(KEY)
    if not isinstance(found, dict):
        return
    nobody = Tally()
    node.bookmark = values.flag(found.get("bookmark"))
    node.tags = values.names(found.get("tags"), nobody)
    node.note = values.note(found.get("note"), nobody)
    node.unread = values.flag(found.get("unread"))


def put_marks(node: Node, heddle: Heddle) -> None:
    """Put the marks of a node on a heddle."""
    marks: dict[str, Any] = {
        "bookmark": node.bookmark,
        "tags": list(node.tags),
        "note": node.note,
        "unread": node.unread,
    }
    marks = {name: value for name, value in marks.items() if value}
    if marks:
        heddle.provenance[KEY] = marks
