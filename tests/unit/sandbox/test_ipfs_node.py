"""Files added as clients of a Kubo node add them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite.sandbox.ipfs_node import ipfs_node_app
from iexec_lite.sandbox.server import Server
from iexec_lite.sandbox.store import CHUNK, Store

ADD = "/api/v0/add?stream-channels=true&progress=false"
TYPE = "multipart/form-data; boundary=xyz"
Ask = Callable[..., "tuple[int, list[Any]]"]


def form(*files: bytes) -> bytes:
    head = (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    return b"".join(head + file + b"\r\n" for file in files) + b"--xyz--\r\n"


@pytest.fixture
def ask(store: Store) -> Iterator[Ask]:
    """Status and JSON lines of an answer; a list of pieces is sent in chunks of unknown size."""
    server = Server({"": ipfs_node_app(store)})
    server.start()

    def request(
        method: str, path: str, body: Any = None, kind: str = TYPE
    ) -> tuple[int, list[Any]]:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, [json.loads(line) for line in text.splitlines()]

    yield request
    server.stop()


def test_a_file_is_kept(ask: Ask, store: Store) -> None:
    cid = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"  # of many places
    expected = (200, [{"Name": cid, "Hash": cid, "Size": "12"}])
    assert ask("POST", ADD, form(b"hello world\n")) == expected
    path = store.path(cid)
    assert path is not None
    assert path.read_bytes() == b"hello world\n"
    body = form(b"hello world\n")
    pieces = iter([body[:50], body[50:100], body[100:]])
    assert ask("POST", ADD, pieces) == expected


def test_many_and_large_files(ask: Ask, store: Store) -> None:
    files = [b"", b"x" * (40 * CHUNK + 1), b"--xyz\r\n\r\n"[:5]]
    status, lines = ask("POST", ADD, form(*files))
    assert status == 200
    paths = [store.path(line["Hash"]) for line in lines]
    assert [path and path.read_bytes() for path in paths] == files


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", ADD, None, TYPE, 405),
        ("POST", "/api/v0/cat", form(b"x"), TYPE, 404),
        ("POST", ADD, b"hello", "text/plain", 400),
        ("POST", ADD, b"--xyz--\r\n", TYPE, 400),
        ("POST", ADD, b"hello", TYPE, 400),
        ("POST", ADD, form(b"x")[:-20], TYPE, 400),
        ("POST", ADD, form(b"x"), "multipart/form-data", 400),
    ],
)
def test_refusals(
    ask: Ask, method: str, path: str, body: bytes | None, kind: str, status: int
) -> None:
    found, (answer,) = ask(method, path, body, kind)
    assert (found, answer["Type"]) == (status, "error")
    assert answer["Message"]


def test_too_large(ask: Ask, store: Store) -> None:
    store.max_file = 1000
    status, (answer,) = ask("POST", ADD, form(b"x" * 1001))
    assert (status, answer["Message"]) == (500, "the store takes files up to 1000 bytes")
    assert not list(store.folder.iterdir())
