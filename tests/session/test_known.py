"""What is known of a text looks the same whoever knew it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support import loom_files

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.odds import Odds
from n8loom_tui.loom.protocol import Alternative
from n8loom_tui.session.formats.importing import import_file
from n8loom_tui.session.known import Known, Other, known_of
from n8loom_tui.session.store import read_session


def imported(tmp_path: Path, file: dict[str, Any], name: str) -> Heddle:
    """A node of a file that went through a session."""
    (tmp_path / "in").write_text(json.dumps(file))
    session, _ = import_file(tmp_path / "in", tmp_path / "s.loom")
    (node,) = [n for root in read_session(session).roots for n in root.walk() if n.id == name]
    return node


def parts(node: Heddle, known: Known) -> list[str]:
    return [node.text[a:b] for a, b in zip([0, *known.ends], known.ends, strict=False)]


def test_another_programs_probabilities(tmp_path: Path) -> None:
    node = imported(tmp_path, loom_files.pyloom(), "b1")
    known = known_of(node)
    assert known is not None and not known.own
    assert parts(node, known) == [" rain", " again"]
    assert known.logprobs == [-0.5, -2.0]
    assert [math.isnan(value) for value in known.entropies] == [True, True]
    assert known.others(0) == [
        Other(-0.5, text=" rain"),
        Other(-1.25, text=" snow"),
        Other(-3.0, text=' "fog"'),
    ]
    assert known.others(1) == []


def test_they_stay_when_the_model_has_read_the_text(tmp_path: Path) -> None:
    """Its tokens part the text elsewhere."""
    node = imported(tmp_path, loom_files.logitloom(), "l1")
    node.set_span([1, 2], " red", [2, 4])
    known = known_of(node)
    assert known is not None and (list(known.ends), known.logprobs, known.others(0)) == ([4], [-0.25], [])
    node.odds = Odds.of([-1.0, -2.0])
    known = known_of(node)
    assert known is not None and (known.own, known.logprobs) == (True, [-1.0, -2.0]), "its own count for more"


def test_a_nodes_own() -> None:
    node = Heddle.from_span(
        [7, 8], "ab", [1, 2], odds=Odds.of([-0.5, math.nan], [[Alternative(9, -1.5)], []], [0.25, 0.5])
    )
    assert known_of(Heddle.from_text("ab")) is None
    known = known_of(node)
    assert known is not None and known.own and known.ends == [1, 2]
    assert known.others(0) == [Other(-1.5, token=9)] and known.others(1) == []


@pytest.mark.parametrize(
    "told",
    [
        {"texts": 7},
        {"texts": ["a", "b"]},
        {"texts": [" rain", 7]},
        {"texts": []},
        {"logprobs": [-1]},
        {"texts": [" rain"], "logprobs": [-1]},
    ],
)
def test_what_does_not_fit_the_text_says_nothing(told: dict[str, Any]) -> None:
    node = Heddle.from_text(" rain again")
    node.provenance = {"imported": told}
    assert known_of(node) is None


def test_columns_that_make_no_sense_are_not_known() -> None:
    node = Heddle.from_text(" rain again")
    for column in (7, [1], ["x", None], [[1, 2], {"a": 1}], [[["x"], -1], None]):
        node.provenance = {
            "imported": {"texts": [" rain", " again"], "logprobs": column, "alternatives": column}
        }
        known = known_of(node)
        assert known is not None
        assert all(math.isnan(value) for value in known.logprobs)
        assert [known.others(index) for index in range(2)] == [[], []]
