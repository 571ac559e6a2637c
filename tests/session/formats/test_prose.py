"""Plain text and Markdown: what a person reads, and nothing that a terminal would act on."""

from __future__ import annotations

import pytest

from n8loom_tui.session.errors import SessionError
from n8loom_tui.session.formats import export_session
from n8loom_tui.session.formats.outline import Node, Outline
from n8loom_tui.session.formats.plant import plant
from n8loom_tui.session.formats.tally import Tally
from n8loom_tui.session.record import everything
from n8loom_tui.session.store import write_new


def exported(
    tmp_path, to: str, roots: list[Node], current: Node | None = None, **chosen
) -> tuple[str, list[str]]:
    planted = plant(Outline(roots, current), Tally())
    stood = planted.current.id if planted.current else None
    write_new(tmp_path / "a.loom", everything(planted.roots, current=stood), overwrite=True)
    notices = export_session(tmp_path / "a.loom", to, tmp_path / "out", **chosen)
    return (tmp_path / "out").read_text("utf-8"), notices


def bees() -> tuple[list[Node], Node]:
    stood = Node("s", " says the\nowl.", note="who?\nthe owl", tags=("night",))
    answer = Node(
        "b", "The ", children=[Node("c", "bear", children=[stood]), Node("d", "fox", bookmark=True)]
    )
    root = Node("a", "<u>Who?</u>", chat=True, prompt="Who?", children=[answer])
    return [root, Node("z", "Another.")], stood


def test_a_path_is_one_text(tmp_path) -> None:
    roots, stood = bees()
    for to in ("text", "markdown", "txt", "md"):
        text, notices = exported(tmp_path, to, roots, stood, path=True)
        assert text == "Who?\n\nThe bear says the\nowl.\n"
        assert "where you stood" not in str(notices)
    assert exported(tmp_path, "text", roots, path=True, node="d")[0] == "Who?\n\nThe fox\n"
    with pytest.raises(SessionError, match="--node"):
        exported(tmp_path, "text", roots, path=True)


def test_a_whole_tree(tmp_path) -> None:
    roots, _ = bees()
    assert exported(tmp_path, "text", roots)[0] == (
        "- Who?\n\n  The \n\n"
        "  - [#night] bear says the\n    owl.\n\n    [note: who?\n    the owl]\n\n"
        "  - [★] fox\n\n"
        "- Another.\n\n"
    )
    assert exported(tmp_path, "markdown", roots, node="b")[0] == (
        "- The \n\n"
        "  - \\[\\#night\\] bear says the\n    owl.\n\n    > who?\n    > the owl\n\n"
        "  - \\[★\\] fox\n\n"
    )


def test_nothing_acts_on_a_terminal(tmp_path, trees, capsys) -> None:
    roots = [Node("a", "x", children=[Node(text=text, note=text) for text in trees.hostile])]
    for to in ("text", "markdown"):
        text, _ = exported(tmp_path, to, roots)
        assert all(c in "\n\t" or c.isprintable() or c in "\u202e\u202c\u2028‍" for c in text)
        assert "␛[31mred" in text and "NUL␀inside" in text and "(empty)" in text
        export_session(tmp_path / "a.loom", to, "-")
        assert capsys.readouterr().out == text


def test_a_deep_tree_stays_small(tmp_path) -> None:
    root = last = Node("r", "x")
    for index in range(2_000):
        last.children = [Node(text=f"{index}"), Node(text="side")]
        last = last.children[0]
    text, _ = exported(tmp_path, "markdown", [root])
    assert len(text) < 400_000 and "(level 2000) 1999\n" in text
