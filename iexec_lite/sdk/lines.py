"""Transactions that share a nonce because one was sent in the place of another.

A *line* is an entry of the journal and what replaced it: sped up (the same intent at a higher
price) or cancelled (nothing, to oneself). At most one of a line is ever mined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ..errors import Web3ProviderCallError
from .journal import FAILED, REPLACES

if TYPE_CHECKING:
    from .journal import AccountJournal, Entry
    from .records import PendingTransaction

__all__ = [
    "CANCEL",
    "cancelled",
    "is_cancellation",
    "mined_entry",
    "pending",
    "rule_out",
    "waiting",
]

CANCEL = "cancelTransaction"  # the operation of what takes a nonce and does nothing with it


def pending(account: AccountJournal) -> list[PendingTransaction]:
    """What is pending, as users see it."""
    from .records import PendingTransaction

    return [
        PendingTransaction(
            tx_hash=entry.tx_hash,
            nonce=entry.nonce,
            operation=str(entry.intent["operation"]),
            arguments=cast("Mapping[str, object]", entry.intent["arguments"]),
            state=entry.state,
            created=int(entry.created),
            live=entry.live,
            replaces=cast("str | None", entry.intent.get(REPLACES)),
        )
        for entry in account.pending()
    ]


def is_cancellation(entry: Entry) -> bool:
    """Whether it only takes the nonce of another."""
    return entry.intent.get("operation") == CANCEL


def mined_entry(account: AccountJournal, entry: Entry, receipt: Mapping[str, Any]) -> Entry:
    """Whose receipt it is: the entry's, or that of another of its line."""
    found = str(receipt["transactionHash"]).lower()
    if found == entry.tx_hash:
        return entry
    return next(each for each in account.family(entry) if each.tx_hash == found)


def waiting(account: AccountJournal, entry: Entry) -> list[Entry]:
    """What may still be mined for the intent of ``entry``, oldest first."""
    return [each for each in account.family(entry) if each.pending and each.key == entry.key]


def rule_out(account: AccountJournal, mined: Entry) -> None:
    """Its nonce is used: what else is pending with it can never be mined.

    Not what a wallet has, which may come under another nonce, nor what others still work on: they
    will see it themselves.
    """
    for other in account.pending():
        if other.id == mined.id or other.raw is None or other.nonce != mined.nonce:
            continue
        if other.line == mined.line or not other.live:
            account.update(other, state=FAILED)


def cancelled(entry: Entry, by: Entry) -> Web3ProviderCallError:
    """The error for whoever waited for ``entry``: certain, so that the same call begins anew."""
    return Web3ProviderCallError(
        f"transaction {entry.tx_hash} was cancelled by {by.tx_hash}: nothing was done",
        details={"replaced": True, "cancelled": entry.tx_hash},
        tx_hash=by.tx_hash,
    )
