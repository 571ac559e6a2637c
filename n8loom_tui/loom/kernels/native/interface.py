"""What the compiled functions take, and how much room they need."""

from __future__ import annotations

from enum import StrEnum

from .machine import Machine


class Stored(StrEnum):
    """How the numbers of a matrix lie in memory."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return 4 if self is Stored.FLOAT32 else 2

    @property
    def product(self) -> str:
        """The name of the product with such a matrix."""
        return f"product {self}"


WIDTHS = (4, 8)
"""Of how many bits codes may be."""


def quantised(bits: int) -> str:
    """The name of the product with codes of so many bits."""
    return f"quantised {bits}"


PRODUCT = (
    *("x", "rows", "inner", "x_step"),
    *("w", "w_step", "panel_step", "outputs"),
    *("out", "out_step", "adding", "space", "taken"),
)
"""What a product takes: `out[r, j] = Σ x[r, k] · w[k, j]`.

`x` and `out`: addresses of float32 matrices, `x_step` and `out_step` floats from one row to the next. `w`: the
address of a panel, `w_step` bytes from one `k` to the next, `panel_step` bytes from one panel to the next.
`adding`: 1 adds to what stands in `out`; with 0 that does not matter. `space`: the address of room for `room` floats.
`x` is 0 if the rows were put there before. `taken`: the address of a whole number that threads count with which panels
they have taken, of one product; 0: all panels are this one's.
"""
GATHER = ("x", "rows", "inner", "x_step", "space")
MULTIPLY = (
    *("rows", "inner", "begin", "count"),
    *("w", "w_step", "outputs"),
    *("out", "out_step", "adding", "space"),
    *("ahead", "ahead_size"),
)
"""The two halves of a product: its rows are put side by side, then multiplied with one stretch of a panel after the
other: with its lines `begin` up to `begin + count`, of which `w` is the first. Meanwhile so many bytes are fetched from
the address `ahead`."""
WIDENING = ("w", "count", "panel", "ahead", "ahead_size")
"""What makes so many lines of a panel of 16-bit numbers. What is fetched meanwhile: as in `MULTIPLY`."""
WIDENED = (
    *("x", "rows", "inner", "x_step"),
    *("w", "panel_step", "outputs"),
    *("out", "out_step", "adding", "space", "panel", "taken"),
)
"""What a product with 16-bit numbers takes; `panel_step` bytes from one panel to the next. `panel`: room for
`panel_room` floats."""
PACKING = ("w", "inner", "w_step", "outputs", "panel")
"""What makes a panel of a matrix `w[j, k]`, `w_step` floats from one `j` to the next."""
CROSSING = (
    *("x", "rows", "inner", "x_step"),
    *("w", "w_step", "outputs"),
    *("out", "out_step", "adding", "space", "panel", "taken"),
)
"""What a product with a matrix takes that is not packed: `w[j, k]` as for packing."""
UNPACKING = ("codes", "count", "group", "panel", "ahead", "ahead_size")
"""What makes so many lines of a panel of codes: for every `group` of `k` the outputs' scales and biases, float32, then
`group` lines of codes. With 8 bits a line has a byte for each output; with 4, for each output of the first vector, and
the upper half of the byte is for the one in the second. What is fetched meanwhile: as in `MULTIPLY`."""
QUANTISED = (
    *("x", "rows", "inner", "x_step"),
    *("w", "group", "panel_step", "outputs"),
    *("out", "out_step", "adding", "space", "panel", "taken"),
)
"""What a product with codes takes; `panel_step` bytes from one panel to the next."""


STRETCH = 128
"""How many lines of a panel are multiplied with all rows before the next: what stays in the first cache."""


def panel_room(machine: Machine, inner: int, unit: int = 1) -> int:
    """How many floats a product needs to get a stretch of a panel ready, which has a multiple of `unit` lines."""
    return machine.panel * min(inner, max(STRETCH, unit))


def room(machine: Machine, rows: int, inner: int) -> int:
    """How many floats a product needs for itself."""
    return rows * inner + machine.rows + machine.width


FEW = ("x", "rows", "x_step", "w", "columns", "dim", "out", "out_step", "ahead")
"""What few queries take, with keys or values of so many columns, `[columns, dim]`. Meanwhile as many bytes are fetched
from the address `ahead`."""
PLAN = (
    *("queries", "rows", "group", "heads", "dim"),
    *("scores", "columns", "tile"),
    *("spans", "span_count", "visible"),
    *("order", "lengths", "own_columns", "own_positions"),
    *("panel", "space", "weighted", "totals"),
)
"""What an attention's plan says, whole numbers of 64 bits, the same for all layers.

