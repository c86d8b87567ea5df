"""What is known of a task beyond the chain: compass, and the API of the task's workerpool.

Compass tells which URL a workerpool has; there its scheduler tells of tasks, and their requester's
logs. Texts of an app's logs are bounded by the limit of every answer, and handed on as they are.
Refused: a URL that leads from a public compass to this machine. Spec: today.md §2.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import (
    ApiCallError,
    CompassCallError,
    ConfigurationError,
    TransportError,
    WorkerpoolCallError,
)
from .http import Response, Transport
from .rpc_error import shown
from .target import parse_target, redirected

__all__ = ["Compass", "WorkerpoolApi"]

JSON = {"accept": "application/json"}


class Compass:
    """The register of workerpools at a base URL, whose path prefix is kept, for one chain."""

    def __init__(self, http: Transport, url: str, chain_id: int) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._chain_id = chain_id

    def workerpool_url(self, address: str) -> str | None:
        """The URL of a workerpool's API, None where compass knows none.

        CompassCallError where it does not answer, or not with what it should.
        """
        answer = _get(
            self._http,
            f"{self._url}/{self._chain_id}/workerpools/{address}",
            JSON,
            CompassCallError,
        )
        if not answer.ok:
            return None
        found = _object(answer, CompassCallError).get("apiUrl")
        if found is None:
            return None
        url = found if isinstance(found, str) else ""
        try:
            parse_target(url, allow_plain=True)  # whole, not relative
            # One host sends us to another, so the rules of a redirect hold.
            redirected(parse_target(self._url, allow_plain=True), url)
        except (ConfigurationError, TransportError) as error:
            raise CompassCallError(
                f"Compass gives an unusable URL for workerpool {address}: {error.message}",
                cause=error,
            ) from error
        return url


class WorkerpoolApi:
    """The API of one workerpool at a base URL, whose path prefix is kept, for one chain."""

    def __init__(self, http: Transport, url: str, chain_id: int) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._chain_id = chain_id

    def task(self, taskid: str) -> Mapping[str, object]:
        """What the scheduler knows of a task."""
        return self._read(f"/tasks/{taskid}")

    def challenge(self, address: str) -> Mapping[str, object]:
        """The login challenge for the logs of one's own tasks."""
        return self._read(f"/tasks/logs/challenge?address={address}&chainId={self._chain_id}")

    def logs(self, taskid: str, authorization: str) -> Mapping[str, object]:
        """What a task's runs wrote, for its requester."""
        return self._read(f"/tasks/{taskid}/logs", {"authorization": authorization})

    def _read(self, path: str, headers: Mapping[str, str] | None = None) -> Mapping[str, object]:
        answer = _get(self._http, self._url + path, {**JSON, **(headers or {})}, _REFUSED)
        return _object(answer, _REFUSED)


_REFUSED = WorkerpoolCallError
_NAMES: Mapping[type[ApiCallError], str] = {
    CompassCallError: "Compass",
    WorkerpoolCallError: "The workerpool's API",
}


def _get(
    http: Transport, url: str, headers: Mapping[str, str], kind: type[ApiCallError]
) -> Response:
    """Any answer below 500; 429 says nothing."""
    try:
        answer = http.request("GET", url, headers=headers, retry=True)
    except TransportError as error:
        raise kind(
            f"{_NAMES[kind]} didn't answer: {error.message}", cause=error, retryable=error.retryable
        ) from error
    if answer.status >= 500 or answer.status == 429:
        raise _bad(answer, kind)
    return answer


def _object(answer: Response, kind: type[ApiCallError]) -> Mapping[str, object]:
    """The JSON object of a good answer."""
    try:
        value = answer.json()
    except TransportError:
        value = None
    if answer.ok and isinstance(value, dict):
        return value
    said = value.get("error") or value.get("message") if isinstance(value, dict) else None
    raise _bad(answer, kind, said)


def _bad(answer: Response, kind: type[ApiCallError], said: object = None) -> ApiCallError:
    reason = f"{shown(str(said))} ({answer.status})" if said else f"{answer.status}"
    return kind(
        f"{_NAMES[kind]} at {answer.host} answered {reason}: "
        + ("not the JSON it should" if answer.ok else answer.advice),
        details={"status": answer.status},
        retryable=answer.status == 429 or answer.status >= 500,
    )
