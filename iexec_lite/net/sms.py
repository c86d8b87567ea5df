"""The secret management service: does a secret exist? (services.md §2, today.md §2.1).

Paths are data of the network's rules. Only existence is asked here; a secret never travels.
"""

from __future__ import annotations

from urllib.parse import quote

from ..errors import SmsCallError, TransportError
from .http import Transport

__all__ = ["Sms"]


class Sms:
    """One SMS at a base URL, whose path prefix is kept."""

    def __init__(self, http: Transport, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")

    def exists(self, path: str, **names: str) -> bool:
        """Whether the secret that ``path`` (a template of the rules) names is set.

        Raises SmsCallError for any answer but yes (2xx) and no (404).
        """
        url = self._url + path.format(**{key: quote(name, safe="") for key, name in names.items()})
        try:
            answer = self._http.request("HEAD", url, retry=True)
        except TransportError as error:
            raise SmsCallError(
                f"SMS didn't answer: {error.message}", cause=error, retryable=error.retryable
            ) from error
        if answer.ok:
            return True
        if answer.status == 404:
            return False
        raise SmsCallError(
            f"SMS at {answer.host} answered with unexpected status: {answer.status}",
            retryable=answer.status == 429 or answer.status >= 500,
        )
