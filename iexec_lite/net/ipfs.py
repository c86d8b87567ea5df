"""Adding files to IPFS by way of an upload node, and seeing them at the gateway (services.md §9.5).

What the node answers is held against the CID of the content, which is computed here; a file that
the gateway does not show in time was not uploaded. Adding the same content again is harmless, so
lost answers are asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..errors import IpfsGatewayCallError, TransportError
from ..eth.codec import load_json
from ..protocol.cid import cid_of
from ..protocol.units import shown
from .http import Response, Transport

__all__ = ["Ipfs"]

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between looks at the gateway, which may lag behind the node


class Ipfs:
    """An upload node and the gateway that shows its files; path prefixes of both are kept."""

    def __init__(
        self,
        http: Transport,
        node: str,
        gateway: str | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._node = node.rstrip("/")
        self._gateway = None if gateway is None else gateway.rstrip("/")
        self._sleep = sleep

    def add(self, content: bytes) -> str:
        """Upload a file. Returns its CID, once the gateway (if there is one) shows it.

        IpfsGatewayCallError where the node refuses, answers with another CID, or the file does not
        show.
        """
        cid = cid_of(content)
        answer = self._post(content, boundary=f"----{cid}")  # which no file has in it
        if not answer.ok:
            raise _failed(answer, "did not take the file")
        found = _added(answer)
        if found != cid:
            raise IpfsGatewayCallError(
                f"IPFS {answer.host} says it keeps the file as {shown(found)}, but its CID is {cid}"
            )
        if self._gateway is not None:
            self._wait(cid)
        return cid

    def _post(self, content: bytes, boundary: str) -> Response:
        """Send one file without a name, as the JavaScript SDK does."""
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        return self._request(
            "POST",
            f"{self._node}/api/v0/add?stream-channels=true&progress=false",
            body=head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
            headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        )

    def _wait(self, cid: str) -> None:
        url = f"{self._gateway}/ipfs/{cid}"
        for pause in (*PAUSES, None):
            answer = self._request("HEAD", url)
            if answer.ok:
                return
            if pause is None or answer.status in (400, 401, 403):
                raise _failed(answer, f"does not show the uploaded file {cid}")
            self._sleep(pause)

    def _request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        try:
            return self._http.request(method, url, body=body, headers=headers, retry=True)
        except TransportError as error:
            raise IpfsGatewayCallError(
                f"IPFS didn't answer: {error.message}", cause=error, retryable=error.retryable
            ) from error


def _added(answer: Response) -> object:
    """``Hash`` of the last line of newline-delimited JSON."""
    try:
        last = load_json(answer.body.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = None
    return last.get("Hash") if isinstance(last, dict) else None


def _failed(answer: Response, what: str) -> IpfsGatewayCallError:
    return IpfsGatewayCallError(
        f"IPFS {answer.host} {what}: it answered {answer.status}: {answer.advice}",
        details={"status": answer.status},
        retryable=answer.status in (404, 429) or answer.status >= 500,
    )
