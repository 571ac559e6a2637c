"""Generating children on the caller's thread: what `Heddle.make_children`, `ramify_all` and their streams do."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict, fields
from typing import Any

from .engine import Engine, engine_for
from .heddle import Heddle, Kind, new_id
from .odds import Odds
from .protocol import (
    BranchFinished,
    BranchResult,
    BranchSpec,
    BranchToken,
    Event,
    Finish,
    Ramify,
    SamplingParams,
    Score,
    Scored,
    Segment,
    Source,
    Stop,
)
from .seeds import branch_seed


def ramify_request(paths: Sequence[Sequence[Segment]], n: int, params: SamplingParams) -> Ramify:
    """A request for `n` branches from each of these nodes. Their seeds are counted through.

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    sources = []
    for place, path in enumerate(paths):
        seeds = (branch_seed(params.seed, place * n + index) for index in range(n))
        sources.append(Source(tuple(path), tuple(BranchSpec(new_id(), seed) for seed in seeds)))
    return Ramify(new_id(), tuple(sources), params)


def blank_results(request: Ramify) -> dict[str, BranchResult]:
    """A result for each branch of a request, nothing in it yet."""
    return {spec.id: BranchResult() for source in request.sources for spec in source.branches}


def take_event(results: dict[str, BranchResult], event: Event) -> bool:
    """Enter an event into the results by branch id. Whether it was one of theirs."""
    match event:
        case BranchToken(branch_id=branch) if branch in results:
            results[branch].take(event)
        case BranchFinished(branch_id=branch, reason=reason) if branch in results:
            results[branch].finish = reason
        case _:
            return False
    return True


def run_branches(
    engine: Engine, request: Ramify, results: dict[str, BranchResult]
) -> Generator[dict[str, BranchResult], None, None]:
    """Serve a request, filling `results` by branch id and yielding them after each step that changed them.

    Closing the iterator ends the branches as cancelled; what they have generated is in `results`.
    """
    steps = engine.run(request)
    try:
        for events in steps:
            heard = [take_event(results, event) for event in events]
            if any(heard):
                yield results
    finally:
        engine.submit(Stop(frozenset(results)))
        for events in steps:
            for event in events:
                take_event(results, event)
        for result in results.values():
            result.finish = result.finish or Finish.CANCELLED


def params_of(options: dict[str, Any]) -> SamplingParams:
    """Sampling parameters out of a caller's keywords.

    Raises:
        TypeError: there is no such option.
        ValueError: a value is out of range.
    """
    known = set(SamplingParams.__dataclass_fields__)
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; there are n, {', '.join(sorted(known))}")
    return SamplingParams(**options)


def _recorded(params: SamplingParams) -> dict[str, Any]:
    """Sampling parameters as they stand in a provenance, which JSON must hold."""
    values = {f.name: getattr(params, f.name) for f in fields(params)}
    until = [{"condition": type(condition).__name__, **asdict(condition)} for condition in params.until]
    return {**values, "until": until}


def generated(parent: Heddle, params: SamplingParams, spec: BranchSpec) -> Heddle:
    """A node for a branch that goes on from `parent`, with its seed recorded. It stands nowhere yet."""
    node = Heddle.from_span([], "", [], kind=Kind.GENERATED, model=parent.model, tokenizer=parent.tokenizer)
    node.provenance = {"params": _recorded(spec.params or params), "seed": spec.seed}
    if spec.given:
        node.provenance["given"] = len(spec.given)
    return node


def finish(node: Heddle, reason: Finish) -> bool:
    """Note why a node's branch ended. Whether it is a node at all: one that said nothing and ended nothing isn't."""
    node.finish = str(reason)
    node.terminal = reason is Finish.EOS
    return bool(node.tokens) or reason not in {Finish.CANCELLED, Finish.CONDITION}


def _enter(nodes: Sequence[Heddle], request: Ramify, results: dict[str, BranchResult]) -> list[list[Heddle]]:
    """Make the branches children of the nodes they go on from: a list for each node."""
    entered = []
    for node, source in zip(nodes, request.sources, strict=True):
        children = []
        for spec in source.branches:
            result = results[spec.id]
            child = generated(node, request.params, spec)
            odds = Odds.of(result.logprobs, result.alternatives, result.entropies)
            child.set_span(result.tokens, result.text, result.ends, odds)
            if finish(child, result.finish or Finish.CANCELLED):
                children.append(node.add_child(child))
        entered.append(children)
    return entered


def _path(node: Heddle) -> list[Segment]:
    return [above.segment() for above in node.path()]


