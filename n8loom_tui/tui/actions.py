"""The registry of everything a key can do: one entry per action, and nothing but data.

Bindings, the footer, the help screen, the command palette and `n8loom-tui keys` all read this table, so an
action is described once. The keys themselves are in `keymaps.toml`; what an action *does* is in the app.
This module imports no Textual and knows no widget.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType


class Group(StrEnum):
    """The headings under which help lists the actions, in the order in which it lists them."""

    MOVE = "Move"
    WEAVE = "Weave"
    WRITE = "Write"
    CUT = "Cut"
    MARK = "Mark"
    LOOK = "Look"
    SETTINGS = "Settings"
    FILE = "File"


class CountUse(Enum):
    """What a number typed before the key means to an action."""

    NONE = "none"  # nothing: the number is dropped
    REPEAT = "repeat"  # do it that many times: `5 j` goes down five rows
    AMOUNT = "amount"  # the number is the argument: `12 t` trims twelve tokens


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do.

    `title` is what the palette shows, `help` the sentence under it. `footer` is the short word beside the
    key in the footer; an action without one is never shown there. When the footer has no room for all, those
    with the lowest `footer_rank` stay. `essential` actions can never be left without a key.
    """

    id: str
    group: Group
    title: str
    help: str
    count: CountUse = CountUse.NONE
    footer: str = ""
    footer_rank: int = 99
    essential: bool = False

    @property
    def takes_count(self) -> bool:
        """Whether a number before the key changes what happens."""
        return self.count is not CountUse.NONE


def _move() -> Iterator[Action]:
    group, repeat = Group.MOVE, CountUse.REPEAT
    yield Action("row_up", group, "Up one row", "Move the cursor to the row above.", repeat)
    yield Action("row_down", group, "Down one row", "Move the cursor to the row below.", repeat)
    yield Action(
        "parent",
        group,
        "Fold, or go to the parent",
        "Fold the node if it is unfolded and has children; otherwise go to its parent.",
        repeat,
    )
    yield Action(
        "child",
        group,
        "Unfold, or go to the child",
        "Unfold the node if it is folded; otherwise go to the child that was visited last.",
        repeat,
    )
    yield Action(
        "previous_sibling",
        group,
        "Previous sibling",
        "Go to the branch before this one under the same parent.",
        repeat,
    )
    yield Action(
        "next_sibling",
        group,
        "Next sibling",
        "Go to the branch after this one under the same parent.",
        repeat,
    )
    yield Action("top", group, "Top", "Go to the first row: the root of the loom.")
    yield Action("bottom", group, "Bottom", "Go to the last row.")
    yield Action("page_up", group, "Up one page", "Move up by a screenful.", repeat)
    yield Action("page_down", group, "Down one page", "Move down by a screenful.", repeat)
    yield Action(
        "next_bookmark",
        group,
        "Next bookmark",
        "Go to the next node with a bookmark; behind the last one, to the first.",
        repeat,
    )
    yield Action(
        "previous_bookmark",
        group,
        "Previous bookmark",
        "Go to the node with a bookmark before this one; before the first one, to the last.",
        repeat,
    )


def _weave() -> Iterator[Action]:
    group, amount = Group.WEAVE, CountUse.AMOUNT
    yield Action(
        "ramify",
        group,
        "Ramify",
        "Grow n branches from this node at once, side by side. A count says how many.",
        amount,
        footer="ramify",
        footer_rank=1,
    )
    yield Action(
        "continue_one",
        group,
        "Continue",
        "Grow one branch from this node.",
        footer="continue",
        footer_rank=2,
    )
    yield Action(
        "ramify_leaves",
        group,
        "Ramify all leaves below",
        "Grow branches from every leaf below this node, in one batch. A count says how many for each leaf.",
        amount,
        footer="leaves",
        footer_rank=10,
    )
    yield Action(
        "stop",
        group,
        "Stop",
        "Stop what grows below this node and keep its text; twice: stop everything.",
        footer="stop",
        footer_rank=3,
        essential=True,
    )


def _write() -> Iterator[Action]:
    group = Group.WRITE
    yield Action(
        "add_text",
        group,
        "Write a text child",
        "Write text of your own as a new child of this node.",
        footer="write",
        footer_rank=5,
    )
    yield Action(
        "edit",
        group,
        "Edit the text",
        "Change the node's text: in its place if nothing is below it, or as a new sibling.",
        footer="edit",
        footer_rank=13,
    )
    yield Action(
        "edit_external",
        group,
        "Edit the text in $EDITOR",
        "Change the node's text in your own editor, as for long texts.",
    )


