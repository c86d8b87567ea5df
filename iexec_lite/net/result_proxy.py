"""The result proxy: a login gives the token that lets workers store results (services.md §3)."""

from __future__ import annotations

import re

from ..errors import ResultProxyCallError, TransportError
from .http import Response, Transport

__all__ = ["ResultProxy"]

# Opaque, but it will travel in a header (RFC 6750); a page or a JSON error is none.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")


class ResultProxy:
    """One result proxy at a base URL, whose path prefix is kept, for one chain."""

    def __init__(self, http: Transport, url: str, chain_id: int) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._chain_id = chain_id

    def challenge(self, address: str) -> object:
        """The login challenge, as JSON; it is good for an hour."""
        answer = self._call("GET", f"challenge?address={address}&chainId={self._chain_id}")
        if not answer.ok:
            raise _refused("Result Proxy gave no challenge", answer)
        try:
            return answer.json()
        except TransportError as error:
            raise ResultProxyCallError(error.message, cause=error) from error

    def login(self, authorization: str) -> str:
        """The token of whoever signed; the same wallet gets the same one again."""
        answer = self._call("POST", f"login?chainId={self._chain_id}", authorization)
        if not answer.ok:
            raise _refused("Result Proxy login failed", answer)
        token = answer.text()
        if not _TOKEN.fullmatch(token):
            raise ResultProxyCallError("Result Proxy login failed: the answer is not a token")
        return token

    def _call(self, method: str, path: str, body: str | None = None) -> Response:
        headers = {} if body is None else {"content-type": "text/plain"}
        try:
            return self._http.request(
                method,
                f"{self._url}/results/{path}",
                body=None if body is None else body.encode("ascii"),
                headers=headers,
                retry=body is None,
            )
        except TransportError as error:
            raise ResultProxyCallError(
                f"Result Proxy didn't answer: {error.message}",
                cause=error,
                retryable=error.retryable,
            ) from error


def _refused(what: str, answer: Response) -> ResultProxyCallError:
    return ResultProxyCallError(
        f"{what}: {answer.host} answered {answer.status}: {answer.advice}",
        details={"status": answer.status},
        retryable=answer.status == 429 or answer.status >= 500,
    )
