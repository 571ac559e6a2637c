"""The tree: heddles (nodes) and looms (roots), with their edits. Plain Python; importing it loads no MLX.

Token ids are the truth and text is decoded from them. Tensors belong to an engine (`loom.engine`), which
finds the fragments of any path by its token ids; so an edit here never has to touch a tensor, and whatever
the tree did, a node goes on as a fresh run would.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .framed import Framed
from .kinds import MESSAGE, SYSTEM, Kind
from .late import Late, LateSpan
from .marks import NO_MARKS, Marks
from .odds import Odds, count_of
from .protocol import Alternative, Framing
from .standing import Standing
from .text import decode_span, encode, has_chat_template
from .weaving import Weaving

if TYPE_CHECKING:
    from .fragments import KVFrag


__all__ = ["Heddle", "Kind", "Loom", "new_id"]


def new_id() -> str:
    """A fresh node id: 12 hexadecimal digits."""
    return os.urandom(6).hex()


class Heddle(Weaving, Standing, Framed, Late):
    """A node: a span of text as token ids, that goes on from its parent.

    Attributes:
        model, tokenizer: what it is generated with (None in a tree that no model was loaded for).
        tokens: token ids of this node's span alone.
        text: the text of those tokens. Setting it encodes anew.
        ends: for each token, how many characters of `text` stand once it is read; `text[:ends[k - 1]]` is the
            text of the first k tokens. A token that only begins a character adds none.
        children, parent: the tree.
        terminal: the model ended here by itself (or a person said so); nothing is generated behind it.
        odds: what is known of each token, or None. `logprobs`, `alternatives` and `entropies` read it.
        kind, finish, created (seconds since 1970), provenance: where it came from.
        encoded: False while a text still waits for a tokenizer; `tokens` is empty until then.
        marks: what a person hung on it (bookmark, tags, note), and whether it was seen.
        frag: the node's cache fragments, one `KVFrag` per layer. Reading it computes what is missing.
    """

    __slots__ = (
        "__dict__",
        "_odds",
        "_text",
        "children",
        "created",
        "encoded",
        "ends",
        "finish",
        "id",
        "kind",
        "model",
        "parent",
        "provenance",
        "terminal",
        "tokenizer",
        "tokens",
    )

    marks: Marks = NO_MARKS

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        text: str | list[int],
        frags: list[KVFrag] | None,
        children: list[Heddle] | None,
        parent: Heddle | None = None,
        trim_toks: int = 1,
    ) -> None:
        """Make a node of a text (or of token ids), behind `parent` if one is given.

        As in n8loom the node is not entered into `parent.children`; `add_child` does that. `frags` are cache
        fragments computed for these tokens behind that parent. `trim_toks` is how many leading tokens may be
        dropped, and only special tokens that the tokenizer itself put in front are.
        """
        self._blank()
        self.model = model
        self.tokenizer = tokenizer
        self.parent = parent
        self.children = children if children is not None else []
        for child in self.children:
            child.parent = self
        self._fill(text, parent is None and trim_toks == 0)
        if frags is not None and (not isinstance(text, str) or hasattr(text, "tokens")):
            self._adopt(frags)

    def _blank(self) -> None:
        self.id = new_id()
        self._text = ""
        self.tokens: list[int] = []
        self.ends: list[int] = []
        self._odds: Odds | bytes | None = None
        self._late_span = self._late_provenance = None
        self.encoded = True
        self.children = []
        self.parent = None
        self.terminal = False
        self.kind = Kind.WRITTEN
        self.finish: str | None = None
        self.created = time.time()
        self.provenance: dict[str, Any] = {}
        self.model = None
        self.tokenizer = None

    def _fill(self, content: str | list[int], at_beginning: bool) -> None:
        """Set text, tokens and ends from a text or from token ids."""
        before = self.parent.get_prefix_tokens() if self.parent is not None else []
        if not isinstance(content, str):
            span = decode_span(self.tokenizer, before, content)
        elif (known := getattr(content, "tokens", None)) is not None:
            span = decode_span(self.tokenizer, before, known)
        elif self.tokenizer is None:
            self._text, self.tokens, self.ends, self.encoded, self._odds = content, [], [], False, None
            return
        else:
            span = encode(
                self.tokenizer, content, Framing.RAW if at_beginning else Framing.CONTINUATION, before
            )
        self.set_span(span.tokens, span.text, span.ends)

    @classmethod
    def from_span(
        cls,
        tokens: list[int],
        text: str,
        ends: list[int],
        *,
        odds: Odds | None = None,
        kind: Kind = Kind.GENERATED,
        model: Any = None,
        tokenizer: Any = None,
    ) -> Heddle:
        """A node of token ids whose text is already known. Nothing is encoded or decoded."""
        node = Heddle.__new__(Heddle)
        node._blank()
        node.kind = kind
        node.model = model
        node.tokenizer = tokenizer
        node.set_span(tokens, text, ends, odds)
        return node

    @classmethod
    def from_text(cls, text: str) -> Heddle:
        """A written node that no tokenizer has read yet."""
        node = Heddle.__new__(Heddle)
        node._blank()
        node._text, node.encoded = text, False
        return node

    @classmethod
    def turn(cls, message: str) -> Heddle:
        """A user's message that no tokenizer has read yet; it will stand in the model's chat template."""
        node = Heddle.from_text(message)
        node.kind = Kind.TURN
        node.provenance = {MESSAGE: message}
        return node

    def set_span(self, tokens: list[int], text: str, ends: list[int], odds: Odds | None = None) -> None:
        """Put token ids and their text in place, and what is known of them."""
        if len(tokens) != len(ends):
            raise ValueError(f"{len(tokens)} tokens do not match {len(ends)} ends")
        if odds is not None and len(odds) != len(tokens):
            raise ValueError(f"{len(tokens)} tokens do not match the odds of {len(odds)}")
        self.tokens, self._text, self.ends, self._odds, self.encoded = tokens, text, ends, odds, True
        self._late_span = None

    @classmethod
    def stored(cls, text: str, span: LateSpan, provenance: Callable[[], dict[str, Any]] | None) -> Heddle:
        """A node that a file holds, in no tree: what is not given here is still to be set, and `span` and `provenance`
        are unpacked when somebody asks for them."""
        node = Heddle.__new__(Heddle)
        node.parent = node.model = node.tokenizer = node._odds = None
        node.children = []
        node._text, node.encoded = text, True
        node._late_span, node._late_provenance = span, provenance
        return node

    def append_token(
        self,
        token: int,
        piece: str,
        logprob: float = math.nan,
        alternatives: Sequence[Alternative] = (),
        entropy: float = math.nan,
    ) -> None:
        """Add one token, and the characters it completed, to a node that is being generated."""
        odds = self.odds
        if odds is None and not (math.isnan(logprob) and math.isnan(entropy) and not alternatives):
            odds = self._odds = Odds.of([math.nan] * len(self.tokens))
        if odds is not None:
            odds.append(logprob, alternatives, entropy)
        self.tokens.append(token)
        self._text += piece
        self.ends.append(len(self._text))

    @property
    def odds(self) -> Odds | None:
        """What is known of each token, if anything is."""
        if isinstance(self._odds, bytes):
            self._odds = Odds.unpack(self._odds)
        return self._odds

    @odds.setter
    def odds(self, odds: Odds | None) -> None:
        self._odds = odds

    @property
    def packed_odds(self) -> bytes | None:
        """The odds as they are stored. They may be set so, and are not looked into before they are asked for.

        Setting raises ValueError where these are no odds of as many tokens.
        """
        return self._odds.pack() if isinstance(self._odds, Odds) else self._odds

    @packed_odds.setter
    def packed_odds(self, data: bytes) -> None:
        if count_of(data) != self.token_count:
            raise ValueError(f"{self.token_count} tokens do not match the odds of others")
        self._odds = data

    @property
    def logprobs(self) -> list[float]:
        """The log probability of each token by the model's own distribution; NaN where it is not known."""
        return odds.logprobs if (odds := self.odds) is not None else [math.nan] * len(self.tokens)

    @property
    def alternatives(self) -> list[tuple[Alternative, ...]]:
        """For each token what else could stand there: `(token, logprob)`, best first; empty if not known.

        Logprobs are kept to a thousandth of a nat, and down to -64.
        """
        return odds.alternatives if (odds := self.odds) is not None else [()] * len(self.tokens)

    @property
    def entropies(self) -> list[float]:
        """The entropy of each token's position in nats; NaN where it is not known."""
        return odds.entropies if (odds := self.odds) is not None else [math.nan] * len(self.tokens)

    @property
    def text(self) -> str:
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._fill(text, self.parent is None)

    # ------------------------------------------------------------------ edits

    def clip(self, token_limit: int) -> Heddle:
        """Keep the first `token_limit` tokens (all but the last -`token_limit` if negative).

        If anything is cut the children go too, and the node is no longer terminal. Returns the node itself.
        """
        if token_limit < 0:
            token_limit = max(len(self.tokens) + token_limit, 0)
        if len(self.tokens) > token_limit:
            self.tokens = self.tokens[:token_limit]
            self.ends = self.ends[:token_limit]
            odds = self.odds
            self._odds = odds.part(0, token_limit) if odds is not None else None
            self._text = self._text[: self.ends[-1]] if self.ends else ""
            self.terminal = False
            self.finish = None
            self.to_leaf()
        return self

    def trim(self, token_trim: int) -> Heddle:
        """Drop the last `token_trim` tokens. Returns the node itself."""
        return self.clip(-token_trim) if token_trim > 0 else self

    def to_leaf(self) -> Heddle:
        """Drop all children. Returns the node itself."""
        for child in self.children:
            child.parent = None
        self.children = []
        return self

    def add_child(self, child: Heddle) -> Heddle:
        """Enter a node as the last child. Returns the child.

        Raises:
            ValueError: the node is this one or stands above it.
        """
        if any(child is above for above in (self.ancestors() if self._may_be_below(child) else (self,))):
            raise ValueError("a heddle cannot become a child of itself or of what stands below it")
        self.children.append(child)
        child.parent = self
        return child

    def _may_be_below(self, child: Heddle) -> bool:
        """Whether it takes a look all the way up to see that this does not stand below a node. Below one that is new,
        which most are that are entered, nothing stands; below a root may be what was made behind it and not entered."""
        own = child.parent is None or child.parent is self
        return bool(child.children) or not own or child is self.parent or isinstance(child, Loom)

    def add_text_child(self, text: str) -> Heddle:
        """Make a child of a text and enter it. Returns the child."""
        return self.add_child(Heddle(self.model, self.tokenizer, text, None, [], self))

    def remove_child(self, child: Heddle) -> Heddle:
        """Take a child out. Returns it; with `add_child` it can come back.

        Raises:
            ValueError: it is not a child of this node.
        """
        for index, candidate in enumerate(self.children):
            if candidate is child:
                del self.children[index]
                child.parent = None
                return child
        raise ValueError("not a child of this heddle")

    def __repr__(self) -> str:
        below = self.count_children() - 1
        return f"{type(self).__name__}({self.text!r}, {len(self.children)} children, {below} nodes below)"


