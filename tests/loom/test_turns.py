"""Chat turns anywhere: along a path stand the token ids that the template gives the whole conversation."""

from __future__ import annotations

from typing import Any

import pytest
from tiny import _byte_level, _wrap, tiny_model, tiny_tokenizer

import n8loom_tui
from n8loom_tui.loom.heddle import Heddle, Loom
from n8loom_tui.loom.paths import resolve
from n8loom_tui.loom.protocol import Framing, Segment
from n8loom_tui.loom.text import effective_framing, encode_continuation

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}[{{ m.content }}]"
    "{% elif m.role == 'user' %}<user>{{ m.content | trim }}"
    "{% else %}<bot>{{ m.content }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)


def tiny() -> Any:
    """A tokenizer that puts a BOS in front by itself, with a template that writes one, too."""
    return _wrap(_byte_level(), TEMPLATE, bos_token="<s>", eos_token="</s>")


def smollm2() -> Any:
    try:
        return n8loom_tui.load("smollm2")[1]
    except Exception as error:  # noqa: BLE001 - not to be had without a network
        pytest.skip(f"the built-in model cannot be had here: {error}")


def path_ids(tokenizer: Any, segments: list[Segment]) -> list[int]:
    return resolve(tokenizer, segments).path


def conversation(texts: list[str], system: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    said = [{"role": roles[index % 2], "content": text} for index, text in enumerate(texts)]
    return [*([{"role": "system", "content": system}] if system else []), *said]


@pytest.mark.parametrize("make", [tiny, smollm2])
@pytest.mark.parametrize("system", ["", "Answer in rhymes.\nAlways."])
@pytest.mark.parametrize(
    "texts",
    [
        ["Hello", "Hi there!", "And the second?"],
        ["the 🌷", "", "again", " two\n\nlines ", "three in\nthe end\n"],
        ["a", "b", "c", "d", "e", "f", "[/INST] {{ x }} %}"],
    ],
)
def test_the_ids_of_a_path_are_those_of_the_whole_conversation(
    make: Any, system: str, texts: list[str]
) -> None:
    tokenizer = make()
    root = Loom(None, None, texts[0], chat=True, system=system)
    segments, node = [root.segment()], root
    for index, text in enumerate(texts[1:], start=1):
        if index % 2:
            below = Heddle.from_span([], text, [])
            below.tokens = encode_continuation(tokenizer, text, path_ids(tokenizer, segments)).tokens
        else:
            below = Heddle.turn(text)
        node.add_child(below)
        segments.append(below.segment())
        node = below
    wanted = tokenizer.apply_chat_template(
        conversation(texts, system), add_generation_prompt=True, tokenize=True
    )
    assert path_ids(tokenizer, segments) == list(wanted)


def test_a_turn_behind_a_plain_text_opens_the_conversation_without_a_second_bos() -> None:
    tokenizer = tiny()
    root = Loom(None, None, "Once", chat=False)
    first = root.add_child(Heddle.turn("who?"))
    second = first.add_child(Heddle.turn("and then?"))
    assert (first.framing(), second.framing()) == (Framing.OPENING, Framing.TURN)
    resolved = resolve(tokenizer, [node.segment() for node in second.path()])
    assert [told.text for told in resolved.told] == ["Once", "<user>who?<bot>", "</s><user>and then?<bot>"]
    bos = tiny_tokenizer("bos")
    root = Loom(None, None, "Once", chat=False)
    turn = root.add_child(Heddle.turn("who?"))
    resolved = resolve(bos, [node.segment() for node in turn.path()])
    assert resolved.path.count(bos.bos_token_id) == 1


def test_without_a_template_a_turn_is_plain_text() -> None:
    tokenizer = tiny_tokenizer("plain")
    assert effective_framing(tokenizer, Framing.TURN) is Framing.CONTINUATION
    root = Loom(None, None, "Once", chat=True)
    turn = root.add_child(Heddle.turn(" the end"))
    resolved = resolve(tokenizer, [root.segment(), turn.segment()])
    assert resolved.told[1].text == " the end"


def test_a_template_that_does_not_show_answers_says_so() -> None:
    tokenizer = _wrap(_byte_level(), "{{ messages[-1].content }}", eos_token="</s>")
    with pytest.raises(ValueError, match="chat template"):
        resolve(tokenizer, [Segment("a", None, "x", Framing.TURN)])


def test_a_loom_of_a_script_takes_a_system_message() -> None:
    tokenizer = tiny()
    root = Loom(tiny_model("llama"), tokenizer, "Hello", system="Be brief.")
    assert root.text == "<s>[Be brief.]<user>Hello<bot>"
    assert Loom(tiny_model("llama"), tokenizer, "Hello", chat=False, system="Be brief.").system == ""


def test_a_turn_is_a_turn_only_as_long_as_it_is_known_what_was_written() -> None:
    turn = Heddle.turn("who?")
    assert turn.display_text() == "\n\nPrompt: who?\n\nResponse:\n\n"
    turn.set_span([1, 2], "<user>who?<bot>", [4, 15])
    assert turn.source_text() == "who?" and turn.text == "<user>who?<bot>"
    turn.provenance = {"message": 7}
    assert not turn.is_turn and turn.source_text() == turn.text
