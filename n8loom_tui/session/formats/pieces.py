"""Texts in tokens, fitted to the text of a node: another program's tokens may tell more of a text than a node has,
or less, when it was split or edited since."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

from n8loom_tui.loom.heddle import Heddle

from . import values
from .limits import LARGEST_TOKEN, MOST_ALTERNATIVES, MOST_PIECES
from .outline import Pieces
from .tally import Tally

IMPORTED = "imported"
"""The key in a provenance under which stands what came from another program."""
UNFITTING = "Nodes whose token probabilities do not fit their text, left out"


def of_heddle(heddle: Heddle) -> Pieces | None:
    """A heddle's text in tokens, if it is known: its own tokens, or those another program knew."""
    known = heddle.provenance.get(IMPORTED)
    if isinstance(known, dict) and "texts" in known:
        told = checked(known, heddle.text, Tally())
        if told is not None and told.texts == _texts(heddle):
            told.tokens = list(heddle.tokens)
        return told
    if not heddle.tokens:
        return None
    logprobs = heddle.provenance.get("logprobs")
    count = len(heddle.tokens)
    pieces = Pieces(_texts(heddle), tokens=list(heddle.tokens))
    if isinstance(logprobs, list) and len(logprobs) >= count:
        pieces.logprobs = [values.logprob(value) for value in logprobs[:count]]
    return pieces


def _texts(heddle: Heddle) -> list[str]:
    text = heddle.text
    return [text[start:end] for start, end in pairwise((0, *heddle.ends))]


def checked(found: dict[str, Any], text: str, tally: Tally) -> Pieces | None:
    """The columns `texts`, `logprobs`, `alternatives` and `tokens` as far as they make sense of `text`."""
    texts = found.get("texts")
    if not isinstance(texts, list) or not texts:
        return None
    right = len(texts) <= MOST_PIECES and all(isinstance(piece, str) for piece in texts)
    if not right or "".join(texts) != text:
        tally.mended[UNFITTING] += 1
        return None
    pieces = Pieces(texts)
    logprobs = _column(found, "logprobs", len(texts), tally)
    pieces.logprobs = [values.logprob(value) for value in logprobs]
    pieces.alternatives = [
        _alternatives(value) for value in _column(found, "alternatives", len(texts), tally)
    ]
    tokens = _column(found, "tokens", len(texts), tally)
    if tokens and all(values.whole(token, 0, LARGEST_TOKEN - 1) is not None for token in tokens):
        pieces.tokens = tokens
    return pieces


def _column(found: dict[str, Any], name: str, length: int, tally: Tally) -> list[Any]:
    column = found.get(name)
    if column is None:
        return []
    if not isinstance(column, list) or len(column) != length:
        tally.mended[values.ODD] += 1
        return []
    return column


def _alternatives(value: Any) -> list[str | float]:
    """Texts and log probabilities in turn."""
    if not isinstance(value, list):
        return []
    result: list[str | float] = []
    for text, logprob in zip(value[: 2 * MOST_ALTERNATIVES : 2], value[1::2], strict=False):
        known = values.logprob(logprob)
        if isinstance(text, str) and known is not None:
            result += (text, known)
    return result


def fitted(pieces: Pieces, text: str, tally: Tally) -> Pieces | None:
    """Pieces of a longer or a shorter text as pieces of this one; None where they have nothing in common.

    What stands before or behind them becomes a piece that nothing is known of, and so does a token that is cut.
    """
    whole = "".join(pieces.texts)
    if not whole or not text or len(pieces.texts) > MOST_PIECES:
        tally.mended[UNFITTING] += 1
        return None
    if whole == text:
        return pieces
    if (before := text.find(whole)) >= 0:
        return _padded(pieces, text[:before], text[before + len(whole) :])
    if (before := whole.find(text)) >= 0:
        return _cut(pieces, before, before + len(text))
    same = _common(pieces.texts, text)
    if not same:
        tally.mended[UNFITTING] += 1
        return None
    length = sum(map(len, pieces.texts[:same]))
    return _padded(_part(pieces, 0, same), "", text[length:])


def _part(pieces: Pieces, start: int, stop: int) -> Pieces:
    return Pieces(pieces.texts[start:stop], pieces.logprobs[start:stop], pieces.alternatives[start:stop])


def _padded(pieces: Pieces, before: str, behind: str) -> Pieces:
    front, back = [before] if before else [], [behind] if behind else []
    return Pieces(
        [*front, *pieces.texts, *back],
        [*(None for _ in front), *pieces.logprobs, *(None for _ in back)] if pieces.logprobs else [],
        [*([] for _ in front), *pieces.alternatives, *([] for _ in back)] if pieces.alternatives else [],
    )


def _cut(pieces: Pieces, start: int, stop: int) -> Pieces:
    """The characters from `start` to `stop`."""
    ends = list(accumulate(map(len, pieces.texts)))
    inside = [
        index for index, end in enumerate(ends) if start <= end - len(pieces.texts[index]) and end <= stop
    ]
    if not inside:
        return Pieces([("".join(pieces.texts))[start:stop]])
    first, last = inside[0], inside[-1]
    whole = "".join(pieces.texts)
    begins = ends[first] - len(pieces.texts[first])
    return _padded(_part(pieces, first, last + 1), whole[start:begins], whole[ends[last] : stop])


def _common(texts: list[str], text: str) -> int:
    """How many pieces the text begins with."""
    at = 0
    for count, piece in enumerate(texts):
        if not text.startswith(piece, at):
            return count if at else 0
        at += len(piece)
    return len(texts)
