"""A report as tables for a person, at most 80 columns wide. What the columns mean stands in the README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from n8loom_tui.bench.results import Host, Report
from n8loom_tui.models.errors import one_line

NOTHING = "-"


def show(report: Report, console: Console) -> None:
    """Print all that there is of a report."""
    for line in _head(report):
        console.print(Text(line), soft_wrap=True)
    for title, table in _tables(report):
        if console.is_terminal:  # elsewhere the columns alone are easier to work with
            table.box, table.padding = box.SIMPLE_HEAD, 0
        console.print()
        console.print(Text(title, "bold"))
        console.print(table)
    console.print()
    for note in report.notes:
        console.print(Text(f"* {one_line(note)}"), soft_wrap=True)
    if report.disturbed:
        share = f"{report.cores_used:.0%} of one core"
        console.print(
            Text(f"* the machine was busy with something else: this got {share}; trust the ratios alone")
        )
    state = "" if report.complete else ", ended early: what was not finished is missing"
    console.print(Text(f"measured in {report.seconds:.0f} s{state}"))


def _head(report: Report) -> list[str]:
    settings = report.settings
    return [
        f"n8loom-tui bench: {one_line(report.model)}, served as {report.served}",
        *_host(report.host),
        f"{settings.rounds} rounds of {settings.steps} steps each, the contenders in turns; medians",
    ]


def _host(host: Host) -> list[str]:
    memory = f", {host.memory / 2**30:.0f} GiB" if host.memory else ""
    threads = f", threads: {host.threads} ({host.threads_chosen})" if host.threads is not None else ""
    detail = f" ({host.blas_detail})" if host.blas_detail else ""
    lines = [
        f"{host.machine}, {host.cores} cores{memory}, {host.system}",
        f"{host.device}, {host.dtype}, {host.blas}{detail}{threads}",
        ", ".join(f"{name} {version}" for name, version in host.versions.items()),
    ]
    return [*lines, f"* {host.note}"] if host.note else lines


def _tables(report: Report) -> Iterable[tuple[str, Table]]:
    """The tables of the sections that were measured, with their titles."""
    if report.decode:
        yield "Decoding", _speed(report)
        tries = report.decode[0].engine.first_token.count
        yield f"First token from a cached node (median of {tries}), and extra memory", _start(report)
    if report.leaves:
        yield "Many leaves", _leaves(report)
    if report.depth:
        yield "Depth: the same path as few and as many nodes", _depth(report)
    if report.sampling:
        yield "Choosing tokens", _sampling(report)
    if report.prefill:
        yield "Reading (prefill)", _prefill(report)
    if report.joining:
        yield "Beside streaming branches", _joining(report)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 0) -> Table:
    """A table whose first `words` columns are words and the rest figures."""
    table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < words else "right", vertical="bottom")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _figure(value: float | None) -> str:
    """Three digits that count: all before the point, or down to the thousandths."""
    if value is None:
        return NOTHING
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def _mebibytes(size: int | None) -> str:
    return NOTHING if size is None else f"{size / 2**20:.0f}"


def _ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _speed(report: Report) -> Table:
    columns = ["prefix", "n", "engine\ntok/s", "engine\nms", "p90\nms", "mlx-lm\ntok/s", "mlx-lm\nms"]
    columns += ["floor\nms", "own\nms", "step\n×floor", "step\n×own", "speed\n×mlx-lm"]
    rows = [
        [
            str(row.prefix),
            str(row.branches),
            _figure(row.engine.tokens_per_second),
            _figure(row.engine.step.median),
            _figure(row.engine.step.p90),
            _figure(row.mlx_lm.tokens_per_second if row.mlx_lm else None),
            _figure(row.mlx_lm.step.median if row.mlx_lm else None),
            _figure(row.floor.median),
            _figure(row.own_floor.median),
            _ratio(row.step_to_floor),
            _ratio(row.step_to_own_floor),
            _ratio(row.speed_to_mlx_lm),
        ]
        for row in report.decode
    ]
    return _table(columns, rows)


def _start(report: Report) -> Table:
    columns = [
        "prefix",
        "n",
        "first\nms",
        "first\nsteps",
        "mlx-lm\nms",
        "memory\nMiB",
        "mlx-lm\nMiB",
        "share",
    ]
    rows = [
        [
            str(row.prefix),
            str(row.branches),
            _figure(row.engine.first_token.median),
            _ratio(row.engine.first_token.median / row.engine.step.median),
            _figure(row.mlx_lm.first_token.median if row.mlx_lm else None),
            _mebibytes(row.engine.extra_memory),
            _mebibytes(row.mlx_lm.extra_memory if row.mlx_lm else None),
            _ratio(row.memory_to_mlx_lm),
        ]
        for row in report.decode
    ]
    return _table(columns, rows)


def _leaves(report: Report) -> Table:
    rows = [
        [
            row.way,
            str(row.branches),
            str(row.tokens),
            _figure(row.tokens_per_second),
            _figure(row.took.median),
            str(row.took.count),
            _ratio(row.speed_to_one_by_one),
        ]
        for row in report.leaves
    ]
    return _table(["", "n", "tokens", "tok/s", "took\nms", "rounds", "speed ×\none by one"], rows, words=1)


def _depth(report: Report) -> Table:
    rows = [
        [
            str(row.nodes),
            str(row.tokens),
            _figure(row.request.median),
            _figure(row.first_token.median),
            _figure(row.first_token.p90),
            _figure(row.step.median),
            _ratio(row.first_token_in_steps),
            str(row.first_token.count),
        ]
        for row in report.depth
    ]
    columns = ["nodes", "tokens", "request\nms", "first\nms", "p90\nms", "step\nms", "first\nsteps", "rounds"]
    return _table(columns, rows)


def _sampling(report: Report) -> Table:
    rows = [
        [
            row.way,
            str(row.branches),
            _figure(row.step.median),
            _figure(row.step.p90),
            f"{(row.step_to_greedy - 1) * 100:+.1f} %",
            str(row.step.count),
        ]
        for row in report.sampling
    ]
    return _table(["", "n", "step\nms", "p90\nms", "cost", "steps"], rows, words=1)


def _prefill(report: Report) -> Table:
    rows = [
        [
            str(row.tokens),
            _figure(row.engine_tokens_per_second),
            _figure(row.mlx_lm_tokens_per_second),
            _ratio(row.speed_to_mlx_lm),
            str(row.engine.count),
        ]
        for row in report.prefill
    ]
    return _table(["tokens", "engine\ntok/s", "mlx-lm\ntok/s", "speed\n×mlx-lm", "rounds"], rows)


def _joining(report: Report) -> Table:
    rows = [
        [
            row.what,
            str(row.streaming),
            _figure(row.undisturbed.median),
            _figure(row.meanwhile.median),
            _figure(row.worst.median),
            _ratio(row.worst_in_steps),
            _figure(row.took.median),
            str(row.worst.count),
        ]
        for row in report.joining
    ]
    columns = ["", "n", "step\nms", "beside\nms", "worst\nms", "worst\nsteps", "took\nms", "rounds"]
    return _table(columns, rows, words=1)
