"""HTTP and HTTPS, bounded: what ``backend.py`` opens, with redirects, retries and ceilings.

Every call has a time limit as a whole (looking up a name takes what the system grants it), every
answer a size limit (also after decompression), TLS is verified. Refused: plain ``http://`` beyond
loopback without ``allow_plain=True``, redirects of anything but GET and HEAD, redirects to plain
http or into loopback. Credentials follow no redirect. Texts and logs name scheme and host only:
paths, queries and user names may hold keys. Facts: services.md §8; rules: design.md, Network.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from .. import __version__
from ..errors import TransportError, ValidationError
from ..frozen import Frozen, field
from ..log import log
from .backend import cause_of, failure, load
from .limits import DEFAULT_MAX_BYTES, BodyDecoder, Limits, Timeout, parse_json
from .target import Target, parse_target, proxy_for, redirected

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager

__all__ = ["Http", "Response", "Stream", "Timeout", "Transport"]


MAX_REDIRECTS = 5
RETRY_STATUSES = frozenset((429, 502, 503, 504))
_BASE_PAUSE, _MAX_PAUSE = 0.25, 8.0  # seconds before the first retry, and at most
_MAX_RETRY_AFTER = 30.0  # a server that asks for more is not waited for
_BLOCK = 64 * 1024
_KEPT_TARGETS = 64
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
# What a redirected request may carry on; everything else may be a credential.
_REDIRECT_HEADERS = frozenset(("accept", "accept-encoding", "range", "user-agent"))

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")


_ADVICE = {
    401: "check the URL, and the key if it holds one",
    403: "check the URL, and the key if it holds one",
    404: "check the path of the URL",
    405: "check the path of the URL",
    409: "it is at odds with what is there: look first, then decide",
    413: "ask for less at once",
    429: "wait, or use a host with a higher limit",
}


def advice(status: int) -> str:
    """What to do about an HTTP status that is no answer."""
    if status in _REDIRECTS:
        return "give the URL it leads to"
    other = "try again later" if status >= 500 else "check that the URL is right"
    return _ADVICE.get(status, other)


class Response(Frozen, kw_only=False):
    """A whole answer. ``headers`` has lower-case names; ``host`` is the label for texts."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    host: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def advice(self) -> str:
        """What to do about a status that is not 2xx, to follow the status in a message."""
        return advice(self.status)

    def text(self) -> str:
        """The body as UTF-8 text; broken bytes are shown as U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as strict JSON; ``TransportError`` if it is none."""
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise TransportError(
                f"{self.host} answered something unreadable: {error}; check that its URL is right"
            ) from error


class Transport(Protocol):
    """What ``rpc.py`` and the services need of HTTP; tests and embedders may bring their own."""

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | Timeout | None = None,
        retry: bool = False,
    ) -> Response:
        """Send one request and return the whole answer, whatever its status."""


class Stream:
    """An answer that is read piece by piece, once, inside ``with http.stream(…)``."""

    def __init__(self, response: BaseHTTPResponse, target: Target, limits: Limits) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.host = target.label
        self._response = response
        self._limits = limits
        self._finished = False
        length = response.length_remaining  # None where unknown, 0 after HEAD
        if length is not None and length > limits.max_bytes:
            limits.oversize = True

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def __iter__(self) -> Iterator[bytes]:
        """Decoded chunks of at most 64 KiB, within the time and size limits of the call."""
        try:
            if self._limits.oversize:
                raise OverflowError
            limit = self._limits.max_bytes
            decoder = BodyDecoder(self.headers.get("content-encoding", ""), limit)
            for data in self._response.stream(_BLOCK, decode_content=False):
                yield from decoder.feed(data)
            yield from decoder.finish()
            self._finished = True
        except OverflowError:
            self._limits.oversize = True
            raise failure(None, self.host, self._limits) from None
        except ValueError as error:
            raise TransportError(
                f"{self.host} sent a bad body: {error}; check that its URL is right, and the proxy "
                "if there is one"
            ) from error
        except Exception as error:
            raise failure(error, self.host, self._limits) from cause_of(error)

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self)

    def close(self) -> None:
        """Give the connection back, or drop it where the answer was not read to its end."""
        if not self._finished:
            self._response.close()
        self._response.release_conn()


