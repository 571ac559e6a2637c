"""What remains of an error that was told: what it says and where it came from, but nothing that its frames hold.

A frame that an error came through holds all that it worked on: caches, and pins on paths that could be dropped.
"""

from __future__ import annotations

import traceback
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """The same error, and those that led to it, with the frames that they came through emptied.

    The frame that caught it still runs and cannot be; it is left out.
    """
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if each.__traceback__ is not None:
            traceback.clear_frames(each.__traceback__)
            each.__traceback__ = each.__traceback__.tb_next
        each = each.__cause__ or each.__context__
    return error
