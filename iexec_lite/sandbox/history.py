"""What the scheduler remembers of tasks for whoever asks: their statuses, and what apps wrote.

Kept in SQLite beside the services. Statuses have the names and the order of today's scheduler
(worker.md §7.4); those of a task and those of each worker's *replicate* of it are apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .database import Database

__all__ = ["History"]

MAX_LOG = 1 << 20  # characters of stdout, and of stderr: the end is kept

SCHEMA = """
CREATE TABLE IF NOT EXISTS status (
    seq INTEGER PRIMARY KEY, taskid TEXT NOT NULL, worker TEXT NOT NULL, status TEXT NOT NULL,
    date INTEGER NOT NULL, cause TEXT
);
CREATE INDEX IF NOT EXISTS status_by_task ON status (taskid);
CREATE TABLE IF NOT EXISTS run (
    taskid TEXT, worker TEXT, exit INTEGER, stdout TEXT NOT NULL, stderr TEXT NOT NULL,
    PRIMARY KEY (taskid, worker)
);
"""


class History:
    """Statuses and runs of tasks, in the file ``path``. Safe for many threads."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(path, SCHEMA)
        self._clock = clock

    def reset(self) -> None:
        """Forget everything."""
        self._database.clear()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def note(self, taskid: str, *statuses: str, worker: str = "", cause: str | None = None) -> None:
        """The task, or one worker's replicate of it, has got these statuses now."""
        now = int(self._clock() * 1000)
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO status (taskid, worker, status, date, cause) VALUES (?, ?, ?, ?, ?)",
                [(taskid, worker, status, now, cause) for status in statuses],
            )

    def keep_run(
        self, taskid: str, worker: str, exit_code: int | None, stdout: bytes, stderr: bytes
    ) -> None:
        """What the app wrote for this worker; ``exit_code`` is None where it was stopped."""
        texts = [text.decode("utf-8", "replace")[-MAX_LOG:] for text in (stdout, stderr)]
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?)",
                (taskid, worker, exit_code, *texts),
            )

    def task(self, taskid: str) -> dict[str, object] | None:
        """The task as the scheduler's API shows it; None where nothing is known of it."""
        statuses: dict[str, list[dict[str, object]]] = {}
        query = "SELECT worker, status, date, cause FROM status WHERE taskid = ? ORDER BY seq"
        for worker, status, date, cause in self._database.rows(query, taskid):
            entry = {"status": status, "date": date}
            statuses.setdefault(worker, []).append(
                entry if cause is None else {**entry, "cause": cause}
            )
        own = statuses.pop("", None)
        if own is None:
            return None
        query = "SELECT worker, exit FROM run WHERE taskid = ?"
        codes = dict(map(tuple, self._database.rows(query, taskid)))
        return {
            "chainTaskId": taskid,
            "currentStatus": own[-1]["status"],
            "dateStatusList": own,
            "replicates": [
                {
                    "chainTaskId": taskid,
                    "walletAddress": worker,
                    "currentStatus": changes[-1]["status"],
                    "statusUpdateList": changes,
                    # 0 is left out, as the server leaves it out
                    **({"appExitCode": codes[worker]} if codes.get(worker) else {}),
                }
                for worker, changes in statuses.items()
            ],
        }

    def logs(self, taskid: str) -> list[dict[str, str]]:
        """What the app wrote, for each worker."""
        query = "SELECT worker, stdout, stderr FROM run WHERE taskid = ?"
        return [
            {"walletAddress": worker, "stdout": stdout, "stderr": stderr}
            for worker, stdout, stderr in self._database.rows(query, taskid)
        ]
