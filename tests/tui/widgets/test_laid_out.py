"""Rows that are kept as they were laid out say what they would say if they were laid out anew."""

from __future__ import annotations

import random
from collections.abc import Callable

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.kinds import MESSAGE
from n8loom_tui.loom.marks import Marks
from n8loom_tui.session.history_trees import CUT
from n8loom_tui.tui.widgets.laid_out import LaidOut
from n8loom_tui.tui.widgets.row_layout import lay_out
from n8loom_tui.tui.widgets.rows import TreeRows
from n8loom_tui.tui.widgets.signs import ASCII, UNICODE

Maker = Callable[..., Heddle]


def change(node: Heddle, chance: random.Random) -> None:
    """One of all that may become of a node and is seen in its row. Nobody is told."""
    match chance.randrange(7):
        case 0:
            node.text = chance.choice(["", " the sea", "  \n ", "海" * 40, "wide " * 40])
        case 1:
            node.marks = Marks(
                chance.random() < 0.5, ("wet",) * chance.randrange(2), "", chance.random() < 0.5
            )
        case 2:
            node.kind = chance.choice([Kind.GENERATED, Kind.WRITTEN, Kind.EDITED])
        case 3:
            node.finish = chance.choice([None, CUT])
        case 4:
            node.terminal = not node.terminal
        case 5:
            node.kind, node.provenance = Kind.TURN, {MESSAGE: chance.choice(["And then?", "Why?"])}
        case 6:
            if isinstance(node, Loom):
                node.user_prompt = chance.choice(["What now?", "And the wall?"])


def test_a_kept_row_says_what_is_so_now(node: Maker) -> None:
    root = Loom(None, None, "What does the flood mean?")
    above = [root]
    chance = random.Random(7)
    for number in range(20):
        above.append(node(f" word {number}", chance.choice(above)))
    rows = TreeRows()
    rows.set_roots([root])
    kept = LaidOut()
    for _ in range(400):
        change(chance.choice(above), chance)
        if chance.random() < 0.2 and not rows.fold(some := chance.choice(above)):
            rows.unfold(some)
        signs, width = chance.choice([UNICODE, ASCII]), chance.choice([30, 60])
        streaming, extra, marked, evicted = (chance.random() < 0.2 for _ in range(4))
        spinner, letter = signs.spinner[0] if streaming else "", "'a" if extra else ""
        for view in rows.views(0, len(rows)):
            row = kept.row(view, signs, width, streaming, spinner, letter, marked, evicted)
            assert row == lay_out(
                view, signs, width, streaming, spinner, letter, marked=marked, evicted=evicted
            )
