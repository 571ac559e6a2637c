"""What is shown and what is folded away. Nothing here changes a text."""

from __future__ import annotations

from n8loom_tui.tui.commands.part import Part


class Look(Part):
    """What is shown and what is folded away. Nothing here changes a text."""

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

    def do_fold_all(self, _count: int | None) -> None:
        self._tree.fold_all()

    def do_next_pane(self, _count: int | None) -> None:
        self._app.view.flip()
