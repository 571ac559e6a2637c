"""What happens to a request before its branches can join: its paths are encoded, and read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .branch import Branch
from .jobs import Job, Waiting
from .paths import Resolved, check_tokens, resolve
from .prefill import ToRead
from .protocol import Event, PrefillProgress, Source
from .reading import Reader


class Intake:
    """Brings requests forward. `reused` counts tokens of their paths that were covered from the start."""

    def __init__(
        self,
        reader: Reader,
        tokenizer: Any,
        eos: frozenset[int],
        context_length: int | None,
        vocabulary: int | None,
    ) -> None:
        self._reader = reader
        self._tokenizer = tokenizer
        self._eos = eos
        self._context_length = context_length
        self._vocabulary = vocabulary
        self.reused = 0

    def begin(self, job: Job) -> Iterator[Event]:
        """Encode a request's paths, and begin its branches. Tells what is known by that.

        Raises:
            ValueError: a path can't be continued. A tokenizer may raise anything.
        """
        paths = []
        for source in job.request.sources:
            resolved = resolve(self._tokenizer, source.path)
            yield from resolved.told
            resolved.check(self._context_length, self._vocabulary, self._reader.borrowed)
            paths.append(resolved)
        for source, resolved in zip(job.request.sources, paths, strict=True):
            yield from self._sprout(job, source, resolved)
        job.started = True
        for waiting in job.sources:
            known = self._reader.store.match_length(waiting.before)
            waiting.covered = known == len(waiting.before)
            job.total += len(waiting.before) - known
            self.reused += known

    def _sprout(self, job: Job, source: Source, resolved: Resolved) -> Iterator[Event]:
        """Begin the branches of a source. Those that are given the same tokens go on from one path."""
        starts: dict[tuple[int, ...], Waiting] = {}
        limit = self._context_length
        for spec in source.branches:
            if spec.id in job.cancelled:
                continue
            params = spec.params or job.request.params
            room = limit - len(resolved.path) if limit else params.max_tokens
            given = tuple(known.token for known in spec.given)
            check_tokens(given, self._vocabulary)
            if given not in starts:
                path = [*resolved.path, *given] if given else resolved.path
                starts[given] = Waiting(path, (*resolved.ends, len(path)))
            start = starts[given]
            branch = Branch(
                spec.id, job.id, spec.seed, start.path, params, self._tokenizer, self._eos, room, spec.given
            )
            yield from branch.begin()
            start.branches.append(branch)
        job.sources += starts.values()

    def read(self, job: Job) -> Iterator[Event]:
        """Read a chunk of what a request's paths lack.

        Raises:
            MemoryError: what has been read could not be kept.
        """
        if not job.reading:
            self.close(job)
            job.read_now = self._reader.fitting(job.unread())
            if not job.read_now:
                return
            job.prefill = self._reader.prefilling(
                ToRead(source.before, source.ends) for source in job.read_now
            )
            job.read += job.prefill.total
        prefill = job.prefill
        assert prefill is not None
        if not prefill.done:
            prefill.step(self._reader.chunk)
            read = job.read - prefill.remaining
            yield PrefillProgress(job.id, read, max(job.total, job.read))
        for source in job.read_now:
            if not source.covered and not self.covers(source) and prefill.done:
                raise MemoryError("the memory for fragments is too small for this text: raise --kv-budget")

    def covers(self, source: Waiting) -> bool:
        """Whether all that has to be read before a path can be continued is there."""
        source.covered = self._reader.store.match_length(source.before) == len(source.before)
        return source.covered

    def close(self, job: Job) -> None:
        """What a request has read is kept, and need not stay in memory for it any more."""
        prefill, job.prefill = job.prefill, None
        if prefill is not None:
            self._reader.close(prefill)
