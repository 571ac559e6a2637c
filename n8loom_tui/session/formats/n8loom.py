"""The JSON that n8loom's server exports and imports: one tree, recursive.

    {"node_id": str, "text": str, "display_text": str, "terminal": bool, "children": [the same, …]}

The shape is that of `/loom/{id}/export` in n8loom's `examples/server.py`; `/looms/import` takes it as `loom_data`
beside a `model_id`. A prompt in a chat template has the template's text as `text`, and a `display_text` that tells the
prompt itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import values
from .facts import Fact
from .format import Format
from .hang import nested
from .json_out import nested as nested_json
from .outline import Node, Outline
from .tally import Tally

_KEYS = frozenset({"node_id", "text", "display_text", "terminal", "children"})
_BEFORE, _BEHIND = "Prompt: ", "\n\nResponse:\n\n"
"""What n8loom puts around a prompt in its `display_text`."""


def _recognises(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    found = value.get("loom_data") if "model_id" in value else value
    return isinstance(found, dict) and "text" in found and ("node_id" in found or "display_text" in found)


def _read(value: Any, tally: Tally) -> Outline:
    if "model_id" in value and "loom_data" in value:
        value = value["loom_data"]
    roots = nested([value], lambda raw: _node(raw, tally), tally)
    for root in roots:
        if root.prompt is not None:
            root.chat = True
    for node in Outline(roots).walk():
        if not node.chat:
            node.prompt = None
    return Outline(roots)


def _node(raw: dict[str, Any], tally: Tally) -> Node:
    tally.unknown(raw, _KEYS)
    text = values.text(raw.get("text"), tally)
    terminal = values.flag(raw.get("terminal"))
    node = Node(values.safe_id(values.key(raw.get("node_id"))), text, terminal=terminal)
    shown = raw.get("display_text")
    if isinstance(shown, str) and shown != text and shown.startswith(_BEFORE) and shown.endswith(_BEHIND):
        node.prompt = values.text(shown[len(_BEFORE) : -len(_BEHIND)], tally)
    return node


def _write(outline: Outline) -> Iterator[str]:
    yield from nested_json(outline.roots[0], _head)
    yield "\n"


def _head(node: Node, _parent: Node | None) -> dict[str, Any]:
    shown = f"{_BEFORE}{node.prompt}{_BEHIND}" if node.chat else node.text
    return {"node_id": node.id, "text": node.text, "display_text": shown, "terminal": node.terminal}


FORMAT = Format(
    "n8loom",
    "n8loom's server",
    _recognises,
    _read,
    _write,
    holds=frozenset({Fact.TERMINAL, Fact.FRAMING}),
    single=True,
)
