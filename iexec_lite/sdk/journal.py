"""The journal of transactions: what was meant, what was signed, how it ended.

It belongs to an account, (chain id, address), not to a project, because the nonce does. An entry
is written before its transaction is sent, so a lost answer or a killed process leaves a hash to
ask for and bytes to send again (design.md, "Transactions and the journal"). An entry is *live*
while a process works on it; one that is unsettled and not live has an unknown outcome, and is
resumed by the next identical intent. ``MemoryJournal``, here, lives with the process; the
``FileJournal`` of ``file_journal.py`` is shared by processes. Signed transactions are public once
sent; keys never come here.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

from ..errors import StateError
from ..frozen import Frozen, replace

__all__ = [
    "FAILED",
    "INTENDED",
    "KEEP",
    "LOCK_TIMEOUT",
    "PENDING",
    "REPLACES",
    "SENT",
    "SETTLED",
    "UNKNOWN",
    "AccountJournal",
    "Entry",
    "Journal",
    "MemoryJournal",
    "check_state",
]

INTENDED = "intended"  # written down; perhaps sent
SENT = "sent"  # a node has it
UNKNOWN = "unknown"  # given up on; perhaps mined
SETTLED = "settled"  # mined, as it was meant
FAILED = "failed"  # refused, reverted, or its nonce went to another: it cannot happen any more
PENDING = (INTENDED, SENT, UNKNOWN)
_STATES = (*PENDING, SETTLED, FAILED)

LOCK_TIMEOUT = 120.0  # seconds to wait while another sends with the same account
REPLACES = "replaces"  # member of an intent: hash of the first transaction with this nonce
KEEP = 1000  # finished entries kept for people to look at


class Entry(Frozen):
    """One transaction. ``key`` is the intent's, ``note`` what the caller wants back on resuming.

    ``tx_hash`` and ``raw`` are missing only for wallets that sign and send in one step.
    """

    id: int
    key: str
    intent: Mapping[str, object]
    nonce: int
    state: str
    tx_hash: str | None = None
    raw: bytes | None = None
    note: Mapping[str, object] | None = None
    created: float = 0.0
    live: bool = False

    @property
    def pending(self) -> bool:
        """Whether it may still happen, or has happened without our knowing."""
        return self.state in PENDING

    @property
    def line(self) -> tuple[int, str]:
        """What an entry shares with those that were sent in its place: one of them is mined."""
        return self.nonce, str(self.intent.get(REPLACES) or self.tx_hash or self.id)


class AccountJournal(ABC):
    """The entries of one account. All but ``lock`` are short; reads need no lock."""

    @abstractmethod
    def lock(self) -> AbstractContextManager[None]:
        """Held while a nonce is taken, signed for and sent: one at a time, among all processes."""

    @abstractmethod
    def add(
        self,
        key: str,
        intent: Mapping[str, object],
        nonce: int,
        *,
        tx_hash: str | None = None,
        raw: bytes | None = None,
        note: Mapping[str, object] | None = None,
    ) -> Entry:
        """Write a new entry, ``intended`` and live. It is on the disk when this returns."""

    @abstractmethod
    def update(
        self,
        entry: Entry,
        *,
        state: str | None = None,
        tx_hash: str | None = None,
        note: Mapping[str, object] | None = None,
    ) -> Entry:
        """Change what is given; the entry as it is then. Finished entries are no longer live.

        What is finished does not become pending again: somebody else may have seen its end first.
        """

    @abstractmethod
    def take(self, entry: Entry) -> Entry:
        """Make a left entry live again, as ours. Call it under ``lock``."""

    @abstractmethod
    def leave(self, entry: Entry) -> None:
        """Stop working on ``entry``: the next identical intent may take it."""

    @abstractmethod
    def entries(self) -> list[Entry]:
        """All entries that are kept, oldest first."""

    def pending(self) -> list[Entry]:
        """Entries whose outcome is not settled, oldest first."""
        return [entry for entry in self.entries() if entry.pending]

    def left(self, key: str) -> Entry | None:
        """The oldest entry of this intent that is pending and that nobody works on.

        Of an entry and what was sent in its place the oldest counts: who sent it gets the result,
        whichever is mined.
        """
        entries = self.entries()
        seen = {entry.line for entry in entries if entry.state == SETTLED}
        for entry in entries:
            if entry.key == key and entry.pending and entry.line not in seen:
                if not entry.live:
                    return entry
                seen.add(entry.line)
        return None

    def family(self, entry: Entry) -> list[Entry]:
        """``entry`` and all that were signed with its nonce for its sake, oldest first."""
        return [each for each in self.entries() if each.line == entry.line and each.raw is not None]


class Journal(ABC):
    """Where the journals of accounts are kept."""

    @abstractmethod
    def account(self, chain_id: int, address: str) -> AccountJournal:
        """The journal of ``address`` on a chain; always the same object for the same account."""

    def close(self) -> None:  # noqa: B027 - nothing to do for most
        """Give up what is held. Entries that are live become left."""


class MemoryJournal(Journal):
    """A journal that ends with the process: the library's default, for a disk it may not write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[tuple[int, str], _MemoryAccount] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a journal cannot be pickled or copied")

    def account(self, chain_id: int, address: str) -> AccountJournal:
        """The entries of one account."""
        with self._lock:
            return self._accounts.setdefault((chain_id, address.lower()), _MemoryAccount())


class _MemoryAccount(AccountJournal):
    def __init__(self) -> None:
        self._sending = threading.Lock()
        self._guard = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._next = 1

    @contextmanager
    def lock(self) -> Iterator[None]:
        if not self._sending.acquire(timeout=LOCK_TIMEOUT):
            raise StateError("another thread keeps sending with this account", retryable=True)
        try:
            yield
        finally:
            self._sending.release()

    def add(
        self,
        key: str,
        intent: Mapping[str, object],
        nonce: int,
        *,
        tx_hash: str | None = None,
        raw: bytes | None = None,
        note: Mapping[str, object] | None = None,
    ) -> Entry:
        with self._guard:
            entry = Entry(
                id=self._next,
                key=key,
                intent=intent,
                nonce=nonce,
                state=INTENDED,
                tx_hash=tx_hash,
                raw=raw,
                note=note,
                created=time.time(),
                live=True,
            )
            self._next += 1
            self._entries[entry.id] = entry
            finished = [number for number, old in self._entries.items() if not old.pending]
            for number in finished[:-KEEP]:
                del self._entries[number]
            return entry

    def update(
        self,
        entry: Entry,
        *,
        state: str | None = None,
        tx_hash: str | None = None,
        note: Mapping[str, object] | None = None,
    ) -> Entry:
        changes: dict[str, Any] = {"state": check_state(state), "tx_hash": tx_hash, "note": note}
        return self._change(entry, **{k: v for k, v in changes.items() if v is not None})

    def take(self, entry: Entry) -> Entry:
        return self._change(entry, live=True)

    def leave(self, entry: Entry) -> None:
        self._change(entry, live=False)

    def entries(self) -> list[Entry]:
        with self._guard:
            return list(self._entries.values())

    def _change(self, entry: Entry, **changes: Any) -> Entry:
        with self._guard:
            known = self._entries[entry.id]
            if not known.pending and changes.get("state") in PENDING:
                del changes["state"]
            changed = replace(known, **changes)
            if not changed.pending:
                changed = replace(changed, live=False)
            self._entries[entry.id] = changed
            return changed


def check_state(state: str | None) -> str | None:
    """``state``, if it is one; None for no change."""
    if state is not None and state not in _STATES:
        raise ValueError(f"unknown journal state {state!r}")
    return state
