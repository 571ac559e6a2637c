"""Paths on their way through a `Network`: as `loom.strand`, with the rows' own keys and values in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from n8loom_tui.loom.fragments import Fragment
from n8loom_tui.loom.layers import Layout
from n8loom_tui.loom.radix import Piece
from n8loom_tui.loom.rows import GONE, Fragments
from n8loom_tui.loom.strand import Row, Strand, held_fragment, shared_length

from .network import Network
from .passes import Pass, Place, Span
from .rows import Views
from .team import shared_out
from .workspace import Floats, Layers

SHORT = 64
"""Held pieces of a path that are shorter are put together, if there are several in a row."""


def _lent(pieces: Sequence[Piece]) -> list[tuple[int, int, Views]]:
    """A path's beginning, as it lies in memory: where each part begins and ends."""
    parts: list[tuple[int, int, Views]] = []
    at = 0
    for is_short, group in itertools.groupby(pieces, lambda piece: len(piece) < SHORT):
        run = list(group)
        if is_short and len(run) > 1:
            fused = Piece.fused(run)
            run = [Piece(run[0].edge, fused, 0, len(fused))]
        for piece in run:
            parts.append((at, at + len(piece), Views.lent(piece)))
            at += len(piece)
    return parts


class _Read:
    """What has been read of one row: keys and values of each layer, `[kv_heads, room, dim]`, from `start` on."""

    def __init__(self, network: Network, start: int, stop: int, known: Fragment | None) -> None:
        shape = (network.layers, network.heads.kv, stop - start, network.heads.dim)
        self.start = start
        self.packed = [np.zeros(shape, dtype=np.float32) for _ in range(2)]
        self.keys, self.values = map(Layers.of, self.packed)
        self.placed_keys, self.placed_values = (Layers.of(part[:, None]) for part in self.packed)
        """The same as `Place` wants them."""
        if known is not None:
            for mine, (old,) in zip(self.packed, (known.keys, known.values), strict=True):
                mine[:, :, : len(known)] = np.array(old, copy=False)


class NetworkStrand:
    """Rows that a network reads together. What they have in common at their beginning is held once."""

    def __init__(self, network: Network, held: Fragments, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self._network = network
        self._shared = shared_length(self.rows) if len(rows) > 1 else self.rows[0].start
        pieces = held.pieces(self.rows[0].path, 0, self._shared)
        if self._shared and not pieces:
            raise ValueError(GONE)
        self._common = _lent(pieces)
        self._read = {
            id(row): _Read(
                network, self._shared, row.stop, held_fragment(held, row.path, self._shared, row.start)
            )
            for row in self.rows
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
            tokens += more
            positions += range(row.position, row.position + len(more))
            read = self._read[id(row)]
            spans.append(Span(low, high, self._shared, row.position + len(more), read.keys, read.values))
            causal.append((low, high, row.position))
            columns = np.arange(len(more)) + row.position - self._shared
            places.append(
                Place(low, high, read.placed_keys, read.placed_values, np.zeros_like(columns), columns)
            )
        for start, stop, common in self._common:
            spans.append(Span(0, len(tokens), start, stop, common.keys, common.values))
        return self._network.run(Pass(np.array(tokens), np.array(positions), places, spans, causal=causal))

    def fragment(self, row: Row, start: int, stop: int) -> Fragment:
        """The keys and values of `row.path[start:stop]`, which have been read."""
        read, place = self._read[id(row)], slice(start - self._shared, stop - self._shared)
        keys, values = (mx.array(part[:, :, place]) for part in read.packed)
        return Fragment(stop - start, (keys,), (values,), tuple((0, layer) for layer in range(len(keys))))

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
