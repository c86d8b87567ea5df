"""The journal on disk: one sqlite file per account, shared by processes.

What a journal is, ``journal.py`` says. An entry names its owner, a file that the owning process
keeps locked while it lives: the system drops the lock of one that dies, and its entries are left.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import StateError, ValidationError
from .files import FileLock, create_private, locked, private_dir, user_data_dir
from .journal import (
    FAILED,
    INTENDED,
    KEEP,
    LOCK_TIMEOUT,
    PENDING,
    SETTLED,
    AccountJournal,
    Entry,
    Journal,
    check_state,
)

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FileJournal"]

_BUSY_TIMEOUT = 30.0  # seconds sqlite waits for another's write


class FileJournal(Journal):
    """A journal on disk: one sqlite file per account, 0600 in a 0700 folder, for many processes.

    ``folder``: the user's data folder by default, never the project's. With ``hold`` a transaction
    that is settled counts as done on the disk only with :meth:`confirm`, when somebody has seen
    what it gave; a process that dies before leaves it, and the same intent finds it again.
    """

    def __init__(self, folder: str | Path | None = None, *, hold: bool = False) -> None:
        self.folder = Path(folder) if folder is not None else user_data_dir() / "journal"
        self._hold = hold
        self._lock = threading.Lock()
        self._accounts: dict[tuple[int, str], _FileAccount] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a journal cannot be pickled or copied")

    def account(self, chain_id: int, address: str) -> AccountJournal:
        """The entries of one account; the folder is made at first use."""
        key = (chain_id, address.lower())
        with self._lock:
            if key not in self._accounts:
                private_dir(self.folder)
                path = self.folder / f"{chain_id}-{key[1]}.sqlite3"
                self._accounts[key] = _FileAccount(path, hold=self._hold)
            return self._accounts[key]

    def confirm(self) -> None:
        """What was settled has been seen: write it down as done."""
        with self._lock:
            accounts = list(self._accounts.values())
        for account in accounts:
            account.confirm()

    def forget(self, chain_id: int) -> None:
        """Remove what is kept of a chain that is about to be gone, of all accounts.

        A new chain with the same id has the same nonces: what was sent on the old one and is sent
        again may be the very same bytes, which would count as sent.
        """
        for path in self.folder.glob(f"{chain_id}-*.sqlite3*"):
            with suppress(OSError):  # Windows, while another process has it open
                path.unlink()

    def close(self) -> None:
        """Release the mark of life; entries that this process still worked on become left."""
        with self._lock:
            accounts, self._accounts = list(self._accounts.values()), {}
        for account in accounts:
            account.close()


_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, intent TEXT NOT NULL,
    nonce INTEGER NOT NULL, state TEXT NOT NULL, tx_hash TEXT, raw BLOB, note TEXT,
    created REAL NOT NULL, owner TEXT)
"""
_COLUMNS = "id, key, intent, nonce, state, tx_hash, raw, note, created, owner"


