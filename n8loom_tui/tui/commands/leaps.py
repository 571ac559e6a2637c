"""Leaps: back to where one was, to a letter, to whatever some letters of a text lead to."""

from __future__ import annotations

from collections.abc import Callable, Container

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.fuzzy import FuzzyScreen


class Leaps(Part):
    """Leaps: back to where one was, to a letter, to whatever some letters of a text lead to."""

    def do_jump_back(self, count: int | None) -> None:
        self._travel(self._app.view.jumps.back, count or 1, "There is no place to go back to.")

    def do_jump_forward(self, count: int | None) -> None:
        self._travel(self._app.view.jumps.forward, count or 1, "There is no place to go forward to.")

    def _travel(self, step: Callable[[str, Container[str]], str | None], count: int, objection: str) -> None:
        nodes = self._app.document.nodes
        here = self._node().id
        for number in range(count):
            there = step(here, nodes)
            if there is None and number == 0:
                raise EditError(objection)
            here = there or here
        self._app.view.go_to(nodes[here])

    def do_set_letter(self, _count: int | None) -> None:
        node = self._node()
        self._app.view.take_next_key(
            lambda letter: self._attempt(lambda: self._set(letter, node)),
            self._app.keymap.label("set_letter"),
        )

    def _set(self, letter: str, node: Heddle) -> None:
        self._check(letter)
        self._see_there(node)
        before = self._app.document.set_letter(letter, node)
        for changed in {before, node.id} - {None}:
            if other := self._app.document.nodes.get(changed or ""):
                self._tree.nodes_changed([other])

    def do_go_letter(self, _count: int | None) -> None:
        self._node()
        self._app.view.take_next_key(
            lambda letter: self._attempt(lambda: self._go(letter)), self._app.keymap.label("go_letter")
        )

    def _go(self, letter: str) -> None:
        self._check(letter)
        name = self._app.document.letters.get(letter)
        if name is None:
            key = self._app.keymap.label("set_letter")
            raise EditError(f"Nothing is marked {letter}; {key} {letter} marks the node you stand on.")
        node = self._app.document.nodes.get(name)
        if node is None:
            raise EditError(f"What was marked {letter} is in the trash, or gone.")
        self._app.leap(node)

    @staticmethod
    def _check(letter: str) -> None:
        if not (len(letter) == 1 and letter.isalnum()):
            raise EditError("A mark is a letter or a digit.")

    def do_fuzzy_jump(self, _count: int | None) -> None:
        self._node()
        app = self._app

        def chosen(node: Heddle | None) -> None:
            if node is not None:
                self._attempt(lambda: self._leap(node))

        app.push_screen(FuzzyScreen(app.document, app.view.tree_view.signs), chosen)

    def _leap(self, node: Heddle) -> None:
        self._see_there(node)
        self._app.leap(node)
