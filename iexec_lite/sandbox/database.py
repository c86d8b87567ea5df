"""SQLite behind the sandbox's services: one private file each, one writer at a time."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import SandboxError
from ..sdk.files import PRIVATE, create_private, private_dir

__all__ = ["Database"]


class Database:
    """A file of tables. Safe for many threads; ``transaction`` is all or nothing.

    ``schema`` is SQL that may run again on a file that has its tables.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.RLock()
        try:
            private_dir(path.parent)
            if not path.exists():
                create_private(path)
            path.chmod(PRIVATE)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise SandboxError(f"{path} cannot be used: {error}") from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.executescript(schema)
        except sqlite3.Error as error:
            self._connection.close()
            raise SandboxError(f"{path} cannot be used: {error}; start with --fresh") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread; undone as a whole if the block raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, *arguments: object) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._lock:
            return self._connection.execute(query, arguments).fetchall()

    def clear(self) -> None:
        """Empty every table."""
        names = self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        with self.transaction() as connection:
            for (name,) in names:
                connection.execute(f'DELETE FROM "{name}"')  # noqa: S608  # from our own schema

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
