"""What grows by what the model says: until it is torn, or wherever several tokens are probable enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from n8loom_tui.loom.protocol import SamplingParams
from n8loom_tui.tui.adaptive_settings import ADAPTIVE, CUTOFF, MakeRun, adaptive_run, cutoff_run
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.screens.form import Answers, Field, FormScreen

Reading = Callable[[Answers, SamplingParams], MakeRun]
INTRO_ADAPTIVE = "One branch grows until one of these holds, several go on from there, and so on."
INTRO_CUTOFF = "Every continuation whose tokens are all probable enough; nothing is drawn by chance."


class Adaptive(Part):
    """Adaptive weaving and the cut-off tree; the same growth again."""

    def do_adaptive(self, _count: int | None) -> None:
        self._ask("adaptive weave", INTRO_ADAPTIVE, ADAPTIVE, adaptive_run)

    def do_cutoff_tree(self, _count: int | None) -> None:
        self._ask("cut-off tree", INTRO_CUTOFF, CUTOFF, cutoff_run)

    def _ask(self, label: str, intro: str, fields: tuple[Field, ...], read: Reading) -> None:
        app, node = self._app, self._node()
        app.document.refuse_growing(node, "Wait for it to end, or stop it.")
        known = app.document.answers.get(label, {})

        def check(answers: Answers) -> str | None:
            try:
                read(answers, app.settings.params)
            except ValueError as error:
                return str(error)
            return None

        def answered(answers: Answers | None) -> None:
            if answers is not None:
                app.document.remember(label, answers)
                self._attempt(begun)

        def begun() -> None:
            self._see_there(node)
            self._begin(label, read)
            app.commands.again = lambda: self._begin(label, read)

        filled = [replace(field, value=known.get(field.name, field.value)) for field in fields]
        app.push_screen(FormScreen(label.capitalize(), intro, filled, check), answered)

    def _begin(self, label: str, read: Reading) -> None:
        """Begin a run at the cursor, as was last answered."""
        app, node = self._app, self._node()
        if app.status.failure:
            raise EditError(app.status.failure)
        make = read(app.document.answers[label], app.settings.params)
        change = app.document.weave(node, make, label)
        if self._tree.is_folded(node):
            self._tree.unfold(node)
        app.show(change, label)

    def do_repeat_growth(self, _count: int | None) -> None:
        if self._app.commands.again is None:
            raise EditError("Nothing has been grown yet that could be repeated.")
        self._app.commands.again()
