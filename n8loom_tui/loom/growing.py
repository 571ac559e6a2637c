"""Adaptive runs on the caller's thread: what `Heddle.weave_until` and `Heddle.cutoff_tree` do."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from .adaptive import CutoffTree, Run, WeaveUntil
from .engine import engine_for
from .heddle import Heddle
from .protocol import BranchFinished, BranchToken, Event, Finish, Ramify, Request
from .until import Condition
from .weave import finish, generated, params_of


class Nursery:
    """Branches that stand in the tree from the moment they are asked for, and fill as events come."""

    def __init__(self, node: Heddle) -> None:
        """`node`: what the first of them go on from."""
        self.growing: dict[str, Heddle] = {}
        self._nodes = {node.id: node}

    def sprout(self, request: Ramify) -> None:
        """Enter a node for each branch of a request, under the branch's id."""
        for source in request.sources:
            parent = self._nodes[source.path[-1].node_id]
            for spec in source.branches:
                child = generated(parent, request.params, spec)
                child.id = spec.id
                self._nodes[child.id] = self.growing[child.id] = parent.add_child(child)

    def take(self, event: Event) -> Heddle | None:
        """Enter what an event tells. Returns the node that it was of."""
        match event:
            case BranchToken(branch_id=branch) if branch in self.growing:
                node = self.growing[branch]
                node.append_token(event.token, event.text, event.logprob, event.alternatives, event.entropy)
                return node
            case BranchFinished(branch_id=branch, reason=reason) if branch in self.growing:
                return self._end(self.growing.pop(branch), reason)
        return None

    def _end(self, node: Heddle, reason: Finish) -> Heddle:
        if not finish(node, reason) and node.parent is not None:
            node.parent.remove_child(node)
        return node

    def close(self) -> None:
        """End what still grows as it stands."""
        while self.growing:
            self._end(self.growing.popitem()[1], Finish.CANCELLED)


def _grow(node: Heddle, run: Run) -> Generator[dict[str, Any], None, list[Heddle]]:
    """Serve a run. Closed early, it keeps what there is."""
    engine = engine_for(node.model, node.tokenizer)
    before = len(node.children)
    nursery = Nursery(node)
    touched: dict[str, Heddle] = {}

    def follow(event: Event) -> list[Request]:
        changed = nursery.take(event)
        if changed is not None:
            touched[changed.id] = changed
        requests = run.take(event)
        for request in requests:
            if isinstance(request, Ramify):
                nursery.sprout(request)
        return requests

    first = run.begin()
    nursery.sprout(first)
    steps = engine.run(first, follow)
    try:
        for _ in steps:
            nodes = [changed for changed in touched.values() if changed.parent is not None]
            touched.clear()
            if nodes:
                yield {"type": "update", "nodes": nodes}
    finally:
        for request in run.stop():
            engine.submit(request)
        for _ in steps:  # what was held back is said
            pass
        nursery.close()
    children = node.children[before:]
    yield {"type": "final", "children": children}
    return children


def _all(stream: Generator[dict[str, Any], None, list[Heddle]]) -> list[Heddle]:
    children: list[Heddle] = []
    for told in stream:
        children = told.get("children", children)
    return children


def weave_until(
    node: Heddle,
    condition: Condition | Iterable[Condition],
    n: int,
    *,
    depth: int,
    max_nodes: int,
    total_tokens: int | None,
    stream: bool,
    **options: Any,
) -> Any:
    """What `Heddle.weave_until` does."""
    params = params_of({**options, "until": condition})
    path = [above.segment() for above in node.path()]
    run = WeaveUntil(path, params, n=n, depth=depth, max_nodes=max_nodes, max_tokens=total_tokens)
    return _served(node, run, stream)


def cutoff_tree(
    node: Heddle, p: float, *, depth: int, max_nodes: int, top_logprobs: int, stream: bool
) -> Any:
    """What `Heddle.cutoff_tree` does."""
    path = [above.segment() for above in node.path()]
    run = CutoffTree(path, p=p, depth=depth, max_nodes=max_nodes, top_logprobs=top_logprobs)
    return _served(node, run, stream)


def _served(node: Heddle, run: Run, stream: bool) -> Any:
    grown = _nothing() if node.terminal else _grow(node, run)
    return grown if stream else _all(grown)


def _nothing() -> Generator[dict[str, Any], None, list[Heddle]]:
    """Behind a terminal node nothing grows."""
    yield {"type": "final", "children": []}
    return []
