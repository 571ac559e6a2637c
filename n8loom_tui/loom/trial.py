"""A model tried on a little tree before it is served: are its branches what runs from scratch give?

The tree is read in every way that the engine reads: in chunks, siblings together, ends of different paths
together, on from a state. Then rows of different lengths decode. The logits are compared with those of one pass
over each path in the model's own caches. Windows are made as narrow as the tree is short, on both sides, and
layers that attend to a choice of tokens choose few.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import RotatingKVCache, make_prompt_cache

from . import attention
from .batch import Batch
from .fragments import Fragment
from .kernels.network import Network, network_for
from .kernels.rows import NetworkBatch
from .layers import Layout, assemble, flatten, layout_of
from .prefill import Prefill, Together, ToRead
from .radix import Edge, Piece, State
from .rows import Joining, Rows
from .single import Singles
from .store import FragmentStore
from .strand import Row, Strand
from .support import UnsupportedModel, model_name

TRUNK = [1, 2, 3, 1, 2]
KIDS = ([3, 1], [1, 1, 2, 3, 1])
ENDS = ([1, 3, 2, 1], [2, 1, 3, 1, 2, 3])
"""Two ends below two kids below a trunk; one path is several tokens longer than the other."""
FED = 3
"""How many tokens of an end are fed; those before are read."""
CHUNK = 6
WINDOW = 5
FEW = {"index_topk": 4, "index_topk_blocks": 2, "index_block_size": 4}
"""Attributes of layers that attend to a choice of tokens alone, once there are more, and what they are meanwhile."""


class Mode(StrEnum):
    """How the rows of a model decode."""

    NETWORK = "network"
    """As shared, computed by a network in the model's place."""
    SHARED = "shared"
    """In one batch; what their paths have in common is held once."""
    WHOLE = "whole"
    """In one batch, each row with a copy of its whole path."""
    SINGLE = "single"
    """One after the other."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model is served: how its rows decode, and which paths are read as rows of one batch."""

    mode: Mode
    together: Together
    network: Network | None = None

    def rows(self, model: Any, layout: Layout, **options: Any) -> Rows[Any]:
        """What rows of the model decode in; `options` are `Batch`'s."""
        if self.network is not None:
            return NetworkBatch(model, layout, self.network, **options)
        if self.mode is Mode.SINGLE:
            return Singles(model, layout)
        return Batch(model, layout, shared=self.mode is Mode.SHARED, **options)


def serve(model: Any, layout: Layout | None = None) -> Serving:
    """Find out how a model can be served, by trying it: the first way that is exact.

    Raises:
        UnsupportedModel: there is none, with the reason.
    """
    reason = "its branches differ from a fresh run"
    try:
        layout = layout if layout is not None else layout_of(model)
        with _few_chosen(model, layout):
            trial = Trial(model, layout)
            for together in trial.ways_to_read():
                for serving in trial.ways_to_decode(together):
                    try:
                        if trial.exact(serving):
                            return serving
                    except Exception as error:  # noqa: BLE001 - a model's code may raise anything where it does not fit
                        reason = str(error) or type(error).__name__
    except Exception as error:  # noqa: BLE001
        reason = str(error) or type(error).__name__
    raise UnsupportedModel(f"{model_name(model)}: cannot be branched exactly ({reason})")


@contextlib.contextmanager
def _few_chosen(model: Any, layout: Layout) -> Iterator[None]:
    """While it lasts, layers that choose among tokens choose fewer than the tree has."""
    found = [] if layout.opaque else [(m, name) for m in model.modules() for name in FEW if hasattr(m, name)]
    kept = [getattr(module, name) for module, name in found]
    for module, name in found:
        setattr(module, name, FEW[name])
    try:
        yield
    finally:
        for (module, name), value in zip(found, kept, strict=True):
            setattr(module, name, value)


class _Narrow(RotatingKVCache):  # type: ignore[misc]
    """mlx-lm's window, as narrow as it was made, however wide the model asks."""

    def make_mask(self, N: int, window_size: int | None = None, return_array: bool = False) -> Any:  # noqa: ARG002
        return super().make_mask(N, window_size=None, return_array=return_array)


def _narrowed(layout: Layout) -> Layout:
    """The same layout with windows that the tree exceeds."""

    def narrowed(leaf: Any) -> Any:
        return leaf if leaf.window is None else replace(leaf, window=min(leaf.window, WINDOW))

    layers = [
        tuple(map(narrowed, each)) if isinstance(each, tuple) else narrowed(each) for each in layout.layers
    ]
    return Layout(tuple(layers), layout.unknown)


