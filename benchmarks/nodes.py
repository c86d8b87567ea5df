"""A node and a marketplace in this process, which count the requests and know what to answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from iexec_lite import IExec
from iexec_lite.eth import abi
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.orders import order_hash

APP, CHAIN = "0x" + "a1" * 20, 134
START = 1_600_000_000


def _value(kind: Any, size: int) -> object:
    """A value of a type: addresses are somebody's, ``botSize`` is ``size``."""
    if kind.kind == "tuple":
        return tuple(_value(each, size) for each in kind.components)
    if kind.kind == "array":
        return ()
    named = {"botSize": size, "startTime": START, "botFirst": 0, "workClockTimeRef": 300}
    by = {"address": b"\x12" * 20, "fixed_bytes": bytes(31) + b"\1", "bytes": b"", "string": "{}"}
    return by.get(kind.kind, named.get(kind.label, 1))


def _answer(method: Any, size: int) -> str:
    kinds = method.function.outputs
    found = abi.encode([kind.name for kind in kinds], [_value(kind, size) for kind in kinds])
    return "0x" + found.hex()


class Fake(ThreadingHTTPServer):
    """Answers for a deal of ``tasks`` tasks and a book of ``orders`` app orders."""

    daemon_threads = True

    def __init__(self, tasks: int = 0, orders: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        methods = (HUB.viewDeal, HUB.viewTask, HUB.viewCategory, HUB.final_deadline_ratio)
        self.calls = {"0x" + each.selector.hex(): _answer(each, tasks) for each in methods}
        self.requests = 0
        self.orders = orders
        self._record = _record() if orders else {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def rpc(self, call: dict[str, Any]) -> dict[str, Any]:
        """The answer to one JSON-RPC call."""
        block = {"number": "0x10", "timestamp": hex(START + 10), "hash": "0x" + "11" * 32}
        fixed = {"eth_chainId": hex(CHAIN), "eth_getBlockByNumber": block, "eth_getBalance": "0x1"}
        result: object = fixed.get(call["method"])
        if result is None:
            result = self.calls.get(call["params"][0]["data"][:10], "0x" + "00" * 31 + "01")
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}

    def page(self, query: dict[str, list[str]]) -> dict[str, object]:
        """A page of the order book, by V6's paging: ``page`` is how many to skip."""
        skip = int(query.get("page", ["0"])[0])
        numbers = range(skip, min(skip + 20, self.orders))
        following = {"nextPage": skip + 20} if skip + 20 < self.orders else {}
        orders = [self._record(number) for number in numbers]  # type: ignore[operator]
        return {"ok": True, "count": self.orders, "orders": orders, **following}


def _record() -> Callable[[int], dict[str, object]]:
    """Makes records of the marketplace: unsigned orders, as nobody verifies a listed signature."""
    api = IExec.offline("0x" + "11" * 32, chain=CHAIN).order
    order, domain = api.create_apporder(APP), api._context.domain

    def make(number: int) -> dict[str, object]:
        salted = order.salted(number.to_bytes(32, "big"))
        numbers = {"appprice": 0, "volume": 1}
        return {
            "order": {**salted.to_dict(), **numbers, "sign": "0x" + "11" * 65},
            "orderHash": order_hash(salted, domain),
            "chainId": CHAIN,
            "remaining": 1,
            "status": "open",
            "signer": "0x" + "12" * 20,
            "publicationTimestamp": "2026-01-01T00:00:00.000Z",
        }

    return make


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Fake

    def do_POST(self) -> None:
        """One call or a batch."""
        calls = json.loads(self.rfile.read(int(self.headers["content-length"])))
        many = isinstance(calls, list)
        self._send([self.server.rpc(c) for c in calls] if many else self.server.rpc(calls))

    def do_GET(self) -> None:
        """A page of the order book."""
        self._send(self.server.page(parse_qs(urlsplit(self.path).query)))

    def _send(self, answer: object) -> None:
        self.server.requests += 1
        body = json.dumps(answer).encode()
        self.send_response_only(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: requests are counted."""
