"""A session into every format that is written, and back: lost is what the export said, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from n8loom_tui.loom.heddle import Kind
from n8loom_tui.session.formats import FORMATS, Chosen, Format, export_session, import_file
from n8loom_tui.session.formats.facts import CURRENT, Fact
from n8loom_tui.session.formats.gather import gather
from n8loom_tui.session.formats.outline import Node, Outline, Pieces
from n8loom_tui.session.formats.plant import plant
from n8loom_tui.session.formats.tally import Tally
from n8loom_tui.session.load import LoadedSession
from n8loom_tui.session.record import LETTERS, everything
from n8loom_tui.session.store import read_session, write_new

BOTH_WAYS = [f for f in FORMATS.values() if f.read is not None and f.write is not None]

FACTS: dict[Fact, Callable[[Node], Any]] = {
    Fact.KIND: lambda node: node.kind,
    Fact.FRAMING: lambda node: (node.chat, node.prompt if node.chat else None),
    Fact.TERMINAL: lambda node: node.terminal,
    Fact.FINISH: lambda node: node.finish,
    Fact.CREATED: lambda node: node.created,
    Fact.MODEL: lambda node: (node.model, node.fingerprint),
    Fact.PARAMS: lambda node: node.params,
    Fact.SEED: lambda node: node.seed,
    Fact.BOOKMARK: lambda node: node.bookmark,
    Fact.TAGS: lambda node: node.tags,
    Fact.NOTE: lambda node: node.note,
    Fact.UNREAD: lambda node: node.unread,
    Fact.FOLDED: lambda node: node.folded,
    Fact.TITLE: lambda node: node.title,
    Fact.TOKENS: lambda node: node.pieces().tokens if node.pieces else [],
    Fact.LOGPROBS: lambda node: (
        (pieces.texts, pieces.logprobs, pieces.alternatives) if (pieces := known(node)) else None
    ),
    Fact.ODDS: lambda node: (node.pieces().others, node.pieces().entropies) if node.pieces else None,
    Fact.LETTERS: lambda node: node.letters,
    Fact.MORE: lambda node: node.more,
}


def known(node: Node) -> Pieces | None:
    """A node's pieces, if any probability is known of them."""
    pieces = node.pieces() if node.pieces else None
    return pieces if pieces and (pieces.logprobs or pieces.alternatives) else None


def grown(draw: random.Random, root: bool, texts: tuple[str, ...]) -> Node:
    """A node with a bit of everything."""
    text = draw.choice(texts)
    node = Node(f"{draw.getrandbits(48):012x}", text, created=1.7e9 + draw.randrange(10**9) / 8)
    node.kind = draw.choice([Kind.PROMPT, Kind.WRITTEN] if root else list(Kind))
    if root and draw.random() < 0.5:
        node.chat, node.prompt = True, f"ask: {text}"
    if node.kind in {Kind.GENERATED, Kind.EDITED}:
        node.model, node.fingerprint, node.seed = "tin", "f00d", draw.getrandbits(63)
        node.params = {"temp": 0.75, "max_tokens": 12, "stop_strings": ["\n\n"]}
        node.finish = draw.choice(["eos", "length", "stop"])
        node.terminal = node.finish == "eos"
    if draw.random() < 0.3:
        node.bookmark, node.tags, node.note = True, ("good", "käse"), "a\nnote \x1b[1m"
    node.unread = draw.random() < 0.3
    node.title = draw.choice(["", "", "A title"])
    node.more = {"time": 3.5, "draft": {"of": [1, None]}} if draw.random() < 0.2 else {}
    if text and draw.random() < 0.6:
        count = len(text)
        logprobs = [-draw.randrange(1, 1000) / 64 for _ in text]
        alternatives: list[list[str | float]] = [["é\ud800", -0.5, " b", -2.25], *([] for _ in text[1:])]
        pieces = Pieces(list(text), logprobs, draw.choice([[], alternatives]))
        if node.model:
            pieces.tokens = [draw.getrandbits(draw.choice([7, 15, 31])) for _ in range(count)]
        if pieces.tokens and not pieces.alternatives:
            pieces.others = [[17, -0.5, 2**17, -3.25], *([] for _ in text[1:])]
            pieces.entropies = [1.25, *(None for _ in text[1:])]
        node.pieces = partial(lambda found: found, pieces)
    return node


