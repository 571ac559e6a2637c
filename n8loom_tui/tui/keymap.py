"""From keymaps files to one map of keys that always works.

`load_keymaps` lays tables over each other (the keymap that the chosen one inherits, the chosen one, the
same in the person's own file, the person's `[override]`), settles two actions on one key, and sees to it
that help, palette, stop and quit have a key whatever the files say. It never raises; what it found wrong it
returns.
Pure: no Textual.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from itertools import chain, dropwhile
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from n8loom_tui.tui.actions import ACTIONS
from n8loom_tui.tui.keymap_file import (
    DEFAULT,
    OVERRIDE,
    Entry,
    Inherit,
    KeymapProblem,
    Place,
    Problems,
    Severity,
    Table,
    read_keymap_file,
)
from n8loom_tui.tui.keys import Sequence, format_keys, nearest, shown

FILE_NAME: Final = "keymaps.toml"

_RESCUE: Final[Mapping[str, Sequence]] = {
    "help": ("f1",),
    "palette": ("ctrl+p",),
    "stop": ("escape",),
    "quit": ("ctrl+q",),
}  # the keys of essential actions that would have none


@dataclass(frozen=True)
class Keymap:
    """Which keys fire which action: settled, without clashes, never changed.

    `bindings` has every action of the registry, in its order; an action without keys has an empty tuple.
    """

    name: str
    bindings: Mapping[str, tuple[Sequence, ...]]
    _actions: Mapping[Sequence, str] = field(init=False, repr=False, compare=False)
    _prefixes: frozenset[Sequence] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        full = {action: tuple(self.bindings.get(action, ())) for action in ACTIONS}
        actions = {sequence: action for action, sequences in full.items() for sequence in sequences}
        object.__setattr__(self, "bindings", MappingProxyType(full))
        object.__setattr__(self, "_actions", MappingProxyType(actions))
        object.__setattr__(self, "_prefixes", frozenset(chain.from_iterable(map(_prefixes_of, actions))))

    def action_of(self, sequence: Sequence) -> str | None:
        """The action that exactly these keys fire."""
        return self._actions.get(sequence)

    def is_prefix(self, sequence: Sequence) -> bool:
        """Whether longer sequences begin with these keys."""
        return sequence in self._prefixes

    def keys_of(self, action: str) -> tuple[Sequence, ...]:
        """The sequences that fire `action`, the preferred one first."""
        return self.bindings.get(action, ())

    def label(self, action: str, ascii_only: bool = False) -> str:
        """The preferred keys of `action` as footer and palette show them; empty when it has none."""
        sequences = self.keys_of(action)
        return format_keys(sequences[0], ascii_only) if sequences else ""

    def labels(self, action: str, ascii_only: bool = False) -> tuple[str, ...]:
        """All keys of `action` as help shows them."""
        return tuple(format_keys(sequence, ascii_only) for sequence in self.keys_of(action))


def _prefixes_of(sequence: Sequence) -> Iterator[Sequence]:
    return (sequence[:size] for size in range(1, len(sequence)))


class _Claims:
    """Who holds which keys while a keymap is being settled."""

    def __init__(self) -> None:
        self.actions: dict[Sequence, str] = {}
        self._begun: dict[Sequence, Sequence] = {}

    def holder(self, wanted: Sequence) -> Sequence | None:
        """The taken sequence that makes `wanted` impossible: the same, its beginning, or a longer one."""
        for part in (wanted, *_prefixes_of(wanted)):
            if part in self.actions:
                return part
        return self._begun.get(wanted)

    def take(self, action: str, sequence: Sequence) -> None:
        self.actions[sequence] = action
        for part in _prefixes_of(sequence):
            self._begun.setdefault(part, sequence)

    def release(self, sequence: Sequence) -> None:
        del self.actions[sequence]
        self._begun = {}
        for other in self.actions:
            for part in _prefixes_of(other):
                self._begun.setdefault(part, other)

    def of(self, action: str) -> tuple[Sequence, ...]:
        return tuple(sequence for sequence, holder in self.actions.items() if holder == action)


class _Rank(NamedTuple):
    """Who was there first, where two want one key: the shipped files, the lower layer, the upper line."""

    by_user: bool
    layer: int
    line: int


_Stack = list[tuple[_Rank, Entry]]
"""All that the layers say about one action, what counts last."""

_Stacks = dict[str, _Stack]


@dataclass(frozen=True, slots=True)
class _Clash:
    loser: Entry
    wanted: Sequence
    winner: str
    held: Sequence


def load_keymaps(name: str, shipped_path: Path, user_path: Path | None) -> tuple[Keymap, list[KeymapProblem]]:
    """The keymap called `name`, and all that is wrong with either file. Never raises.

    A `user_path` that does not exist is no problem. An unknown `name` gives the default keymap and a
    problem.
    """
    problems = Problems()
    shipped, user = _read_both(shipped_path, user_path, problems)
    names = _names(shipped, user)
    if name not in names:
        close = nearest(name, names)
        choice = ", ".join(map(shown, names[:20]))
        fix = f'did you mean "{shown(close)}"?' if close else f"choose one of {choice}"
        problems.add(None, f'unknown keymap "{shown(name)}"', fix)
        name = DEFAULT
    _warn_of_stray_tables(name, shipped, user, problems)
    return _resolve(name, shipped, user, problems), problems.found


def check_keymaps(shipped_path: Path, user_path: Path | None) -> list[KeymapProblem]:
    """All that is wrong with any keymap of either file."""
    problems = Problems()
    shipped, user = _read_both(shipped_path, user_path, problems)
    _warn_of_stray_tables(None, shipped, user, problems)
    for name in _names(shipped, user):
        _resolve(name, shipped, user, problems)
    return problems.found


def shipped_keymaps_path() -> Path:
    """Where the shipped keymaps are: in the package when installed, at the top level in a checkout."""
    package = Path(str(resources.files("n8loom_tui")))
    installed = package / FILE_NAME
    return installed if installed.is_file() else package.parent / FILE_NAME


def _read_both(
    shipped_path: Path, user_path: Path | None, problems: Problems
) -> tuple[dict[str, Table], dict[str, Table]]:
    shipped = read_keymap_file(shipped_path, problems)
    try:
        there = user_path is not None and user_path.exists()
    except (OSError, ValueError):  # not allowed to look, or a name that no file can have: reading will say so
        there = True
    user = read_keymap_file(user_path, problems) if user_path is not None and there else {}
    return shipped, user


def _names(shipped: Mapping[str, Table], user: Mapping[str, Table]) -> tuple[str, ...]:
    names = dict.fromkeys([DEFAULT, *shipped, *user])
    return tuple(name for name in names if name != OVERRIDE)


def _warn_of_stray_tables(
    chosen: str | None, shipped: Mapping[str, Table], user: Mapping[str, Table], problems: Problems
) -> None:
    """A misspelt [override] is a valid keymap that nobody chooses, so its keys would silently do nothing."""
    for name, table in user.items():
        known = (OVERRIDE, *(shipped or (DEFAULT,)))
        if name in known or name == chosen or table.inherit is not None:
            continue
        close = nearest(name, known, cutoff=0.8)
        if close is not None:
            problems.add(
                table.place,
                f'"{shown(name)}" is taken for a keymap of its own',
                f'did you mean [{shown(close)}]? If not, say so with inherit = "{DEFAULT}"',
                Severity.WARNING,
            )


def _layers(
    name: str, shipped: Mapping[str, Table], user: Mapping[str, Table], problems: Problems
) -> list[Table]:
    """The tables that make up a keymap, the one that counts least first."""
    layers: list[Table] = []
    seen: dict[str, Inherit | None] = {}
    current = name
    while current and current not in seen:
        tables = [source[current] for source in (user, shipped) if current in source]
        layers += tables
        seen[current] = next((table.inherit for table in tables if table.inherit is not None), None)
        current = _parent(current, seen, shipped, user, problems)
    layers.reverse()
    if OVERRIDE in user:
        layers.append(user[OVERRIDE])
    return layers


def _parent(
    current: str,
    seen: Mapping[str, Inherit | None],
    shipped: Mapping[str, Table],
    user: Mapping[str, Table],
    problems: Problems,
) -> str:
    """What `current` builds on: the default, unless it says otherwise; empty for nothing."""
    said = seen[current]
    if said is None:
        return DEFAULT
    if said.name in seen:
        # The shipped keymaps make no circle, so one of a person's own lines closed it.
        circle = dropwhile(lambda name: name != said.name, seen)
        guilty = next((name for name in circle if name in user and user[name].inherit), current)
        link = seen[guilty] or said
        fix = f'write inherit = "{DEFAULT}" or inherit = ""'
        problems.add(link.place, f'"{shown(guilty)}" inherits itself', fix)
        return DEFAULT
    names = _names(shipped, user)
    if said.name and said.name not in names:
        close = nearest(said.name, names)
        fix = f'did you mean "{shown(close)}"?' if close else f'write inherit = "{DEFAULT}"'
        problems.add(said.place, f'"{shown(current)}" inherits the unknown keymap "{shown(said.name)}"', fix)
        return DEFAULT
    return said.name


def _resolve(
    name: str, shipped: Mapping[str, Table], user: Mapping[str, Table], problems: Problems
) -> Keymap:
    layers = _layers(name, shipped, user, problems)
    stacks: _Stacks = {action: [] for action in ACTIONS}
    for layer, table in enumerate(layers):
        for action, entry in table.entries.items():
            stacks[action].append((_Rank(table is user.get(table.name), layer, entry.place.line or 0), entry))
    claims = _Claims()
    clashes = _settle(stacks, claims)
    for action in {clash.loser.action: None for clash in clashes}:
        if not claims.of(action):
            _fall_back(action, stacks[action], claims)
    _report(clashes, claims, problems)
    _rescue(stacks, claims, problems)
    order = {action: _in_written_order(claims.of(action), stack) for action, stack in stacks.items()}
    return Keymap(name, order)


def _settle(stacks: _Stacks, claims: _Claims) -> list[_Clash]:
    """Gives out keys, each to the one that ranks first; returns what the others wanted and did not get."""
    tops = [stack[-1] for stack in stacks.values() if stack]
    tops.sort(key=lambda top: top[0])
    clashes: list[_Clash] = []
    for _, entry in tops:
        for wanted in entry.sequences:
            held = claims.holder(wanted)
            if held is None:
                claims.take(entry.action, wanted)
            elif claims.actions[held] != entry.action or held != wanted:
                clashes.append(_Clash(entry, wanted, claims.actions[held], held))
    return clashes


def _fall_back(action: str, stack: _Stack, claims: _Claims) -> bool:
    """Gives `action` the keys that it had before it was rebound, as far as they are free."""
    for _, entry in reversed(stack[:-1]):
        for sequence in entry.sequences:
            if claims.holder(sequence) is None:
                claims.take(action, sequence)
        if claims.of(action):
            return True
    return False


def _report(clashes: Iterable[_Clash], claims: _Claims, problems: Problems) -> None:
    for clash in clashes:
        loser, winner = clash.loser.action, clash.winner
        wanted, held = format_keys(clash.wanted, True), format_keys(clash.held, True)
        if loser == winner:
            message = f'"{loser}": {wanted} and {held} begin alike'
        elif clash.wanted == clash.held:
            message = f'two actions on one key: "{winner}" and "{loser}" both use {wanted}'
        else:
            message = f'"{loser}" on {wanted} and "{winner}" on {held} begin alike'
        kept = " and ".join(format_keys(sequence, True) for sequence in claims.of(loser))
        until = f"is on {kept}" if kept else "has no key"
        fix = f'give one of them another key; until then "{loser}" {until}'
        problems.add(clash.loser.place, message, fix)


def _rescue(stacks: _Stacks, claims: _Claims, problems: Problems) -> None:
    """Sees to it that every essential action has a key, taking one away from another action if it must."""
    waiting = [action for action in _RESCUE if not claims.of(action)]
    while waiting:
        action = waiting.pop(0)
        stack = stacks[action]
        evicted: dict[str, None] = {}
        if not _fall_back(action, stack, claims):
            key = _RESCUE[action]
            while (held := claims.holder(key)) is not None:
                evicted[claims.actions[held]] = None
                claims.release(held)
            claims.take(action, key)
        keys = " and ".join(format_keys(sequence, True) for sequence in claims.of(action))
        taken = "".join(f', taken from "{other}"' for other in evicted)
        place = stack[-1][1].place if stack else None
        if place is not None:
            problems.add(
                place, f'"{action}" would have no key', f"give it one; until then it is on {keys}{taken}"
            )
        # An evicted action is essential itself or can be reached through the palette.
        waiting += [other for other in evicted if other in _RESCUE and not claims.of(other)]


def _in_written_order(sequences: tuple[Sequence, ...], stack: _Stack) -> tuple[Sequence, ...]:
    """The first key that a person wrote is the one that the footer shows."""
    written = [sequence for _, entry in reversed(stack) for sequence in entry.sequences]
    return tuple(sorted(sequences, key=lambda keys: written.index(keys) if keys in written else len(written)))


__all__ = [
    "DEFAULT",
    "FILE_NAME",
    "OVERRIDE",
    "Keymap",
    "KeymapProblem",
    "Place",
    "Severity",
    "check_keymaps",
    "load_keymaps",
    "shipped_keymaps_path",
]
