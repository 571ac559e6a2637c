"""Styles are read once per process, not once for each app: the same text and colours give the same rules."""

from __future__ import annotations

from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_read: dict[tuple[Any, ...], list[RuleSet]] = {}
_variables: WeakKeyDictionary[Stylesheet, tuple[dict[str, str], frozenset[tuple[str, str]]]] = (
    WeakKeyDictionary()
)


def _by(sheet: Stylesheet) -> frozenset[tuple[str, str]]:
    """What a style sheet's variables stand for."""
    known = _variables.get(sheet)
    if known is None or known[0] is not sheet._variables:
        known = _variables[sheet] = sheet._variables, frozenset(sheet._variables.items())
    return known[1]


def read_styles_once() -> None:
    """Have all apps of this process share what is read of their styles."""
    read = Stylesheet._parse_rules

    @wraps(read)
    def once(sheet: Stylesheet, *text: Any, **more: Any) -> list[RuleSet]:
        key = (_by(sheet), text, tuple(sorted(more.items())))
        if key not in _read:
            _read[key] = read(sheet, *text, **more)
        return _read[key]

    Stylesheet._parse_rules = once  # type: ignore[method-assign]
