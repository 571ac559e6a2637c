"""Numbers and texts as bytes: exact, and small."""

import pytest

from n8loom_tui.session.packing import pack, pack_ends, pack_text, unpack, unpack_ends, unpack_text


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [0],
        [255, 0],
        [256],
        [65535, 1],
        [65536, 2],
        [2**32 - 1],
        [2**32, 5],
        [2**64 - 1, 0],
        list(range(1000)),
    ],
)
def test_numbers_come_back(numbers: list[int]) -> None:
    assert unpack(pack(numbers)) == numbers


def test_rising_numbers_come_back() -> None:
    for ends in ([], [0], [0, 0, 3, 3, 400], [70000], list(range(0, 9000, 3))):
        assert unpack_ends(pack_ends(ends)) == ends


def test_a_token_of_a_usual_vocabulary_takes_three_bytes_with_its_end() -> None:
    tokens, ends = list(range(40000, 40100)), list(range(4, 404, 4))
    assert len(pack(tokens)) + len(pack_ends(ends)) == 2 + 3 * 100


@pytest.mark.parametrize("numbers", [[-1], [2**64]])
def test_what_is_no_token_id_is_refused(numbers: list[int]) -> None:
    with pytest.raises(OverflowError):
        pack(numbers)


@pytest.mark.parametrize("blob", [b"\x00", b"\x03\x01", b"\x02\x01", b"\xff\xff\xff"])
def test_other_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(blob)


def test_any_text_comes_back() -> None:
    text = "".join(map(chr, (*range(0x300), *range(0xD7F0, 0xE010), 0xFFFF, 0x1F600, 0x10FFFF)))
    assert unpack_text(pack_text(text)) == text
