"""Where a node comes from, as a file tells it: checked once when it is read, so that nobody has to ask again.

Whoever reads a heddle's provenance may rely on this: `params` and `imported` are tables, `params` of values of the
types that sampling has; `model` and `fingerprint` are texts or None; `seed`, `first_step` and `given` are whole numbers
and `time` is a number; nothing is nested deeper than `DEEPEST`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

DEEPEST = 50
"""Brackets inside brackets."""
LONGEST_VALUE = 400
"""Characters of a text among the sampling values."""
MOST_PARAMS = 40
"""Sampling values that are written for other programs, and read from them."""
MOST_KEPT = 200
"""Sampling values of a node that are read from a session."""
_MOST_ITEMS = 100
_DEEPEST_PARAM = 3
_LONGEST_LABEL = 64
_WHOLE = frozenset(
    {"max_tokens", "top_k", "min_tokens_to_keep", "repetition_context_size", "top_logprobs", "n_branches"}
)
_REAL = frozenset({"temp", "min_p", "top_p", "repetition_penalty"})


def sound(found: dict[str, Any]) -> dict[str, Any]:
    """What of a provenance makes sense; the same object if all of it does. It is called for every node of a session."""
    if not found or _is_plain(found):
        return found
    good = {key: value for key, value in found.items() if _CHECKS.get(key, shallow)(value)}
    if "params" in good:
        good["params"] = _params(good["params"])
    return found if good == found else good


def _is_plain(found: dict[str, Any]) -> bool:
    """Whether it is what almost every grown node has for itself, and in order: the short way through."""
    if len(found) != 2:
        return False
    seed, time = found.get("seed"), found.get("time")
    return type(seed) is int and 0 <= seed < 2**64 and type(time) is float and math.isfinite(time)


def _params(found: dict[Any, Any]) -> dict[str, Any]:
    first = islice(found.items(), MOST_KEPT)
    return {label: value for label, value in first if _is_of_its_type(label, value)}


def _is_of_its_type(label: Any, value: Any) -> bool:
    if label in _WHOLE:
        return whole(value, 0, 10**9) is not None
    if label in _REAL:
        return isinstance(value, float) or whole(value, -(2**63), 2**63) is not None
    return True


def param(label: Any, value: Any) -> Any:
    """A sampling value: small, and of its type if it is known by name. None if it is no such thing."""
    if not (
        isinstance(label, str)
        and 0 < len(label) <= _LONGEST_LABEL
        and label.isascii()
        and label.isprintable()
    ):
        return None
    if label in _WHOLE:
        return whole(value, 0, 10**9)
    if label in _REAL:
        return number(value)
    return value if _small(value, _DEEPEST_PARAM) else None


def number(value: Any) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any, low: int, high: int) -> int | None:
    """A whole number between two others."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        return None
    return value


def shallow(value: Any) -> bool:
    """Whether a value is nested no deeper than what is kept: deeper ones could not be written, nor shown."""
    if not isinstance(value, dict | list):
        return True
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        inner = [held.values() if isinstance(held, dict) else held for held in level]
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def _small(value: Any, depth: int) -> bool:
    """Whether a value is of JSON's types, short, and no deeper than that."""
    match value:
        case bool() | None:
            return True
        case int():
            return -(2**63) <= value < 2**64
        case float():
            return math.isfinite(value)
        case str():
            return len(value) <= LONGEST_VALUE
        case list():
            return depth > 0 and len(value) <= _MOST_ITEMS and all(_small(item, depth - 1) for item in value)
        case dict():
            items = value.items() if depth > 0 and len(value) <= _MOST_ITEMS else ((None, None),)
            return all(isinstance(key, str) and _small(item, depth - 1) for key, item in items)
    return False


def _table(value: Any) -> bool:
    return isinstance(value, dict) and shallow(value)


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "params": _table,
    "imported": _table,
    "model": _text,
    "fingerprint": _text,
    "seed": lambda value: whole(value, 0, 2**64 - 1) is not None,
    "first_step": lambda value: whole(value, -(2**40), 2**40) is not None,
    "given": lambda value: whole(value, 0, 2**31) is not None,
    "time": lambda value: number(value) is not None,
}
