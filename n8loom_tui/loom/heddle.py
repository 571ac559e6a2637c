"""The tree: heddles (nodes) and looms (roots), with their edits. Plain Python; importing it loads no MLX.

Token ids are the truth and text is decoded from them. Tensors belong to an engine (`loom.engine`), which
finds the fragments of any path by its token ids; so an edit here never has to touch a tensor, and whatever
the tree did, a node goes on as a fresh run would.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Any

from .marks import NO_MARKS, Marks
from .odds import Odds
from .protocol import Alternative, Condition, Framing, Segment
from .text import decode_span, encode, has_chat_template

if TYPE_CHECKING:
    from .fragments import KVFrag


class Kind(StrEnum):
    """Where a node's text came from."""

    PROMPT = "prompt"
    GENERATED = "generated"
    WRITTEN = "written"
    EDITED = "edited"


def new_id() -> str:
    """A fresh node id: 12 hexadecimal digits."""
    return uuid.uuid4().hex[:12]


class Heddle:
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
        "_text",
        "children",
        "created",
        "encoded",
        "ends",
        "finish",
        "id",
        "kind",
        "model",
        "odds",
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
        self.odds: Odds | None = None
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
            self._text, self.tokens, self.ends, self.encoded, self.odds = content, [], [], False, None
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

    def set_span(self, tokens: list[int], text: str, ends: list[int], odds: Odds | None = None) -> None:
        """Put token ids and their text in place, and what is known of them."""
        if len(tokens) != len(ends):
            raise ValueError(f"{len(tokens)} tokens do not match {len(ends)} ends")
        if odds is not None and len(odds) != len(tokens):
            raise ValueError(f"{len(tokens)} tokens do not match the odds of {len(odds)}")
        self.tokens, self._text, self.ends, self.odds, self.encoded = tokens, text, ends, odds, True

    def append_token(
        self,
        token: int,
        piece: str,
        logprob: float = math.nan,
        alternatives: Sequence[Alternative] = (),
        entropy: float = math.nan,
    ) -> None:
        """Add one token, and the characters it completed, to a node that is being generated."""
        if self.odds is None and not (math.isnan(logprob) and math.isnan(entropy) and not alternatives):
            self.odds = Odds.of([math.nan] * len(self.tokens))
        if self.odds is not None:
            self.odds.append(logprob, alternatives, entropy)
        self.tokens.append(token)
        self._text += piece
        self.ends.append(len(self._text))

    @property
    def logprobs(self) -> list[float]:
        """The log probability of each token by the model's own distribution; NaN where it is not known."""
        return self.odds.logprobs if self.odds is not None else [math.nan] * len(self.tokens)

    @property
    def alternatives(self) -> list[tuple[Alternative, ...]]:
        """For each token what else could stand there: `(token, logprob)`, best first; empty if not known.

        Logprobs are kept to a thousandth of a nat, and down to -64.
        """
        return self.odds.alternatives if self.odds is not None else [()] * len(self.tokens)

    @property
    def entropies(self) -> list[float]:
        """The entropy of each token's position in nats; NaN where it is not known."""
        return self.odds.entropies if self.odds is not None else [math.nan] * len(self.tokens)

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
            self.odds = self.odds.part(0, token_limit) if self.odds is not None else None
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
        if any(child is above for above in self.ancestors()):
            raise ValueError("a heddle cannot become a child of itself or of what stands below it")
        self.children.append(child)
        child.parent = self
        return child

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

    # ------------------------------------------------------------- generation

    @property
    def frag(self) -> list[KVFrag]:
        """The node's cache fragments, one per layer: keys and values `[1, kv_heads, tokens, head_dim]`."""
        from .engine import engine_for

        before = self.parent.get_prefix_tokens() if self.parent is not None else []
        return engine_for(self.model, self.tokenizer).fragments(before, self.tokens)

    @frag.setter
    def frag(self, frags: list[KVFrag]) -> None:
        self._adopt(frags)

    def _adopt(self, frags: list[KVFrag]) -> None:
        """Keep fragments, where it is known what they stand behind. Elsewhere they are computed when needed: kept
        for another path they would make its logits wrong."""
        from .engine import engine_for

        if self.parent is not None:
            engine_for(self.model, self.tokenizer).adopt(self.parent.get_prefix_tokens(), self.tokens, frags)

    def get_prefix_cache(self) -> list[Any]:
        """The cache of the path down to this node: an mlx-lm `KVCache` per layer, the caller's to change."""
        from .engine import engine_for

        return engine_for(self.model, self.tokenizer).prefix_cache(self.get_prefix_tokens())

    def make_children(
        self, n: int = 4, temp: float = 0.8, max_tokens: int = 8, min_p: float = 0.05, **kwargs: Any
    ) -> list[Heddle]:
        """Generate `n` children in one batch and enter them. Returns them; none behind a terminal node.

        Further keywords: `top_p`, `top_k`, `repetition_penalty`, `repetition_context_size`,
        `min_tokens_to_keep`, `stop_strings`, `seed` (branch i gets a seed derived from it and i).
        """
        from .weave import make_children

        return make_children(self, n, temp=temp, max_tokens=max_tokens, min_p=min_p, **kwargs)

    def make_child_stream(
        self, n: int = 4, temp: float = 0.8, max_tokens: int = 8, min_p: float = 0.05, **kwargs: Any
    ) -> Generator[dict[str, Any], None, list[Heddle]]:
        """Generate `n` children and tell about it: dictionaries of `"type"` `"update"`, then one `"final"`.

        Closing the generator early keeps what was generated as children. Keywords as for `make_children`.
        """
        from .weave import make_child_stream

        return make_child_stream(self, n, temp=temp, max_tokens=max_tokens, min_p=min_p, **kwargs)

    def ramify(self, arg: str | list[str] | None = None, **kwargs: Any) -> Any:
        """Grow this node: by a text, by several texts, or by generating (`stream=True` for a generator).

        Returns the child, the list of children, or the generator of `make_child_stream`.
        """
        if isinstance(arg, str):
            return self.add_text_child(arg)
        if isinstance(arg, list) and all(isinstance(text, str) for text in arg):
            return [self.add_text_child(text) for text in arg]
        if arg is not None:
            raise TypeError(f"ramify takes a text or a list of texts, not {type(arg).__name__}")
        if kwargs.pop("stream", False):
            return self.make_child_stream(**kwargs)
        return self.make_children(**kwargs)

    def ramify_all(
        self,
        nodes: Sequence[Heddle] | None = None,
        n: int = 4,
        *,
        temp: float = 0.8,
        max_tokens: int = 8,
        min_p: float = 0.05,
        stream: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Generate `n` children of each of these nodes (None: of all leaves), all of them in one batch.

        Returns a list of children for each node, or with `stream` a generator as `make_child_stream`'s, whose
        `children` are these lists. Keywords as for `make_children`; with a `seed` all branches get different
        ones.

        Raises:
            ValueError: the nodes are of several models.
        """
        from .weave import ramify_all, ramify_all_stream

        chosen = list(nodes) if nodes is not None else [node for node in self.walk() if not node.children]
        grow = ramify_all_stream if stream else ramify_all
        return grow(chosen, n, temp=temp, max_tokens=max_tokens, min_p=min_p, **kwargs)

    def weave_until(
        self,
        condition: Condition | Iterable[Condition],
        n: int = 4,
        *,
        depth: int = 1,
        temp: float = 0.8,
        max_tokens: int = 64,
        min_p: float = 0.05,
        max_nodes: int = 256,
        total_tokens: int | None = None,
        stream: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Generate until a condition holds (the first of several), and branch there.

        One branch grows until then, `n` branches go on from that place until a condition holds again, and so
        on, `depth` times. Each node has at most `max_tokens` tokens; all together are at most `max_nodes`
        nodes and about `total_tokens` tokens. Conditions are `EntropyAbove`, `TopProbabilityBelow`, `TextSaid`,
        `SentenceEnd`, `ParagraphEnd` and `Fork` of `n8loom_tui`. Further keywords as for `make_children`.

        Returns the children that grew from this node; with `stream` a generator of dictionaries: `"update"`
        with the `nodes` that changed, which stand in the tree already, and at last `"final"` with `children`.
        Closing it early keeps what was generated.
        """
        from .growing import weave_until

        return weave_until(
            self,
            condition,
            n,
            depth=depth,
            max_nodes=max_nodes,
            total_tokens=total_tokens,
            stream=stream,
            temp=temp,
            max_tokens=max_tokens,
            min_p=min_p,
            **kwargs,
        )

    def cutoff_tree(
        self,
        p: float = 0.1,
        *,
        depth: int = 8,
        max_nodes: int = 256,
        top_logprobs: int = 8,
        stream: bool = False,
    ) -> Any:
        """Expand every token that is at least as probable as `p`, `depth` tokens deep, as far as `max_nodes` go.

        Nothing is drawn. A node is a stretch on which only one token is probable enough; it ends where several
        are, each of which begins a child, or none. Returns as `weave_until`.
        """
        from .growing import cutoff_tree

        return cutoff_tree(
            self, p, depth=depth, max_nodes=max_nodes, top_logprobs=top_logprobs, stream=stream
        )

    def score(self, *, top_logprobs: int = 8, whole_path: bool = False) -> Heddle:
        """Find out how probable this node's tokens are (with `whole_path`, all tokens down to it), whoever wrote them.

        Fills `logprobs`, `alternatives` and `entropies`. Nothing can be known of the first token of a path.
        Returns the node itself.
        """
        from .weave import score

        score(self, top_logprobs, whole_path)
        return self

    # ---------------------------------------------------------------- reading

    def ancestors(self) -> Iterator[Heddle]:
        """This node, its parent, and so on up to the root."""
        node: Heddle | None = self
        while node is not None:
            yield node
            node = node.parent

    def path(self) -> list[Heddle]:
        """The nodes from the root down to this one."""
        return list(self.ancestors())[::-1]

    def root(self) -> Heddle:
        """The root of the tree that this node stands in."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    def walk(self) -> Iterator[Heddle]:
        """This node and all below it, each before its children, in order. Any depth."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def segment(self) -> Segment:
        """This node as a part of a request to the engine."""
        if self.encoded:
            return Segment(self.id, tuple(self.tokens))
        return Segment(self.id, None, self.source_text(), self.framing())

    def source_text(self) -> str:
        """What is encoded to get this node's tokens."""
        return self.text

    def framing(self) -> Framing:
        """How this node's text is to be encoded."""
        return Framing.RAW if self.parent is None else Framing.CONTINUATION

    def get_prefix_text(self, exclude: int = 0) -> str:
        """The text of the path down to this node, without its first `exclude` nodes."""
        return "".join(node.text for node in self.path()[exclude:])

    def get_display_text(self, exclude: int = 0) -> str:
        """As `get_prefix_text`, each node in its form for people."""
        return "".join(node.display_text() for node in self.path()[exclude:])

    def crown(self) -> str:
        """The text of the path without the root's."""
        return self.get_prefix_text(1)

    def display_text(self) -> str:
        """The node's text in the form for people."""
        return self.text

    def get_prefix_tokens(self, exclude: int = 0) -> list[int]:
        """The token ids of the path down to this node, without its first `exclude` nodes."""
        return list(chain.from_iterable(node.tokens for node in self.path()[exclude:]))

    def apply_all_children(
        self, func: Callable[[Heddle], Any], apply_self: bool = False, leaves_only: bool = False
    ) -> list[Any]:
        """Call `func` on every node below (this one first, if `apply_self`), or on the leaves below alone.

        The nodes are fixed before the first call, whatever `func` grows.
        """
        nodes = self.get_all_leaves() if leaves_only else self.get_all_children()
        return [func(node) for node in ([self, *nodes] if apply_self else nodes)]

    def at_all_leaves(self, func: Callable[[Heddle], Any]) -> list[Any]:
        """Call `func` on every leaf below."""
        return self.apply_all_children(func, leaves_only=True)

    def apply_at_leaves(self, *funcs: Callable[[Heddle], Any]) -> list[Any]:
        """Call one function after the other on all leaves below. Returns the last one's results."""
        results: list[Any] = []
        for func in funcs:
            results = self.at_all_leaves(func)
        return results

    def get_all_children(self, depth: int = 0) -> list[Heddle]:
        """All nodes below, each before its children; this one first if `depth` is above 0."""
        nodes = list(self.walk())
        return nodes if depth > 0 else nodes[1:]

    def get_all_leaves(self) -> list[Heddle]:
        """All leaves below."""
        return [node for node in self.get_all_children() if not node.children]

    def count_children(self) -> int:
        """How many nodes stand here and below."""
        return sum(1 for _ in self.walk())

    def count_leaves(self) -> int:
        """How many leaves stand here and below; 1 for a leaf."""
        return sum(1 for node in self.walk() if not node.children)

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

    def __init__(self, model: Any, tokenizer: Any, prompt: str, *, chat: bool | None = None) -> None:
        """`chat` None: in the chat template if the model has one; False: as it stands; True: in the template.

        Without a tokenizer the prompt waits to be encoded, and `chat_template_used` says what is wanted.
        """
        self._blank()
        self.kind = Kind.PROMPT
        self.model = model
        self.tokenizer = tokenizer
        self.user_prompt = prompt
        if tokenizer is None:
            self.chat_template_used = chat is not False
            self._text, self.encoded = prompt, False
            return
        self.chat_template_used = chat is not False and has_chat_template(tokenizer)
        span = encode(tokenizer, prompt, self.framing())
        self.set_span(span.tokens, span.text, span.ends)

    def framing(self) -> Framing:
        return Framing.CHAT if self.chat_template_used else Framing.RAW

    def source_text(self) -> str:
        return self.user_prompt

    def display_text(self) -> str:
        if self.chat_template_used:
            return f"Prompt: {self.user_prompt}\n\nResponse:\n\n"
        return self.text
