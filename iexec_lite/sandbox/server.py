"""One HTTP server on loopback for all services of the sandbox, in a thread of its own.

WSGI apps are mounted under path prefixes (``/sms`` …; ``""`` is the root) of one waitress server:
HTTP/1.1 with kept connections, bodies beyond a megabyte in a temporary file, answers streamed.
Refused are other host names than loopback's (a web page that points its name at us), what pages
send by themselves (an ``Origin`` header on anything but a read), bodies beyond ``max_body`` bytes.
What an app does not catch is logged and answered with status 500, without a word of why.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import falcon
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server

from ..errors import SandboxError
from .processes import LOOPBACK

__all__ = ["WSGI", "Server", "Service", "new_app", "plain_error", "spring_error"]

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MAX_BODY = 6 * 1024**3  # bytes: the largest file of the store, in base64
IDLE = 30  # seconds a client may say nothing
THREADS = 8  # apps at work at once; a slow client occupies none
CONNECTIONS = 1000
BLOCK = 1 << 17

log = logging.getLogger("iexec_lite.sandbox")


class Service(Protocol):
    """What can be mounted: an app and the data behind it."""

    app: WSGI

    def reset(self) -> None:
        """Forget everything."""

    def close(self) -> None:
        """Close its files, once nobody asks any more."""


class Server:
    """``apps``: path prefix → WSGI app. It holds its port at once; ``start``, ``url``, ``stop``."""

    def __init__(self, apps: Mapping[str, WSGI], *, port: int = 0, max_body: int = MAX_BODY):
        # The longest prefix first: the root is everybody's.
        self._apps = sorted(apps.items(), reverse=True)
        self._stopping = threading.Event()
        self._map: dict[int, Any] = {}
        # It warns of each client that goes away and of each request that waits for a thread.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        self._server = create_server(
            self._answer,
            map=self._map,
            sockets=[_listening(port)],
            threads=THREADS,
            ident="iexec_lite",
            max_request_body_size=max_body + 1,  # the first size that is too much
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE,
            cleanup_interval=5,
            recv_bytes=BLOCK,
            inbuf_overflow=8 * BLOCK,
            log_socket_errors=False,
            asyncore_use_poll=_POLL,
        )
        self._server.channel_class = _Channel
        self.url = f"http://{LOOPBACK}:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="iexec_lite-server", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; what is running is cut. May be called twice."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread.is_alive():
            self._server.pull_trigger()
            self._thread.join()
        for channel in tuple(self._server.active_channels.values()):
            channel.handle_close()
        self._server.task_dispatcher.shutdown()
        self._server.close()  # last: the threads wake the server through a pipe of it

    def _serve(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=_POLL, map=self._map, count=1)

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").rpartition(":")[0]
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS")
        if host not in (LOOPBACK, "localhost") or ("HTTP_ORIGIN" in environ and not reads):
            return _refuse(start, "403 Forbidden", "for programs on this machine only")
        path = environ["PATH_INFO"]
        for prefix, app in self._apps:
            if path == prefix or path.startswith(f"{prefix}/"):
                environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path[len(prefix) :]
                try:
                    return app(environ, start)
                except Exception:
                    log.exception("%s %s failed", environ["REQUEST_METHOD"], prefix)
                    return _refuse(start, "500 Internal Server Error", "Internal error")
        return _refuse(start, "404 Not Found", "there is no such service")


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that drops the half of a request it has when its client goes away."""

    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:
            self.request.close()
            self.request: Any = None


_POLL = hasattr(select, "poll")  # else select(), which Windows has


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows this option would let us take a port in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"port {port} on {LOOPBACK} cannot be used: {error}", cause=error
        ) from error
    return listener


def _refuse(start: Callable[..., Any], status: str, why: str) -> Iterable[bytes]:
    body = json.dumps({"error": why}).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


# -- falcon apps ------------------------------------------------------------------------------

Body = Callable[[Any, Any], Mapping[str, object]]


def plain_error(request: Any, error: Any) -> Mapping[str, object]:
    """``{"error": …}``."""
    return {"error": error.description or error.title}


def spring_error(request: Any, error: Any) -> Mapping[str, object]:
    """What the Java services answer where no code of theirs did."""
    code, _, words = error.status.partition(" ")
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", time.gmtime())
    path = request.relative_uri.partition("?")[0].removeprefix(request.root_path)
    return {"timestamp": now, "status": int(code), "error": words, "message": "", "path": path}


def new_app(routes: Mapping[str, object], error_body: Body = plain_error) -> WSGI:
    """A falcon app: path template → resource. ``error_body`` makes the JSON of HTTP errors."""
    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = True

    def serialize(request: Any, response: Any, error: Any) -> None:
        response.content_type = falcon.MEDIA_JSON
        response.text = json.dumps(error_body(request, error))

    def failed(request: Any, response: Any, error: Exception, params: object) -> None:
        # The path only: a query may tell whose secret it was.
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        raise falcon.HTTPInternalServerError(description="Internal error")

    app.set_error_serializer(serialize)
    app.add_error_handler(Exception, failed)
    for path, resource in routes.items():
        app.add_route(path, resource)
    found: WSGI = app
    return found
