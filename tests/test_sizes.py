"""Sizes as people write them."""

from __future__ import annotations

import pytest

from n8loom_tui.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("800000000", 800_000_000),
        ("500M", 500_000_000),
        ("500m", 500_000_000),
        (" 2 GB ", 2_000_000_000),
        ("1.5G", 1_500_000_000),
        ("512MiB", 512 << 20),
        ("1T", 10**12),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "5X", "1e9", "G", "5iB", "0", "0.0M", "½G"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="500M"):
        parse_size(text)