def forest(texts: tuple[str, ...], count: int = 150, seed: int = 3) -> Outline:
    draw = random.Random(seed)
    roots = [grown(draw, True, texts) for _ in range(3)]
    nodes = list(roots)
    for _ in range(count):
        node = grown(draw, False, texts)
        draw.choice(nodes[-40:]).children.append(node)
        nodes.append(node)
    for node in nodes:
        node.folded = bool(node.children) and draw.random() < 0.3
    nodes[5].letters, nodes[9].letters = ("a", "Z"), ("b",)
    return Outline(roots, draw.choice(nodes))


@pytest.fixture
def session(tmp_path, trees):
    planted = plant(forest(trees.hostile), Tally())
    assert planted.current is not None
    changes = everything(
        planted.roots,
        models=planted.models,
        current=planted.current.id,
        folded=planted.folded,
        meta={LETTERS: planted.letters},
    )
    write_new(tmp_path / "a.loom", changes)
    return tmp_path / "a.loom"


def facts(outline: Outline, format: Format) -> list[Any]:
    """Shape, order, texts, and all that the format holds."""
    found: list[Any] = [[root.id for root in outline.roots]]
    for node in outline.walk():
        held = {fact.name: FACTS[fact](node) for fact in Fact if fact in format.holds}
        found.append((node.id, node.text, [child.id for child in node.children], held))
    return found


def gathered(loaded: LoadedSession, format: Format, chosen: Chosen | None = None) -> Outline:
    outline = gather(loaded, chosen or Chosen(), Tally())
    if format.single:
        outline.roots = [r for r in outline.roots if any(n is outline.current for n in r.walk())]
    return outline


@pytest.mark.parametrize("format", BOTH_WAYS, ids=lambda format: format.name)
def test_what_is_lost_is_told(session, tmp_path, format: Format) -> None:
    notices = export_session(session, format.name, tmp_path / "out")
    back, mended = import_file(tmp_path / "out", tmp_path / "back")
    before, after = read_session(session), read_session(back)
    assert after.problems == [] and len(mended) == 1
    outline, returned = gathered(before, format), gather(after, Chosen(), Tally())
    assert facts(returned, format) == facts(outline, format)
    if format.current:
        assert after.current_id == before.current_id
    told = " ".join(notices)
    for fact in Fact:
        label, is_known = fact.value
        count = sum(map(is_known, outline.walk()))
        lost = count > 0 and fact not in format.holds
        assert (f"{label} ({count:,})" in told) == lost, (fact, count)
    assert (CURRENT in told) != format.current
    assert ("other looms (2)" in told) == format.single


@pytest.mark.parametrize("format", BOTH_WAYS, ids=lambda format: format.name)
def test_a_second_trip_loses_nothing_more(session, tmp_path, format: Format) -> None:
    export_session(session, format.name, tmp_path / "one")
    once, _ = import_file(tmp_path / "one", tmp_path / "once")
    export_session(once, format.name, tmp_path / "two")
    assert (tmp_path / "two").read_text() == (tmp_path / "one").read_text() or not format.holds >= {
        Fact.CREATED
    }
    twice, _ = import_file(tmp_path / "two", tmp_path / "twice")
    first, second = (gather(read_session(path), Chosen(), Tally()) for path in (once, twice))
    assert facts(second, format) == facts(first, format)


def test_json_lines_lose_nothing(session, tmp_path) -> None:
    assert export_session(session, "jsonl", tmp_path / "out") == []
    assert FORMATS["jsonl"].holds == frozenset(Fact)


