"""Transactions that a signer sends by itself: what it was asked for, and what came of it.

A wallet or node is asked once. What it was asked is in the journal before, so that the chain can be
searched for it when the answer is lost: by hash where there is one, else by (account, nonce).
Wallets may change the fees; one that changed anything else has sent something that is not ours,
which is said and never repeated (design.md, "Signers"; pitfalls.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..errors import (
    OutcomeUnknownError,
    TransportError,
    Web3ProviderCallError,
    Web3ProviderError,
)
from ..eth.codec import from_hex, to_hex
from ..frozen import Frozen
from ..log import log

if TYPE_CHECKING:
    from ..eth.signer import SendingSigner
    from ..eth.transaction import Transaction
    from ..net.rpc import Rpc
    from .journal import AccountJournal, Entry

__all__ = ["Asked", "Search", "ask"]


_PAUSES = (0.2, 0.6, 1.5)  # seconds: the wallet's node may be ahead of ours


class Asked(Frozen):
    """What a signer was asked to send; ``since`` is the latest block at that time."""

    sender: str
    nonce: int
    to: str | None
    value: int
    data: bytes
    since: int

    def to_dict(self) -> dict[str, object]:
        """The JSON form that the journal keeps beside the intent."""
        return {
            "to": self.to,
            "value": str(self.value),
            "data": to_hex(self.data),
            "since": self.since,
        }

    @classmethod
    def of(cls, entry: Entry) -> Asked:
        """What an entry without signed bytes was about."""
        kept = cast("Mapping[str, Any]", entry.intent["asked"])
        return cls(
            sender=str(entry.intent["sender"]),
            nonce=entry.nonce,
            to=kept["to"],
            value=int(kept["value"]),
            data=from_hex(kept["data"]),
            since=kept["since"],
        )

    def differences(self, found: Mapping[str, Any]) -> list[str]:
        """In what a transaction on chain is not the one asked for; fees do not count."""
        wanted = {
            "account": (self.sender.lower(), found.get("from")),
            "nonce": (hex(self.nonce), found.get("nonce")),
            "receiver": (self.to and self.to.lower(), found.get("to")),
            "value": (hex(self.value), found.get("value")),
            "data": (to_hex(self.data), found.get("input", found.get("data"))),
        }
        return [name for name, (ours, theirs) in wanted.items() if not _same(ours, theirs)]


def _same(ours: str | None, theirs: object) -> bool:
    return theirs.lower() == ours if isinstance(theirs, str) else theirs is ours


def ask(signer: SendingSigner, transaction: Transaction) -> str:
    """The hash that the signer gives, ``0x`` text; asks once, whatever comes of it."""
    answer: object = signer.send_transaction(transaction)
    if not isinstance(answer, bytes) or len(answer) != 32:
        raise Web3ProviderCallError("the signer gave no hash of 32 bytes for what it sent")
    return to_hex(answer)


class Search:
    """Looks on chain for what the entry's signer was asked to send."""

    def __init__(
        self, rpc: Rpc, account: AccountJournal, entry: Entry, sleep: Callable[[float], None]
    ) -> None:
        self.asked = Asked.of(entry)
        # An identical transaction of another entry is not this one's.
        self._others = {each.tx_hash for each in account.entries() if each.id != entry.id}
        self._rpc = rpc
        self._entry = entry
        self._sleep = sleep

    def locate(self, cause: BaseException | None = None) -> str:
        """The hash of what was sent, where its answer was lost. ``OutcomeUnknownError``."""
        for pause in (*_PAUSES, None):
            try:
                found = find(self._rpc, self.asked)
            except (TransportError, Web3ProviderError) as error:
                log.debug("looking for nonce %d: %s", self.asked.nonce, error.code)
                found, cause = None, cause or error
            if found is not None or pause is None:
                break
            self._sleep(pause)
        if found is None:
            raise self.unknown(
                f"nobody knows whether it was sent: no transaction with nonce {self.asked.nonce} "
                "is to be seen yet, but it may still be approved in the wallet",
                cause,
                retryable=True,
            )
        tx_hash = str(found.get("hash")).lower()
        if tx_hash in self._others or self.asked.differences(found):
            problem = self.unknown(
                f"nobody knows whether it was sent: nonce {self.asked.nonce} went to another "
                f"transaction, {tx_hash}",
                cause,
            )
            problem.details["found"] = tx_hash
            raise problem
        return tx_hash

    def replacement(self, tx_hash: str, error: Web3ProviderCallError, *, certain: bool) -> str:
        """What took the nonce of ``tx_hash``: the same with other fees, as wallets do it.

        The ``error`` itself where it surely was something else: then ours can never happen.
        ``certain``: the transaction was seen to have that nonce.
        """
        try:
            other = self.locate(error)
        except OutcomeUnknownError as lost:
            if certain and "found" in lost.details:
                raise error from lost
            lost.tx_hash = tx_hash
            raise
        if other == tx_hash:
            raise self.unknown("the node contradicts itself about it", error, tx_hash=tx_hash)
        log.info("%s has taken the place of %s", other, tx_hash)
        return other

    def is_seen(self, tx_hash: str, *, required: bool) -> bool:
        """Whether our node has the transaction; ``OutcomeUnknownError`` if it is not ours.

        ``required``: also where it cannot be looked at.
        """
        cause: BaseException | None = None
        for pause in (*_PAUSES, None):
            try:
                found = self._rpc.request("eth_getTransactionByHash", (tx_hash,))
            except (TransportError, Web3ProviderError) as error:
                found, cause = None, error
            if isinstance(found, dict) and str(found.get("hash")).lower() == tx_hash:
                wrong = self.asked.differences(found)
                if wrong:
                    raise self.unknown(
                        f"the signer sent {tx_hash}, which is not what it was asked for: "
                        f"{', '.join(wrong)} differ",
                        tx_hash=tx_hash,
                    )
                return True
            if pause is not None:
                self._sleep(pause)
        if required:
            text = f"{tx_hash} is mined, but the node does not show what it is"
            raise self.unknown(text, cause, tx_hash=tx_hash, retryable=True)
        return False

    def unknown(
        self,
        why: str,
        cause: BaseException | None = None,
        *,
        tx_hash: str | None = None,
        retryable: bool = False,
    ) -> OutcomeUnknownError:
        """The error that leaves the rest to a person."""
        intent = {name: value for name, value in self._entry.intent.items() if name != "asked"}
        return OutcomeUnknownError(
            f"{intent['operation']!r} was handed to the signer, and {why}. The same call again "
            "looks on chain and asks nobody; new=True starts another",
            details={"nonce": self.asked.nonce, "intent": intent},
            cause=cause,
            retryable=retryable,
            tx_hash=tx_hash,
        )


def find(rpc: Rpc, asked: Asked) -> Mapping[str, Any] | None:
    """The transaction of (sender, nonce), mined since or waiting; None where none is to be seen."""
    from ..net.rpc import quantity

    def count(block: int) -> int:
        found = rpc.request("eth_getTransactionCount", (asked.sender, hex(block)))
        return quantity(found, "eth_getTransactionCount")

    head = quantity(rpc.request("eth_blockNumber"), "eth_blockNumber")
    if count(head) <= asked.nonce:
        return _of(rpc, "pending", asked)
    low = min(asked.since, head)
    while low < head:  # the first block after which the nonce is used
        middle = (low + head) // 2
        low, head = (low, middle) if count(middle) > asked.nonce else (middle + 1, head)
    return _of(rpc, hex(head), asked)


def _of(rpc: Rpc, block: str, asked: Asked) -> Mapping[str, Any] | None:
    """The transaction of (sender, nonce) in one block."""
    found = rpc.request("eth_getBlockByNumber", (block, True))
    listed: Sequence[object] = found.get("transactions", ()) if isinstance(found, dict) else ()
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and not {"account", "nonce"} & set(asked.differences(each)):
            return each
    return None
