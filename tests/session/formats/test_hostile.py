"""Files that mean no good: each opens as far as it makes sense, or gives one clear line."""

from __future__ import annotations

import json
import random
import tracemalloc
from typing import Any

import pytest
from support import loom_files
from support.mutations import mutated, places_in

from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import importing, json_text, jsonl, read_foreign
from n8loom_tui.session.formats.importing import import_file
from n8loom_tui.session.formats.limits import LONGEST_TEXT
from n8loom_tui.session.store import read_session


def read(value: Any) -> tuple[list[str], str]:
    """The texts that come out, and what was said."""
    planted, notices = read_foreign(value if isinstance(value, bytes) else json.dumps(value).encode())
    assert all(notice.isprintable() for notice in notices)
    return [node.text for root in planted.roots for node in root.walk()], "\n".join(notices)


def nodes(*entries: tuple[Any, Any]) -> dict[str, Any]:
    """A file of basemode-loom with these ids and parents; each node's text is its place."""
    return {
        "version": 1,
        "nodes": [
            {"id": key, "parent_id": parent, "text": str(place)}
            for place, (key, parent) in enumerate(entries)
        ],
    }


def test_ids_that_repeat() -> None:
    texts, said = read(nodes(("a", None), ("b", "a"), ("b", "a"), ("c", "b")))
    assert texts == ["0", "1", "3", "2"] and "came twice" in said and ": 1." in said
    texts, said = read({"text": "x", "children": [{"id": "i", "text": "y"}, {"id": "i", "text": "z"}]})
    assert texts == ["x", "y", "z"] and "came twice" in said


def test_circles_are_cut_open() -> None:
    texts, said = read(nodes(("a", "b"), ("b", "c"), ("c", "a"), ("r", None), ("s", "s"), ("below", "a")))
    assert texts == ["3", "0", "2", "1", "5", "4"] and "Circles" in said and ": 2." in said


def test_missing_parents() -> None:
    texts, said = read(nodes(("a", None), ("b", "nobody"), ("c", "b"), ("d", {"no": 1})))
    assert texts == ["0", "3", "1", "2"] and "parent is missing" in said


@pytest.mark.parametrize(
    "wrong", [None, True, 7, 1e400, "x", [], [1], {}, {"a": 1}, [[]], "\ud800", -1, "\0"]
)
@pytest.mark.parametrize("name", loom_files.ALL)
def test_wrong_types_everywhere(name: str, wrong: Any) -> None:
    """Each value of a file in turn is another one."""
    whole = loom_files.ALL[name]()
    for place in range(len(places_in(whole))):
        value = loom_files.ALL[name]()
        holder, key = places_in(value)[place]
        holder[key] = wrong
        try:
            read(value)
        except SessionError as error:
            assert str(error).isprintable()


def test_texts_and_numbers_beyond_all_bounds() -> None:
    texts, said = read(
        {"text": "x" * (LONGEST_TEXT + 5), "children": [{"text": "y", "tags": ["t" * 10**4] * 500}]}
    )
    assert list(map(len, texts)) == [LONGEST_TEXT, 1] and "cut there" in said
    file = loom_files.basemode()
    file["nodes"][0] |= {"max_tokens": 10**30, "temperature": 1e999, "created_at": "9" * 10**5}
    assert "wrong type or size" in read(file)[1]


def test_a_provenance_that_is_not_what_it_says() -> None:
    deep = "[" * 400 + "]" * 400
    line = f'{{"text": "a", "parent_id": null, "provenance": {{"params": 7, "deep": {deep}, "kept": [1]}}}}'
    planted, notices = read_foreign(line.encode())
    assert planted.roots[0].provenance == {"kept": [1]} and "wrong type" in str(notices)
    planted, _ = read_foreign((line + "\n" + line.replace(deep, "1")).encode())
    assert [root.provenance.get("deep") for root in planted.roots] == [None, 1]


def test_names_without_end_are_counted_together() -> None:
    _, said = read({"text": "", "children": [], **{f"k{index}": 1 for index in range(5000)}})
    assert len(said) < 2000 and "others (4,000)" in said


def test_too_many_nodes(monkeypatch) -> None:
    monkeypatch.setattr("n8loom_tui.session.formats.hang.MOST_NODES", 1000)
    monkeypatch.setattr("n8loom_tui.session.formats.jsonl.MOST_NODES", 1000)
    many = [{"id": i, "parent_id": None, "text": ""} for i in range(1001)]
    for data in (
        json.dumps({"text": "", "children": [{"text": ""}] * 1000}),
        json.dumps({"nodes": many}),
        "\n".join(map(json.dumps, many)),
    ):
        with pytest.raises(SessionError, match=r"more than .* nodes"):
            read(data.encode())


