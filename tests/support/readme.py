"""The table of architectures in the README."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- architectures -->", "<!-- /architectures -->"


@dataclass(frozen=True)
class Row:
    """An architecture: what its layers keep, and how it is served, or why it is refused."""

    name: str
    layers: str
    served: str = ""
    refused: str = ""


def table(rows: Iterable[Row], left_out: Mapping[str, str]) -> str:
    """The text between the markers."""
    rows = sorted(rows, key=lambda row: row.name.lower())
    counts = Counter(row.served for row in rows if row.served)
    told = [f"{count} {served}" for served, count in counts.most_common()]
    refused = sum(bool(row.refused) for row in rows)
    lines = [
        f"Of {len(rows)} tiny models that cover mlx-lm's architectures, {len(rows) - refused} are exact: "
        f"{'; '.join(told)}. Refused by name: {refused}.",
        "",
        "<details><summary>By architecture</summary>",
        "",
        "| architecture | its layers keep | exact | refused |",
        "|---|---|---|---|",
        *(f"| {row.name} | {row.layers} | {row.served} | {row.refused} |" for row in rows),
        "",
        "Not tried, as they do not run on a plain CPU:",
        "",
        *(f"- {name}: {reason}." for name, reason in sorted(left_out.items())),
        "",
        "</details>",
    ]
    return "\n".join(lines)


def write_table(text: str) -> None:
    """Put the text between the markers."""
    whole = README.read_text("utf-8")
    before, rest = whole.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", "utf-8")
