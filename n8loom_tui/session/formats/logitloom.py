"""The files of logitloom, which are only read: trees whose nodes are single tokens.

    {"isLogitLoomTreeVersion": "logit-loom-tree-v1", "modelName": str,
     "modelSettings": {"kind": "chat" | "base", "systemPrompt"?, "prompt"?, "prefill"?}, "roots": [node, …]}
    node: {"id", "text", "logprob", "prob", "branchFinished": reason | null, "children": [node, …]}

The prompt becomes the root; what stands in front of the answer is a child of it, and the trees hang below. A node that
is finished is terminal: logitloom expands nothing behind it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from n8loom_tui.loom.heddle import Kind
from n8loom_tui.loom.protocol import Finish

from . import values
from .format import Format
from .hang import nested
from .outline import Node, Outline, Pieces
from .tally import Tally

_VERSION = "isLogitLoomTreeVersion"
_FILE_KEYS = frozenset({_VERSION, "modelName", "modelSettings", "roots"})
_SETTINGS_KEYS = frozenset({"kind", "systemPrompt", "prompt", "prefill"})
_NODE_KEYS = frozenset({"id", "text", "logprob", "prob", "branchFinished", "children"})


def _recognises(value: Any) -> bool:
    return isinstance(value, dict) and _VERSION in value and isinstance(value.get("roots"), list)


def _read(value: Any, tally: Tally) -> Outline:
    tally.unknown(value, _FILE_KEYS)
    settings = value.get("modelSettings") if isinstance(value.get("modelSettings"), dict) else {}
    tally.unknown(settings, _SETTINGS_KEYS)
    model = values.name(value.get("modelName"), tally)
    trees = nested(value["roots"], lambda raw: _node(raw, model, tally), tally)
    prompt, prefill = (values.text(settings.get(key) or "", tally) for key in ("prompt", "prefill"))
    root = Node(text=prompt, kind=Kind.PROMPT, chat=settings.get("kind") == "chat")
    if system := values.note(settings.get("systemPrompt"), tally):
        root.add_note(f"System prompt: {system}")
    below = root
    if prefill:
        below = Node(text=prefill)
        root.children.append(below)
    below.children += trees
    return Outline([root])


def _node(raw: dict[str, Any], model: str, tally: Tally) -> Node:
    tally.unknown(raw, _NODE_KEYS)
    node = Node(values.safe_id(values.key(raw.get("id"))), values.text(raw.get("text"), tally))
    node.kind, node.model = Kind.GENERATED, model
    if (reason := raw.get("branchFinished")) is not None:
        node.terminal = True
        node.finish = str(Finish.EOS) if reason == "stop" else values.name(reason, tally) or None
    logprob = values.logprob(raw.get("logprob"))
    if logprob is not None and node.text:
        node.pieces = partial(Pieces, [node.text], [logprob])
    return node


FORMAT = Format("logitloom", "logitloom", _recognises, _read)
