"""The table of architectures in the README."""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Container, Iterable, Mapping
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

    def __str__(self) -> str:
        """The row as it stands in the table."""
        return f"| {self.name} | {self.layers} | {self.served} | {self.refused} |"


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
        *map(str, rows),
        "",
        "Not tried, as they do not run on a plain CPU:",
        "",
        *(f"- {name}: {reason}." for name, reason in sorted(left_out.items())),
        "",
        "</details>",
    ]
    return "\n".join(lines)


def told(readme: str) -> str:
    """What a README has between the markers."""
    return readme.split(f"{BEGIN}\n")[1].split(f"\n{END}", maxsplit=1)[0]


def rows_of(text: str) -> dict[str, Row]:
    """The rows of a table, by their names."""
    cells = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:2] == "| "
    )
    return {name: Row(name, *others) for name, *others in cells if name != "architecture"}


def write_row(row: Row, names: Container[str], left_out: Mapping[str, str]) -> None:
    """Put a row into the README's table, and keep those of these names. Several processes may do so."""
    with README.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        readme = file.read()
        old = told(readme)
        rows = {**rows_of(old), row.name: row}
        file.seek(0)
        file.write(readme.replace(old, table([r for r in rows.values() if r.name in names], left_out)))
        file.truncate()
