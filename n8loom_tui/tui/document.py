"""The loom that is open: its trees, what grows in them, and every edit a person can make. Knows no widget.

Lives on the UI's thread. Each operation changes the tree, notes what has to be stored, and says in a `Change` what the
screen has to redraw.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from n8loom_tui.loom.heddle import Heddle, Kind, Loom, new_id
from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    BranchToken,
    Encode,
    Encoded,
    Event,
    Finish,
    Framing,
    Ramify,
    RequestFailed,
    SamplingParams,
    Source,
)
from n8loom_tui.loom.seeds import branch_seed
from n8loom_tui.tui.backend import ModelInfo


class EditError(ValueError):
    """An edit that cannot be made here; the message says why and what to do."""


@dataclass(slots=True)
class Change:
    """What an operation did, for the screen."""

    added: list[tuple[Heddle | None, list[Heddle]]] = field(default_factory=list)
    removed: list[tuple[Heddle | None, Heddle]] = field(default_factory=list)
    changed: dict[str, Heddle] = field(default_factory=dict)
    finished: list[Heddle] = field(default_factory=list)

    def touch(self, node: Heddle) -> None:
        """Note that a node's own row and text changed."""
        self.changed[node.id] = node


@dataclass(frozen=True, slots=True)
class _Deferred:
    """A ramify on a node that still grows: it starts when the node has ended."""

    nodes: list[Heddle]
    n: int
    params: SamplingParams


