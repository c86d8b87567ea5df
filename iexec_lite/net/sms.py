"""The secret management service: is a secret set, and set it (services.md §2, today.md §2.1).

Paths are data of the network's rules. A secret travels in the body of a request that its owner
signed, over TLS, and in no text of ours. Writes are never repeated by themselves; what to do when
an answer was lost is said in the error.
"""

from __future__ import annotations

from urllib.parse import quote

from ..errors import SmsCallError, StateError, TransportError
from .http import Response, Transport
from .rpc_error import shown

__all__ = ["Sms"]

UNKNOWN = " It is not known whether the secret is set: look, or push the same again."
MAX_KNOWN = 4096  # secrets remembered as set


class Sms:
    """One SMS at a base URL, whose path prefix is kept.

    A secret that is set stays set, so that answer is kept and not asked for again.
    """

    def __init__(self, http: Transport, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._set: set[str] = set()

    def exists(self, path: str, **names: str) -> bool:
        """Whether the secret that ``path`` (a template of the rules) names is set.

        Raises SmsCallError for any answer but yes (2xx) and no (404).
        """
        url = self._address(path, names)
        if url in self._set:
            return True
        try:
            answer = self._http.request("HEAD", url, retry=True)
        except TransportError as error:
            raise _unanswered(error) from error
        if answer.ok and not _is_page(answer):
            self._remember(url)
            return True
        if answer.status == 404:
            return False
        raise _unexpected(answer)

    def push(
        self, path: str, secret: str, signature: str, *, replace: bool = False, **names: str
    ) -> None:
        """Set a secret (POST) or replace one (PUT); ``signature`` is its owner's, ``0x`` hex.

        StateError where the SMS refuses: set already, or not the owner. SmsCallError otherwise;
        where the answer was lost the secret may be set.
        """
        url = self._address(path, names)
        owner = names["address"]
        try:
            answer = self._http.request(
                "PUT" if replace else "POST",
                url,
                body=secret.encode("utf-8"),
                headers={"authorization": signature, "content-type": "text/plain"},
            )
        except TransportError as error:
            raise _unanswered(error, UNKNOWN) from error
        if answer.status == 401:
            raise StateError(f"The wallet is not allowed to set the secret for {owner}")
        if answer.status == 409:
            named = f' "{names["name"]}"' if "name" in names else ""
            raise StateError(f"Secret{named} already exists for {owner} and can't be updated")
        if answer.status == 413:
            raise SmsCallError(f"The SMS at {answer.host} finds the secret too long")
        if not answer.ok or _is_page(answer):
            unknown = UNKNOWN if answer.ok or answer.status >= 500 else ""
            raise _unexpected(answer, f".{_reason(answer, secret)}{unknown}")
        self._remember(url)

    def _address(self, path: str, names: dict[str, str]) -> str:
        quoted = {key: quote(name, safe="") for key, name in names.items()}
        return self._url + path.format(**quoted)

    def _remember(self, url: str) -> None:
        if len(self._set) < MAX_KNOWN:
            self._set.add(url)


def _is_page(answer: Response) -> bool:
    """Whether somebody in between answered, say a network that wants a login: no SMS has pages."""
    return answer.headers.get("content-type", "").lower().startswith("text/html")


def _reason(answer: Response, secret: str) -> str:
    """What the SMS says about a refusal, but for a text that repeats the secret."""
    try:
        found = answer.json()
    except TransportError:
        return ""
    errors = found.get("error") if isinstance(found, dict) else None
    text = "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors or "")
    return f" It says: {shown(text)}" if text and secret not in text else ""


def _unanswered(error: TransportError, advice: str = "") -> SmsCallError:
    return SmsCallError(
        f"SMS didn't answer: {error.message}.{advice}", cause=error, retryable=error.retryable
    )


def _unexpected(answer: Response, advice: str = "") -> SmsCallError:
    return SmsCallError(
        f"SMS at {answer.host} answered with unexpected status: {answer.status}: {answer.advice}"
        f"{advice}",
        details={"status": answer.status},
        retryable=answer.status == 429 or answer.status >= 500,
    )
