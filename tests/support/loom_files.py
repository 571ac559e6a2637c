"""Small files of other looms, written by hand to the shapes that those programs publish, in our own words."""

from __future__ import annotations

from typing import Any


def n8loom() -> dict[str, Any]:
    """What n8loom's server exports of a loom."""

    def node(name: str, text: str, *children: dict[str, Any], terminal: bool = False) -> dict[str, Any]:
        return {
            "node_id": f"heddle_id-{name}",
            "text": text,
            "display_text": text,
            "terminal": terminal,
            "children": list(children),
        }

    root = node(
        "1",
        "<u>Who keeps the bees?</u><a>",
        node("2", "I", node("4", " do.", terminal=True)),
        node("3", "She"),
    )
    root["display_text"] = "Prompt: Who keeps the bees?\n\nResponse:\n\n"
    return root


def pyloom() -> dict[str, Any]:
    """A file of PyLoom with tags, notes, a chapter, and a response with its tokens."""
    tokens = [
        {
            "generatedToken": {"token": " rain", "logprob": -0.5},
            "position": {"start": 0, "end": 5},
            "counterfactuals": {" snow": -1.25, " rain": -0.5, ' "fog"': -3.0},
        },
        {
            "generatedToken": {"token": " again", "logprob": -2.0},
            "position": {"start": 5, "end": 11},
            "counterfactuals": None,
        },
    ]
    grown = {
        "id": "b1",
        "parent_id": "a1",
        "text": " rain again",
        "children": [],
        "mutable": True,
        "open": False,
        "visited": False,
        "tags": ["bookmark", "wet"],
        "notes": ["keep this"],
        "meta": {"source": "AI", "creation_timestamp": "2024-03-01-10.20.30", "modified": False},
        "generation": {"id": "cmpl-1", "index": 1},
    }
    edited = {
        "id": "b2",
        "parent_id": "a1",
        "text": " no rain",
        "children": [{"id": "c1", "parent_id": "b2", "text": ", none", "children": []}],
        "open": False,
        "visited": True,
        "meta": {"source": "mixed"},
        "chapter_id": "ch",
        "multimedia": [{"file": "/etc/passwd", "caption": "never opened"}],
    }
    first = {"id": "a1", "parent_id": "r", "text": "There will be", "children": [grown, edited], "open": True}
    return {
        "root": {"id": "r", "text": "", "mutable": False, "visited": True, "open": True, "children": [first]},
        "chapters": {"ch": {"id": "ch", "root_id": "b2", "title": "The dry year"}},
        "canonical": ["b2"],
        "tags": {"wet": {"name": "wet", "scope": "node", "hide": False, "show_only": False}},
        "model_responses": {
            "cmpl-1": {
                "id": "cmpl-1",
                "model": "weathervane",
                "timestamp": "2024-03-01-10.20.31",
                "prompt": {"text": "There will be", "tokens": None},
                "completions": [
                    {"text": "?", "finishReason": "stop", "tokens": []},
                    {"text": " rain again", "finishReason": {"reason": "length"}, "tokens": tokens},
                ],
            }
        },
        "selected_node_id": "b2",
    }


def loomsidian() -> dict[str, Any]:
    """What Loomsidian exports of a note: two roots."""

    def node(text: str, parent: str | None, **marks: Any) -> dict[str, Any]:
        plain = {"collapsed": False, "unread": False, "bookmarked": False, "searchResultState": None}
        return {"text": text, "parentId": parent, **plain, **marks}

    return {
        "current": "u3",
        "hoisted": [],
        "searchTerm": "",
        "nodes": {
            "u1": node("The lamp went out", None, collapsed=True),
            "u2": node(" at nine.", "u1", bookmarked=True, lastVisited=1700000000000),
            "u3": node(" and nobody", "u1", unread=True),
            "u4": node("Elsewhere", None),
        },
        "generating": None,
    }


def loomsidian_data() -> dict[str, Any]:
    """The plugin's own data.json."""
    other = {"current": "v1", "hoisted": [], "searchTerm": "", "nodes": {}, "generating": None}
    other["nodes"] = {"v1": {"text": "Second note", "parentId": None}}
    settings = {"maxTokens": 60, "modelPresets": [{"name": "a", "apiKey": "sk-secret"}]}
    return {"settings": settings, "state": {"Ideas/lamp.md": loomsidian(), "other.md": other}}


