"""A store with its gateway on loopback, other services likewise, and the folders of a task."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iexec_lite.net.rpc import Rpc
from iexec_lite.sandbox.gateway import gateway_app
from iexec_lite.sandbox.server import Server, Service
from iexec_lite.sandbox.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", max_file=64 * 1024 * 1024)


@pytest.fixture
def gateway(store: Store) -> Iterator[Server]:
    gateway = Server({"": gateway_app(store)}, max_body=store.max_file)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A task's folder with ``iexec_in`` and ``iexec_out``."""
    room = tmp_path / "room"
    for name in ("iexec_in", "iexec_out"):
        (room / name).mkdir(parents=True)
    return room


Ask = Callable[..., "tuple[int, dict[str, str], bytes]"]


@pytest.fixture
def nowhere() -> Iterator[Rpc]:
    """A node that does not answer."""
    rpc = Rpc("http://127.0.0.1:9", timeout=2.0)
    yield rpc
    rpc.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Service], Ask]]:
    """``serve(service)``: a function that asks it, through a socket; all is stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start(service: Service) -> Ask:
            server = Server({"/it": service.app})
            stack.callback(service.close)
            stack.callback(server.stop)
            server.start()

            def ask(
                method: str, path: str, body: bytes | None = None, **headers: str
            ) -> tuple[int, dict[str, str], bytes]:
                host = server.url.removeprefix("http://")
                connection = http.client.HTTPConnection(host, timeout=30)
                try:
                    connection.request(method, f"/it{path}", body=body, headers=headers)
                    answer = connection.getresponse()
                    return answer.status, dict(answer.getheaders()), answer.read()
                finally:
                    connection.close()

            return ask

        yield start
