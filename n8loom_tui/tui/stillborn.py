"""Branches that had said nothing when the program was killed: they are as if they had never been."""

from __future__ import annotations

from n8loom_tui.loom.heddle import Heddle, Kind
from n8loom_tui.loom.protocol import Finish
from n8loom_tui.session.change import Change
from n8loom_tui.session.history import History
from n8loom_tui.session.history_trees import Trees


def forget_stillborn(trees: Trees, history: History) -> None:
    """Take them out. Those on which a person has set something stay, as stopped."""
    trash = trees.trash
    for node in [node for node in trash.values() if _is_stillborn(node)]:
        del trash[node.id]
    for node in [node for node in trees.nodes.values() if not node.text and _is_stillborn(node)]:
        if node.children or node.marks.by_hand:
            node.finish = str(Finish.CANCELLED)
            trees.pending.content(node)
        else:
            history.forget(node, Change())


def _is_stillborn(node: Heddle) -> bool:
    """Whether a branch neither said anything nor ended."""
    return (
        node.kind is Kind.GENERATED
        and not (node.text or node.finish or node.tokens)
        and "seed" in node.provenance
    )
