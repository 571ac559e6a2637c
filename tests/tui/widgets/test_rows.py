"""The rows of a tree: always those of the tree itself, whatever came and went, and the cursor where one
expects it."""

import random
from collections.abc import Callable

import pytest

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.widgets.row_views import Branch, RowView
from n8loom_tui.tui.widgets.rows import TreeRows

Maker = Callable[..., Heddle]


def expected_views(roots: list[Heddle], folded: set[str]) -> list[RowView]:
    """The rows of a tree by the plainest way there is: each from the root anew."""
    views: list[RowView] = []
    todo: list[tuple[Heddle, tuple[bool, ...], Branch]] = [
        (root, (), Branch.ROOT) for root in reversed(roots)
    ]
    while todo:
        node, rails, branch = todo.pop()
        is_folded = node.id in folded and bool(node.children)
        hidden = node.count_children() - 1 if is_folded else 0
        views.append(RowView(node, branch, len(rails), rails, bool(node.children), is_folded, hidden))
        below = rails if branch in (Branch.ROOT, Branch.ONLY) else (*rails, branch is Branch.MIDDLE)
        if not is_folded:
            only = len(node.children) == 1
            last = len(node.children) - 1
            todo += [
                (child, below, Branch.ONLY if only else Branch.LAST if number == last else Branch.MIDDLE)
                for number, child in reversed(list(enumerate(node.children)))
            ]
    return views


class Model:
    """A tree, its rows, and random changes to both."""

    def __init__(self, seed: int, node: Maker) -> None:
        self.rng, self.node = random.Random(seed), node
        self.roots = [node("root"), node("other root")]
        self.folded: set[str] = set()
        self.rows = TreeRows()
        self.rows.set_roots(self.roots)

    def pick(self) -> Heddle:
        return self.rng.choice([n for root in self.roots for n in root.walk()])

    def add(self) -> None:
        parent = self.pick()
        new = [self.node("new") for _ in range(self.rng.choice((1, 1, 2, 5)))]
        for child in new:
            if self.rng.random() < 0.3:
                self.node("below", child)
            child.parent = parent
            parent.children.insert(self.rng.randint(0, len(parent.children)), child)
        before = self.rows.cursor
        self.rows.added(parent, new)
        assert self.rows.cursor is before

    def remove(self) -> None:
        victim = self.pick()
        if victim.parent is None:
            return
        parent, cursor = victim.parent, self.rows.cursor
        assert cursor is not None
        expected = cursor
        if any(above is victim for above in cursor.ancestors()):
            at = parent.children.index(victim)
            expected = next(iter([*parent.children[at + 1 :], *reversed(parent.children[:at]), parent]))
        parent.remove_child(victim)
        self.rows.removed(victim, *([parent] if self.rng.random() < 0.5 else []))
        assert self.rows.cursor is expected

    def rebuild_below(self) -> None:
        changed = self.pick()
        self.rng.shuffle(changed.children)
        if self.rng.random() < 0.3:
            changed.to_leaf()
        self.rows.changed_below(changed)

    def fold(self) -> None:
        target = self.pick()
        if self.rows.is_folded(target):
            self.folded.discard(target.id)
            assert self.rows.unfold(target)
        elif self.rows.fold(target):
            self.folded.add(target.id)

    def fold_many(self) -> None:
        target = self.pick()
        if self.rng.random() < 0.5:
            self.folded.clear()
            self.rows.unfold_all()
        else:
            self.folded |= {n.id for root in self.roots for n in root.walk() if n.children}
            self.folded -= {above.id for above in target.ancestors()}
            self.rows.fold_all_but_path(target)
            assert self.rows.index_of(target) is not None

    def jump(self) -> None:
        target = self.pick()
        self.folded -= {above.id for above in target.ancestors() if above is not target}
        self.rows.move_to(target)
        assert self.rows.cursor is target

    def check(self) -> None:
        views = expected_views(self.roots, self.folded)
        rows = self.rows
        assert len(rows) == len(views)
        assert rows.views(0, len(views) + 5, keep=10**6) == views
        start = self.rng.randrange(len(views))
        assert rows.views(start, start + 7, keep=10**6) == views[start : start + 7]
        assert [rows.index_of(view.node) for view in views] == list(range(len(views)))
        assert rows.cursor is views[rows.cursor_index].node


@pytest.mark.parametrize("seed", range(25))
def test_rows_are_those_of_the_tree_after_any_changes(seed: int, node: Maker) -> None:
    model = Model(seed, node)
    changes = [model.add] * 6 + [model.remove] * 3 + [model.fold] * 3
    changes += [model.rebuild_below, model.fold_many, model.jump]
    for _ in range(150):
        model.rng.choice(changes)()
        model.check()


