"""The contenders: branches of this engine, mlx-lm's batch generator, and the bare forward pass.

Each is driven through what it offers to everybody. mlx-lm and the floor run with the functions that MLX ships, not with
this program's replacements.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx_lm.generate import BatchGenerator

from n8loom_tui.bench.measure import BenchError, timed
from n8loom_tui.bench.prompts import Prompts
from n8loom_tui.loom import kernels
from n8loom_tui.loom.engine import Engine
from n8loom_tui.loom.heddle import new_id
from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    BranchToken,
    Event,
    Finish,
    Ramify,
    RequestFailed,
    SamplingParams,
    Segment,
    Source,
    Stop,
)
from n8loom_tui.loom.rows import Joining
from n8loom_tui.loom.seeds import branch_seed
from n8loom_tui.models.errors import one_line

Path = tuple[int, ...]


def source(path: Path, branches: int) -> Source:
    """A cached node and how many branches are wanted of it. They draw the same every time."""
    specs = tuple(BranchSpec(new_id(), branch_seed(0, index)) for index in range(branches))
    return Source((Segment(new_id(), path),), specs)


class EngineBranches:
    """Branches of this engine, from one node or from many."""

    def __init__(self, engine: Engine, sources: Sequence[Source], params: SamplingParams) -> None:
        self.engine = engine
        self.request = Ramify(new_id(), tuple(sources), params)
        self.branches = sum(len(each.branches) for each in sources)
        self.tokens: dict[str, list[int]] = {spec.id: [] for each in sources for spec in each.branches}
        """What was generated, by branch."""
        self.finished = 0

    def start(self) -> float:
        """Let them join. Returns the seconds until the first token of the last branch."""
        begun = time.perf_counter()
        self.engine.submit(self.request)
        while not all(self.tokens.values()):
            self.step()
        return time.perf_counter() - begun

    def run(self) -> float:
        """From the request to the last token. Returns the seconds."""
        begun = time.perf_counter()
        self.engine.submit(self.request)
        while self.finished < self.branches:
            self.step()
        return time.perf_counter() - begun

    def step(self) -> None:
        """One step of the engine."""
        if not self.engine.busy:
            raise BenchError("the engine has nothing to do, and branches that were asked for have not come")
        self.take(self.engine.step())

    def take(self, events: Sequence[Event]) -> None:
        """Hear what a step made known. Of other branches nothing is kept.

        Raises:
            BenchError: the request failed, or a branch ended by chance.
        """
        for event in events:
            match event:
                case BranchToken(branch_id=branch, token=token) if branch in self.tokens:
                    self.tokens[branch].append(token)
                case BranchFinished(branch_id=branch, reason=reason) if branch in self.tokens:
                    self.finished += 1
                    if reason is Finish.STOP:
                        raise BenchError("a branch met a stop string by chance: take another --seed")
                case RequestFailed(request_id=request, message=message) if request == self.request.id:
                    raise BenchError(f"the engine failed: {message}")

    def round(self, steps: int) -> list[float]:
        """So many steps of all branches.

        Raises:
            BenchError: not every branch got a token at each. (Where there are stop strings, tokens may be held back.)
        """
        before = self.generated
        times = []
        for _ in range(steps):
            begun = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - begun)
        new, held_back = self.generated - before, bool(self.request.params.stop_strings)
        if self.finished or (new != steps * self.branches and not held_back):
            raise BenchError(
                f"{steps} steps of {self.branches} branches gave {new} tokens and ended {self.finished}: "
                "what was timed is not what was meant"
            )
        return times

    @property
    def generated(self) -> int:
        """How many tokens there are in all."""
        return sum(map(len, self.tokens.values()))

    def close(self) -> None:
        """End what still runs."""
        self.engine.submit(Stop(frozenset(self.tokens)))
        while self.engine.busy:
            self.engine.step()


class MlxLmBranches:
    """mlx-lm's batch generator on clones of the nodes' caches. It takes the best token each time: its least work."""

    def __init__(self, model: Any, nodes: Sequence[tuple[list[Any], int]], max_tokens: int) -> None:
        """`nodes`: for each branch the cache of the path without its last token, and that token."""
        self.model = model
        self.branches = len(nodes)
        self._generator = BatchGenerator(
            model, completion_batch_size=self.branches, prefill_batch_size=self.branches
        )
        self._nodes = nodes
        self._max_tokens = max_tokens
        self.tokens: dict[int, list[int]] = {}

    def start(self) -> float:
        """Let them join. Returns the seconds until the first token of the last branch."""
        return self._go_on(1)

    def run(self) -> float:
        """From the request to the last token. Returns the seconds."""
        return self._go_on(self._max_tokens)

    def _go_on(self, tokens: int) -> float:
        """Let them join, and generate until every branch has so many tokens."""
        begun = time.perf_counter()
        with kernels.uninstalled(self.model):
            uids = self._generator.insert(
                [[token] for _, token in self._nodes],
                [self._max_tokens] * self.branches,
                [cache for cache, _ in self._nodes],
            )
            self._nodes = ()  # from here on there are only the clones
            self.tokens = {uid: [] for uid in uids}
            while min(map(len, self.tokens.values())) < tokens:
                self._next()
            took = time.perf_counter() - begun
            self._settle()
        return took

    def round(self, steps: int) -> list[float]:
        """So many steps of all branches.

        A call begins the step after the one that it returns, and does not wait for it. So all is finished before a
        round and after it; the first call, which finds its step done, counts with the second.
        """
        before = self.generated
        with kernels.uninstalled(self.model):
            calls = []
            for _ in range(steps):
                begun = time.perf_counter()
                self._next()
                calls.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            self._settle()
            calls.append(time.perf_counter() - begun)
        if self.generated - before != steps * self.branches:
            raise BenchError(f"mlx-lm's {self.branches} branches did not all go on")
        return [calls[0] + calls[1], *calls[2:]]

    def _next(self) -> None:
        _, responses = self._generator.next()
        for response in responses:
            self.tokens[response.uid].append(response.token)

    def _settle(self) -> None:
        """Wait for what was begun ahead."""
        mx.synchronize(self._generator.stream)

    @property
    def generated(self) -> int:
        """How many tokens there are in all."""
        return sum(map(len, self.tokens.values()))

    def close(self) -> None:
        """Let go of the clones."""
        self._settle()
        self._generator.remove(list(self.tokens))
        self._generator.close()


def read_by_mlx_lm(model: Any, path: Path) -> float:
    """Seconds in which mlx-lm's generator reads a path, its last token aside, in the steps that it takes by itself."""
    generator = BatchGenerator(model)
    with kernels.uninstalled(model):
        begun = time.perf_counter()
        (uid,) = generator.insert([list(path)], [1])
        done = 0
        while done < len(path) - 1:
            prompts, _ = generator.next()
            done = max((response.progress[0] for response in prompts), default=done)
        took = time.perf_counter() - begun
        mx.synchronize(generator.stream)
    generator.remove([uid])
    generator.close()
    return took


