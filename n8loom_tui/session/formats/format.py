"""What a format is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .facts import Fact
from .outline import Outline
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Format:
    """A format of another program, or one for people.

    Attributes:
        name: what it is called on the command line.
        title: what it is, for people.
        recognises: whether a file's value (JSON, or `jsonl.Lines`) is of this format. None: it is not read.
        read: such a value as an outline; what could not be taken is counted. It may take the value apart.
        write: an outline as text, piece by piece. None: it is not written.
        holds: what it can say of a node, besides text, order and children.
        current: it can say where the person stood.
        single: it holds one tree.
        aliases: further names.
    """

    name: str
    title: str
    recognises: Callable[[Any], bool] | None = None
    read: Callable[[Any, Tally], Outline] | None = None
    write: Callable[[Outline], Iterator[str]] | None = None
    holds: frozenset[Fact] = frozenset()
    current: bool = False
    single: bool = False
    aliases: tuple[str, ...] = ()
