"""What each action does. One method `do_<action id>` for each entry of the registry, and no other public ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.tui import clipboard
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import EditorScreen, Written
from n8loom_tui.tui.screens.help import HelpScreen
from n8loom_tui.tui.settings import SETTINGS

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp
    from n8loom_tui.tui.widgets.tree import LoomTree

TWICE = 1.0
"""Seconds within which a second stop means all."""


class Commands:
    """The actions, on an app."""

    def __init__(self, app: LoomApp) -> None:
        self._app = app
        self._stopped_at = 0.0

    @property
    def _tree(self) -> LoomTree:
        return self._app.view.tree_view

    def _node(self) -> Heddle:
        node = self._app.view.current
        if node is None:
            raise EditError("There is no tree yet: start a new loom.")
        return node

    # -------------------------------------------------------------------- move

    def _move(self, up: bool, count: int) -> None:
        """Rows in the tree, lines in the reader: whichever is in use."""
        if self._app.view.reading:
            self._app.view.reader.scroll_lines(-count if up else count)
        else:
            self._tree.go_rows(-count if up else count)

    def do_row_up(self, count: int | None) -> None:
        self._move(True, count or 1)

    def do_row_down(self, count: int | None) -> None:
        self._move(False, count or 1)

    def do_page_up(self, count: int | None) -> None:
        self._move(True, (count or 1) * max(self._tree.size.height - 1, 1))

    def do_page_down(self, count: int | None) -> None:
        self._move(False, (count or 1) * max(self._tree.size.height - 1, 1))

    def do_parent(self, count: int | None) -> None:
        for _ in range(count or 1):
            if not self._tree.fold():
                self._tree.go_parent()

    def do_child(self, count: int | None) -> None:
        for _ in range(count or 1):
            if not self._tree.unfold():
                self._tree.go_child()

    def do_previous_sibling(self, count: int | None) -> None:
        self._tree.go_sibling(-(count or 1))

    def do_next_sibling(self, count: int | None) -> None:
        self._tree.go_sibling(count or 1)

    def do_top(self, _count: int | None) -> None:
        if self._app.view.reading:
            self._app.view.reader.scroll_lines(-(10**9))
        else:
            self._tree.go_top()

    def do_bottom(self, _count: int | None) -> None:
        if self._app.view.reading:
            self._app.view.reader.follow()
        else:
            self._tree.go_bottom()

    # ------------------------------------------------------------------- weave

    def _grow(self, nodes: list[Heddle], n: int) -> None:
        app = self._app
        if app.status.failure:
            raise EditError(app.status.failure)
        change, request = app.document.ramify(nodes, n, app.settings.params)
        for parent, _ in change.added:
            if parent is not None:
                self._tree.unfold(parent)
        app.show(change, "ramify")
        app.ask_engine(request)
        if request is None:
            app.tell("This starts as soon as the node has ended, or the model is loaded.")

    def do_ramify(self, count: int | None) -> None:
        self._grow([self._node()], self._checked(count or self._app.settings.n))

    def do_continue_one(self, _count: int | None) -> None:
        self._grow([self._node()], 1)

    def do_ramify_leaves(self, count: int | None) -> None:
        node = self._node()
        self._grow(node.get_all_leaves() or [node], self._checked(count or self._app.settings.n))

    def _checked(self, n: int) -> int:
        try:
            return self._app.settings.with_value("n", n).n
        except ValueError as error:
            raise EditError(str(error)) from None

    def do_stop(self, _count: int | None) -> None:
        app = self._app
        now = time.monotonic()
        below = app.document.growing_below(self._node()) if app.view.current is not None else frozenset()
        everything = now - self._stopped_at < TWICE
        self._stopped_at = now
        if not (everything or below) and (app.document.growing or app.document.waiting):
            app.tell("Nothing grows here. Once more stops everything.")
        if everything:
            app.document.forget_waiting()
        if everything and app.document.growing:
            app.stop_branches(None)
        elif below:
            app.stop_branches(below)

    # ------------------------------------------------------------------- write

    def do_add_text(self, _count: int | None) -> None:
        node = self._node()
        if node.id in self._app.document.growing:
            raise EditError(
                "This branch still grows. Wait for it to end, or stop it, before writing behind it."
            )

        def written(answer: Written | None) -> None:
            if answer is None or not answer.text:
                return
            if node.id not in self._app.document.nodes:
                self._app.tell("The node that this was written for is gone.", "warning")
                return
            self._tree.unfold(node)
            change, request = self._app.document.add_text(node, answer.text)
            self._app.show(change, "write")
            self._app.ask_engine(request)
            self._tree.go_to(node.children[-1])

        self._app.push_screen(EditorScreen("Write what comes next"), written)

    # --------------------------------------------------------------------- cut

    def _remove(self, node: Heddle, include: bool) -> None:
        """Take out a subtree; what grows in it is stopped, and what it has said goes to the trash with it."""
        app = self._app
        growing = app.document.growing_below(node) - (frozenset() if include else {node.id})
        if growing:
            app.stop_branches(growing)
        app.document.note_growing()
        app.saving.save("before delete")
        app.show(app.document.delete(node) if include else app.document.make_leaf(node), "delete")

    def do_delete(self, _count: int | None) -> None:
        self._remove(self._node(), include=True)

    def do_make_leaf(self, _count: int | None) -> None:
        self._remove(self._node(), include=False)

    def _clip(self, node: Heddle, tokens: int) -> None:
        app = self._app
        growing = app.document.growing_below(node)
        app.document.note_growing()
        app.saving.save("before clip")
        change = app.document.clip(node, tokens)
        if growing:
            app.stop_branches(growing)
        app.show(change, "clip")
        app.view.show_node(node)

    def do_trim(self, count: int | None) -> None:
        self._clip(self._node(), -(count or 1))

    def do_clip(self, count: int | None) -> None:
        node = self._node()
        if count is not None:
            self._clip(node, count)
            return

        def check(text: str) -> str | None:
            whole = text.strip().isdigit() and int(text) > 0
            return None if whole else "a whole number of tokens, at least 1"

        def answered(text: str | None) -> None:
            if text is not None:
                try:
                    self._clip(node, int(text))
                except EditError as error:
                    self._app.tell(str(error), "warning")

        size = len(node.tokens)
        self._app.push_screen(
            AskScreen("Clip", f"keep how many of its {size} tokens?", str(size), check), answered
        )

    # -------------------------------------------------------------------- look

    def do_toggle_fold(self, _count: int | None) -> None:
        self._tree.toggle(self._node())

    def do_fold(self, _count: int | None) -> None:
        self._tree.fold(self._node())

    def do_unfold(self, _count: int | None) -> None:
        self._tree.unfold(self._node())

    def do_fold_all_but_path(self, _count: int | None) -> None:
        self._tree.fold_all_but_path()

    def do_unfold_all(self, _count: int | None) -> None:
        self._tree.unfold_all()

    def do_next_pane(self, _count: int | None) -> None:
        self._app.view.flip()

    # ---------------------------------------------------------------- settings

    def _set(self, action: str, count: int | None) -> None:
        setting = SETTINGS[action]
        app = self._app

        def check(text: str) -> str | None:
            try:
                app.settings.with_value(setting.name, setting.read(text))
            except ValueError as error:
                return str(error)
            return None

        def answered(text: str | None) -> None:
            if text is not None:
                app.settings = app.settings.with_value(setting.name, setting.read(text))
                app.refresh_bars()

        if count is not None:
            objection = check(str(count))
            if objection:
                raise EditError(objection)
            answered(str(count))
            return
        app.push_screen(
            AskScreen(setting.title, setting.hint, f"{setting.current(app.settings):g}", check), answered
        )

    def do_set_n(self, count: int | None) -> None:
        self._set("set_n", count)

    def do_set_temperature(self, count: int | None) -> None:
        self._set("set_temperature", count)

    def do_set_max_tokens(self, count: int | None) -> None:
        self._set("set_max_tokens", count)

    def do_set_min_p(self, count: int | None) -> None:
        self._set("set_min_p", count)

    # -------------------------------------------------------------------- file

    def do_new_loom(self, _count: int | None) -> None:
        self._app.write_prompt()

    def do_copy_text(self, _count: int | None) -> None:
        text = self._node().get_display_text()
        clipboard.copy(text, self._app.copy_to_clipboard)
        self._app.tell(f"Copied {len(text):,} characters.")

    def do_palette(self, _count: int | None) -> None:
        self._app.action_command_palette()

    def do_help(self, _count: int | None) -> None:
        self._app.push_screen(HelpScreen(self._app.keymap))

    def do_quit(self, _count: int | None) -> None:
        self._app.leave()
