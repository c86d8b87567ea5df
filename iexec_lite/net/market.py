"""The marketplace's HTTP interface: JSON in, JSON out (market.md, services.md §1, §8, §9.2).

What the texts of its errors mean is told here once. Reads are repeated after faults that pass;
writes never, but for the one case where that is safe: a challenge that another request of the same
wallet has used up, which the marketplace tells before it looks at anything else. Publications of
one client wait for each other for the same reason. Refused: answers that are no JSON object.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from urllib.parse import quote

from ..errors import MarketCallError, TransportError
from ..protocol.params import stringify
from .http import Response, Transport
from .rpc_error import shown

__all__ = ["Market"]

UNAUTHORIZED = "invalid authorization"
JSON = "application/json"


class Market:
    """One marketplace at a base URL (its path prefix is kept), for one chain.

    Every error is a MarketCallError whose ``details`` hold the HTTP ``status``, if there was an
    answer, and the marketplace's own ``error`` text, if it gave one. ``outcome`` is ``unknown``
    where a write may have been done.
    """

    def __init__(self, http: Transport, url: str, chain_id: int) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._chain_id = chain_id
        self._writing = threading.Lock()

    def get(self, path: str, query: Mapping[str, object] | None = None) -> dict[str, object]:
        """The JSON object at ``path``; what is None in ``query`` is left out."""
        return self._call("GET", path, query or {})

    def challenge(self, address: str) -> dict[str, object]:
        """The login challenge for an address, for ``sdk/authorize.py``. It serves one write."""
        return self.get("/challenge", {"address": address})

    def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, object],
        authorize: Callable[[], str],
        *,
        again: bool = True,
        check: Callable[[dict[str, object]], object] = bool,
    ) -> dict[str, object]:
        """POST or PUT ``body``. ``authorize`` fetches and signs a challenge.

        ``check`` raises for an answer that does not say what was done: then nobody knows.

        Two requests of one wallet may be handed the same challenge; the second is refused, and with
        ``again`` tried once more with a new one.
        """
        with self._writing:
            try:
                return self._write_once(method, path, body, authorize(), check)
            except MarketCallError as error:
                refused = error.details.get("error") == UNAUTHORIZED
                if not (again and refused) or error.details.get("outcome") == "unknown":
                    raise
            return self._write_once(method, path, body, authorize(), check)

    def _write_once(
        self,
        method: str,
        path: str,
        body: Mapping[str, object],
        authorization: str,
        check: Callable[[dict[str, object]], object],
    ) -> dict[str, object]:
        try:
            answer = self._call(method, path, {}, body, authorization)
            check(answer)
            return answer
        except MarketCallError as error:
            status = error.details.get("status", 0)
            if not (isinstance(status, int) and 400 <= status < 500):
                error.details["outcome"] = "unknown"
                error.retryable = False
            raise

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Mapping[str, object] | None = None,
        authorization: str = "",
    ) -> dict[str, object]:
        headers = {"accept": JSON}
        if body is not None:
            headers |= {"content-type": JSON, "authorization": authorization}
        try:
            answer = self._http.request(
                method,
                f"{self._url}{path}?{self._query(query)}",
                body=None if body is None else stringify(body).encode(),
                headers=headers,
                retry=body is None,
            )
            return _object(answer)
        except TransportError as error:
            raise MarketCallError(
                f"The marketplace gave no usable answer: {error.message}",
                cause=error,
                retryable=error.retryable,
            ) from error

    def _query(self, query: Mapping[str, object]) -> str:
        """Sorted by key, encoded as ``encodeURIComponent`` and ``!'()*`` too."""
        values = {"chainId": self._chain_id, **query}
        return "&".join(
            f"{quote(key, safe='')}={quote(str(value), safe='')}"
            for key, value in sorted(values.items())
            if value is not None
        )


def _object(answer: Response) -> dict[str, object]:
    """The JSON object of a good answer."""
    value = answer.json() if JSON in answer.headers.get("content-type", "").lower() else None
    error = value.get("error") if isinstance(value, dict) else None
    if answer.status == 200 and isinstance(value, dict) and not error:
        return value
    details: dict[str, object] = {"status": answer.status}
    if error:
        text = shown(str(error))
        details["error"] = text
        message = f"API error: {text}"
        if text == UNAUTHORIZED:
            message += " (the signed challenge is used up, or is not this marketplace's)"
    else:
        where = f"status {answer.status} from {answer.host}"
        message = f"The http response is not of JSON type ({where})"
        if answer.status in (404, 405):
            message += ": check the marketplace's URL, iexec_gateway_url"
        else:
            message += f": {answer.advice}"
    busy = answer.status == 429 or answer.status >= 500
    raise MarketCallError(message, details=details, retryable=busy)
