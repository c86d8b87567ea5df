"""A proxy before every service that does, when told to, what networks and servers do to people.

One port for all: ``/chain``, ``/market``, ``/sms``, ``/result`` and the root (gateway, IPFS node).
For each request its *schedule* names a kind of fault, or None. Kinds in ``LOST`` never let the
request arrive; those in ``ANSWER`` let it arrive and spoil what comes back; ``HARMLESS`` ones a
client must not even notice. Every fault that was done is counted: service, method, kind.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from iexec_lite import Chain

LOST = ("cut before", "429", "500", "502", "html", "redirect", "late")
ANSWER = (
    *("cut after", "500 after", "html after", "truncated", "wrong id", "wrong types"),
    *("huge", "bomb", "drip"),
)
HARMLESS = ("delay", "repeat")
KINDS = (*LOST, *ANSWER, *HARMLESS)

Tamper = Callable[[str, list[str], Any], Any]  # (service, methods, JSON) → other JSON
Schedule = Callable[[str, str], "str | None"]  # (service, method) → kind of fault
Asked = tuple[str, str, Mapping[str, str], bytes]  # method, URL, headers, body
Answer = tuple[int, dict[str, str], bytes]

# Today's services share one root: the first part of a path → whose it is; else the market's.
TODAY = {"ipfs": "ipfs", "p2p": "ipfs", "api": "ipfs", "secrets": "sms", "apps": "sms"}

HTML = b"<!DOCTYPE html><html><body><h1>503 Backend fetch failed</h1></body></html>"
BOMB = gzip.compress(bytes(70 << 20), 1)
DRIP = 0.05  # seconds between two bytes
_ID = re.compile(rb"0x[0-9a-fA-F]{40,64}|Qm[1-9A-HJ-NP-Za-km-z]{44}")
_PART = re.compile(r"0x[0-9a-fA-F]+|\d+|Qm\w{44}")


def methods(service: str, verb: str, path: str, body: bytes) -> list[str]:
    """What a request asks, without what it asks about: JSON-RPC methods, else verb and path."""
    if service == "chain":
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        return list(dict.fromkeys(call["method"] for call in calls))
    parts = urlsplit(path).path.split("/")
    return [f"{verb} {'/'.join('*' if _PART.fullmatch(part) else part for part in parts)}"]


def is_write(service: str, method: str) -> bool:
    """Whether it changes something there."""
    if service == "chain":
        return method == "eth_sendRawTransaction"
    return method.split(maxsplit=1)[0] not in ("GET", "HEAD")


class Tally:
    """How many faults of each kind met each method of each service, and the requests in all."""

    def __init__(self) -> None:
        self.cells: Counter[tuple[str, str, str]] = Counter()
        self.requests: Counter[tuple[str, str]] = Counter()

    @property
    def faults(self) -> int:
        return sum(self.cells.values())

    def empty(self, kinds: tuple[str, ...] = KINDS) -> list[str]:
        """The cells of writes that nothing was counted in."""
        return [
            f"{service} {method}: {kind}"
            for service, method in sorted(self.requests)
            if is_write(service, method)
            for kind in kinds
            if not self.cells[service, method, kind]
        ]

    def table(self) -> dict[str, dict[str, int]]:
        """``service method`` → kind → count."""
        return {
            f"{service} {method}": {
                kind: self.cells[service, method, kind]
                for kind in KINDS
                if self.cells[service, method, kind]
            }
            for service, method in sorted(self.requests)
        }


class Proxy:
    """``chain`` is the record that leads through it. ``schedule`` may be changed at any time."""

    def __init__(self, chain: Chain, schedule: Schedule = lambda _service, _method: None) -> None:
        self.schedule = schedule
        self.tamper: Tamper | None = None  # for lies that look like answers
        self.tally = Tally()
        self.escaped: list[BaseException] = []  # what went wrong in the proxy itself
        self._lock = threading.RLock()
        self._late: list[Asked] = []
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        services = urlsplit(str(chain.sms))
        root = f"{services.scheme}://{services.netloc}"
        self._targets = {"chain": str(chain.host), "": root}
        changes: dict[str, Any] = {"host": f"{self.url}/chain"}
        for field in ("iexec_gateway", "sms", "result_proxy", "ipfs_gateway", "ipfs_node"):
            if getattr(chain, field):
                changes[field] = str(getattr(chain, field)).replace(root, self.url)
        self.chain = chain.with_overrides(**changes)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert not self.escaped, self.escaped

    # -- one request ----------------------------------------------------------------------------

    def where(self, path: str) -> tuple[str, str]:
        """The service that a path belongs to, and the URL behind it."""
        first = path.split("/")[1]
        if first == "chain":
            return "chain", self._targets["chain"]
        own = first if first in ("market", "sms", "result") else TODAY.get(first, "market")
        return own, self._targets[""] + path

    def draw(self, service: str, asked: Asked) -> str | None:
        verb, url, _, body = asked
        path = urlsplit(url).path
        with self._lock:
            found = methods(service, verb, path, body)
            writes = [method for method in found if is_write(service, method)]
            kind = self.schedule(service, (writes or found)[0])
            for method in found:
                self.tally.requests[service, method] += 1
                if kind is not None:
                    self.tally.cells[service, method, kind] += 1
            return kind

    def keep(self, asked: Asked) -> None:
        """It has left, and arrives after the next one."""
        with self._lock:
            self._late.append(asked)

    def deliver(self) -> None:
        """What was late arrives now; nobody waits for the answer."""
        with self._lock:
            late, self._late = self._late, []
        for asked in late:
            forward(asked)


def forward(asked: Asked) -> Answer:
    """Ask the real service."""
    verb, url, headers, body = asked
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        own = {name: value for name, value in headers.items() if name.lower() not in _HOP}
        path = parts.path or "/"
        connection.request(
            verb, f"{path}?{parts.query}" if parts.query else path, body or None, own
        )
        answer = connection.getresponse()
        kept = {k.lower(): v for k, v in answer.getheaders() if k.lower() not in _HOP}
        return answer.status, kept, answer.read()
    finally:
        connection.close()


_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "date", "server"}


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, and answers it as the schedule has it."""

    owner: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        try:
            self._answer()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):  # the client has gone
            self.close_connection = True
        except BaseException as error:
            self.close_connection = True
            self.owner.escaped.append(error)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _serve

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        service, url = self.owner.where(self.path)
        asked = (self.command, url, dict(self.headers.items()), body)
        kind = self.owner.draw(service, asked)
        if kind in LOST:
            if kind == "late":
                self.owner.keep(asked)
            self._refuse(kind)
            return
        if kind == "delay":
            time.sleep(0.05)
        answer = forward(asked)
        if kind == "repeat":
            again = forward(asked)
            answer = answer if is_write(service, self._method(service, body)) else again
        if self.owner.tamper is not None and self.command != "HEAD":
            answer = self._tampered(service, body, answer)
        if kind in ANSWER:
            self._spoil(kind, service, answer)
        else:
            self._send(*answer)
        self.owner.deliver()

    def _tampered(self, service: str, body: bytes, answer: Answer) -> Answer:
        status, headers, content = answer
        try:
            found = json.loads(content)
        except ValueError:
            return answer
        assert self.owner.tamper is not None
        asked = methods(service, self.command, self.path, body)
        return status, headers, json.dumps(self.owner.tamper(service, asked, found)).encode()

    def _method(self, service: str, body: bytes) -> str:
        return methods(service, self.command, self.path, body)[0]

    def _refuse(self, kind: str) -> None:
        """An answer of somebody in between, or none."""
        if kind in ("cut before", "late"):
            self._cut()
        elif kind == "html":
            self._send(200, {"content-type": "text/html"}, HTML)
        elif kind == "redirect":
            where = {"location": f"{self.owner.url}/elsewhere", "content-type": "text/html"}
            self._send(302, where, HTML)
        else:
            self._send(int(kind), {"content-type": "text/html"}, HTML)

    def _spoil(self, kind: str, service: str, answer: Answer) -> None:
        status, headers, body = answer
        if kind == "cut after":
            self._cut()
        elif kind == "500 after":
            self._send(500, {"content-type": "text/html"}, HTML)
        elif kind == "html after":
            self._send(200, {"content-type": "text/html"}, HTML)
        elif kind == "truncated":
            self._send(status, headers, body[: len(body) // 2], length=len(body) + 1)
            self._cut()
        elif kind == "wrong id":
            self._send(status, headers, other_id(service, body))
        elif kind == "wrong types":
            self._send(status, headers, other_types(body))
        elif kind == "huge":
            self._send(status, headers, body, length=1 << 45)
            self._cut()
        elif kind == "bomb":
            self._send(status, {**headers, "content-encoding": "gzip"}, BOMB)
        else:
            self._drip(status)

    def _send(
        self, status: int, headers: Mapping[str, str], body: bytes, *, length: int | None = None
    ) -> None:
        kept = {**headers, "content-length": str(len(body) if length is None else length)}
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in kept.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(head + (b"" if self.command == "HEAD" else body))
        self.wfile.flush()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _drip(self, status: int) -> None:
        """For as long as the client waits."""
        self.close_connection = True
        for byte in b"HTTP/1.1 %d x\r\nx-more: %s" % (status, b"x" * 1200):
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(DRIP)


def other_id(service: str, body: bytes) -> bytes:
    """The answer to another question."""
    if service != "chain":
        return _ID.sub(_other, body) if _ID.search(body) else b"another answer: " + body
    answer = json.loads(body)
    for item in answer if isinstance(answer, list) else [answer]:
        item["id"] = item["id"] + 1000 if isinstance(item["id"], int) else 0
    return json.dumps(answer).encode()


def _other(match: re.Match[bytes]) -> bytes:
    last = match[0][-1:]
    return match[0][:-1] + (b"1" if last != b"1" else b"2")


def other_types(body: bytes) -> bytes:
    """The same shape with everything of another type; what is no JSON gets other bytes."""
    try:
        return json.dumps(_retyped(json.loads(body))).encode()
    except ValueError:
        return bytes(byte ^ 0xFF for byte in body) or b"\0"


def _retyped(value: Any, key: str = "") -> Any:
    if key in ("jsonrpc", "id"):
        return value
    if isinstance(value, dict):
        return {name: _retyped(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return {str(n): _retyped(item) for n, item in enumerate(value)} if value else {}
    if isinstance(value, str):
        return [value]
    return None if isinstance(value, bool) else f"{value}"
