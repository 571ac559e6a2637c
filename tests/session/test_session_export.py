"""Sessions in n8loom's JSON: the tree as it is, from any shell, without a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import FORMATS, export_session, find_format
from n8loom_tui.session.record import everything
from n8loom_tui.session.store import read_session, write_new


def with_a_deep_stack(action: Callable[[], Any]) -> Any:
    """Python's JSON reader, and nothing of ours, recurses: give it the room for it."""
    results: list[Any] = []
    limit, size = sys.getrecursionlimit(), threading.stack_size(512 * 1024 * 1024)
    sys.setrecursionlimit(100_000)
    try:
        thread = threading.Thread(target=lambda: results.append(action()))
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    return results[0]


def assert_same(exported: dict[str, Any], root: Heddle) -> int:
    """Compare an export with a tree; returns how many nodes there are."""
    count = 0
    pairs = [(exported, root)]
    while pairs:
        found, node = pairs.pop()
        assert list(found) == ["node_id", "text", "display_text", "terminal", "children"]
        assert (found["node_id"], found["text"], found["terminal"]) == (node.id, node.text, node.terminal)
        assert found["display_text"] == node.display_text()
        assert len(found["children"]) == len(node.children)
        pairs += zip(found["children"], node.children, strict=True)
        count += 1
    return count


def test_the_export_equals_the_tree(tmp_path, trees) -> None:
    roots = trees.forest(200)
    write_new(tmp_path / "a.loom", everything(roots[:1]))
    (notice,) = export_session(tmp_path / "a.loom", "n8loom", str(tmp_path / "out.json"))
    assert "model (" in notice and "text" not in notice
    text = (tmp_path / "out.json").read_text("utf-8")
    assert assert_same(json.loads(text), roots[0]) == roots[0].count_children()
    assert "\x1b" not in text
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.loom", "out.json"]


def test_a_chain_of_ten_thousand_nodes(tmp_path, trees) -> None:
    root = node = trees.loom()
    for index in range(10_000):
        node = trees.node(f" {index}", node)
    write_new(tmp_path / "a.loom", everything([root]))
    export_session(tmp_path / "a.loom", "n8loom", tmp_path / "out.json")
    text = (tmp_path / "out.json").read_text("utf-8")
    assert with_a_deep_stack(lambda: assert_same(json.loads(text), root)) == 10_001


def test_of_several_looms_the_current_ones_is_written_and_the_others_are_told(tmp_path, trees) -> None:
    roots = [trees.loom("x"), trees.loom("y"), trees.loom("z")]
    current = trees.node("here", trees.node("there", roots[1]))
    write_new(tmp_path / "a.loom", everything(roots, current=current.id))
    (notice,) = export_session(tmp_path / "a.loom", "n8loom", tmp_path / "out.json")
    assert "other looms (2)" in notice
    assert_same(json.loads((tmp_path / "out.json").read_text("utf-8")), roots[1])
    export_session(tmp_path / "a.loom", "n8loom", tmp_path / "out.json", node=roots[2].id)
    assert_same(json.loads((tmp_path / "out.json").read_text("utf-8")), roots[2])
    with pytest.raises(SessionError, match="no node 'nope'"):
        export_session(tmp_path / "a.loom", "n8loom", tmp_path / "out.json", node="nope")


def test_deleted_nodes_are_not_exported(tmp_path, trees) -> None:
    root = trees.loom()
    trees.node("kept", root)
    write_new(tmp_path / "a.loom", everything([root]))
    export_session(tmp_path / "a.loom", "n8loom", tmp_path / "out.json")
    assert "deleted" not in (tmp_path / "out.json").read_text("utf-8")


def test_to_stdout(tmp_path, trees, capsys) -> None:
    root = trees.loom()
    trees.node("\ud800 \x1b \x9b", root)
    write_new(tmp_path / "a.loom", everything([root]))
    export_session(tmp_path / "a.loom", "N8Loom", "-")
    text = capsys.readouterr().out
    assert text.isascii()
    assert_same(json.loads(text), root)


def test_what_cannot_be_exported_leaves_the_output_as_it_was(tmp_path, trees) -> None:
    out = tmp_path / "out.json"
    out.write_text("precious")
    (tmp_path / "empty.loom").touch()
    write_new(tmp_path / "none.loom", everything([]))
    write_new(tmp_path / "a.loom", everything([trees.loom()]))
    for session, to in (
        ("missing", "n8loom"),
        ("empty.loom", "n8loom"),
        ("none.loom", "n8loom"),
        ("a.loom", "exoloom"),
    ):
        with pytest.raises(SessionError):
            export_session(tmp_path / session, to, out)
    assert out.read_text() == "precious"
    write_new(tmp_path / "b.loom", everything([trees.loom()]))
    before = (tmp_path / "a.loom").read_bytes()
    for output in (tmp_path / "a.loom", tmp_path / "b.loom", tmp_path / "no" / "out.json", tmp_path):
        with pytest.raises(SessionError) as error:
            export_session(tmp_path / "a.loom", "n8loom", output)
        assert str(error.value).isprintable()
    assert (tmp_path / "a.loom").read_bytes() == before
    assert read_session(tmp_path / "b.loom").nodes == 1


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path, trees) -> None:
    root = trees.loom()
    write_new(tmp_path / "a.loom", everything([root]))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        export_session(tmp_path / "a.loom", "n8loom", pipe)
        text, _ = reader.communicate()
    assert_same(json.loads(text), root)
    assert pipe.is_fifo()


def test_a_link_is_followed(tmp_path, trees) -> None:
    write_new(tmp_path / "a.loom", everything([trees.loom()]))
    (tmp_path / "link").symlink_to("real")
    export_session(tmp_path / "a.loom", "n8loom", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real").read_text())["children"] == []


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(SessionError, match="did you mean n8loom"):
        find_format("n8lom")
    with pytest.raises(SessionError, match="there is n8loom, pyloom"):
        find_format("\x1b[31m")
    with pytest.raises(SessionError, match="only read"):
        find_format("logitloom")
    assert all(name == name.lower() and FORMATS[name].name == name for name in FORMATS)


def test_a_session_that_is_open_can_be_exported(tmp_path, trees) -> None:
    from n8loom_tui.session.store import SessionStore

    store = SessionStore.open(tmp_path / "a.loom")
    root = trees.loom()
    store.writer().put(everything([root]))
    assert store.writer().flush(60)
    export_session(tmp_path / "a.loom", "n8loom", tmp_path / "out.json")
    assert not store.read_only
    assert store.close(60)
    assert_same(json.loads((tmp_path / "out.json").read_text("utf-8")), root)
    assert trees.facts(read_session(tmp_path / "a.loom").roots) == trees.facts([root])


def test_exporting_imports_no_model_code(tmp_path: Path, trees) -> None:
    write_new(tmp_path / "a.loom", everything([trees.loom()]))
    code = (
        "import sys; from n8loom_tui.session.formats import export_session; from pathlib import Path;"
        "export_session(Path(sys.argv[1]), 'n8loom', sys.argv[2]);"
        "print([m for m in ('mlx', 'mlx_lm', 'transformers', 'numpy', 'textual') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.loom"), str(tmp_path / "out.json")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
