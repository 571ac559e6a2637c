"""The session of the loom that is open: what changes is handed to its writer as it happens.

Without a session file named, one is made in the data folder with the first change, so that nothing is ever lost.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.history_edits import counted
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.record import (
    ANSWERS,
    HOISTED,
    LETTERS,
    PRESETS,
    SETTINGS,
    VISITED,
    Changes,
    ModelRef,
    snapshot,
)
from n8loom_tui.session.recovery import recover
from n8loom_tui.session.store import SessionStore, default_session_path, resolve_session_path
from n8loom_tui.session.whole import Whole
from n8loom_tui.session.writer import SessionWriter
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.document import Document
from n8loom_tui.tui.drafts import Drafts
from n8loom_tui.tui.elsewhere import PATIENCE, made, moved, rescued
from n8loom_tui.tui.slices import Spread
from n8loom_tui.tui.stored import Look, document_of, look_of
from n8loom_tui.tui.widgets.tree_shape import TreeShape


class Saving:
    """A document with its session file.

    Attributes:
        document: the trees.
        drafts: words that were written and not entered.
        notices: lines to show once the app is up.
        current_id, folded_ids, look: where the person stood, and what they saw, when the session was last left.
        kept: further values of the whole session, by their meta keys, as they are stored.
    """

    def __init__(self, store: SessionStore | None = None, loaded: LoadedSession | None = None) -> None:
        """`store` None: a session is made in the data folder with the first change. `loaded`: what it holds, where that
        is known."""
        self.notices: list[str] = []
        self.current_id: str | None = None
        self.folded_ids: frozenset[str] = frozenset()
        self.kept: dict[str, Any] = {}
        self.look = Look()
        self.document = Document()
        self.drafts = Drafts(self.document.pending, {})
        self._store = store
        self._named = store is not None
        self._made: Path | None = None
        """The file that was made for a session that nobody named."""
        self._writer: SessionWriter | None = None
        self._refs: dict[str, ModelRef] = {}
        self._messages: deque[str] = deque()
        self._unsavable = ""
        self._unstored = False
        """Whether anything was done that no file has."""
        self._held: list[Changes] | None = None
        self._heard_by: list[list[Changes]] = []
        """What changes is put in these, too."""
        if store is not None:
            self._load(store, loaded or store.load())

    @classmethod
    def open(cls, path: Path | None) -> Saving:
        """Open or make the session at `path`.

        Raises:
            SessionError: it can't be had; the message says why and what to do.
        """
        if path is None:
            return cls()
        store = SessionStore.open(resolve_session_path(path))
        try:
            return cls(store)
        except BaseException:
            store.close()
            raise

    def _load(self, store: SessionStore, loaded: LoadedSession) -> None:
        self._show(loaded)
        self._refs = {ref.fingerprint: ref for ref in loaded.models.values()}
        self.notices += loaded.problems
        self._begin_writing(self._recovered(store) if loaded.problems else store)

    def _show(self, loaded: LoadedSession) -> None:
        """Take over what there is to be seen of a session."""
        self.document = document_of(loaded)
        self.drafts = Drafts(self.document.pending, loaded.drafts)
        self.current_id = loaded.current_id
        nodes = self.document.nodes  # without branches that had said nothing
        self.folded_ids = frozenset(
            name for name in loaded.folded_ids if name in nodes and nodes[name].children
        )
        self.kept = {key: loaded.meta[key] for key in (SETTINGS, PRESETS) if key in loaded.meta}
        self.look = look_of(loaded.meta)

    def shape(self) -> TreeShape:
        """What the tree is to show at first: as it was left, with the cursor where the person stood."""
        nodes, roots = self.document.nodes, self.document.roots
        return TreeShape.of(
            roots,
            nodes.get(self.current_id or "", roots[0] if roots else None),
            folded=(name for name in self.folded_ids if name in nodes),
            hoisted=[here for name in self.look.hoisted if (here := nodes.get(name))],
            visited=self.look.visited,
        )

    def _recovered(self, store: SessionStore) -> SessionStore:
        """Go on in a new file: what was not in order is to be seen in the old one as it was."""
        if store.read_only and not store.damaged:
            return store  # somebody else writes to it, or nobody can
        try:
            store, notice = recover(store, self._everything())
        except SessionError as error:
            store.read_only_reason = store.read_only_reason or f"{store.path} is damaged, and left as it is."
            self.notices.append(f"No new file can be made for it: {error}")
            return store
        self._store = store
        self.notices.append(notice)
        return store

    def _begin_writing(self, store: SessionStore) -> None:
        if store.read_only_reason is not None:
            self._unsavable = "read-only"
            self.notices.append(f"{store.read_only_reason} What you change now is not stored.")
            return
        self._writer = store.writer(on_error=self._messages.append)

    # ----------------------------------------------------------------- storing

    def model(self, info: ModelInfo) -> None:
        """The model is known: token ids stored from now on are its own."""
        self._refs[info.fingerprint] = ModelRef(info.name, info.fingerprint)

    def save(self, label: str) -> None:
        """Hand over what has changed since the last time, as one transaction. Returns at once."""
        document = self.document
        if document.pending:
            self._put(document.pending.changes(label, document.roots, self.models))

    def place(self, current: Heddle | None, folded: frozenset[str] | None = None) -> None:
        """Remember where the person stands, and what is folded (None: as before)."""
        self.current_id = current.id if current else None
        self.folded_ids = self.folded_ids if folded is None else folded
        if self._writer is not None:
            self._put(snapshot("place", current=self.current_id, folded=folded))

    def remember(self, key: str, value: Any) -> None:
        """Remember a value of the whole session. Alone it is no reason to make one."""
        self.kept[key] = value
        if self._writer is not None or self._held is not None:
            self._put(snapshot("remember", meta={key: value}))

    def store_look(self, look: Look) -> None:
        """Remember how the tree is looked at, if it is otherwise than before."""
        if look != self.look and self._writer is not None:
            self.look = look
            self._put(snapshot("look", meta={HOISTED: look.hoisted, VISITED: look.visited}))

    def models(self, nodes: Iterable[Heddle]) -> dict[str, ModelRef]:
        """The model of each node's token ids, where it is known."""
        trees = self.document.trees
        found = {}
        for node in nodes:
            vocabulary = trees.vocabulary(node) if node.tokens else None
            if vocabulary is not None and vocabulary in self._refs:
                found[node.id] = self._refs[vocabulary]
        return found

    def meta(self) -> dict[str, Any]:
        """Values of the whole session."""
        look = {HOISTED: self.look.hoisted, VISITED: self.look.visited}
        return {LETTERS: self.document.letters, ANSWERS: self.document.answers, **look, **self.kept}

    @property
    def size(self) -> str:
        """How many nodes there are, for people."""
        return counted(len(self.document.nodes), "node")

    def _put(self, changes: Changes) -> None:
        for meanwhile in self._heard_by:
            meanwhile.append(changes)
        self._hand_over(changes)

    def _hand_over(self, changes: Changes) -> None:
        if self._held is not None:
            self._held.append(changes)
            return
        if self._writer is None and not self._named and not self._unsavable:
            self._make()
        if self._writer is None:
            # What somebody has read or where they stood is no reason to make a file of its own for it.
            self._unstored |= bool(changes.steps or changes.states or changes.purged or changes.drafts)
            return
        try:
            self._writer.put(changes)
        except SessionError as error:
            self._unstored = True
            self._messages.append(str(error))

    def _make(self) -> None:
        """Make the session that nobody named."""
        name = time.strftime("%Y-%m-%d-%H%M%S")
        try:
            path = default_session_path(name)
            if path.exists():
                path = default_session_path(f"{name}-{os.getpid()}")
            store = SessionStore.open(path)
        except SessionError as error:
            self._unsavable = "not saved"
            self._messages.append(f"{error} What you do now is not stored.")
            return
        self._store, self._made = store, store.path
        self._begin_writing(store)
        if self.kept and self._writer is not None:
            self._put(snapshot("remember", meta=self.kept))

    # ------------------------------------------------------------ other places

    async def save_as(self, target: Path) -> str:
        """Give a session that nobody named its name, copy one that has one, or store one that its own file does not
        take in another file, where it goes on. Nothing is replaced. Returns a line that says what was done.

        Raises:
            SessionError: it can't be done; nothing is lost.
        """
        if self._held is not None:
            raise SessionError("It is being saved already.")
        if self.stuck:
            await self._go_on_in(target)
            return f"Everything is in {target} now, and goes on there."
        if self._store is None:
            raise SessionError("There is nothing to save yet.")
        if self._named:
            await asyncio.to_thread(self._store.copy_to, target)
            return f"Copied to {target}."
        await self._name(self._store, target)
        return f"This session is {target} now."

    @property
    def stuck(self) -> bool:
        """Whether the session's own file does not take what changes."""
        return bool(self._unsavable) or (self._writer is not None and self._writer.error is not None)

    async def _name(self, store: SessionStore, target: Path) -> None:
        """Move the session's file. What changes meanwhile waits in memory."""
        self._held, self._writer = [], None
        try:
            store, problem = await asyncio.to_thread(moved, store, target)
        except SessionError:
            self._held, self._unsavable, self._unstored = None, "not saved", True
            raise
        self._named = problem is None
        self._go_on(store)
        if problem is not None:
            raise problem

    async def _go_on_in(self, target: Path) -> None:
        """Store everything in another file, and go on there. What changes meanwhile waits in memory."""
        old, changes = self._store, list[Changes]()
        self._held = []
        try:
            changes = await self.collected()
            self._held = []
            store = await asyncio.to_thread(made, target, changes)
        except BaseException:
            held, self._held = [*changes[1:], *self._held], None
            for waiting in held:
                self._hand_over(waiting)
            raise
        self._unsavable, self._unstored, self._writer, self._named = "", False, None, True
        self._go_on(store)
        if old is not None:
            await asyncio.to_thread(old.close, PATIENCE)

    def _go_on(self, store: SessionStore) -> None:
        """Write to this store from now on, beginning with what was held back."""
        held, self._held = self._held or [], None
        self._store = store
        self._begin_writing(store)
        for changes in held:
            self._hand_over(changes)

    async def collected(self) -> list[Changes]:
        """All there is, as changes one behind the other, the last of which are what changes while the first is made."""
        recorded, meanwhile = self._whole(), list[Changes]()
        self._heard_by.append(meanwhile)
        try:
            await Spread(recorded.recording())
            self.save("meanwhile")
        finally:
            self._heard_by = [other for other in self._heard_by if other is not meanwhile]
        return [self._recorded(recorded), *meanwhile]

    # ------------------------------------------------------------ what is said

    @property
    def path(self) -> Path | None:
        """The session's file; None as long as there is none."""
        return self._store.path if self._store is not None else None

    @property
    def named(self) -> bool:
        """Whether a person chose the session's name."""
        return self._named

    def stored(self, timeout: float = PATIENCE) -> bool:
        """Wait until all that was handed over is in the file. Not for the UI's thread."""
        writer = self._writer  # another may take its place meanwhile
        return writer is not None and writer.flush(timeout)

    @property
    def title(self) -> str:
        """The session's name."""
        return self._store.path.stem if self._store is not None else "untitled"

    @property
    def state(self) -> str:
        """Whether all is stored, in a word or two."""
        if self._held is not None:
            return "saving"
        if self._unsavable or self._writer is None:
            return self._unsavable
        if self._writer.error:
            return f"NOT SAVED ({self._writer.waiting} changes wait)"
        return "saving" if self._writer.waiting else "saved"

    def problems(self) -> Iterator[str]:
        """What went wrong since the last call."""
        while self._messages:
            yield self._messages.popleft()

    # ----------------------------------------------------------------- the end

    def close(self) -> bool:
        """Store what is left. False if not all of it could be."""
        if self._held is not None:
            return False
        return self._store is None or self._store.close(PATIENCE)

    def leave(self) -> list[str]:
        """Store what is left, in another file if its own does not take it. Returns a line that says where, if so.

        The document must not change any more. Not for the UI's thread while somebody looks at it.
        """
        stored = self.close()
        if stored and self.empty and self._made is not None and not self._named:
            self._made.unlink(missing_ok=True)  # as if nothing had been written at all
        if (stored and not self._unstored) or self.empty:
            return []
        self._unstored = False
        return [rescued(self._everything())]

    def way_back(self) -> list[str]:
        """How to go on with a session that nobody named, if there is one."""
        if self._named or self._store is None or self.empty:
            return []
        return [f"Saved. To go on: n8loom-tui --session {shlex.quote(str(self._store.path))}"]

    @property
    def empty(self) -> bool:
        """Whether nothing that a person did is in it."""
        return not (self.document.roots or self.document.trees.trash or self.drafts.all())

    @property
    def moving(self) -> bool:
        """Whether the session's file is being moved just now, or all of the session is being gone through."""
        return self._held is not None or bool(self._heard_by)

    def _whole(self) -> Whole:
        return Whole(self.document.trees, self.document.history, self.models)

    def _everything(self) -> Changes:
        """All there is, at once."""
        recorded = self._whole()
        for _ in recorded.recording():
            pass
        return self._recorded(recorded)

    def _recorded(self, whole: Whole) -> Changes:
        return whole.changes(self.current_id, self.folded_ids, self.meta(), self.drafts.all())
