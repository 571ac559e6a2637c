"""Hits in trees: which nodes, in which order, across nodes, after changes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.fake_backend import FakeBackend
from support.hand import Hand

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session.history_trees import Trees
from n8loom_tui.tui.document import Change, Document
from n8loom_tui.tui.finding import finder as finder_module
from n8loom_tui.tui.finding import index as index_module
from n8loom_tui.tui.finding.finder import Finder
from n8loom_tui.tui.widgets.shown import shown_text


def grow(parent: Heddle, *texts: str) -> Heddle:
    """Put nodes one below the other; returns the last."""
    for text in texts:
        node = Heddle.from_text(text)
        parent.add_child(node)
        parent = node
    return parent


class Desk:
    """A finder whose slices are worked off when the test says so."""

    def __init__(self, *roots: Loom) -> None:
        self.document = Document(Trees(roots))
        self.work: Iterator[None] | None = None
        self.ended = 0
        self.finder = Finder(self.document, self._later, self._no_more, self._end)

    def _later(self, work: Iterator[None]) -> None:
        self.work = work

    def _no_more(self) -> None:
        self.work = None

    def _end(self) -> None:
        self.ended += 1

    def work_off(self) -> None:
        while self.work is not None:
            work, self.work = self.work, None
            for _ in work:
                pass

    def found(self, text: str) -> list[str]:
        self.finder.look_for(text)
        self.work_off()
        return [node.text for node in self.finder.hits()]


@pytest.fixture
def root() -> Loom:
    return Loom(None, None, "The prompt", chat=False)


def test_hits_come_in_the_trees_order(root: Loom) -> None:
    a, b = grow(root, "a flood"), grow(root, "b")
    grow(a, "deep flood")
    grow(b, "Flood")
    other = Loom(None, None, "another flood", chat=False)
    desk = Desk(root, other)
    assert desk.found("flood") == ["a flood", "deep flood", "Flood", "another flood"]
    assert desk.found("Flood") == ["Flood"]
    assert desk.found("nothing") == []
    assert desk.found("") == []
    assert desk.finder.query is None


def test_a_text_across_nodes_counts_where_it_ends(root: Loom) -> None:
    grow(root, " says", " Gil", "ga", "mesh")
    desk = Desk(root)
    assert desk.found("prompt says g") == [" Gil"]
    assert desk.found("says Gilgam") == ["mesh"], "over three nodes, with its capital"
    assert desk.found("says gilgam") == ["mesh"]
    assert desk.found("says gilGam") == []
    assert desk.found("gilga") == ["ga"], "not once more below"
    assert desk.found("the prompt says gilgamesh") == ["mesh"]


def test_a_long_text_is_found_across_nodes_too(root: Loom) -> None:
    words = [f" word{number}" for number in range(60)]
    grow(root, *words)
    desk = Desk(root)
    assert desk.found("".join(words)) == [" word59"]


def test_a_prompt_in_a_chat_does_not_run_on(root: Loom) -> None:
    chat = Loom(None, None, "the end", chat=True)
    grow(chat, " of it")
    assert Desk(chat).found("end of") == []


def test_walking_goes_round_and_passes_over_what_is_gone(root: Loom) -> None:
    nodes = [grow(root, f"hit {number}") for number in range(4)]
    between = grow(nodes[1], "no")
    desk = Desk(root)
    desk.found("hit")
    finder = desk.finder
    assert finder.step_from(root, 1) is nodes[0]
    assert finder.step_from(nodes[3], 1) is nodes[0]
    assert finder.step_from(nodes[0], -1) is nodes[3]
    assert finder.step_from(between, 1) is nodes[2]
    assert finder.step_from(between, -1) is nodes[1]
    assert finder.step_from(root, 3) is nodes[2]
    assert finder.first_from(nodes[1]) is nodes[1]
    assert finder.first_from(between) is nodes[2]
    assert finder.count_at(nodes[2]) == (3, 4)
    assert finder.count_at(between) == (0, 4)
    desk.document.delete(nodes[2])
    assert finder.step_from(nodes[1], 1) is nodes[3]
    young = desk.document.add_text(nodes[1], "hit that is younger than the search").focus
    assert finder.step_from(young, 1) is nodes[3]
    desk.document.delete(root)
    assert finder.step_from(None, 1) is None


def test_hits_are_those_of_the_trees_as_they_are(root: Loom) -> None:
    node = grow(root, "a hit")
    desk = Desk(root)
    assert desk.found("hit") == ["a hit"]
    desk.finder.trees_changed(desk.document.add_text(node, "another hit"))
    assert [hit.text for hit in desk.finder.hits()] == ["a hit", "another hit"]
    desk.finder.end()
    assert desk.finder.hits() == []


def test_a_large_tree_is_searched_in_slices_that_can_be_given_up(
    root: Loom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder_module, "advance", lambda work: next(work, "done") == "done")
    draw = random.Random(1)
    nodes: list[Heddle] = [root]
    for number in range(5000):
        nodes.append(grow(nodes[draw.randrange(len(nodes))], f"node {number}"))
    desk = Desk(root)
    desk.finder.prepare()
    desk.finder.look_for("node 1")
    desk.finder.look_for("node 12")
    assert desk.finder.searching
    desk.work_off()
    assert not desk.finder.searching
    assert desk.ended == 1, "the one in between was given up, what it had read was not"
    expected = [node for node in root.walk() if "node 12" in node.text]
    assert desk.finder.hits() == expected
    desk.finder.look_for("node 2")
    desk.finder.look_for("")
    desk.work_off()
    assert desk.finder.hits() == [], "what was under way when the query was taken back is given up"
    desk.finder.look_for("node 13")
    assert [hit.text for hit in desk.finder.hits()] == [n.text for n in root.walk() if "node 13" in n.text]
    desk.work_off()


def test_what_went_by_between_slices_does_not_put_off_the_next_look(
    root: Loom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While much streams a search of a large tree takes long, though little of that is its own work."""

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

        perf_counter = monotonic

    clock = Clock()
    monkeypatch.setattr(finder_module, "time", clock)
    monkeypatch.setattr(finder_module, "advance", lambda _work: False)
    grow(root, " flood")
    desk = Desk(root)
    desk.finder.look_for("flood")
    assert desk.work is not None
    for _ in desk.work:
        clock.now += 100.0
    assert desk.ended == 1
    desk.finder.trees_changed(desk.document.add_text(root, " flood too"))
    desk.work = None
    desk.finder.refresh()
    assert desk.work is None, "it was just done"
    clock.now += finder_module.PATIENCE + 0.1
    desk.finder.refresh()
    desk.work_off()
    assert len(desk.finder.ids) == 2


