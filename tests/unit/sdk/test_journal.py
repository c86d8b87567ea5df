"""The journals: same behaviour in memory and on disk, and what only the disk must do."""

from __future__ import annotations

import os
import pickle
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest

from iexec_lite.errors import StateError, ValidationError
from iexec_lite.frozen import replace
from iexec_lite.sdk import file_journal
from iexec_lite.sdk import journal as journals
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.journal import (
    FAILED,
    INTENDED,
    REPLACES,
    SENT,
    SETTLED,
    UNKNOWN,
    MemoryJournal,
)

WHO = "0x" + "Ab" * 20
ENDED = (SETTLED, FAILED)
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
    with pytest.raises(ValueError, match=r"^unknown journal state 'done'$"):
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
    for module in (journals, file_journal):
        monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.02)
    account = journal.account(134, WHO)
    with account.lock(), pytest.raises(StateError) as caught:  # noqa: SIM117
        with account.lock():
            pytest.fail("two at once")
    assert str(caught.value) == (
        "another thread keeps sending with this account"
        if isinstance(journal, MemoryJournal)
        else "another process keeps sending with this account: try again when it is done"
    )
    assert caught.value.retryable
    with account.lock():
        pass


def test_old_finished_entries_are_forgotten(journal, monkeypatch):
    for module in (journals, file_journal):
        monkeypatch.setattr(module, "KEEP", 3)
    account = journal.account(134, WHO)
    open_entry = add(account, key="open")
    for nonce in range(6):
        account.update(add(account, nonce=nonce), state=SETTLED)
    for nonce in range(3):
        add(account, key="open", nonce=nonce)
    first, *finished = [entry for entry in account.entries() if entry.nonce < 6][:-3]
    assert first.id == open_entry.id
    if isinstance(journal, MemoryJournal):  # the last three that are finished
        assert [entry.nonce for entry in finished] == [3, 4, 5]
    else:  # those among the last three of all
        assert finished == []
    assert [entry.nonce for entry in account.pending()] == [0, 0, 1, 2]


def test_as_many_finished_ones_are_kept_as_may_be(journal, monkeypatch):
    for module in (journals, file_journal):
        monkeypatch.setattr(module, "KEEP", 3)
    account = journal.account(134, WHO)
    for nonce in range(3):
        account.update(add(account, nonce=nonce), state=(SETTLED, FAILED)[nonce % 2])
    assert [entry.nonce for entry in account.entries()] == [0, 1, 2]
    add(account, nonce=3)
    of_three = [0, 1, 2, 3] if isinstance(journal, MemoryJournal) else [1, 2, 3]
    assert [entry.nonce for entry in account.entries()] == of_three


def test_only_what_is_given_changes(journal):
    account = journal.account(134, WHO)
    entry = add(account, nonce=7, tx_hash="0xab", raw=b"raw", note={"a": 1})
    assert account.update(entry) == entry
    assert account.update(entry, tx_hash="0xcd") == replace(entry, tx_hash="0xcd")
    assert account.update(entry, note={}) == replace(entry, tx_hash="0xcd", note={})
    sent = account.update(entry, state=SENT)
    assert sent == replace(entry, tx_hash="0xcd", note={}, state=SENT)
    assert account.entries() == [sent]


def test_what_has_ended_is_not_taken_up_again(journal):
    account = journal.account(134, WHO)
    for state in (SETTLED, FAILED):
        entry = account.update(add(account), state=state)
        assert account.update(entry, state=SENT).state == state
        assert not account.take(entry).live
        account.leave(entry)
        assert account.entries()[-1].state == state


def line(account, nonce, tx_hash, replaces=None, **more):
    intent = INTENT if replaces is None else {**INTENT, REPLACES: replaces}
    return account.add("k", intent, nonce, tx_hash=tx_hash, **more)


def test_what_was_sent_in_the_place_of_another_is_of_its_line(journal):
    account = journal.account(134, WHO)
    first = line(account, 1, "0xa", raw=b"1")
    other = line(account, 1, "0xb", raw=b"2")
    second = line(account, 1, "0xc", "0xa", raw=b"3")
    line(account, 2, "0xd", "0xa", raw=b"4")  # of another nonce
    line(account, 1, "0xe", "0xa")  # of a wallet
    assert account.family(first) == account.family(second) == [first, second]
    assert account.family(other) == [other]
    one, two = (account.add("k", INTENT, 1) for _ in range(2))  # not yet sent
    assert (one.line, two.line) == ((1, str(one.id)), (1, str(two.id)))
    assert (first.line, second.line) == ((1, "0xa"), (1, "0xa"))


