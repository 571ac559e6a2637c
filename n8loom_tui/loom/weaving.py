"""What a heddle does with its model: growing, scoring, and reading its fragments. Importing it loads no MLX."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from .until import Condition

if TYPE_CHECKING:
    from .fragments import KVFrag
    from .heddle import Heddle


class Weaving:
    """The part of `Heddle` that needs an engine. It is made where it is first needed, and lives with the model."""

    __slots__ = ()

    @property
    def _heddle(self) -> Heddle:
        return cast("Heddle", self)

    @property
    def frag(self) -> list[KVFrag]:
        """The node's cache fragments, one per layer: keys and values `[1, kv_heads, tokens, head_dim]`."""
        from .engine import engine_for

        node = self._heddle
        before = node.parent.get_prefix_tokens() if node.parent is not None else []
        return engine_for(node.model, node.tokenizer).fragments(before, node.tokens)

    @frag.setter
    def frag(self, frags: list[KVFrag]) -> None:
        self._adopt(frags)

    def _adopt(self, frags: list[KVFrag]) -> None:
        """Keep fragments, where it is known what they stand behind. Elsewhere they are computed when needed: kept
        for another path they would make its logits wrong."""
        from .engine import engine_for

        node = self._heddle
        if node.parent is not None:
            engine_for(node.model, node.tokenizer).adopt(node.parent.get_prefix_tokens(), node.tokens, frags)

    def get_prefix_cache(self) -> list[Any]:
        """The cache of the path down to this node: an mlx-lm `KVCache` per layer, the caller's to change."""
        from .engine import engine_for

        node = self._heddle
        return engine_for(node.model, node.tokenizer).prefix_cache(node.get_prefix_tokens())

    def make_children(
        self, n: int = 4, temp: float = 0.8, max_tokens: int = 8, min_p: float = 0.05, **kwargs: Any
    ) -> list[Heddle]:
        """Generate `n` children in one batch and enter them. Returns them; none behind a terminal node.

        Further keywords: `top_p`, `top_k`, `repetition_penalty`, `repetition_context_size`,
        `min_tokens_to_keep`, `stop_strings`, `seed` (branch i gets a seed derived from it and i).
        """
        from .weave import make_children

        return make_children(self._heddle, n, temp=temp, max_tokens=max_tokens, min_p=min_p, **kwargs)

    def make_child_stream(
        self, n: int = 4, temp: float = 0.8, max_tokens: int = 8, min_p: float = 0.05, **kwargs: Any
    ) -> Generator[dict[str, Any], None, list[Heddle]]:
        """Generate `n` children and tell about it: dictionaries of `"type"` `"update"`, then one `"final"`.

        Closing the generator early keeps what was generated as children. Keywords as for `make_children`.
        """
        from .weave import make_child_stream

        return make_child_stream(self._heddle, n, temp=temp, max_tokens=max_tokens, min_p=min_p, **kwargs)

    def ramify(self, arg: str | list[str] | None = None, **kwargs: Any) -> Any:
        """Grow this node: by a text, by several texts, or by generating (`stream=True` for a generator).

        Returns the child, the list of children, or the generator of `make_child_stream`.
        """
        if isinstance(arg, str):
            return self._heddle.add_text_child(arg)
        if isinstance(arg, list) and all(isinstance(text, str) for text in arg):
            return [self._heddle.add_text_child(text) for text in arg]
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

        chosen = (
            list(nodes) if nodes is not None else [node for node in self._heddle.walk() if not node.children]
        )
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
            self._heddle,
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
            self._heddle, p, depth=depth, max_nodes=max_nodes, top_logprobs=top_logprobs, stream=stream
        )

    def score(self, *, top_logprobs: int = 8, whole_path: bool = False) -> Heddle:
        """Find out how probable this node's tokens are (with `whole_path`, all tokens down to it), whoever wrote them.

        Fills `logprobs`, `alternatives` and `entropies`. Nothing can be known of the first token of a path.
        Returns the node itself.
        """
        from .weave import score

        score(self._heddle, top_logprobs, whole_path)
        return self._heddle