def test_a_file_that_is_too_large(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(importing, "LARGEST_FILE", 1_000_000)
    (tmp_path / "a").write_bytes(b" " * 1_000_001)
    with pytest.raises(SessionError, match="is larger than"):
        import_file(tmp_path / "a", tmp_path / "out")
    with pytest.raises(SessionError, match="is larger than"):
        import_file("/dev/zero", tmp_path / "out")
    assert not (tmp_path / "out.loom").exists()


def test_names_without_end_are_refused_in_json_lines_too(monkeypatch) -> None:
    """What is no JSON is tried as JSON lines, and a whole file may be one line."""
    monkeypatch.setattr(json_text, "MOST_NAMES", 100)
    monkeypatch.setattr(json_text, "SHORT", 1000)
    monkeypatch.setattr(jsonl, "SHORT", 1000)
    many = "{" + ",".join(f'"{index}": 1' for index in range(2000)) + ', "text": "a"}'
    with pytest.raises(SessionError, match="more than 100 names"):
        read(many.encode())
    assert read(f'{{"text": "a"}}\n{many}\n'.encode())[0] == ["a"]


def test_empty_lines_without_end_take_no_memory() -> None:
    blank = b"\r\n" * 4_000_000
    tracemalloc.start()
    try:
        texts, _ = read(b'{"text": "a", "id": 1}' + blank + b'{"text": "b", "id": 2, "parent_id": 1}')
        assert texts == ["a", "b"]
        assert tracemalloc.get_traced_memory()[1] < 3 * len(blank)
    finally:
        tracemalloc.stop()


def test_a_text_that_would_take_four_bytes_a_character(monkeypatch) -> None:
    monkeypatch.setattr(json_text, "LONGEST_PIECE", 1000)
    long = json.dumps({"text": "\U0001f600" + "a" * 2000}, ensure_ascii=False)
    with pytest.raises(SessionError, match="longer than any that is taken"):
        read(long.encode())
    texts, said = read(f'{{"text": "a", "id": 1}}\n{long}\n{{"text": "b", "id": 2}}'.encode())
    assert texts == ["a", "b"] and "Lines that are no node" in said
    assert read((" " * 5000 + '{"text": "a"}' + " " * 5000).encode())[0] == ["a"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "nothing in it"),
        (b"SQLite format 3\0....", "--session"),
        (b"\0\1\2\3", "not JSON"),
        (b"just some words", "not JSON"),
        (b'{"some": "thing"}', "no format known here"),
        (b"[[[]]]", "no format known here"),
        (b"[" * 100_000 + b"]" * 100_000, "no format known here"),
        (b'{"nodes": {}}', "there is no node in it"),
        (b'{"root": {"text": "", "mutable": false, "children": []}}', "there is no node in it"),
        (json.dumps(loom_files.pyloom()).encode()[:-1], "breaks off"),
    ],
)
def test_what_is_no_loom_gives_a_line(tmp_path, data: bytes, message: str) -> None:
    path = tmp_path / "evil\x1b[31m\n.json"
    path.write_bytes(data)
    with pytest.raises(SessionError, match=message) as error:
        import_file(path, tmp_path / "out")
    assert str(error.value).isprintable()
    assert not (tmp_path / "out.loom").exists()


def test_nothing_that_is_there_is_replaced(tmp_path) -> None:
    (tmp_path / "in").write_text(json.dumps(loom_files.bare()))
    (tmp_path / "out.loom").write_text("precious")
    with pytest.raises(SessionError, match="exists already"):
        import_file(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out.loom").read_text() == "precious"
    for missing in (tmp_path / "nobody", tmp_path, tmp_path / "in" / "in", "\0"):
        with pytest.raises(SessionError) as error:
            import_file(missing, tmp_path / "new")
        assert str(error.value).isprintable()


def test_mutated_files(tmp_path) -> None:
    """Bytes and structure of small files changed at random; what opens makes a session in order."""
    draw = random.Random(5)
    opened = refused = 0
    for index in range(500):
        data = mutated(draw)
        try:
            _, notices = read_foreign(data)
        except SessionError as error:
            assert str(error).isprintable()
            refused += 1
            continue
        assert all(notice.isprintable() for notice in notices)
        opened += 1
        if index % 5 == 0:
            (tmp_path / "in").write_bytes(data)
            session, _ = import_file(tmp_path / "in", tmp_path / f"{index}.loom")
            loaded = read_session(session)
            assert loaded.problems == [] and loaded.nodes > 0
    assert min(opened, refused) > 100
