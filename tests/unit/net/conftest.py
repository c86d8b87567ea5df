"""A loopback HTTP server whose behaviour a test writes as a function."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


class Call(BaseHTTPRequestHandler):
    """One request in the hands of the test's function; ``data`` is its body."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment per answer, else the ACK delay of the system costs 40 ms each
    data = b""

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        time.sleep(self.server.pause)  # type: ignore[attr-defined]
        self.data = self.rfile.read(int(self.headers.get("content-length", 0)))
        server: Any = self.server
        server.calls.append((self.command, self.path, dict(self.headers.items()), self.data))
        try:
            server.behaviour(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_HEAD = do_PUT = do_CONNECT = _handle

    def reply(
        self, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response_only(status)
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def reply_json(self, value: object, status: int = 200) -> None:
        self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, behaviour: Callable[[Call], object]) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.behaviour = behaviour
        self.pause = 0.0  # seconds before a request's body is read
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def handle_error(self, *_: object) -> None:
        pass  # tests cut connections on purpose


Serve = Callable[[Callable[[Call], object]], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(behaviour)`` starts a server; all stop with the test."""
    servers: list[Server] = []

    def start(behaviour: Callable[[Call], object]) -> Server:
        servers.append(Server(behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def tls_files() -> tuple[str, str]:
    """A certificate for 127.0.0.1, signed by itself, and its key: for these tests alone."""
    folder = Path(__file__).parent
    return str(folder / "loopback-cert.pem"), str(folder / "loopback-key.pem")