`queries`: address, `[heads, rows, group, dim]`. `scores`: address of room
for `[tile, group, columns]`. `tile`: how many rows are done together. `spans`: address of one `SPAN` each, in the order
of their positions. `visible`: address, `[spans, rows]`, how many of its columns a row sees. `order`, `lengths`,
`own_positions`: addresses, `[rows]`: where a row's own columns are, how many, and the position of the first;
`own_columns`: which of the scores' columns they begin at. `panel`, `space`, `weighted`, `totals`: addresses of room.
"""
SPAN = ("low", "high", "start", "width", "key_step", "value_step")
"""Rows from `low` up to `high` share `width` columns from `start` on; floats from one head to the next."""
ATTENTION = ("plan", "places", "own_keys", "own_values", "own_room", "out")
"""`places`: address, `[spans, 2]`: addresses of keys and values. The own ones: addresses, and columns that each head
of a row has room for. `out`: address, `[rows, heads, group, dim]`."""


def rooms(machine: Machine, rows: int, group: int, dim: int, columns: int) -> dict[str, int]:
    """How many floats attention needs of each kind of room, for so many rows at a time."""
    return {
        "panel": panel_room(machine, dim),
        "space": rows * group * max(columns, dim) + machine.rows + machine.width,
        "weighted": rows * group * dim,
        "totals": rows * group,
    }


NORM = ("x", "x_step", "low", "high", "heads", "dim", "weight", "epsilon", "out", "out_step")
"""What `emit_norm` writes takes: the rows from `low` up to `high`, `heads` stretches of `dim` numbers in each.

`epsilon`: the bits of a float32. `out` may be `x`.
"""
TURN = (
    *("made", "made_step", "low", "high", "heads", "group", "dim"),
    *("cosines", "sines", "partners", "scale"),
    *("queries", "kept"),
)
"""What `emit_turn` writes takes: rows of queries, keys and values that one product made, side by side.

`cosines`, `sines`: addresses, `[rows, dim]`. `partners`: address, `[dim]`, whole numbers: number `i` becomes
`x[i] · cosine + x[partner] · sine`. `scale`: the bits of a float32, for queries. `queries`: address,
`[heads, high - low, group, dim]`. `kept`: address, `[rows, 3]`, whole numbers: where a row's keys and values are put,
and floats from one head to the next there.
"""
GATE = ("gate", "up", "step", "rows", "columns")
"""What `emit_gate` writes takes: `gate = silu(gate) · up`, in place; `step` floats from one row to the next."""
BIAS = ("out", "step", "rows", "columns", "bias")
"""What `emit_bias` writes takes."""
WEIGHING = (
    *("table", "size", "low", "high", "line"),
    *("maxima", "best", "sums", "products"),
)
"""What `emit_weighing` writes takes: the rows from `low` up to `high` of a table of `size` logits each.

Each row is laid out in `line` columns. `maxima`: address, `[rows, line]`, for the largest of each column; what is no
number does not count. `best`: address, `[rows]`, for the largest. `sums`, `products`: addresses, `[rows, lines]`, for
the sums of `exp(logit - best)`, and of these times `logit - best`.
"""
LOUD = ("counter", "size", "least", "found")
"""What `emit_loud` writes takes. `counter`, `least`: the bits of unsigned numbers. `found`: address of whole numbers,
one more than vectors of tokens: first how many vectors have a token with a noise of at least `least`, then which."""
BARRIER = ("state", "count")
"""What `emit_barrier` writes takes. `state`: address of `STATE` whole numbers, zero to begin with."""
STATE = 24
ABORTED = 16
"""Which number of a barrier's state says, if it isn't zero, that nobody is to be waited for."""
PROGRAM = ("steps", "count")
"""What `emit_run` writes takes: the address of pairs, of a function and what it takes, and how many there are."""
