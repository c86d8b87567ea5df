"""The sockets under ``http.py``: the only importer of urllib3, loaded at the first request.

Our connection classes keep each connect, send and read to the ``Limits`` of its call, urllib3's own
log lines are dropped (they write paths), and its errors are translated: what is raised names scheme
and host, and chains the system's own error only. Rules: design.md, Network.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConfigurationError, RequestTimeoutError, TransportError
from .limits import LimitedReader, Limits
from .target import Target, parse_target

if TYPE_CHECKING:
    from urllib3 import PoolManager

__all__ = ["cause_of", "failure", "load"]

_BLOCK = 64 * 1024
SLOW = "; try again, or give it longer (timeout=)"


def _inner(error: BaseException) -> BaseException:
    """What is at the bottom of urllib3's wrapping."""
    while True:
        inner = error.__cause__ or next(
            (item for item in error.args if isinstance(item, BaseException)), None
        )
        if inner is None:
            return error
        error = inner


def cause_of(error: BaseException) -> BaseException:
    """What may be chained: the system's own error. Others may hold a path, or what a host sent."""
    inner = _inner(error)
    system = isinstance(inner, OSError) and not type(inner).__module__.startswith("urllib3")
    return inner if system else OSError(type(inner).__name__)


def failure(error: BaseException | None, host: str, limits: Limits) -> TransportError:
    """The error of this package for one of urllib3 or of the system."""
    if isinstance(error, TransportError):
        return error
    if limits.oversize:
        return TransportError(
            f"{host} sent more than {limits.max_bytes} bytes: refused; check that its URL is right"
        )
    if limits.expired or limits.remaining() <= 0:
        text = f"{host} did not answer in full within {limits.timeout.total:g} s{SLOW}"
        return RequestTimeoutError(text, retryable=True)
    return _translate(error, host)


