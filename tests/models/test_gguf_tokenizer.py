"""A tokenizer built from GGUF metadata gives the ids of the one the metadata was taken from."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.models.gguf_file import read_gguf
from n8loom_tui.models.gguf_tokenizer import build_tokenizer, end_ids
from n8loom_tui.models.load import load_model

NASTY = [
    "",
    " ",
    "   three  spaces   ",
    "tabs\tand\nnew\r\nlines\n\n\n",
    "Don't they'll we've I'M",
    "1234567890 3.14159 ٣٤٥ Ⅷ",
    "naïve café Straße ﬁ ligature e\u0301",
    "日本語とかな 한국어 中文",
    "👩‍👩‍👧‍👦 🎉🏳️‍🌈",
    "def f(x):\n    return x**2  # comment\n",
    "https://example.org/?q=a&b=c%20d",
    "\u00a0nbsp\u200bzero\ufeffbom",
    "a<|im_end|>b <|im_start|>user\nhello",
    "\x00\x01control",
    "ＦＵＬＬ ｗｉｄｔｈ …—“quotes”",
]
CORPUS = [*NASTY, "the quick brown fox jumps over the lazy dog and the other fox " * 20, "return x y z " * 30]

Writer = Callable[..., Path]


def trained_bpe(pre: Any, specials: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def bpe_metadata(tokenizer: Any, pre: str, specials: list[str]) -> dict[str, Any]:
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in specials else 1 for token in tokens],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
    }


SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pre_tokenizer(kind: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
    match kind:
        case "gpt-2":
            return plain
        case "smollm":
            return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), plain])
        case _:
            pattern = LLAMA3_PATTERN if kind == "llama-bpe" else LLAMA3_PATTERN.replace("{1,3}", "")
            split = pre_tokenizers.Split(Regex(pattern), "isolated")
            return pre_tokenizers.Sequence(
                [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
            )


@pytest.mark.parametrize("kind", ["gpt-2", "smollm", "llama-bpe", "stablelm2", "qwen2"])
def test_byte_level_ids_are_the_originals(kind: str, gguf_writer: Writer) -> None:
    from tokenizers import normalizers

    original = trained_bpe(pre_tokenizer(kind), SPECIALS)
    if kind == "qwen2":
        original.normalizer = normalizers.NFC()
    rebuilt, _ = build_tokenizer(read_gguf(gguf_writer(bpe_metadata(original, kind, SPECIALS), {})))
    for text in NASTY:
        assert rebuilt.encode(text).ids == original.encode(text).ids, text
        if kind != "qwen2":
            assert rebuilt.decode(rebuilt.encode(text).ids, skip_special_tokens=False) == text


@pytest.mark.parametrize(("kind", "longest"), [("gpt-2", 6), ("smollm", 1), ("llama-bpe", 3), ("qwen2", 1)])
def test_digits_are_cut_as_each_kind_cuts_them(
    kind: str, longest: int, gguf_writer: Writer, bpe_tokenizer: Any
) -> None:
    tokens = [*bpe_tokenizer["tokenizer.ggml.tokens"], "12", "123", "1234", "12345", "123456"]
    merges = ["1 2", "12 3", "123 4", "1234 5", "12345 6"]
    metadata = bpe_tokenizer | {
        "general.architecture": "llama",
        "tokenizer.ggml.pre": kind,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * len(tokens),
        "tokenizer.ggml.merges": merges,
    }
    rebuilt, _ = build_tokenizer(read_gguf(gguf_writer(metadata, {})))
    assert max(len(token) for token in rebuilt.encode("123456").tokens) == longest


def test_the_loaded_tokenizer_is_the_built_one(gguf_writer: Writer, tiny_llama: Any, cache: Path) -> None:
    """The layers above must not put a pre-tokenizer or special tokens of their own in its place."""
    metadata, tensors = tiny_llama
    path = gguf_writer(metadata, tensors)
    built, _ = build_tokenizer(read_gguf(path))
    loaded = load_model(str(path)).tokenizer
    for text in NASTY:
        assert loaded.encode(text) == built.encode(text).ids
        assert loaded.decode(loaded.encode(text)) == text
    assert loaded.eos_token_ids == {2, 0}
    assert loaded.bos_token_id == 1


@pytest.mark.parametrize("add", [True, False])
def test_bos_is_added_once_and_only_if_the_file_says_so(
    add: bool, gguf_writer: Writer, tiny_llama: Any, cache: Path
) -> None:
    metadata, tensors = tiny_llama
    template = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    changed = metadata | {"tokenizer.ggml.add_bos_token": add, "tokenizer.chat_template": template}
    loaded = load_model(str(gguf_writer(changed, tensors)))
    assert loaded.has_chat_template
    plain = loaded.tokenizer.encode("hi", add_special_tokens=False)
    assert loaded.tokenizer.encode("hi") == ([1] if add else []) + plain
    assert loaded.tokenizer.apply_chat_template([{"role": "user", "content": "hi"}]) == [1, *plain]


def sentencepiece_metadata() -> tuple[dict[str, Any], Any]:
    import sentencepiece

    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text for text in CORPUS if text.strip() and "\x00" not in text),
        model_writer=stream,
        model_type="bpe",
        vocab_size=700,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())
    size = processor.get_piece_size()
    kinds = [
        2 if processor.is_unknown(i) else 3 if processor.is_control(i) else 6 if processor.is_byte(i) else 1
        for i in range(size)
    ]
    metadata = {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [processor.id_to_piece(i) for i in range(size)],
        "tokenizer.ggml.scores": [float(processor.get_score(i)) for i in range(size)],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    return metadata, processor


def test_sentencepiece_ids_are_the_originals(gguf_writer: Writer) -> None:
    metadata, original = sentencepiece_metadata()
    rebuilt, _ = build_tokenizer(read_gguf(gguf_writer(metadata, {})))
    for text in NASTY[1:]:
        if "\x00" in text:
            continue
        ids = rebuilt.encode(text).ids
        assert ids == [1, *original.encode(text)], text
        assert rebuilt.decode(ids) == text


def test_without_a_prefix_space_texts_join(gguf_writer: Writer) -> None:
    metadata, _ = sentencepiece_metadata()
    metadata |= {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_bos_token": False}
    rebuilt, _ = build_tokenizer(read_gguf(gguf_writer(metadata, {})))
    for text in NASTY:
        assert rebuilt.decode(rebuilt.encode(text).ids) == text


def test_user_defined_tokens_stay_whole_and_visible(gguf_writer: Writer, bpe_tokenizer: Any) -> None:
    metadata = bpe_tokenizer | {"general.architecture": "llama"}
    metadata["tokenizer.ggml.tokens"] = [*metadata["tokenizer.ggml.tokens"], "<think>"]
    metadata["tokenizer.ggml.token_type"] = [*metadata["tokenizer.ggml.token_type"], 4]
    rebuilt, _ = build_tokenizer(read_gguf(gguf_writer(metadata, {})))
    ids = rebuilt.encode("a<think>b<|im_end|>").ids
    assert ids.count(259) == 1
    assert rebuilt.decode(ids) == "a<think>b"


def test_ends_are_those_named_and_those_known(gguf_writer: Writer, bpe_tokenizer: Any) -> None:
    metadata = bpe_tokenizer | {"general.architecture": "llama"}
    assert end_ids(read_gguf(gguf_writer(metadata, {}))) == [2, 0]
    metadata["tokenizer.ggml.eot_token_id"] = 1
    metadata["tokenizer.ggml.eos_token_id"] = 9999
    assert end_ids(read_gguf(gguf_writer(metadata, {}))) == [1, 0, 2]
