"""Small TOML files that the app writes itself: what is wrong is one clear line; each is written whole or not."""

from __future__ import annotations

import math
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_BYTES = 256 * 1024
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class FileProblem(Exception):
    """The file can't be used; the message names it, what is wrong and what to do."""


def read_toml(path: Path) -> dict[str, Any]:
    """What a file holds; nothing if there is none.

    Raises:
        FileProblem: it can't be read, or is no TOML.
    """
    try:
        if not path.exists():
            return {}
        if not path.is_file():  # opening a pipe would wait for ever
            raise FileProblem(f"{path} is not a file; move it away")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileProblem(f"{path} can't be read: {reason}; check its permissions") from None
    if len(raw) > MAX_BYTES:
        raise FileProblem(f"{path} is larger than {MAX_BYTES // 1024} KiB; it is left aside")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise FileProblem(f"{path} is not UTF-8; save it as such") from None
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"{path}: {error or 'nested too deep'}; mend it or delete it") from None


def write_toml(path: Path, head: str, values: Mapping[str, Any]) -> None:
    """Put a file in place: `head` as a comment, then values (numbers, truths, texts, lists of texts) and one level of
    tables of them.

    Raises:
        FileProblem: it can't be written; the one that was there stays.
    """
    lines = [f"# {line}" for line in head.splitlines()]
    lines += [f"{_key(name)} = {_value(value)}" for name, value in values.items() if not _is_table(value)]
    for name, table in values.items():
        if _is_table(table):
            lines += ["", f"[{_key(name)}]"]
            lines += [f"{_key(key)} = {_value(value)}" for key, value in table.items()]
    replace_file(path, "\n".join(lines) + "\n")


def replace_file(path: Path, text: str) -> None:
    """Put a text file in place, whole or not at all.

    Raises:
        FileProblem: it can't be written; the one that was there stays.
    """
    made: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.resolve()  # a link stays a link
        handle, made = tempfile.mkstemp(dir=target.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(made).replace(target)
    except OSError as error:
        if made is not None:
            Path(made).unlink(missing_ok=True)
        raise FileProblem(f"{path} can't be written: {error.strerror or error}") from None


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if name and name.isascii() and name.replace("_", "").isalnum() else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
    return _text(str(value))


def _text(text: str) -> str:
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character < " " or character == "\x7f":
        return f"\\u{ord(character):04X}"
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character
