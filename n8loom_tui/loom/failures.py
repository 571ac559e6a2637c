"""What remains of an error that was told: what it says and where it came from, but nothing that its frames hold.

A frame that an error came through holds all that it worked on, caches and pins on paths among it, and so do its
callers. As long as the error is remembered none of that could be dropped.
"""

from __future__ import annotations

import traceback
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """The same error, as well as those that led to it, with notes of where they came from in place of tracebacks."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if each.__traceback__ is not None:
            each.add_note("It came from:\n" + "".join(traceback.format_tb(each.__traceback__)).rstrip())
            each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error
