"""Single values from a file that nobody vouches for: what they ought to be, or nothing, and never anything else."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import Any

from n8loom_tui.loom.marks import LONGEST_TAG, MOST_TAGS
from n8loom_tui.session.provenance import MOST_PARAMS, number, param, sound

from .limits import (
    LATEST,
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_NOTE,
    LONGEST_TEXT,
)
from .tally import Tally

NO_TEXT = "Nodes without a text, or whose text is none, taken as empty"
CUT = f"Texts longer than {LONGEST_TEXT:,} characters, cut there"
TAGS = "Tags that were no words, made such"
ODD = "Values of a wrong type or size, left out"


def text(value: Any, tally: Tally) -> str:
    """A node's text; "" where there is none."""
    if not isinstance(value, str):
        tally.mended[NO_TEXT] += 1
        return ""
    if len(value) > LONGEST_TEXT:
        tally.mended[CUT] += 1
        return value[:LONGEST_TEXT]
    return value


def note(value: Any, tally: Tally) -> str:
    """A longer remark; "" where there is none."""
    return _bounded(value, LONGEST_NOTE, tally)


def name(value: Any, tally: Tally) -> str:
    """A short name on one line; "" where there is none."""
    return " ".join(_bounded(value, LONGEST_NAME, tally).split())


def _bounded(value: Any, most: int, tally: Tally) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        tally.mended[ODD] += 1
        return value[:most] if isinstance(value, str) else ""
    return value


def tags(value: Any, tally: Tally) -> tuple[str, ...]:
    """A list of tags, each once. Ours are words: blanks in them become hyphens."""
    if value is None:
        return ()
    if not isinstance(value, list):
        tally.mended[ODD] += 1
        return ()
    found: dict[str, None] = {}
    for item in value[:MOST_TAGS]:
        given = name(item, tally)
        tag = "-".join(given.replace(",", " ").split()).strip("#")[:LONGEST_TAG]
        if tag != given:
            tally.mended[TAGS] += 1
        found[tag] = None
    if len(value) > MOST_TAGS:
        tally.mended[ODD] += len(value) - MOST_TAGS
    found.pop("", None)
    return tuple(found)


def letters(value: Any, tally: Tally) -> tuple[str, ...]:
    """Letter marks: single characters."""
    if value is None:
        return ()
    found = value if isinstance(value, list) and len(value) <= MOST_TAGS else [None]
    if not all(isinstance(letter, str) and len(letter) == 1 and letter.isprintable() for letter in found):
        tally.mended[ODD] += 1
        return ()
    return tuple(found)


def key(value: Any) -> str | None:
    """What a file calls a node by: a text or a number. None where there is nothing of the kind."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def safe_id(value: str | None) -> str:
    """A node's name as our own id, if it can be one; "" otherwise."""
    good = value is not None and len(value) <= LONGEST_ID and value.isascii() and value.isprintable()
    return value if good and value is not None else ""


def flag(value: Any) -> bool:
    """Whether a value says yes. Some programs write 1 for it."""
    return value is True or (isinstance(value, int) and value == 1)


def logprob(value: Any) -> float | None:
    """A log probability: a number that is not above 0."""
    found = number(value)
    return min(found, 0.0) if found is not None and found <= 1e-3 else None


def moment(value: Any, tally: Tally) -> float | None:
    """A time in seconds since 1970: of an ISO date, or of a number of seconds or (if it is large) milliseconds."""
    if value is None or value == "":
        return None
    seconds: float | None
    if isinstance(value, str):
        seconds = _of_date(value)
    else:
        seconds = number(value)
        if seconds is not None and seconds > 1e11:
            seconds /= 1000
    if seconds is None or not 0 <= seconds <= LATEST:
        tally.mended[ODD] += 1
        return None
    return seconds


def _of_date(value: str) -> float | None:
    try:
        found = datetime.fromisoformat(value[:40])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def params(found: Iterable[tuple[Any, Any]], tally: Tally) -> dict[str, Any]:
    """Sampling values: short names with small values of JSON's types. Those known by name are of their type."""
    result: dict[str, Any] = {}
    for label, value in found:
        if value is None:
            continue
        good = param(label, value) if len(result) < MOST_PARAMS else None
        if good is None:
            tally.mended[ODD] += 1
        else:
            result[label] = good
    return result


def provenance(found: dict[str, Any], told: Container[str], tally: Tally) -> dict[str, Any]:
    """What else is known of where a node comes from, but for the keys `told` elsewhere, and what is nested so deep that
    it could not be written, or is not of its type."""
    rest = {label: value for label, value in found.items() if label not in told}
    good = sound(rest)
    tally.mended[ODD] += len(rest) - len(good)
    return good
