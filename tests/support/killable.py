"""The app in use, to be killed at any moment: `python -m support.killable SESSION SEED` acts at random for ever and
tells on stdout, a JSON line at each change, what the trees hold:
`{"at": seconds, "texts": {id: text}, "gone": [id, …]}`.

`check` compares what is in the file afterwards with what was told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from support.fake_backend import FakeBackend
from support.hand import TEXTS

from n8loom_tui.loom.protocol import Event, SamplingParams
from n8loom_tui.tui.app import Launch, LoomApp
from n8loom_tui.tui.document import EditError
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path
from n8loom_tui.tui.saving import Saving
from n8loom_tui.tui.settings import Settings

OLD = 1.0
"""Seconds: what was there so long before the end is in the file."""


class Streaming(FakeBackend):
    """Says a word of each branch every few milliseconds."""

    def step(self) -> list[Event]:
        time.sleep(0.01)
        return super().step()


class Teller:
    """Tells what changed in the trees since it was last asked."""

    def __init__(self, saving: Saving) -> None:
        self._saving = saving
        self._told: dict[str, str] = {}

    def tell(self) -> None:
        nodes = self._saving.document.nodes
        now = {name: node.text for name, node in nodes.items() if node.text}
        texts = {name: text for name, text in now.items() if self._told.get(name) != text}
        gone = [name for name in self._told if name not in now]
        if texts or gone:
            print(json.dumps({"at": time.monotonic(), "texts": texts, "gone": gone}), flush=True)
        self._told = now


def act(app: LoomApp, draw: random.Random) -> None:
    """Do one thing, as a key would."""
    document = app.document
    actions = ["ramify"] * 8 + ["trim", "merge", "bookmark", "delete", "undo"] + ["redo"] * 2
    moves = ["row_down", "row_up", "child", "parent", "bottom", "top"] * 2
    app.perform(draw.choice(actions + moves), draw.choice((None, None, 1, 2)))
    node = app.view.current
    text = draw.choice(TEXTS)
    with contextlib.suppress(EditError):
        if node is None or not document.roots:
            app.show_there(document.new_loom(text, False))
        elif draw.random() < 0.3:
            app.show_there(document.add_text(node, text))
        elif draw.random() < 0.2:
            app.show_there(document.edit(node, text, sibling=bool(node.children)))


async def use(path: Path, seed: int) -> None:
    """Use a session until somebody kills us."""
    draw = random.Random(seed)
    saving = Saving.open(path)
    keys, _ = load_keymaps("default", shipped_keymaps_path(), None)
    backend = Streaming()
    backend.free()
    settings = Settings(n=4, params=SamplingParams(max_tokens=200))
    app = LoomApp(backend, keys, saving, Launch("Once", False, settings=settings))
    teller = Teller(saving)
    drain = app.drain

    def told_drain() -> None:
        drain()
        teller.tell()

    app.drain = told_drain  # type: ignore[method-assign]
    async with app.run_test(size=(100, 30)) as pilot:
        while True:
            await pilot.pause(draw.uniform(0.0, 0.08))
            act(app, draw)
            teller.tell()


def check(path: Path, lines: list[str], killed_at: float) -> tuple[int, int]:
    """See that a session left behind is sound and holds what was told `OLD` seconds before the end, or what became
    of it since. Returns how many nodes were looked at, and how many steps were undone."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    saving = Saving.open(path)
    assert not saving.notices, saving.notices
    found = {name: node.text for name, node in saving.document.nodes.items()}
    allowed = _texts_since(lines, killed_at - OLD)
    for name, texts in allowed.items():
        # A branch may have been stored between two of the moments that were told.
        text = found.get(name, "")
        good = text in texts or any(
            a and text.startswith(a) and b.startswith(text) for a in texts for b in texts
        )
        assert good, (name, text, texts)
    undone = _to_the_start_and_back(saving)
    assert saving.close()
    return len(allowed), undone


def _texts_since(lines: list[str], old: float) -> dict[str, list[str]]:
    """By node that there was at a moment, all texts that it had since; "" where it was gone."""
    state: dict[str, str] = {}
    allowed: dict[str, list[str]] | None = None
    for line in lines:
        told: dict[str, Any] = json.loads(line)
        if allowed is None and told["at"] > old:
            allowed = {name: [text] for name, text in state.items()}
        changed = {**told["texts"], **dict.fromkeys(told["gone"], "")}
        state |= told["texts"]
        for name in told["gone"]:
            state.pop(name, None)
        for name, text in changed.items():
            if allowed is not None and name in allowed:
                allowed[name].append(text)
    return {name: [text] for name, text in state.items()} if allowed is None else allowed


def _to_the_start_and_back(saving: Saving) -> int:
    document = saving.document
    undone = 0
    while document.history.undoable:
        document.undo()
        undone += 1
    assert document.roots == []
    for _ in range(undone):
        document.redo()
    return undone


if __name__ == "__main__":
    asyncio.run(use(Path(sys.argv[1]), int(sys.argv[2])))
