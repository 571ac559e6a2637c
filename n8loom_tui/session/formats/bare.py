"""A tree as bare as can be: `{"text": str, "children": [the same, …]}`, or a list of such. PyLoom's simple export, and
what many programs write. Where a node has PyLoom's further keys, they are read as PyLoom's."""

from __future__ import annotations

from typing import Any

from .format import Format
from .hang import nested
from .outline import Outline
from .pyloom import NodeMaker
from .tally import Tally


def _recognises(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_node(item) for item in value)
    return _is_node(value)


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def _read(value: Any, tally: Tally) -> Outline:
    maker = NodeMaker({}, tally)
    return Outline(nested(value if isinstance(value, list) else [value], maker.node, tally))


FORMAT = Format("bare", "a bare tree of text and children", _recognises, _read)