def test_token_ids_come_back_for_the_model_that_made_them(session, tmp_path) -> None:
    export_session(session, "jsonl", tmp_path / "out")
    back, _ = import_file(tmp_path / "out", tmp_path / "back")
    before, after = read_session(session), read_session(back)
    spans = [
        {n.id: (n.tokens, n.ends, n.encoded) for r in s.roots for n in r.walk()} for s in (before, after)
    ]
    assert spans[0] == spans[1] and any(tokens for tokens, _, _ in spans[0].values())
    assert before.models == after.models != {}


def test_token_ids_that_do_not_fit_their_text_are_left_out(tmp_path) -> None:
    line = '{"id":"a","text":"%s","fingerprint":"f","texts":["he","llo"],"tokens":[7,%s],"logprobs":[-1,-2]}'
    for text, token, kept in (
        ("hello", "8", [7, 8]),
        ("hallo", "8", []),
        ("hello", "-1", []),
        ("hello", "2e9", []),
    ):
        (tmp_path / "in").write_text(line % (text, token) + "\n" + '{"id":"b","text":"","parent_id":"a"}')
        back, _ = import_file(tmp_path / "in", tmp_path / f"{text}{token}")
        (root,) = read_session(back).roots
        assert (root.text, root.tokens, root.encoded) == (text, kept, bool(kept))


def test_siblings_without_times_keep_their_order_in_basemode(tmp_path) -> None:
    root = Node("r", "x", children=[Node(str(index), f" {index}") for index in range(50, 0, -1)])
    for index, node in enumerate(root.children):
        node.created = float(-index % 7)
    write_new(tmp_path / "a.loom", everything(plant(Outline([root]), Tally()).roots))
    export_session(tmp_path / "a.loom", "basemode-loom", tmp_path / "out")
    back, _ = import_file(tmp_path / "out", tmp_path / "back")
    children = read_session(back).roots[0].children
    assert [child.text for child in children] == [f" {index}" for index in range(50, 0, -1)]
    assert [child.created for child in children] == [node.created for node in root.children]


@pytest.mark.parametrize("format", BOTH_WAYS, ids=lambda format: format.name)
def test_a_chain_of_three_thousand_nodes(tmp_path, format: Format) -> None:
    top = last = Node(text="0")
    for index in range(3_000):
        last.children.append(Node(text=f" {index}"))
        last = last.children[0]
    (root,) = plant(Outline([top]), Tally()).roots
    write_new(tmp_path / "a.loom", everything([root]))
    export_session(tmp_path / "a.loom", format.name, tmp_path / "out")
    back, _ = import_file(tmp_path / "out", tmp_path / "back")
    (returned,) = read_session(back).roots
    assert [node.text for node in returned.walk()] == [node.text for node in root.walk()]


@pytest.mark.parametrize("format", BOTH_WAYS, ids=lambda format: format.name)
def test_a_part_of_a_session(session, tmp_path, format: Format) -> None:
    loaded = read_session(session)
    wanted = max((node for root in loaded.roots for node in root.walk()), key=lambda node: len(node.path()))
    middle = wanted.path()[1]
    export_session(session, format.name, tmp_path / "below", node=middle.id)
    export_session(session, format.name, tmp_path / "path", node=wanted.id, path=True)
    below, _ = import_file(tmp_path / "below", tmp_path / "b")
    path, _ = import_file(tmp_path / "path", tmp_path / "p")
    (root,) = read_session(below).roots
    assert [node.text for node in root.walk()] == [node.text for node in middle.walk()]
    (root,) = read_session(path).roots
    assert [node.text for node in root.walk()] == [node.text for node in wanted.path()]


def test_ids_that_javascript_would_sort(tmp_path) -> None:
    root = Node("r", "x", children=[Node("9", "nine"), Node("1", "one"), Node("4294967296", "large")])
    write_new(tmp_path / "a.loom", everything(plant(Outline([root]), Tally()).roots))
    export_session(tmp_path / "a.loom", "loomsidian", tmp_path / "out")
    text = (tmp_path / "out").read_text()
    assert '"node 9":' in text and '"node 1":' in text and '"4294967296":' in text
