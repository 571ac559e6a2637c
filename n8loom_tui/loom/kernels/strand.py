"""Paths on their way through a `Network`: as `loom.strand`, with the rows' own keys and values in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.layers import Layout
from n8loom_tui.loom.radix import Piece
from n8loom_tui.loom.rows import GONE, Fragments
from n8loom_tui.loom.store import EDGE_TOKENS
from n8loom_tui.loom.strand import Row, Strand, shared_length

from .network import Network
from .passes import Pass, Place, Span
from .rows import Views
from .team import shared_out
from .workspace import Floats, Layers

SHORT = 64
"""Held pieces of a path that are shorter are put together, if there are several in a row."""


_Lent = tuple[int, int, Views]
"""Where a part of a path begins and ends, and its keys and values as they lie in memory."""


def _runs(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Pieces that are used as they lie, one by one, and short ones that are put together."""
    for is_short, group in itertools.groupby(pieces, lambda piece: len(piece) < SHORT):
        if is_short:
            yield list(group)
        else:
            yield from ([piece] for piece in group)


def copied_length(held: Fragments, rows: Sequence[Row]) -> int:
    """How many tokens of what rows go on from would be put together, which are there twice then."""
    shared = shared_length(rows)
    spans = [(rows[0].path, 0, shared), *((row.path, shared, row.start) for row in rows)]
    runs = (run for span in spans for run in _runs(held.pieces(*span)))
    return sum(len(piece) for run in runs if len(run) > 1 for piece in run)


def _lent(held: Fragments, path: list[int], start: int, stop: int) -> list[_Lent]:
    """What is held of `path[start:stop]`.

    Raises:
        ValueError: it is not held.
    """
    pieces = held.pieces(path, start, stop) if start < stop else []
    if start < stop and not pieces:
        raise ValueError(GONE)
    parts: list[_Lent] = []
    for run in _runs(pieces):
        piece = run[0]
        if len(run) > 1:
            fused = Piece.fused(run)
            piece = Piece(piece.edge, fused, 0, len(fused))
        parts.append((start, start + len(piece), Views.lent(piece)))
        start += len(piece)
    return parts


class _Block:
    """Room for the keys and values of a stretch of a row, which are computed into the memory that is kept of them."""

    def __init__(self, network: Network, start: int, stop: int) -> None:
        shape = (network.layers, network.heads.kv, stop - start, network.heads.dim)
        arrays = [mx.zeros(shape) for _ in range(2)]
        mx.eval(arrays)
        self.start, self.stop = start, stop
        self.fragment = Fragment(
            stop - start, (arrays[0],), (arrays[1],), tuple((0, layer) for layer in range(network.layers))
        )
        packed = [np.array(array, copy=False) for array in arrays]
        self.keys, self.values = map(Layers.of, packed)
        self.placed_keys, self.placed_values = (Layers.of(part[:, None]) for part in packed)
        """The same as `Place` wants them."""


class _Read:
    """What a row goes on from by itself, as it lies in memory, and what has been read of it."""

    def __init__(self, network: Network, row: Row, lent: Sequence[_Lent]) -> None:
        self._network, self._row = network, row
        self.lent = lent
        self.blocks: list[_Block] = []

    def fit(self, stop: int) -> None:
        """Have room for what comes before `stop`."""
        row = self._row
        while (end := self.blocks[-1].stop if self.blocks else row.start) < stop:
            self.blocks.append(_Block(self._network, end, min(end + EDGE_TOKENS, row.stop)))

    def places(self, low: int, start: int, stop: int) -> Iterator[Place]:
        """Where the tokens from `start` up to `stop` are put, whose rows begin at `low`."""
        for block in self.blocks:
            first, last = max(start, block.start), min(stop, block.stop)
            if first < last:
                columns = np.arange(first, last) - block.start
                where = (low + first - start, low + last - start)
                into = (block.placed_keys, block.placed_values)
                yield Place(*where, *into, np.zeros_like(columns), columns)

    def spans(self, low: int, high: int, stop: int) -> Iterator[Span]:
        """What the rows from `low` up to `high` attend to of this row alone, before `stop`."""
        for start, end, views in self.lent:
            yield Span(low, high, start, end, views.keys, views.values)
        for block in self.blocks:
            if block.start < stop:
                yield Span(low, high, block.start, min(stop, block.stop), block.keys, block.values)

    def fragment(self, start: int, stop: int) -> Fragment:
        """What has been read from `start` up to `stop`. No copy, where that is one of the blocks."""
        parts = [
            (block.fragment, max(start, block.start) - block.start, min(stop, block.stop) - block.start)
            for block in self.blocks
            if block.start < stop and block.stop > start
        ]
        return Fragment.fuse_parts(parts)


class NetworkStrand:
    """Rows that a network reads together. What they have in common at their beginning is held once.

    What they go on from is used where it lies; what is read lies where it is kept.
    """

    def __init__(self, network: Network, held: Fragments, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self._network = network
        shared = shared_length(self.rows)
        self._common = _lent(held, self.rows[0].path, 0, shared)
        self._read = {
            id(row): _Read(network, row, _lent(held, row.path, shared, row.start)) for row in self.rows
        }

    @shared_out()
    def read(self, chunk: Sequence[Sequence[int]]) -> None:
        """Read some more tokens of each row, which are given."""
        self._run(chunk)

    @shared_out()
    def logits(self, tokens: Sequence[int]) -> Floats:
        """Read the next tokens of the only row. The logits behind each, `[tokens, vocabulary]`, until the next call."""
        return self._network.logits(self._run([tokens]))

    def _run(self, chunk: Sequence[Sequence[int]]) -> Floats:
        """All tokens as rows of one pass. Those that come first in it never look at later ones."""
        spans: list[Span] = []
        places: list[Place] = []
        causal: list[tuple[int, int, int]] = []
        tokens: list[int] = []
        positions: list[int] = []
        for row, more in zip(self.rows, chunk, strict=True):
            low, high = len(tokens), len(tokens) + len(more)
            start, stop = row.position, row.position + len(more)
            tokens += more
            positions += range(start, stop)
            read = self._read[id(row)]
            read.fit(stop)
            spans += read.spans(low, high, stop)
            places += read.places(low, start, stop)
            causal.append((low, high, start))
        for start, stop, common in self._common:
            spans.append(Span(0, len(tokens), start, stop, common.keys, common.values))
        return self._network.run(Pass(np.array(tokens), np.array(positions), places, spans, causal=causal))

    def fragment(self, row: Row, start: int, stop: int) -> Fragment:
        """The keys and values of `row.path[start:stop]`, which have been read."""
        return self._read[id(row)].fragment(start, stop)

    def snapshot(self, row: Row) -> None:  # noqa: ARG002 - as a strand of any model
        """Keys and values are all there is."""
        return

    def keep(self, rows: Sequence[Row]) -> None:
        """Go on with these rows alone."""
        self.rows = list(rows)
        self._read = {id(row): self._read[id(row)] for row in rows}


AnyStrand = Strand | NetworkStrand


def begin_strand(
    model: Any, layout: Layout, network: Network | None, held: Fragments, rows: Sequence[Row]
) -> AnyStrand:
    """Rows to be read, by the network if there is one, else by the model's own code.

    Raises:
        ValueError: what they go on from is not held.
    """
    return NetworkStrand(network, held, rows) if network is not None else Strand(model, layout, held, rows)
