"""Having the texts of a session that was just opened encoded, a few at a time: an imported tree may have 100,000.

Whoever continues a node before its turn has come is not kept waiting: its path is encoded with the request.
"""

from __future__ import annotations

from collections.abc import Iterator

from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import Encode
from n8loom_tui.tui.document import Document

AT_ONCE = 64
"""How many nodes are asked for before the answers to the last ones are there."""


class CatchUp:
    """The nodes of a document that no tokenizer has read yet."""

    def __init__(self, document: Document, current: Heddle | None) -> None:
        """`current` is the node whose path is wanted first."""
        self._document = document
        # From the end: what was written last stands lowest, and a request for it tells of all above it as well.
        self._left = document.unencoded()
        if current is not None and not current.encoded:
            self._left.append(current)
        self._asked: dict[str, list[Heddle]] = {}

    def requests(self) -> Iterator[Encode]:
        """What to ask next, once what was asked before has been answered."""
        self._asked = {
            request: unread
            for request, nodes in self._asked.items()
            if (unread := [node for node in nodes if self._is_unread(node)])
        }
        if self._asked:
            return
        wanted = 0
        seen: set[str] = set()
        while self._left and wanted < AT_ONCE:
            node = self._left.pop()
            if node.id in seen or not self._is_unread(node):
                continue
            unread = [above for above in node.path() if self._is_unread(above)]
            seen.update(above.id for above in unread)
            wanted += len(unread)
            request = self._document.encode_request(node)
            self._asked[request.id] = unread
            yield request

    def failed(self, request_id: str) -> None:
        """What was asked for cannot be encoded; it is not waited for."""
        self._asked.pop(request_id, None)

    def _is_unread(self, node: Heddle) -> bool:
        return not node.encoded and not node.tokens and node.id in self._document.nodes
