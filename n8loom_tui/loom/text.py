"""Between text and token ids: encoding in context, and decoding token by token.

Works with whatever tokenizer a model brings (an mlx-lm `TokenizerWrapper` or a transformers tokenizer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .protocol import Framing

REPLACEMENT = "\ufffd"
CONTEXT_TOKENS = 16
"""How many tokens before a span are decoded with it, so that spaces and half characters come out right."""
LONGEST_HALF_CHARACTER = 6
"""A character is complete after at most this many tokens; what stays undecodable for longer is shown."""
_ANSWER = "n8loom-answer"
"""Stands in a template where an answer would, to find out what comes behind it."""
LONGEST_HELD = 32
"""Undecodable tokens in a row after which even the last of them is shown."""


@dataclass(frozen=True, slots=True)
class EncodedText:
    """Token ids with their text; `ends[i]` is the number of characters that stand once token i is read."""

    tokens: list[int]
    text: str
    ends: list[int]


def _inner(tokenizer: Any) -> Any:
    """The transformers tokenizer inside mlx-lm's wrapper, or the tokenizer itself."""
    wrapped = type(tokenizer).__name__ == "TokenizerWrapper"
    return getattr(tokenizer, "_tokenizer", tokenizer) if wrapped else tokenizer


def _decoding(tokenizer: Any) -> Callable[[list[int]], str]:
    """What gives all of the text of tokens, special ones shown, nothing tidied."""
    inner = _inner(tokenizer)
    backend = getattr(inner, "backend_tokenizer", None)
    if backend is not None:
        return partial(backend.decode, skip_special_tokens=False)
    return partial(inner.decode, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    """All of the text of `tokens`, special tokens shown, nothing tidied."""
    return _decoding(tokenizer)(list(tokens))


def _whole_characters(tokenizer: Any, window: list[int], cut: bool) -> tuple[int, int]:
    """Where in a window its whole characters begin and end. `cut`: it may begin inside one.

    Some decoders show a whole run of bytes as broken if only its first or its last character is.
    """
    for stop in range(len(window), max(len(window) - 4, 0), -1):
        for start in range(min(4, stop) if cut else 1):
            text = decode(tokenizer, window[start:stop])
            if not (text.endswith(REPLACEMENT) or (cut and text.startswith(REPLACEMENT))):
                return start, stop
    stop = len(window)
    while stop > 0 and decode(tokenizer, window[:stop]).endswith(REPLACEMENT):
        stop -= 1
    return 0, stop


class IncrementalDecoder:
    """Turns a stream of token ids into pieces of text that add up to the text of them all.

    A piece is given out once its last character is complete; so half a character at the end of `before`
    belongs to the token that completes it, and one at the end of the stream is not given out at all.
    """

    def __init__(self, tokenizer: Any, before: Sequence[int] = ()) -> None:
        self._decode = _decoding(tokenizer)
        window = list(before[-CONTEXT_TOKENS:])
        first, whole = _whole_characters(tokenizer, window, cut=len(window) == CONTEXT_TOKENS)
        self._window = window[first:whole]
        self._start = 0
        self._whole = len(self._window)
        self._said = len(self._decode(self._window))
        for token in window[whole:]:
            self.push(token)

    def push(self, token: int) -> str:
        """The characters that `token` completed."""
        self._window.append(token)
        text = self._decode(self._window[self._start :])
        held = len(self._window) - self._whole
        broken = text.endswith(REPLACEMENT)
        if broken and held <= LONGEST_HALF_CHARACTER:
            return ""
        whole = not broken or held > LONGEST_HELD
        piece = text[self._said : len(text) if whole else len(text) - 1]
        self._said += len(piece)
        if whole:
            self._move_on()
        return piece

    def _move_on(self) -> None:
        """No character is unfinished: what lies before the last such place is no longer needed."""
        self._start, self._whole = self._whole, len(self._window)
        if self._start > 4 * CONTEXT_TOKENS:
            del self._window[: self._start]
            self._start, self._whole = 0, self._whole - self._start
        self._said = len(self._decode(self._window[self._start :]))


def decode_span(tokenizer: Any, before: Sequence[int], tokens: Sequence[int]) -> EncodedText:
    """The text that `tokens` add behind `before`, with its end after each token."""
    decoder = IncrementalDecoder(tokenizer, before)
    pieces: list[str] = []
    ends: list[int] = []
    length = 0
    for token in tokens:
        piece = decoder.push(token)
        pieces.append(piece)
        length += len(piece)
        ends.append(length)
    return EncodedText(list(tokens), "".join(pieces), ends)


def spell(tokenizer: Any, before: Sequence[int], token: int) -> str:
    """The text that a token would add behind `before`; half a character is shown as U+FFFD."""
    tail = before[-CONTEXT_TOKENS:]
    return IncrementalDecoder(tokenizer, tail).push(token) or decode(tokenizer, [token])


def leading_special_tokens(tokenizer: Any, text: str = "a") -> list[int]:
    """The special tokens that the tokenizer itself puts before a text (a BOS, say). Often none."""
    inner = _inner(tokenizer)
    plain = list(inner.encode(text, add_special_tokens=False))
    full = list(inner.encode(text, add_special_tokens=True))
    for start in range(len(full) - len(plain) + 1):
        if full[start : start + len(plain)] == plain:
            return full[:start]
    return []


def encode_continuation(tokenizer: Any, text: str, before: Sequence[int]) -> EncodedText:
    """Token ids of a text that goes on behind `before`, with nothing put in front.

    Tokenizers of the SentencePiece kind put a space before a text; where that space would show, the text is
    encoded behind a newline and the newline's tokens are dropped.
    """
    if not text:
        return EncodedText([], "", [])
    inner = _inner(tokenizer)
    tokens = list(inner.encode(text, add_special_tokens=False))
    span = decode_span(tokenizer, before, tokens)
    if span.text == text or not before:
        return span
    lead = list(inner.encode("\n", add_special_tokens=False))
    led = list(inner.encode("\n" + text, add_special_tokens=False))
    if led[: len(lead)] == lead:
        without = decode_span(tokenizer, before, led[len(lead) :])
        if without.text == text:
            return without
    return span


def encode_beginning(tokenizer: Any, text: str) -> EncodedText:
    """Token ids of a text at the very beginning, behind the tokenizer's own leading tokens (without text)."""
    lead = leading_special_tokens(tokenizer)
    body = list(_inner(tokenizer).encode(text, add_special_tokens=False)) if text else []
    span = decode_span(tokenizer, (), body)
    return EncodedText(lead + body, span.text, [0] * len(lead) + span.ends)


def has_chat_template(tokenizer: Any) -> bool:
    """Whether the model has a chat template."""
    flag = getattr(tokenizer, "has_chat_template", None)
    return bool(flag) if flag is not None else getattr(tokenizer, "chat_template", None) is not None


def _templated(tokenizer: Any, messages: list[dict[str, str]], *, tokenize: bool, **values: str) -> Any:
    """Messages in the model's chat template with the opening of the answer: token ids, or their text. `values` are for
    the template."""
    extra: dict[str, Any] = {**values}
    if type(tokenizer).__name__ != "TokenizerWrapper":
        extra["return_dict"] = False
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=tokenize, **extra)


