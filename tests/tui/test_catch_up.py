"""A large tree that no tokenizer has read is read a few nodes at a time, and what a person wants comes first."""

from __future__ import annotations

import json
from pathlib import Path

from support.fake_backend import FakeBackend
from support.rig import Launcher

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.protocol import Encode
from n8loom_tui.session.formats import import_file
from n8loom_tui.session.history_trees import Trees
from n8loom_tui.tui.catch_up import AT_ONCE, CatchUp
from n8loom_tui.tui.document import Document


def comb(teeth: int) -> tuple[Document, list[Heddle]]:
    """A chain of written nodes with a leaf at each."""
    root = Loom(None, None, "root")
    at: Heddle = root
    for number in range(teeth):
        leaf, below = Heddle.from_text(f"leaf {number}"), Heddle.from_text(f"chain {number}")
        at.add_child(leaf)
        at.add_child(below)
        at = below
    return Document(Trees([root])), list(root.walk())


def answer(node: Heddle) -> None:
    node.set_span([1], node.text, [len(node.text)])


def test_all_are_asked_for_in_the_end_and_never_many_at_once() -> None:
    document, nodes = comb(200)
    catching = CatchUp(document, None)
    rounds = 0
    while any(not node.encoded for node in nodes):
        asked = list(catching.requests())
        assert asked
        named = {segment.text for request in asked for segment in request.path if segment.tokens is None}
        assert len(asked) <= AT_ONCE
        assert not list(catching.requests()), "nothing more before the answers are there"
        for node in nodes:
            if node.text in named:
                answer(node)
        rounds += 1
    assert rounds > 1
    assert not list(catching.requests())


def test_the_path_in_sight_comes_first_and_a_failure_holds_nothing_up() -> None:
    document, nodes = comb(200)
    current = nodes[1]
    catching = CatchUp(document, current)
    asked = list(catching.requests())
    assert asked[0].path[-1].text == current.text
    for request in asked:
        catching.failed(request.id)
    assert list(catching.requests())


async def test_an_imported_tree_is_read_while_one_works_in_it(launch: Launcher, tmp_path: Path) -> None:
    source, session = tmp_path / "a.json", tmp_path / "a.loom"
    source.write_text(json.dumps({"text": "root", "children": [{"text": f" {i}"} for i in range(300)]}))
    import_file(source, session)
    backend = FakeBackend()
    backend.free()
    most = 0

    async with launch(backend, session=session, prompt=None) as rig:
        submit = rig.app.engine.submit

        def counted(request: object) -> None:
            nonlocal most
            most += isinstance(request, Encode)
            submit(request)  # type: ignore[arg-type]

        rig.app.engine.submit = counted  # type: ignore[method-assign, assignment]
        await rig.until(lambda: rig.app.document.roots)
        await rig.press("space")
        await rig.until(lambda: len(rig.root.children) == 303)
        await rig.ready()
        assert 300 - AT_ONCE <= most <= 303
        await rig.grown()
