"""From the command line's wishes to a running app, and back to the shell in good order."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from n8loom_tui.models.load import check_name
from n8loom_tui.paths import config_dir
from n8loom_tui.tui.app import Launch, LoomApp
from n8loom_tui.tui.backend import ModelBackend
from n8loom_tui.tui.glimpsed import begin_opening
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that wants the interpreter gets it. The engine's thread lets go of it dozens of times
a step; at Python's 5 ms it would wait for the UI's thread each time."""
PATIENCE = 3.0
"""Seconds that the engine's thread gets to end; it hears of it between two tokens."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for."""

    model: str
    session: Path | None
    prompt: str | None
    chat: bool
    keymap: str
    given: Mapping[str, Any]
    """Settings by their names, as far as they were given."""
    dtype: str
    threads: int | None
    kv_budget: int | None = None
    kv_disk: int = 0
    theme: str | None = None
    reduced_motion: bool = False
    debug: bool = False


def run(wanted: Wanted) -> int:
    """Run the app. Returns the exit code; does not return where the engine can't be ended in time.

    Raises:
        ModelError, SessionError: the model's name or the session is no good; nothing was opened.
    """
    check_name(wanted.model)
    keymap, problems = load_keymaps(wanted.keymap, shipped_keymaps_path(), config_dir() / "keymaps.toml")
    saving = begin_opening(wanted.session, shutil.get_terminal_size().lines)
    gc.freeze()  # what was loaded stays: the collector need not walk through it while the model is being loaded
    launch = Launch(
        wanted.prompt,
        wanted.chat,
        wanted.session is not None,
        given=wanted.given,
        theme=wanted.theme,
        reduced_motion=wanted.reduced_motion,
        notices=tuple(map(str, problems)),
    )
    sys.setswitchinterval(SWITCH_INTERVAL)
    backend = ModelBackend(
        wanted.model,
        dtype=wanted.dtype,
        threads=wanted.threads,
        kv_budget=wanted.kv_budget,
        kv_disk=wanted.kv_disk,
    )
    app = LoomApp(backend, keymap, saving, launch, collects=True, debug=wanted.debug)
    try:
        code = app.run()
    finally:
        lines, ended = _wind_up(app)
    code = app.return_code if code is None else code
    lines = lines or app.saving.way_back()
    if app.status.failure:
        lines.append(f"n8loom-tui: {app.status.failure}")
        code = code or 1
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(*lines, sep="\n", end="\n" * bool(lines), file=sys.stderr, flush=True)
    if wanted.debug and app.failure is not None:
        traceback.print_exception(app.failure)
    if not ended:
        # It is inside a call that can't be interrupted; everything is stored, so it may be cut short.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    return code or 0


def _wind_up(app: LoomApp) -> tuple[list[str], bool]:
    """Store all, and end the engine. Returns what there is to say of that, and whether the engine has ended in time."""
    app.engine.leave()
    with contextlib.suppress(Exception):  # what is handed over already must get to the file in any case
        app.leaving.keep_all()
    lines = [line for saving in (*app.opening.leaving, app.saving) for line in saving.leave()]
    return lines, app.engine.stop(PATIENCE)