def basemode() -> dict[str, Any]:
    """An export of basemode-loom, its nodes in no particular order."""

    def node(name: str, parent: str | None, text: str, second: int, **more: Any) -> dict[str, Any]:
        plain = {
            "id": name,
            "parent_id": parent,
            "tree_id": "t0",
            "kind": "text",
            "text": text,
            "context_id": "x0",
            "model": "gpt-tin",
            "strategy": "completion",
            "max_tokens": 40,
            "temperature": 0.75,
            "checked_out": False,
            "created_at": f"2025-01-02T03:04:{second:02}.500000Z",
            "metadata": {},
        }
        return plain | more

    none = {"model": None, "strategy": None, "max_tokens": None, "temperature": None}
    return {
        "version": 1,
        "nodes": [
            node("t2", "t0", " by the second road", 9, checked_out=True, metadata={"bookmarked": True}),
            node("t0", None, "We came", 1, kind="root", metadata={"name": "roads"}, **none),
            node("x0", None, "You are a traveller.", 0, kind="context", context_id=None, **none),
            node("t1", "t0", " by the first road", 5, metadata={"usage": {"tokens": 4}}),
            node("t3", "t2", ", late", 7, checked_out=True),
        ],
    }


def old_basemode() -> dict[str, Any]:
    """The same program's older files."""

    def node(name: str, parent: str | None, text: str, branch: int | None) -> dict[str, Any]:
        return {
            "id": name,
            "parent_id": parent,
            "root_id": "o0",
            "text": text,
            "model": None if parent is None else "gpt-tin",
            "strategy": None,
            "max_tokens": 20,
            "temperature": 1,
            "branch_index": branch,
            "created_at": "2024-05-05T05:05:05.000000Z",
            "metadata": {"context": "You count."} if parent is None else {},
        }

    nodes = [node("o0", None, "One", None), node("o9", "o0", " ten", 1), node("o1", "o0", " two", 0)]
    return {"version": 1, "nodes": nodes}


def exoloom() -> dict[str, Any]:
    """A file of exoloom."""

    def node(parent: str | None, text: str, *children: str, model: bool = True) -> dict[str, Any]:
        return {
            "content": text,
            "authorType": "LLM" if model else "USER",
            "authorName": "tin-7b" if model else "Ada",
            "parentId": parent,
            "childrenIds": list(children),
            "createdAt": "2025-06-07T08:09:10.000Z",
        }

    return {
        "loomType": "Exoloom",
        "schemaVersion": 1,
        "tree": {
            "title": "Harbour",
            "description": "What the boats say",
            "rootNodeId": "e1",
            "nodes": {
                "e1": node(None, "The boats", "e3", "e2", model=False),
                "e2": node("e1", " sleep"),
                "e3": node("e1", " talk", "e4"),
                "e4": node("e3", " softly"),
            },
        },
        "lens": {"bookmarks": [{"nodeId": "e4"}], "prunedNodes": [{"nodeId": "e2"}]},
    }


def logitloom() -> dict[str, Any]:
    """A file of logitloom."""

    def node(
        name: str, text: str, logprob: float, *children: Any, finished: str | None = None
    ) -> dict[str, Any]:
        return {
            "id": name,
            "text": text,
            "logprob": logprob,
            "prob": 2.718281828**logprob,
            "branchFinished": finished,
            "children": list(children),
        }

    return {
        "isLogitLoomTreeVersion": "logit-loom-tree-v1",
        "modelName": "tin-3b",
        "modelSettings": {
            "kind": "chat",
            "systemPrompt": "Be brief.",
            "prompt": "A colour?",
            "prefill": "It is",
        },
        "roots": [
            node("l1", " red", -0.25, node("l3", ".", -0.1, finished="stop")),
            node("l2", " blue", -1.75),
        ],
    }


def bare() -> dict[str, Any]:
    """A tree as bare as can be."""
    return {
        "text": "a",
        "children": [{"text": "b", "children": [{"text": "c"}]}, {"text": "d", "children": []}],
    }


def jsonl() -> str:
    """JSON lines as PyLoom exports them, and one node that tells more."""
    return (
        '{"id": "r", "text": "Once"}\n'
        '{"id": "s", "text": " upon", "parent_id": "r"}\n'
        '{"id": "t", "text": " there", "parent_id": "r", "bookmark": true, "tags": ["old"], "model": "m"}\n'
        '{"id": "u", "text": " a time", "parent_id": "s"}\n'
    )


ALL = {
    "n8loom": n8loom,
    "pyloom": pyloom,
    "loomsidian": loomsidian,
    "loomsidian data": loomsidian_data,
    "basemode-loom": basemode,
    "old basemode-loom": old_basemode,
    "exoloom": exoloom,
    "logitloom": logitloom,
    "bare": bare,
}
"""Those that are JSON, by name."""
