"""An empty project folder and home, the command line run inside this process, and a tiny node."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import iexec_lite
from iexec_lite.cli import main
from iexec_lite.eth import keystore
from iexec_lite.sdk.files import create_private

ROOT = Path(iexec_lite.__file__).resolve().parents[1]
KEY = bytes.fromhex("564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407")


@dataclass(frozen=True)
class Done:
    """What a command left: exit status and both streams."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document of ``--raw``, on the stream that belongs to the status."""
        text, other = (self.out, self.err) if self.status == 0 else (self.err, self.out)
        assert other == "", other
        (line,) = text.splitlines(keepends=True)
        assert line.endswith("\n")
        return json.loads(line)


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; the home is another empty one."""
    home, folder = tmp_path / "home", tmp_path / "project"
    for path in (home, folder):
        path.mkdir()
    for name in ("DEBUG", "IEXEC_LITE_PASSWORD", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "IEXEC_LITE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)  # for processes of their own
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Commands let the library's log be heard; after the test it is as it was."""
    log = logging.getLogger("iexec_lite")
    level, handlers = log.level, list(log.handlers)
    yield
    log.setLevel(level)
    log.handlers[:] = handlers


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("wallet", "show", "--raw", stdin="…")``; nobody sits at a terminal."""

    def call(*words: str, stdin: str = "") -> Done:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        status = main(words)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return call


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """New keystores cost nothing, where their strength is not what is tested."""
    assert keystore.encrypt.__kwdefaults__["n"] == 131072
    monkeypatch.setitem(keystore.encrypt.__kwdefaults__, "n", 2)


@pytest.fixture
def wallet(project: Path) -> Path:
    """A keystore file in ``ks`` for a known key, password ``x``."""
    folder = project / "ks"
    folder.mkdir(mode=0o700)
    content = keystore.encrypt(KEY, "x", n=2)
    name = "UTC--2021-12-09T17-16-32.596000000Z--7bd4783FDCAD405A28052a0d1f11236A741da593"
    create_private(folder / name, json.dumps(content, indent=2))
    return folder / name


Answer = Callable[[str, list[Any]], Any]


class Node(ThreadingHTTPServer):
    """A JSON-RPC node on loopback; ``answers`` are results by method, ``asked`` what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = {"eth_chainId": hex(65535)}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        method = call["method"]
        self.asked.append(method)
        found = self.answers[method]
        result = found(*call["params"]) if callable(found) else found
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}


class _Handler(BaseHTTPRequestHandler):
    server: Node

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        many = isinstance(call, list)
        answer = [self.server.answer(c) for c in call] if many else self.server.answer(call)
        body = json.dumps(answer).encode()
        self.send_response_only(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:  # as an SMS that knows nothing
        self.server.asked.append(self.path)
        self.send_response_only(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def node(project: Path) -> Iterator[Node]:
    """A node of chain 65535, which chain.json names as the default chain ``mine``."""
    with Node() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        hub = "0x" + "aa" * 20
        services = {"resultProxy": "https://result.invalid", "sms": f"{server.url}/sms"}
        chain = {"id": "65535", "host": server.url, "hub": hub, **services}
        (project / "chain.json").write_text(
            json.dumps({"default": "mine", "chains": {"mine": chain}})
        )
        yield server
        server.shutdown()
        thread.join()


NOW = 1_800_000_000  # 2027-01-15 08:00:00 UTC


class Library(SimpleNamespace):
    """A client as :class:`iexec_lite.IExec` is one: its own context manager."""

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The library as commands see it, at :data:`NOW`: a test gives it the methods it needs.

    Nothing is contacted; ``signer`` is the wallet that a command connected with.
    """
    found = Library()

    def connect(selection: Any, options: Any, wallet: Any = None) -> Any:
        found.chain, found.signer = selection.chain, wallet
        return found

    monkeypatch.setattr("iexec_lite.cli.project.connect", connect)
    monkeypatch.setattr("iexec_lite.cli.watching.chain_clock", lambda client: lambda: NOW)
    monkeypatch.setattr("time.time", lambda: NOW)
    return found


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at the terminal, whose answers are the ``stdin`` of ``run``."""
    monkeypatch.setattr("iexec_lite.cli.terminal.is_terminal", lambda stream: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
