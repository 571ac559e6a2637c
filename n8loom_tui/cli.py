"""The command line: parses, then hands over. Nothing heavy is imported before it is needed.

Exit codes: 0; 1 when it failed, with one line on stderr that says what and what to do; 2 for wrong usage.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from n8loom_tui.bench.settings import Section

if TYPE_CHECKING:
    from n8loom_tui.tui.keymap import Keymap
    from n8loom_tui.tui.keymap_file import KeymapProblem

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=False
)
DEFAULT_COMMAND = "weave"
COMMANDS = (DEFAULT_COMMAND, "bench", "export", "import", "keys", "locate")


class Failure(Exception):
    """Something that a person can act on; the message is one line."""


@app.command(DEFAULT_COMMAND)
def weave(
    model: Annotated[
        str, typer.Argument(help="smollm2 (built in), a folder, a hub id or a .gguf file.")
    ] = "smollm2",
    session: Annotated[
        Path | None,
        typer.Option(help="The session file to open or make. Without it, a new one in the data folder."),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Start a tree from this prompt.")] = None,
    prompt_file: Annotated[
        Path | None, typer.Option(help="Start a tree from this file's text (- is stdin).")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Take prompts as they are, without the chat template.")
    ] = False,
    keymap: Annotated[str, typer.Option(help="default, vim, arrows, or one of your own.")] = "default",
    preset: Annotated[
        str | None,
        typer.Option(help="Sampling values by name: balanced, careful, wild, nucleus, greedy, or yours."),
    ] = None,
    n: Annotated[int | None, typer.Option("-n", help="Branches that one ramify grows; else 8.")] = None,
    temp: Annotated[float | None, typer.Option(help="Temperature; 0 is greedy; else 0.8.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Tokens that a branch grows at once; else 64.")
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Drop tokens less likely than this share of the best; else 0.05.")
    ] = None,
    top_p: Annotated[float | None, typer.Option(help="Nucleus sampling; 0 is off.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Draw from the k likeliest; 0 is off.")] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(help="Above 1 it discourages repetition; 1 is off.")
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option(help="End a branch before this text (may be repeated).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Make what is drawn repeatable.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, native, float32, float16 or bfloat16.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="Threads on the CPU; else one core is left free.")
    ] = None,
    kv_budget: Annotated[
        str | None,
        typer.Option(help="Memory for the KV cache, like 500M or 2G; else a quarter of the machine's."),
    ] = None,
    kv_disk: Annotated[
        str,
        typer.Option(help="Disk space for the KV cache, so that a reopened path goes on at once; or off."),
    ] = "1G",
    theme: Annotated[
        str | None,
        typer.Option(help="dark, light, ansi (the terminal's own colours), or another; remembered."),
    ] = None,
    reduced_motion: Annotated[
        bool, typer.Option("--reduced-motion", help="Nothing moves but what is written.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Open a model and weave. Sampling values that are not given are as the session remembers them.

    Further commands: bench, export, import, keys, locate (each has --help).
    """
    from n8loom_tui.tui.given import check_theme, given_settings

    try:
        given = given_settings(
            preset,
            n=n,
            temp=temp,
            max_tokens=max_tokens,
            min_p=min_p,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            stop_strings=tuple(stop) if stop else None,
            seed=seed,
        )
        _check_dtype(dtype)
        check_theme(theme)
        budget = None if kv_budget is None else _size("--kv-budget", kv_budget)
        disk = 0 if kv_disk.strip().lower() == "off" else _size("--kv-disk", kv_disk)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    text = _prompt(prompt, prompt_file)
    _need_terminal()
    from n8loom_tui.tui.launch import Wanted, run

    wanted = Wanted(
        model,
        session,
        text,
        not raw,
        keymap,
        given,
        dtype,
        threads,
        budget,
        disk,
        theme=theme,
        reduced_motion=reduced_motion,
        debug=debug,
    )
    raise typer.Exit(run(wanted))


