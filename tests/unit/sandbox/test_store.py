"""The store and its gateway, over real HTTP on loopback."""

from __future__ import annotations

import http.client
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.cid import cid_of
from iexec_lite.sandbox.server import Server
from iexec_lite.sandbox.store import Store


def ask(
    gateway: Server,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_added_files_come_back(store: Store, gateway: Server, tmp_path: Path) -> None:
    data = os.urandom(700_000)
    cid = store.add_bytes(data)
    assert cid == cid_of(data)
    (tmp_path / "file").write_bytes(data)
    assert store.add_file(tmp_path / "file") == cid
    status, headers, body = ask(gateway, "GET", f"/ipfs/{cid}")
    assert (status, body) == (200, data)
    assert headers["Content-Length"] == str(len(data))
    assert ask(gateway, "GET", f"/p2p/{cid}?filename=x")[2] == data
    status, headers, body = ask(gateway, "HEAD", f"/ipfs/{cid}")
    assert (status, headers["Content-Length"], body) == (200, str(len(data)), b"")


def test_post_adds(store: Store, gateway: Server) -> None:
    status, headers, body = ask(gateway, "POST", "/ipfs/", b"hello")
    cid = cid_of(b"hello")
    assert status == 201
    assert headers["Location"] == f"/ipfs/{cid}"
    assert headers["Ipfs-Hash"] == cid
    assert cid.encode() in body
    assert store.path(cid) is not None
    assert ask(gateway, "POST", "/ipfs/", b"")[1]["Ipfs-Hash"] == cid_of(b"")


@pytest.mark.parametrize(
    "path", ["/", "/ipfs/", f"/ipfs/{cid_of(b'x')}", "/ipfs/../../etc/passwd", "/ipfs/Qm/x", "//"]
)
def test_what_is_not_there(gateway: Server, path: str) -> None:
    assert ask(gateway, "GET", path)[0] == 404


def test_refusals(store: Store, gateway: Server) -> None:
    cid = store.add_bytes(b"secret")
    assert ask(gateway, "GET", f"/ipfs/{cid}", headers={"Host": "evil.example:80"})[0] == 403
    assert ask(gateway, "POST", "/ipfs/", b"x", {"Origin": "http://evil.example"})[0] == 403
    assert ask(gateway, "POST", "/other", b"x")[0] == 404
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    assert ask(gateway, "POST", "/ipfs/", b"x", multipart)[0] == 415
    huge = {"Content-Length": str(store.max_file + 1)}
    assert ask(gateway, "POST", "/ipfs/", headers=huge)[0] == 413
    assert ask(gateway, "POST", "/ipfs/", headers={"Content-Length": "-1"})[0] == 400
    assert ask(gateway, "PUT", "/ipfs/", b"x")[0] == 405


def test_a_body_of_unknown_size(store: Store, gateway: Server) -> None:
    with socket.create_connection(address_of(gateway), timeout=10) as client:
        client.sendall(f"POST /ipfs/ HTTP/1.1\r\nHost: {gateway.url[7:]}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 411")


def test_a_body_that_is_cut_leaves_nothing(store: Store, gateway: Server) -> None:
    connection = http.client.HTTPConnection(*address_of(gateway), timeout=10)
    connection.putrequest("POST", "/ipfs/")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"only this")
    connection.close()
    gateway.stop()
    assert list(store.folder.iterdir()) == []


def address_of(gateway: Server) -> tuple[str, int]:
    host, port = gateway.url.removeprefix("http://").split(":")
    return host, int(port)


def test_many_at_once(store: Store, gateway: Server) -> None:
    files = [os.urandom(50_000) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        cids = list(
            pool.map(lambda data: ask(gateway, "POST", "/ipfs", data)[1]["Ipfs-Hash"], files)
        )
        back = list(pool.map(lambda cid: ask(gateway, "GET", f"/ipfs/{cid}")[2], cids))
    assert back == files


def test_size_limit(tmp_path: Path) -> None:
    store = Store(tmp_path / "small", max_file=10)
    with pytest.raises(ValidationError, match="up to 10 bytes"):
        store.add([b"12345", b"678901"])
    assert list(store.folder.iterdir()) == []
