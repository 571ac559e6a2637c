"""The one error that loading a model raises."""

from __future__ import annotations


class ModelError(Exception):
    """A model cannot be had. `str()` is one line: what is wrong and what to do about it."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: object, limit: int = 300) -> str:
    """`text` on a single line of at most `limit` characters, for a status bar or stderr.

    Control characters, which a damaged or hostile file could send to the terminal, become `�`.
    """
    flat = " ".join(str(text).split())
    flat = "".join(each if each.isprintable() else "\ufffd" for each in flat)
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