class Growing:
    """A large tree with a branch that grows at its end, and what is read of it."""

    def __init__(self, root: Loom, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finder_module, "PATIENCE", -1.0)
        monkeypatch.setattr(finder_module, "SHARE", 0)
        self.others = [grow(root, f" word {number}") for number in range(finder_module.SMALL)]
        self.branch = grow(root, " The Fl")
        self.desk = Desk(root)
        self.read: list[str] = []

        def shown(node: Heddle) -> str:
            self.read.append(node.id)
            return shown_text(node)

        monkeypatch.setattr(index_module, "shown_text", shown)

    def says(self, node: Heddle, text: str) -> None:
        """The node says something else now."""
        node.text = text
        change = Change()
        change.touch(node)
        self.desk.finder.trees_changed(change)

    def found(self) -> list[Heddle]:
        """What is found by looking again, and what was read for that, in `read`."""
        self.read.clear()
        self.desk.finder.refresh()
        self.desk.work_off()
        found = self.desk.finder.hits()
        assert {node.id for node in found} == self.desk.finder.ids
        return found


@pytest.fixture
def growing(root: Loom, monkeypatch: pytest.MonkeyPatch) -> Growing:
    return Growing(root, monkeypatch)


def test_where_texts_grow_nothing_else_is_read_anew(growing: Growing) -> None:
    desk, branch, others = growing.desk, growing.branch, growing.others
    assert desk.found("flood") == []
    growing.says(branch, " The Flood")
    growing.says(others[3], " a flood")
    assert growing.found() == [others[3], branch]
    assert sorted(growing.read) == sorted([branch.id, others[3].id])
    assert desk.finder.count_at(branch) == (2, 2)
    growing.says(others[3], " the end")
    assert growing.found() == [branch]
    assert desk.found("Flood") == [" The Flood"]
    growing.says(branch, " The Floods")
    growing.says(others[3], " floods")
    assert growing.found() == [branch], "with its capital"
    assert len(growing.read) < 9


