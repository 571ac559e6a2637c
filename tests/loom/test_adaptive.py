"""Runs that branch by conditions: where they branch, what limits them, and that they hold plain values alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest

from n8loom_tui.loom.adaptive import CutoffTree, Run, WeaveUntil
from n8loom_tui.loom.protocol import (
    Alternative,
    BranchFinished,
    BranchToken,
    Encoded,
    Event,
    Finish,
    Framing,
    Ramify,
    Request,
    RequestFailed,
    SamplingParams,
    Segment,
    Stop,
)
from n8loom_tui.loom.until import EntropyAbove, Fork, SentenceEnd

START = (Segment("root", (1, 2)), Segment("start", (3,)))
PARAMS = SamplingParams(seed=7, until=(SentenceEnd(),), max_tokens=20)


def specs(requests: Iterable[Request]) -> list[str]:
    return [spec.id for r in requests if isinstance(r, Ramify) for s in r.sources for spec in s.branches]


def say(run: Run, branch: str, *tokens: int) -> list[Request]:
    answers: list[Request] = []
    for token in tokens:
        answers += run.take(BranchToken(branch, token, "x", -0.1))
    return answers


def end(run: Run, branch: str, reason: Finish = Finish.CONDITION, *probabilities: float) -> list[Request]:
    others = tuple(Alternative(70 + i, math.log(p)) for i, p in enumerate(probabilities))
    return run.take(BranchFinished(branch, reason, others, 1.5))


def test_a_condition_is_followed_by_n_branches_behind_what_was_said() -> None:
    run = WeaveUntil(START, PARAMS, n=3)
    first = run.begin()
    assert first.sources[0].path == START
    (trunk,) = specs([first])
    assert say(run, trunk, 10, 11) == []
    (request,) = end(run, trunk)
    assert isinstance(request, Ramify)
    (source,) = request.sources
    assert source.path == (*START, Segment(trunk, (10, 11)))
    assert len(source.branches) == 3
    assert request.params.until == PARAMS.until
    for branch in specs([request]):
        assert not run.done
        assert end(run, branch) == []
    assert run.done


def test_branching_goes_as_deep_as_was_asked_for() -> None:
    run = WeaveUntil(START, PARAMS, n=2, depth=3)
    level = specs([run.begin()])
    sizes = []
    while level:
        sizes.append(len(level))
        answers: list[Request] = []
        for branch in level:
            say(run, branch, 5)
            answers += end(run, branch)
        level = specs(answers)
    assert sizes == [1, 2, 4, 8]


@pytest.mark.parametrize("reason", [Finish.EOS, Finish.LENGTH, Finish.STOP, Finish.CANCELLED])
def test_nothing_grows_where_a_branch_ends_otherwise(reason: Finish) -> None:
    run = WeaveUntil(START, PARAMS)
    (trunk,) = specs([run.begin()])
    say(run, trunk, 5)
    assert end(run, trunk, reason) == []
    assert run.done


def test_seeds_depend_on_the_place_alone() -> None:
    def seeds(backwards: bool) -> dict[tuple[int, ...], int]:
        run = WeaveUntil(START, PARAMS, n=2, depth=2)
        level = specs([run.begin()])
        places = {level[0]: (0,)}
        while level:
            answers: list[Request] = []
            for branch in reversed(level) if backwards else level:
                say(run, branch, 5)
                further = end(run, branch)
                for index, child in enumerate(specs(further)):
                    places[child] = (*places[branch], index)
                answers += further
            level = specs(answers)
        return {places[name]: grown.seed for name, grown in run.nodes.items()}

    assert seeds(False) == seeds(True)
    assert len(set(seeds(False).values())) == 7


def test_no_more_nodes_than_were_allowed() -> None:
    run = WeaveUntil(START, PARAMS, n=3, depth=9, max_nodes=5)
    (trunk,) = specs([run.begin()])
    say(run, trunk, 5)
    children = specs(end(run, trunk))
    assert len(children) == 3
    for branch in children:
        say(run, branch, 5)
    assert [len(specs(end(run, branch))) for branch in children] == [1, 0, 0]
    assert len(run.nodes) == 5


def test_no_more_tokens_than_were_allowed() -> None:
    run = WeaveUntil(START, PARAMS, max_tokens=3)
    (trunk,) = specs([run.begin()])
    assert say(run, trunk, 5, 6) == []
    assert say(run, trunk, 7) == [Stop(frozenset({trunk}))]
    assert end(run, trunk, Finish.CANCELLED) == []
    assert run.done
    assert run.nodes[trunk].result.tokens == [5, 6, 7]


def test_a_run_that_is_stopped_grows_no_further() -> None:
    run = WeaveUntil(START, PARAMS, n=2, depth=5)
    (trunk,) = specs([run.begin()])
    say(run, trunk, 5)
    one, two = specs(end(run, trunk))
    assert run.stop() == [Stop(frozenset({one, two}))]
    say(run, one, 6)
    assert end(run, one) == []
    assert end(run, two, Finish.CANCELLED) == []
    assert run.done
    assert run.stop() == []
    assert run.nodes[one].result.tokens == [6]


def test_a_request_that_fails_ends_its_branches() -> None:
    run = WeaveUntil(START, PARAMS, n=2)
    request = run.begin()
    assert run.take(RequestFailed(request.id, "no")) == []
    assert run.done


def test_texts_of_the_path_are_sent_as_tokens_once_they_are_known() -> None:
    run = WeaveUntil((Segment("root", None, "Hi", Framing.CHAT),), PARAMS, n=2)
    (trunk,) = specs([run.begin()])
    run.take(Encoded("root", (4, 5), "<u>Hi", (3, 5), Framing.CHAT))
    say(run, trunk, 6)
    (request,) = end(run, trunk)
    assert isinstance(request, Ramify)
    assert request.sources[0].path == (Segment("root", (4, 5)), Segment(trunk, (6,)))


def test_branches_of_an_uncertain_place_say_something_first() -> None:
    run = WeaveUntil(START, SamplingParams(until=(EntropyAbove(2.0, after=0), Fork(0.2, after=0))), n=2)
    request = run.begin()
    assert request.params.until == (EntropyAbove(2.0, after=0), Fork(0.2, after=0))
    (trunk,) = specs([request])
    (further,) = end(run, trunk)  # before it has said anything
    assert isinstance(further, Ramify)
    assert further.sources[0].path == START
    assert further.params.until == (EntropyAbove(2.0), Fork(0.2))
    assert trunk not in run.nodes


def test_a_cutoff_tree_expands_what_is_probable_enough() -> None:
    run = CutoffTree(START, p=0.2, depth=5, top_logprobs=2)
    request = run.begin()
    assert (request.params.temp, request.params.max_tokens) == (0.0, 5)
    (trunk,) = specs([request])
    say(run, trunk, 10, 11)
    (further,) = end(run, trunk, Finish.CONDITION, 0.4, 0.3, 0.2, 0.1)
    assert isinstance(further, Ramify)
    assert further.sources[0].path == (*START, Segment(trunk, (10, 11)))
    assert further.params.max_tokens == 3
    given = [spec.given for spec in further.sources[0].branches]
    assert [known[0].token for known in given] == [70, 71, 72]
    assert [math.exp(known[0].logprob) for known in given] == pytest.approx([0.4, 0.3, 0.2])
    assert {len(known[0].alternatives) for known in given} == {2}
    assert {known[0].entropy for known in given} == {1.5}
    child = specs([further])[0]
    say(run, child, 70, 20, 21)
    assert end(run, child, Finish.CONDITION, 0.5, 0.5) == []  # deep enough


def test_a_cutoff_tree_may_fork_at_once_and_end_where_nothing_is_probable() -> None:
    run = CutoffTree(START, p=0.2, depth=5, max_nodes=3)
    (trunk,) = specs([run.begin()])
    further = end(run, trunk, Finish.CONDITION, 0.3, 0.3, 0.3, 0.1)
    assert isinstance(further[0], Ramify)
    assert further[0].sources[0].path == START
    one, *rest = specs(further)
    assert len(rest) == 2
    say(run, one, 70)
    assert end(run, one, Finish.CONDITION, 0.1, 0.1) == []
    assert len(run.nodes) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeaveUntil(START, PARAMS, n=0), "n and depth must be at least 1, not 0"),
        (lambda: WeaveUntil(START, PARAMS, depth=0), "n and depth must be at least 1, not 0"),
        (lambda: WeaveUntil(START, PARAMS, max_nodes=0), "max_nodes must be at least 1, not 0"),
        (lambda: WeaveUntil(START, PARAMS, max_tokens=0), "max_tokens must be at least 1, not 0"),
        (lambda: WeaveUntil(START, SamplingParams()), "there is no condition"),
        (lambda: CutoffTree(START, p=0.0, depth=3), "p must lie between"),
        (lambda: CutoffTree(START, p=0.5, depth=0), "depth must be at least 1, not 0"),
    ],
)
def test_limits_out_of_range_are_refused(make: Callable[[], Run], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_events_of_others_change_nothing() -> None:
    run = WeaveUntil(START, PARAMS)
    run.begin()
    others: list[Event] = [
        BranchToken("else", 1, "x", -1.0),
        BranchFinished("else", Finish.CONDITION),
        RequestFailed("else", "no"),
        Encoded("else", (1,), "x", (1,), Framing.RAW),
    ]
    assert [answer for event in others for answer in run.take(event)] == []
    assert not run.done