class Trial:
    """The tree, and what one pass over each of its paths gives."""

    def __init__(self, model: Any, layout: Layout) -> None:
        self.model = model
        self.layout = layout if layout.opaque else _narrowed(layout)
        self.paths = [[*TRUNK, *kid, *end] for kid, end in zip(KIDS, ENDS, strict=True)]
        self.known = [path[:-FED] for path in self.paths]
        self._wanted = [self._one_pass(path) for path in self.paths]
        self._read: tuple[Together, Network | None, FragmentStore] | None = None
        self._network = network_for(model, layout)

    def _one_pass(self, path: list[int]) -> mx.array:
        """The logits behind each of the last `FED` tokens of a path."""
        caches = make_prompt_cache(self.model)
        if not self.layout.opaque:
            leaves = [
                fresh if leaf.window is None else _Narrow(leaf.window)
                for leaf, fresh in zip(self.layout.leaves, flatten(caches), strict=True)
            ]
            caches = assemble(self.layout, leaves)
        logits: mx.array = self.model(mx.array([path]), cache=caches)[0, -FED:]
        mx.eval(logits)
        return logits

    def _agrees(self, got: mx.array, path: int, step: int) -> bool:
        """Whether these are the logits behind the step-th of a path's fed tokens, but for rounding."""
        wanted = self._wanted[path][step].astype(mx.float32)
        limit = 1e-3 if self._wanted[path].dtype == mx.float32 else 6e-2
        error = mx.sqrt(mx.square(got.astype(mx.float32) - wanted).mean())
        return bool((error < limit * (mx.sqrt(mx.square(wanted).mean()) + 1e-9)).item())

    def ways_to_read(self) -> Sequence[Together]:
        """From the best to the plainest."""
        return (Together.NONE,) if self.layout.opaque else (Together.ANY, Together.SIBLINGS, Together.NONE)

    def ways_to_decode(self, together: Together) -> Iterator[Serving]:
        """From the best to the plainest."""
        if self._network is not None and together is Together.ANY:
            yield Serving(Mode.NETWORK, together, self._network)
        if not self.layout.opaque:
            if attention.install(self.model):
                yield Serving(Mode.SHARED, together)
            yield Serving(Mode.WHOLE, together)
        yield Serving(Mode.SINGLE, together)

    def exact(self, serving: Serving) -> bool:
        """Whether the tree, read and decoded in this way, gives what one pass gives."""
        way = serving.together, serving.network
        if self._read is None or self._read[:2] != way:
            self._read = (*way, self._store(*way))
        store = self._read[2]
        options = {"overhead": 0} if serving.mode in (Mode.SHARED, Mode.NETWORK) else {}
        rows: Rows[int] = serving.rows(self.model, self.layout, **options)
        # Three rows: as many as heads, they would hide a mask that is laid along the wrong axis.
        joining = [
            Joining([*known, path[-FED]], owners)
            for known, path, owners in zip(self.known, self.paths, ([0, 0], [1]), strict=True)
        ]
        rows.join(joining, store)
        for step in range(FED - 1):
            got = mx.array(rows.forward([self.paths[row.owner][step - FED] for row in rows.rows]))
            if not all(self._agrees(got[i], row.owner, step) for i, row in enumerate(rows.rows)):
                return False
        last = {row.owner: index for index, row in enumerate(rows.rows)} if self.layout.stateful else {}
        return all(self._goes_on(rows, index, store) for index in last.values())

    def _store(self, together: Together, network: Network | None) -> FragmentStore:
        """All of the tree but what is fed, read level by level."""
        store = FragmentStore(1 << 50, states=self.layout.stateful)
        for kids in (
            [known[: len(TRUNK) + len(kid)] for known, kid in zip(self.known, KIDS, strict=True)],
            self.known,
        ):
            prefill = Prefill(self.model, self.layout, store, map(ToRead, kids), together, network)
            while not prefill.done:
                prefill.step(CHUNK)
            prefill.close()
        return store

    def _goes_on(self, rows: Rows[int], index: int, store: FragmentStore) -> bool:
        """Whether a row's states, now and one token earlier, give what one pass gives."""
        owner = rows.rows[index].owner
        path, start = self.paths[owner], len(self.known[owner])
        grown = _Grown(store, start, rows.cut(index, start), rows.snapshots(index))
        for position in grown.states:
            strand = Strand(self.model, self.layout, grown, [Row(path, position, position)])
            got = self.model(mx.array([path[position : position + 1]]), cache=strand.caches)[0, -1]
            if not self._agrees(got, owner, position - start):
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Grown:
    """What is held of a path, with what a row has added from `start` on."""

    store: FragmentStore
    start: int
    fragment: Fragment | None
    states: dict[int, State]

    def get(self, path: Sequence[int], start: int, stop: int) -> Fragment | None:
        """The fragment of `path[start:stop]`."""
        known = self.store.get(path, start, min(stop, self.start))
        if stop <= self.start or self.fragment is None or known is None:
            return known
        return Fragment.fuse([known, self.fragment.part(0, stop - self.start)])

    def pieces(self, path: Sequence[int], start: int, stop: int) -> list[Piece]:
        """As `get`; it is of one piece."""
        fragment = self.get(path, start, stop)
        return [] if fragment is None else [Piece(Edge([], None, None), fragment, 0, len(fragment))]

    def snapshot(self, path: Sequence[int], position: int) -> State | None:  # noqa: ARG002 - it is of one path
        """The state behind so many tokens."""
        return self.states.get(position)
