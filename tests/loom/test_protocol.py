"""Parameters that make no sense are refused with a sentence that says what they may be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from n8loom_tui.loom.protocol import SamplingParams


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temp": -0.1}, "temp must lie between 0 and 100, not -0.1"),
        ({"temp": math.nan}, "temp must lie between 0 and 100, not nan"),
        ({"temp": "hot"}, "temp must lie between 0 and 100, not 'hot'"),
        ({"min_p": 1.5}, "min_p must lie between 0 and 1, not 1.5"),
        ({"top_p": -1}, "top_p must lie between 0 and 1, not -1"),
        ({"repetition_penalty": 0}, "repetition_penalty must lie between 0.01 and 100, not 0"),
        ({"max_tokens": 0}, "max_tokens must be a whole number of at least 1, not 0"),
        ({"max_tokens": 2.5}, "max_tokens must be a whole number of at least 1, not 2.5"),
        ({"top_k": -1}, "top_k must be a whole number of at least 0, not -1"),
        ({"min_tokens_to_keep": 0}, "min_tokens_to_keep must be a whole number of at least 1, not 0"),
        (
            {"repetition_context_size": -2},
            "repetition_context_size must be a whole number of at least 0, not -2",
        ),
        ({"seed": "x"}, "seed must be a whole number, not 'x'"),
        ({"stop_strings": (3,)}, "stop_strings must be texts, not 3"),
        ({"top_logprobs": -1}, "top_logprobs must be a whole number of at least 0, not -1"),
        ({"top_logprobs": 129}, "top_logprobs must be a whole number of at most 128, not 129"),
        ({"until": ("END",)}, "until must be conditions, not 'END'"),
    ],
)
def test_parameters_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        SamplingParams(**settings)


def test_one_stop_string_may_come_alone_and_empty_ones_do_not_count() -> None:
    assert SamplingParams(stop_strings="END").stop_strings == ("END",)  # type: ignore[arg-type]
    assert SamplingParams(stop_strings=["a", "", "b"]).stop_strings == ("a", "b")  # type: ignore[arg-type]