class _FileAccount(AccountJournal):
    """An entry names its owner: a file that the owning process keeps locked while it lives."""

    def __init__(self, path: Path, *, hold: bool) -> None:
        self._path = path
        self._hold = hold
        self._held: set[int] = set()  # settled, and not yet seen by anybody
        self._guard = threading.Lock()
        self._mark: FileLock | None = None
        self._pid = 0  # the process that made the mark
        self._working: set[int] = set()
        if not path.exists():
            with suppress(ValidationError):  # another process may be first
                create_private(path)
        if path.is_symlink() or not path.is_file():
            raise ValidationError(f"{path} is not a regular file: refused as a journal")
        with self._database() as database:
            database.execute(_SCHEMA)

    @contextmanager
    def lock(self) -> Iterator[None]:
        busy = "another process keeps sending with this account: try again when it is done"
        with locked(self._path.with_suffix(".lock"), timeout=LOCK_TIMEOUT, busy=busy):
            yield

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
        values = (key, _dump(intent), nonce, INTENDED, tx_hash, raw, _dump(note), time.time())
        with self._guard:
            owner = self._own_name()
            with self._database() as database:
                number = database.execute(
                    "INSERT INTO entries (key, intent, nonce, state, tx_hash, raw, note, created,"
                    " owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*values, owner),
                ).lastrowid
                database.execute(
                    "DELETE FROM entries WHERE state IN (?, ?) AND id NOT IN"
                    " (SELECT id FROM entries ORDER BY id DESC LIMIT ?)",
                    (SETTLED, FAILED, KEEP),
                )
            assert number is not None  # noqa: S101 - an INSERT has a row
            self._working.add(number)
        return self._read(number)

    def update(
        self,
        entry: Entry,
        *,
        state: str | None = None,
        tx_hash: str | None = None,
        note: Mapping[str, object] | None = None,
    ) -> Entry:
        hold = self._hold and state == SETTLED
        if hold:
            state = None
            if entry.id not in self._working:  # another process sent it in the place of ours
                self.take(entry)
            with self._guard:
                self._held.add(entry.id)
        with self._database() as database:
            database.execute(
                "UPDATE entries SET state = CASE WHEN ?1 IS NULL OR (state IN (?5, ?6)"
                " AND ?1 NOT IN (?5, ?6)) THEN state ELSE ?1 END,"
                " tx_hash = coalesce(?2, tx_hash), note = coalesce(?3, note) WHERE id = ?4",
                (check_state(state), tx_hash, _dump(note), entry.id, SETTLED, FAILED),
            )
        changed = self._read(entry.id)
        if not changed.pending and not hold:
            self.leave(changed)
        return changed

    def confirm(self) -> None:
        """Write down as done what is held."""
        with self._guard:
            held, self._held = sorted(self._held), set()
            self._working.difference_update(held)
        with self._database() as database:
            database.executemany(
                "UPDATE entries SET state = ?, owner = NULL WHERE id = ?",
                [(SETTLED, number) for number in held],
            )

    def take(self, entry: Entry) -> Entry:
        with self._guard:
            owner = self._own_name()
            with self._database() as database:
                database.execute("UPDATE entries SET owner = ? WHERE id = ?", (owner, entry.id))
            self._working.add(entry.id)
        return self._read(entry.id)

    def leave(self, entry: Entry) -> None:
        with self._guard:
            if entry.id in self._held:
                return
            self._working.discard(entry.id)
            owner = self._own_name()
        # Other processes see it as left while this one lives. Where that cannot be written down,
        # they wait for our end: what is being reported now counts more.
        with suppress(StateError), self._database() as database:
            database.execute(
                "UPDATE entries SET owner = NULL WHERE id = ? AND owner = ?", (entry.id, owner)
            )

    def entries(self) -> list[Entry]:
        alive: dict[str | None, bool] = {}
        found = self._all(alive)
        if any(entry.pending and not entry.live for entry in found):
            # Whoever died while we looked may have written the end before: what is read now, with
            # those known to be dead, is the last that they wrote.
            found = self._all(alive)
        return found

    def _all(self, alive: dict[str | None, bool]) -> list[Entry]:
        with self._database() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY id").fetchall()  # noqa: S608
        return [self._entry(row, alive) for row in rows]

    def close(self) -> None:
        """Release the mark of life."""
        with self._guard:
            mark = self._own_mark()
            self._working.clear()
            self._held.clear()
            if mark is not None:
                mark.release(remove=True)
                self._mark = None

    # --- one row, one connection ------------------------------------------------------------

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction: nothing stays open between calls, threads or forks."""
        import sqlite3  # only a file journal pays for it

        try:
            database = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT)
            try:
                database.execute("PRAGMA synchronous = FULL")  # an entry must survive a power cut
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise StateError(
                f"the journal {self._path} cannot be used: {error}", cause=error
            ) from error

    def _read(self, number: int) -> Entry:
        with self._database() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM entries WHERE id = ?",  # noqa: S608
                (number,),
            ).fetchone()
        return self._entry(row, {})

    def _entry(self, row: tuple[Any, ...], alive: dict[str | None, bool]) -> Entry:
        number, key, intent, nonce, state, tx_hash, raw, note, created, owner = row
        try:
            meant, kept = json.loads(intent), None if note is None else json.loads(note)
        except (TypeError, ValueError) as error:
            raise StateError(
                f"the journal {self._path} is damaged at entry {number}: see what became of "
                f"transaction {tx_hash}, then move the file away",
                tx_hash=tx_hash if isinstance(tx_hash, str) else None,
            ) from error
        live = False
        if number in self._held:
            state = SETTLED
        if state in PENDING:
            if owner not in alive:
                alive[owner] = self._is_alive(owner)
            mark = self._own_mark()
            ours = mark is not None and owner == mark.path.name
            live = number in self._working if ours else alive[owner]
        return Entry(
            id=number,
            key=key,
            intent=meant,
            nonce=nonce,
            state=state,
            tx_hash=tx_hash,
            raw=raw,
            note=kept,
            created=created,
            live=live,
        )

    # --- who is alive -----------------------------------------------------------------------

    def _own_name(self) -> str:
        """The name of our mark of life; the mark is made at the first entry. Under ``_guard``."""
        mark = self._own_mark()
        if mark is None:
            name = f"{self._path.stem}.{os.getpid()}-{os.urandom(6).hex()}.live"
            mark = FileLock(self._path.with_name(name))
            if not mark.acquire():
                raise StateError(f"{mark.path} cannot be locked")
            self._mark, self._pid = mark, os.getpid()
        return mark.path.name

    def _own_mark(self) -> FileLock | None:
        """Our mark of life. One that came with a fork is the parent's: let go, not removed."""
        if self._mark is not None and self._pid != os.getpid():
            self._mark.release()
            self._mark, self._working, self._held = None, set(), set()
        return self._mark

    def _is_alive(self, owner: str | None) -> bool:
        """Whether the process behind a mark lives: the system drops its lock when it dies."""
        if owner is None:
            return False
        mark = self._own_mark()
        if mark is not None and owner == mark.path.name:
            return True
        probe = FileLock(self._path.with_name(Path(owner).name))
        for pause in (0.01, 0.03, 0.0):  # another may be probing the same mark just now
            if not probe.path.exists():
                return False
            if probe.acquire():
                probe.release(remove=True)
                return False
            time.sleep(pause)
        return True


def _dump(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(value)
