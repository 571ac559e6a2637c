"""Keeps a model's fragments on disk in quiet moments, and brings them back when a path is wanted.

It belongs to the engine's thread. What is in memory is asked of the store, what is on disk of the index; whatever
can't be read, or is not what it must be, is removed and computed again by whoever wants it.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from n8loom_tui.loom.fragments import Fragment, Snapshot
from n8loom_tui.loom.layers import Layout
from n8loom_tui.loom.radix import Edge, Mark
from n8loom_tui.loom.store import FragmentStore

from .files import MAX_FILE, VERSION, Label, Raw, Reading, Refused, Tensor, finite
from .form import Form
from .index import Entry, Found, Index, chosen, reach
from .key import signing_key
from .names import Chain, Name
from .pending import Lineage, Pending
from .recall import Recall
from .writer import Discard, Done, Fate, Gone, Sheet, Touch, Writer, listed

FILE_BYTES = 8 << 20
"""How big a file gets: reading one is a short step, and losing one a small loss."""
AHEAD = 2
"""How many files are handed to the writer before it has written them. Copies of them wait in memory."""
POLL = 0.02
PAUSE = 60.0
"""Seconds in which nothing is written after the disk refused."""


class Kept:
    """The fragments of one model on disk.

    Attributes:
        index: the files.
        restored: how many tokens were brought back.
        refused: how many files were no good.
    """

    def __init__(self, folder: Path, key: bytes, limit: int, model: str, form: Form, **options: Any) -> None:
        """`folder` is the model's own, `model` what its files must name; `options` are the writer's."""
        self.folder = folder
        self.form = form
        self.index = Index(name for name, _ in listed(folder))
        self.restored = self.refused = 0
        self._key = key
        self._model = model
        self._limit = limit
        self._pending = Pending(limit // 2)
        self._writing: dict[str, Edge | Mark] = {}
        self._muted = False
        self._paused_until = 0.0
        self._writer = Writer(folder, key, limit, **options)

    @staticmethod
    def open(top: Path, limit: int, fingerprint: str, model: Any, layout: Layout) -> Kept | None:
        """What is kept of a model in the folder `top`, which is made; None where nothing can be.

        `fingerprint` tells the model, its precision and its device from others.
        """
        form = Form.of(model, layout)
        if form is None:
            return None
        try:
            key = signing_key(top)
        except OSError:
            return None
        versions = [metadata.version(name) for name in ("mlx", "mlx-lm")]
        identity = hashlib.sha256("\n".join([VERSION, fingerprint, *versions, str(form)]).encode())
        name = identity.hexdigest()[:32]
        return Kept(top / name, key, limit, name, form)

    @property
    def nbytes(self) -> int:
        """Bytes of all models' files, as far as is known."""
        return self._writer.used

    # ---------------------------------------------------------------- writing

    def note(self, item: Edge | Mark) -> None:
        """The store has something new."""
        if not self._muted:
            self._pending.add(item)

    @contextlib.contextmanager
    def unnoted(self) -> Iterator[None]:
        """What is new meanwhile comes from disk."""
        self._muted = True
        try:
            yield
        finally:
            self._muted = False

    def rest(self) -> float | None:
        """A moment for what can wait: hand something to the writer.

        Returns the seconds after which this should be called again; None for when there is something new.
        """
        self._hear()
        now = time.monotonic()
        if now < self._paused_until:
            return self._paused_until - now
        if len(self._writing) < AHEAD and (made := self._next()) is not None:
            item, sheet, used = made
            self._writing[str(sheet.name)] = item
            self.index.add(sheet.name)
            self._writer.put(sheet)
            self._writer.put(Touch([*used, str(sheet.name)]))
            return 0.0
        return POLL if self._writing else None

    def _hear(self) -> None:
        """Take what the writer told."""
        for outcome in self._writer.outcomes():
            match outcome:
                case Done(name=name, fate=fate):
                    item = self._writing.pop(str(name), None)
                    if fate is Fate.WRITTEN:
                        self.index.add(name)
                    else:
                        self.index.remove(str(name))
                        if item is not None:
                            self._pending.add(item)
                        self._paused_until = time.monotonic() + PAUSE
                case Gone(names=names):
                    for text in names:
                        self.index.remove(text)

    def _next(self) -> tuple[Edge | Mark, Sheet, list[str]] | None:
        """What is to be written next: of which item, and the files above it. None while just that is being written.

        The index has forgotten such a file if it was looked for in vain, before it was there.
        """
        while (item := self._pending.newest()) is not None:
            made = self._sheet(item)
            if made is not None:
                return None if str(made[0].name) in self._writing else (item, *made)
            self._pending.drop(item)
        return None

    def _sheet(self, item: Edge | Mark) -> tuple[Sheet, list[str]] | None:
        """The first part of an item's path that is not on disk; None if all of it is, or can't be."""
        lineage = Lineage.of(item)
        if lineage is None:
            return None
        path = lineage.path
        try:
            chain = Chain(path)
        except OverflowError:
            return None
        found = self.along(path, chain)
        low = reach(found, 0)
        tensors: list[tuple[Tensor, Raw]] | None
        if low < len(path):
            edge, start = lineage.holding(low)
            assert edge.fragment is not None
            high = min(start + len(edge.tokens), len(path), low + self._tokens_per_file)
            tensors = self.form.of_fragment(edge.fragment, low - start, high - start)
            name = Name.of_keys(path, chain, low, high)
        else:
            name = Name.of_state(chain, len(path))
            if not isinstance(item, Mark) or name in self.index or not isinstance(item.state, Snapshot):
                return None
            tensors = self.form.of_state(item.state)
        if tensors is None or not all(finite(tensor.dtype, values) for tensor, values in tensors):
            return None
        label = Label(self._model, name.start, name.stop, name.is_state)
        ids = np.asarray(path[: name.stop], dtype="<u4")
        sheet = Sheet(name, label, [(label.tokens, ids), *tensors])
        if sheet.nbytes > min(self._limit // 4, MAX_FILE // 2):
            return None
        return sheet, [str(each.entry.name) for each in chosen(found, 0, low)]

    @property
    def _tokens_per_file(self) -> int:
        per_token = self.form.per_token
        return max(1, min(FILE_BYTES, self._limit // 16) // per_token) if per_token else 1 << 30

    def close(self, timeout: float) -> None:
        """Write what is left, if it can be done in that many seconds, and end."""
        until = time.monotonic() + timeout
        while (wait := self.rest()) is not None and wait <= POLL and time.monotonic() < until:
            time.sleep(min(wait, POLL / 4))
        self._writer.close(until - time.monotonic())
        self._hear()

    # ---------------------------------------------------------------- reading

    def recall(self, store: FragmentStore, paths: Sequence[Sequence[int]]) -> Recall | None:
        """What brings these paths back; None if nothing is kept at all."""
        self._hear()
        return Recall(self, store, paths) if len(self.index) else None

    def along(self, path: Sequence[int], chain: Chain) -> list[Found]:
        """The files along a path."""
        return self.index.along(path, chain, self._peek)

    def used(self, names: Sequence[str]) -> None:
        """These files were of use."""
        if names:
            self._writer.put(Touch(names))

    def forgot(self, entry: Entry) -> bool:
        """Whether a file was no good, and is out of the index."""
        return entry.name not in self.index

    def forget(self, entries: Iterable[Entry]) -> None:
        """Count no longer on files. They stay, until they are written anew."""
        for entry in entries:
            self.index.remove(str(entry.name))

    def load_keys(self, entry: Entry, path: Sequence[int]) -> Fragment | None:
        """The keys and values in a file, which is to agree with a path down to its end; None if it is no good."""
        found = self._read(entry, path)
        if found is None:
            return None
        return self.form.fragment(entry.name.stop - entry.name.start, found)

    def load_state(self, entry: Entry, path: Sequence[int]) -> Snapshot | None:
        """The state in a file; None if it is no good."""
        found = self._read(entry, path)
        return None if found is None else self.form.state(found)

    def _read(self, entry: Entry, path: Sequence[int]) -> dict[str, Raw] | None:
        found: dict[str, Raw] | None = None
        with self._doubted(entry), self._opened(entry) as file:
            tokens, tensors = file.contents(self._key)
            if tokens[: len(path)] != list(path):
                raise Refused("it is of another path")
            found = tensors
        return found  # noqa: RET504 - or what it was before, where the file is no good

    def _peek(self, entry: Entry) -> list[int] | None:
        tokens: list[int] | None = None
        with self._doubted(entry), self._opened(entry) as file:
            tokens = file.tokens()
        return tokens  # noqa: RET504 - as above

    def _opened(self, entry: Entry) -> Reading:
        name = entry.name
        label = Label(self._model, name.start, name.stop, name.is_state)
        return Reading(self.folder / str(name), label, self.form)

    @contextlib.contextmanager
    def _doubted(self, entry: Entry) -> Iterator[None]:
        """Forget, and remove, a file that turns out to be no good."""
        try:
            yield
        except FileNotFoundError:
            self.index.remove(str(entry.name))  # another program has made room
        except (Refused, OSError, MemoryError):
            self.refused += 1
            self.index.remove(str(entry.name))
            self._writer.put(Discard(str(entry.name)))
