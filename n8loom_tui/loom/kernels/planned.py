"""Attention as compiled code does it: what its plan says for the rows of one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .native import Code
from .native.interface import PLAN, SPAN, rooms
from .passes import Causal, Heads, Own, Pass, Place, Span, Whole
from .workspace import FLOAT, Workspace, address, addresses, as_layers

TILE_FLOATS = 1 << 18
"""How many scores of a head are held at the same time: what stays in the second cache."""
TILE_ROWS = 4
"""Never fewer rows than so many are done together."""


class Plan:
    """What the rows from `low` up to `high` of a pass attend to, in all layers."""

    def __init__(
        self, known: Code, heads: Heads, layers: int, what: Pass, low: int, high: int, space: Workspace
    ) -> None:
        """It computes in `space`, until another plan does."""
        rows = high - low
        spans = _spans(what, low, high)
        own = what.own.among(low, high) if what.own is not None else None
        prefix = max((span.stop for span, _ in spans), default=0)
        columns = prefix + (own.width if own is not None else 0)
        queries = space.take("queries", heads.kv, rows, heads.group, heads.dim)
        self.queries = address(queries)
        """Where its queries are to be put, scaled: `[kv_heads, rows, group, dim]`."""
        tile = min(rows, max(TILE_ROWS, TILE_FLOATS // max(1, heads.group * columns)))
        table, visible, before = _tables(spans, rows)
        order, lengths = _of_rows(own)
        sizes = {"scores": tile * heads.group * columns}
        sizes |= rooms(known.machine, tile, heads.group, heads.dim, columns)
        room = {name: space.take(name, size) for name, size in sizes.items()}
        arrays: dict[str, npt.NDArray[Any]] = {
            "queries": queries,
            "spans": table,
            "visible": visible,
            "order": order,
            "lengths": lengths,
            "own_positions": before,
            **room,
        }
        numbers = {
            "rows": rows,
            "group": heads.group,
            "heads": heads.kv,
            "dim": heads.dim,
            "columns": columns,
            "tile": tile,
            "span_count": len(spans),
            "own_columns": prefix,
        }
        said = numbers | {name: address(array) for name, array in arrays.items()}
        plan = np.array([said[name] for name in PLAN], dtype=np.int64)
        places = _places([span for span, _ in spans], layers)
        self._held = (arrays, plan, places)
        self.arguments = np.zeros((layers, 5), dtype=np.int64)
        """What attention takes in each layer, but for where its results are put: `[layers, 5]`."""
        self.arguments[:, 0] = address(plan)
        self.arguments[:, 1] = address(places) + np.arange(layers) * places[:1].nbytes
        if own is not None:
            self.arguments[:, 2], self.arguments[:, 3] = addresses(own.keys), addresses(own.values)
            self.arguments[:, 4] = as_layers(own.keys).sizes[:, 2]


def check_place(place: Place) -> None:
    """
    Raises:
        IndexError: keys and values would be put where there is no room. Compiled code does not look.
    """
    if place.low < place.high:
        room = as_layers(place.keys).sizes.min(axis=0)
        _must_be_below(room[0], place.index)
        _must_be_below(room[2], place.columns)


def check_reach(what: Pass) -> None:
    """
    Raises:
        IndexError: a row would attend to what there is not. Compiled code does not look.
    """
    for span in what.spans:
        if not 0 <= span.stop - span.start <= span.keys[0].shape[1]:
            raise IndexError(f"columns from {span.start} to {span.stop} are not there")
    if what.own is not None:
        room = as_layers(what.own.keys).sizes.min(axis=0)
        _must_be_below(room[0], what.own.order)
        _must_be_below(room[2] + 1, what.own.lengths)


def _must_be_below(count: int, numbers: Whole) -> None:
    if numbers.min() < 0 or numbers.max() >= count:
        raise IndexError(f"{numbers.min()} to {numbers.max()} are not all among {count}")


def _spans(what: Pass, low: int, high: int) -> list[tuple[Span, Whole]]:
    """The spans in which some rows have part, in the order of their positions, and how much each row sees of them."""
    causal: Causal = [
        (max(first, low) - low, min(last, high) - low, start + max(low - first, 0))
        for first, last, start in what.causal
        if max(first, low) < min(last, high)
    ]
    found = []
    for span in sorted(what.spans, key=lambda span: span.start):
        part = span.among(low, high)
        if part is not None:
            seen = part.seen(causal)
            found.append((replace(part, stop=part.start + int(seen.max())), seen))
    return found


def _tables(spans: Sequence[tuple[Span, Whole]], rows: int) -> tuple[Whole, Whole, Whole]:
    """The spans as `SPAN` says; how much each row sees of each, `[spans, rows]`; how much there is before its own."""
    table = np.zeros((len(spans), len(SPAN)), dtype=np.int64)
    visible = np.zeros((len(spans), rows), dtype=np.int64)
    before = np.zeros(rows, dtype=np.int64)
    for number, (span, seen) in enumerate(spans):
        steps = (span.keys[0].strides[0] // FLOAT, span.values[0].strides[0] // FLOAT)
        table[number] = (span.low, span.high, span.start, span.stop - span.start, *steps)
        visible[number, span.low : span.high] = seen
        np.maximum(before[span.low : span.high], span.stop, out=before[span.low : span.high])
    return table, visible, before


def _of_rows(own: Own | None) -> tuple[Whole, Whole]:
    if own is None:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    return np.ascontiguousarray(own.order), np.ascontiguousarray(own.lengths)


def _places(spans: Sequence[Span], layers: int) -> Whole:
    """Where the spans' keys and values are, `[layers, spans, 2]`."""
    places = np.zeros((layers, len(spans), 2), dtype=np.int64)
    for number, span in enumerate(spans):
        places[:, number, 0], places[:, number, 1] = addresses(span.keys), addresses(span.values)
    return places
