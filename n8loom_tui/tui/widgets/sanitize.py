"""Text that is not ours, made fit for a terminal: what it may contain, how wide it is, where it wraps.

Nothing here knows a user interface. Prompts, model output, file names and messages are hostile: whatever is
drawn goes through `visible` first. Widths are terminal cells as Rich measures them, never characters. Every
function is linear in the text that it has to look at.
"""

from __future__ import annotations

import re

from rich.cells import cell_len, get_character_cell_size

TAB = "    "
"""What a tab is drawn as. Its width does not depend on its column, so a text's prefix is drawn as the text's
start."""

# Characters that only change how their neighbours look, and of which terminals disagree how wide that makes
# them (U+200D, variation selectors, skin tones). Without them every terminal draws what Rich measures.
_DROPPED = "\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef\U0001f3fb-\U0001f3ff"

# Control and format characters, lone surrogates, line separators, and letters that are drawn as nothing.
# U+200C stays: Persian needs it, and it does no harm.
_MARKED = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_HARMFUL = re.compile(f"[{_DROPPED}{_MARKED}]")
_DROP = re.compile(f"[{_DROPPED}]")
_RAW = re.compile(f"[\n{_DROPPED}{_MARKED}]")


def _mark(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if _DROP.match(character):
        return ""
    return f"\u2039U+{code:04X}\u203a"


def visible(text: str, newline: str = "\n") -> str:
    """The text with every character that a terminal could act upon shown as a symbol.

    Control characters become their pictures (␀, ␛), others their number (‹U+202E›), tabs four spaces, line
    feeds `newline`. Zero-width joiners, variation selectors and skin tones are left out: terminals disagree
    about the width of what they join. Each character is treated alone, so `visible(a) + visible(b) ==
    visible(a + b)`.
    """
    if _HARMFUL.search(text) is not None:
        text = _HARMFUL.sub(_mark, text)
    return text if newline == "\n" else text.replace("\n", newline)


def raw(text: str) -> bool:
    """Whether there is anything in a line that `one_cell` changes. Quick: all lines of the screen are asked."""
    return not (text.isascii() and text.isprintable()) and _RAW.search(text) is not None


def one_cell(text: str) -> str:
    """A line as `visible` has it, but with one sign of one cell for each character: where text is edited, a character
    has a place. What has no picture is shown as �."""
    return _RAW.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return "" if _DROP.match(match.group()) else "\ufffd"


def shifts(text: str) -> list[tuple[int, int]]:
    """Where `visible` changes a text's length: (a character's place, how many characters longer what is shown is)."""
    return [(match.start(), len(_mark(match)) - 1) for match in _HARMFUL.finditer(text)]


class _Widths(dict[str, int]):
    """Cells per character. A dictionary because the loops below ask once per character of a megabyte."""

    def __missing__(self, character: str) -> int:
        width = get_character_cell_size(character)
        if len(self) < 1 << 16:
            self[character] = width
        return width


_WIDTHS = _Widths()

# One cell each, and nothing that could join: lines of these need no look at single characters.
_PLAIN = re.compile("[\x20-\x7e\xa1-\xac\xae-\u02ff\u0370-\u0482\u2010-\u2027\u2030-\u205e\u2500-\u25fc]*")

_SKIPPED_SPACES = 4
"""How many spaces vanish where a line wraps. A longer run is text (a model may produce nothing else)."""


def _cluster(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the character at `start` ends with all that hangs on it, and its cells: a combining mark, a
    joiner with the character behind it, a selector that widens it."""
    base = text[start]
    width = _WIDTHS[base]
    index = start + 1
    while index < end and _WIDTHS[text[index]] == 0:
        if text[index] == "\u200d":
            index = min(index + 2, end)
            continue
        index += 1
    if index > start + 1:
        width = cell_len(text[start:index])
    return index, width


def _fit(text: str, start: int, end: int, width: int) -> tuple[int, int]:
    """How far a line from `start` reaches: (where the next character would not fit, the last good place to
    break).

    A good place is a space, or beside a wide character (such scripts have no spaces); -1 if there is none. A
    line also ends after far more characters than cells, so that a heap of combining marks stays small.
    """
    end = min(end, start + 8 * width + 32)
    used, index, good = 0, start, -1
    while index < end:
        character = text[index]
        cells, after = _WIDTHS[character], index + 1
        if after < end and _WIDTHS[text[after]] == 0:
            after, cells = _cluster(text, index, end)
        if character == " " or (cells == 2 and index > start):
            good = index
        if used + cells > width:
            return (index if index > start else after), good
        used += cells
        index = after
        if cells == 2:
            good = index
    return index, good


def _wrap_paragraph(text: str, start: int, end: int, width: int, lines: list[tuple[int, int]]) -> None:
    plain_until = _PLAIN.match(text, start, end).end()  # type: ignore[union-attr]
    while True:
        if start + width < plain_until or plain_until == end:
            stop = min(start + width, end)
            good = text.rfind(" ", start + 1, stop + 1) if stop < end else -1
        else:
            stop, good = _fit(text, start, end, width)
        if stop >= end:
            lines.append((start, end))
            return
        if good > start and not text[start:good].isspace():
            stop = good
        lines.append((start, stop))
        skipped_until = min(stop + _SKIPPED_SPACES, end)
        start = stop
        while start < skipped_until and text[start] == " ":
            start += 1
        if start >= end:
            return
        if plain_until < start:
            plain_until = _PLAIN.match(text, start, end).end()  # type: ignore[union-attr]


def wrap_cells(text: str, width: int) -> list[tuple[int, int]]:
    """Wrap a text into lines of at most `width` cells: a list of (start, end), never empty.

    Lines break at line feeds (which belong to no line), else at spaces (of which a few vanish where a line
    breaks), beside wide characters, and inside a word only if it does not fit a line of its own. What hangs
    together in one cell stays together. A character wider than `width` gets a line of its own.

    The breaks of all lines but the last two do not depend on what follows, so a growing text is wrapped on
    from the start of its last line but one.
    """
    width = max(width, 1)
    lines: list[tuple[int, int]] = []
    start = 0
    while True:
        end = text.find("\n", start)
        _wrap_paragraph(text, start, len(text) if end < 0 else end, width, lines)
        if end < 0:
            return lines
        start = end + 1


def truncate_cells(text: str, width: int, ellipsis: str = "…") -> str:
    """The start of a one-line text in at most `width` cells, with `ellipsis` at its end if anything was left
    out."""
    if width <= 0:
        return ""
    room = width - cell_len(ellipsis)
    plain = _PLAIN.match(text, 0, width + 1).end()  # type: ignore[union-attr]
    if plain == len(text) and plain <= width:
        return text
    if plain > width and room > 0:
        return text[:room] + ellipsis
    if _fit(text, 0, len(text), width)[0] >= len(text) and cell_len(text) <= width:
        return text
    if room <= 0:
        return ellipsis if room == 0 else ""
    stop = _fit(text, 0, len(text), room)[0]
    kept = text[:stop]
    return (kept if cell_len(kept) <= room else "") + ellipsis


def tail_cells(text: str, width: int, ellipsis: str = "…") -> str:
    """The end of a one-line text in at most `width` cells, with `ellipsis` before it if anything was left
    out."""
    if width <= 0:
        return ""
    if len(text) <= width * 4 and cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room <= 0:
        return ellipsis if room == 0 else ""
    text = text[-8 * width - 32 :]
    start, used = len(text), 0
    while start > 0:
        character = text[start - 1]
        if used + _WIDTHS[character] > room:
            break
        used += _WIDTHS[character]
        start -= 1
    while start < len(text) and _WIDTHS[text[start]] == 0:
        start += 1  # a mark whose character was left out
    return ellipsis + text[start:]
