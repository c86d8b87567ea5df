"""The store and its gateway, over real HTTP on loopback."""

from __future__ import annotations

import http.client
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError, ValidationError
from iexec_lite.sandbox.cid import cid_of
from iexec_lite.sandbox.store import Gateway, Store


def ask(
    gateway: Gateway,
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


def test_added_files_come_back(store: Store, gateway: Gateway, tmp_path: Path) -> None:
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


def test_post_adds(store: Store, gateway: Gateway) -> None:
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
def test_what_is_not_there(gateway: Gateway, path: str) -> None:
    assert ask(gateway, "GET", path)[0] == 404


def test_refusals(store: Store, gateway: Gateway) -> None:
    cid = store.add_bytes(b"secret")
    assert ask(gateway, "GET", f"/ipfs/{cid}", headers={"Host": "evil.example:80"})[0] == 403
    assert ask(gateway, "POST", "/ipfs/", b"x", {"Origin": "http://evil.example"})[0] == 403
    assert ask(gateway, "POST", "/other", b"x")[0] == 404
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    assert ask(gateway, "POST", "/ipfs/", b"x", multipart)[0] == 415
    huge = {"Content-Length": str(store.max_file + 1)}
    assert ask(gateway, "POST", "/ipfs/", headers=huge)[0] == 413
    assert ask(gateway, "POST", "/ipfs/", headers={"Content-Length": "-1"})[0] == 411
    assert ask(gateway, "PUT", "/ipfs/", b"x")[0] == 501


def test_a_body_that_is_cut_leaves_nothing(store: Store, gateway: Gateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("POST", "/ipfs/")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"only this")
    connection.close()
    gateway.stop()  # waits for nobody, but the handler ends when the client is gone
    assert not [path for path in store.folder.iterdir() if path.name.startswith("Qm")]


def test_many_at_once(store: Store, gateway: Gateway) -> None:
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


def test_port_in_use(store: Store, gateway: Gateway) -> None:
    port = int(gateway.url.rpartition(":")[2])
    with pytest.raises(SandboxError, match=f"port {port}"):
        Gateway(store, port=port)
    assert ask(gateway, "GET", "/")[0] == 404  # the first one still answers


def test_control_paths(store: Store) -> None:
    asked = []

    def control(method: str, path: str, headers: object) -> tuple[int, dict[str, object]] | None:
        asked.append((method, path))
        return (202, {"done": True}) if path == "/control" else None

    gateway = Gateway(store, control=control)
    gateway.start()
    try:
        assert ask(gateway, "POST", "/control")[0] == 202
        assert ask(gateway, "GET", "/nothing")[0] == 404
        assert ask(gateway, "POST", "/control", headers={"Host": "evil.example"})[0] == 403
    finally:
        gateway.stop()
    assert asked == [("POST", "/control"), ("GET", "/nothing")]


def test_silent_clients_hold_up_nobody(store: Store) -> None:
    gateway = Gateway(store)
    gateway.start()
    cid = store.add_bytes(b"x")
    address = ("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    start = time.monotonic()
    silent = [socket.create_connection(address, timeout=5) for _ in range(100)]
    try:
        assert ask(gateway, "GET", f"/ipfs/{cid}")[2] == b"x"
        gateway.stop()
        assert time.monotonic() - start < 5
    finally:
        for client in silent:
            client.close()
