"""What each action does. One method `do_<action id>` for each entry of the registry, and no other public ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.marks import parse_tags
from n8loom_tui.tui import clipboard, external_editor
from n8loom_tui.tui.document import Change, EditError, counted
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.editor import Choice, EditorScreen, Written
from n8loom_tui.tui.screens.help import HelpScreen
from n8loom_tui.tui.screens.trash import BringBack, Empty, TrashScreen
from n8loom_tui.tui.settings import SETTINGS
from n8loom_tui.tui.widgets.sanitize import visible

if TYPE_CHECKING:
    from n8loom_tui.tui.app import LoomApp
    from n8loom_tui.tui.widgets.tree import LoomTree

EDIT_ADVICE = "Stop it before editing it."
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

    def _go_bookmark(self, step: int) -> None:
        """Go on by bookmarks, from top to bottom and round."""
        found = self._app.document.bookmarked()
        if not found:
            raise EditError(f"There is no bookmark yet; {self._app.keymap.label('bookmark')} sets one.")
        node = self._node()
        if node in found:
            at = found.index(node) + step
        else:
            order = {other.id: index for index, other in enumerate(self._app.document.in_order())}
            behind = sum(order[other.id] < order[node.id] for other in found)
            at = behind + step - (1 if step > 0 else 0)
        self._tree.go_to(found[at % len(found)])

    def do_next_bookmark(self, count: int | None) -> None:
        self._go_bookmark(count or 1)

    def do_previous_bookmark(self, count: int | None) -> None:
        self._go_bookmark(-(count or 1))

    # ------------------------------------------------------------------- weave

    def _grow(self, nodes: list[Heddle], n: int) -> None:
        app = self._app
        if app.status.failure:
            raise EditError(app.status.failure)
        change = app.document.ramify(nodes, n, app.settings.params)
        for node in nodes:
            if self._tree.is_folded(node):
                self._tree.unfold(node)
        app.show(change, "ramify")
        if not change.requests:
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
        below = app.document.growth.below(self._node()) if app.view.current is not None else frozenset()
        everything = now - self._stopped_at < TWICE
        self._stopped_at = now
        if not (everything or below) and (app.document.growing or app.document.waiting):
            app.tell("Nothing grows here. Once more stops everything.")
        if everything:
            app.document.growth.forget_waiting()
        if everything and app.document.growing:
            app.stop_branches(None)
        elif below:
            app.stop_branches(below)

    # ------------------------------------------------------------------- write

    def do_add_text(self, _count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Wait for it to end, or stop it, before writing behind it.")

        def written(answer: Written | None) -> None:
            if answer is not None and answer.text:
                self._change("write", node, lambda: document.add_text(node, answer.text))

        self._app.push_screen(EditorScreen("Write what comes next"), written)

    def do_edit(self, _count: int | None) -> None:
        node = self._node()
        self._app.document.refuse_growing(node, EDIT_ADVICE)
        choice = None if node.children else Choice("as a new sibling", "in its place", False)
        intro = (
            "What is below goes on from the old text: the new one becomes a sibling." if node.children else ""
        )

        def written(answer: Written | None) -> None:
            if answer is not None:
                self._edit(node, answer.text, sibling=answer.chosen)

        text = node.source_text()
        self._app.push_screen(EditorScreen("Edit", intro=intro, text=text, choice=choice), written)

    def do_edit_external(self, _count: int | None) -> None:
        node = self._node()
        self._app.document.refuse_growing(node, EDIT_ADVICE)
        self._edit(node, external_editor.edit(node.source_text(), self._app), sibling=False)

    def _edit(self, node: Heddle, text: str, *, sibling: bool) -> None:
        """Enter an edited text: beside the old one, if that was chosen or something goes on from it."""
        if text == node.source_text():
            return
        document = self._app.document
        self._change("edit", node, lambda: document.edit(node, text, sibling=sibling or bool(node.children)))

    def _change(self, label: str, node: Heddle, change: Callable[[], Change]) -> None:
        """Make a change that was asked for in a dialog, and go there."""

        def made() -> None:
            self._see_there(node)
            if self._tree.is_folded(node):
                self._tree.unfold(node)
            self._app.show_there(change(), label)

        self._attempt(made)

    def _see_there(self, node: Heddle) -> None:
        """While a dialog was open its node may have gone."""
        if node.id not in self._app.document.nodes:
            raise EditError("The node that this was for is gone.")

    def _attempt(self, action: Callable[[], None]) -> None:
        """Do what a dialog was opened for; where it can't be done, say why."""
        try:
            action()
        except EditError as error:
            self._app.tell(str(error), "warning")
        self._app.refresh_bars()

    # --------------------------------------------------------------------- cut

    def do_delete(self, _count: int | None) -> None:
        self._app.show(self._app.document.delete(self._node()), "delete")

    def do_make_leaf(self, _count: int | None) -> None:
        self._app.show(self._app.document.make_leaf(self._node()), "make leaf")

    def _clip(self, node: Heddle, tokens: int) -> None:
        change = self._app.document.clip(node, tokens)
        change.focus = node
        self._app.show_there(change, "clip")

    def do_trim(self, count: int | None) -> None:
        self._clip(self._node(), -(count or 1))

    def do_clip(self, count: int | None) -> None:
        node = self._node()
        if count is not None:
            self._clip(node, count)
            return
        self._ask_tokens(
            "Clip", "keep how many", node, len(node.tokens), lambda tokens: self._clip(node, tokens)
        )

    def do_split(self, count: int | None) -> None:
        node = self._node()
        document = self._app.document
        document.refuse_growing(node, "Stop it before splitting it.")

        def split(tokens: int) -> None:
            self._app.show_there(document.split(node, tokens), "split")

        if count is not None:
            split(count)
        else:
            self._ask_tokens("Split", "behind how many", node, max(len(node.tokens) // 2, 1), split)

    def _ask_tokens(
        self, title: str, question: str, node: Heddle, proposed: int, then: Callable[[int], None]
    ) -> None:
        """Ask for a number of a node's tokens, and do something with it."""

        def check(text: str) -> str | None:
            whole = text.strip().isdecimal() and int(text) > 0
            return None if whole else "a whole number of tokens, at least 1"

        def answered(text: str | None) -> None:
            if text is not None:
                self._attempt(lambda: chosen(int(text)))

        def chosen(tokens: int) -> None:
            self._see_there(node)
            then(tokens)

        hint = f"{question} of its {len(node.tokens)} tokens?"
        self._app.push_screen(AskScreen(title, hint, str(proposed), check), answered)

    def do_merge(self, _count: int | None) -> None:
        self._app.show_there(self._app.document.merge(self._node()), "merge")

    def do_undo(self, count: int | None) -> None:
        self._travel(self._app.document.undo, count or 1)

    def do_redo(self, count: int | None) -> None:
        self._travel(self._app.document.redo, count or 1)

    def _travel(self, step: Callable[[], Change], count: int) -> None:
        """Undo or redo, as far as there is anything."""
        for number in range(count):
            try:
                self._app.show_there(step(), "history")
            except EditError:
                if number == 0:
                    raise
                return

    # -------------------------------------------------------------------- mark

    def do_bookmark(self, _count: int | None) -> None:
        node = self._node()
        self._app.show(self._app.document.bookmark([node], not node.marks.bookmark), "bookmark")

    def do_tag(self, _count: int | None) -> None:
        node = self._node()

        def check(text: str) -> str | None:
            try:
                parse_tags(text)
            except ValueError as error:
                return str(error)
            return None

        def answered(text: str | None) -> None:
            if text is not None:
                tags = parse_tags(text)
                self._change("tag", node, lambda: self._app.document.tag([node], tags))

        now = visible(" ".join(node.marks.tags), " ")
        self._app.push_screen(
            AskScreen("Tags", "words with blanks between; none takes them away", now, check), answered
        )

    def do_note(self, _count: int | None) -> None:
        node = self._node()

        def written(answer: Written | None) -> None:
            if answer is not None:
                self._change("note", node, lambda: self._app.document.note(node, answer.text))

        intro = "About this node; it is no part of the text."
        self._app.push_screen(EditorScreen("Note", intro=intro, text=node.marks.note), written)

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

    def do_trash(self, _count: int | None) -> None:
        app = self._app
        found = app.document.in_trash()
        if not found:
            raise EditError("The trash is empty.")

        def chosen(choice: BringBack | Empty | None) -> None:
            match choice:
                case BringBack(node):
                    self._attempt(lambda: app.show_there(app.document.bring_back(node), "bring back"))
                case Empty():
                    self._empty_trash()

        app.push_screen(TrashScreen(found), chosen)

    def _empty_trash(self) -> None:
        app = self._app

        def check(text: str) -> str | None:
            return None if text.strip().lower() == "yes" else "yes, or esc"

        def answered(text: str | None) -> None:
            if text is not None:
                gone = app.document.empty_trash()
                app.saving.save("empty the trash")
                app.tell(f"{counted(gone, 'node')} went for good.")

        hint = "All of it goes for good, and nothing done so far can be undone any more. Type yes."
        app.push_screen(AskScreen("Empty the trash", hint, "", check), answered)

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
