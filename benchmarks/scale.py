"""What more of it costs: orders, tasks, pages, logs. Linear is the same time for each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from iexec_lite.eth.codec import to_hex
from iexec_lite.protocol.contracts import EVENTS
from iexec_lite.sdk.files import create_private

from .measure import Effort, process
from .network import client_of, show
from .nodes import Fake
from .signing import APP, KEY

Measure = Callable[[int], tuple[float, float]]  # seconds, and peak megabytes of a process or 0


def _orders(folder: Path) -> Measure:
    """``order sign --stdin`` in a process of its own."""
    create_private(folder / "wallet.json", f'{{"privateKey": "{KEY}"}}')
    words = ("order", "sign", "--stdin", "--app", "--chain", "bellecour", "--quiet")

    def take(count: int) -> tuple[float, float]:
        lines = f'{{"app": "{APP}"}}\n'.encode() * count
        used = process(sys.executable, "-m", "iexec_lite", *words, stdin=lines, cwd=folder)
        assert used.out.count("\n") == count
        return used.wall, used.peak

    return take


def _tasks(count: int) -> tuple[float, float]:
    with Fake(tasks=count) as fake, client_of(fake) as iexec:
        start = time.perf_counter()
        assert len(show(iexec)) == count  # type: ignore[arg-type]
        spent = time.perf_counter() - start
        fake.shutdown()
    return spent, 0.0


def _pages(count: int) -> tuple[float, float]:
    """Orders of an order book, twenty to a page."""
    with Fake(orders=count) as fake, client_of(fake) as iexec:
        start = time.perf_counter()
        assert sum(1 for _ in iexec.orderbook.fetch_app_orderbook(APP).all()) == count
        spent = time.perf_counter() - start
        fake.shutdown()
    return spent, 0.0


def _logs(count: int) -> tuple[float, float]:
    """Logs of a range of blocks, found and decoded."""
    event, hub = EVENTS.SchedulerNotice, "0x" + "12" * 20
    words = {"topics": [event.topic, "0x" + "00" * 12 + "12" * 20], "data": to_hex(b"\x01" * 32)}
    logs = [{**words, "address": hub} for _ in range(count)]
    start = time.perf_counter()
    assert len(event.find(logs, hub)) == count
    return time.perf_counter() - start, 0.0


def tables(effort: Effort, folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """For each kind, rows of count, seconds and megabytes: 10, 100, … the effort's largest."""
    kinds: dict[str, Measure] = {
        "orders signed by order sign --stdin": _orders(folder),
        "tasks of a deal shown": _tasks,
        "orders of an order book walked": _pages,
        "logs of a range decoded": _logs,
    }
    counts = [10**power for power in range(1, 6) if 10**power <= effort.scale]
    return {name: [(count, *take(count)) for count in counts] for name, take in kinds.items()}
