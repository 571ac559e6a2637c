"""Putting text on the clipboard: the system's own program where there is one, else the terminal (OSC 52)."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable

PROGRAMS = (
    ("pbcopy",),
    ("wl-copy",),
    ("xclip", "-selection", "clipboard"),
    ("xsel", "--clipboard", "--input"),
)


def copy(text: str, terminal: Callable[[str], None]) -> None:
    """Copy `text`. `terminal` copies through the terminal; the system's program runs on a thread of its own."""
    terminal(text)
    command = next((command for command in PROGRAMS if shutil.which(command[0])), None)
    if command is not None:
        threading.Thread(target=_run, args=(command, text), daemon=True).start()


def _run(command: tuple[str, ...], text: str) -> None:
    data = text.encode("utf-8", "replace")
    try:
        subprocess.run(command, input=data, timeout=5, check=False, capture_output=True)
    except (OSError, subprocess.TimeoutExpired):
        return
