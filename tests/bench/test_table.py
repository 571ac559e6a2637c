"""The tables as they are read: narrow enough, nothing cut off, nothing that a name could do to a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from n8loom_tui.bench.results import (
    DecodeRow,
    Decoding,
    DepthRow,
    Host,
    JoiningRow,
    LeavesRow,
    PrefillRow,
    Report,
    SamplingRow,
    Timing,
)
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.bench.table import show

LARGE = Timing(12345.678, 23456.789, 34567.89, 10000)
SMALL = Timing(0.01234, 0.02345, 0.03456, 3)
HOST = Host(
    "A processor", "Linux", 64, 1 << 36, "cpu", "float32", "OpenBLAS", "0.3", 2, "settled on", {"mlx": "0.32"}
)


def report(timing: Timing, size: float) -> Report:
    """A report in which all figures are large, or all are small."""
    decoding = Decoding(size, timing, timing, int(size * 2**20))
    shown = Report("model", "network", HOST, BenchSettings(), "2025-01-01T00:00:00+00:00")
    shown.decode = [
        DecodeRow(131072, 256, decoding, decoding, timing, timing, size, size, size, size),
        DecodeRow(128, 1, decoding, None, timing, timing, size, size, None, None),
    ]
    shown.leaves = [LeavesRow("mlx-lm: all leaves, clones", 256, 16, timing, size, size)]
    shown.depth = [DepthRow(1000, 1000, timing, timing, timing, size)]
    shown.sampling = [SamplingRow("the app's default", 256, timing, size)]
    shown.prefill = [
        PrefillRow(131072, timing, size, timing, size, size),
        PrefillRow(8, timing, size, None, None, None),
    ]
    shown.joining = [JoiningRow("a branch of another node joins", 8, timing, timing, timing, timing, size)]
    return shown


def printed(shown: Report, *, terminal: bool) -> str:
    file = io.StringIO()
    show(
        shown,
        Console(file=file, width=80, force_terminal=terminal, color_system="truecolor" if terminal else None),
    )
    return file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(("timing", "size"), [(LARGE, 12345.6), (SMALL, 0.0123)])
def test_eighty_columns_are_enough(terminal: bool, timing: Timing, size: float) -> None:
    text = printed(report(timing, size), terminal=terminal)
    assert ("\x1b[" in text) == terminal
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    figures = "12346" if size > 1 else "0.012"
    rows = [line for line in lines if figures in line]
    assert len(rows) == 10, "each row stands on one line"


def test_what_was_not_measured_shows_as_such() -> None:
    text = printed(report(LARGE, 12345.6), terminal=False)
    row = next(line for line in text.splitlines() if line.split()[:2] == ["128", "1"])
    assert row.split() == [
        "128",
        "1",
        "12346",
        "12346",
        "23457",
        "-",
        "-",
        "12346",
        "12346",
        "12346",
        "12346",
        "-",
    ]


def test_an_empty_report_says_that_it_ended_early() -> None:
    text = printed(Report("model", "network", HOST, BenchSettings(), ""), terminal=False)
    assert "ended early" in text
    assert "Decoding" not in text


def test_names_and_notes_cannot_write_to_the_terminal() -> None:
    shown = Report("[red]model\x1b[2J\nx", "network", HOST, BenchSettings(), "")
    shown.note("said \x1b]0;title\x07 [bold]")
    shown.note("said \x1b]0;title\x07 [bold]")
    text = printed(shown, terminal=False)
    assert "\x1b" not in text
    assert "[red]model" in text
    assert text.count("[bold]") == 1


def test_json_has_no_figure_that_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        report(Timing(float("nan"), 1, 1, 1), 1).to_json()


@pytest.mark.parametrize(
    ("device", "cores", "said"), [("cpu", 0.4, True), ("cpu", 1.7, False), ("metal", 0.1, False)]
)
def test_a_machine_that_was_busy_with_something_else_is_told_of(
    device: str, cores: float, said: bool
) -> None:
    shown = Report("model", "network", replace(HOST, device=device), BenchSettings(), "", cores_used=cores)
    assert ("busy with something else: this got 40% of one core" in printed(shown, terminal=False)) == said
