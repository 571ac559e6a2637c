"""JSON without recursion: what Python's parser makes of it where that can, one clear line where there is none."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from n8loom_tui.session.formats import json_text
from n8loom_tui.session.formats.json_text import JsonError, parse
from n8loom_tui.session.formats.tally import Tally

SCALARS = [1, -2.5, True, None, "", 'a"b', "[{", "é\\", "\ud800", ",:", "x" * 9]


def value(draw: random.Random, depth: int) -> Any:
    kind = draw.random()
    if depth == 0 or kind < 0.3:
        return draw.choice(SCALARS)
    if kind < 0.65:
        return [value(draw, depth - 1) for _ in range(draw.randrange(5))]
    return {draw.choice('ab"[}') + str(i): value(draw, depth - 1) for i in range(draw.randrange(5))}


def damaged(draw: random.Random, text: bytes) -> bytes:
    changed = bytearray(text)
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(len(changed) + 1)
        changed[place : place + draw.choice([0, 0, 1, 5])] = draw.choice(
            [b"", b",", b":", b"]", b"{", b'"', b"\\", b"1"]
        )
    return bytes(changed)


def outcome(read: Any) -> str | None:
    """The value as JSON; None if there is none."""
    try:
        return json.dumps(read())
    except ValueError:
        return None


@pytest.mark.parametrize(("shallow", "short"), [(1, 1), (2, 10**6), (3, 40), (150, 30), (150, 10**6)])
def test_it_agrees_with_pythons_parser(monkeypatch, shallow: int, short: int) -> None:
    monkeypatch.setattr(json_text, "SHALLOW", shallow)
    monkeypatch.setattr(json_text, "SHORT", short)
    draw = random.Random(shallow * short)
    plain = json.JSONDecoder(strict=False)
    seen = [0, 0]
    for index in range(600):
        text = json.dumps(
            value(draw, draw.randrange(9)), ensure_ascii=index % 2 == 0, indent=draw.choice([None, 1])
        )
        data = text.encode("utf-8", "surrogatepass")
        if index % 3:
            data = damaged(draw, data)
        wanted = outcome(lambda data=data: plain.decode(data.decode("utf-8", "replace")))
        assert outcome(lambda data=data: parse(data, Tally())) == wanted, data
        seen[wanted is None] += 1
    assert min(seen) > 100


def test_a_hundred_thousand_brackets_deep() -> None:
    deep = parse(b'{"text":"a","children":[' * 100_000 + b"]}" * 100_000, Tally())
    depth = 0
    while deep["children"]:
        (deep,) = deep["children"]
        depth += 1
    assert depth == 99_999


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "nothing in it"),
        (b" " * 3_000_000, "nothing in it"),
        (b"[" * 1_000_000, "nested more than"),
        (b"[" * 1000, "breaks off"),
        (b'{"text": "abc', "byte 9 has no end"),
        (b'["\\"' + b'\\"' * 1_000_000, "no end"),
        (b"[1}", "nothing was opened"),
        (b"]", "nothing was opened"),
        (b"[1] [2]", "more behind its end"),
        (b'"' * 1_000_001, "not JSON|no end"),
        (b"hello", "not JSON"),
        (b"[]" * 2_000_000, "more behind"),
        (b"[" + b'{"a":1},' * 5_000_000, "fill the memory"),
        (b"{" + b'"a":1,' * 2_000_000 + b"}", "names"),
    ],
)
def test_what_is_none_gives_a_line(data: bytes, message: str) -> None:
    with pytest.raises(JsonError, match=message):
        parse(data, Tally())


def test_whitespace_costs_nothing() -> None:
    assert parse(b" " * 1_000_000 + b"[1," + b"\n" * 3_000_000 + b"2]", Tally()) == [1, 2]


def test_huge_numbers() -> None:
    whole, real, small = parse(b"[" + b"9" * 100_000 + b", 1e999, -1e-999]", Tally())
    assert whole == real == float("inf") and small == 0


def test_what_is_odd_is_counted() -> None:
    tally = Tally()
    assert parse(b'{"a": "\xff\xfe \xc3", "b": 1, "b": 2}', tally) == {"a": "�� �", "b": 2}
    assert tally.mended == {json_text.NOT_UTF8: 3, json_text.REPEATED: 1}
