"""Whether code is compiled at all, and what happens where it can't be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WITHOUT = """
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "llvmlite":
            raise ImportError(name)

if sys.argv[1] == "without":
    sys.meta_path.insert(0, Missing())
from n8loom_tui.loom import kernels
for module in pkgutil.iter_modules(kernels.__path__):
    importlib.import_module(f"n8loom_tui.loom.kernels.{module.name}")
from n8loom_tui.loom.kernels import native
native.prepare(steps=True)
raise SystemExit(native.code() is not None)
"""


@pytest.mark.parametrize(("llvm", "setting"), [("without", "1"), ("with", "0")])
def test_without_llvmlite_or_where_it_is_not_wanted_there_is_no_code_and_everything_else(
    llvm: str, setting: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, llvm],
        env=os.environ | {"N8LOOM_NATIVE": setting},
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