def _translate(error: BaseException | None, host: str) -> TransportError:
    import socket
    import ssl
    from http.client import HTTPException, IncompleteRead

    from urllib3.exceptions import ProxyError
    from urllib3.exceptions import TimeoutError as PoolTimeoutError

    root = error if error is None else _inner(error)
    if isinstance(error, ProxyError):
        host = f"the proxy to {host}"
    if isinstance(root, ssl.SSLCertVerificationError):
        why = root.verify_message
        return TransportError(
            f"{host}: its TLS certificate is not trusted ({why}); check the URL, or name the "
            "authority that signed it by ca_file="
        )
    if isinstance(root, ssl.SSLError) and not isinstance(root, ssl.SSLEOFError):
        why = root.reason or "protocol error"
        return TransportError(
            f"{host}: no TLS connection ({why}); check that this port speaks https"
        )
    if isinstance(root, TimeoutError) or isinstance(error, PoolTimeoutError):
        return RequestTimeoutError(f"{host} did not answer in time{SLOW}", retryable=True)
    if isinstance(root, socket.gaierror):
        again = root.errno == socket.EAI_AGAIN
        text = f"{host}: unknown host name; check the URL, and that the network is there"
        return TransportError(text, retryable=again)
    if isinstance(root, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
        return TransportError(f"{host} closed the connection; try again", retryable=True)
    if isinstance(root, (IncompleteRead, ssl.SSLEOFError)):
        return TransportError(f"{host} cut its answer short; try again", retryable=True)
    if isinstance(root, (HTTPException, ValueError)):
        name = type(root).__name__
        return TransportError(
            f"{host} does not speak proper HTTP ({name}); check that its URL is right"
        )
    if isinstance(root, OSError):
        why = root.strerror or type(root).__name__
        text = f"{host} cannot be reached: {why}; check that it runs, and its URL"
        return TransportError(text, retryable=True)
    return TransportError(f"{host}: {type(root).__name__}")


# --- urllib3, loaded at the first request -----------------------------------------------------


class _Backend(Protocol):
    def bounded(self, limits: Limits) -> AbstractContextManager[None]:
        """Requests opened in this thread, meanwhile, keep to ``limits`` and log nothing."""

    def timeout(self, limits: Limits) -> Any:
        """urllib3's form of the limits."""

    def manager(self, proxy: str | None, tls: bool, ca_file: str | None) -> PoolManager:
        """A new pool."""


class _Quiet(logging.Filter):
    """Drops what urllib3 logs about our requests: it writes paths, and paths hold keys."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(_current, "limits", None) is None


_current = threading.local()


@lru_cache(maxsize=1)
def load() -> _Backend:
    """Our connection classes on urllib3's pools: reads, sends and connects keep to ``Limits``."""
    import http.client
    import socket

    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_Quiet())

    class BoundedResponse(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            raw: Any = self.fp.detach()
            self.fp = io.BufferedReader(LimitedReader(sock, raw, _current.limits), _BLOCK)

    class Bounded(HTTPConnection):
        response_class = BoundedResponse

        def _new_conn(self) -> socket.socket:
            # urllib3 grants the connect timeout to each address of a name, one after the other.
            limits: Limits = _current.limits
            failure: OSError = OSError("the name has no address")
            found = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)
            for family, kind, protocol, _, address in found:
                sock = None
                try:
                    sock = socket.socket(family, kind, protocol)
                    sock.settimeout(limits.wait(limits.timeout.connect))
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sock.connect(address)
                    # Holds for the TLS handshake that follows.
                    sock.settimeout(limits.wait(limits.timeout.connect))
                    return sock
                except OSError as error:
                    failure = error
                    if sock is not None:
                        sock.close()
            raise failure

        # http.client sends the headers by themselves; here they wait for the first piece of the
        # body, as a small request is one packet and wakes the server once.
        _headers: bytes | None = None

        def endheaders(self, *args: Any, **kwargs: Any) -> None:
            self._headers = b""
            super().endheaders(*args, **kwargs)

        def send(self, data: Any) -> None:
            if self._headers == b"":
                self._headers = data
                return
            if self._headers is not None:
                data, self._headers = self._headers + data, None
            # urllib3 would give a whole upload the time to connect.
            if self.sock is not None:
                self.sock.settimeout(_current.limits.wait())
            super().send(data)

        def getresponse(self) -> Any:
            if self._headers is not None:  # there was no body
                self.send(b"")
            return super().getresponse()

    class BoundedTLS(Bounded, HTTPSConnection):
        pass

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Bounded

    class PoolTLS(urllib3.HTTPSConnectionPool):
        ConnectionCls = BoundedTLS

    class Backend:
        @contextmanager
        def bounded(self, limits: Limits) -> Iterator[None]:
            _current.limits = limits
            try:
                yield
            finally:
                _current.limits = None

        def timeout(self, limits: Limits) -> Any:
            left = limits.wait()
            connect = min(limits.timeout.connect, left)
            return urllib3.Timeout(connect=connect, read=min(limits.timeout.read, left))

        def manager(self, proxy: str | None, tls: bool, ca_file: str | None) -> PoolManager:
            options: dict[str, Any] = {"num_pools": 16, "maxsize": 32}
            if tls:
                options["ssl_context"] = _tls_context(ca_file)
            if proxy is None:
                manager: PoolManager = urllib3.PoolManager(**options)
            else:
                server = _proxy_target(proxy)
                secret = server.authorization
                headers = {"proxy-authorization": secret} if secret else None
                manager = urllib3.ProxyManager(server.label, proxy_headers=headers, **options)
            manager.pool_classes_by_scheme = {"http": Pool, "https": PoolTLS}
            return manager

    return Backend()


def _proxy_target(proxy: str) -> Target:
    try:
        return parse_target(proxy, allow_plain=True)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY): "
            f"{error.message}"
        ) from None


def _tls_context(ca_file: str | None) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca_file {ca_file!r} is not a readable PEM file") from error
