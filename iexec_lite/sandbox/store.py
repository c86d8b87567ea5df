"""A content-addressed store: files by their CID in a folder, and an IPFS-like gateway over it.

``GET /ipfs/<CIDv0>`` gives a file, ``POST /ipfs/`` with the bytes as body adds one and answers its
CID (``Location``, ``Ipfs-Hash``, and as JSON). Loopback only; refused are other host names (a web
page that points its name at us), pages' own requests, ids that are no CIDv0, bodies of unknown or
too large size. Files are streamed and never held whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from ..errors import SandboxError, ValidationError
from .cid import CidBuilder, is_cid
from .folders import make_folder
from .processes import LOOPBACK

__all__ = ["Control", "Gateway", "Store"]

MAX_FILE = 4 * 1024**3  # bytes
CHUNK = 1 << 16
IDLE = 30.0  # seconds a client may say nothing

# A way to answer more paths: (method, path, headers) -> status and JSON, or None for "not mine".
Control = Callable[[str, str, "Message[str, str]"], "tuple[int, dict[str, object]] | None"]


class Store:
    """Files in a folder, each under its CID. Safe for many threads and processes."""

    def __init__(self, folder: Path, *, max_file: int = MAX_FILE) -> None:
        self.folder = make_folder(folder)
        self.max_file = max_file

    def add(self, chunks: Iterable[bytes]) -> str:
        """Keep a file given in pieces; its CID. ValidationError beyond ``max_file`` bytes."""
        builder, size = CidBuilder(), 0
        part = self.folder / f".part-{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}"
        try:
            with part.open("xb") as file:
                for chunk in chunks:
                    size += len(chunk)
                    if size > self.max_file:
                        raise ValidationError(f"the store takes files up to {self.max_file} bytes")
                    builder.update(chunk)
                    file.write(chunk)
            cid = builder.finish()
            part.replace(self.folder / cid)
        except OSError as error:
            raise SandboxError(f"the store cannot keep a file: {error}", cause=error) from error
        finally:
            part.unlink(missing_ok=True)
        return cid

    def add_bytes(self, data: bytes) -> str:
        """Keep ``data``; its CID."""
        return self.add((data,))

    def add_file(self, path: Path) -> str:
        """Keep a copy of a file; its CID."""
        with path.open("rb") as file:
            return self.add(iter(lambda: file.read(CHUNK), b""))

    def path(self, cid: str) -> Path | None:
        """Where the file with this CID lies, if it is here."""
        path = self.folder / cid
        return path if is_cid(cid) and path.is_file() else None


class Gateway:
    """The HTTP server of a store, in a thread of its own. ``start``, then ``url``; ``stop``."""

    def __init__(self, store: Store, *, port: int = 0, control: Control | None = None) -> None:
        members: dict[str, object] = {"store": store}
        if control is not None:
            members["control"] = staticmethod(control)
        handler = type("Handler", (_Handler,), members)
        try:
            self._server = _Server((LOOPBACK, port), handler)
        except OSError as error:
            raise SandboxError(
                f"port {port} on {LOOPBACK} cannot be used: {error}", cause=error
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="iexec_lite-store", daemon=True
        )

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; running answers are cut."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the usual 5 makes a burst of clients wait for seconds
    allow_reuse_address = os.name == "posix"  # on Windows it would take over a port in use

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nobody's concern."""


class _Handler(BaseHTTPRequestHandler):
    store: Store
    control: Control | None = None
    protocol_version = "HTTP/1.1"
    server_version = "iexec_lite"
    sys_version = ""
    timeout = IDLE

    def do_GET(self) -> None:
        if self._refused() or self._controlled():
            return
        path = self.store.path(self._cid())
        if path is None:
            self._answer(404, {"error": "no such file"})
            return
        with path.open("rb") as file:
            self._send_file(file, os.fstat(file.fileno()).st_size, path.name)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        if self._refused(strict=True) or self._controlled():
            return
        length = self.headers.get("Content-Length", "")
        if self.path.rstrip("/") != "/ipfs":
            self._answer(404, {"error": "files are added by POST /ipfs/"}, close=True)
        elif not re.fullmatch(r"[0-9]{1,15}", length):
            self._answer(411, {"error": "Content-Length is needed"}, close=True)
        elif int(length) > self.store.max_file:
            self._answer(413, {"error": f"at most {self.store.max_file} bytes"}, close=True)
        elif self.headers.get("Content-Type", "").startswith("multipart/"):
            self._answer(415, {"error": "the body must be the file itself"}, close=True)
        else:
            self._receive(int(length))

    def _receive(self, length: int) -> None:
        left = length

        def chunks() -> Iterable[bytes]:
            nonlocal left
            while left:
                chunk = self.rfile.read(min(left, CHUNK))
                if not chunk:
                    raise ConnectionError("the client went away")
                left -= len(chunk)
                yield chunk

        try:
            cid = self.store.add(chunks())
        except SandboxError as error:
            self._answer(507, {"error": error.message}, close=True)
            return
        self._answer(
            201,
            {"cid": cid, "size": length},
            {"Location": f"/ipfs/{cid}", "Ipfs-Hash": cid},
        )

    # -- pieces -------------------------------------------------------------------------------

    def _cid(self) -> str:
        match = re.fullmatch(r"/(?:ipfs|p2p)/([A-Za-z0-9]+)", self.path.split("?")[0])
        return match[1] if match else ""

    def _refused(self, *, strict: bool = False) -> bool:
        """Only programs of this machine may ask: no other host name, no web page's writes."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in (LOOPBACK, "localhost") or (strict and "Origin" in self.headers):
            self._answer(403, {"error": "for programs on this machine only"}, close=True)
            return True
        return False

    def _controlled(self) -> bool:
        found = self.control and self.control(self.command, self.path, self.headers)
        if found:
            self._answer(*found)
        return bool(found)

    def _send_file(self, file: BinaryIO, size: int, cid: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Etag", f'"{cid}"')
        self.send_header("X-Ipfs-Path", f"/ipfs/{cid}")
        self.end_headers()
        if self.command != "HEAD":
            shutil.copyfileobj(file, self.wfile, CHUNK)

    def _answer(
        self,
        status: int,
        value: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
        *,
        close: bool = False,
    ) -> None:
        body = json.dumps(value).encode()
        self.send_response(status, HTTPStatus(status).phrase)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if close:  # the body was not read: this connection cannot go on
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: nobody reads it, and the log would grow with every request."""