_Answer = TypeVar("_Answer", Response, Stream)


class Http:
    """A pool of kept-alive connections; one may serve many threads. Nothing is opened when built.

    ``timeout``: seconds for a whole call, or a ``Timeout``. ``ca_file``: a PEM file of trusted
    authorities instead of the system's. ``allow_plain``: http beyond loopback. ``max_bytes``:
    ceiling of one answer. ``retries``: how often a read is repeated. ``sleep``, ``clock`` and
    ``random`` are for tests.
    """

    def __init__(
        self,
        *,
        timeout: float | Timeout = 30.0,
        ca_file: str | os.PathLike[str] | None = None,
        allow_plain: bool = False,
        max_bytes: int = DEFAULT_MAX_BYTES,
        retries: int = 3,
        user_agent: str = f"iexec-lite/{__version__}",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.timeout = Timeout.of(timeout)
        self.ca_file = None if ca_file is None else os.fspath(ca_file)
        self.allow_plain = allow_plain
        self.max_bytes = max_bytes
        self.retries = retries
        _check_field("user-agent", user_agent)
        self._user_agent = user_agent
        self._sleep, self._clock, self._random = sleep, clock, random
        self._lock = threading.Lock()
        self._managers: dict[tuple[int, str, str | None], PoolManager] = {}
        self._pools: dict[tuple[int, str], HTTPConnectionPool] = {}
        self._targets: dict[str, Target] = {}
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection pool cannot be pickled or copied")

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; later requests fail. Safe to call twice and from any thread."""
        with self._lock:
            self._closed = True
            managers, self._managers = self._managers, {}
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()
        for manager in managers.values():
            manager.clear()

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | Timeout | None = None,
        retry: bool = False,
    ) -> Response:
        """Send one request and return the whole answer, whatever its status.

        ``retry=True`` is for reads only: connection faults, 429, 502, 503 and 504 are tried again,
        within the time of the call. ``TransportError`` or ``RequestTimeoutError`` where there is no
        usable answer; ``ConfigurationError`` for a URL that is refused.
        """
        target, fields, limits = self._prepare(method, url, headers, max_bytes, timeout)

        def once() -> Response:
            stream = self._open(method, target, fields, body, limits)
            try:
                return Response(stream.status, stream.headers, stream.read(), stream.host)
            finally:
                stream.close()

        return self._repeat(once, method, target, limits, retry)

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | Timeout | None = None,
        retry: bool = False,
    ) -> Iterator[Stream]:
        """As ``request``, for large answers: a context manager around a ``Stream``.

        ``retry`` covers the opening, not what breaks while chunks are read. Give a ``Timeout`` with
        a ``total`` that fits the size.
        """
        target, fields, limits = self._prepare(method, url, headers, max_bytes, timeout)

        def once() -> Stream:
            return self._open(method, target, fields, body, limits)

        stream = self._repeat(once, method, target, limits, retry)
        try:
            yield stream
        finally:
            stream.close()

    # --- one call ---------------------------------------------------------------------------

    def _prepare(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        max_bytes: int | None,
        timeout: float | Timeout | None,
    ) -> tuple[Target, dict[str, str], Limits]:
        target = self._targets.get(url) or self._parsed(url)
        if not _TOKEN.match(method):
            raise ValidationError("an HTTP method must be a plain word")
        fields = {"user-agent": self._user_agent, "accept-encoding": "gzip, deflate"}
        if target.authorization is not None:
            fields["authorization"] = target.authorization
        for name, value in (headers or {}).items():
            _check_field(name, value)
            fields[name.lower()] = value
        limit = self.max_bytes if max_bytes is None else max_bytes
        chosen = self.timeout if timeout is None else Timeout.of(timeout)
        return target, fields, Limits(chosen, limit, self._clock)

    def _parsed(self, url: str) -> Target:
        """A URL taken apart and kept: a node's is used thousands of times."""
        target = parse_target(url, allow_plain=self.allow_plain)
        if len(self._targets) >= _KEPT_TARGETS:
            self._targets = {}
        self._targets[url] = target
        return target

    def _repeat(
        self,
        once: Callable[[], _Answer],
        method: str,
        target: Target,
        limits: Limits,
        retry: bool,
    ) -> _Answer:
        """Run ``once``; for reads, again after a pause while the fault is one that may pass."""
        for attempt in range(self.retries + 1):
            last = not retry or attempt == self.retries
            try:
                result = once()
                if last or result.status not in RETRY_STATUSES:
                    return result
                pause = self._pause(attempt, result.headers.get("retry-after"))
                if pause is None or pause >= limits.remaining():
                    return result
                if isinstance(result, Stream):
                    result.close()
                why: object = result.status
            except TransportError as error:
                pause = self._pause(attempt, None)
                if last or not error.retryable or pause is None or pause >= limits.remaining():
                    raise
                why = error.code
            log.debug(
                "retry %d in %.2f s: %s %s (%s)", attempt + 1, pause, method, target.label, why
            )
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int, retry_after: str | None) -> float | None:
        """Seconds before the next attempt; None where the server asks for more than we wait."""
        pause: float = min(_MAX_PAUSE, _BASE_PAUSE * 2**attempt) * (0.5 + self._random() / 2)
        asked = _retry_after(retry_after)
        if asked is None:
            return pause
        return max(asked, pause) if asked <= _MAX_RETRY_AFTER else None

    def _open(
        self,
        method: str,
        target: Target,
        fields: Mapping[str, str],
        body: bytes | None,
        limits: Limits,
    ) -> Stream:
        """One attempt, with its redirects, up to the headers of the answer."""
        for _ in range(MAX_REDIRECTS + 1):
            stream = self._send(method, target, fields, body, limits)
            location = stream.headers.get("location")
            if stream.status not in _REDIRECTS or method not in ("GET", "HEAD") or not location:
                return stream
            stream.close()
            target = redirected(target, location)
            fields = {name: fields[name] for name in fields if name in _REDIRECT_HEADERS}
        raise TransportError(
            f"{target.label} redirects more than {MAX_REDIRECTS} times; give the URL it leads to"
        )

    def _send(
        self,
        method: str,
        target: Target,
        fields: Mapping[str, str],
        body: bytes | None,
        limits: Limits,
    ) -> Stream:
        backend = load()
        opener, url = self._opener(target)
        limits.new_answer()
        started = self._clock()
        status: object = "failed"
        try:
            with backend.bounded(limits):
                response = opener.urlopen(
                    method,
                    url,
                    body=body,
                    headers=fields,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=backend.timeout(limits),
                )
            status = response.status
            return Stream(response, target, limits)
        except Exception as error:
            raise failure(error, target.label, limits) from cause_of(error)
        finally:
            took = self._clock() - started
            log.debug("%s %s: %s in %.3f s", method, target.label, status, took)

    def _opener(self, target: Target) -> tuple[PoolManager | HTTPConnectionPool, str]:
        """What opens requests to this target, and the URL by which it knows it.

        Of direct ones the pool of the host, as its manager would take the URL apart each time, for
        longer than all else that a small request takes. By way of a proxy the manager.
        """
        proxy = proxy_for(target)
        process = os.getpid()  # a fork shares the sockets of its parent, and would read its answers
        with self._lock:
            if self._closed:
                raise TransportError("the connection pool is closed; build a new client")
            pool = None if proxy else self._pools.get((process, target.label))
            if pool is not None:
                return pool, target.path
            key = (process, target.scheme, proxy)
            manager = self._managers.get(key)
            if manager is None:
                manager = load().manager(proxy, target.scheme == "https", self.ca_file)
                self._managers[key] = manager
            if proxy:
                return manager, target.label + target.path
            if len(self._pools) >= _KEPT_TARGETS:
                self._pools = {}
            pool = manager.connection_from_url(target.label)
            self._pools[process, target.label] = pool
            return pool, target.path


def _check_field(name: str, value: str) -> None:
    if not _TOKEN.match(name) or not _VALUE.match(value):
        raise ValidationError(f"header {name!r} holds characters that a header cannot hold")


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date; None if there is no usable one."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value) if len(value) < 10 else float("inf")
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