def test_of_a_line_the_oldest_is_left_and_only_while_nobody_works_on_it(journal):
    account = journal.account(134, WHO)
    first = line(account, 1, "0xa", raw=b"1")
    second = line(account, 1, "0xc", "0xa", raw=b"2")
    account.leave(second)
    assert account.left("k") is None  # somebody works on the first
    account.leave(first)
    assert account.left("k").id == first.id
    assert account.left("other") is None
    account.update(first, state=FAILED)
    assert account.left("k").id == second.id
    account.update(first, state=SETTLED)
    assert account.left("k") is None


def test_journals_do_not_pickle(journal):
    with pytest.raises(TypeError, match=r"^a journal cannot be pickled or copied$"):
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
        "from iexec_lite.sdk.file_journal import FileJournal\n"
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


def test_what_is_left_is_left_for_all(tmp_path):
    """While who left it lives, and not what another has taken since."""
    first, second = (FileJournal(tmp_path).account(1, WHO) for _ in range(2))
    entry = add(first)
    first.leave(entry)
    left = second.left("k")
    assert (left.id, left.live) == (entry.id, False)
    second.take(left)
    first.leave(entry)
    assert [account.entries()[0].live for account in (first, second)] == [True, True]


def test_each_has_its_own_life(tmp_path):
    first, second = (FileJournal(tmp_path) for _ in range(2))
    one, two = (journal.account(1, WHO) for journal in (first, second))
    add(one, key="first")
    add(two, key="second")
    for account in (one, two):
        assert [entry.live for entry in account.entries()] == [True, True]
    first.close()
    assert [entry.live for entry in two.entries()] == [False, True]


def test_the_states_of_a_journal_that_is_on_the_disk(tmp_path):
    """Another version may have written it."""
    account = FileJournal(tmp_path).account(1, WHO)
    words = ("intended", "sent", "unknown", "settled", "failed")
    with sqlite3.connect(tmp_path / f"1-{WHO.lower()}.sqlite3") as database:
        database.executemany(
            "INSERT INTO entries (key, intent, nonce, state, created) VALUES ('k', '{}', 1, ?, 0)",
            [(word,) for word in words],
        )
    database.close()
    found = account.entries()
    assert tuple(entry.state for entry in found) == words == (INTENDED, SENT, UNKNOWN, *ENDED)
    assert [entry.pending for entry in found] == [True] * 3 + [False] * 2
    assert account.left("k").id == found[0].id


def test_what_is_on_its_way_is_not_held(tmp_path):
    """Only what is settled waits for somebody to see it; after the end it is left."""
    journal = FileJournal(tmp_path, hold=True)
    account = journal.account(1, WHO)
    sent, failed, settled = (
        account.update(add(account), state=state) for state in (SENT, FAILED, SETTLED)
    )
    assert (sent.state, sent.live, failed.state) == (SENT, True, FAILED)
    assert [entry.state for entry in account.entries()] == [SENT, FAILED, SETTLED]
    journal.close()
    assert [(entry.id, entry.live) for entry in account.pending()] == [
        (sent.id, False),
        (settled.id, False),
    ]


def test_what_another_sent_in_our_place_is_ours_to_show(tmp_path):
    first, second = FileJournal(tmp_path, hold=True), FileJournal(tmp_path)
    ours, theirs = first.account(1, WHO), second.account(1, WHO)
    entry = add(theirs)
    assert ours.update(entry, state=SETTLED).state == SETTLED
    theirs.leave(entry)
    assert theirs.left("k") is None, "we hold it, until somebody has seen it"
    ours.leave(entry)
    assert theirs.left("k") is None
    first.confirm()
    assert [entry.state for entry in theirs.entries()] == [SETTLED]
    assert ours.pending() == []
    first.close()
    assert theirs.left("k") is None


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
        "from iexec_lite.sdk.file_journal import FileJournal\n"
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
        "from iexec_lite.sdk.file_journal import FileJournal\n"
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
    path = tmp_path / f"134-{WHO.lower()}.sqlite3"
    refused = f"^{re.escape(str(path))} is not a regular file: refused as a journal$"
    with pytest.raises(ValidationError, match=refused):
        FileJournal(tmp_path).account(134, WHO)
    assert not (tmp_path / "elsewhere").exists()
    path.unlink()
    path.mkdir()  # nor is a folder
    with pytest.raises(ValidationError, match=refused):
        FileJournal(tmp_path).account(134, WHO)


