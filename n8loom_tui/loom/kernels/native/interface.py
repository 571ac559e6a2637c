"""What the compiled functions take, and how much room they need."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .machine import Machine

ARITHMETIC = 2
"""Another number whenever compiled code makes its sums in another order: what is on disk goes on exactly with one."""


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
AT_ONCE = 4
"""How many outputs' codes lie together, and are multiplied together."""


@dataclass(frozen=True, slots=True)
class Lying:
    """How codes lie in memory for compiled products: in blocks, of some inputs of `AT_ONCE` outputs each.

    A block has for each of its groups of inputs the outputs' scales and biases, `[groups, AT_ONCE, 2]`, float32, then
    for each unit of inputs a line of each output's codes, `[units, AT_ONCE, line]`: with 8 bits in their order; with 4
    as `width` numbers of 16 bits, of which number `i` has in its bits from `4 · v` on the code of input
    `v · width + i`.
    """

    bits: int
    group: int
    width: int

    @property
    def fits(self) -> bool:
        """Whether codes can lie like this."""
        return self.bits in WIDTHS and not self.group % self.width and not self.inputs % self.group

    @property
    def unit(self) -> int:
        """How many inputs a unit has."""
        return 4 * self.width

    @property
    def line(self) -> int:
        """The bytes of an output's codes of a unit."""
        return self.unit * self.bits // 8

    @property
    def inputs(self) -> int:
        """How many inputs a block has."""
        return max(self.group, self.unit)

    @property
    def groups(self) -> int:
        return self.inputs // self.group

    @property
    def units(self) -> int:
        return self.inputs // self.unit

    @property
    def nbytes(self) -> int:
        """Size of a block in bytes."""
        return AT_ONCE * (self.groups * 8 + self.units * self.line)


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
QUANTISED = (
    *("x", "rows", "inner", "x_step"),
    *("w", "panel_step", "outputs"),
    *("out", "out_step", "adding", "gather", "beside", "sums", "unpacked", "taken"),
)
"""What a product with codes takes; `panel_step` bytes from one panel to the next. `gather`: 0 if another one has put
the rows side by side before. `beside`, `sums`, `unpacked`: addresses of room, as `dots_room` says."""
BESIDE = ("x", "rows", "inner", "x_step", "beside")
DOTS_FEW = ("x", "rows", "x_step", "w", "count", "sums", "ahead")
DOTS_MANY = (
    *("beside", "rows", "inner", "first", "last"),
    *("unpacked", "begin", "count", "sums", "begun"),
    *("ahead", "ahead_size"),
)
UNPACK = ("w", "count", "unpacked")
FOLD = ("sums", "rows", "out", "out_step", "outputs", "adding")
"""What its parts take. `w`: address of `count` blocks. `sums`: `[rows, panel, width]`, for each row and output a
vector, whose numbers make up the sum. `first`, `last`: from which to before which block of rows. `unpacked`:
`[longest_stretch / width, AT_ONCE, width]`, the weights of `count` inputs from `begin` on. `begun`: whether there are
sums already. `ahead`: where what is fetched meanwhile lies, so many bytes."""


STRETCH = 128
"""How many lines of a panel are multiplied with all rows before the next: what stays in the first cache."""


def panel_room(machine: Machine, inner: int) -> int:
    """How many floats a product needs to get a stretch of a panel ready."""
    return machine.panel * min(inner, STRETCH)


UNPACKED_INPUTS = 1024
"""Of about how many inputs weights are unpacked before they are multiplied: what stays in the first cache."""
TILE = 22
"""How many times the rows that registers hold are multiplied with a panel before the next rows: what they have of a
stretch stays in the second cache."""


def longest_stretch(lying: Lying) -> int:
    """Of how many inputs weights are unpacked at most before they are multiplied."""
    return lying.inputs * max(1, UNPACKED_INPUTS // lying.inputs)


def rows_at_once(machine: Machine) -> int:
    """How many rows' sums, with `AT_ONCE` outputs, registers hold."""
    return machine.rows // 2


def dots_room(machine: Machine, lying: Lying, rows: int, inner: int) -> dict[str, int]:
    """How many floats a product with codes needs of each kind of room."""
    return {
        "beside": rows * inner,
        "sums": min(rows, TILE * rows_at_once(machine)) * machine.panel * machine.width,
        "unpacked": AT_ONCE * longest_stretch(lying),
    }


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
SORTED = 512
"""So many keys at most are sorted as they are found."""
RANKING = (
    *("table", "size", "rows", "low", "high", "line"),
    *("maxima", "count", "columns", "space"),
    *("keys", "room", "found"),
)
"""What `emit_ranking` writes takes: some rows of a table of `size` logits each, from number `low` up to `high`.

`rows`: address of their places in the table. `maxima`: address, `[all rows, line]`, as `WEIGHING` has them. Wanted are
the `count` most probable tokens: what reaches the edge that as many columns do, the row laid out in `columns`, which
are as many or a fraction of `line`. `space`: address of room for `ranking_room` floats. `keys`: address of whole
numbers, `[rows, room]`, for the keys of those found, with `NOTHING` behind them; in their order if these are up to
`SORTED`. `found`: address, `[rows]`, for how many these are; if more than `room`, some are missing.
"""
LOOKING = tuple(dict.fromkeys((*WEIGHING, *RANKING)))
"""What `emit_looking` writes takes: what `WEIGHING` and `RANKING` do, for rows that are numbered as in the table."""


def ranking_room(machine: Machine, line: int, room: int) -> int:
    """How many floats ranking needs for itself."""
    return line + 2 * (room + machine.width)


NOTHING = 0xFF800000FFFFFFFF
"""The key that stands where there is no token: behind all others, with minus infinity for a logit."""
SAYING = (
    *("table", "size", "count"),
    *("rows", "places", "penalties"),
    *("numbers", "tokens", "before", "after", "found"),
)
"""What `emit_saying` writes takes: `count` tokens that rows of a table of `size` logits each have said.

`rows`: address of the rows' places in the table. `places`: address of whole numbers, sorted: the number of a row in
the upper 32 bits, a token id in the lower ones. `penalties`: address, of each row. For each place that is new and a
token of the table: `numbers`, `tokens`: addresses of whole numbers, for the number of its row and its id; `before`,
`after`: addresses, for its logit as it is and with the penalty. `found`: address of how many these are.
"""
MOVING = (
    *("count", "width", "step", "room"),
    *("keys", "edges", "numbers", "tokens", "before", "after"),
    *("moved", "lengths"),
)
"""What `emit_moving` writes takes: `count` tokens as `SAYING` gives them, and rows of `width` sorted keys, `step` whole
numbers from one to the next.

`edges`: address, of each row: what falls to it is not put in. `moved`: address, `[rows, room]`: the same keys, of which
those of the tokens become `NOTHING`; their new ones go behind the `lengths` (address, `[rows]`) first, and are counted.
"""
LOUD = ("counter", "size", "least", "found")
"""What `emit_loud` writes takes. `counter`, `least`: the bits of unsigned numbers. `found`: address of whole numbers,
one more than tokens: first how many tokens have a noise of at least `least`, then which."""
BARRIER = ("state", "count")
"""What `emit_barrier` writes takes. `state`: address of `STATE` whole numbers, zero to begin with."""
STATE = 24
ABORTED = 16
"""Which number of a barrier's state says, if it isn't zero, that nobody is to be waited for."""
PROGRAM = ("steps", "count")
"""What `emit_run` writes takes: the address of pairs, of a function and what it takes, and how many there are."""
