"""Writes a person's own keymaps file: a commented start, and single keys. What was there is never lost.

Pure: no Textual.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from n8loom_tui.tui.actions import ACTIONS, actions_by_group
from n8loom_tui.tui.keymap import DEFAULT, OVERRIDE, Keymap, load_keymaps
from n8loom_tui.tui.keymap_file import Severity
from n8loom_tui.tui.keys import BadKey, format_keys, nearest, parse_keys
from n8loom_tui.tui.toml_file import FileProblem, replace_file

_HEAD = """# Your own keys for n8loom-tui. Take the # from a line and change its key, or run
# n8loom-tui keys --set ACTION=KEY
# A line is   action = "key"   or   action = ["key", "another"];   "" leaves the action without a key.
# A key is a character ("x", "?"), a name (space enter tab escape backspace insert delete up down left right home end
# pageup pagedown f1 to f24), with ctrl+ alt+ shift+ in front ("ctrl+r"); "g g" is two keys, one after the other.
# n8loom-tui keys --check   tells of mistakes, line by line.

# These lie over whichever keymap is chosen. Those here are the keymap "{name}" as it is.
[{override}]
"""
_HEADING = re.compile(r"[ \t]*\[")


def starter(keymap: Keymap) -> str:
    """A file in which every action stands with its keys, commented out."""
    lines = [_HEAD.format(name=keymap.name, override=OVERRIDE)]
    for group, actions in actions_by_group().items():
        lines.append(f"# {group.value}")
        lines += [f"# {action.id} = {_keys(keymap, action.id)}  # {action.title}" for action in actions]
        lines.append("")
    return "\n".join(lines)


def _keys(keymap: Keymap, action: str) -> str:
    return _list([format_keys(sequence, ascii_only=True) for sequence in keymap.keys_of(action)])


def _list(keys: list[str]) -> str:
    texts = [_text(key) for key in keys]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _text(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_starter(path: Path, keymap: Keymap) -> None:
    """Write the starter file where there is none.

    Raises:
        FileProblem: there is one, which stays as it is; or it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(keymap))
    except FileExistsError:
        raise FileProblem(
            f"{path} is there already and stays as it is; change it by hand or with --set"
        ) from None
    except OSError as error:
        raise FileProblem(f"{path} can't be written: {error.strerror or error}") from None


def set_key(path: Path, shipped: Path, wanted: str, name: str = DEFAULT) -> str:
    """Give an action keys in a person's own file: `wanted` is ACTION=KEY, with further keys behind commas. All else in
    the file stays as it is. Returns a line that says what is so now.

    Raises:
        FileProblem: it means nothing, or would make a mistake in the keymap `name`; nothing was changed.
    """
    action, keys = _understood(wanted)
    change_keys(path, shipped, {action: keys}, name)
    keymap, _ = load_keymaps(name, shipped, path)
    shown = " or ".join(keymap.labels(action, ascii_only=True)) or "no key"
    return f"{ACTIONS[action].title}: {shown}"


def change_keys(
    path: Path, shipped: Path, changes: Mapping[str, list[str] | None], name: str = DEFAULT
) -> tuple[str | None, str]:
    """Give actions keys in a person's own file, all of them or none: lists of keys by action ids, None for what it
    would have without a line of its own there. All else in the file stays as it is. Returns the file's text before
    (None: there was none) and after.

    Raises:
        FileProblem: it would make a mistake in the keymap `name`; nothing was changed.
    """
    before = text_of(path)
    after = before or ""
    for action, keys in changes.items():
        if keys is not None:
            after = _with_line(after, action, f"{action} = {_list(keys)}")
        else:
            after = _without_line(after, action)
    _refuse_mistakes(path, shipped, name, before or "", after)
    replace_file(path, after)
    return before, after


def text_of(path: Path) -> str | None:
    """What stands in a person's file; None if there is none.

    Raises:
        FileProblem: it can't be read.
    """
    try:
        return path.read_text("utf-8-sig") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"{path} can't be read: {error}") from None


def _understood(wanted: str) -> tuple[str, list[str]]:
    action, equals, keys = wanted.partition("=")
    action = action.strip()
    if not equals:
        raise FileProblem("--set takes ACTION=KEY, such as trim=f8")
    if action not in ACTIONS:
        close = nearest(action, tuple(ACTIONS))
        advice = f"did you mean {close}?" if close else "n8loom-tui keys lists the actions"
        raise FileProblem(f"there is no action {action[:40]!r}; {advice}")
    parts = [part.strip() for part in keys.split(",")] if keys.strip() not in {",", ""} else [keys.strip()]
    try:
        for part in parts:
            if part:
                parse_keys(part)
    except BadKey as bad:
        raise FileProblem(f"{bad.message}; {bad.fix}") from None
    return action, parts


def _with_line(text: str, action: str, line: str) -> str:
    """The file's text with this line under [override], in place of the action's line there."""
    lines = text.splitlines()
    start, there = _own_lines(lines, action)
    if start is None:
        return "\n".join([*lines, *([""] if lines else []), f"[{OVERRIDE}]", line, ""])
    at = next((at for at in there if _counts(lines[at])), there[0] if there else None)
    if at is None:
        lines.insert(start + 1, line)
    else:
        _refuse_several(lines, at)
        lines[at] = line
    return "\n".join(lines) + "\n"


def _without_line(text: str, action: str) -> str:
    """The file's text without the action's line under [override]; one that is commented out stays."""
    lines = text.splitlines()
    at = next((at for at in _own_lines(lines, action)[1] if _counts(lines[at])), None)
    if at is None:
        return text
    _refuse_several(lines, at)
    del lines[at]
    return "\n".join(lines) + "\n"


def _own_lines(lines: list[str], action: str) -> tuple[int | None, list[int]]:
    """Where [override] begins, and which lines there are the action's, commented out or not."""
    heading = re.compile(rf"[ \t]*\[[ \t]*{OVERRIDE}[ \t]*\][ \t]*(#.*)?$")
    start = next((at for at, found in enumerate(lines) if heading.match(found)), None)
    if start is None:
        return None, []
    end = next((at for at in range(start + 1, len(lines)) if _HEADING.match(lines[at])), len(lines))
    own = re.compile(rf"[ \t]*(#[ \t]*)?[\"']?{re.escape(action)}[\"']?[ \t]*=")
    return start, [at for at in range(start + 1, end) if own.match(lines[at])]


def _counts(line: str) -> bool:
    return not line.lstrip().startswith("#")


def _refuse_several(lines: list[str], at: int) -> None:
    if _counts(lines[at]) and lines[at].count("[") != lines[at].count("]"):
        raise FileProblem(f"line {at + 1} goes on over several lines; change it by hand")


def _refuse_mistakes(path: Path, shipped: Path, name: str, before: str, after: str) -> None:
    """See that a change brings no mistake that was not there."""

    def mistakes(text: str) -> dict[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            copy.write_text(text, "utf-8")
            _, problems = load_keymaps(name, shipped, copy)
        return {p.message: p.fix for p in problems if p.severity is Severity.ERROR}

    known = mistakes(before)
    for message, fix in mistakes(after).items():
        if message not in known:
            raise FileProblem(f"{message}; {fix.partition(';')[0]}. Nothing was changed")
