"""Files of other looms, written by hand to their published shapes: texts, order, marks and probabilities."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from support import loom_files

from n8loom_tui.loom.heddle import Heddle, Kind, Loom
from n8loom_tui.session.formats import read_foreign
from n8loom_tui.session.formats.importing import import_file
from n8loom_tui.session.formats.plant import Planted
from n8loom_tui.session.store import read_session


def read(value: Any) -> tuple[Planted, list[str]]:
    return read_foreign(value.encode() if isinstance(value, str) else json.dumps(value).encode())


def outline(node: Heddle) -> Any:
    """Texts and order."""
    return (node.text, [outline(child) for child in node.children]) if node.children else node.text


def named(planted: Planted) -> dict[str, Heddle]:
    return {node.id: node for root in planted.roots for node in root.walk()}


def marks(node: Heddle) -> dict[str, Any]:
    """Those that there are."""
    found = asdict(node.marks)
    return {name: value for name, value in found.items() if value}


def test_n8loom() -> None:
    planted, notices = read(loom_files.n8loom())
    (root,) = planted.roots
    assert outline(root) == ("<u>Who keeps the bees?</u><a>", [("I", [" do."]), "She"])
    assert isinstance(root, Loom) and root.chat_template_used and root.user_prompt == "Who keeps the bees?"
    assert root.segment().text == "Who keeps the bees?"  # continuing puts it into the model's own template
    nodes = named(planted)
    assert nodes["heddle_id-4"].terminal and not nodes["heddle_id-2"].terminal
    assert not any(node.encoded for node in nodes.values())
    assert notices == ["Read as n8loom's server: 4 nodes."]


def test_n8loom_as_it_is_posted_to_the_server() -> None:
    planted, _ = read({"model_id": "m", "loom_data": loom_files.n8loom()})
    assert outline(planted.roots[0])[1] == [("I", [" do."]), "She"]


def test_pyloom() -> None:
    planted, notices = read(loom_files.pyloom())
    (root,) = planted.roots
    assert outline(root) == ("There will be", [" rain again", (" no rain", [", none"])])
    nodes = named(planted)
    grown, edited = nodes["b1"], nodes["b2"]
    assert root.kind is Kind.PROMPT and grown.kind is Kind.GENERATED and edited.kind is Kind.EDITED
    assert marks(grown) == {"bookmark": True, "tags": ("wet",), "note": "keep this", "unread": True}
    assert marks(edited) == {"tags": ("canonical",)}
    assert edited.provenance["imported"]["title"] == "The dry year"
    assert planted.folded == {"b2"} and planted.current is edited
    assert (grown.provenance["model"], grown.finish) == ("weathervane", "length")
    assert grown.created == datetime(2024, 3, 1, 10, 20, 30).astimezone().timestamp()
    imported = grown.provenance["imported"]
    assert imported["texts"] == [" rain", " again"]
    assert imported["logprobs"] == [-0.5, -2.0]
    assert imported["alternatives"] == [[" rain", -0.5, " snow", -1.25, ' "fog"', -3.0], []]
    assert notices[1:] == ["Left out, since a session has no place for it: multimedia (1)."]


@pytest.mark.parametrize(
    ("text", "texts", "logprobs"),
    [
        ("> rain again!", [">", " rain", " again", "!"], [None, -0.5, -2.0, None]),
        ("in again", ["in", " again"], [None, -2.0]),
        (" rain stops", [" rain", " stops"], [-0.5, None]),
    ],
)
def test_probabilities_follow_a_text_that_was_split_or_edited(text, texts, logprobs) -> None:
    file = loom_files.pyloom()
    file["root"]["children"][0]["children"][0]["text"] = text
    imported = named(read(file)[0])["b1"].provenance["imported"]
    assert (imported["texts"], imported["logprobs"]) == (texts, logprobs)


def test_probabilities_of_another_text_are_left_out_and_told() -> None:
    file = loom_files.pyloom()
    file["root"]["children"][0]["children"][0]["text"] = "nothing of it"
    planted, notices = read(file)
    assert "imported" not in named(planted)["b1"].provenance
    assert any("probabilities" in notice and notice.endswith(": 1.") for notice in notices)


def test_loomsidian_has_several_roots() -> None:
    planted, _ = read(loom_files.loomsidian())
    assert [outline(root) for root in planted.roots] == [
        ("The lamp went out", [" at nine.", " and nobody"]),
        "Elsewhere",
    ]
    nodes = named(planted)
    assert marks(nodes["u2"]) == {"bookmark": True} and marks(nodes["u3"]) == {"unread": True}
    assert planted.folded == {"u1"} and planted.current is nodes["u3"]


def test_loomsidians_data_file_without_its_settings() -> None:
    planted, notices = read(loom_files.loomsidian_data())
    assert [root.text for root in planted.roots] == ["The lamp went out", "Elsewhere", "Second note"]
    assert planted.roots[0].provenance["imported"]["title"] == "Ideas/lamp.md"
    everything = json.dumps([node.provenance for node in named(planted).values()]) + str(notices)
    assert "secret" not in everything


def test_basemode() -> None:
    planted, notices = read(loom_files.basemode())
    (root,) = planted.roots
    assert outline(root) == ("We came", [" by the first road", (" by the second road", [", late"])])
    nodes = named(planted)
    assert marks(root) == {"note": "Context: You are a traveller."}
    assert root.provenance["imported"]["title"] == "roads"
    assert marks(nodes["t2"]) == {"bookmark": True} and marks(nodes["t1"]) == {}
    assert nodes["t1"].provenance["params"] == {"temp": 0.75, "max_tokens": 40, "strategy": "completion"}
    assert (nodes["t1"].provenance["model"], nodes["t1"].kind) == ("gpt-tin", Kind.GENERATED)
    assert nodes["t1"].created == datetime.fromisoformat("2025-01-02T03:04:05.5+00:00").timestamp()
    assert planted.current is nodes["t3"]
    assert notices[1:] == ["Left out, since a session has no place for it: usage (1)."]


def test_the_older_files_of_basemode() -> None:
    planted, _ = read(loom_files.old_basemode())
    assert outline(planted.roots[0]) == ("One", [" two", " ten"])
    assert marks(planted.roots[0]) == {"note": "Context: You count."}


def test_exoloom() -> None:
    planted, notices = read(loom_files.exoloom())
    (root,) = planted.roots
    assert outline(root) == ("The boats", [(" talk", [" softly"]), " sleep"])
    nodes = named(planted)
    assert marks(nodes["e4"]) == {"bookmark": True} and marks(nodes["e2"]) == {"tags": ("pruned",)}
    assert marks(root) == {"note": "What the boats say"}
    assert root.provenance == {"author": "Ada", "imported": {"title": "Harbour"}}
    assert (nodes["e2"].kind, nodes["e2"].provenance["model"]) == (Kind.GENERATED, "tin-7b")
    assert len(notices) == 1


def test_logitloom() -> None:
    planted, _ = read(loom_files.logitloom())
    (root,) = planted.roots
    assert outline(root) == ("A colour?", [("It is", [(" red", ["."]), " blue"])])
    assert isinstance(root, Loom) and root.chat_template_used
    assert marks(root) == {"note": "System prompt: Be brief."}
    nodes = named(planted)
    assert [nodes[i].provenance["imported"]["logprobs"] for i in ("l1", "l2", "l3")] == [
        [-0.25],
        [-1.75],
        [-0.1],
    ]
    assert nodes["l3"].terminal and nodes["l3"].finish == "eos" and not nodes["l1"].terminal
    assert nodes["l1"].provenance["model"] == "tin-3b"


def test_a_bare_tree_and_a_list_of_them() -> None:
    planted, _ = read(loom_files.bare())
    assert outline(planted.roots[0]) == ("a", [("b", ["c"]), "d"])
    planted, _ = read([loom_files.bare(), {"text": "e"}])
    assert [root.text for root in planted.roots] == ["a", "e"]


@pytest.mark.parametrize("bom", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_lines(bom: str) -> None:
    planted, _ = read_foreign(loom_files.jsonl().encode(bom))
    assert outline(planted.roots[0]) == ("Once", [(" upon", [" a time"]), " there"])
    there = named(planted)["t"]
    assert marks(there) == {"bookmark": True, "tags": ("old",)} and there.provenance["model"] == "m"


def test_a_line_that_is_none_costs_that_node_alone() -> None:
    cut = loom_files.jsonl()[:-10] + "\n[]\n" + "[" * 5000
    planted, notices = read(cut)
    assert outline(planted.roots[0]) == ("Once", [" upon", " there"])
    assert any("Lines that are no node" in notice and ": 3." in notice for notice in notices)


def test_the_name_of_a_file_says_nothing(tmp_path) -> None:
    for index, make in enumerate(loom_files.ALL.values()):
        path = tmp_path / f"tree-{index}.md"
        path.write_text(json.dumps(make(), ensure_ascii=False, indent=2))
        session, _ = import_file(path, tmp_path / f"{index}.loom")
        planted, _ = read(make())
        stored = read_session(session)
        assert [outline(root) for root in stored.roots] == [outline(root) for root in planted.roots]
        assert stored.folded_ids == planted.folded and stored.problems == []
        assert stored.current_id == (planted.current.id if planted.current else None)


def test_a_session_named_like_the_file_is_made_in_the_data_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("N8LOOM_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "..my tree.json"
    path.write_text(json.dumps(loom_files.bare()))
    first, _ = import_file(path)
    second, _ = import_file(path)
    assert [first.name, second.name] == ["my tree.loom", "my tree-2.loom"]
    assert first.parent == second.parent == tmp_path / "data" / "sessions"
