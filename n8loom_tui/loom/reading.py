"""Reading fragments and caches of any path, outside of any batch: what is missing of them is computed first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import kernels
from .fragments import Fragment, KVFrag
from .jobs import Waiting
from .kept.keeper import Kept
from .kernels.network import Network
from .kernels.strand import AnyStrand, begin_strand
from .layers import Layout, layout_of
from .paths import check_tokens
from .pins import Pin
from .prefill import Prefill, Together, ToRead
from .radix import common_length
from .store import FragmentStore, Held
from .strand import Row, Strand

CHUNK = 64
"""How many tokens of a path are read between two steps while branches stream, or before a stop is heard."""
CHUNK_GPU = 512


class Reader:
    """The fragments of one model.

    `together` tells which paths may be read as rows of one batch; one after another is always exact.
    """

    def __init__(self, model: Any, budget: int) -> None:
        self.model = model
        self.layout: Layout = layout_of(model)
        self.layers = len(self.layout.layers)
        self.store = FragmentStore(budget, states=self.layout.stateful)
        self.together = Together.NONE
        self.network: Network | None = None
        """What computes in the model's place, on the CPU."""
        self.vocabulary: int | None = None
        """How many token ids the model knows; None if it doesn't say."""
        self.chunk = CHUNK if kernels.on_cpu() else CHUNK_GPU
        self.prefilled = self.recomputed = 0
        self.borrowed = 0
        """How many ids at the beginning of paths stand for tokens that are not known; their fragments are there."""
        self._borrowing: Pin | None = None
        self.kept: Kept | None = None
        """What is kept of the fragments on disk."""

    def prefilling(self, wanted: Iterable[ToRead]) -> Prefill:
        """What reads these paths, chunk by chunk.

        Raises:
            ValueError: they have tokens to be read that are not the model's.
        """
        wanted = list(wanted)
        for each in wanted:
            check_tokens(each.path[self.store.match_length(each.path) :], self.vocabulary)
        recall = (
            self.kept.recall(self.store, [each.path for each in wanted]) if self.kept is not None else None
        )
        return Prefill(self.model, self.layout, self.store, wanted, self.together, self.network, recall)

    def keep_on_disk(self, kept: Kept) -> None:
        """Keep fragments on disk, too. Whoever runs the engine calls its `rest` when nothing is to be done."""
        self.kept = kept
        self.store.watch = kept.note

    def keep_in_memory_alone(self) -> None:
        """End of `keep_on_disk`."""
        self.kept = None
        self.store.watch = lambda _item: None

    @property
    def running(self) -> int:
        """How many branches decode meanwhile."""
        return 0

    @property
    def free(self) -> int:
        """How many bytes there are for more, when all is dropped that nobody needs."""
        return self.store.budget - self.store.reserved - self.store.headroom - self.store.bound().nbytes

    def fitting(self, wanted: Sequence[Waiting]) -> list[Waiting]:
        """Paths that are read next: as many as fit into half of what is free, so that their branches have the other.

        Those that don't fit are left out, and keep none of the others waiting. One always where nothing runs, or
        nothing could ever be read: the one that needs least.
        """
        bound, per_token = self.store.bound(), self.store.per_token
        limit = bound.nbytes + max(0, self.free) // 2
        fits: list[Waiting] = []
        unread, last = 0, list[int]()
        least: tuple[int, Waiting] | None = None
        for each in sorted(wanted, key=lambda source: source.before):
            covered, held = bound.cost(each.before)
            more = len(each.before) - max(covered, common_length(last, each.before))
            # What is read takes its place twice at most: where it is computed, and in the store.
            needed = bound.nbytes + held + 2 * (unread + more) * per_token
            if per_token and needed <= limit:
                bound.add(each.before)
                fits.append(each)
                unread, last = unread + more, each.before
            elif least is None or needed < least[0]:
                least = needed, each
        return fits or ([] if self.running or least is None else [least[1]])

    def strand(self, rows: Sequence[Row]) -> AnyStrand:
        """Rows to be read by hand, with all that stands before them in the store."""
        return begin_strand(self.model, self.layout, self.network, self.store, rows)

    def close(self, prefill: Prefill) -> None:
        """End a prefill, and count it."""
        prefill.close()
        self.prefilled += prefill.total - prefill.remaining - prefill.restored
        self.recomputed += prefill.recomputed

    def prefill(self, path: Sequence[int]) -> None:
        """Compute what is missing of a path's fragments, now.

        Raises:
            ValueError: it has tokens to be read that are not the model's.
        """
        prefill = self.prefilling([ToRead(list(path))])
        try:
            while not prefill.done:
                prefill.step(max(self.chunk, 256))
        except BaseException:
            prefill.drop()
            raise
        self.close(prefill)

    def held(self, before: Sequence[int], tokens: Sequence[int]) -> Held:
        """What is held of `tokens` behind `before`."""
        return self.store.held([*before, *tokens], len(before), len(before) + len(tokens))

    def _covered(self, path: Sequence[int], start: int) -> Fragment | None:
        self.store.hold()
        try:
            self.prefill(path)
            return self.store.get(path, start, len(path))
        finally:
            self.store.release()

    def _check_keys(self) -> None:
        if not self.layout.kv or self.layout.opaque:
            kinds = ", ".join(self.layout.unknown) or "a state"
            raise ValueError(f"the model's layers keep no keys and values per token, but {kinds}")

    def fragments(self, before: Sequence[int], tokens: Sequence[int]) -> list[KVFrag]:
        """The fragments of `tokens` behind `before`, completed first: one `KVFrag` per layer that has any.

        Raises:
            ValueError: there is no token at all to read, or no layer keeps keys and values.
        """
        self._check_keys()
        path = [*before, *tokens]
        if not path:
            raise ValueError("a heddle without any token has no fragments")
        start = len(before) if tokens else len(path) - 1
        fragment = self._covered(path, start)
        assert fragment is not None
        frags = fragment.frags()
        return frags if tokens else [KVFrag(frag.keys[:, :, :0], frag.values[:, :, :0]) for frag in frags]

    def prefix_cache(self, path: Sequence[int]) -> list[Any]:
        """The model's caches, holding the whole path. They are the caller's to change.

        Where all layers have plain keys and values these are mlx-lm's `KVCache`.
        """
        if not path:
            raise ValueError("a path without any token has no cache")
        self.store.hold()
        try:
            self.prefill(path)
            fragment = self.store.get(path, 0, len(path))
            if self.layout.plain and fragment is not None:
                return fragment.caches()
            return Strand(self.model, self.layout, self.store, [Row(list(path), len(path), len(path))]).caches
        finally:
            self.store.release()

    def borrow(self, path: Sequence[int], frags: list[KVFrag]) -> None:
        """As `adopt` from the root on, and for good: where nobody knows the tokens they can't be computed again."""
        self.store.hold()
        try:
            self.adopt([], path, frags)
            self._borrowing = self.store.pin(path)
        finally:
            self.store.release()

    def adopt(self, before: Sequence[int], tokens: Sequence[int], frags: list[KVFrag]) -> None:
        """Keep fragments that somebody computed for `tokens` behind `before`. They may be short.

        Raises:
            ValueError: they do not fit the model's layers or cover more than the tokens; or these are not the
                model's.
        """
        self._check_keys()
        if len(frags) != len(self.layout.kv):
            raise ValueError(f"{len(frags)} fragments do not fit a model of {len(self.layout.kv)} layers")
        if frags[0].keys.shape[2] > len(tokens):
            raise ValueError(f"fragments of {frags[0].keys.shape[2]} tokens for a node of {len(tokens)}")
        # A negative number stands in for a token that nobody knows. It is never read.
        check_tokens([token for token in tokens if token >= 0], self.vocabulary)
        if before:
            self.prefill(before)
        if frags[0].keys.shape[2]:
            self.store.put([*before, *tokens], len(before), Fragment.of(frags))