def encode_chat(tokenizer: Any, prompt: str, system: str = "") -> EncodedText:
    """A user's message in the model's chat template with the opening of the answer, as token ids, once.

    `system` empty: what the template puts there by itself.
    """
    messages = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    return decode_span(tokenizer, (), list(_templated(tokenizer, messages, tokenize=True)))


def encode_turn(tokenizer: Any, message: str, before: Sequence[int]) -> EncodedText:
    """A user's further message: all that the template puts behind an answer, up to the opening of the next one.

    The answer's own tokens stand in `before`, without the token that ends it; that token is the first here.

    Raises:
        ValueError: the template does not show an answer as it is.
    """
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": _ANSWER},
        {"role": "user", "content": message},
    ]
    text = str(_templated(tokenizer, messages, tokenize=False))
    _, answer, behind = text.partition(_ANSWER)
    if not answer:
        raise ValueError("the model's chat template does not hold what was answered before")
    return encode_continuation(tokenizer, behind, before)


def encode_opening(tokenizer: Any, message: str, before: Sequence[int]) -> EncodedText:
    """A user's first message behind a text that is no conversation: nothing that belongs to a beginning alone."""
    messages = [{"role": "user", "content": message}]
    tokens = list(_templated(tokenizer, messages, tokenize=True, bos_token=""))
    lead = leading_special_tokens(tokenizer)
    if lead and tokens[: len(lead)] == lead:
        tokens = tokens[len(lead) :]
    return decode_span(tokenizer, before, tokens)


def effective_framing(tokenizer: Any, framing: Framing) -> Framing:
    """The framing that a text gets: without a chat template, a chat message is raw text."""
    if has_chat_template(tokenizer):
        return framing
    match framing:
        case Framing.CHAT:
            return Framing.RAW
        case Framing.TURN | Framing.OPENING:
            return Framing.CONTINUATION
    return framing


def encode(
    tokenizer: Any, text: str, framing: Framing, before: Sequence[int] = (), system: str = ""
) -> EncodedText:
    """Token ids of `text` in the framing asked for (`effective_framing` tells what a model can have)."""
    match effective_framing(tokenizer, framing):
        case Framing.CHAT:
            return encode_chat(tokenizer, text, system)
        case Framing.TURN:
            return encode_turn(tokenizer, text, before)
        case Framing.OPENING:
            return encode_opening(tokenizer, text, before)
        case Framing.RAW:
            return encode_beginning(tokenizer, text)
        case Framing.CONTINUATION:
            return encode_continuation(tokenizer, text, before)
