"""Where files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from n8loom_tui import paths

FOLDERS = [
    ("N8LOOM_CONFIG_DIR", paths.config_dir),
    ("N8LOOM_DATA_DIR", paths.data_dir),
    ("N8LOOM_CACHE_DIR", paths.cache_dir),
]


@pytest.mark.parametrize(("variable", "folder"), FOLDERS)
def test_a_variable_overrides_the_platform(
    variable: str, folder: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(folder)
    monkeypatch.setenv(variable, str(tmp_path / "mine"))
    assert folder() == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()  # asking makes nothing
    monkeypatch.setenv(variable, "~/loom")
    assert folder() == Path.home() / "loom"
    monkeypatch.setenv(variable, "relative")
    assert folder() == Path.cwd() / "relative"
    monkeypatch.setenv(variable, "")
    assert folder().name
    monkeypatch.delenv(variable)
    assert "n8loom-tui" in str(folder())
