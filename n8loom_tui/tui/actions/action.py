"""What an action is. What it *does* is in `commands`, its keys in `keymaps.toml`."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Group(StrEnum):
    """The headings under which help lists the actions, in the order in which it lists them."""

    MOVE = "Move"
    WEAVE = "Weave"
    WRITE = "Write"
    CUT = "Cut"
    MARK = "Mark"
    LOOK = "Look"
    FIND = "Find"
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
    with the lowest `footer_rank` stay. `essential` actions can never be left without a key. After a `leap`
    one can go back to where one was.
    """

    id: str
    group: Group
    title: str
    help: str
    count: CountUse = CountUse.NONE
    footer: str = ""
    footer_rank: int = 99
    essential: bool = False
    leap: bool = False

    @property
    def takes_count(self) -> bool:
        """Whether a number before the key changes what happens."""
        return self.count is not CountUse.NONE
