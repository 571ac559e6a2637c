"""Every value that a person can set, once: its name, what it means, how it is typed, shown and stored.

The settings screen, the keys that set one value, presets and sessions all read this table. Knows no widget.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from n8loom_tui.loom.until import (
    Condition,
    EntropyAbove,
    Fork,
    ParagraphEnd,
    SentenceEnd,
    TextSaid,
    TopProbabilityBelow,
)
from n8loom_tui.tui.settings import MAX_BRANCHES, Settings

LONGEST_TEXT = 2000
"""Characters that may be typed for one value."""
LARGEST = 2**48
"""The largest whole number."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value.

    `parse` makes it of what was typed, `show` makes of it what could be typed. `step` is what a key adds to a number
    (None: it is no number). What a file holds is made by `stored`, and made into a value again by `restored`.
    """

    name: str
    title: str
    hint: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str]
    step: float | None = None

    def read(self, text: str) -> Any:
        """The value of what was typed.

        Raises:
            ValueError: it means nothing; the message says what would.
        """
        text = text.strip()
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"{self.title} takes at most {LONGEST_TEXT} characters")
        try:
            value = self.parse(text)
        except _Unclear as error:
            raise ValueError(f"{self.title} takes {error}, not {text[:20]!r}") from None
        self._check_size(value)
        return value

    def _check_size(self, value: Any) -> None:
        if isinstance(value, int) and abs(value) > LARGEST:
            raise ValueError(f"{self.title} can't be larger than {LARGEST:,}")

    def stored(self, value: Any) -> Any:
        """The value as a file holds it: a number, a text, or a list of texts."""
        if isinstance(value, tuple):
            return [_condition_text(one) if not isinstance(one, str) else one for one in value]
        return "drawn" if value is None else value

    def restored(self, stored: Any) -> Any:
        """The value of what a file holds.

        Raises:
            ValueError: it is nothing of the kind.
        """
        match stored:
            case list() if self.parse is _texts and all(isinstance(one, str) for one in stored):
                return tuple(one for one in stored if one)
            case list() if self.parse is _conditions and all(isinstance(one, str) for one in stored):
                return tuple(_condition(one) for one in stored)
            case "drawn" if self.parse is _seed:
                return None
            case int() if self.step is not None or self.parse is _seed:
                self._check_size(stored)
                return stored
            case float() if self.parse is _real:
                return stored
        raise ValueError(f"{self.name} can't be {str(stored)[:40]!r}")

    def stepped(self, value: Any, steps: int) -> Any:
        """A number some steps up or down."""
        if self.step is None:
            return value
        moved = value + steps * self.step
        return int(moved) if isinstance(self.step, int) else round(moved, 6)


class _Unclear(ValueError):
    """What was typed is not of the kind; the message names the kind."""


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _Unclear("a whole number") from None


def _real(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise _Unclear("a number") from None


def _seed(text: str) -> int | None:
    if text.lower() in {"", "drawn", "none", "off"}:
        return None
    try:
        return int(text)
    except ValueError:
        raise _Unclear("a whole number, or nothing for a drawn one") from None


def _texts(text: str) -> tuple[str, ...]:
    """Quoted texts with blanks or commas between; a text without quotes is one as it stands."""
    if not text:
        return ()
    if text[0] not in "\"'":
        return (text,)
    try:
        found = ast.literal_eval(f"({_with_commas(text)},)")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise _Unclear('texts in quotes, such as "\\n\\n" "User:"') from None
    if not all(isinstance(one, str) for one in found):
        raise _Unclear('texts in quotes, such as "\\n\\n" "User:"')
    return tuple(one for one in found if one)


def _with_commas(text: str) -> str:
    """Put a comma behind each quoted text, so that neighbours are not taken for one."""
    made, quote, escaped = "", "", False
    for character in text:
        made += character
        if escaped or (quote and character == "\\"):
            escaped = not escaped
        elif quote and character == quote:
            quote, made = "", made + ","
        elif not quote and character in "\"'":
            quote = character
        elif not quote and character == ",":
            made = made[:-1]
    return made.strip().rstrip(",")


def _texts_shown(value: tuple[str, ...]) -> str:
    return " ".join(map(_quoted, value))


def _quoted(text: str) -> str:
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    shown = (named.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text)
    return f'"{"".join(shown)}"'


_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
"""What stands between commas that are in no quotes."""
CONDITIONS = "sentence, paragraph, entropy 2.5, top 0.3, fork 0.2"


def _conditions(text: str) -> tuple[Condition, ...]:
    parts = [part.strip() for part in _PART.findall(text)]
    return tuple(_condition(part) for part in parts if part)


def _condition(text: str) -> Condition:
    word, _, rest = text.partition(" ")
    try:
        match word, rest.strip():
            case "sentence", "":
                return SentenceEnd()
            case "paragraph", "":
                return ParagraphEnd()
            case "entropy", number:
                return EntropyAbove(float(number))
            case "top", number:
                return TopProbabilityBelow(float(number))
            case "fork", number:
                return Fork(float(number))
            case "text", quoted if _texts(quoted):
                return TextSaid(_texts(quoted)[0])
    except _Unclear:
        raise
    except ValueError as error:
        if "must" in str(error):
            raise
    raise _Unclear(f"one or more of {CONDITIONS}")


def _condition_text(condition: Any) -> str:
    match condition:
        case SentenceEnd():
            return "sentence"
        case ParagraphEnd():
            return "paragraph"
        case EntropyAbove(nats):
            return f"entropy {nats:g}"
        case TopProbabilityBelow(p):
            return f"top {p:g}"
        case Fork(p):
            return f"fork {p:g}"
        case TextSaid(text):
            return f"text {_texts_shown((text,))}"
    return str(condition)


def _conditions_shown(value: tuple[Condition, ...]) -> str:
    return ", ".join(map(_condition_text, value))


def _number_shown(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _seed_shown(value: int | None) -> str:
    return "" if value is None else str(value)


def _number(name: str, title: str, hint: str, step: float) -> Setting:
    parse: Callable[[str], Any] = _whole if isinstance(step, int) else _real
    return Setting(name, title, hint, parse, _number_shown, step)


_ALL = (
    _number("n", "n: branches", f"how many branches one ramify grows, 1 to {MAX_BRANCHES}", 1),
    _number("max_tokens", "Max tokens", "how many tokens a branch grows at once", 8),
    _number("temp", "Temperature", "0 takes the likeliest token; 0.6 to 1.2 is usual", 0.1),
    _number("top_p", "Top-p", "draw from the likeliest tokens that have this share together; 0 is off", 0.05),
    _number("top_k", "Top-k", "draw from so many of the likeliest tokens; 0 is off", 5),
    _number("min_p", "Min-p", "0 to 1; 0.05 drops what is 20 times less likely than the best", 0.01),
    _number("min_tokens_to_keep", "Kept at least", "so many tokens are never dropped by the filters", 1),
    _number("repetition_penalty", "Repetition penalty", "above 1 discourages what was said; 1 is off", 0.05),
    _number("repetition_context_size", "… over tokens", "how many last tokens the penalty looks at", 4),
    Setting(
        "stop_strings",
        "Stop strings",
        'a branch ends before any of these: "\\n\\n" "User:", or one without quotes; nothing for none',
        _texts,
        _texts_shown,
    ),
    Setting(
        "until",
        "Ends at",
        f"further ends, with commas between: {CONDITIONS}; nothing for none",
        _conditions,
        _conditions_shown,
    ),
    Setting(
        "seed", "Seed", "a number makes what is drawn repeatable; nothing: drawn anew", _seed, _seed_shown
    ),
    _number("top_logprobs", "Alternatives kept", "the likeliest tokens kept at each place, 0 to 128", 1),
)
FIELDS: Mapping[str, Setting] = {setting.name: setting for setting in _ALL}
"""Every setting by its name, in the order in which people see them."""


def to_stored(settings: Settings) -> dict[str, Any]:
    """All settings as a file holds them."""
    return {name: setting.stored(settings.value(name)) for name, setting in FIELDS.items()}


def from_stored(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The values of what a file holds.

    Raises:
        ValueError: a name or a value is no good; the message says which.
    """
    strange = [str(name) for name in stored if name not in FIELDS]
    if strange:
        raise ValueError(f"{strange[0][:40]!r} is no setting")
    values = {name: FIELDS[name].restored(value) for name, value in stored.items()}
    Settings().with_values(values)
    return values
