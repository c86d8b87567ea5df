"""Downloading a result: as long as it keeps coming, no longer; and what is said of a gateway."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import DecodingError, IpfsGatewayCallError, StateError, TransportError
from iexec_lite.net.http import Http, advice
from iexec_lite.sdk import results
from iexec_lite.sdk.records import Task
from iexec_lite.sdk.results import Results

LOCATION = "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"


@pytest.fixture
def gateway() -> Iterator[Callable[[Callable[[Any], None]], str]]:
    """``gateway(behaviour)``: the URL of a server whose GET is this function."""
    servers: list[ThreadingHTTPServer] = []

    def start(behaviour: Callable[[Any], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                behaviour(self)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def of(url: str, http: Http) -> Results:
    task = Task(taskid="0x", status=3, dealid="0x", status_name="COMPLETED", task_timed_out=False)
    return Results(http, url, LOCATION, task, has_callback=False)


def answer(handler: Any, pieces: list[bytes], pause: float, length: int | None = None) -> None:
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(length or sum(map(len, pieces))))
    handler.end_headers()
    for piece in pieces:
        handler.wfile.write(piece)
        handler.wfile.flush()
        time.sleep(pause)


def test_progress(gateway: Any, tmp_path: Path) -> None:
    """What has come, of how much, if the gateway says so of what will be written."""
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("data", os.urandom(150_000))
    data = whole.read_bytes()

    def send(handler: Any) -> None:
        answer(handler, [data], 0)

    def compressed(handler: Any) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Encoding", "gzip")
        body = gzip.compress(data)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    for behaviour, size in [(send, len(data)), (compressed, None)]:
        told = []
        with Http() as http:
            results = of(gateway(behaviour), http)
            assert results.size is results.encrypted is None
            tell = lambda *now, told=told: told.append(now)  # noqa: E731
            results.save(tmp_path / "r.zip", overwrite=True, progress=tell)
        assert results.size == size
        assert (results.checked, results.encrypted) == (False, False)
        assert (tmp_path / "r.zip").read_bytes() == data
        assert len(told) >= 3
        assert [done for done, _ in told] == sorted({done for done, _ in told})
        assert told[-1] == (len(data), size)
        assert {total for _, total in told} == {size}


def test_a_progress_that_fails(gateway: Any, tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with Http() as http:
        results = of(gateway(lambda handler: answer(handler, [b"x" * 10], 0)), http)
        with pytest.raises(KeyboardInterrupt):
            results.save(tmp_path / "r.zip", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_slow_download_is_not_cut(gateway: Any) -> None:
    """The limit of the client is for a call that waits; here each piece comes in time."""
    seen: list[tuple[str, str]] = []

    def drip(handler: Any) -> None:
        seen.append((handler.path, handler.headers["Accept"]))
        answer(handler, [b"ab"] * 6, 0.15)

    with Http(timeout=0.4) as http:
        assert of(gateway(drip), http).read() == b"ab" * 6
    assert seen == [(LOCATION, "application/zip")]


def test_one_that_stops_is(gateway: Any, tmp_path: Path) -> None:
    url = gateway(lambda handler: answer(handler, [b"ab"], 2, length=100))
    with Http(timeout=0.3) as http:
        found = of(url, http)
        with pytest.raises(IpfsGatewayCallError, match="did not answer in time") as caught:
            found.save(tmp_path / "result.zip")
    assert caught.value.retryable
    assert list(tmp_path.iterdir()) == []


def test_one_without_end_is(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_RESULT", 1000)
    url = gateway(lambda handler: answer(handler, [b"x" * 500] * 3, 0))
    with (
        Http() as http,
        pytest.raises(IpfsGatewayCallError, match="more than 1000 bytes") as caught,
    ):
        of(url, http).read()
    assert caught.value.retryable is False


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(403, False), (404, False), (429, True), (500, False), (502, True), (503, True), (504, True)],
)
def test_a_refusal(gateway: Any, status: int, retryable: bool) -> None:
    def refuse(handler: Any) -> None:
        handler.send_response_only(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    url = gateway(refuse)
    with Http(retries=0) as http, pytest.raises(IpfsGatewayCallError) as caught:
        of(url + "/key/of/mine/", http).read()
    assert caught.value.message == (
        f"Failed to download from {url}: API call error: {status}: {advice(status)}"
    )
    assert caught.value.retryable is retryable


@pytest.mark.parametrize("prefix", ["", "/", "/key/of/mine", "/key/of/mine/", "/box"])
def test_where_it_is_asked_for(prefix: str) -> None:
    """Below the path of the gateway; a fault of the connection is tried again."""
    asked: list[Any] = []

    def stream(method: str, url: str, **more: Any) -> Any:
        asked.append((method, url, more["retry"]))
        raise TransportError("cut", retryable=True)

    http: Any = SimpleNamespace(stream=stream, timeout=SimpleNamespace(connect=1, read=2))
    with pytest.raises(IpfsGatewayCallError) as caught:
        of("http://n" + prefix, http).read()
    assert asked == [("GET", "http://n" + prefix.rstrip("/") + LOCATION, True)]
    assert caught.value.message == "Failed to download the result: cut"


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ({"content-length": "12"}, 12),
        ({"content-length": "12", "content-encoding": "identity"}, 12),
        ({"content-length": "12", "content-encoding": "gzip"}, None),
        ({"content-length": "many"}, None),
        ({"content-length": "9" * 16}, None),
        ({}, None),
    ],
)
def test_how_much_will_come(headers: dict[str, str], size: int | None) -> None:
    class Stream(SimpleNamespace):
        def __iter__(self) -> Iterator[bytes]:
            yield b"x"

    @contextmanager
    def stream(*_: Any, **__: Any) -> Iterator[Any]:
        yield Stream(ok=True, headers=headers)

    http: Any = SimpleNamespace(stream=stream, timeout=SimpleNamespace(connect=1, read=2))
    found = of("http://n", http)
    assert found.read() == b"x"
    assert found.size == size


def test_an_encrypted_result_is_not_checked(tmp_path: Path) -> None:
    """Its digest is that of what is in it: nobody knows it before decryption."""
    path = tmp_path / "result.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("iexec_out.zip.aes", b"secret")
    with Http() as http:
        found = of("http://127.0.0.1:1", http)
    assert found.check(path) is False
    assert found.encrypted is True


def test_a_file_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "result.zip"
    path.write_text("mine")
    with Http() as http, pytest.raises(StateError) as caught:
        of("http://127.0.0.1:1", http).save(path)
    assert caught.value.message == f"{path} exists already: say overwrite=True to replace it"
    assert path.read_text() == "mine"


# --- large results --------------------------------------------------------------------------------

BIG = 200 * 1024 * 1024  # bytes


@pytest.fixture(scope="module")
def big_result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An archive of 200 MB as workers make it, and the digest of its one file."""
    path = tmp_path_factory.mktemp("big") / "big.zip"
    block, digest = bytes(range(256)) * 4096, hashlib.sha256()
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("big.bin", "w", force_zip64=True) as file:
            for _ in range(BIG // len(block)):
                file.write(block)
                digest.update(block)
        archive.writestr("computed.json", '{"deterministic-output-path": "/iexec_out/big.bin"}')
    return path, "0x" + digest.hexdigest()


@pytest.mark.parametrize("honest", [True, False])
def test_a_large_result_is_streamed_and_checked(
    gateway: Any, big_result: tuple[Path, str], tmp_path: Path, honest: bool
) -> None:
    source, digest = big_result

    def send(handler: Any) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Length", str(source.stat().st_size))
        handler.end_headers()
        with source.open("rb") as file:
            shutil.copyfileobj(file, handler.wfile)

    target = tmp_path / "result.zip"
    with Http() as http:
        found = of(gateway(send), http)
        expected = digest if honest else "0x" + "11" * 32
        found.task = replace(found.task, result_digest=expected)
        tracemalloc.start()
        if honest:
            assert found.save(target) == target
            assert found.checked is True
        else:
            with pytest.raises(DecodingError, match="the file is kept, do not trust it") as caught:
                found.save(target)
            assert caught.value.details == {"digest": digest, "expected": expected}
            assert found.checked is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
    assert target.stat().st_size == source.stat().st_size > BIG