@app.command()
def bench(
    model: Annotated[
        str, typer.Argument(help="smollm2 (built in), a folder, a hub id or a .gguf file.")
    ] = "smollm2",
    quick: Annotated[bool, typer.Option("--quick", help="A rough picture in a few minutes.")] = False,
    only: Annotated[
        list[Section] | None, typer.Option(help="Measure this section alone (may be repeated).")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="Lengths of the path, in tokens, such as 128,1024,4096.")
    ] = None,
    n: Annotated[str | None, typer.Option("-n", help="Numbers of branches, such as 1,8,32.")] = None,
    rounds: Annotated[int | None, typer.Option(help="How often each contender has its turn.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps in a turn.")] = None,
    json: Annotated[
        str | None, typer.Option(help="Write the figures to this file too (- is stdout, without tables).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random prompts.")] = 0,
    dtype: Annotated[str, typer.Option(help="auto, native, float32, float16 or bfloat16.")] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(help="Threads on the CPU; else those that the app would settle on.", min=1),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,  # noqa: ARG001
) -> None:
    """Measure this engine, mlx-lm's batch generator and the bare forward pass side by side."""
    from n8loom_tui.bench.settings import chosen

    try:
        settings = chosen(
            quick=quick, sections=only, prefixes=prefix, branches=n, rounds=rounds, steps=steps, seed=seed
        )
        _check_dtype(dtype)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    from n8loom_tui.bench.run import Wanted, run

    raise typer.Exit(run(Wanted(model, settings, dtype, threads, json)))


@app.command()
def export(
    session: Annotated[Path, typer.Argument(help="The session file.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="n8loom, pyloom, loomsidian, basemode-loom, jsonl, markdown (md) or text (txt)."
        ),
    ],
    output: Annotated[str, typer.Option("-o", "--output", help="Where to; - is stdout.")] = "-",
    node: Annotated[
        str | None, typer.Option(help="Only this node and all below it; with --path, the path down to it.")
    ] = None,
    path: Annotated[
        bool, typer.Option("--path", help="Only the path down to where you stood, or to --node.")
    ] = False,
) -> None:
    """Write a session in another program's format. Needs no model."""
    from n8loom_tui.session.formats import export_session

    for notice in export_session(session, to, output, node=node, path=path):
        print(notice, file=sys.stderr)


@app.command("import")
def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="A file of n8loom, PyLoom, Loomsidian, basemode-loom, exoloom or logitloom, JSON lines, "
            "or a bare tree of text and children; - is stdin."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The session to make; without it, one in the data folder."),
    ] = None,
) -> None:
    """Make a session of another program's file. Needs no model."""
    from n8loom_tui.session.formats import import_file

    session, notices = import_file(file, output)
    for notice in notices:
        print(notice, file=sys.stderr)
    print(session)


@app.command()
def keys(
    keymap: Annotated[str, typer.Option(help="The keymap to print.")] = "default",
    check: Annotated[bool, typer.Option("--check", help="Check all keymaps, yours included.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write a commented file of your own, where there is none.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="ACTION=KEY",
            help="Put a key into your own file (may be repeated): trim=f8, 'ramify=space,r'.",
        ),
    ] = None,
) -> None:
    """Print a keymap, check the keymaps files, or write your own."""
    from n8loom_tui.paths import config_dir
    from n8loom_tui.tui.keymap import check_keymaps, load_keymaps, shipped_keymaps_path
    from n8loom_tui.tui.keys_text import render_keymap, render_problems

    own = config_dir() / "keymaps.toml"
    if check:
        _tell_problems(check_keymaps(shipped_keymaps_path(), own), render_problems)
        return
    chosen, problems = load_keymaps(keymap, shipped_keymaps_path(), own)
    if write or set_:
        _write_keys(own, chosen, write, set_ or [])
        return
    print(render_keymap(chosen))
    if problems:
        print(render_problems(problems), file=sys.stderr)


