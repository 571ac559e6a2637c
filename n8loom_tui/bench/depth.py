"""The same path as few and as many nodes: whether depth costs anything."""

from __future__ import annotations

from statistics import median

from n8loom_tui.bench.contenders import EngineBranches, Path
from n8loom_tui.bench.lab import Lab
from n8loom_tui.bench.measure import forget, in_turns, interleaved, timed
from n8loom_tui.bench.results import DepthRow, Timing
from n8loom_tui.bench.settings import BenchSettings
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import Heddle
from n8loom_tui.loom.protocol import BranchSpec, SamplingParams, Source

TRIES = 7


def units(settings: BenchSettings) -> int:
    """How many units of work there are."""
    return len(settings.depths) + 1


def run(lab: Lab) -> None:
    """Fill `report.depth`."""
    settings = lab.settings
    path = lab.prompts.path("depth", settings.depth_tokens)
    most = len(path) + settings.rounds * settings.steps + 2
    chains = []
    for nodes in settings.depths:
        lab.tell(f"depth: reading {len(path)} tokens as {nodes} nodes")
        engine = lab.engine()
        if not lab.fits(most, "depth"):
            return
        chains.append(_Chain(engine, path, nodes))
    lab.tell("depth: first tokens")
    requests = in_turns([chain.build for chain in chains], TRIES)
    firsts = in_turns([chain.first_token for chain in chains], TRIES)
    steps = interleaved(
        [chain.decoding(most - len(path)) for chain in chains], settings.rounds, settings.steps
    )
    for chain, request, first, step in zip(chains, requests, firsts, steps, strict=True):
        chain.close()
        lab.report.depth.append(
            DepthRow(
                nodes=chain.nodes,
                tokens=len(path),
                request=Timing.of(request),
                first_token=Timing.of(first),
                step=Timing.of(step),
                first_token_in_steps=median(first) / median(step),
            )
        )
    forget()


class _Chain:
    """A path as a chain of nodes, each of which an engine of its own has read for itself, one after the other."""

    def __init__(self, engine: Engine, path: Path, nodes: int) -> None:
        self.engine = engine
        self.nodes = nodes
        self._running: list[EngineBranches] = []
        leaf: Heddle | None = None
        for number in range(nodes):
            start, stop = len(path) * number // nodes, len(path) * (number + 1) // nodes
            node = Heddle.from_span(list(path[start:stop]), "", [0] * (stop - start))
            leaf = leaf.add_child(node) if leaf is not None else node
            engine.prefill(path[: min(stop, len(path) - 1)])
        assert leaf is not None
        self._leaf = leaf

    def source(self) -> Source:
        """The request for one branch, from the tree."""
        return Source(tuple(node.segment() for node in self._leaf.path()), (BranchSpec("branch", 0),))

    def build(self) -> float:
        """Seconds that the request takes to make."""
        return timed(self.source)

    def first_token(self) -> float:
        """Seconds from the request's submission to the first token."""
        branch = EngineBranches(self.engine, [self.source()], SamplingParams(max_tokens=2))
        try:
            return branch.start()
        finally:
            branch.close()

    def decoding(self, tokens: int) -> EngineBranches:
        """A branch that runs."""
        branch = EngineBranches(self.engine, [self.source()], SamplingParams(max_tokens=tokens))
        branch.start()
        self._running.append(branch)
        return branch

    def close(self) -> None:
        """End what runs."""
        for branch in self._running:
            branch.close()
