"""The one server of all services, over real sockets."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.sandbox import commands
from iexec_lite.sandbox.gateway import gateway_app
from iexec_lite.sandbox.server import CONNECTIONS, Server, new_app, spring_error
from iexec_lite.sandbox.store import Store


class Echo:
    """Says what it was asked."""

    def on_get(self, request: Any, response: Any) -> None:
        response.media = {"path": request.path, "query": request.query_string}

    def on_post(self, request: Any, response: Any) -> None:
        response.data = request.bounded_stream.read()


class Broken:
    def on_get(self, request: Any, response: Any) -> None:
        raise RuntimeError("the secret is planted")


def raw_app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    raise RuntimeError("the secret is planted")


@pytest.fixture
def server() -> Iterator[Server]:
    apps = {
        "/echo": new_app({"/": Echo(), "/x": Echo()}),
        "/java": new_app({"/broken": Broken(), "/echo": Echo()}, spring_error),
        "/raw": raw_app,
    }
    server = Server(apps, max_body=1 << 20)
    server.start()
    yield server
    server.stop()


def connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = connect(server)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_apps_are_found_by_prefix(server: Server) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    for path in ("/echo", "/echo/", "/echo/x?a=b"):
        status, _, body = ask(server, "GET", path)
        assert status == 200
        assert json.loads(body)["query"] == path.partition("?")[2]
    for path in ("/", "/echoes", "/other", "/ech", "/echo/y"):
        status, headers, body = ask(server, "GET", path)
        assert (status, headers["Content-Type"]) == (404, "application/json")
        assert "error" in json.loads(body)


def test_a_connection_is_kept(server: Server) -> None:
    connection = connect(server)
    try:
        for _ in range(3):
            connection.request("POST", "/echo", body=b"x" * 1000)
            first = connection.sock
            assert connection.getresponse().read() == b"x" * 1000
            assert connection.sock is first
    finally:
        connection.close()


def test_refusals(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    assert ask(server, "GET", "/echo", Host=f"localhost:{port}")[0] == 200
    for host in ("evil.example:80", "evil.example", "", "127.0.0.1.evil.example:80"):
        assert ask(server, "GET", "/echo", Host=host)[0] == 403
    page = {"Origin": "http://evil.example"}
    assert ask(server, "GET", "/echo", **page)[0] == 200
    for method in ("POST", "PUT", "DELETE"):
        assert ask(server, method, "/echo", b"x", **page)[0] == 403
    assert ask(server, "POST", "/echo", **{"Content-Length": str((1 << 20) + 1)})[0] == 413
    assert ask(server, "POST", "/echo", b"x" * (1 << 20))[0] == 200


def test_what_java_services_say(server: Server) -> None:
    status, headers, body = ask(server, "GET", "/java/nowhere?secret=1")
    assert (status, headers["Content-Type"]) == (404, "application/json")
    found = json.loads(body)
    assert found.pop("timestamp").endswith("+00:00")
    expected = {"status": 404, "error": "Not Found", "message": "", "path": "/nowhere"}
    assert found == expected
    status, headers, body = ask(server, "DELETE", "/java/echo")
    assert (status, json.loads(body)["error"]) == (405, "Method Not Allowed")
    assert set(headers["Allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


@pytest.mark.parametrize("path", ["/java/broken", "/raw"])
def test_an_app_that_fails(server: Server, path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "iexec_lite.sandbox"):
        status, headers, body = ask(server, "GET", f"{path}?secretName=x")
    assert (status, headers["Content-Type"]) == (500, "application/json")
    assert json.loads(body)
    assert b"planted" not in body
    assert b"Traceback" not in body
    assert "RuntimeError" in caplog.text
    assert "secretName" not in caplog.text
    assert ask(server, "GET", "/echo")[0] == 200


def test_many_at_once(server: Server) -> None:
    bodies = [os.urandom(100_000) for _ in range(60)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: ask(server, "POST", "/echo", body)[2], bodies))
    assert answers == bodies


def test_port_in_use(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(SandboxError, match=f"port {port}"):
        Server({}, port=port)
    assert ask(server, "GET", "/echo")[0] == 200  # the first one still answers


def test_a_port_is_free_again_at_once() -> None:
    port = 0
    for _ in range(3):
        server = Server({"": new_app({"/": Echo()})}, port=port)
        server.start()
        port = int(server.url.rpartition(":")[2])
        assert ask(server, "GET", "/")[0] == 200
        server.stop()
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)


def test_never_started() -> None:
    server = Server({})
    server.stop()


def test_silent_clients_hold_up_nobody(server: Server) -> None:
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    silent = [socket.create_connection(address, timeout=30) for _ in range(200)]
    assert len(silent) < CONNECTIONS
    try:
        for client in silent[:20]:
            client.sendall(b"POST /echo HTTP/1.1\r\nContent-Length: 100\r\n")
        assert ask(server, "GET", "/echo")[0] == 200
        server.stop()
        assert silent[0].recv(100) == b""
    finally:
        for client in silent:
            client.close()


def test_stop_cuts_what_is_running() -> None:
    """An answer without end, to a client that does not read, and half a request."""
    begun = threading.Event()

    def endless(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        while True:
            begun.set()
            yield b"x" * (1 << 20)

    server = Server({"": endless})
    server.start()
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with (
        socket.create_connection(address, timeout=30) as stuck,
        socket.create_connection(address, timeout=30) as half,
    ):
        stuck.sendall(f"GET / HTTP/1.1\r\nHost: {server.url[7:]}\r\n\r\n".encode())
        half.sendall(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 4_000_000)
        assert begun.wait(30)
        server.stop()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if "waitress" in name or "iexec_lite-server" in name]


MEASURE = """
import http.client, resource, sys
from pathlib import Path
from iexec_lite.net.http import Http
from iexec_lite.net.rpc import Rpc
from iexec_lite.sandbox.gateway import gateway_app
from iexec_lite.sandbox.result_proxy import ResultProxy
from iexec_lite.sandbox.server import Server
from iexec_lite.sandbox.store import Store
from iexec_lite.sandbox.uploads import Uploads