def _cut() -> Iterator[Action]:
    amount = CountUse.AMOUNT
    yield Action(
        "clip",
        Group.CUT,
        "Clip: keep the first tokens",
        "Keep the first N tokens of this node and drop all after them. Asks for N without a count.",
        amount,
        footer="clip",
        footer_rank=17,
    )
    yield Action(
        "trim",
        Group.CUT,
        "Trim: drop the last tokens",
        "Drop the last N tokens of this node and all below it. Without a count, one token.",
        amount,
        footer="trim",
        footer_rank=7,
    )
    yield Action(
        "split",
        Group.CUT,
        "Split behind the first tokens",
        "Part this node behind its first N tokens; the rest keeps what is below. Asks for N without a count.",
        amount,
        footer="split",
        footer_rank=15,
    )
    yield Action(
        "merge",
        Group.CUT,
        "Merge with the parent",
        "Put this node and its parent together, if it is the only child.",
    )
    yield Action(
        "delete",
        Group.CUT,
        "Delete",
        "Delete this node and all that is below it.",
        footer="delete",
        footer_rank=6,
    )
    yield Action(
        "make_leaf",
        Group.CUT,
        "Make it a leaf",
        "Delete all that is below this node and keep the node.",
    )
    yield Action(
        "undo",
        Group.CUT,
        "Undo",
        "Take back the last change, generation included; it works without limit, and after a restart.",
        CountUse.REPEAT,
        footer="undo",
        footer_rank=9,
    )
    yield Action(
        "redo",
        Group.CUT,
        "Redo",
        "Do again what was undone last.",
        CountUse.REPEAT,
        footer="redo",
        footer_rank=14,
    )


def _mark() -> Iterator[Action]:
    group = Group.MARK
    yield Action(
        "bookmark",
        group,
        "Bookmark",
        "Set a bookmark on this node, or take it away.",
        footer="bookmark",
        footer_rank=16,
    )
    yield Action("tag", group, "Tag", "Give this node tags, or take them away.")
    yield Action("note", group, "Note", "Write a note about this node; it is no part of the text.")


def _look() -> Iterator[Action]:
    group = Group.LOOK
    yield Action(
        "toggle_fold",
        group,
        "Fold or unfold",
        "Hide or show what is below this node.",
        footer="fold",
        footer_rank=8,
    )
    yield Action("fold", group, "Fold", "Hide what is below this node.")
    yield Action("unfold", group, "Unfold", "Show what is below this node.")
    yield Action(
        "fold_all_but_path",
        group,
        "Fold all but the path",
        "Fold every branch that does not lead to this node.",
    )
    yield Action("unfold_all", group, "Unfold all", "Unfold every node of the loom.")
    yield Action(
        "next_pane",
        group,
        "Next pane",
        "Go to the next pane; on a narrow screen, show it.",
        footer="panes",
        footer_rank=11,
    )


def _settings() -> Iterator[Action]:
    group, amount = Group.SETTINGS, CountUse.AMOUNT
    yield Action(
        "set_n",
        group,
        "Set n: branches",
        "How many branches one ramify grows. A count sets it at once.",
        amount,
    )
    yield Action(
        "set_temperature",
        group,
        "Set the temperature",
        "How freely tokens are drawn: 0 always takes the likeliest one.",
    )
    yield Action(
        "set_max_tokens",
        group,
        "Set max tokens",
        "How many tokens a branch may grow at once. A count sets it at once.",
        amount,
    )
    yield Action(
        "set_min_p",
        group,
        "Set min-p",
        "Tokens less likely than this share of the likeliest one are never drawn.",
    )


def _file() -> Iterator[Action]:
    group = Group.FILE
    yield Action("new_loom", group, "New loom", "Write a prompt and start a new tree from it.")
    yield Action(
        "trash",
        group,
        "Trash",
        "Bring back what was deleted, cut off, or undone and left behind; or empty the trash.",
    )
    yield Action("copy_text", group, "Copy the text", "Copy the text from the root to this node.")
    yield Action(
        "palette",
        group,
        "Command palette",
        "Find an action by its name.",
        footer="palette",
        footer_rank=12,
        essential=True,
    )
    yield Action(
        "help",
        group,
        "Help",
        "Show all keys and what they do.",
        footer="help",
        footer_rank=0,
        essential=True,
    )
    yield Action(
        "quit",
        group,
        "Quit",
        "Leave. What was finished is stored.",
        footer="quit",
        footer_rank=4,
        essential=True,
    )


def _registry() -> MappingProxyType[str, Action]:
    parts = (_move(), _weave(), _write(), _cut(), _mark(), _look(), _settings(), _file())
    return MappingProxyType({action.id: action for part in parts for action in part})


ACTIONS: MappingProxyType[str, Action] = _registry()
"""Every action by its id, in the order in which help and the palette list them."""


def actions_by_group() -> dict[Group, tuple[Action, ...]]:
    """The registry as help shows it: each group with its actions, both in their order."""
    return {group: tuple(action for action in ACTIONS.values() if action.group is group) for group in Group}


def footer_actions() -> tuple[Action, ...]:
    """The actions that the footer may show, the most important first."""
    shown = (action for action in ACTIONS.values() if action.footer)
    return tuple(sorted(shown, key=lambda action: action.footer_rank))
