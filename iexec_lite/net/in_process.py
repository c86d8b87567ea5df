"""A node or wallet that is a Python function, in the place of HTTP: for embedders.

``call(method, params)`` returns what JSON-RPC calls ``result`` (the ``request`` of EIP-1193). An
exception with a ``code`` is the node's error (its ``args`` or ``message`` and ``data`` count); any
other leaves open what happened, and its text, which may hold anything, is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from ..errors import IExecError, TransportError
from ..eth.codec import to_hex
from .http import Response, Timeout
from .rpc_error import RpcError

__all__ = ["URL", "Call", "InProcess"]

URL = "https://in-process"  # what texts call such a node
Call = Callable[[str, Sequence[object]], object]


class InProcess:
    """A ``Transport`` that asks a function."""

    def __init__(self, call: Call) -> None:
        self._call = call

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
        """Answer a JSON-RPC request or batch."""
        asked = json.loads(body or b"")
        many = isinstance(asked, list)
        answers = [self._answer(item) for item in (asked if many else [asked])]
        try:
            text = json.dumps(answers if many else answers[0])
        except (TypeError, ValueError, RecursionError) as error:
            raise TransportError(
                "the provider function gave what is no JSON", cause=error
            ) from error
        return Response(200, {}, text.encode("utf-8"), URL)

    def _answer(self, item: Mapping[str, object]) -> dict[str, object]:
        head = {"jsonrpc": "2.0", "id": item["id"]}
        try:
            return {**head, "result": self._call(str(item["method"]), item["params"])}  # type: ignore[arg-type]
        except RpcError as error:  # an ``Rpc.request`` is such a function
            data = None if error.data is None else to_hex(error.data)
            fault = {"code": error.rpc_code, "message": error.node_message, "data": data}
        except IExecError:
            raise
        except Exception as error:
            code = getattr(error, "code", None)
            if code is None:
                raise TransportError(
                    f"the provider function failed: {type(error).__name__}", cause=error
                ) from error
            words = f"{getattr(error, 'message', error)}"
            fault = {
                "code": code if isinstance(code, int) else 0,
                "message": words if isinstance(code, int) else f"{words} ({code})",
                "data": getattr(error, "data", None),
            }
        return {**head, "error": fault}