def make_children(node: Heddle, n: int, **options: Any) -> list[Heddle]:
    """Generate `n` children of `node` in one batch. None behind a terminal node."""
    return ramify_all([node], n, **options)[0]


def ramify_all(nodes: Sequence[Heddle], n: int, **options: Any) -> list[list[Heddle]]:
    """Generate `n` children of each node, all in one batch. None behind a terminal node."""
    params = params_of(options)
    growing = [node for node in nodes if not node.terminal]
    if not growing:
        return [[] for _ in nodes]
    request = ramify_request([_path(node) for node in growing], n, params)
    results = blank_results(request)
    for _ in run_branches(_engine_of(growing), request, results):
        pass
    entered = iter(_enter(growing, request, results))
    return [[] if node.terminal else next(entered) for node in nodes]


def _engine_of(nodes: Sequence[Heddle]) -> Engine:
    """The engine of nodes that have one model.

    Raises:
        ValueError: they haven't, or there is none.
    """
    first = nodes[0]
    if any(node.model is not first.model or node.tokenizer is not first.tokenizer for node in nodes):
        raise ValueError("these nodes are of several models: ramify those of one model at a time")
    return engine_for(first.model, first.tokenizer)


def _told(kind: str, request: Ramify, results: dict[str, BranchResult]) -> dict[str, Any]:
    """An update of n8loom's form: lists with one entry per branch, everything since the branch began."""
    branches = [results[spec.id] for source in request.sources for spec in source.branches]
    return {
        "type": kind,
        "tokens": [list(branch.tokens) for branch in branches],
        "decoded_texts": [branch.text for branch in branches],
        "ended": [
            branch.finish is Finish.EOS if kind == "final" else branch.finish is not None
            for branch in branches
        ],
    }


def stream_updates(
    engine: Engine, request: Ramify, results: dict[str, BranchResult]
) -> Generator[dict[str, Any], None, None]:
    """The `"update"` dictionaries of a request. `results` is filled in place."""
    stream = run_branches(engine, request, results)
    try:
        for latest in stream:
            yield _told("update", request, latest)
    finally:
        stream.close()


def final_update(request: Ramify, results: dict[str, BranchResult]) -> dict[str, Any]:
    """The `"final"` dictionary. `ended` tells which branches the model ended by itself."""
    told = _told("final", request, results)
    return told | {"generated_lengths": [len(tokens) for tokens in told["tokens"]]}


def make_child_stream(node: Heddle, n: int, **options: Any) -> Generator[dict[str, Any], None, list[Heddle]]:
    """As `make_children`, telling as it goes. Closed early, it keeps what there is of the children."""
    total = len(node.get_prefix_tokens())
    stream = ramify_all_stream([node], n, **options)
    children: list[Heddle] = []
    try:
        for told in stream:
            if told["type"] == "final":
                (children,) = told["children"]
                yield told | {"total_prompt_len": total, "children": children}
            else:
                yield told
    finally:
        stream.close()
    return children


def ramify_all_stream(
    nodes: Sequence[Heddle], n: int, **options: Any
) -> Generator[dict[str, Any], None, list[list[Heddle]]]:
    """As `ramify_all`, telling as it goes. Closed early, it keeps what there is of the children.

    The updates are `make_child_stream`'s, with the branches of all nodes one behind the other; `children` is a
    list for each node, and there is no `total_prompt_len`.
    """
    params = params_of(options)
    growing = [node for node in nodes if not node.terminal]
    if not growing:
        nothing: dict[str, Any] = {"tokens": [], "decoded_texts": [], "generated_lengths": [], "ended": []}
        yield {"type": "final", **nothing, "children": [[] for _ in nodes]}
        return [[] for _ in nodes]
    request = ramify_request([_path(node) for node in growing], n, params)
    results = blank_results(request)
    try:
        yield from stream_updates(_engine_of(growing), request, results)
    finally:
        entered = iter(_enter(growing, request, results))
    children = [[] if node.terminal else next(entered) for node in nodes]
    yield final_update(request, results) | {"children": children}
    return children


def score(node: Heddle, top_logprobs: int, whole_path: bool) -> None:
    """Find out how probable the tokens of a node are, or of all nodes of its path."""
    path = node.path()
    wanted = {each.id: each for each in (path if whole_path else [node])}
    request = Score(new_id(), tuple(_path(node)), frozenset(wanted), top_logprobs)
    for events in engine_for(node.model, node.tokenizer).run(request):
        for event in events:
            if isinstance(event, Scored):
                wanted[event.node_id].odds = Odds.of(event.logprobs, event.alternatives, event.entropies)
