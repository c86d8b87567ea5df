"""The part of an IPFS node that clients use: adding a file (today.md §2.3; services.md §9.5).

``POST /api/v0/add``, a form of one or more files (Kubo's RPC): each is kept in the store, and a
line of JSON tells its CID. Refused: other methods (a node's RPC knows POST only), bodies that are
no form, forms without a file, files beyond the store's size. Nobody has to prove who asks.
"""

from __future__ import annotations

import json
from typing import Any

import falcon

from ..errors import IExecError
from .server import WSGI, new_app
from .store import CHUNK, Store

__all__ = ["ipfs_node_app"]


def ipfs_node_app(store: Store) -> WSGI:
    """The app to mount."""
    return new_app({"/api/v0/add": _Add(store)}, _kubo_error)


def _kubo_error(request: Any, error: Any) -> dict[str, object]:
    return {"Message": error.description or error.title, "Code": 0, "Type": "error"}


class _Add:
    def __init__(self, store: Store) -> None:
        self._store = store

    def on_post(self, request: Any, response: Any) -> None:
        if not (request.content_type or "").startswith("multipart/form-data"):
            raise falcon.HTTPBadRequest(description="the body must be a form with a file")
        lines = [self._line(part) for part in request.get_media()]
        if not lines:
            raise falcon.HTTPBadRequest(description="file argument 'path' is required")
        response.content_type = falcon.MEDIA_JSON
        response.text = "".join(lines)

    def _line(self, part: Any) -> str:
        size = 0

        def read() -> bytes:
            nonlocal size
            data: bytes = part.stream.read(CHUNK)
            size += len(data)
            return data

        try:
            cid = self._store.add(iter(read, b""))
        except IExecError as error:
            raise falcon.HTTPInternalServerError(description=error.message) from error
        return json.dumps({"Name": part.filename or cid, "Hash": cid, "Size": str(size)}) + "\n"
