"""Texts in tokens, fitted to the text of a node: another program's tokens may tell more of a text than a node has,
or less, when it was split or edited since."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import accumulate, chain, pairwise
from typing import Any

from n8loom_tui.loom.bounds import MOST_ALTERNATIVES
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Alternative
from n8loom_tui.session.provenance import number, whole

from . import values
from .limits import LARGEST_TOKEN, MOST_PIECES
from .outline import Pieces
from .tally import Tally

IMPORTED = "imported"
"""The key in a provenance under which stands what came from another program."""
UNFITTING = "Nodes whose token probabilities do not fit their text, left out"


def is_told(heddle: Heddle) -> bool:
    """Whether another program's tokens of a text are all that is known of their probabilities."""
    imported = heddle.provenance.get(IMPORTED)
    return heddle.odds is None and isinstance(imported, dict) and "texts" in imported


def of_heddle(heddle: Heddle) -> Pieces | None:
    """A heddle's text in tokens, if it is known: its own tokens, or those another program knew."""
    texts = [heddle.text[start:end] for start, end in pairwise((0, *heddle.ends))]
    if is_told(heddle):
        told = checked(heddle.provenance[IMPORTED], heddle.text, Tally())
        if told is not None and told.texts == texts:
            told.tokens = list(heddle.tokens)
        return told
    if not heddle.tokens:
        return None
    pieces = Pieces(texts, tokens=list(heddle.tokens))
    if (odds := heddle.odds) is not None:
        pieces.logprobs = _known(odds.logprobs)
        pieces.entropies = _known(odds.entropies)
        others = [list(chain.from_iterable(alternatives)) for alternatives in odds.alternatives]
        pieces.others = others if any(others) else []
    return pieces


def _known(numbers: list[float]) -> list[float | None]:
    """Numbers of 32 bits, no longer than they need to be; empty if none is known."""
    found = [None if math.isnan(number) else float(f"{number:.9g}") for number in numbers]
    return found if any(number is not None for number in found) else []


def odds_of(pieces: Pieces) -> Odds | None:
    """What pieces know by token ids, as a heddle keeps it; None if there is nothing."""
    if not (pieces.logprobs or pieces.others or pieces.entropies):
        return None
    unknown = [math.nan] * len(pieces.texts)
    return Odds.of(
        _numbers(pieces.logprobs) or unknown,
        [
            [Alternative(int(token), logprob) for token, logprob in zip(found[::2], found[1::2], strict=True)]
            for found in pieces.others
        ],
        _numbers(pieces.entropies),
    )


def _numbers(found: list[float | None]) -> list[float]:
    return [math.nan if number is None else number for number in found]


def checked(found: dict[str, Any], text: str, tally: Tally) -> Pieces | None:
    """The columns `texts`, `logprobs` and so on as far as they make sense of `text`."""
    texts = found.get("texts")
    if not isinstance(texts, list) or not texts:
        return None
    right = len(texts) <= MOST_PIECES and all(isinstance(piece, str) for piece in texts)
    if not right or "".join(texts) != text:
        tally.mended[UNFITTING] += 1
        return None
    pieces = Pieces(texts)

    def column(name: str) -> list[Any]:
        values_found = found.get(name)
        if values_found is None:
            return []
        if not isinstance(values_found, list) or len(values_found) != len(texts):
            tally.mended[values.ODD] += 1
            return []
        return values_found

    pieces.logprobs = [values.logprob(value) for value in column("logprobs")]
    pieces.alternatives = [_in_turn(value, _text) for value in column("alternatives")]
    tokens = [_token(value) for value in column("tokens")]
    if tokens and None not in tokens:
        pieces.tokens = [token for token in tokens if token is not None]
        pieces.others = [_in_turn(value, _token) for value in column("others")]
        pieces.entropies = [_entropy(value) for value in column("entropies")]
    return pieces


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _token(value: Any) -> int | None:
    return whole(value, 0, LARGEST_TOKEN - 1)


def _entropy(value: Any) -> float | None:
    found = number(value)
    return found if found is not None and found >= 0 else None


def _in_turn(value: Any, read: Callable[[Any], Any]) -> list[Any]:
    """Alternatives and their log probabilities in turn."""
    if not isinstance(value, list):
        return []
    result: list[Any] = []
    for other, logprob in zip(value[: 2 * MOST_ALTERNATIVES : 2], value[1::2], strict=False):
        known, found = values.logprob(logprob), read(other)
        if found is not None and known is not None:
            result += (found, known)
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
