"""Pressing the keys that the keymap in force has for actions."""

from __future__ import annotations

import pytest
from support.fake_backend import FakeBackend
from support.rig import Rig

KEYMAPS = pytest.mark.parametrize("keymap", ["default", "vim", "arrows"])


def free() -> FakeBackend:
    """A backend that waits for nothing."""
    backend = FakeBackend()
    backend.free()
    return backend


async def key(rig: Rig, action: str) -> None:
    """Press the key that an action has in the keymap in force."""
    await rig.press(*rig.app.keymap.keys_of(action)[0])
