"""The registry of everything a key can do: one entry per action, and nothing but data.

Bindings, the footer, the help screen, the command palette and `n8loom-tui keys` all read this table, so an
action is described once. The keys themselves are in `keymaps.toml`; what an action *does* is in `commands`.
This package imports no Textual and knows no widget.
"""

from types import MappingProxyType

from n8loom_tui.tui.actions.action import Action, CountUse, Group
from n8loom_tui.tui.actions.cut import CUT
from n8loom_tui.tui.actions.file import FILE
from n8loom_tui.tui.actions.find import FIND
from n8loom_tui.tui.actions.look import LOOK
from n8loom_tui.tui.actions.mark import MARK
from n8loom_tui.tui.actions.move import MOVE
from n8loom_tui.tui.actions.settings import SETTINGS
from n8loom_tui.tui.actions.tokens import TOKENS
from n8loom_tui.tui.actions.weave import WEAVE
from n8loom_tui.tui.actions.write import WRITE

__all__ = ["ACTIONS", "Action", "CountUse", "Group", "actions_by_group", "footer_actions"]

_PARTS = (MOVE, WEAVE, WRITE, CUT, MARK, LOOK, TOKENS, FIND, SETTINGS, FILE)
ACTIONS: MappingProxyType[str, Action] = MappingProxyType(
    {action.id: action for part in _PARTS for action in part}
)
"""Every action by its id, in the order in which help and the palette list them."""


def actions_by_group() -> dict[Group, tuple[Action, ...]]:
    """The registry as help shows it: each group with its actions, both in their order."""
    return {group: tuple(action for action in ACTIONS.values() if action.group is group) for group in Group}


def footer_actions() -> tuple[Action, ...]:
    """The actions that the footer may show, the most important first."""
    shown = (action for action in ACTIONS.values() if action.footer)
    return tuple(sorted(shown, key=lambda action: action.footer_rank))
