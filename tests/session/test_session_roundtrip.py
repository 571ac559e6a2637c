"""What is stored comes back as it was: texts, token ids, shape, order, view."""

from pathlib import Path

from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.session.record import Changes, ModelRef, everything, snapshot
from n8loom_tui.session.store import SessionStore, read_session, write_new


def stored(path: Path, *operations: Changes) -> None:
    """Put operations into the session, each in a commit of its own."""
    store = SessionStore.open(path)
    writer = store.writer()
    for changes in operations:
        writer.put(changes)
        assert writer.flush(30)
    assert store.close(30)


def test_everything_comes_back(tmp_path, trees) -> None:
    roots = trees.forest(400)
    current = list(roots[0].walk())[-1]
    folded = [node.id for node in roots[0].walk()][:5]
    write_new(
        tmp_path / "a.loom",
        everything(roots, current=current.id, folded=folded, meta={"n": 8, "title": "\ud800"}),
    )
    loaded = read_session(tmp_path / "a.loom")
    assert trees.facts(loaded.roots) == trees.facts(roots)
    assert loaded.current_id == current.id
    assert loaded.folded_ids == set(folded)
    assert loaded.meta == {"n": 8, "title": "\ud800"}
    assert loaded.nodes == 403
    assert (loaded.problems, loaded.damaged, loaded.trashed) == ([], False, 0)


def test_the_writer_stores_the_same(tmp_path, trees) -> None:
    roots = trees.forest(100)
    operations = [snapshot("new loom", [root], roots=roots[: i + 1]) for i, root in enumerate(roots)]
    operations += [
        snapshot("ramify", node.children) for root in roots for node in root.walk() if node.children
    ]
    stored(tmp_path / "a.loom", *operations)
    assert trees.facts(read_session(tmp_path / "a.loom").roots) == trees.facts(roots)


def test_a_chain_of_ten_thousand_nodes(tmp_path, trees) -> None:
    root = node = trees.loom()
    for index in range(10_000):
        node = trees.node(f" {index}", node)
    stored(tmp_path / "deep.loom", everything([root], current=node.id))
    loaded = read_session(tmp_path / "deep.loom")
    assert trees.facts(loaded.roots) == trees.facts([root])
    assert loaded.current_id == node.id


def test_a_prompt_that_waits_for_its_tokenizer(tmp_path) -> None:
    root = Loom(None, None, "not read yet", chat=False)
    written = root.add_child(Heddle.from_text(" nor this"))
    stored(tmp_path / "a.loom", snapshot("new loom", [root, written], roots=[root]))
    (again,) = read_session(tmp_path / "a.loom").roots
    assert isinstance(again, Loom)
    assert (again.encoded, again.text, again.user_prompt, again.chat_template_used) == (
        False,
        "not read yet",
        "not read yet",
        False,
    )
    assert (again.children[0].encoded, again.children[0].text) == (False, " nor this")


def test_siblings_keep_their_order_through_removals_and_returns(tmp_path, trees) -> None:
    root = trees.loom()
    a, b, c = (trees.node(text, root) for text in "abc")
    first = snapshot("ramify", [root, a, b, c], roots=[root])
    root.remove_child(a)
    gone = snapshot("delete", deleted=[a.id])
    root.add_child(a)
    d = trees.node("d", root)
    stored(tmp_path / "a.loom", first, gone, snapshot("undelete", [a, d]))
    (again,) = read_session(tmp_path / "a.loom").roots
    assert [child.text for child in again.children] == ["b", "c", "a", "d"]


def test_looms_keep_their_order(tmp_path, trees) -> None:
    x, y, z = (trees.loom(text) for text in "xyz")
    first = snapshot("new loom", [x, y, z], roots=[x, y, z])
    stored(tmp_path / "a.loom", first, snapshot("move", roots=[z, x, y]))
    again = read_session(tmp_path / "a.loom").roots
    assert [root.user_prompt for root in again] == ["z", "x", "y"]


