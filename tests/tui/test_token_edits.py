"""Branching at a token with a real (tiny) model: the prefix's KV is used again, and all is as run from scratch."""

from __future__ import annotations

import math

import pytest
from tiny import greedy, tiny_model, tiny_tokenizer

from n8loom_tui.loom.adaptive import CutoffTree
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import GivenToken, Request, SamplingParams
from n8loom_tui.tui.adaptive_settings import ADAPTIVE, CUTOFF, adaptive_run, cutoff_run
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.document import Change, Document, EditError
from n8loom_tui.tui.token_edits import clip_at, grow_at, split_at
from n8loom_tui.tui.token_facts import Known, TokenLore

MODEL = tiny_model("llama")
TOKENIZER = tiny_tokenizer("plain")
GREEDY = SamplingParams(temp=0.0, max_tokens=6, min_p=0.0)


class Desk:
    """A document and an engine, on one thread."""

    def __init__(self) -> None:
        self.engine = Engine(MODEL, TOKENIZER)
        self.document = Document()
        self.document.use_model(ModelInfo("tiny", "0", "cpu", chat=False))
        self.asked: list[Request] = []
        self.lore = TokenLore(self.document, self.asked.append)

    def serve(self, change: Change) -> Change:
        """Have the engine do what a change asks for, to the end."""
        waiting = list(change.requests)
        while waiting or self.asked:
            request = waiting.pop(0) if waiting else self.asked.pop(0)
            for events in self.engine.run(request):
                waiting += self.document.apply(events).requests
                for event in events:
                    self.lore.take(event)
        return change

    def branch(self) -> Heddle:
        """A branch of six tokens below a prompt."""
        root = self.serve(self.document.new_loom("the abc in the end", chat=False)).focus
        assert root is not None
        self.serve(self.document.ramify([root], 1, GREEDY))
        return root.children[0]


def test_the_new_branch_goes_on_from_what_is_cached() -> None:
    desk = Desk()
    old = desk.branch()
    tokens, before = list(old.tokens), desk.engine.prefilled
    _, others, entropy = old.odds.at(3) if old.odds is not None else (math.nan, (), math.nan)
    other = others[1]
    given = GivenToken(other.token, other.logprob, others, entropy)
    change = grow_at(desk.document, old, 3, 1, GREEDY, (given,))
    desk.serve(change)
    assert desk.engine.prefilled == before, "nothing of the path is read again"
    child, head = change.focus, old.parent
    assert child is not None and head is not None and head.children == [old, child]
    assert head.tokens + old.tokens == tokens
    assert child.tokens[0] == other.token
    path = [*head.get_prefix_tokens(), other.token]
    assert child.tokens[1:] == greedy(MODEL, path, 5)
    assert child.logprobs[0] == pytest.approx(other.logprob, abs=1e-6)
    assert len(desk.document.history.undoable) == 3, "one step"
    desk.document.undo()
    assert old.tokens == tokens and head.id not in desk.document.nodes


def test_prompts_are_scored_and_spelled_once_each() -> None:
    desk = Desk()
    root = desk.branch().parent
    assert root is not None
    assert desk.lore.at(root, 2).known is Known.ASKED
    assert desk.lore.at(root, 3).known is Known.ASKED
    assert len(desk.asked) == 1
    desk.serve(Change())
    facts = desk.lore.at(root, 2)
    assert facts.known is Known.YES and facts.texts is None
    desk.serve(Change())
    facts = desk.lore.at(root, 2)
    assert facts.texts is not None and len(facts.texts) == len(facts.alternatives)
    here = next(i for i, each in enumerate(facts.alternatives) if each.token == root.tokens[2])
    assert facts.texts[here] == root.text[root.ends[1] : root.ends[2]]
    assert desk.lore.at(root, 0).known is Known.NOTHING, "nothing can be known of the first token"
    assert not desk.asked


def test_what_the_scores_were_of_may_have_been_edited_meanwhile() -> None:
    desk = Desk()
    node = desk.branch()
    child = desk.serve(desk.document.add_text(node, " and more")).focus
    assert child is not None
    desk.lore.at(child, 0)
    desk.document.clip(child, 2)
    desk.serve(Change())
    assert child.odds is None or len(child.odds) == len(child.tokens)
    desk.lore.at(child, 0)
    desk.serve(Change())
    assert child.odds is not None and len(child.odds) == 2


def test_places_where_it_cannot_be_done_say_so() -> None:
    desk = Desk()
    node = desk.branch()
    root = node.parent
    assert root is not None
    for attempt in (
        lambda: grow_at(desk.document, root, 1, 1, GREEDY),
        lambda: split_at(desk.document, root, 1),
        lambda: split_at(desk.document, node, 0),
        lambda: clip_at(desk.document, node, 0),
        lambda: clip_at(desk.document, root, 1),
    ):
        with pytest.raises(EditError):
            attempt()
    assert len(desk.document.history.undoable) == 2


def test_a_cutoff_tree_grows_in_the_document_as_the_library_grows_it() -> None:
    desk = Desk()
    root = desk.branch().parent
    assert root is not None
    change = desk.document.weave(root, lambda path, _: CutoffTree(path, p=0.05, depth=3), "cut-off tree")
    desk.serve(change)
    grown = root.children[1:]
    assert grown
    twin = Heddle(MODEL, TOKENIZER, list(root.tokens), None, [])
    twin.cutoff_tree(0.05, depth=3)
    assert [[n.tokens for n in child.walk()] for child in grown] == [
        [n.tokens for n in child.walk()] for child in twin.children
    ]
    desk.document.undo()
    assert len(root.children) == 1


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("entropy", "many"),
        ("entropy", "-1"),
        ("top", "1.5"),
        ("n", "0"),
        ("depth", "²"),
        ("nodes", "99999"),
        ("tokens", ""),
    ],
)
def test_answers_that_make_no_sense_are_objected_to(field: str, text: str) -> None:
    answers = {each.name: each.value for each in ADAPTIVE} | {field: text}
    with pytest.raises(ValueError, match="takes a"):
        adaptive_run(answers, GREEDY)


def test_the_cutoff_probability_is_bounded() -> None:
    answers = {each.name: each.value for each in CUTOFF}
    assert cutoff_run(answers, GREEDY) is not None
    with pytest.raises(ValueError, match="probability takes a number"):
        cutoff_run(answers | {"p": "0"}, GREEDY)
