"""Where one has been."""

from __future__ import annotations

from n8loom_tui.tui.finding.jumps import MOST, Jumps


def test_back_and_forward_again() -> None:
    jumps, alive = Jumps(), set("abcd")
    assert jumps.back("a", alive) is None
    jumps.leave("a")
    jumps.leave("b")
    assert jumps.back("c", alive) == "b"
    assert jumps.back("b", alive) == "a"
    assert jumps.back("a", alive) is None
    assert jumps.forward("a", alive) == "b"
    assert jumps.forward("b", alive) == "c"
    assert jumps.forward("c", alive) is None


def test_a_leap_from_within_forgets_what_lay_ahead() -> None:
    jumps, alive = Jumps(), set("abcd")
    jumps.leave("a")
    jumps.leave("b")
    assert jumps.back("c", alive) == "b"
    assert jumps.back("b", alive) == "a"
    jumps.leave("a")
    assert jumps.forward("d", alive) is None
    assert jumps.back("d", alive) == "a"


def test_what_is_gone_is_passed_over_and_comes_back() -> None:
    jumps = Jumps()
    for name in "abb":
        jumps.leave(name)
    assert jumps.back("c", {"a", "c"}) == "a"
    assert jumps.forward("a", {"a", "b", "c"}) == "b"
    assert jumps.back("b", set()) is None


def test_only_so_many_are_remembered() -> None:
    jumps = Jumps()
    names = [str(number) for number in range(MOST + 50)]
    for name in names:
        jumps.leave(name)
    here, steps = "here", 0
    while (there := jumps.back(here, {*names, "here"})) is not None:
        here, steps = there, steps + 1
    assert MOST - 1 <= steps <= MOST
