"""The journals: same behaviour in memory and on disk, and what only the disk must do."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from iexec_lite.errors import StateError, ValidationError
from iexec_lite.sdk import journal as journals
from iexec_lite.sdk.journal import (
    FAILED,
    INTENDED,
    SENT,
    SETTLED,
    UNKNOWN,
    FileJournal,
    MemoryJournal,
)

WHO = "0x" + "Ab" * 20
INTENT = {"operation": "deposit", "arguments": {"amount": "5", "text": "é"}}


@pytest.fixture(params=["memory", "file"])
def journal(request, tmp_path):
    made = MemoryJournal() if request.param == "memory" else FileJournal(tmp_path / "journal")
    yield made
    made.close()


def add(account, key="k", nonce=0, **more):
    return account.add(key, INTENT, nonce, **more)


def test_an_entry_through_its_life(journal):
    account = journal.account(134, WHO)
    before = time.time()
    entry = add(account, nonce=7, tx_hash="0xab", raw=b"\x02raw", note={"order": [1]})
    assert (entry.key, entry.intent, entry.nonce) == ("k", INTENT, 7)
    assert (entry.tx_hash, entry.raw, entry.note) == ("0xab", b"\x02raw", {"order": [1]})
    assert (entry.state, entry.live, entry.pending) == (INTENDED, True, True)
    assert before <= entry.created <= time.time()
    sent = account.update(entry, state=SENT)
    assert (sent.state, sent.live) == (SENT, True)
    settled = account.update(entry, state=SETTLED, note={"more": 1})
    assert (settled.state, settled.live, settled.pending) == (SETTLED, False, False)
    assert settled.note == {"more": 1}
    assert account.entries() == [settled]
    assert account.pending() == []


def test_only_what_nobody_works_on_is_left(journal):
    account = journal.account(134, WHO)
    assert account.left("k") is None
    entry = add(account)
    add(account, key="other")
    assert account.left("k") is None
    account.update(entry, state=UNKNOWN)
    account.leave(entry)
    left = account.left("k")
    assert (left.id, left.state, left.live) == (entry.id, UNKNOWN, False)
    assert account.take(left).live
    assert account.left("k") is None


@pytest.mark.parametrize("state", [SETTLED, FAILED])
def test_what_has_ended_is_not_left(journal, state):
    account = journal.account(134, WHO)
    account.update(add(account), state=state)
    assert account.left("k") is None


def test_the_oldest_is_resumed_first(journal):
    account = journal.account(134, WHO)
    first, second = add(account, nonce=1), add(account, nonce=2)
    account.leave(second)
    account.leave(first)
    assert account.left("k").id == first.id


def test_accounts_are_apart_and_case_does_not_matter(journal):
    add(journal.account(134, WHO))
    assert len(journal.account(134, WHO.lower()).entries()) == 1
    assert journal.account(134, WHO) is journal.account(134, WHO.lower())
    assert journal.account(1, WHO).entries() == []
    assert journal.account(134, "0x" + "cd" * 20).entries() == []


def test_unknown_states_are_refused(journal):
    account = journal.account(134, WHO)
    with pytest.raises(ValueError, match="done"):
        account.update(add(account), state="done")


def test_the_lock_is_for_one_thread_at_a_time(journal):
    account = journal.account(134, WHO)
    inside, most = [], []

    def work():
        for _ in range(5):
            with account.lock():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (20, 1)


def test_a_lock_that_never_comes(journal, monkeypatch):
    monkeypatch.setattr(journals, "_LOCK_TIMEOUT", 0.02)
    account = journal.account(134, WHO)
    with account.lock(), pytest.raises(StateError, match="keeps sending") as caught:  # noqa: SIM117
        with account.lock():
            pytest.fail("two at once")
    assert caught.value.retryable


def test_old_finished_entries_are_forgotten(journal, monkeypatch):
    monkeypatch.setattr(journals, "_KEEP", 3)
    account = journal.account(134, WHO)
    open_entry = add(account, key="open")
    for nonce in range(6):
        account.update(add(account, nonce=nonce), state=SETTLED)
    kept = account.entries()
    assert kept[0].id == open_entry.id
    assert len(kept) <= 5
    assert kept[-1].nonce == 5


def test_journals_do_not_pickle(journal):
    with pytest.raises(TypeError):
        pickle.dumps(journal)


# --- on disk ---------------------------------------------------------------------------------


def test_entries_survive_and_become_left(tmp_path):
    first = FileJournal(tmp_path)
    entry = add(first.account(134, WHO), tx_hash="0xab", raw=b"raw", note={"a": 1})
    second = FileJournal(tmp_path)
    seen = second.account(134, WHO).entries()[0]
    assert seen.live, "its owner is alive"
    assert second.account(134, WHO).left("k") is None
    first.close()
    left = second.account(134, WHO).left("k")
    assert (left.id, left.raw, left.note, left.live) == (entry.id, b"raw", {"a": 1}, False)
    second.account(134, WHO).take(left)
    assert FileJournal(tmp_path).account(134, WHO).left("k") is None
    second.close()


def test_an_owner_that_ends_while_it_is_looked_at_has_left_nothing(tmp_path, monkeypatch):
    """Its entry was read as sent; it settles and dies before anybody asks whether it lives."""
    first, second = FileJournal(tmp_path, hold=True), FileJournal(tmp_path)
    entry = add(first.account(134, WHO), tx_hash="0xab")
    account = second.account(134, WHO)
    asked = account._is_alive

    def ends_first(owner):
        if not ended:
            ended.append(owner)
            first.account(134, WHO).update(entry, state=SETTLED)
            first.confirm()
            first.close()
        return asked(owner)

    ended: list[object] = []
    monkeypatch.setattr(account, "_is_alive", ends_first)
    assert account.left("k") is None
    assert ended


def test_an_entry_that_was_given_up_is_left_for_other_processes(tmp_path):
    """The process that gave up still lives: another one must resume, not send again."""
    code = (
        "import sys\n"
        "from iexec_lite.sdk.journal import FileJournal\n"
        f"account = FileJournal(sys.argv[1]).account(1, {WHO!r})\n"
        "entry = account.add('k', {}, 0, tx_hash='0x' + '11' * 32, raw=b'raw')\n"
        "print('working', flush=True); sys.stdin.readline()\n"
        "account.update(entry, state='unknown'); account.leave(entry)\n"
        "print('left', flush=True); sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "journal")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout.readline() == "working\n"
        account = FileJournal(tmp_path / "journal").account(1, WHO)
        assert account.left("k") is None
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "left\n"
        found = account.left("k")
        assert found is not None
        taken = account.take(found)
        child.stdin.write("\n")
    assert account.left("k") is None
    assert taken.live


def test_what_nobody_has_seen_is_not_done(tmp_path):
    """With ``hold`` a settled entry is done for this process, and left for the next until seen."""
    first, second = FileJournal(tmp_path, hold=True), FileJournal(tmp_path)
    account, other = first.account(1, WHO), second.account(1, WHO)
    entry = account.update(add(account), state=SETTLED)
    assert (entry.state, entry.live, account.pending()) == (SETTLED, False, [])
    [seen] = other.pending()
    assert (seen.id, seen.live, other.left(seen.key)) == (entry.id, True, None)
    first.close()  # it ends without a word
    left = other.left(seen.key)
    assert left is not None
    third = FileJournal(tmp_path, hold=True)
    again = third.account(1, WHO)
    again.update(again.take(left), state=SETTLED)
    third.confirm()
    assert other.pending() == []
    third.close()
    second.close()


def test_an_entry_of_a_killed_process_is_left(tmp_path):
    code = (
        "import sys, time\n"
        "from iexec_lite.sdk.journal import FileJournal\n"
        f"account = FileJournal(sys.argv[1]).account(134, {WHO!r})\n"
        "with account.lock():\n"
        "    account.add('k', {}, 3, tx_hash='0xab', raw=b'raw')\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)"
    )
    account = FileJournal(tmp_path).account(134, WHO)
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().strip() == b"written"
        assert account.entries()[0].live
        child.kill()
        child.wait()
    with account.lock():
        left = account.left("k")
    assert (left.nonce, left.raw, left.live) == (3, b"raw", False)
    assert not list(tmp_path.glob("*.live"))


def test_many_processes_write_one_journal(tmp_path):
    code = (
        "import sys\n"
        "from iexec_lite.sdk.journal import FileJournal\n"
        f"account = FileJournal(sys.argv[1]).account(134, {WHO!r})\n"
        "for _ in range(10):\n"
        "    with account.lock():\n"
        "        nonce = 1 + max((entry.nonce for entry in account.entries()), default=-1)\n"
        "        account.add('k', {}, nonce)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    nonces = [entry.nonce for entry in FileJournal(tmp_path).account(134, WHO).entries()]
    assert nonces == list(range(30))


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_the_files_are_private(tmp_path):
    folder = tmp_path / "data" / "journal"
    journal = FileJournal(folder)
    with journal.account(134, WHO).lock():
        add(journal.account(134, WHO))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert names == {".sqlite3": 0o600, ".lock": 0o600, ".live": 0o600}
    assert (folder / f"134-{WHO.lower()}.sqlite3").exists()
    journal.close()
    assert not list(folder.glob("*.live"))


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights on Windows")
def test_a_link_is_no_journal(tmp_path):
    (tmp_path / f"134-{WHO.lower()}.sqlite3").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValidationError, match="not a regular file"):
        FileJournal(tmp_path).account(134, WHO)
    assert not (tmp_path / "elsewhere").exists()


def test_a_broken_file_is_reported(tmp_path):
    (tmp_path / f"134-{WHO.lower()}.sqlite3").write_bytes(b"not a database, surely" * 100)
    with pytest.raises(StateError, match="cannot be used") as caught:
        FileJournal(tmp_path).account(134, WHO)
    assert isinstance(caught.value.cause, sqlite3.Error)


def test_nothing_is_made_before_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    journal = FileJournal()
    assert journal.folder.name == "journal"
    assert os.listdir(tmp_path) == []


def test_any_text_can_be_kept(journal):
    account = journal.account(134, WHO)
    odd = {"text": "\ud800"}  # JSON from outside may hold half a character
    account.add("k", odd, 0, note=odd)
    [entry] = account.entries()
    assert (entry.intent, entry.note) == (odd, odd)


def test_a_damaged_entry_is_reported(tmp_path):
    journal = FileJournal(tmp_path)
    account = journal.account(134, WHO)
    add(account, tx_hash="0xab")
    with sqlite3.connect(tmp_path / f"134-{WHO.lower()}.sqlite3") as database:
        database.execute("UPDATE entries SET intent = '{'")
    database.close()
    with pytest.raises(StateError, match="damaged at entry 1") as caught:
        account.entries()
    assert caught.value.tx_hash == "0xab"
    journal.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_does_not_end_or_keep_the_life_of_its_parent(tmp_path):
    code = (
        "import os, sys\n"
        "from iexec_lite.sdk.journal import FileJournal\n"
        "journal = FileJournal(sys.argv[1])\n"
        f"account = journal.account(134, {WHO!r})\n"
        "parent = account.add('parent', {}, 1)\n"
        "if os.fork() == 0:\n"
        "    account.add('child', {}, 2)\n"
        "    seen = account.entries()[0].live\n"
        "    journal.close()\n"
        "    os._exit(0 if seen else 1)\n"
        "_, status = os.wait()\n"
        f"other = FileJournal(sys.argv[1]).account(134, {WHO!r})\n"
        "live = [entry.live for entry in other.entries()]\n"
        "print(os.waitstatus_to_exitcode(status), live)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "0 [True, False]", done.stderr
