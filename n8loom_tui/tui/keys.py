"""The names of keys: what people write, what Textual sends, what the screen shows.

Three spellings of one key meet here. The *canonical* one is Textual's (`question_mark`, `ctrl+r`, `G`);
people may write `?`, `Esc`, `shift+g`, `pgdn`; the screen shows `?`, `esc`, `G`, `↑`. A *sequence* is a
tuple of canonical keys pressed one after the other, written with spaces between (`g g`).
This module is pure: it imports nothing of Textual (its key names are checked against Textual's by a test).
"""

import re
import unicodedata
from typing import Final

Sequence = tuple[str, ...]
"""Canonical keys, pressed one after the other."""

MAX_SEQUENCE: Final = 4

NAMED: Final = frozenset(
    ["up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete", "backspace"]
    + ["tab", "enter", "escape", "space"]
    + [f"f{number}" for number in range(1, 25)]
)
"""The canonical keys that type no character, and space."""

_SHORTENED: Final = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}  # Unicode's name → Textual's


def character_key(character: str) -> str:
    """The canonical key that types `character`: `?` → `question_mark`, `G` → `G`, a blank → `space`."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _SHORTENED.get(name, name)


_CHARACTERS: Final = {character_key(chr(code)): chr(code) for code in range(33, 127)}

_ALIASES: Final = {
    "esc": "escape", "return": "enter", "ret": "enter", "del": "delete", "ins": "insert",
    "pgup": "pageup", "page_up": "pageup", "pgdn": "pagedown", "pgdown": "pagedown",
    "page_down": "pagedown", "spc": "space", "spacebar": "space", "bksp": "backspace",
    "backtab": "shift+tab", "newline": "ctrl+j", "↑": "up", "↓": "down", "←": "left", "→": "right",
    "period": "full_stop", "dot": "full_stop", "hyphen": "minus", "dash": "minus", "hash": "number_sign",
    "equal": "equals_sign", "equals": "equals_sign", "star": "asterisk", "backtick": "grave_accent",
    **_SHORTENED,
}  # fmt: skip

_MODIFIERS: Final = {
    "ctrl": "ctrl", "control": "ctrl", "shift": "shift", "alt": "alt", "option": "alt", "opt": "alt",
    "super": "super", "cmd": "super", "command": "super", "meta": "meta", "hyper": "hyper",
}  # fmt: skip

_LOOKALIKES: Final = {
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+h": "backspace",
    "ctrl+left_square_bracket": "escape",
}

_GLYPHS: Final = {"up": "↑", "down": "↓", "left": "←", "right": "→"}
_SHORT: Final = {"escape": "esc", "pageup": "pgup", "pagedown": "pgdn", "delete": "del", "insert": "ins"}


class BadKey(ValueError):
    """A key that does not exist or cannot be bound; `fix` says what to write in its place."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def nearest(word: str, candidates: "list[str] | tuple[str, ...]", cutoff: float = 0.6) -> str | None:
    """The candidate that a person most likely meant by `word`, if any comes near."""
    if len(word) > 40:  # difflib is quadratic, and nobody mistypes that much
        return None
    from difflib import get_close_matches

    found = get_close_matches(word.lower(), candidates, n=1, cutoff=cutoff)
    return found[0] if found else None


def shown(text: str, limit: int = 60) -> str:
    """`text` made harmless for a terminal: what does not print becomes an escape, and it ends at `limit`."""
    cut = text[:limit]
    safe = "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in cut
    )
    return safe + "…" if len(text) > limit else safe


def parse_key(text: str) -> str:
    """The canonical form of one key as a person writes it. Raises `BadKey`."""
    modifiers: set[str] = set()
    rest = unicodedata.normalize("NFC", text) if len(text) <= 40 else text
    while len(split := rest.split("+", 1)) == 2 and split[1] and split[0].lower() in _MODIFIERS:
        modifiers.add(_MODIFIERS[split[0].lower()])
        rest = split[1]
    base = _parse_base(rest, text)
    *more, base = base.split("+")
    return _join(modifiers | set(more), base, text)


def _parse_base(rest: str, whole: str) -> str:
    if rest in _ALIASES:
        return _ALIASES[rest]
    if len(rest) == 1 and rest.isprintable():
        return character_key(rest)
    name = rest.lower()
    name = _ALIASES.get(name, name)
    if name in NAMED or name in _CHARACTERS or name in _ALIASES.values():
        return name
    raise BadKey(f'unknown key "{shown(whole, 40)}"', _guess(whole))