def test_moves_follow_the_tree_and_remember_the_child_visited_last(node: Maker) -> None:
    root = node("root")
    a, b, c = (node(name, root) for name in "abc")
    b1, b2 = node("b1", b), node("b2", b)
    rows = TreeRows()
    rows.set_roots([root])
    assert rows.cursor is root
    assert rows.move_child() and rows.cursor is a
    assert rows.move_sibling(1) and rows.cursor is b
    assert rows.move_rows(2) and rows.cursor is b2
    assert not rows.move_child()
    assert rows.move_parent() and rows.move_parent() and rows.cursor is root
    assert not rows.move_parent()
    assert rows.move_child() and rows.cursor is b
    assert rows.move_child() and rows.cursor is b2
    assert rows.move_sibling(-1) and rows.cursor is b1
    assert rows.move_bottom() and rows.cursor is c
    assert not rows.move_rows(1) and not rows.move_sibling(1)
    assert rows.move_sibling(-9) and rows.cursor is a
    assert rows.move_top() and rows.cursor is root


def test_a_jump_leaves_a_trail_to_come_back_on(node: Maker) -> None:
    root = node("root")
    node("a", root)
    b = node("b", root)
    node("b1", b)
    b2 = node("b2", b)
    rows = TreeRows()
    rows.set_roots([root])
    rows.move_to(b2)
    rows.move_top()
    assert rows.move_child() and rows.move_child() and rows.cursor is b2


def test_folding_takes_the_cursor_up_and_unfolding_remembers_it(node: Maker) -> None:
    root = node("root")
    node("a", root)
    b = node("b", root)
    rows = TreeRows()
    rows.set_roots([root])
    rows.move_to(b)
    assert rows.fold(root) and rows.cursor is root and len(rows) == 1
    assert not rows.fold(root) and not rows.fold(b) and not rows.move_child()
    assert rows.unfold(root) and rows.move_child() and rows.cursor is b


def test_counts_of_folded_nodes_follow_what_happens_out_of_sight(node: Maker) -> None:
    root = node("root")
    a = node("a", root)
    a1 = node("a1", a)
    rows = TreeRows()
    rows.set_roots([root])
    rows.fold(a)
    rows.fold(root)
    assert rows.views(0, 1)[0].hidden == 2
    rows.added(a1, [node("a2", a1)])
    assert rows.views(0, 1)[0].hidden == 3
    a.remove_child(a1)
    rows.removed(a1)
    assert rows.views(0, 1)[0].hidden == 1


def test_without_rows_nothing_moves(node: Maker) -> None:
    rows = TreeRows()
    moves = [rows.move_top, rows.move_bottom, rows.move_parent, rows.move_child]
    assert not any(move() for move in moves)
    assert not rows.move_rows(1) and not rows.move_sibling(1) and not rows.move_to(node("stranger"))
    root = node("root")
    rows.set_roots([root])
    rows.removed(root)
    assert len(rows) == 0 and rows.cursor is None and rows.cursor_index == -1


def test_a_node_that_was_taken_out_can_come_back(node: Maker) -> None:
    root = node("root")
    a, b = node("a", root), node("b", root)
    node("a1", a)
    rows = TreeRows()
    rows.set_roots([root])
    root.remove_child(a)
    rows.removed(a, root)
    root.add_child(a)
    rows.added(root, [a])
    assert [view.node for view in rows.views(0, 9)] == [root, b, a, a.children[0]]


def test_a_chain_of_ten_thousand_nodes_keeps_its_indent(node: Maker) -> None:
    root = below = node("root")
    for _ in range(10_000):
        below = node("link", below)
    rows = TreeRows()
    rows.set_roots([root])
    assert rows.move_bottom() and rows.cursor is below
    assert {view.depth for view in rows.views(9_000, 9_040)} == {0}
    rows.added(below, [node("end", below)])
    assert rows.fold(root) and rows.views(0, 1)[0].hidden == 10_001
    assert rows.move_to(below) and rows.cursor_index == 10_000


def test_a_hundred_thousand_nodes_are_put_in_and_out_anywhere(node: Maker) -> None:
    rng = random.Random(5)
    root = node("root")
    nodes = [root]
    for _ in range(100_000):
        nodes.append(node("x", nodes[rng.randrange(max(len(nodes) - 500, 0), len(nodes))]))
    rows = TreeRows()
    rows.set_roots([root])
    for _ in range(300):
        parent = rng.choice(nodes)
        rows.added(parent, [node("new", parent)])
        leaf = rng.choice(nodes)
        if not leaf.children and leaf.parent is not None:
            parent = leaf.parent
            parent.remove_child(leaf)
            rows.removed(leaf, parent)
    assert len(rows) == root.count_children()
    order = list(root.walk())
    assert [view.node for view in rows.views(50_000, 50_100)] == order[50_000:50_100]
    rows.fold_all()
    assert len(rows) == 1 and rows.views(0, 1)[0].hidden == len(order) - 1
    rows.unfold_all()
    assert len(rows) == len(order)
