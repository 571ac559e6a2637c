"""A hand that does anything to a document, on a backend without a model and without an app around it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from support.fake_backend import FakeBackend

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.protocol import SamplingParams, Stop
from n8loom_tui.session.change import Change
from n8loom_tui.session.history_sets import age, improbability
from n8loom_tui.tui import many
from n8loom_tui.tui.document import Document, EditError

TEXTS = (" and so", "\n", "x", " \ud800 lone", " 漢字", " a longer text of several words")


def facts(document: Document) -> list[tuple[object, ...]]:
    """All that the trees hold, their shape and order included; but for what was read already."""
    return [
        (
            node.parent.id if node.parent is not None else None,
            node.id,
            type(node),
            node.text,
            tuple(node.tokens),
            tuple(node.ends),
            node.encoded,
            node.kind,
            node.terminal,
            node.finish,
            node.created,
            repr(sorted(node.provenance.items())),
            repr((node.logprobs, node.alternatives, node.entropies)),
            replace(node.marks, unread=False),
            (node.user_prompt, node.chat_template_used) if isinstance(node, Loom) else None,
        )
        for node in document.in_order()
    ]


class Hand:
    """Does random things to a document; what the engine is asked for, the backend does in between."""

    def __init__(self, document: Document, backend: FakeBackend, seed: int) -> None:
        self.document = document
        self.backend = backend
        self.random = random.Random(seed)
        self.backend.free()
        if document.model is None:
            document.use_model(backend.load(lambda _progress: None))
        self.seen: dict[int, list[tuple[object, ...]]] = {}
        for node in document.unencoded():
            backend.submit(document.encode_request(node))

    # ------------------------------------------------------------------ engine

    def take(self, change: Change) -> None:
        """Let the backend do its part of a change."""
        if change.stop:
            self.backend.submit(Stop(frozenset(change.stop)))
        for request in change.requests:
            self.backend.submit(request)

    def pump(self, steps: int = 1) -> None:
        """Let the backend work, and enter what it tells."""
        for _ in range(steps):
            if self.backend.busy:
                self.take(self.document.apply(self.backend.step()))

    def finish(self) -> None:
        """Let everything grow to its end."""
        while self.backend.busy or self.document.waiting:
            self.pump()

    # ----------------------------------------------------------------- actions

    def any_node(self) -> Heddle:
        return self.random.choice(list(self.document.nodes.values()))

    def act(self) -> None:
        """Do one thing; what can't be done there isn't."""
        if not self.document.roots:
            action: Callable[[], Change | None] = self.random.choice((self.new_loom, self.undo, self.redo))
        else:
            action = self.random.choice(self.actions())
        try:
            change = action()
        except EditError:
            change = None
        if change is not None:
            self.take(change)
        self.remember()

    def actions(self) -> list[Callable[[], Change | None]]:
        return (
            [self.ramify] * 8
            + [self.let_grow] * 8
            + [self.write, self.trim, self.clip, self.split, self.merge, self.edit, self.mark] * 3
            + [
                self.delete,
                self.leaf,
                self.stop,
                self.sort,
                self.restore,
                self.bring_back,
                self.new_loom,
                self.many,
                self.delete_set,
                self.leaves_of_set,
                self.clip_set,
                self.sort_below,
                self.duplicates,
                self.turn,
            ]
            + [self.undo] * 7
            + [self.redo] * 5
        )

    def new_loom(self) -> Change:
        return self.document.new_loom(self.random.choice(TEXTS), self.random.random() < 0.5)

    def ramify(self) -> Change:
        params = SamplingParams(max_tokens=self.random.randint(1, 6), seed=self.random.randrange(99))
        nodes = list(self.document.nodes.values())
        count = self.random.choice((1, 1, 1, 3))
        chosen = self.random.sample(nodes, min(count, len(nodes)))
        return self.document.ramify(chosen, self.random.randint(1, 4), params)

    def let_grow(self) -> None:
        self.pump(self.random.randint(1, 5))

    def stop(self) -> None:
        branches = list(self.document.growing)
        if branches:
            self.backend.submit(Stop(frozenset(self.random.sample(branches, (len(branches) + 1) // 2))))

    def write(self) -> Change:
        return self.document.add_text(self.any_node(), self.random.choice(TEXTS))

    def trim(self) -> Change:
        return self.document.clip(self.any_node(), -self.random.randint(1, 3))

    def clip(self) -> Change:
        return self.document.clip(self.any_node(), self.random.randint(1, 3))

    def split(self) -> Change:
        node = self.any_node()
        return self.document.split(node, self.random.randint(-2, max(len(node.tokens), 4)))

    def merge(self) -> Change:
        nodes = [n for n in self.document.nodes.values() if n.parent and len(n.parent.children) == 1]
        return self.document.merge(self.random.choice(nodes or [self.any_node()]))

    def edit(self) -> Change:
        sibling = self.random.random() < 0.5
        return self.document.edit(self.any_node(), self.random.choice(TEXTS), sibling=sibling)

    def mark(self) -> Change:
        node = self.any_node()
        match self.random.randrange(3):
            case 0:
                return self.document.bookmark([node], not node.marks.bookmark)
            case 1:
                return self.document.tag([node], self.random.choice(((), ("a",), ("b", "漢"))))
        return self.document.note(node, self.random.choice(("", "look here", "\ud800")))

    def delete(self) -> Change:
        return self.document.delete(self.any_node())

    def leaf(self) -> Change:
        return self.document.make_leaf(self.any_node())

    def sort(self) -> Change:
        return self.document.sort(self.random.choice((None, self.any_node())), lambda node: node.text[::-1])

    def bring_back(self) -> Change | None:
        found = self.document.in_trash()
        return self.document.bring_back(self.random.choice(found)) if found else None

    def restore(self) -> Change | None:
        trash = list(self.document.trees.trash.values())
        if not trash:
            return None
        return self.document.restore(self.random.choice(trash), self.random.choice((None, self.any_node())))

    def many(self) -> None:
        """Several things as one step."""
        with self.document.one_step("several"):
            for action in self.random.sample((self.write, self.delete, self.mark, self.trim, self.ramify), 3):
                if self.document.roots:
                    try:
                        self.take(action())
                    except EditError:
                        pass

    def any_nodes(self) -> list[Heddle]:
        nodes = list(self.document.nodes.values())
        return self.random.sample(nodes, min(self.random.randint(1, 5), len(nodes)))

    def delete_set(self) -> Change:
        return many.delete(self.document, self.any_nodes())

    def leaves_of_set(self) -> Change:
        return many.make_leaves(self.document, self.any_nodes())

    def clip_set(self) -> Change:
        return many.clip(self.document, self.any_nodes(), self.random.choice((-2, -1, 1, 2)))

    def sort_below(self) -> Change:
        key, by = self.random.choice(((improbability, "probability"), (age, "age")))
        return many.sort_below(self.document, self.any_node(), key, by)

    def duplicates(self) -> Change:
        return many.remove_duplicates(self.document, self.any_node())

    def turn(self) -> Change:
        return self.document.chat_turn(self.any_node(), self.random.choice(TEXTS))

    def undo(self) -> Change:
        return self.document.undo()

    def redo(self) -> Change:
        return self.document.redo()

    # ----------------------------------------------------------------- looking

    def remember(self) -> None:
        """Where nothing grows, note what the trees are after this step: whenever it is the last, they must be that."""
        if self.backend.busy or self.document.growing or self.document.waiting:
            return
        steps = self.document.history.undoable
        last = steps[-1].id if steps else 0
        now = facts(self.document)
        assert self.seen.setdefault(last, now) == now

    def travel(self, step: Callable[[], Change]) -> None:
        """Undo or redo to the end, looking at each step."""
        while True:
            try:
                self.take(step())
            except EditError as error:
                assert "nothing to" in str(error)
                return
            self.finish()
            self.remember()
