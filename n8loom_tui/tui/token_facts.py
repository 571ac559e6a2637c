"""What is known of single tokens: what else could stand there, and how it is spelled. What is missing
the engine is asked.

Lives on the UI's thread, knows no widget, and never waits: what is not known yet is there at a later look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from n8loom_tui.loom.heddle import Heddle, new_id
from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Alternative, Event, Request, RequestFailed, Scored, Spell, Spelled
from n8loom_tui.loom.text import CONTEXT_TOKENS
from n8loom_tui.session.known import Other, Told
from n8loom_tui.tui.document import Change, Document

MOST_SPELLED = 4096
"""How many places' spellings are kept."""


class Known(Enum):
    """What can be said of a place."""

    YES = "yes"
    TOLD = "told"  # not by this model, but by the program that the text comes from
    ASKED = "asked"  # the engine is reading it
    NO_MODEL = "no model"  # it will be asked once there is one
    FOREIGN = "foreign"  # these are another model's tokens
    UNREAD = "unread"  # no tokens are known yet
    NOTHING = "nothing"  # nothing can be known, as of a path's first token


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """One place in a node: the token there, what else could be, best first, with how each is spelled (None: not known
    yet). Where another program told it, it is `told`: texts, without token ids."""

    known: Known
    token: int = -1
    logprob: float = math.nan
    alternatives: tuple[Alternative, ...] = ()
    entropy: float = math.nan
    texts: tuple[str, ...] | None = None
    told: tuple[Other, ...] = ()
    standing: int = -1
    """Which of what could stand there does; -1 if none of it."""

    def choices(self) -> Iterator[tuple[str | None, float]]:
        """What could stand there, as (text, logprob)."""
        if self.told:
            yield from ((other.text, other.logprob) for other in self.told)
        else:
            texts = self.texts or (None,) * len(self.alternatives)
            yield from ((text, other.logprob) for text, other in zip(texts, self.alternatives, strict=True))


class TokenLore:
    """Asks the engine for what is not known of tokens, each thing once, and keeps the answers."""

    def __init__(self, document: Document, ask: Callable[[Request], None]) -> None:
        self._document = document
        self._ask = ask
        self._scoring: dict[str, list[int]] = {}
        """The nodes that were asked about, with the token ids they had."""
        self._spelled: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[str, ...] | None] = {}
        self._spelling: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._reading: dict[str, str] = {}
        self._told = Told()

    def at(self, node: Heddle, index: int) -> TokenFacts:
        """What is known of a node's token. Asks for the rest."""
        if node.odds is None and (told := self._as_told(node, index)) is not None:
            return told
        if not 0 <= index < len(node.tokens):
            return TokenFacts(Known.UNREAD)
        token = node.tokens[index]
        if not self._document.is_own(node) or not node.encoded:
            return TokenFacts(Known.FOREIGN, token)
        odds = node.odds
        logprob, alternatives, entropy = odds.at(index) if odds is not None else (math.nan, (), math.nan)
        if not alternatives:
            return TokenFacts(self.have_read(node), token, logprob, (), entropy)
        if all(other.token != token for other in alternatives) and not math.isnan(logprob):
            alternatives = (*alternatives, Alternative(token, logprob))
        texts = self.spelled(self.before(node, index), tuple(other.token for other in alternatives))
        standing = next((i for i, other in enumerate(alternatives) if other.token == token), -1)
        return TokenFacts(Known.YES, token, logprob, alternatives, entropy, texts, standing=standing)

    def _as_told(self, node: Heddle, index: int) -> TokenFacts | None:
        """What another program told of the place; None if it told nothing."""
        told = self._told.of(node)
        if told is None or not 0 <= index < len(node.tokens or told.ends):
            return None
        part = told.part_of(node, index)
        text = node.text[told.ends[part - 1] if part else 0 : told.ends[part]]
        logprob, others = told.logprobs[part], told.others(part)
        if all(other.text != text for other in others) and not math.isnan(logprob):
            others.append(Other(logprob, text=text))
        if not others:
            return None
        standing = next((i for i, other in enumerate(others) if other.text == text), -1)
        return TokenFacts(Known.TOLD, logprob=logprob, told=tuple(others), standing=standing)

    def have_read(self, node: Heddle) -> Known:
        """Have the engine find out how probable a node's tokens are, unless it did that."""
        if not self._document.is_own(node) or not node.encoded:
            return Known.FOREIGN
        if self._document.model is None:
            return Known.NO_MODEL
        if node.id in self._document.growing:
            return Known.ASKED
        if self._scoring.get(node.id) is node.tokens:
            return Known.ASKED if node.id in self._reading.values() else Known.NOTHING
        self._scoring[node.id] = node.tokens
        request = self._document.score_request(node)
        self._reading[request.id] = node.id
        self._ask(request)
        return Known.ASKED

    def before(self, node: Heddle, index: int) -> tuple[int, ...]:
        """The tokens that stand before one, as many as its spelling may depend on."""
        before = node.tokens[max(index - CONTEXT_TOKENS, 0) : index]
        above = node.parent
        while above is not None and len(before) < CONTEXT_TOKENS and self._document.is_own(above):
            before = above.tokens[-(CONTEXT_TOKENS - len(before)) :] + before
            above = above.parent
        return tuple(before)

    def spelled(self, before: tuple[int, ...], tokens: tuple[int, ...]) -> tuple[str, ...] | None:
        """How tokens are spelled behind others. None: it is not known yet."""
        key = before[-CONTEXT_TOKENS:], tokens
        if key in self._spelled:
            return self._spelled[key]
        if self._document.model is None:
            return None
        if len(self._spelled) >= MOST_SPELLED:
            self._spelled = {kept: texts for kept, texts in self._spelled.items() if texts is None}
        self._spelled[key] = None
        request = Spell(new_id(), *key)
        self._spelling[request.id] = key
        self._ask(request)
        return None

    def take(self, event: Event) -> Change | None:
        """Enter an answer, if the event is one."""
        match event:
            case Scored(request_id=request):
                self._reading.pop(request, None)
                return self._scored(event)
            case Spelled(request_id=request, texts=texts) if request in self._spelling:
                self._spelled[self._spelling.pop(request)] = texts
            case RequestFailed(request_id=request):
                self._reading.pop(request, None)
                self._spelling.pop(request, None)
        return None

    def _scored(self, event: Scored) -> Change:
        """Enter what the model makes of a node's tokens, if it still holds them. No step of the history."""
        change, document = Change(), self._document
        node = document.nodes.get(event.node_id)
        if node is not None and node.id not in document.growing and tuple(node.tokens) == event.tokens:
            node.odds = Odds.of(event.logprobs, event.alternatives, event.entropies)
            document.pending.content(node)
            change.touch(node)
        return change
