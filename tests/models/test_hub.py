"""Models from the hub, against a small hub of the tests' own on the loopback interface."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from n8loom_tui.models import gguf, hub
from n8loom_tui.models.errors import ModelError
from n8loom_tui.models.load import load_model
from n8loom_tui.models.progress import Cancelled, Progress

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "weavers/tiny-llama"


@pytest.fixture
def files(gguf_writer: Callable[..., Path], tiny_llama: Any, tmp_path: Path) -> dict[str, bytes]:
    folder = gguf.folder_for(gguf_writer(*tiny_llama), tmp_path / "made")
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    return found | {"pytorch_model.bin": b"not wanted", "code.py": b"raise SystemExit"}


@pytest.fixture
def fake_hub(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A hub with one model. Gives the list of the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            if path == f"/api/models/{REPOSITORY}/revision/main":
                self.answer(200, json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": []}).encode())
            elif path == f"/api/models/{REPOSITORY}/tree/{COMMIT}":
                entries = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in files.items()
                ]
                self.answer(200, json.dumps(entries).encode())
            elif path.startswith(f"/{REPOSITORY}/resolve/{COMMIT}/"):
                data = files[path.rpartition("/")[2]]
                etag = f'"{hashlib.sha1(data).hexdigest()}"'
                self.answer(200, data, {"ETag": etag, "X-Repo-Commit": COMMIT})
            else:
                self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    yield asked
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_once(fake_hub: list[str], files: dict[str, bytes]) -> None:
    reports: list[Progress] = []
    loaded = load_model(REPOSITORY, progress=reports.append)
    assert loaded.name == REPOSITORY
    assert loaded.tokenizer.decode(loaded.tokenizer.encode("fetched")) == "fetched"
    downloads = [report for report in reports if report.stage == "download"]
    assert [each.done for each in downloads] == sorted(each.done for each in downloads)
    wanted = sum(len(data) for name, data in files.items() if not name.endswith((".bin", ".py")))
    assert downloads[-1].total == wanted
    assert not any(path.endswith((".bin", ".py")) for path in fake_hub)

    fake_hub.clear()
    assert load_model(REPOSITORY).fingerprint == loaded.fingerprint
    assert fake_hub == []  # the second time asks nobody


def test_a_part_in_the_cache_is_not_taken_for_the_model(fake_hub: list[str], tmp_path: Path) -> None:
    snapshot = tmp_path / "hf" / "hub" / "models--weavers--tiny-llama" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "tokenizer.json").write_text("{}")
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text(COMMIT)
    assert (hub.folder_for(REPOSITORY) / "model.safetensors").is_file()


def test_an_unknown_model(fake_hub: list[str]) -> None:
    with pytest.raises(ModelError, match="no such model on the hub"):
        load_model("weavers/nothing-here")


def test_a_model_without_safetensors(fake_hub: list[str], files: dict[str, bytes]) -> None:
    del files["model.safetensors"]
    with pytest.raises(ModelError, match="no safetensors weights"):
        load_model(REPOSITORY)


def test_cancelled_stops_the_download(fake_hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    popen = hub.subprocess.Popen

    def recorded(*args: Any, **kwargs: Any) -> Any:
        started.append(popen(*args, **kwargs))
        return started[-1]

    def cancel(_report: Progress) -> None:
        raise Cancelled

    monkeypatch.setattr(hub.subprocess, "Popen", recorded)
    with pytest.raises(Cancelled):
        hub.folder_for(REPOSITORY, cancel)
    assert [process.poll() for process in started] != [None]


def test_offline_is_an_answer_at_once(fake_hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        ModelError, match=r"'some/model' is no file or folder here.*cannot be reached"
    ) as caught:
        load_model("some/model")
    assert str(caught.value).isprintable()
    assert fake_hub == []


def test_a_hub_that_refuses_connections(fake_hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="cannot be reached"):
        load_model("some/model")


@pytest.mark.parametrize("name", ["a/b", "mlx-community/Llama-3.2-3B-Instruct-4bit", "o.w/n_a-m.e"])
def test_names_like_hub_ids(name: str) -> None:
    assert hub.is_hub_id(name)


@pytest.mark.parametrize("name", ["", "a", "a/b/c", "a/../b", "/a", "a/", "a b/c", "ä/b", "a/b\n"])
def test_names_unlike_hub_ids(name: str) -> None:
    assert not hub.is_hub_id(name)
