"""The store over HTTP, as an IPFS gateway that also takes files.

``GET /ipfs/<CIDv0>`` gives a file, ``POST /ipfs/`` with the bytes as body adds one and answers its
CID (``Location``, ``Ipfs-Hash``, and as JSON). Refused are ids that are no CIDv0, forms, bodies of
unknown or too large size. Files are streamed and never held whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import falcon

from ..errors import SandboxError
from .server import WSGI, new_app
from .store import CHUNK, Store

__all__ = ["gateway_app", "send_file"]


def gateway_app(store: Store) -> WSGI:
    """The app to mount at the root."""
    file = _File(store)
    return new_app({"/ipfs": _Files(store), "/ipfs/{cid}": file, "/p2p/{cid}": file})


def send_file(request: Any, response: Any, path: Path | None, content_type: str) -> None:
    """Answer with a file, piece by piece; HEAD is told its size only. 404 where there is none."""
    if path is None:
        raise falcon.HTTPNotFound(description="no such file")
    response.content_type = content_type
    response.content_length = path.stat().st_size
    response.set_header("X-Content-Type-Options", "nosniff")
    if request.method != "HEAD":
        response.stream = path.open("rb")  # closed by whoever sends it


class _File:
    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, request: Any, response: Any, cid: str) -> None:
        send_file(request, response, self._store.path(cid), "application/octet-stream")
        response.set_header("Etag", f'"{cid}"')
        response.set_header("X-Ipfs-Path", f"/ipfs/{cid}")

    on_head = on_get


class _Files:
    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, request: Any, response: Any) -> None:
        raise falcon.HTTPNotFound(description="no such file")

    def on_post(self, request: Any, response: Any) -> None:
        size, limit = request.content_length, self._store.max_file
        if size is None:
            raise falcon.HTTPLengthRequired(description="Content-Length is needed")
        if size > limit:
            raise falcon.HTTPContentTooLarge(description=f"at most {limit} bytes")
        if (request.content_type or "").startswith("multipart/"):
            raise falcon.HTTPUnsupportedMediaType(description="the body must be the file itself")
        body = request.bounded_stream
        try:
            cid = self._store.add(iter(lambda: body.read(CHUNK), b""))
        except SandboxError as error:
            raise falcon.HTTPInsufficientStorage(description=error.message) from error
        response.status = falcon.HTTP_CREATED
        response.media = {"cid": cid, "size": size}
        response.location = f"/ipfs/{cid}"
        response.set_header("Ipfs-Hash", cid)