def _guess(text: str) -> str:
    """What to write in place of a key that is none."""
    if len(text) > 40:
        return "a key is one character or a name, such as space, enter, f5, ctrl+r"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and all(parts):
        return "write several keys as a list: [" + ", ".join(f'"{shown(part)}"' for part in parts) + "]"
    vim = re.fullmatch(r"<?(c|ctrl|control|a|m|alt|s|shift)-(\S+?)>?", text, re.IGNORECASE)
    if vim is not None:
        modifier = {"c": "ctrl", "s": "shift"}.get(vim[1][0].lower(), "alt")
        return f'write "{modifier}+{shown(vim[2])}"'
    if 2 <= len(text) <= MAX_SEQUENCE and len(set(text)) == 1:
        return f'keys pressed one after the other have blanks between: "{shown(" ".join(text))}"'
    prefix, plus, name = text.rpartition("+")
    names = [name for name in (*NAMED, *_CHARACTERS, *_ALIASES) if len(name) > 1]
    close = nearest(name, sorted(names))
    if close is not None:
        return f'did you mean "{shown(prefix + plus + close)}"?'
    return "a key is one character or a name, such as space, enter, f5, ctrl+r"


def _join(modifiers: set[str], base: str, whole: str) -> str:
    """Modifiers and key in the one spelling in which Textual sends them."""
    if len(base) == 1 and base.isalpha() and modifiers:
        if "ctrl" in modifiers:  # people write Ctrl+R for ctrl+r; the other one is written ctrl+shift+r
            base = base.lower()
        elif base != base.lower():
            modifiers, base = modifiers | {"shift"}, base.lower()
        if modifiers == {"shift"}:
            return base.upper() if len(base.upper()) == 1 else base
    elif modifiers == {"shift"} and base not in NAMED:
        raise BadKey(
            f'"{shown(whole, 40)}" is never sent as such',
            "write the character that the two keys make together",
        )
    return "+".join([*sorted(modifiers), base])


def parse_keys(text: str) -> Sequence:
    """A sequence as a person writes it: keys with blanks between (`g g`); one blank alone is the space key.

    Raises `BadKey` also for sequences that could never be pressed: digits in front are counts, escape
    cancels, ctrl+c belongs to the app.
    """
    words = ["space"] if text == " " else text.split()
    if not words:
        raise BadKey(
            "a key is missing", 'write [] to leave the action without a key, "space" for the space bar'
        )
    if len(words) > MAX_SEQUENCE:
        raise BadKey(
            f'"{shown(text, 40)}" has {len(words)} keys', f"a sequence has at most {MAX_SEQUENCE} keys"
        )
    sequence = tuple(parse_key(word) for word in words)
    if sequence[0] in "123456789":
        raise BadKey(f"{sequence[0]} begins a count and cannot be a key", "choose a key that is not a digit")
    if "ctrl+c" in sequence:
        raise BadKey("ctrl+c is reserved: it copies, or quits", "choose another key")
    if len(sequence) > 1 and "escape" in sequence:
        raise BadKey("escape cancels a sequence and cannot be part of one", "choose another key")
    return sequence


def doubtful(sequence: Sequence) -> tuple[str, str] | None:
    """A key of the sequence that most terminals cannot tell from another one, with that other one."""
    for key in sequence:
        if key in _LOOKALIKES:
            return key, _LOOKALIKES[key]
        if re.fullmatch(r"ctrl\+shift\+[a-z]", key):
            return key, key.replace("shift+", "")
    return None


def event_key(key: str, character: str | None = None) -> str:
    """The canonical key of a Textual key event (`event.key`, `event.character`).

    Terminals differ: the number pad's plus comes as `add` with the character `+`, a capital as `shift+a`,
    ctrl+space as `ctrl+@`.
    """
    if "+" not in key and character and len(character) == 1 and character.isprintable():
        return character_key(character)
    if re.fullmatch(r"shift\+[a-z]", key):
        return key[-1].upper()
    if key in ("ctrl+@", "ctrl+at"):
        return "ctrl+space"
    return "enter" if key == "return" else key


def format_key(key: str, ascii_only: bool = False) -> str:
    """One canonical key as the screen shows it; with `ascii_only`, as a keymaps file would write it."""
    *modifiers, base = key.split("+")
    glyph = None if ascii_only else _GLYPHS.get(base)
    base = glyph or _SHORT.get(base) or _CHARACTERS.get(base) or _named_character(base)
    return "+".join([*modifiers, base])


def _named_character(base: str) -> str:
    if len(base) == 1 or base in NAMED:
        return shown(base)
    try:
        character = unicodedata.lookup(base.replace("_", " ").upper())
    except KeyError:
        return shown(base)
    return character if character.isprintable() else shown(base)


def format_keys(sequence: Sequence, ascii_only: bool = False) -> str:
    """A sequence for footer and help: `("g", "g")` → `g g`, `("up",)` → `↑`."""
    return " ".join(format_key(key, ascii_only) for key in sequence)