class Floor:
    """The bare forward pass of a batch of single tokens, as mlx-lm ships it: nothing before them, nothing drawn."""

    def __init__(self, model: Any, prompts: Prompts, branches: int) -> None:
        self.model = model
        self._tokens = mx.array(prompts.path("floor", branches))[:, None]

    def round(self, steps: int) -> list[float]:
        """So many passes."""
        with kernels.uninstalled(self.model):
            return [timed(lambda: mx.eval(self.model(self._tokens)[:, -1])) for _ in range(steps)]


class OwnFloor:
    """The same pass as an engine's own rows do it, whichever way it serves the model."""

    def __init__(self, engine: Engine, prompts: Prompts, branches: int) -> None:
        self.engine = engine
        self._tokens = list(prompts.path("floor", branches))

    def round(self, steps: int) -> list[float]:
        """So many passes. Each round begins with new rows, so that there is next to nothing to look back at."""
        rows = self.engine.serving.rows(self.engine.model, self.engine.layout)
        rows.join([Joining(self._tokens[:1], range(len(self._tokens)))], self.engine.store)
        rows.forward(self._tokens)  # the first one makes room
        return [timed(lambda: rows.forward(self._tokens)) for _ in range(steps)]


def cache_of(engine: Engine, path: Path) -> list[Any]:
    """mlx-lm caches of a path without its last token, ready to be gone on from."""
    cache = engine.prefix_cache(path[:-1])
    mx.eval([layer.state for layer in cache])
    return cache


def mlx_lm_refuses(model: Any, engine: Engine, path: Path) -> str | None:
    """Why mlx-lm's batch generator does not go on from a cache of this model; None if it does."""
    try:
        branches = MlxLmBranches(model, [(cache_of(engine, path), path[-1])] * 2, 2)
        branches.run()
        branches.close()
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return one_line(error)
    return None
