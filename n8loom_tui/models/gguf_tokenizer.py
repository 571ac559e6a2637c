"""Builds a `tokenizers` tokenizer from a GGUF file's metadata.

Two kinds are read: byte-level BPE (`tokenizer.ggml.model` = `gpt2`), whose way of cutting text into
words is named by `tokenizer.ggml.pre`; and SentencePiece BPE (`llama`). A way of cutting that is not in
the table is refused rather than guessed: a wrong one gives almost right ids. (The converter inside
`transformers` falls back to GPT-2's way, which mis-splits SmolLM's digits among others; hence this one.)
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.gguf_file import GgufFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SPACE = "\u2581"  # SentencePiece's visible space


class TokenType(IntEnum):
    """What `tokenizer.ggml.token_type` says of a token."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_GPT2 = "gpt2"  # ByteLevel's own pattern
_DIGITS = "digits"  # the same, each digit alone first

_PRE_TOKENIZERS: dict[str, str] = {
    "gpt-2": _GPT2,
    "mpt": _GPT2,
    "olmo": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,
    "codeshell": _DIGITS,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "llama-bpe": _LLAMA3,
    "falcon3": _LLAMA3,
    "dbrx": _LLAMA3,
    "smaug-bpe": _LLAMA3,
    "qwen2": _QWEN2,
    "stablelm2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
}
# Those whose vocabulary holds whole words that no sequence of merges reaches.
_IGNORE_MERGES = frozenset({"llama3", "llama-v3", "llama-bpe", "falcon3"})
_NORMALISED = frozenset({"qwen2", "deepseek-r1-qwen"})  # their tokenizers compose characters (NFC) first

# Control tokens that end a turn or a text wherever they occur, beside those a file names.
_END_NAMES = frozenset(
    (
        "<|endoftext|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|end_of_text|>",
        "<|end|>",
        "<end_of_turn>",
        "</s>",
        "<eos>",
    )
)