class Document:
    """Trees, growth and edits."""

    def __init__(self, roots: Iterable[Heddle] = (), fingerprints: Mapping[str, str] | None = None) -> None:
        """`fingerprints`: by node id, that of the model whose token ids the node holds, where it is known."""
        self._fingerprints = dict(fingerprints or {})
        self.roots: list[Heddle] = list(roots)
        self.nodes: dict[str, Heddle] = {node.id: node for root in self.roots for node in root.walk()}
        self.growing: dict[str, Heddle] = {}
        self.model: ModelInfo | None = None
        self.unsaved: dict[str, Heddle] = {}
        self.dropped: list[str] = []
        self._requests: dict[str, list[str]] = {}
        self._deferred: list[_Deferred] = []

    # ------------------------------------------------------------------- model

    def use_model(self, model: ModelInfo) -> None:
        """A model is there. Token ids of another model's mean nothing to it: such nodes keep their text, and are
        encoded anew where they are continued."""
        self.model = model
        for node_id in self._fingerprints:
            node = self.nodes.get(node_id)
            if node is not None and not self.is_own(node):
                node.encoded = False

    def is_own(self, node: Heddle) -> bool:
        """Whether a node's token ids are of the model in use."""
        return (
            self.model is None
            or self._fingerprints.get(node.id, self.model.fingerprint) == self.model.fingerprint
        )

    # ------------------------------------------------------------------ growth

    @property
    def waiting(self) -> int:
        """How many ramifies wait for a branch that still grows."""
        return len(self._deferred)

    def ramify(self, nodes: list[Heddle], n: int, params: SamplingParams) -> tuple[Change, Ramify | None]:
        """Grow `n` branches from each node: the children enter the tree at once and fill as tokens come.

        Nodes that still grow are continued when they have ended. Returns the request to hand to the engine.

        Raises:
            EditError: the model ended all of these nodes, or there is none.
        """
        open_nodes = [node for node in nodes if not node.terminal]
        if not open_nodes:
            raise EditError("The model ended here. Write a text child to go on from it, or trim it.")
        late = [node for node in open_nodes if not self._can_start(node)]
        if late:
            self._deferred.append(_Deferred(late, n, params))
        now = [node for node in open_nodes if self._can_start(node)]
        return self._grow(now, n, params) if now else (Change(), None)

    def _can_start(self, node: Heddle) -> bool:
        """Not while it still grows, nor while it isn't known whether its token ids are the model's."""
        return node.id not in self.growing and (self.model is not None or not self._fingerprints)

    def _grow(self, nodes: list[Heddle], n: int, params: SamplingParams) -> tuple[Change, Ramify]:
        change = Change()
        sources = []
        request_id = new_id()
        for index, node in enumerate(nodes):
            # Counted on from the children there are, so that with a fixed seed the next ones are others.
            first = index * n + len(node.children)
            seeds = [branch_seed(params.seed, first + k) for k in range(n)]
            children = [self._sprout(node, params, seed) for seed in seeds]
            specs = tuple(BranchSpec(child.id, seed) for child, seed in zip(children, seeds, strict=True))
            sources.append(Source(tuple(above.segment() for above in node.path()), specs))
            change.added.append((node, children))
            self._requests.setdefault(request_id, []).extend(child.id for child in children)
        return change, Ramify(request_id, tuple(sources), params)

    def _sprout(self, node: Heddle, params: SamplingParams, seed: int) -> Heddle:
        child = Heddle.from_span([], "", [], kind=Kind.GENERATED)
        child.provenance = provenance(self.model, params, seed)
        node.add_child(child)
        self.nodes[child.id] = child
        self.growing[child.id] = child
        return child

    def apply(self, events: Iterable[Event]) -> tuple[Change, list[Ramify]]:
        """Enter what the engine told. Returns what changed, and requests that waited for a branch to end."""
        change = Change()
        for event in events:
            match event:
                case BranchToken(branch_id=branch):
                    node = self.growing.get(branch)
                    if node is not None:
                        node.append_token(
                            event.token, event.text, event.logprob, event.alternatives, event.entropy
                        )
                        change.touch(node)
                case BranchFinished(branch_id=branch, reason=reason):
                    self._end(branch, reason, change)
                case Encoded():
                    self._encoded(event, change)
                case RequestFailed(request_id=request):
                    for branch in self._requests.pop(request, []):
                        self._end(branch, Finish.CANCELLED, change)
        return change, self._due(change)

    def _end(self, branch: str, reason: Finish, change: Change) -> None:
        node = self.growing.pop(branch, None)
        if node is None:
            return
        if reason is Finish.CANCELLED:
            self._drop_deferred(node)
        if not node.tokens and reason is Finish.CANCELLED:
            self._detach(node, change)
            return
        node.finish = str(reason)
        node.terminal = reason is Finish.EOS
        self.unsaved[node.id] = node
        change.touch(node)
        change.finished.append(node)

    def _encoded(self, event: Encoded, change: Change) -> None:
        node = self.nodes.get(event.node_id)
        if node is not None and not node.encoded:
            foreign = bool(node.tokens)
            node.set_span(list(event.tokens), event.text, list(event.ends))
            self._fingerprints.pop(node.id, None)
            if isinstance(node, Loom):
                node.chat_template_used = event.framing is Framing.CHAT
            if not foreign:
                # The file keeps the ids of the model that made them: with that model it goes on exactly.
                self.unsaved[node.id] = node
            change.touch(node)

    def _due(self, change: Change) -> list[Ramify]:
        """Start what waited for branches that have ended now."""
        waiting, self._deferred = self._deferred, []
        requests = []
        for deferred in waiting:
            alive = [node for node in deferred.nodes if node.id in self.nodes]
            if not all(self._can_start(node) for node in alive):
                self._deferred.append(replace(deferred, nodes=alive))
                continue
            ready = [node for node in alive if not node.terminal]
            if ready:
                grown, request = self._grow(ready, deferred.n, deferred.params)
                change.added += grown.added
                requests.append(request)
        return requests

    def _drop_deferred(self, node: Heddle) -> None:
        """A branch was stopped: what waited for it to end is not wanted either."""
        left = ([other for other in deferred.nodes if other is not node] for deferred in self._deferred)
        self._deferred = [
            replace(d, nodes=nodes) for d, nodes in zip(self._deferred, left, strict=True) if nodes
        ]

    def growing_below(self, node: Heddle) -> frozenset[str]:
        """The branches that grow at this node or below it."""
        return frozenset(below.id for below in node.walk() if below.id in self.growing)

    def cancel_all(self) -> Change:
        """End every branch as it stands: nothing more will be told of them."""
        change = Change()
        self._deferred.clear()
        for branch in list(self.growing):
            self._end(branch, Finish.CANCELLED, change)
        return change

    def note_growing(self) -> None:
        """Have the text of growing branches stored as far as it has come."""
        self.unsaved.update((i, node) for i, node in self.growing.items() if node.tokens)

    def forget_waiting(self) -> None:
        """Drop every ramify that waits for a branch to end."""
        self._deferred.clear()

    # ------------------------------------------------------------------- edits

    def new_loom(self, prompt: str, chat: bool) -> tuple[Change, Encode]:
        """Start a new tree from a prompt, in the chat template if `chat` (and the model has one)."""
        root = Loom(None, None, prompt, chat=chat)
        self.roots.append(root)
        return self._entered(None, root)

    def add_text(self, node: Heddle, text: str) -> tuple[Change, Encode]:
        """Write a child."""
        self._refuse_growing(node, "Wait for it to end, or stop it, before writing behind it.")
        child = Heddle.from_text(text)
        node.add_child(child)
        return self._entered(node, child)

    def _entered(self, parent: Heddle | None, node: Heddle) -> tuple[Change, Encode]:
        self.nodes[node.id] = node
        self.unsaved[node.id] = node
        change = Change(added=[(parent, [node])])
        return change, self.encode_request(node)

    def encode_request(self, node: Heddle) -> Encode:
        """A request for the token ids of a written node."""
        return Encode(new_id(), tuple(above.segment() for above in node.path()))

    def unencoded(self) -> list[Heddle]:
        """Written nodes that no tokenizer has read yet."""
        return [node for node in self.nodes.values() if not node.encoded and not node.tokens]

    def clip(self, node: Heddle, tokens: int) -> Change:
        """Keep the node's first tokens (all but the last, if negative); the children go where anything is cut.

        Raises:
            EditError: the node still grows, its tokens are not known yet, or there is nothing to cut.
        """
        self._refuse_growing(node, "Stop it before cutting it.")
        if node.parent is None:
            raise EditError("A prompt is not cut: start a new loom with the prompt that you want.")
        if not node.encoded:
            raise EditError("The model has not read this text yet; its tokens are not known.")
        keep = tokens if tokens >= 0 else max(len(node.tokens) + tokens, 0)
        if keep >= len(node.tokens):
            raise EditError(f"This node has {counted(len(node.tokens), 'token')}; nothing was cut.")
        if keep == 0:
            raise EditError(
                f"That would leave nothing of its {counted(len(node.tokens), 'token')}; delete it instead."
            )
        change = self.make_leaf(node) if node.children else Change()
        node.clip(keep)
        self.unsaved[node.id] = node
        change.touch(node)
        return change

    def delete(self, node: Heddle) -> Change:
        """Take the node and all below it out. It stays in the session's trash."""
        change = Change()
        self._detach(node, change)
        return change

    def make_leaf(self, node: Heddle) -> Change:
        """Take all below the node out.

        Raises:
            EditError: there is nothing below it.
        """
        if not node.children:
            raise EditError("There is nothing below this node.")
        change = Change()
        for child in list(node.children):
            self._detach(child, change)
        return change

    def _detach(self, node: Heddle, change: Change) -> None:
        for below in node.walk():
            self.nodes.pop(below.id, None)
            self.growing.pop(below.id, None)
            change.changed.pop(below.id, None)
        self.dropped.append(node.id)
        change.removed.append((node.parent, node))
        if node.parent is not None:
            node.parent.remove_child(node)
        else:
            self.roots.remove(node)

    def _refuse_growing(self, node: Heddle, advice: str) -> None:
        if node.id in self.growing:
            raise EditError(f"This branch still grows. {advice}")


def provenance(model: ModelInfo | None, params: SamplingParams, seed: int) -> dict[str, Any]:
    """Where a generated node comes from, as it is stored."""
    values: dict[str, Any] = {
        "temp": params.temp,
        "max_tokens": params.max_tokens,
        "min_p": params.min_p,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "repetition_penalty": params.repetition_penalty,
        "stop_strings": list(params.stop_strings),
    }
    return {
        "model": model.name if model else None,
        "fingerprint": model.fingerprint if model else None,
        "params": values,
        "seed": seed,
        "time": time.time(),
    }


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 node`, `1,200 nodes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
