"""The token cursor: a mode in which the keys move by token through the reader's text, and act on what stands there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import GivenToken
from n8loom_tui.tui import token_edits
from n8loom_tui.tui.commands.part import Part
from n8loom_tui.tui.document import Change, EditError
from n8loom_tui.tui.token_facts import Known, TokenFacts
from n8loom_tui.tui.widgets.alternatives import Alternatives, Candidate, Shown, percent, token_text
from n8loom_tui.tui.widgets.reader import Reader

if TYPE_CHECKING:
    from textual.message import Message

    from n8loom_tui.tui.app import LoomApp

UNREAD = "The model has not read this text yet; its tokens are not known."
NOT_THERE_YET = "It is not known yet what could stand here."
TOLD = "These odds are another program's; the model reads the text now, and its own can be chosen from."
WHY = {
    Known.ASKED: "the model reads this…",
    Known.NO_MODEL: "the model is not there yet",
    Known.FOREIGN: "tokens of another model",
    Known.UNREAD: "nothing said yet",
    Known.NOTHING: "nothing is known of this token",
}


class Tokens(Part):
    """How the text is read: by token, in colours, as Markdown."""

    def do_token_cursor(self, _count: int | None) -> None:
        self._node()
        mode = TokenCursor(self._app)
        mode.begin()
        self._app.commands.mode = mode
        self._app.view.show_tokens(True)
        mode.settle()

    def do_colour_tokens(self, _count: int | None) -> None:
        view = self._app.view
        view.colour_by(view.reader.colour_by.next)

    def do_markdown(self, _count: int | None) -> None:
        view = self._app.view
        view.markdown = not view.markdown
        view.show_page()
        if view.markdown and view.current is not None and view.current.id in self._app.document.growing:
            self._app.tell("This is shown as Markdown once it has ended.")


class TokenCursor(Part):
    """The mode. It stands on a token of the reader's path, and on one of what could stand there."""

    footer = (
        (("continue_one",), "branch here"),
        (("ramify",), "ramify here"),
        (("parent", "child"), "token"),
        (("row_up", "row_down"), "choose"),
        (("split",), "split"),
        (("clip",), "clip"),
        (("token_cursor",), "leave"),
    )

    def __init__(self, app: LoomApp) -> None:
        super().__init__(app)
        self._place = 0
        """Which node of the path it is on."""
        self._at: Heddle | None = None
        self._index = 0
        self._chosen = 0
        self._settled: tuple[Heddle, int] | None = None

    # ------------------------------------------------------------- where it is

    @property
    def _reader(self) -> Reader:
        return self._app.view.reader

    def begin(self) -> None:
        """Stand on the first token of the current node.

        Raises:
            EditError: no token of the path is known.
        """
        path = self._reader.path
        place = next((i for i in range(len(path) - 1, -1, -1) if self._standable(path[i])), None)
        if place is None:
            raise EditError(UNREAD)
        self._stand(place, 0 if place == len(path) - 1 else self._count(path[place]) - 1)

    def _stand(self, place: int, index: int) -> None:
        self._place, self._index = place, index
        self._at = self._reader.path[place]

    def _count(self, node: Heddle) -> int:
        """How many tokens there are in a node's text, of whichever program."""
        return len(self._reader.token_map(node))

    def _standable(self, node: Heddle) -> bool:
        """Whether there is anything of the node's tokens to see."""
        bounds = self._reader.token_map(node).bounds
        return bounds[-1] > bounds[0]

    def settle(self) -> None:
        """Show where the cursor is, and what is known of that; if the text is another one, at its end."""
        path = self._reader.path
        if not path:
            self.leave()
            return
        if self._place >= len(path) or path[self._place] is not self._at:
            try:
                self.begin()
            except EditError:
                self.leave()
                return
        node = path[self._place]
        if count := self._count(node):
            self._index = min(self._index, count - 1)
            self._reader.put_token(self._place, self._index)
        facts = self._app.lore.at(node, self._index)
        choices = facts.told or facts.alternatives
        if self._settled != (node, self._index) or self._chosen >= max(len(choices), 1):
            self._chosen = max(facts.standing, 0)
            # Until it is known what could stand there, nothing has been chosen from it either.
            self._settled = (node, self._index) if choices else None
        self._app.view.alternatives.show(self._shown(facts))

    def _shown(self, facts: TokenFacts) -> Shown:
        node = self._reader.path[self._place]
        head = f"token {self._index + 1} of {self._count(node)}"
        if facts.known not in (Known.YES, Known.TOLD):
            return Shown(f"{head} · {WHY[facts.known]}")
        candidates = tuple(
            Candidate(text, math.exp(logprob), number == facts.standing)
            for number, (text, logprob) in enumerate(facts.choices())
        )
        text = candidates[max(facts.standing, 0)].text
        if text is not None and not math.isnan(facts.logprob):
            here = token_text(text, self._app.view.alternatives.signs)
            head = f"{here.strip()} {percent(math.exp(facts.logprob))} · {head}"
        if facts.known is Known.TOLD:
            head += " · told by the program that this was imported from"
        if not math.isnan(facts.entropy):
            head += f" · entropy {facts.entropy:.2f}"
        return Shown(head, candidates, self._chosen)

    def clicked(self, message: Message) -> None:
        match message:
            case Reader.TokenClicked():
                self.go_to(message.node, message.index)
            case Alternatives.Chosen():
                self.choose(message.number)

    def choose(self, number: int) -> None:
        """Choose an alternative by its number."""
        self._chosen = number
        self.settle()

    def leave(self) -> None:
        """End the mode."""
        self._reader.drop_token()
        self._app.commands.mode = None
        self._app.view.show_tokens(False)

    # -------------------------------------------------------------------- moves

    def _step(self, step: int) -> None:
        """Move by tokens, from node to node."""
        path, maps = self._reader.path, self._reader.token_map
        direction = 1 if step > 0 else -1
        place, index = self._place, self._index
        for _ in range(abs(step)):
            while True:
                index += direction
                if not 0 <= index < self._count(path[place]):
                    following = self._next_place(place, direction)
                    if following is None:
                        self.settle()
                        return
                    place = following
                    index = 0 if direction > 0 else self._count(path[place]) - 1
                start, end = maps(path[place]).span(index)
                if end > start:  # else it is not shown: a part of the chat template
                    break
            self._stand(place, index)
        self.settle()

    def _next_place(self, place: int, direction: int) -> int | None:
        path = self._reader.path
        place += direction
        while 0 <= place < len(path):
            if self._standable(path[place]):
                return place
            place += direction
        return None

    def do_parent(self, count: int | None) -> None:
        self._step(-(count or 1))

    def do_child(self, count: int | None) -> None:
        self._step(count or 1)

    def do_row_up(self, count: int | None) -> None:
        self.choose(max(self._chosen - (count or 1), 0))

    def do_row_down(self, count: int | None) -> None:
        last = len(self._app.view.alternatives.shown.candidates) - 1
        self.choose(max(min(self._chosen + (count or 1), last), 0))

    def _line(self, step: int) -> None:
        """Move by lines of the reader."""
        place, index = self._reader.token_below(self._place, self._index, step)
        self._stand(place, index)
        self.settle()

    def do_page_up(self, count: int | None) -> None:
        self._line(-(count or 1))

    def do_page_down(self, count: int | None) -> None:
        self._line(count or 1)

    def do_top(self, _count: int | None) -> None:
        self._end(0, 1)

    def do_bottom(self, _count: int | None) -> None:
        self._end(len(self._reader.path) - 1, -1)

    def _end(self, place: int, inwards: int) -> None:
        path = self._reader.path
        found = place if self._standable(path[place]) else self._next_place(place, inwards)
        if found is not None:
            self._stand(found, -1 if inwards > 0 else self._count(path[found]))
            self._step(inwards)

    # ------------------------------------------------------------------ actions

    def _here(self, advice: str) -> tuple[Heddle, int]:
        node = self._at
        if node is None or node.id not in self._app.document.nodes:
            raise EditError("The node that this was for is gone.")
        if self._index > 0:
            self._app.document.refuse_growing(node, advice)
        if not node.tokens:
            raise EditError(NOT_THERE_YET)
        return node, self._index

    def _grow(self, change: Callable[[], Change], label: str) -> None:
        if self._app.status.failure:
            raise EditError(self._app.status.failure)
        made = change()
        self._app.show_there(made, label)
        self.go_to(made.focus, 0)

    def go_to(self, node: Heddle | None, index: int) -> None:
        """Stand on a token of a node of the path."""
        path = self._reader.path
        places = [place for place in range(len(path) - 1, -1, -1) if path[place] is node]
        if places:
            self._stand(places[0], index)
            self._settled = None
        self.settle()

    def do_continue_one(self, _count: int | None) -> None:
        node, index = self._here("Stop it before branching inside it.")
        facts = self._app.lore.at(node, index)
        if facts.known is Known.TOLD:
            asked = self._app.lore.have_read(node)
            raise EditError(TOLD if asked is Known.ASKED else NOT_THERE_YET)
        if self._chosen >= len(facts.alternatives):
            raise EditError(NOT_THERE_YET)
        other = facts.alternatives[self._chosen]
        given = GivenToken(other.token, other.logprob, facts.alternatives, facts.entropy)
        app = self._app
        self._grow(
            lambda: token_edits.grow_at(
                app.document, node, index, 1, app.settings.params, (given,), "branch here"
            ),
            "branch here",
        )

    def do_ramify(self, count: int | None) -> None:
        node, index = self._here("Stop it before branching inside it.")
        app = self._app
        n = self._branches(count)
        self._grow(
            lambda: token_edits.grow_at(app.document, node, index, n, app.settings.params), "ramify here"
        )

    def do_split(self, _count: int | None) -> None:
        node, index = self._here("Stop it before splitting it.")
        change = token_edits.split_at(self._app.document, node, index)
        change.focus = self._app.view.current  # the path that is read stays the one that is shown
        self._app.show_there(change, "split")
        self.go_to(node, 0)

    def do_clip(self, _count: int | None) -> None:
        node, index = self._here("Stop it before cutting it.")
        self._app.show_there(token_edits.clip_at(self._app.document, node, index), "clip")
        self.go_to(node, index - 1)

    def do_token_cursor(self, _count: int | None) -> None:
        self.leave()

    def do_stop(self, _count: int | None) -> None:
        self.leave()
