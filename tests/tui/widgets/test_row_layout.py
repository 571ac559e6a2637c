"""A row as text: guides, label, count and signs within the width."""

from collections.abc import Callable

import pytest
from rich.cells import cell_len

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.loom.marks import Marks
from n8loom_tui.session.history_trees import CUT
from n8loom_tui.tui.widgets.row_layout import lay_out
from n8loom_tui.tui.widgets.row_views import Branch, RowView
from n8loom_tui.tui.widgets.rows import TreeRows
from n8loom_tui.tui.widgets.signs import ASCII, UNICODE, Signs

Maker = Callable[..., Heddle]


def draw(
    rows: TreeRows, width: int = 40, signs: Signs = UNICODE, streaming: Heddle | None = None
) -> list[str]:
    lines = []
    for view in rows.views(0, len(rows)):
        row = lay_out(view, signs, width, view.node is streaming, signs.spinner[0])
        lines.append(row.guides + row.stream + row.label + row.count + " " * row.gap + row.tags + row.marks)
    return [line.rstrip() for line in lines]


def test_guides_show_the_tree_and_chains_do_not_creep_to_the_right(node: Maker) -> None:
    root = Loom(None, None, "What does the flood mean?")
    a = node(" I think it is", root)
    chain = node(" a warning", a)
    one = node(" about pride", chain)
    two = node(" about time", chain)
    late = node(" It means", root, Kind.WRITTEN)
    node(" that he is late", late)
    one.terminal = True
    rows = TreeRows()
    rows.set_roots([root])
    assert draw(rows, streaming=two) == [
        "● What does the flood mean?",
        "├ I think it is",
        "│ a warning",
        "│ ├ about pride                        ∎",
        "│ └ ▍about time                        ⠋",
        "└ It means                             ✎",
        "  that he is late",
    ]
    rows.fold(a)
    assert draw(rows)[1] == "├ I think it is ▸3"
    rows.fold(root)
    assert draw(rows) == ["● What does the flood mean? ▸6"]


def test_a_chain_from_the_root_hangs_on_a_line(node: Maker) -> None:
    root = node("root")
    node("c", node("b", node("a", root)))
    rows = TreeRows()
    rows.set_roots([root])
    assert draw(rows) == ["● root", "│ a", "│ b", "└ c"]


def test_every_sign_has_an_ascii_twin(node: Maker) -> None:
    root = node("root", kind=Kind.WRITTEN)
    a, b, empty = node("line one\nline two", root), node("b" * 90, root, Kind.WRITTEN), node("", root)
    node("a1", a)
    b.terminal = True
    rows = TreeRows()
    rows.set_roots([root])
    rows.fold(a)
    lines = draw(rows, signs=ASCII, streaming=b)
    assert all(line.isascii() for line in lines)
    assert lines[1] == "+ line one / line two >1"
    assert lines[3] == "` (empty)"
    for name in Signs.__slots__:
        assert getattr(ASCII, name).isascii()
    assert empty.text == ""


def test_labels_of_blanks_can_be_seen(node: Maker) -> None:
    root = node("root")
    for text in ("  ", "\n\n", "", "\t \n text  with\n\nblanks "):
        node(text, root)
    rows = TreeRows()
    rows.set_roots([root])
    assert draw(rows)[1:] == ["├ ␣␣", "├ ⏎⏎", "├ ∅", "└ text with ⏎ blanks"]


@pytest.mark.parametrize("width", [1, 5, 12, 30, 60, 200])
def test_deep_rows_leave_room_for_their_labels_and_say_how_deep(width: int, node: Maker) -> None:
    root = below = node("root")
    for _ in range(3000):
        node("side", below)
        below = node("a longer label that takes some room", below)
    rows = TreeRows()
    rows.set_roots([root])
    for view in [*rows.views(0, 300), *rows.views(len(rows) - 300, len(rows))]:
        row = lay_out(view, UNICODE, width, False, "")
        if width >= 30:
            assert cell_len(row.guides) <= width // 2 + 6
            assert row.label in ("side", "root") or cell_len(row.label) >= min(35, width // 2 - 6)
    deepest = lay_out(rows.views(len(rows) - 1, len(rows))[0], UNICODE, 60, False, "")
    assert deepest.guides.startswith("⋯29")


def test_parts_add_up_to_the_width_for_any_text(hostile: list[str], node: Maker) -> None:
    root = node("root")
    for text in hostile:
        node(text, root, Kind.WRITTEN).terminal = True
    rows = TreeRows()
    rows.set_roots([root])
    for view in rows.views(0, len(rows)):
        for width in (20, 33, 80):
            row = lay_out(view, UNICODE, width, True, "⠋")
            parts = row.guides + row.stream + row.label + row.count + " " * row.gap + row.tags + row.marks
            assert cell_len(parts) == width


def test_marks_stand_at_the_end_and_tags_before_them(node) -> None:
    made = node("some words of a branch")
    made.marks = Marks(True, ("good", "\x1b[31m漢" * 9), "a note", True)
    made.finish = CUT
    view = RowView(made, Branch.MIDDLE, 0, (), False, False, 0)
    for signs in (UNICODE, ASCII):
        row = lay_out(view, signs, 60, False, "")
        assert row.marks == signs.unread + signs.note + signs.bookmark + signs.cut
        assert row.tags.startswith("#good #")
        assert "\x1b" not in row.tags
        assert cell_len(row.tags) <= 21
        for width in range(1, 80):
            row = lay_out(view, signs, width, True, "x")
            parts = row.guides + row.stream + row.label + row.count + " " * row.gap + row.tags + row.marks
            assert cell_len(parts) == width or width < 8
    assert row.tags and row.marks.endswith("x")
