"""A store with its gateway on loopback, and the folders of a task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iexec_lite.sandbox.gateway import gateway_app
from iexec_lite.sandbox.server import Server
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
