"""A session's trees as an outline: all of them, what stands below one node, or the path down to one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.provenance import whole
from n8loom_tui.session.record import LETTERS, ModelRef

from . import values
from .outline import Node, Outline, Pieces
from .own import TOLD
from .pieces import IMPORTED, is_told, of_heddle
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a session is wanted: what stands at and below a `node` (None: everything), or with `path` only the
    nodes down to it (None: to where the person stood). With `nodes`, what stands at and below each of them."""

    node: str | None = None
    path: bool = False
    nodes: tuple[str, ...] = ()


def gather(loaded: LoadedSession, chosen: Chosen, tally: Tally) -> Outline:
    """What was chosen of a session. What makes no sense in it is counted.

    Raises:
        SessionError: there is no such node.
    """
    start = _find(loaded, chosen)
    tops = _topmost(loaded, chosen.nodes) if chosen.nodes else loaded.roots if start is None else [start]
    maker = _Maker(loaded, tally)
    outline = Outline()
    if chosen.path:
        assert start is not None
        path = [maker.node(heddle) for heddle in start.path()]
        for above, below in pairwise(path):
            above.children.append(below)
        outline.roots = path[:1]
        return outline
    outline.roots = [maker.tree(top) for top in tops]
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


def _topmost(loaded: LoadedSession, wanted: tuple[str, ...]) -> list[Heddle]:
    """These nodes from top to bottom, without those that stand below another one of them."""
    names, found = set(wanted), []
    stack = list(reversed(loaded.roots))
    while stack:
        heddle = stack.pop()
        if heddle.id in names:
            found.append(heddle)
        else:
            stack.extend(reversed(heddle.children))
    if not found:
        raise SessionError("None of the chosen nodes is in the session any more.")
    return found


class _Maker:
    """Makes nodes of heddles, and sees the one that the person stood on go by."""

    def __init__(self, loaded: LoadedSession, tally: Tally) -> None:
        self._loaded = loaded
        self._tally = tally
        self.current: Node | None = None
        self._letters: dict[str, tuple[str, ...]] = {}
        letters = loaded.meta.get(LETTERS)
        for letter, name in letters.items() if isinstance(letters, dict) else ():
            if isinstance(name, str):
                self._letters[name] = (*self._letters.get(name, ()), letter)

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
        known, marks, tally = heddle.provenance, heddle.marks, self._tally
        ref = self._loaded.models.get(heddle.id, ModelRef(""))
        node = Node(
            id=heddle.id,
            text=heddle.text,
            kind=heddle.kind,
            finish=heddle.finish,
            terminal=heddle.terminal,
            created=heddle.created,
            model=values.name(known.get("model"), tally) or ref.name,
            fingerprint=ref.fingerprint or values.name(known.get("fingerprint"), tally),
            seed=whole(known.get("seed"), 0, 2**64),
            bookmark=marks.bookmark,
            tags=marks.tags,
            note=marks.note,
            unread=marks.unread,
            folded=heddle.id in self._loaded.folded_ids,
            letters=self._letters.get(heddle.id, ()),
        )
        if isinstance(params := known.get("params"), dict):
            node.params = values.params(params.items(), tally)
        if isinstance(heddle, Loom):
            node.chat, node.prompt = heddle.chat_template_used, heddle.user_prompt
        told = is_told(heddle)
        if heddle.tokens or told:
            node.pieces = partial(_pieces, heddle)
            node.has_tokens = bool(heddle.tokens)
            node.has_odds = heddle.odds is not None
            node.has_logprobs = told or node.has_odds
        node.more = values.provenance(known, TOLD, tally)
        if isinstance(imported := node.more.pop(IMPORTED, None), dict):
            node.title = values.name(imported.get("title"), tally)
            if "texts" in imported and not told:  # what is known by our own tokens has come in its place
                node.more[IMPORTED] = {key: value for key, value in imported.items() if key != "title"}
        if heddle.id == self._loaded.current_id:
            self.current = node
        return node


def _pieces(heddle: Heddle) -> Pieces:
    return of_heddle(heddle) or Pieces()
