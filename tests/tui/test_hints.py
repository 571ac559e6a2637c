"""The moments that a hint is given at."""

from __future__ import annotations

from n8loom_tui.tui.hints import LARGE, Hints, Moment
from n8loom_tui.tui.keymap import load_keymaps, shipped_keymaps_path


def hints() -> Hints:
    keymap, _ = load_keymaps("default", shipped_keymaps_path(), None)
    return Hints(keymap)


def test_growth_begins_and_ends() -> None:
    told = hints()
    assert told.moment(False, 0, 1) is None
    assert told.moment(True, 1, 9) is Moment.GROWING
    assert told.moment(True, 2, 17) is None
    assert told.moment(False, 2, 17) is Moment.ENDED
    assert told.moment(False, 2, 17) is None


def test_growth_that_was_over_before_anybody_looked_has_ended_all_the_same() -> None:
    told = hints()
    assert told.moment(False, 1, 9) is Moment.ENDED
    assert told.moment(False, 2, LARGE) is Moment.LARGE
    assert told.moment(False, 2, LARGE) is None
