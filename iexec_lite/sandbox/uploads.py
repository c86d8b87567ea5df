"""Results on their way to the result proxy: the worker's client, and the body that travels.

The body is the JSON of worker.md §3.1, whose member ``zip`` is the archive in base64: hundreds of
megabytes at times. :func:`write_model` makes it and :func:`read_model` takes it apart piece by
piece. Refused on reading: what is no flat JSON object, members beyond a size, bad base64.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ..errors import ResultProxyCallError, SandboxError, TransportError, ValidationError
from ..eth.signer import Signer
from ..net.http import Http
from ..net.result_proxy import ResultProxy
from ..protocol.authorization import RESULT_PROXY, Authorization, read_challenge
from .store import Store

__all__ = ["ResultStore", "StoreUploads", "Uploads", "read_model", "write_model"]

BLOCK = 3 << 16  # bytes of an archive at once; a multiple of three makes whole base64
MAX_MEMBER = 1 << 16  # characters of any member but the archive
TIMEOUT = 300.0  # seconds the proxy may take over an archive


class ResultStore(Protocol):
    """Where a worker hands in results."""

    def login(self, signer: Signer) -> str:
        """The token that lets ``signer`` upload."""

    def location(self, taskid: str) -> str | None:
        """``/ipfs/<CID>`` of a task's result, if there is one."""

    def upload(self, taskid: str, archive: Path, token: str, *, digest: str | None = None) -> str:
        """Send a result; its location."""


class StoreUploads:
    """Results go straight to the store: today no proxy is between."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def login(self, signer: Signer) -> str:
        """No token is needed."""
        return ""

    def location(self, taskid: str) -> str | None:
        """Nobody keeps a list of results by task."""
        return None

    def upload(self, taskid: str, archive: Path, token: str, *, digest: str | None = None) -> str:
        """Keep a result; its location."""
        if not archive.is_file():
            raise SandboxError(f"the archive of task {taskid} is lost")
        return f"/ipfs/{self._store.add_file(archive)}"


class Uploads:
    """A worker's side of the result proxy at ``url``."""

    def __init__(self, url: str, chain_id: int, http: Http) -> None:
        self._url = url
        self._chain_id = chain_id
        self._http = http

    def login(self, signer: Signer) -> str:
        """The token that lets ``signer`` upload. It never changes."""
        proxy = ResultProxy(self._http, self._url, self._chain_id)
        found = read_challenge(proxy.challenge(signer.address), RESULT_PROXY, self._chain_id)
        signature = signer.sign_typed_data(found)
        return proxy.login(str(Authorization.of(found, signature, signer.address)))

    def location(self, taskid: str) -> str | None:
        """``/ipfs/<CID>`` of a task's result, if there is one."""
        answer = self._http.request("GET", f"{self._url}/results/{taskid}/ipfshash", retry=True)
        if answer.ok:
            return f"/ipfs/{answer.text()}"
        if answer.status == 404:
            return None
        raise ResultProxyCallError(
            f"the result proxy answered {answer.status}", retryable=answer.status >= 500
        )

    def upload(self, taskid: str, archive: Path, token: str, *, digest: str | None = None) -> str:
        """Send a result; its location, also where another one was there first."""
        if not archive.is_file():
            raise SandboxError(f"the archive of task {taskid} is lost")
        url = urlsplit(self._url)
        size, pieces = write_model(archive, {"chainTaskId": taskid, "deterministHash": digest})
        connection = http.client.HTTPConnection(str(url.netloc), timeout=TIMEOUT)
        try:
            headers = {"Authorization": token, "Content-Type": "application/json"}
            headers["Content-Length"] = str(size)
            connection.request("POST", f"{url.path}/", body=pieces, headers=headers)
            answer = connection.getresponse()
            location = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(
                f"the result proxy took no result: {error}", cause=error, retryable=True
            ) from error
        finally:
            connection.close()
        found = location if answer.status == 200 else self.location(taskid)
        if found is None:
            raise ResultProxyCallError(f"the result proxy refuses the result: {answer.status}")
        return found


