"""Requests that are answered at once: what a tokenizer makes of texts and tokens, and what is held of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .paths import resolve
from .protocol import Encode, Event, RequestFailed, RequestFinished, Spell, Spelled, Weigh
from .store import FragmentStore
from .survey import Survey, survey
from .text import spell
from .weight import weigh

Question = Encode | Spell | Weigh | Survey


def answer(question: Question, tokenizer: Any, store: FragmentStore) -> Sequence[Event]:
    """All there is to tell of a question."""
    match question:
        case Encode():
            return _encoded(question, tokenizer)
        case Spell():
            return _spelled(question, tokenizer)
        case Weigh():
            return [weigh(store, question), RequestFinished(question.id)]
        case Survey():
            return [survey(store, question)]


def _encoded(request: Encode, tokenizer: Any) -> Sequence[Event]:
    try:
        return resolve(tokenizer, request.path).told
    except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
        return [RequestFailed(request.id, f"the text could not be encoded: {error}")]


def _spelled(request: Spell, tokenizer: Any) -> Sequence[Event]:
    try:
        texts = tuple(spell(tokenizer, request.before, token) for token in request.tokens)
    except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
        return [RequestFailed(request.id, f"the tokens could not be decoded: {error}")]
    return [Spelled(request.id, texts), RequestFinished(request.id)]
