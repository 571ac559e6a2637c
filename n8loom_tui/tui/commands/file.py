"""Looms, the trash, the clipboard, help, and the way out."""

from __future__ import annotations

from n8loom_tui.tui import clipboard
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError, counted
from n8loom_tui.tui.screens.ask import AskScreen
from n8loom_tui.tui.screens.help import HelpScreen
from n8loom_tui.tui.screens.trash import BringBack, Empty, TrashScreen
from n8loom_tui.tui.widgets.shown import shown_text


class File(Part):
    """Looms, the trash, the clipboard, help, and the way out."""

    def do_new_loom(self, _count: int | None) -> None:
        self._app.new_looms.write()

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
                app.saving.drafts.forget_gone(app.document.nodes)
                app.saving.save("empty the trash")
                app.tell(f"{counted(gone, 'node')} went for good.")

        hint = "All of it goes for good, and nothing done so far can be undone any more. Type yes."
        app.push_screen(AskScreen("Empty the trash", hint, "", check), answered)

    def do_copy_node(self, _count: int | None) -> None:
        self._copy(shown_text(self._node()))

    def do_copy_text(self, _count: int | None) -> None:
        self._copy(self._node().get_display_text())

    def _copy(self, text: str) -> None:
        clipboard.copy(text, self._app.copy_to_clipboard)
        self._app.tell(f"Copied {len(text):,} characters.")

    def do_palette(self, _count: int | None) -> None:
        self._app.action_command_palette()

    def do_help(self, _count: int | None) -> None:
        self._app.push_screen(HelpScreen(self._app.keymap))

    def do_quit(self, _count: int | None) -> None:
        self._app.leaving.quit()
