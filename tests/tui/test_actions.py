"""The registry of actions: complete, consistent, and fit for footer, help and palette."""

import re

from n8loom_tui.tui.actions import ACTIONS, CountUse, Group, actions_by_group, footer_actions


def test_every_action_of_the_first_issue_is_there() -> None:
    asked = """row_up row_down parent child previous_sibling next_sibling top bottom fold unfold
    ramify continue_one ramify_leaves stop add_text clip trim delete make_leaf
    set_n set_temperature set_max_tokens set_min_p new_loom help palette quit"""
    assert set(asked.split()) <= set(ACTIONS)


def test_ids_are_snake_case_and_match_their_key() -> None:
    for name, action in ACTIONS.items():
        assert action.id == name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)


def test_texts_can_be_shown_in_palette_and_help() -> None:
    titles = [action.title for action in ACTIONS.values()]
    assert len(set(titles)) == len(titles)
    for action in ACTIONS.values():
        assert action.title.isprintable() and len(action.title) <= 40
        assert action.help.isprintable() and action.help.endswith(".")


def test_help_lists_every_action_once_in_the_groups_order() -> None:
    groups = actions_by_group()
    assert list(groups) == list(Group)
    assert [action.id for actions in groups.values() for action in actions] == list(ACTIONS)
    assert all(groups.values())


def test_footer_begins_with_help_and_ramify_and_fits_a_word_each() -> None:
    shown = footer_actions()
    assert [action.id for action in shown[:3]] == ["help", "ramify", "continue_one"]
    assert len({action.footer_rank for action in shown}) == len(shown)
    assert all(len(action.footer.split()) == 1 for action in shown)


def test_counts_mean_steps_for_moves_and_amounts_for_weaving_and_cutting() -> None:
    assert ACTIONS["row_down"].count is CountUse.REPEAT
    for name in ("ramify", "ramify_leaves", "clip", "trim", "set_n"):
        assert ACTIONS[name].count is CountUse.AMOUNT
    for name in ("delete", "quit", "help", "stop"):
        assert not ACTIONS[name].takes_count


def test_leaving_and_finding_help_are_essential() -> None:
    essential = {name for name, action in ACTIONS.items() if action.essential}
    assert essential == {"quit", "help", "stop", "palette"}
