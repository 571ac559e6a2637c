"""A disk that is too small for a session."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from n8loom_tui.session import schema


class SmallDisk:
    """A disk with room for a few pages only, until it grows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages = 30
        self._connect = schema.connect
        monkeypatch.setattr(schema, "connect", self)

    def __call__(self, path: Path, mode: schema.Mode, *, immutable: bool = False) -> sqlite3.Connection:
        db = self._connect(path, mode, immutable=immutable)
        db.execute(f"PRAGMA max_page_count = {self.pages}")
        return db
