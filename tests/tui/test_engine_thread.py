"""The engine's thread: what goes in comes out, and it always ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

from support.fake_backend import FakeBackend

from n8loom_tui.loom.protocol import (
    BranchFinished,
    BranchSpec,
    BranchToken,
    Finish,
    Ramify,
    SamplingParams,
    Segment,
    Source,
    Stop,
)
from n8loom_tui.models.progress import Progress
from n8loom_tui.tui.backend import ModelInfo
from n8loom_tui.tui.engine_thread import EngineDied, EngineThread, LoadFailed, Ready, Told


def gather(thread: EngineThread, enough: Callable[[list[Told]], bool]) -> list[Told]:
    """What is told until it is enough."""
    told: list[Told] = []
    pause = threading.Event()
    for _ in range(2000):
        told += thread.drain()
        if enough(told):
            return told
        pause.wait(0.005)
    raise AssertionError(f"only this was told: {told}")


def request(n: int = 2, max_tokens: int = 3) -> Ramify:
    branches = tuple(BranchSpec(f"b{i}", i) for i in range(n))
    return Ramify("r", (Source((Segment("root", (1, 2)),), branches),), SamplingParams(max_tokens=max_tokens))


def test_requests_handed_over_before_the_model_is_there_are_served() -> None:
    backend = FakeBackend()
    backend.free()
    thread = EngineThread(backend)
    thread.submit(request())
    thread.start()
    told = gather(thread, lambda t: sum(isinstance(e, BranchFinished) for e in t) == 2)
    assert any(isinstance(event, Ready) for event in told)
    assert [e.text for e in told if isinstance(e, BranchToken) and e.branch_id == "b1"] == [
        " the",
        " flood",
        " came",
    ]
    assert thread.stop(5)
    assert backend.closed.is_set()


def test_stop_ends_branches_that_wait_for_their_next_token() -> None:
    backend = FakeBackend()
    thread = EngineThread(backend)
    thread.start()
    thread.submit(request(max_tokens=1000))
    backend.grant(2)
    gather(thread, lambda t: sum(isinstance(e, BranchToken) for e in t) == 4)
    thread.submit(Stop(None))
    told = gather(thread, lambda t: sum(isinstance(e, BranchFinished) for e in t) == 2)
    assert {e.reason for e in told if isinstance(e, BranchFinished)} == {Finish.CANCELLED}
    assert not any(isinstance(e, BranchToken) for e in told)
    assert thread.stop(5)


def test_a_model_that_cannot_be_had_is_told_in_one_line() -> None:
    backend = FakeBackend(load_error="no such model: check the name")
    thread = EngineThread(backend)
    thread.start()
    told = gather(thread, lambda t: any(isinstance(e, LoadFailed) for e in t))
    assert [e.message for e in told if isinstance(e, LoadFailed)] == ["no such model: check the name"]
    assert thread.stop(5)
    assert backend.closed.is_set()


def test_a_broken_engine_is_told_and_the_thread_ends() -> None:
    backend = FakeBackend()
    thread = EngineThread(backend)
    thread.start()
    gather(thread, lambda t: any(isinstance(e, Ready) for e in t))
    backend.broken = RuntimeError("out of memory")
    thread.submit(request())
    told = gather(thread, lambda t: any(isinstance(e, EngineDied) for e in t))
    assert "out of memory" in next(e.message for e in told if isinstance(e, EngineDied))
    assert thread.stop(5)
    assert backend.closed.is_set()


def test_leaving_while_the_model_loads_calls_the_load_off() -> None:
    class Slow(FakeBackend):
        def load(self, progress: Callable[[Progress], None]) -> ModelInfo:
            while True:
                super().load(progress)

    backend = Slow()
    thread = EngineThread(backend)
    thread.start()
    gather(thread, lambda t: len(t) > 2)
    assert thread.stop(5)
    assert backend.closed.is_set()


def test_a_thread_that_never_started_can_be_stopped() -> None:
    assert EngineThread(FakeBackend()).stop(1)
