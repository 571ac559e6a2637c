"""How probable the tokens of a path are: one pass over it, in chunks, so that branches that stream need not wait.

The logits at a position need the forward pass of the token before. What stands before the first of those comes
from fragments, or is read first; and the output layer is computed for the positions that are asked for alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .distribution import BrokenLogits, Distributions
from .failures import without_frames
from .kernels.strand import AnyStrand
from .paths import check_tokens, resolve
from .prefill import Prefill, ToRead
from .protocol import (
    Alternative,
    Event,
    PrefillProgress,
    RequestFailed,
    RequestFinished,
    RequestStarted,
    Score,
    Scored,
)
from .reading import Reader
from .store import EDGE_TOKENS
from .strand import Row

FIRST_CHUNK = 32
LARGEST_TABLE = 1 << 24
"""How many logits are computed at once: 64 MB of them."""

Known = tuple[float, tuple[Alternative, ...], float]
"""A token's logprob, alternatives and entropy."""
UNKNOWN: Known = (math.nan, (), math.nan)


class Scoring:
    """Serves one request, some tokens at a time."""

    def __init__(self, reader: Reader, request: Score, path: list[int], ends: Sequence[int]) -> None:
        """`ends`: how many tokens the path has down to each of its nodes."""
        self.request = request
        self._reader = reader
        self._path = path
        self._ends = tuple(ends)
        self._untold = deque(self._wanted())
        self._rows = deque(self._stretches())
        self._total = sum(row.stop - row.start for row in self._rows)
        self._known: dict[int, Known] = {}
        self._read = 0
        self._chunk = FIRST_CHUNK
        self._prefill: Prefill | None = None
        self._strand: AnyStrand | None = None
        self._covered = False

    @property
    def done(self) -> bool:
        return not self._untold

    def step(self, tokens: int) -> list[Event]:
        """Read up to `tokens` more. Returns what became known."""
        if self._rows:
            self._advance(self._rows[0], tokens)
        told: list[Event] = [PrefillProgress(self.request.id, self._read, self._total)]
        reached = self._rows[0].position + 1 if self._rows else len(self._path)
        while self._untold and self._untold[0][1].stop <= reached:
            told.append(self._scored(*self._untold.popleft()))
        return told

    def close(self) -> None:
        """Keep what has been read, and let go of the path."""
        if self._prefill is not None:
            self._reader.close(self._prefill)
            self._prefill = None
        if self._strand is not None:
            self._keep(self._strand)
            self._strand = None
        self._reader.store.reserve("scoring", 0)

    def drop(self) -> None:
        """Let go of everything: a step has broken halfway, and what has been read may be wrong."""
        self._strand = None
        prefill, self._prefill = self._prefill, None
        if prefill is not None:
            prefill.drop()
        self._reader.store.reserve("scoring", 0)

    def _wanted(self) -> Iterator[tuple[str, range]]:
        """The nodes that are asked for, with their positions in the path."""
        start = 0
        for segment, end in zip(self.request.path, self._ends, strict=True):
            if self.request.node_ids is None or segment.node_id in self.request.node_ids:
                yield segment.node_id, range(start, end)
            start = end

    def _stretches(self) -> Iterator[Row]:
        """What is to be read for logits: the tokens that stand before those that are asked for."""
        row: Row | None = None
        for _, span in self._wanted():
            start, stop = max(span.start - 1, 0), span.stop - 1
            if stop <= start:
                continue
            if row is not None and row.stop == start:
                row.stop = stop
                continue
            if row is not None:
                yield row
            row = Row(self._path, start, stop)
        if row is not None:
            yield row

    def _advance(self, row: Row, tokens: int) -> None:
        strand = self._strand_of(row, tokens)
        if strand is None:
            return
        stop = min(row.position + min(tokens, self._chunk), row.stop)
        logits = strand.logits(self._path[row.position : stop])
        self._chunk = max(1, LARGEST_TABLE // logits.shape[1])
        model = Distributions(logits, self.request.top_logprobs)
        if model.broken.any():
            raise BrokenLogits
        following = range(row.position + 1, stop + 1)
        logprobs = model.logprobs(np.array([self._path[position] for position in following])).tolist()
        others = model.alternatives([self.request.top_logprobs] * len(following))
        known = zip(logprobs, others, model.entropy.tolist(), strict=True)
        self._known.update(zip(following, known, strict=True))
        self._read += stop - row.position
        row.position = stop
        if row.position >= row.stop:
            self._rows.popleft()
            self.close()

    def _strand_of(self, row: Row, tokens: int) -> AnyStrand | None:
        """The caches that the row is read with. None while what stands before it is still being read."""
        reader = self._reader
        if self._strand is not None:
            return self._strand
        if self._prefill is None:
            ends = tuple(end for end in self._ends if end <= row.start)
            self._prefill = reader.prefilling([ToRead(self._path[: row.start], ends)])
        if not self._prefill.done:
            self._prefill.step(tokens)
            return None
        store = reader.store
        self._strand = reader.strand([row])
        self._covered = store.match_length(self._path[: row.stop]) >= row.stop
        reader.close(self._prefill)
        self._prefill = None
        self._reserve(row)
        return self._strand

    def _keep(self, strand: AnyStrand) -> None:
        """Put what was not in the store yet into it."""
        (row,) = strand.rows
        if self._covered or row.position <= row.kept:
            return
        state = strand.snapshot(row)
        snapshots = {} if state is None else {row.position: state}
        for low in range(row.kept, row.position, EDGE_TOKENS):
            row.kept = min(low + EDGE_TOKENS, row.position)
            self._reserve(row)
            self._reader.store.put(row.path, low, strand.fragment(row, low, row.kept), snapshots)
            self._reader.prefilled += row.kept - low

    def _reserve(self, row: Row) -> None:
        """Count what the row takes beside what is in the store: where a network reads, that is what is put there."""
        store = self._reader.store
        kept = row.kept - row.start if self._reader.network is not None else 0
        store.reserve("scoring", (row.stop - kept) * store.per_token)

    def _scored(self, name: str, span: range) -> Scored:
        known = [self._known.pop(position, UNKNOWN) for position in span]
        return Scored(
            self.request.id,
            name,
            tuple(self._path[span.start : span.stop]),
            tuple(logprob for logprob, _, _ in known),
            tuple(others for _, others, _ in known),
            tuple(entropy for _, _, entropy in known),
        )


class Scorings:
    """The requests that ask for probabilities, served one after the other."""

    def __init__(
        self, reader: Reader, tokenizer: Any, context_length: int | None, vocabulary: int | None
    ) -> None:
        self._reader = reader
        self._tokenizer = tokenizer
        self._context_length = context_length
        self._vocabulary = vocabulary
        self._waiting: deque[Scoring] = deque()
        self.last_error: Exception | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, request: Score) -> Iterator[Event]:
        """Take a request, and encode its path."""
        yield RequestStarted(request.id)
        try:
            resolved = resolve(self._tokenizer, request.path)
            yield from resolved.told
            check_tokens(resolved.path, self._vocabulary)
            length, limit = len(resolved.path), self._context_length
            if limit and length > limit:
                raise ValueError(f"the text is {length} tokens long and the model reads {limit}")
        except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the person is told
            yield self._failed(request, error)
            return
        self._waiting.append(Scoring(self._reader, request, resolved.path, resolved.ends))

    def step(self, tokens: int) -> Iterator[Event]:
        """Read up to `tokens` more for the first request."""
        scoring = self._waiting[0]
        try:
            yield from scoring.step(tokens)
        except Exception as error:  # noqa: BLE001 - whatever breaks, the person is told and nothing else is
            yield self._broken(scoring, error)
            return
        if scoring.done:
            yield self._end(scoring)

    def stop(self, request_ids: frozenset[str] | None) -> Iterator[Event]:
        """End these requests, or all (None). What has been read is kept."""
        for scoring in list(self._waiting):
            if request_ids is None or scoring.request.id in request_ids:
                yield self._end(scoring)

    def abandon(self, error: Exception) -> Iterator[Event]:
        """Something broke halfway through a step: let go of all requests, and keep nothing of them."""
        for scoring in list(self._waiting):
            yield self._broken(scoring, error)

    def _end(self, scoring: Scoring) -> Event:
        try:
            scoring.close()
        except Exception as error:  # noqa: BLE001 - what has been read could not be kept
            return self._broken(scoring, error)
        self._waiting.remove(scoring)
        return RequestFinished(scoring.request.id)

    def _broken(self, scoring: Scoring, error: Exception) -> Event:
        self._waiting.remove(scoring)
        scoring.drop()
        return self._failed(scoring.request, error)

    def _failed(self, request: Score, error: Exception) -> Event:
        self.last_error = without_frames(error)
        return RequestFailed(request.id, str(error) or type(error).__name__)
