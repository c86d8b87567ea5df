"""The sandbox's SQLite files."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.sandbox.database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, n INTEGER NOT NULL)"


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.rows("SELECT name FROM things ORDER BY name")]


def put(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?, 1)", (name,))


def test_kept_between_starts_private_and_cleared(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "things.sqlite3"
    database = Database(path, SCHEMA)
    put(database, "a")
    database.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    database = Database(path, SCHEMA)
    assert names(database) == ["a"]
    database.clear()
    assert names(database) == []
    database.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "things.sqlite3", SCHEMA)
    put(database, "a")

    def twice() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES ('b', 1)")
            connection.execute("INSERT INTO things VALUES ('a', 1)")

    with pytest.raises(sqlite3.IntegrityError):
        twice()
    assert names(database) == ["a"]
    database.close()


def test_many_threads(tmp_path: Path) -> None:
    database = Database(tmp_path / "things.sqlite3", SCHEMA)
    threads = [
        threading.Thread(target=lambda i=i: [put(database, f"{i}-{j}") for j in range(20)])
        for i in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 100
    database.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "things.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(SandboxError, match="--fresh"):
        Database(path, SCHEMA)
