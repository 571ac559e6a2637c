"""What every test needs: folders of its own, and the fast BLAS under MLX before anything imports it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from n8loom_tui.models.blas import prepare_device

_home = Path(tempfile.mkdtemp(prefix="n8loom-tests-"))
# The cache folder stays the person's own: the built-in model is fetched and converted once, not once per run.
os.environ["N8LOOM_CONFIG_DIR"] = str(_home / "config")
os.environ["N8LOOM_DATA_DIR"] = str(_home / "data")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

prepare_device()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write the README's table of architectures")


def pytest_unconfigure() -> None:
    import shutil

    shutil.rmtree(_home, ignore_errors=True)
