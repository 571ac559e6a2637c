"""Downloads one model from the hub, in a process of its own: `python -m n8loom_tui.models.hub_worker ID`.

A process can be stopped at once, which a thread inside the hub's client cannot, and what that client
prints goes nowhere. It writes JSON, one object per line: `{"done": bytes, "total": bytes}` … and last
`{"path": folder}` or `{"error": text}`. Interrupted files stay in the hub's own cache, to be resumed.
"""

from __future__ import annotations

import errno
import json
import sys
import time
from typing import Any

PATTERNS = (
    "*.json",
    "*.jinja",
    "*.jsonl",
    "*.tiktoken",
    "*.txt",
    "model*.safetensors",
    "tokenizer.model",
)
"""The files of a model that are fetched: weights, configuration, tokenizer; no code."""

_INTERVAL = 0.1  # seconds between two lines


def say(**fields: Any) -> None:
    """Write one line to the parent process."""
    print(json.dumps(fields), flush=True)


def main(repository: str) -> None:
    """Download and report; every failure becomes a line as well."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        plan = snapshot_download(repository, allow_patterns=list(PATTERNS), dry_run=True)
        if not any(str(each.filename).endswith(".safetensors") for each in plan):
            say(error="it holds no safetensors weights")
            return
        total = sum(each.file_size for each in plan if each.will_download)
        say(done=0, total=total)
        say(path=snapshot_download(repository, allow_patterns=list(PATTERNS), tqdm_class=_bar(total)))
    except (HfHubHTTPError, HFValidationError, OSError, ValueError, RuntimeError) as error:
        say(error=_explain(error))


def _explain(error: BaseException) -> str:
    """What went wrong and what to do: the client wraps the cause, once or twice."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    root = error
    while (deeper := root.__cause__) is not None:
        root = deeper
        if isinstance(root, GatedRepoError | RepositoryNotFoundError):
            break
    match root:
        case GatedRepoError():
            return "it is gated: accept its licence on the hub and log in with `hf auth login`"
        case RepositoryNotFoundError():
            return "there is no such model on the hub, or it is private (then log in with `hf auth login`)"
        case HFValidationError():
            return "that is not a hub id"
        case OSError(errno=number) if number == errno.ENOSPC:
            return "the disk is full"
    return f"the hub cannot be reached ({type(root).__name__})"


def _bar(total: int) -> type:
    """A progress bar class for the hub's client, which writes lines instead of drawing."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        """Counts bytes through its class, as the client makes several bars."""

        most = 0
        last = 0.0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            self.counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **(kwargs | {"disable": True}))
            self.seen = 0

        def update(self, n: float | None = 1) -> bool | None:
            if self.counts_bytes and n:
                self.seen += int(n)
                Bar.most = min(total, max(Bar.most, self.seen))
                if time.monotonic() - Bar.last > _INTERVAL:
                    Bar.last = time.monotonic()
                    say(done=Bar.most, total=total)
            return None

    return Bar


if __name__ == "__main__":
    main(sys.argv[1])
