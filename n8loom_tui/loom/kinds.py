"""Where a node's text came from, and what its provenance tells of it. Plain values."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Where a node's text came from."""

    PROMPT = "prompt"
    GENERATED = "generated"
    WRITTEN = "written"
    EDITED = "edited"
    TURN = "turn"
    """A user's message in the model's chat template."""


MESSAGE = "message"
"""In the provenance of a chat turn: what the person wrote, without the template."""
SYSTEM = "system"
"""In the provenance of a root: the system's message in its chat template."""
