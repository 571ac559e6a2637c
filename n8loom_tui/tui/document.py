"""The loom that is open: its trees, what grows in them, and every edit a person can make. Knows no widget.

Lives on the UI's thread. Each operation changes the trees through the history, so that it can be undone, and says in a
`Change` what the screen has to redraw and what the engine has to do. What is to be stored gathers in `pending`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import chain

from n8loom_tui.loom.adaptive import Run
from n8loom_tui.loom.heddle import Heddle, Loom, new_id
from n8loom_tui.loom.protocol import Encode, Event, GivenToken, SamplingParams, Score, Segment
from n8loom_tui.session import history_edits as edits
from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History, Step
from n8loom_tui.session.history_edits import EditError, counted
from n8loom_tui.session.history_ops import Operation
from n8loom_tui.session.history_trees import Trees
from n8loom_tui.session.pending import Pending
from n8loom_tui.session.record import ANSWERS, LETTERS
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.encoding import Encoding
from n8loom_tui.tui.growth import Growth
from n8loom_tui.tui.steps import Steps
from n8loom_tui.tui.stillborn import forget_stillborn

__all__ = ["Change", "Document", "EditError", "counted"]

GROWS = "This branch still grows. {}"


class Document:
    """Trees, growth and edits.

    Attributes:
        trees, history, growth: the parts.
        letters: by letter, the id of the node that it marks.
        answers: what a person last answered in dialogs, by the dialog's name and the field's.
    """

    def __init__(
        self,
        trees: Trees | None = None,
        history: History | None = None,
        letters: dict[str, str] | None = None,
        answers: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.trees = trees or Trees()
        self.history = history or History(self.trees)
        self.letters = dict(letters or {})
        self.answers = dict(answers or {})
        self._encoding = Encoding(self.trees)
        self.growth = Growth(self.trees, self.history, self._encoding)
        self._steps = Steps(self.history, self.growth, self._encoding)
        forget_stillborn(self.trees, self.history)

    # ----------------------------------------------------------------- looking

    @property
    def roots(self) -> list[Heddle]:
        """The trees."""
        return self.trees.roots

    @property
    def nodes(self) -> dict[str, Heddle]:
        """All nodes of the trees by id."""
        return self.trees.nodes

    @property
    def pending(self) -> Pending:
        """What is to be stored."""
        return self.trees.pending

    @property
    def growing(self) -> dict[str, Heddle]:
        """The branches that grow, by id."""
        return self.growth.growing

    @property
    def waiting(self) -> int:
        """How many ramifies wait for a branch that still grows."""
        return self.growth.waiting

    def in_order(self) -> Iterator[Heddle]:
        """All nodes of the trees, from top to bottom."""
        return chain.from_iterable(root.walk() for root in self.roots)

    def bookmarked(self) -> list[Heddle]:
        """The nodes with a bookmark, from top to bottom."""
        found = self.trees.bookmarks
        return [node for node in self.in_order() if node.id in found] if found else []

    # ------------------------------------------------------------------- model

    @property
    def model(self) -> ModelInfo | None:
        """The model in use, once it is there."""
        return self.growth.model

    def use_model(self, model: ModelInfo) -> None:
        """A model is there. Token ids of another model's mean nothing to it: such nodes keep their text, and are
        encoded anew where they are continued."""
        trees = self.trees
        self.growth.model, trees.model = model, model.fingerprint
        self._encoding.vocabulary = model.vocabulary
        foreign = {name for name, made in trees.fingerprints.items() if made != model.fingerprint}
        if foreign:
            for top in (*trees.roots, *trees.trash.values()):
                for node in top.walk():
                    if node.id in foreign:
                        node.encoded = False

    def is_own(self, node: Heddle) -> bool:
        """Whether a node's token ids are of the model in use."""
        return self.trees.model is None or self.trees.vocabulary(node) == self.trees.model

    def unencoded(self) -> list[Heddle]:
        """Written nodes that no tokenizer has read yet."""
        return self._encoding.wanted()

    def encode_request(self, node: Heddle) -> Encode:
        """A request for the token ids of a written node."""
        return self._encoding.request(node)

    def path_of(self, node: Heddle) -> tuple[Segment, ...]:
        """The path down to a node, as a request to the engine holds it."""
        return self._encoding.path(node)

    def readying_path(self, node: Heddle) -> Iterator[None]:
        """Make ready, bit by bit, what the next request at a node takes."""
        return self._encoding.readying(node)

    def score_request(self, node: Heddle) -> Score:
        """A request for what the model makes of each token of a node."""
        return Score(new_id(), self._encoding.path(node), frozenset({node.id}))

    # ------------------------------------------------------------------ growth

    def ramify(
        self, nodes: list[Heddle], n: int, params: SamplingParams, given: tuple[GivenToken, ...] = ()
    ) -> Change:
        """Grow `n` branches from each node: the children enter the tree at once and fill as tokens come, those `given`
        first.

        Nodes that still grow are continued when they have ended.

        Raises:
            EditError: the model ended all of these nodes, or there is none.
        """
        return self.growth.ramify(nodes, n, params, given)

    def weave(self, node: Heddle, make: Callable[[tuple[Segment, ...], int], Run], label: str) -> Change:
        """Begin a run that grows below a node by what the model says.

        Raises:
            EditError: it can't begin there.
        """
        return self.growth.weave(node, make, label)

    def apply(self, events: Iterable[Event]) -> Change:
        """Enter what the engine told. Requests that waited for a branch to end are among the change's."""
        return self.growth.apply(events)

    def cancel_all(self) -> Change:
        """End every branch as it stands: nothing more will be told of them."""
        return self.growth.cancel_all()

    # ------------------------------------------------------------------- edits

    def new_loom(self, prompt: str, chat: bool, system: str = "") -> Change:
        """Start a new tree from a prompt, in the chat template if `chat` (and the model has one), with a system's
        message if there is one."""
        return self._enter("new loom", None, Loom(None, None, prompt, chat=chat, system=system))

    def chat_turn(self, node: Heddle, message: str) -> Change:
        """Write a user's message in the model's chat template, as a child.

        Raises:
            EditError: the node still grows, or the model has no chat template.
        """
        self.refuse_growing(node, "Wait for it to end, or stop it, before answering it.")
        self.need_template()
        return self._enter("chat turn", node, Heddle.turn(message))

    def need_template(self) -> None:
        """See that the model, as far as it is known, has a chat template.

        Raises:
            EditError: it has none.
        """
        if self.model is not None and not self.model.chat:
            raise EditError(f"{self.model.name} has no chat template. Write a text child instead.")

    def add_text(self, node: Heddle, text: str) -> Change:
        """Write a child."""
        self.refuse_growing(node, "Wait for it to end, or stop it, before writing behind it.")
        return self._enter("write", node, Heddle.from_text(text))

    def _enter(self, label: str, parent: Heddle | None, node: Heddle) -> Change:
        change = self.perform(label, [edits.enter(self.trees, parent, [node])])
        change.focus = node
        return change

    def edit(self, node: Heddle, text: str, *, sibling: bool = False) -> Change:
        """Give a node another text: in its place, where there is nothing below it, or as a new sibling.

        Raises:
            EditError: it can't be done there.
        """
        self.refuse_growing(node, "Stop it before editing it.")
        return self.perform("edit", edits.edit(self.trees, node, text, sibling=sibling))

    def clip(self, node: Heddle, tokens: int) -> Change:
        """Keep the node's first tokens (all but the last, if negative); the children go where anything is cut.

        Raises:
            EditError: the node still grows, its tokens are not known yet, or there is nothing to cut.
        """
        self.refuse_growing(node, "Stop it before cutting it.")
        return self.perform("trim" if tokens < 0 else "clip", edits.clip(self.trees, node, tokens))

    def split(self, node: Heddle, tokens: int) -> Change:
        """Part a node behind its first tokens (before the last, if negative). The rest keeps the children.

        Raises:
            EditError: the node still grows, or there is no such place in it.
        """
        self.refuse_growing(node, "Stop it before splitting it.")
        return self.perform("split", edits.split(self.trees, node, tokens))

    def merge(self, node: Heddle) -> Change:
        """Put a node, an only child, and its parent together.

        Raises:
            EditError: the node still grows, or there is nothing to merge it with.
        """
        self.refuse_growing(node, "Stop it before merging it.")
        return self.perform("merge", edits.merge(self.trees, node))

    def delete(self, node: Heddle) -> Change:
        """Take the node and all below it out. It stays in the session's trash."""
        return self.perform("delete", edits.delete(self.trees, node))

    def make_leaf(self, node: Heddle) -> Change:
        """Take all below the node out.

        Raises:
            EditError: there is nothing below it.
        """
        return self.perform("make leaf", edits.make_leaf(node))

    def in_trash(self) -> list[Heddle]:
        """What can be brought back out of the trash, the latest first: all that says anything."""
        return [top for top in reversed(self.trees.trash.values()) if top.text or top.children]

    def bring_back(self, node: Heddle) -> Change:
        """Bring a node back out of the trash, to where it was.

        Raises:
            EditError: what it hung below is not there any more.
        """
        where = self.trees.where.get(node.id)
        if isinstance(node, Loom) or where is None:
            return self.restore(node, None)
        parent = self.nodes.get(where)
        if parent is None:
            raise EditError("What this hung below is in the trash too; bring that back first.")
        return self.restore(node, parent)

    def empty_trash(self) -> int:
        """Throw away for good what is in the trash, and the history, which is about it. Returns how many nodes went."""
        self.history.clear()
        return self.trees.empty_trash()

    def restore(self, node: Heddle, parent: Heddle | None) -> Change:
        """Bring a node back out of the trash, below `parent` (None: as a root).

        Raises:
            EditError: it is not there, or the parent still grows.
        """
        if parent is not None:
            self.refuse_growing(parent, "Wait for it to end, or stop it.")
        return self.perform("restore", edits.restore(self.trees, node, parent))

    def sort(self, parent: Heddle | None, key: Callable[[Heddle], object]) -> Change:
        """Bring a node's children (of None: the roots) into the order of a key.

        Raises:
            EditError: they are in that order.
        """
        return self.perform("sort", edits.sort(self.trees, parent, key))

    def refuse_growing(self, node: Heddle, advice: str) -> None:
        """See that a node does not grow.

        Raises:
            EditError: it does.
        """
        if node.id in self.growing:
            raise EditError(GROWS.format(advice))

    # ------------------------------------------------------------------- marks

    def bookmark(self, nodes: Sequence[Heddle], value: bool) -> Change:
        """Set or take away the bookmark of nodes."""
        return self.perform("bookmark", edits.bookmark(nodes, value))

    def tag(self, nodes: Sequence[Heddle], tags: tuple[str, ...]) -> Change:
        """Give nodes these tags in place of theirs."""
        return self.perform("tag", edits.tag(nodes, tags))

    def note(self, node: Heddle, text: str) -> Change:
        """Give a node a note (none, if empty)."""
        return self.perform("note", edits.note(node, text))

    def read(self, node: Heddle) -> Change:
        """Somebody has seen a node. No step of the history."""
        change = Change()
        if node.marks.unread and node.id in self.nodes:
            self.trees.mark(node, replace(node.marks, unread=False))
            change.touch(node)
        return change

    def set_letter(self, letter: str, node: Heddle) -> str | None:
        """Mark a node by a letter, which marks that one alone; if it does already, take the mark away. No step of the
        history. Returns the id that had the letter."""
        before = self.letters.pop(letter, None)
        if before != node.id:
            self.letters[letter] = node.id
        self.pending.meta(LETTERS, self.letters)
        return before

    def remember(self, dialog: str, answers: dict[str, str]) -> None:
        """Keep what was answered in a dialog. No step of the history."""
        self.answers[dialog] = answers
        self.pending.meta(ANSWERS, self.answers)

    # ----------------------------------------------------------- undo and redo

    def one_step(self, label: str) -> AbstractContextManager[Step]:
        """Make all edits made meanwhile one step of the history."""
        return self.history.one_step(label)

    def perform(self, label: str, operations: list[Operation]) -> Change:
        """Carry out an edit, as `Steps.perform` does."""
        return self._steps.perform(label, operations)

    def undo(self, *, ask: bool = True) -> Change:
        """Undo the last step, as `Steps.undo` does."""
        return self._steps.undo(ask=ask)

    def redo(self, *, ask: bool = True) -> Change:
        """Do the step again that was undone last, as `Steps.redo` does."""
        return self._steps.redo(ask=ask)