def test_deleted_nodes_stay_in_the_file_with_all_below_them(tmp_path, trees) -> None:
    root = trees.loom()
    kept, gone = trees.node("kept", root), trees.node("gone", root)
    trees.node("below", gone)
    first = everything([root])
    root.remove_child(gone)
    gone_text = gone.text
    # A branch that still streamed when it was deleted is told once more; it stays where it is.
    stored(tmp_path / "a.loom", first, snapshot("delete", deleted=[gone.id]), snapshot("stream", [gone]))
    loaded = read_session(tmp_path / "a.loom")
    assert [node.text for node in loaded.roots[0].children] == [kept.text]
    assert (loaded.nodes, loaded.trashed) == (2, 2)
    root.add_child(gone)
    stored(tmp_path / "a.loom", snapshot("undelete", [gone]))
    again = read_session(tmp_path / "a.loom").roots
    assert [node.text for node in again[0].walk()][2:] == [gone_text, "below"]


def test_a_node_deleted_before_it_was_ever_stored_is_no_root(tmp_path, trees) -> None:
    root = trees.loom()
    early = trees.node("early", root)
    root.remove_child(early)
    stored(tmp_path / "a.loom", snapshot("new", [root, early], roots=[root], deleted=[early.id]))
    loaded = read_session(tmp_path / "a.loom")
    assert [node.id for node in loaded.roots] == [root.id]
    assert loaded.trashed == 1


def test_a_removed_loom_goes_and_a_clip_is_stored(tmp_path, trees) -> None:
    x, y = trees.loom("x"), trees.loom("y")
    node = trees.node("abcdef", x)
    below = trees.node("z", node)
    first = everything([x, y])
    node.clip(2)
    stored(
        tmp_path / "a.loom",
        first,
        snapshot("clip", [node], deleted=[below.id]),
        snapshot("delete", roots=[x], deleted=[y.id]),
    )
    again = read_session(tmp_path / "a.loom").roots
    assert trees.facts(again) == trees.facts([x])


def test_models_are_kept_by_node_and_survive_later_changes(tmp_path, trees) -> None:
    one, two = ModelRef("one", "f1", "v1"), ModelRef("two")
    root = trees.loom()
    node = trees.node("abc", root)
    stored(
        tmp_path / "a.loom",
        snapshot("ramify", [root, node], roots=[root], models={root.id: one, node.id: two}),
        snapshot("clip", [node]),
    )
    assert read_session(tmp_path / "a.loom").models == {root.id: one, node.id: two}


def test_folds_and_the_place_are_the_last_ones_told(tmp_path, trees) -> None:
    root = trees.loom()
    a, b = trees.node("a", root), trees.node("b", root)
    stored(
        tmp_path / "a.loom",
        everything([root], folded=[a.id, root.id], current=a.id),
        snapshot("place", folded=[b.id], current=b.id),
        snapshot("clip", [a]),
    )
    loaded = read_session(tmp_path / "a.loom")
    assert (loaded.folded_ids, loaded.current_id) == ({b.id}, b.id)


def test_a_snapshot_does_not_follow_the_tree(tmp_path, trees) -> None:
    root = trees.loom()
    node = trees.node("ab", root)
    before = snapshot("stream", [root, node], roots=[root])
    node.append_token(7, "c")
    node.provenance["seed"] = 0
    stored(tmp_path / "a.loom", before)
    again = read_session(tmp_path / "a.loom").roots[0].children[0]
    assert (again.text, again.tokens, again.provenance["seed"]) == ("ab", [97, 98], 2**63 - 1)


def test_a_provenance_with_what_json_cannot_hold(tmp_path, trees) -> None:
    root = trees.loom()
    root.provenance = {"path": Path("x"), "params": {"top_p": float("inf")}}
    circle: dict[str, object] = {}
    circle["self"] = circle
    node = trees.node("a", root)
    node.provenance = circle
    stored(tmp_path / "a.loom", everything([root]))
    loaded = read_session(tmp_path / "a.loom")
    (again,) = loaded.roots
    assert loaded.problems == []
    assert again.provenance == {"path": "x", "params": {"top_p": float("inf")}}
    assert again.children[0].text == "a"
