"""Offering the same signed bytes to a node until it has them, or surely will not.

Bytes are repeated, never made: what to do where their nonce is taken is for who signed them. An
answer counts as a refusal only where nothing before it may have arrived. Facts: chain.md §10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import OutcomeUnknownError, TransportError, Web3ProviderError
from ..log import log
from .confirmation import is_known
from .fees import refused

if TYPE_CHECKING:
    from ..net.rpc import Rpc

__all__ = ["Broadcast", "NonceTaken"]

_ATTEMPTS = 4  # of the same bytes, while the answers leave it in doubt
_PAUSE = 0.5  # seconds, doubled
_ARRIVAL_PAUSES = (0.2, 0.6)  # seconds: nodes behind one name may lag behind each other
# What a node says only of bytes that it did not take and would not pass on.
_REFUSALS = frozenset(("insufficient_funds", "refused"))


class NonceTaken(Exception):  # noqa: N818 - a signal between two modules, never seen outside
    """A node refused the first send of some bytes because their nonce was used."""


class Broadcast:
    """Sends bytes to one node."""

    def __init__(self, rpc: Rpc, sleep: Callable[[float], None]) -> None:
        self._rpc, self._sleep = rpc, sleep

    def send(self, tx_hash: str, raw: bytes, *, in_doubt: bool) -> None:
        """Offer the bytes until a node has them; ``in_doubt``: one may have them already.

        ``NonceTaken``: new bytes may be made. ``Web3ProviderSendError``: refused for certain.
        ``OutcomeUnknownError``: cannot tell.
        """
        failure: Web3ProviderError | TransportError | None = None
        for attempt in range(_ATTEMPTS):
            try:
                self._rpc.send_raw(raw)
            except (TransportError, Web3ProviderError) as error:
                failure = error
            else:
                log.info("sent %s", tx_hash)
                return
            kind = getattr(failure, "kind", "")
            in_doubt = in_doubt or not getattr(failure, "certain", True)
            log.debug("sending %s: %s", tx_hash, kind or failure.code)
            if kind == "already_known":
                return
            taken = kind in ("nonce_too_low", "underpriced")
            # New bytes only where these are surely nowhere, not where nobody can tell.
            arrived = self.has_arrived(tx_hash, _ARRIVAL_PAUSES if taken else ())
            if arrived:
                return
            if taken and not in_doubt and arrived is False:
                raise NonceTaken from failure
            if kind == "nonce_too_low":
                return  # mined, or replaced: waiting will tell
            if not in_doubt and kind in _REFUSALS:
                raise refused(failure) from failure  # type: ignore[arg-type]
            in_doubt = True
            if attempt + 1 < _ATTEMPTS:
                self._sleep(_PAUSE * 2**attempt)
        raise OutcomeUnknownError(
            f"transaction {tx_hash} was signed, but whether a node has it is unknown: "
            f"{failure.message if failure else ''}. The same call again resumes it",
            cause=failure,
            retryable=True,
            tx_hash=tx_hash,
        )

    def again(self, raw: bytes) -> None:
        """Offer bytes that were sent before once more, whatever the node says."""
        try:
            self._rpc.send_raw(raw)
        except (TransportError, Web3ProviderError) as error:
            log.debug("offered again: %s", getattr(error, "kind", error.code))

    def has_arrived(self, tx_hash: str, pauses: Sequence[float] = ()) -> bool | None:
        """Whether a node has it, asked again after ``pauses``; None where nobody can tell."""
        for pause in (*pauses, None):
            try:
                if is_known(self._rpc, tx_hash):
                    return True
            except (TransportError, Web3ProviderError):
                return None
            if pause is not None:
                self._sleep(pause)
        return False