class Loom(Heddle):
    """The root of a tree: a prompt, in the model's chat template where it has one.

    Attributes:
        user_prompt: what the person wrote.
        chat_template_used: whether it stands in the chat template.
    """

    __slots__ = ("chat_template_used", "user_prompt")

    def __init__(
        self, model: Any, tokenizer: Any, prompt: str, *, chat: bool | None = None, system: str = ""
    ) -> None:
        """`chat` None: in the chat template if the model has one; False: as it stands; True: in the template.
        `system`: the system's message in the template; empty: what the template puts there by itself.

        Without a tokenizer the prompt waits to be encoded, and `chat_template_used` says what is wanted.
        """
        self._blank()
        self.kind = Kind.PROMPT
        self.model = model
        self.tokenizer = tokenizer
        self.user_prompt = prompt
        if system and chat is not False:
            self.provenance = {SYSTEM: system}
        if tokenizer is None:
            self.chat_template_used = chat is not False
            self._text, self.encoded = prompt, False
            return
        self.chat_template_used = chat is not False and has_chat_template(tokenizer)
        span = encode(tokenizer, prompt, self.framing(), system=self.system)
        self.set_span(span.tokens, span.text, span.ends)

    @property
    def opens_conversation(self) -> bool:
        return self.chat_template_used

    def framing(self) -> Framing:
        return Framing.CHAT if self.chat_template_used else Framing.RAW

    def source_text(self) -> str:
        return self.user_prompt

    def display_text(self) -> str:
        if self.chat_template_used:
            return f"Prompt: {self.user_prompt}\n\nResponse:\n\n"
        return self.text
