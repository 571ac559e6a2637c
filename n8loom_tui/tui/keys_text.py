"""Keymaps and their problems as plain text, for `n8loom-tui keys`. Pure: no Textual."""

from collections.abc import Iterable

from rich.cells import cell_len

from n8loom_tui.tui.actions import CountUse, actions_by_group
from n8loom_tui.tui.keymap import Keymap, KeymapProblem, Severity
from n8loom_tui.tui.keys import shown

_COUNTS = {CountUse.NONE: "", CountUse.REPEAT: " (count: times)", CountUse.AMOUNT: " (count: how many)"}


def render_keymap(keymap: Keymap, ascii_only: bool = False) -> str:
    """The keymap as aligned lines under the groups' headings: keys, id, title; the ids are those of the file.

    With `ascii_only` keys are spelt as a keymaps file spells them.
    """
    rows = {
        action.id: "  ".join(keymap.labels(action.id, ascii_only)) or "-"
        for actions in actions_by_group().values()
        for action in actions
    }
    keys_width = max(map(cell_len, rows.values()))
    id_width = max(map(len, rows))
    lines = [f"keymap: {shown(keymap.name)}"]
    for group, actions in actions_by_group().items():
        lines += ["", group.value]
        for action in actions:
            keys = rows[action.id] + " " * (keys_width - cell_len(rows[action.id]))
            lines.append(f"  {keys}  {action.id:<{id_width}}  {action.title}{_COUNTS[action.count]}")
    return "\n".join(lines) + "\n"


def render_problems(problems: Iterable[KeymapProblem]) -> str:
    """One line per problem: `FILE:LINE: what — fix`. Empty when there are none."""
    return "".join(
        f"{'warning: ' if problem.severity is Severity.WARNING else ''}{problem}\n" for problem in problems
    )