def _write_keys(own: Path, keymap: Keymap, write: bool, wanted: list[str]) -> None:
    """Write a person's own keymaps file, and single keys into it."""
    from n8loom_tui.tui.keymap import shipped_keymaps_path
    from n8loom_tui.tui.keymap_write import set_key, write_starter
    from n8loom_tui.tui.toml_file import FileProblem

    try:
        if write:
            write_starter(own, keymap)
            print(own)
        for one in wanted:
            print(set_key(own, shipped_keymaps_path(), one, keymap.name))
    except FileProblem as error:
        raise Failure(str(error)) from None


def _tell_problems(problems: list[KeymapProblem], render: object) -> None:
    if problems:
        assert callable(render)
        print(render(problems), file=sys.stderr)
        raise typer.Exit(1)
    print("The keymaps are in order.")


@app.command()
def locate() -> None:
    """Print where configuration, sessions and models are."""
    from n8loom_tui.paths import cache_dir, config_dir, data_dir

    print(f"configuration  {config_dir()}")
    print(f"keymaps        {config_dir() / 'keymaps.toml'}")
    print(f"presets        {config_dir() / 'presets.toml'}")
    print(f"looks          {config_dir() / 'settings.toml'}")
    print(f"sessions       {data_dir() / 'sessions'}")
    print(f"models         {cache_dir()}")
    print(f"KV cache       {cache_dir() / 'kv'}")


def _size(option: str, text: str) -> int:
    from n8loom_tui.sizes import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _check_dtype(dtype: str) -> None:
    allowed = ("auto", "native", "float32", "float16", "bfloat16")
    if dtype not in allowed:
        raise ValueError(f"--dtype must be one of {', '.join(allowed)}, not {dtype!r}")


def _prompt(prompt: str | None, prompt_file: Path | None) -> str | None:
    """The prompt: an option, a file, or what is piped in."""
    if prompt is not None and prompt_file is not None:
        raise typer.BadParameter("give --prompt or --prompt-file, not both")
    piped = not sys.stdin.isatty()
    if prompt is not None or (prompt_file is not None and str(prompt_file) != "-"):
        if piped and sys.stdout.isatty():
            _stdin_from_terminal()
        piped = False
    if prompt is not None:
        return prompt
    if prompt_file is not None and str(prompt_file) != "-":
        try:
            return prompt_file.read_text("utf-8", errors="replace")
        except OSError as error:
            raise Failure(f"the prompt file {prompt_file} can't be read: {error.strerror}") from error
    if piped:
        text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
        _stdin_from_terminal()
        return text.rstrip("\n") or None
    if prompt_file is not None:
        raise Failure("--prompt-file - reads a pipe, and nothing is piped in")
    return None


def _stdin_from_terminal() -> None:
    """After a pipe was read, let keys come from the terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise Failure("no terminal to take keys from: run this in one") from None
    os.dup2(terminal, 0)
    os.close(terminal)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115


def _need_terminal() -> None:
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise Failure(
            "this draws on a terminal, and its output is not one (`n8loom-tui export` works without)"
        )


def main() -> None:
    """The program's entry."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--version"]:
        print(f"n8loom-tui {metadata.version('n8loom-tui')}")
        return
    if not arguments or arguments[0] not in COMMANDS:
        arguments.insert(0, DEFAULT_COMMAND)
    debug = "--debug" in arguments
    try:
        app(arguments, prog_name="n8loom-tui")
    except Failure as error:
        _fail(str(error), debug)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - no traceback ever reaches a user
        _fail(str(error) or type(error).__name__, debug)


def _fail(message: str, debug: bool) -> None:
    from n8loom_tui.models.errors import one_line

    if debug:
        import traceback

        traceback.print_exc()
    print(f"n8loom-tui: {one_line(message)}", file=sys.stderr)
    sys.exit(1)