MB, SIZE = 1 << 20, 200
folder = Path(sys.argv[1])
store = Store(folder / "store")

class Open(ResultProxy):  # the chain has no part in this
    def wallet(self, request):
        return ""
    def may_upload(self, taskid, wallet):
        return True

proxy = Open(folder / "proxy.sqlite", store, Rpc("http://127.0.0.1:9"), "")
server = Server({"": gateway_app(store), "/result": proxy.app})
server.start()
uploads = Uploads(server.url + "/result", 5, Http())

def upload(name, size):
    path = folder / name
    with path.open("wb") as file:
        file.truncate(size * MB)
    return uploads.upload("0x" + name * 32, path, "token")

def ask(method, path, **more):
    connection = http.client.HTTPConnection(server.url[7:], timeout=60)
    connection.request(method, path, **more)
    answer = connection.getresponse()
    location, got = answer.getheader("Location"), 0
    while data := answer.read(65536):
        got += len(data)
    connection.close()
    return location, got

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def post(size):
    body = (bytes([size % 256]) * MB for _ in range(size))
    return ask("POST", "/ipfs", body=body, headers={"Content-Length": str(size * MB)})[0]

post(2), upload("aa", 2)
before = peak()
assert ask("GET", post(SIZE))[1] == SIZE * MB
assert ask("GET", upload("bb", SIZE))[1] == SIZE * MB
server.stop()
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource")
def test_large_files_are_not_held_in_memory(tmp_path: Path) -> None:
    """200 MB into the store and back, and through the result proxy and back."""
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    unit = 1024 if sys.platform == "darwin" else 1  # there in bytes
    assert int(found.stdout) // unit < 60


MISSING = """
import sys
from iexec_lite.errors import SandboxError
from iexec_lite.sandbox import commands, stack  # status and down need no server
assert not {"falcon", "waitress"} & set(sys.modules)
sys.modules[sys.argv[1]] = None
commands.ensure = commands.private_dir = None  # nothing is fetched or made
for act in (stack.require_packages, commands.up, commands.demo):
    try:
        act()
    except SandboxError as error:
        print(error.message)
"""


@pytest.mark.parametrize("name", ["falcon", "waitress"])
def test_without_the_extra(name: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", MISSING, name], capture_output=True, text=True, check=False
    )
    words = f"the sandbox needs {name}: install the sandbox extra"
    told = found.stdout.splitlines()
    assert [line.startswith(words) for line in told] == [True] * 3, found.stderr


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("1 INFO x\n2026-11-27 23:17:41,109 ERROR port 1 is in use\n", "port 1 is in use"),
        ("Traceback\nMemoryError\n", "MemoryError"),
        ("", "no reason was given"),
        (None, "no reason was given"),
    ],
)
def test_why_the_service_did_not_start(tmp_path: Path, log: str | None, words: str) -> None:
    if log is not None:
        (tmp_path / "service.log").write_text(log)
    assert commands._last_words(tmp_path) == f"{words} (see {tmp_path / 'service.log'})"


def test_a_file_is_closed_when_its_reader_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cid = store.add(b"x" * (1 << 20) for _ in range(20))
    server = Server({"": gateway_app(store)})
    server.start()
    try:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(f"GET /ipfs/{cid} HTTP/1.1\r\nHost: {server.url[7:]}\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert ask(server, "HEAD", f"/ipfs/{cid}")[1]["Content-Length"] == str(20 << 20)
    finally:
        server.stop()