def test_a_broken_file_is_reported(tmp_path):
    (tmp_path / f"134-{WHO.lower()}.sqlite3").write_bytes(b"not a database, surely" * 100)
    with pytest.raises(StateError) as caught:
        FileJournal(tmp_path).account(134, WHO)
    path = tmp_path / f"134-{WHO.lower()}.sqlite3"
    assert str(caught.value) == f"the journal {path} cannot be used: file is not a database"
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


@pytest.mark.parametrize(
    ("damage", "shown"),
    [("intent = '{'", "0xab"), ("note = '['", "0xab"), ("intent = '', tx_hash = NULL", "None")],
)
def test_a_damaged_entry_is_reported(tmp_path, damage, shown):
    journal = FileJournal(tmp_path)
    account = journal.account(134, WHO)
    add(account, tx_hash="0xab")
    with sqlite3.connect(tmp_path / f"134-{WHO.lower()}.sqlite3") as database:
        database.execute(f"UPDATE entries SET {damage}")
    database.close()
    with pytest.raises(StateError) as caught:
        account.entries()
    path = tmp_path / f"134-{WHO.lower()}.sqlite3"
    assert str(caught.value) == (
        f"the journal {path} is damaged at entry 1: see what became of transaction {shown}, then "
        "move the file away"
    )
    assert caught.value.tx_hash == ("0xab" if shown == "0xab" else None)
    assert isinstance(caught.value.cause, (TypeError, ValueError))
    journal.close()


def test_an_entry_must_survive_a_power_cut(tmp_path, monkeypatch):
    said: list[str] = []
    real = sqlite3.connect

    def connect(*args, **options):
        database = real(*args, **options)
        database.set_trace_callback(said.append)
        return database

    account = FileJournal(tmp_path).account(134, WHO)
    monkeypatch.setattr(sqlite3, "connect", connect)
    add(account)
    words = [each.split()[0] for each in said]
    assert said[0] == "PRAGMA synchronous = FULL"
    assert words.index("INSERT") < words.index("COMMIT")


def test_a_new_chain_of_an_old_id_begins_with_nothing(tmp_path):
    journal = FileJournal(tmp_path)
    for chain in (13, 134, 1341):
        add(journal.account(chain, WHO))
    add(journal.account(134, "0x" + "cd" * 20))
    journal.close()
    journal.forget(134)
    found = sorted(path.name for path in tmp_path.glob("*.sqlite3"))
    assert found == [f"13-{WHO.lower()}.sqlite3", f"1341-{WHO.lower()}.sqlite3"]
    assert journal.account(134, WHO).entries() == []
    journal.forget(99)


def test_without_a_mark_of_life_nothing_is_written(tmp_path, monkeypatch):
    account = FileJournal(tmp_path).account(134, WHO)
    monkeypatch.setattr(file_journal.FileLock, "acquire", lambda self: False)
    with pytest.raises(StateError) as caught:
        add(account)
    text = str(caught.value)
    mark = rf"{re.escape(str(tmp_path))}/134-{WHO.lower()}\.{os.getpid()}-[0-9a-f]{{12}}\.live"
    assert re.fullmatch(f"{mark} cannot be locked", text)
    monkeypatch.undo()
    assert account.entries() == []


def test_a_mark_that_nobody_holds_is_cleared_away(tmp_path):
    """Its process has died; of one that lives the file stays, however often it is looked at."""
    first, second = FileJournal(tmp_path), FileJournal(tmp_path)
    add(first.account(134, WHO))
    account = second.account(134, WHO)
    for _ in range(2):
        assert [entry.live for entry in account.entries()] == [True]
    [mark] = tmp_path.glob("*.live")
    first._accounts[134, WHO.lower()]._mark.release()  # as the system does at its death
    assert mark.exists()
    assert [entry.live for entry in account.entries()] == [False]
    assert not mark.exists()
    assert [entry.live for entry in account.entries()] == [False]


def test_what_cannot_be_left_on_the_disk_is_left_here(tmp_path, monkeypatch):
    """What is being reported counts more than a disk that fails now."""
    account = FileJournal(tmp_path).account(134, WHO)
    entry = add(account)

    def broken(*_, **__):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", broken)
    account.leave(entry)
    with pytest.raises(StateError) as caught:
        account.entries()
    path = tmp_path / f"134-{WHO.lower()}.sqlite3"
    assert str(caught.value) == f"the journal {path} cannot be used: disk I/O error"
    monkeypatch.undo()
    assert not account.entries()[0].live


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_does_not_end_or_keep_the_life_of_its_parent(tmp_path):
    code = (
        "import os, sys\n"
        "from iexec_lite.sdk.file_journal import FileJournal\n"
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