def test_what_stands_below_a_text_that_grows_is_found_with_its_new_end(growing: Growing) -> None:
    desk, branch = growing.desk, growing.branch
    desk.finder.trees_changed(desk.document.add_text(branch, "ood"))
    below = branch.children[0]
    assert desk.found("the flood") == ["ood"]
    growing.says(branch, " The Fl")
    assert growing.found() == [below]
    assert len(growing.read) < 9, "what it says is the same"
    growing.says(branch, " A fl")
    assert growing.found() == []
    assert desk.found("a flood") == ["ood"]


def test_a_capital_of_a_text_counts_for_what_stands_below_it(growing: Growing) -> None:
    desk, branch = growing.desk, growing.branch
    desk.finder.trees_changed(desk.document.add_text(branch, "ood"))
    below = branch.children[0]
    assert desk.found("The Flood") == ["ood"]
    growing.says(branch, " the fl")
    assert growing.found() == []
    growing.says(branch, " The Fl")
    assert growing.found() == [below]
    assert len(growing.read) < 99, "nothing else is read anew for that"


def test_hits_are_right_though_only_the_reading_came_to_its_end(growing: Growing) -> None:
    desk, branch = growing.desk, growing.branch
    assert desk.found("flood") == []
    desk.finder.trees_changed(desk.document.add_text(branch, "ood"))
    desk.finder.prepare()
    desk.work_off()
    assert growing.found() == branch.children


def test_all_hits_there_are_now_are_told_though_a_reading_began_before(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, branch, others = growing.desk, growing.branch, growing.others
    assert desk.found("flood") == []
    monkeypatch.setattr(finder_module, "advance", lambda work: next(work, "done") == "done")
    desk.finder.trees_changed(desk.document.add_text(branch, "ood"))
    desk.finder.refresh()
    growing.read.clear()
    assert desk.work is not None
    while others[0].id not in growing.read:
        next(desk.work)
    desk.finder.trees_changed(desk.document.add_text(others[0], " flood"))
    assert desk.finder.hits() == [*others[0].children, *branch.children]


def test_where_most_texts_change_all_is_read_anew(growing: Growing) -> None:
    desk, others = growing.desk, growing.others
    assert desk.found("flood") == []
    for node in others:
        growing.says(node, " flood")
    assert growing.found() == others
    assert len(growing.read) == len(others) + 2


def test_what_grows_while_all_is_read_anew_is_found(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, branch, others = growing.desk, growing.branch, growing.others
    assert desk.found("flood") == []
    monkeypatch.setattr(finder_module, "advance", lambda work: next(work, "done") == "done")
    desk.finder.trees_changed(desk.document.add_text(others[-1], " another"))
    desk.finder.refresh()
    work = desk.work
    assert work is not None
    while growing.others[0].id not in growing.read:
        next(work)
    growing.says(others[0], " flood")
    growing.says(branch, " The Flood")
    desk.finder.look_for("flood")
    desk.work_off()
    assert growing.found() == [others[0], branch]


class Watched(Hand):
    """A hand whose finder hears of all that is done."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        super().__init__(desk.document, FakeBackend((" the", " Flood", " came")), seed)

    def take(self, change: Change) -> None:
        self.desk.finder.trees_changed(change)
        super().take(change)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_done_the_hits_are_those_of_a_search_that_reads_all(
    root: Loom, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(finder_module, "SMALL", 0)
    monkeypatch.setattr(finder_module, "PATIENCE", -1.0)
    monkeypatch.setattr(finder_module, "SHARE", 0)
    desk = Desk(root)
    hand = Watched(desk, seed)
    for turn in range(400):
        if turn % 8 == 0:
            desk.finder.look_for(
                hand.random.choice((" the", "The", "the Flood", "Flood came", "d l", "漢字"))
            )
            desk.work_off()
        hand.act()
        desk.finder.refresh()
        desk.work_off()
        query = desk.finder.query
        assert query is not None
        other = Finder(desk.document, lambda _work: None, lambda: None, lambda: None)
        other.look_for(query.text)
        found = [node.id for node in other.hits()]
        assert desk.finder.ids == set(found), (turn, query.text)
        assert [node.id for node in desk.finder.hits()] == found, (turn, query.text)
        for place, name in enumerate(found[:3], 1):
            assert desk.finder.count_at(desk.document.nodes[name]) == (place, len(found))
