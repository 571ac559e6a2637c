"""Any text told in ASCII, in as many cells as before. No user interface in here."""

from __future__ import annotations

import unicodedata

from rich.cells import get_character_cell_size

_TWINS = str.maketrans(
    {
        **dict.fromkeys("│┃║┆┇┊┋▌▐▏▎▍╎╏", "|"),
        **dict.fromkeys("─━═┄┅┈┉╌╍▁▔▂▃", "-"),
        **dict.fromkeys("┌┐└┘╭╮╰╯┏┓┗┛╔╗╚╝├┤┬┴┼╋╠╣╦╩╬", "+"),
        **dict.fromkeys("█▇▆▅▄▉▊▋▓■◼", "#"),
        **dict.fromkeys("░▒▀", ":"),
        **dict.fromkeys("·•∙", "-"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’‚′", "'"),
        **dict.fromkeys("–—−", "-"),
        **dict.fromkeys("→▸▶›", ">"),
        **dict.fromkeys("←◂◀‹", "<"),
        "…": "~",
        "⋯": "~",
        "↑": "^",
        "↓": "v",
        "⏎": "/",
        "␣": "_",
        "×": "x",
        "∅": "0",
        "●": "*",
        "★": "@",
        "∎": "$",
        "✂": "%",
        "✎": "w",
        "†": "n",
        "◆": "=",
        "◌": ".",
        "⠿": "!",
    }
)


def in_ascii(text: str) -> str:
    """A text with a twin for each character that is not ASCII: the letter below its accents, a sign that looks alike,
    or a question mark. A wide character gets as many cells as it had.
    """
    if text.isascii():
        return text
    return "".join(map(_twin, text.translate(_TWINS)))


def _twin(character: str) -> str:
    if character < "\x80":
        return character
    width = get_character_cell_size(character)
    if width == 0:
        return ""
    base = unicodedata.normalize("NFKD", character)[0]
    return (base if " " <= base < "\x7f" else "?") + "?" * (width - 1)
