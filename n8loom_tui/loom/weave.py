"""Generating children on the caller's thread: what `Heddle.make_children` and `make_child_stream` do."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
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
    Segment,
    Source,
    Stop,
)
from .seeds import branch_seed


def ramify_request(path: list[Segment], n: int, params: SamplingParams) -> Ramify:
    """A request for `n` branches from one node.

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    branches = tuple(BranchSpec(new_id(), branch_seed(params.seed, index)) for index in range(n))
    return Ramify(new_id(), (Source(tuple(path), branches),), params)


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


def _params(options: dict[str, Any]) -> SamplingParams:
    known = set(SamplingParams.__dataclass_fields__)
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; there are n, {', '.join(sorted(known))}")
    return SamplingParams(**options)


def _enter(node: Heddle, request: Ramify, results: dict[str, BranchResult]) -> list[Heddle]:
    """Make the branches that said anything (or ended) children of the node."""
    children = []
    for spec in request.sources[0].branches:
        result = results[spec.id]
        if result.finish is Finish.CANCELLED and not result.tokens:
            continue
        child = Heddle.from_span(
            result.tokens,
            result.text,
            result.ends,
            odds=Odds.of(result.logprobs, result.alternatives, result.entropies),
            kind=Kind.GENERATED,
            model=node.model,
            tokenizer=node.tokenizer,
        )
        child.terminal = result.finish is Finish.EOS
        child.finish = str(result.finish)
        child.provenance = {"params": asdict(request.params), "seed": spec.seed}
        children.append(node.add_child(child))
    return children


def make_children(node: Heddle, n: int, **options: Any) -> list[Heddle]:
    """Generate `n` children of `node` in one batch. None behind a terminal node."""
    params = _params(options)
    if node.terminal:
        return []
    request = ramify_request([above.segment() for above in node.path()], n, params)
    results = blank_results(request)
    for _ in run_branches(engine_for(node.model, node.tokenizer), request, results):
        pass
    return _enter(node, request, results)


def _told(kind: str, request: Ramify, results: dict[str, BranchResult]) -> dict[str, Any]:
    """An update of n8loom's form: lists with one entry per branch, everything since the branch began."""
    branches = [results[spec.id] for spec in request.sources[0].branches]
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


def final_update(request: Ramify, results: dict[str, BranchResult], total_prompt_len: int) -> dict[str, Any]:
    """The `"final"` dictionary. `ended` tells which branches the model ended by itself."""
    told = _told("final", request, results)
    told["generated_lengths"] = [len(tokens) for tokens in told["tokens"]]
    told["total_prompt_len"] = total_prompt_len
    return told


def make_child_stream(node: Heddle, n: int, **options: Any) -> Generator[dict[str, Any], None, list[Heddle]]:
    """As `make_children`, telling as it goes. Closed early, it keeps what there is of the children."""
    params = _params(options)
    if node.terminal:
        nothing: dict[str, Any] = {"tokens": [], "decoded_texts": [], "generated_lengths": [], "ended": []}
        yield {"type": "final", **nothing, "total_prompt_len": len(node.get_prefix_tokens()), "children": []}
        return []
    path = [above.segment() for above in node.path()]
    request = ramify_request(path, n, params)
    results = blank_results(request)
    children: list[Heddle] = []
    try:
        yield from stream_updates(engine_for(node.model, node.tokenizer), request, results)
    finally:
        children = _enter(node, request, results)
    yield final_update(request, results, len(node.get_prefix_tokens())) | {"children": children}
    return children