def build_tokenizer(file: GgufFile) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer and the contents of its `tokenizer_config.json`.

    Raises ModelError: no vocabulary, or of a kind that is not read.
    """
    tokens = _tokens(file)
    model = file.text("tokenizer.ggml.model", "")
    match model:
        case "gpt2":
            tokenizer = _byte_level(file, tokens)
        case "llama":
            tokenizer = _sentencepiece(file, tokens)
        case _:
            raise ModelError(
                f"{file.path.name}: a tokenizer of the kind {model!r} is not read (read are: gpt2, llama)"
            )
    _add_special(file, tokenizer, tokens)
    _add_ends(file, tokenizer, tokens, default_bos=model == "llama")
    return tokenizer, _tokenizer_config(file, tokens)


def end_ids(file: GgufFile) -> list[int]:
    """The ids that end a generation: those the file names first, then control tokens known to."""
    tokens, types = _tokens(file), _types(file)
    found = [_id(file, name, tokens) for name in ("eos", "eot", "eom")]
    named = [
        id_ for id_, token in enumerate(tokens) if token in _END_NAMES and types[id_] == TokenType.CONTROL
    ]
    return list(dict.fromkeys([id_ for id_ in found if id_ is not None] + named))


def _tokens(file: GgufFile) -> list[str]:
    tokens = file.array("tokenizer.ggml.tokens")
    if not tokens:
        raise file.broken("it carries no vocabulary")
    return [str(token) for token in tokens]


def _types(file: GgufFile) -> list[int]:
    count = len(_tokens(file))
    types = file.array("tokenizer.ggml.token_type") or [TokenType.NORMAL] * count
    if len(types) != count:
        raise file.broken(f"{len(types)} token types for {count} tokens")
    return [int(each) for each in types]


def _id(file: GgufFile, name: str, tokens: list[str]) -> int | None:
    """The id under `tokenizer.ggml.NAME_token_id`, `None` if there is none."""
    value = file.integer(f"tokenizer.ggml.{name}_token_id", -1)
    return value if 0 <= value < len(tokens) else None


def _vocabulary(file: GgufFile, tokens: list[str]) -> dict[str, int]:
    vocabulary = {token: id_ for id_, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise file.broken("its vocabulary has the same token twice")
    return vocabulary


def _byte_level(file: GgufFile, tokens: list[str]) -> Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    pre = file.text("tokenizer.ggml.pre", "default")
    if pre not in _PRE_TOKENIZERS:
        raise ModelError(
            f"{file.path.name}: the tokenizer {pre!r} is not read; take an MLX version of this model"
        )
    merges: list[tuple[str, str]] = []
    vocabulary = _vocabulary(file, tokens)
    for merge in file.array("tokenizer.ggml.merges") or []:
        left, _, right = str(merge).partition(" ")
        if not (left in vocabulary and right in vocabulary and left + right in vocabulary):
            raise file.broken("a merge of its tokenizer leads outside the vocabulary")
        merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre in _IGNORE_MERGES))
    if pre in _NORMALISED:
        tokenizer.normalizer = normalizers.NFC()
    kind = _PRE_TOKENIZERS[pre]
    steps: list[Any] = {
        _GPT2: [],
        _DIGITS: [pre_tokenizers.Digits(individual_digits=True)],
    }.get(kind, [pre_tokenizers.Split(Regex(kind), behavior="isolated")])
    byte_level = pre_tokenizers.ByteLevel(
        add_prefix_space=file.flag("tokenizer.ggml.add_space_prefix", False),
        use_regex=kind in (_GPT2, _DIGITS),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*steps, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(file: GgufFile, tokens: list[str]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers

    vocabulary = _vocabulary(file, tokens)
    unknown = _id(file, "unknown", tokens)
    prefix = file.flag("tokenizer.ggml.add_space_prefix", True)
    model = models.BPE(
        vocabulary,
        _recovered_merges(file, tokens, vocabulary),
        unk_token=None if unknown is None else tokens[unknown],
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    replace = normalizers.Replace(" ", _SPACE)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(_SPACE), replace] if prefix else [replace]
    )
    steps: list[Any] = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefix:
        steps.append(decoders.Strip(content=" ", left=1, right=0))
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def _recovered_merges(file: GgufFile, tokens: list[str], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """The merges that SentencePiece's scores stand for: it joins the neighbours whose union scores best.

    Each way to put a token together from two others is a merge; they are ordered by the token's score,
    and for one token by the parts' ids.
    """
    scores = file.array("tokenizer.ggml.scores")
    if scores is None or len(scores) != len(tokens):
        raise file.broken("its tokenizer has no score for each token")
    types = _types(file)
    usable = {TokenType.NORMAL, TokenType.USER_DEFINED, TokenType.UNUSED}
    ranked: list[tuple[float, int, int, int]] = []
    for id_, token in enumerate(tokens):
        if types[id_] not in usable:
            continue
        for cut in range(1, len(token)):
            left, right = vocabulary.get(token[:cut]), vocabulary.get(token[cut:])
            if left is not None and right is not None and types[left] in usable and types[right] in usable:
                ranked.append((-float(scores[id_]), id_, left, right))
    ranked.sort()
    return [(tokens[left], tokens[right]) for _, _, left, right in ranked]


def _add_special(file: GgufFile, tokenizer: Tokenizer, tokens: list[str]) -> None:
    """Make control tokens special and user-defined ones whole, wherever they stand in a text."""
    from tokenizers import AddedToken

    types = _types(file)
    by_type = {
        wanted: [
            AddedToken(token, normalized=False, special=special)
            for token, kind in zip(tokens, types, strict=True)
            if kind == wanted and token
        ]
        for wanted, special in ((TokenType.CONTROL, True), (TokenType.USER_DEFINED, False))
    }
    unknown = [
        AddedToken(token, normalized=False, special=True)
        for token, kind in zip(tokens, types, strict=True)
        if kind == TokenType.UNKNOWN
    ]
    tokenizer.add_special_tokens(by_type[TokenType.CONTROL] + unknown)
    tokenizer.add_tokens(by_type[TokenType.USER_DEFINED])
    if tokenizer.get_vocab_size(with_added_tokens=True) != len(tokens):
        raise file.broken("a special token of its tokenizer is outside the vocabulary")


def _add_ends(file: GgufFile, tokenizer: Tokenizer, tokens: list[str], *, default_bos: bool) -> None:
    """Put the begin and end tokens where encoding asks for special tokens, if the file says so."""
    from tokenizers import processors

    bos, eos = _id(file, "bos", tokens), _id(file, "eos", tokens)
    front = bos is not None and file.flag("tokenizer.ggml.add_bos_token", default_bos)
    back = eos is not None and file.flag("tokenizer.ggml.add_eos_token", False)
    ids = ([bos] if front and bos is not None else [], [eos] if back and eos is not None else [])
    if not (ids[0] or ids[1]):
        return
    first = [tokens[i] for i in ids[0]], [tokens[i] for i in ids[1]]
    single = [*first[0], "$A:0", *first[1]]
    second = [*(f"{each}:1" for each in first[0]), "$B:1", *(f"{each}:1" for each in first[1])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=single + second, special_tokens=[(tokens[i], i) for i in {*ids[0], *ids[1]}]
    )


def _tokenizer_config(file: GgufFile, tokens: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": file.integer(f"{file.architecture}.context_length", 1 << 30),
    }
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        if (id_ := _id(file, theirs, tokens)) is not None:
            config[f"{ours}_token"] = tokens[id_]
    if template := file.text("tokenizer.chat_template", ""):
        config["chat_template"] = template
    return config
