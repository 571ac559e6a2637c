"""What a format is, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.load import LoadedSession


@dataclass(frozen=True, slots=True)
class Export:
    """A session in a format: its text, piece by piece, and a line for each thing that it can't hold."""

    chunks: Iterator[str]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format of another program.

    Attributes:
        name: what it is called on the command line.
        title: what it is, for people.
        write: a session, and the root of the tree that is wanted where only one fits, in this format.
    """

    name: str
    title: str
    write: Callable[[LoadedSession, Heddle], Export]
