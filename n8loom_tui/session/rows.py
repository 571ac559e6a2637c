"""One row of the nodes into one heddle: at once if the row is in order, as far as it goes if it is not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.odds import Odds

from .packing import PackedSpan, read_json, unpack_text
from .provenance import sound

Origins = Mapping[Any, dict[str, Any]]
"""By row id, the shared parts of provenances."""

_FRAMINGS = {"chat": True, "raw": False}
_KINDS = {str(kind): kind for kind in Kind}
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_PLAIN = re.compile(rf'\{{(?:"seed":{_NUMBER},"time":{_NUMBER}(?:\.[0-9]{{1,12}})?)?\}}').fullmatch
"""What almost every node has for itself of a provenance: there is nothing in it that could be out of order."""


class Row(NamedTuple):
    """The columns of a node, in the order in which they are read. In a damaged file they hold anything."""

    seq: Any
    id: Any
    parent: Any
    position: Any
    kind: Any
    text: Any
    tokens: Any
    ends: Any
    encoded: Any
    framing: Any
    user_prompt: Any
    terminal: Any
    finish: Any
    created: Any
    origin: Any
    provenance: Any
    model: Any
    folded: Any
    deleted: Any


COLUMNS = ", ".join(Row._fields)

NOT_IN_ORDER = (ValueError, TypeError, KeyError, RecursionError, MemoryError)
"""What `node_of` raises for a row that is not in order."""


def node_of(row: tuple[Any, ...], origins: Origins) -> Heddle:
    """The node of a row that is in order, hung nowhere yet. It is called for every node when a session opens.

    Raises:
        NOT_IN_ORDER: the row isn't.
    """
    (
        _, name, parent, _, kind, packed_text, tokens, ends, encoded, framing, _,
        terminal, finish, created, origin, provenance, _, _, _,
    ) = row  # fmt: skip
    text = str(packed_text, "utf-8", "surrogatepass")
    if encoded and _PLAIN(provenance) and (origin is None or origin in origins) and (parent or not framing):
        span = PackedSpan(tokens, ends, len(text))
        node = Heddle.stored(text, span, partial(_provenance, provenance, origin, origins))
    else:
        node = _of_another_kind(row, text, origins)
    if not (finish is None or isinstance(finish, str)) or type(created) is not float or created - created:
        raise ValueError("not a text, or not a time")
    node.id = name
    node.kind = _KINDS[kind]
    node.terminal = bool(terminal)
    node.finish = finish
    node.created = created
    return node


def _of_another_kind(row: tuple[Any, ...], text: str, origins: Origins) -> Heddle:
    """A node of which nothing is left for later: a root, one that no tokenizer has read, or one with a past."""
    found = Row(*row)
    if found.framing is not None and found.parent is None:
        shown = text if found.user_prompt is None else unpack_text(found.user_prompt)
        node: Heddle = Loom(None, None, shown, chat=_FRAMINGS[found.framing])
    else:
        node = Heddle.from_span([], "", [])
    node.provenance = _provenance(found.provenance, found.origin, origins)
    logprobs = node.provenance.pop("logprobs", None)
    if found.encoded:
        _fill(node, found, text)
        if logprobs is not None:
            node.odds = _odds(logprobs, len(node.tokens))
    else:
        node.set_span([], text, [])
        node.encoded = False
    return node


def _fill(node: Heddle, found: Row, text: str) -> None:
    tokens, ends = PackedSpan(found.tokens, found.ends, len(text))()
    node.set_span(tokens, text, ends)


def mended_node(row: tuple[Any, ...], origins: Origins) -> tuple[Heddle, str]:
    """A node of a row that is not in order: its text as far as it can be read, and what else makes sense.

    Returns the node and a line that says what is lost.
    """
    found = Row(*row)
    text = _some_text(found.text)
    plain = found._replace(
        kind=found.kind if found.kind in _KINDS else str(Kind.WRITTEN),
        text=text.encode(),
        encoded=False,
        framing=found.framing if found.framing in _FRAMINGS else None,
        user_prompt=None if found.user_prompt is None else _some_text(found.user_prompt).encode(),
        finish=found.finish if isinstance(found.finish, str) else None,
        created=found.created if isinstance(found.created, float) and math.isfinite(found.created) else 0.0,
        origin=None,
        provenance="{}",
    )
    node = node_of(plain, {})
    node.provenance = _some_provenance(found, origins)
    try:
        if found.encoded:
            _fill(node, found, text)
    except NOT_IN_ORDER:
        return node, f"Node {found.id}: its token ids could not be read; its text will be encoded again."
    return node, f"Node {found.id}: something about it could not be read; the rest is here."


def _odds(logprobs: Any, count: int) -> Odds | None:
    """The odds of a node of an old session, which kept the logprobs in the provenance."""
    if not isinstance(logprobs, list) or not all(isinstance(value, float | int) for value in logprobs):
        return None
    known = [float(value) if -1e6 < value <= 0 else math.nan for value in logprobs[:count]]
    return Odds.of([*known, *([math.nan] * (count - len(known)))])


def _provenance(value: str, origin: Any, origins: Origins) -> dict[str, Any]:
    own: Any
    own = {} if value == "{}" else read_json(value)
    if not isinstance(own, dict):
        raise ValueError("not a table")
    if sound(own) is not own:
        raise ValueError("not a provenance")
    if origin is None:
        return own
    shared = {key: dict(part) if type(part) is dict else part for key, part in origins[origin].items()}
    return {**shared, **own}


def _some_provenance(found: Row, origins: Origins) -> dict[str, Any]:
    """As much of a provenance as makes sense."""
    try:
        own = read_json(found.provenance)
    except NOT_IN_ORDER:
        own = {}
    own = sound(own) if isinstance(own, dict) else {}
    try:
        return {**_provenance("{}", found.origin, origins), **own}
    except NOT_IN_ORDER:
        return own


def _some_text(value: Any) -> str:
    """As much of a text as can be read."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
