"""A session's trees as an outline: all of them, what stands below one node, or the path down to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.record import ModelRef

from . import values
from .marks import KEY as MARKS
from .marks import take_marks
from .outline import Node, Outline, Pieces
from .pieces import IMPORTED, of_heddle
from .tally import Tally

_TOLD = frozenset({"model", "fingerprint", "params", "seed", "time", "logprobs", IMPORTED, MARKS})
"""The keys of a provenance that a node has fields for."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a session is wanted: what stands at and below a `node` (None: everything), or with `path` only the
    nodes down to it (None: to where the person stood)."""

    node: str | None = None
    path: bool = False


def gather(loaded: LoadedSession, chosen: Chosen) -> Outline:
    """What was chosen of a session.

    Raises:
        SessionError: there is no such node.
    """
    start = _find(loaded, chosen)
    maker = _Maker(loaded)
    outline = Outline()
    if chosen.path:
        assert start is not None
        path = [maker.node(heddle) for heddle in start.path()]
        for above, below in pairwise(path):
            above.children.append(below)
        outline.roots = path[:1]
        return outline
    outline.roots = [maker.tree(top) for top in (loaded.roots if start is None else [start])]
    outline.current = maker.current
    return outline


def _find(loaded: LoadedSession, chosen: Chosen) -> Heddle | None:
    wanted = chosen.node
    if wanted is None and chosen.path:
        wanted = loaded.current_id
        if wanted is None:
            raise SessionError(
                "The session does not tell where you stood; name the path's last node with --node."
            )
    if wanted is None:
        return None
    for root in loaded.roots:
        for heddle in root.walk():
            if heddle.id == wanted:
                return heddle
    raise SessionError(f"There is no node {wanted!r} in the session.")


class _Maker:
    """Makes nodes of heddles, and sees the one that the person stood on go by."""

    def __init__(self, loaded: LoadedSession) -> None:
        self._loaded = loaded
        self.current: Node | None = None

    def tree(self, top: Heddle) -> Node:
        root = self.node(top)
        stack = [(top, root)]
        while stack:
            heddle, node = stack.pop()
            for child in heddle.children:
                node.children.append(self.node(child))
                stack.append((child, node.children[-1]))
        return root

    def node(self, heddle: Heddle) -> Node:
        known, nobody = heddle.provenance, Tally()
        ref = self._loaded.models.get(heddle.id, ModelRef(""))
        node = Node(
            id=heddle.id,
            text=heddle.text,
            kind=heddle.kind,
            finish=heddle.finish,
            terminal=heddle.terminal,
            created=heddle.created,
            model=values.name(known.get("model"), nobody) or ref.name,
            fingerprint=ref.fingerprint or values.name(known.get("fingerprint"), nobody),
            seed=values.whole(known.get("seed"), 0, 2**64),
            folded=heddle.id in self._loaded.folded_ids,
            more={key: value for key, value in known.items() if key not in _TOLD},
        )
        if isinstance(params := known.get("params"), dict):
            node.params = values.params(params.items(), nobody)
        if isinstance(heddle, Loom):
            node.chat, node.prompt = heddle.chat_template_used, heddle.user_prompt
        if isinstance(imported := known.get(IMPORTED), dict):
            node.title = values.name(imported.get("title"), nobody)
        told = _has_texts(imported)
        if heddle.tokens or told:
            node.pieces = partial(_pieces, heddle)
            node.has_tokens = bool(heddle.tokens)
            node.has_logprobs = told or bool(known.get("logprobs"))
        take_marks(heddle, node)
        if heddle.id == self._loaded.current_id:
            self.current = node
        return node


def _has_texts(imported: Mapping[str, Any] | None) -> bool:
    return isinstance(imported, dict) and "texts" in imported


def _pieces(heddle: Heddle) -> Pieces:
    return of_heddle(heddle) or Pieces()
