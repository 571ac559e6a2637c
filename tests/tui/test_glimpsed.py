"""What is shown of a large session at first is what is shown once all of it is there."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from support.large import Gate, gate, plant, wild

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session import glimpse, schema
from n8loom_tui.session.glimpse import UNCOUNTED, take_glimpse
from n8loom_tui.session.store import SessionStore
from n8loom_tui.tui.glimpsed import LEAST_LINES, Glimpsed, begin_opening
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.widgets.row_views import RowView
from n8loom_tui.tui.widgets.rows import TreeRows

__all__ = ["gate"]

PAGE = 5


def seen(rows: TreeRows, at: int, above: int, below: int) -> list[tuple[object, ...]]:
    """What is drawn of the rows around one."""
    views: list[RowView] = rows.views(max(at - above, 0), at + below + 1)
    return [
        (
            view.node.id,
            view.node.text,
            view.node.marks,
            view.branch,
            view.depth,
            view.rails,
            view.has_children,
            view.folded,
            view.hidden,
        )
        for view in views
    ]


@pytest.mark.parametrize("seed", range(12))
def test_around_the_cursor_all_is_as_in_the_whole(gate: Gate, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "a.loom"
    wild(path, seed, 150)
    store = SessionStore.open(path)
    glimpse = store.glimpse(PAGE)
    assert glimpse is not None
    small, whole = Glimpsed(store, glimpse), Saving(store)
    here, there = small.shape(), whole.shape()
    assert small.close()
    assert here.hoist.top is there.hoist.top is None or here.hoist.top.id == there.hoist.top.id  # type: ignore[union-attr]
    assert here.rows.cursor is not None
    assert [above.text for above in here.rows.cursor.path()] == [
        above.text for above in whole.document.nodes[here.rows.cursor.id].path()
    ]
    for name in small.near:
        node = whole.document.nodes[name]
        at, its = here.rows.index_of(small.document.nodes[name]), there.rows.index_of(node)
        assert at is not None and its is not None
        assert [child.id for child in small.document.nodes[name].children] == [c.id for c in node.children]
        for step in range(PAGE):
            assert seen(here.rows, at, step, PAGE - 1 - step) == seen(there.rows, its, step, PAGE - 1 - step)


def test_very_many_nodes_below_a_folded_one_are_not_counted_first(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.loom"
    nodes = plant(path)
    saving = Saving.open(path)
    saving.place(nodes[0], frozenset({nodes[0].id}))
    assert saving.close()
    monkeypatch.setattr("n8loom_tui.session.glimpse.MOST_COUNTED", 50)
    small = begin_opening(path, LEAST_LINES)
    assert isinstance(small, Glimpsed)
    assert small.shape().rows.views(0, 1)[0].hidden == UNCOUNTED
    assert small.close()


STRANGE = (
    "UPDATE nodes SET parent = id WHERE seq = 52",
    "UPDATE nodes SET parent = 'nobody' WHERE seq = 52",
    "UPDATE nodes SET kind = 'odd'",
    "UPDATE nodes SET parent = (SELECT id FROM nodes WHERE seq = 50) WHERE seq = 1",
    "UPDATE meta SET value = '[[' WHERE key = 'current'",
)


@pytest.mark.parametrize("change", STRANGE)
def test_what_is_not_in_order_is_loaded_as_a_whole(gate: Gate, tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.loom"
    nodes = plant(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE meta SET value = (SELECT '\"' || id || '\"' FROM nodes WHERE seq = 52)")
        db.execute(change)
    saving = begin_opening(path, LEAST_LINES)
    assert not isinstance(saving, Glimpsed)
    assert len(saving.document.nodes) == len(nodes)
    assert saving.close()


def test_an_older_session_gets_what_a_glimpse_needs(gate: Gate, tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    plant(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP INDEX nodes_parent")
        db.execute("DROP TABLE drafts")
        db.execute(f"PRAGMA user_version = {schema.WITH_ODDS}")
    with contextlib.closing(schema.connect(path, schema.Mode.READ)) as db:
        assert take_glimpse(db, PAGE) is None
    saving = begin_opening(path, LEAST_LINES)
    assert isinstance(saving, Glimpsed)
    assert saving.close()


def test_a_session_without_its_indexes_is_not_gone_through_again_and_again(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.loom"
    nodes = plant(path)
    monkeypatch.setattr(glimpse, "STEP", 1000)
    monkeypatch.setattr(glimpse, "MOST_STEPS", 20)
    saving = begin_opening(path, LEAST_LINES)
    assert isinstance(saving, Glimpsed)
    assert saving.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP INDEX nodes_parent")
    saving = begin_opening(path, LEAST_LINES)
    assert not isinstance(saving, Glimpsed)
    assert len(saving.document.nodes) == len(nodes)
    assert saving.close()


def test_a_branch_too_deep_to_be_followed_to_its_end_is_loaded_with_the_rest(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.loom"
    made = Saving.open(path)
    top = made.document.new_loom("Once", False).focus
    assert top is not None
    node: Heddle | None = top
    for number in range(300):
        assert node is not None
        node = made.document.add_text(node, f" {number}").focus
    last = made.document.add_text(top, " beside").focus
    made.save("plant")
    made.place(last)
    assert made.close()
    monkeypatch.setattr(glimpse, "MOST_ASKED", 200)
    saving = begin_opening(path, LEAST_LINES)
    assert not isinstance(saving, Glimpsed)
    assert saving.current_id == (last and last.id) and len(saving.document.nodes) == 302
    assert saving.close()


def test_undo_brings_back_nodes_without_unpacking_their_tokens(tmp_path: Path) -> None:
    """A hundred thousand take most of a second to unpack, while the screen waits."""
    path = tmp_path / "a.loom"
    planted = plant(path, fans=5)
    saving = Saving.open(path)
    document = saving.document
    top = document.roots[0].children[0]
    below = list(top.walk())
    for node in below:
        node.encoded = False  # as where another model is in use
    document.delete(top)
    document.undo()
    assert all(node._late_span is not None for node in below)
    assert top.tokens == next(node for node in planted if node.id == top.id).tokens
    assert saving.close()
