"""Asking a faucet for test money (services.md §5.1).

Asked once, never again by itself: a request may have been paid although its answer was lost. What
a faucet says comes from outside and is handed on as it is, if it is a JSON object.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from ..errors import ApiCallError, ConfigurationError, TransportError
from ..protocol.faucets import Faucet
from .http import Transport

__all__ = ["ask"]

DOWN = "ETH faucet is down."
MAX_ANSWER = 64 * 1024  # bytes


def ask(http: Transport, faucet: Faucet, chain: str, address: str) -> dict[str, object]:
    """What ``faucet`` answers for an address of the chain of this name; ``{"error": …}`` for no.

    A faucet that gives no answer is an error in the answer too, or ApiCallError if it is vital.
    """
    if not faucet.url:
        return {"error": f"Go to {faucet.page} to manually ask for ETH"}
    try:
        return _ask(http, faucet, chain, address)
    except (ApiCallError, ConfigurationError) as error:
        if faucet.vital:
            raise
        return {"error": f"{DOWN} {error.message}"}


def _ask(http: Transport, faucet: Faucet, chain: str, address: str) -> dict[str, object]:
    url = faucet.url.format(chain=quote(chain, safe=""), address=address)
    headers, body = {"accept": "application/json"}, None
    if faucet.body is not None:
        filled = {key: text.format(address=address) for key, text in faucet.body.items()}
        headers["content-type"], body = "application/json", json.dumps(filled).encode("ascii")
    try:
        answer = http.request(
            "GET" if body is None else "POST",
            url,
            body=body,
            headers=headers,
            max_bytes=MAX_ANSWER,
        )
    except TransportError as error:
        raise _failure(faucet, f"didn't answer: {error.message}", error) from error
    try:
        found = answer.json()
    except TransportError as error:
        raise _failure(faucet, f"answered {answer.status} and no JSON", error) from error
    if not isinstance(found, dict):
        raise _failure(faucet, f"answered {answer.status} and no JSON object")
    if not answer.ok and "error" not in found:
        return {**found, "error": f"{answer.status}: {answer.advice}"}
    return found


def _failure(faucet: Faucet, what: str, cause: TransportError | None = None) -> ApiCallError:
    hint = ". The public faucets of V6 are gone" if faucet.public else ""
    return ApiCallError(
        f"The faucet {faucet.name} {what}{hint}",
        cause=cause,
        retryable=cause is not None and cause.retryable,
    )