def write_model(archive: Path, members: dict[str, str | None]) -> tuple[int, Iterator[bytes]]:
    """Size and pieces of the body for an archive; ``members`` are all but ``zip``."""
    head, tail = f'{json.dumps(members)[:-1]}, "zip": "'.encode(), b'"}'
    encoded = -(-archive.stat().st_size // 3) * 4

    def pieces() -> Iterator[bytes]:
        yield head
        with archive.open("rb") as file:
            while data := file.read(BLOCK):
                yield binascii.b2a_base64(data, newline=False)
        yield tail

    return len(head) + encoded + len(tail), pieces()


def read_model(read: Callable[[int], bytes], members: dict[str, str | None]) -> Iterator[bytes]:
    """The archive in a body that ``read(size)`` gives, in pieces; ``members`` gets the rest.

    Only when the last piece has come are all members there and the body known to be sound.
    """
    scanner = _Scanner(read)
    scanner.expect(b"{")
    separator = b"{"
    while separator != b"}":
        name = scanner.text()
        scanner.expect(b":")
        if name == "zip" and scanner.peek() == b'"':
            yield from _decoded(scanner.string())
        else:
            members[name] = scanner.value()
        separator = scanner.expect(b",}")
    if scanner.peek():
        raise ValidationError("there is more than one JSON object")


def _decoded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """base64 in pieces, to bytes in pieces."""
    left, ended = b"", False
    for piece in pieces:
        text = left + piece
        whole = len(text) // 4 * 4
        left = text[whole:]
        if ended and text:
            raise ValidationError("zip: base64 goes on after its end")
        ended = text[:whole].endswith(b"=")
        try:
            yield base64.b64decode(text[:whole], validate=True)
        except ValueError as error:
            raise ValidationError("zip is not base64 text", cause=error) from error
    if left:
        raise ValidationError("zip is not whole base64 text")


class _Scanner:
    """A JSON text from a stream: as much of it as a flat object needs."""

    _SPACE = re.compile(rb"[ \t\r\n]*")
    _SCALAR = re.compile(rb"[-+.0-9a-zA-Z]*")
    _PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
    _ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._data = b""
        self._at = 0

    def peek(self) -> bytes:
        """The next character that is no space; empty at the end."""
        while True:
            self._take(self._SPACE)
            if self._has(1) or not self._more():
                return self._data[self._at : self._at + 1]

    def expect(self, allowed: bytes) -> bytes:
        """The next character, which must be one of these."""
        found = self.peek()
        if not found or found not in allowed:
            raise ValidationError("the body is not a JSON object of texts")
        self._at += 1
        return found

    def string(self, *, raw: bool = False) -> Iterator[bytes]:
        """The UTF-8 of a string, in pieces; ``raw`` leaves its escapes as they are."""
        self.expect(b'"')
        while True:
            if piece := self._take(self._PLAIN):
                yield piece
            if not self._has(1):
                if not self._more():
                    raise ValidationError("the body ends within a text")
            elif self._data[self._at : self._at + 1] == b'"':
                self._at += 1
                return
            else:
                while not self._has(6) and self._more():
                    pass
                escape = self._take(self._ESCAPE)
                if not escape:
                    raise ValidationError("the body is not JSON")
                yield escape if raw else json.loads(b'"' + escape + b'"').encode(errors="replace")

    def text(self) -> str:
        """A short text."""
        text = b""
        for piece in self.string(raw=True):
            text += piece
            if len(text) > MAX_MEMBER:
                raise ValidationError("a member of the body is too long")
        try:
            return str(json.loads(b'"' + text + b'"'))
        except ValueError as error:
            raise ValidationError("the body is not JSON", cause=error) from error

    def value(self) -> str | None:
        """A short text, or null; numbers and words as text."""
        if self.peek() == b'"':
            return self.text()
        word = b""
        while True:
            word += self._take(self._SCALAR)
            if self._has(1) and word:
                return None if word == b"null" else word.decode()
            if self._has(1) or len(word) > MAX_MEMBER or not self._more():
                raise ValidationError("the body is not a JSON object of texts")

    def _has(self, size: int) -> bool:
        return len(self._data) - self._at >= size

    def _take(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._data, self._at)
        if match is None:
            return b""
        self._at = match.end()
        return match[0]

    def _more(self) -> bool:
        data = self._read(BLOCK)
        self._data, self._at = self._data[self._at :] + data, 0
        return bool(data)
