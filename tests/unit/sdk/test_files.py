"""Files are written whole or not at all, and secrets for their owner only."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from iexec_lite.errors import ConfigurationError, StateError, ValidationError
from iexec_lite.sdk import files
from iexec_lite.sdk.files import (
    PRIVATE,
    FileLock,
    atomic_write,
    create_private,
    locked,
    private_dir,
    read_bytes,
    read_text,
    user_data_dir,
)

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_write_and_read(tmp_path):
    target = tmp_path / "a.json"
    atomic_write(target, "é\n")
    assert target.read_bytes() == b"\xc3\xa9\n"
    atomic_write(str(target), b"new")
    assert read_text(target) == "new"
    assert os.listdir(tmp_path) == ["a.json"]


@posix
def test_modes(tmp_path, umask):
    umask(0o022)
    atomic_write(tmp_path / "public", b"x")
    atomic_write(tmp_path / "secret", b"x", mode=PRIVATE)
    umask(0o077)
    atomic_write(tmp_path / "careful", b"x")
    assert [mode(tmp_path / name) for name in ("public", "secret", "careful")] == [
        0o644,
        0o600,
        0o600,
    ]
    umask(0o022)
    atomic_write(tmp_path / "public", b"y")
    assert mode(tmp_path / "public") == 0o644


@posix
@pytest.mark.parametrize("exist_ok", [True, False])
def test_private_files_are_never_open_for_a_moment(tmp_path, umask, monkeypatch, exist_ok):
    """Looked at after every call of the system, with a umask that forbids nothing."""
    umask(0)
    seen: list[int] = []

    def watched(call):
        def look(*args, **options):
            result = call(*args, **options)
            seen.extend(mode(path) for path in (tmp_path / "s").glob("*"))
            return result

        return look

    for name in ("open", "close", "link", "replace", "rename", "fsync", "mkdir", "unlink"):
        monkeypatch.setattr(files.os, name, watched(getattr(os, name)))
    folder = private_dir(tmp_path / "s")
    atomic_write(folder / "secret", b"x", mode=PRIVATE, exist_ok=exist_ok)
    assert len(seen) > 3
    assert set(seen) == {0o600}
    monkeypatch.setattr(files, "PRIVATE", 0o644)
    atomic_write(folder / "public", b"x", mode=0o644)
    assert set(seen) == {0o600, 0o644}, "a file that is open to others would be seen"


def test_a_new_file_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Contents, then the name, then the folder: whenever the power goes, old or new."""
    done: list[str] = []
    sync, move = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda fd: (done.append("sync"), sync(fd)))
    monkeypatch.setattr(files.os, "replace", lambda *a: (done.append("name"), move(*a)))
    atomic_write(tmp_path / "a", b"new")
    assert done == (["sync", "name", "sync"] if os.name == "posix" else ["sync", "name"])


@posix
def test_a_file_that_was_made_private_stays_so(tmp_path, umask):
    target = tmp_path / "a"
    atomic_write(target, b"x")
    target.chmod(0o600)
    atomic_write(target, b"y")
    assert mode(target) == 0o600
    target.chmod(0o666)
    atomic_write(target, b"z", mode=PRIVATE)
    assert mode(target) == 0o600


def test_nothing_is_left_of_a_failed_write(tmp_path, monkeypatch):
    target = tmp_path / "a"
    atomic_write(target, b"old")

    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ValidationError, match=r"cannot write .*a: No space left") as caught:
        atomic_write(target, b"new")
    assert isinstance(caught.value.cause, OSError)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_exclusive_creation(tmp_path):
    target = tmp_path / "key"
    create_private(target, "secret")
    with pytest.raises(ValidationError, match="already exists"):
        create_private(target, "other")
    with pytest.raises(ValidationError, match="already exists"):
        atomic_write(target, "other", exist_ok=False)
    assert target.read_text() == "secret"
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.parametrize("race", [False, True])
def test_exclusive_creation_without_hard_links(tmp_path, monkeypatch, race):
    target = tmp_path / "key"

    def no_link(source, name):
        if race:
            target.write_text("somebody was first")
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", no_link)
    if race:
        with pytest.raises(ValidationError, match="already exists"):
            create_private(target, "secret")
        assert target.read_text() == "somebody was first"
    else:
        create_private(target, "secret")
        assert target.read_text() == "secret"
    assert os.listdir(tmp_path) == ["key"]


def test_a_race_for_a_name_has_one_winner(tmp_path):
    target = tmp_path / "key"
    real = files.os.path.lexists
    seen = []

    def late(path):  # the check passes, then another process is faster
        seen.append(path)
        found = real(path)
        target.write_text("first")
        return found

    files.os.path.lexists = late
    try:
        with pytest.raises(ValidationError, match="already exists"):
            create_private(target, "second")
    finally:
        files.os.path.lexists = real
    assert seen
    assert target.read_text() == "first"


@posix
def test_secrets_do_not_follow_links(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("keep")
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    with pytest.raises(ValidationError, match="symbolic link"):
        atomic_write(link, b"secret", mode=PRIVATE)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    for call in (
        lambda: create_private(dangling, b"secret"),
        lambda: atomic_write(dangling, b"x", exist_ok=False, mode=PRIVATE),
    ):
        with pytest.raises(ValidationError):
            call()
    assert elsewhere.read_text() == "keep"
    assert not (tmp_path / "nowhere").exists()


@posix
def test_other_files_are_written_through_links(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert elsewhere.read_text() == "new"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ValidationError, match=r"cannot write .*none"):
        atomic_write(tmp_path / "none" / "a", b"x")


@posix
def test_private_dir(tmp_path, umask):
    umask(0o002)
    folder = private_dir(tmp_path / "a" / "b")
    assert mode(folder) == 0o700
    folder.chmod(0o755)
    assert mode(private_dir(folder)) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ValidationError, match="not a folder"):
        private_dir(tmp_path / "file")


@posix
def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ValidationError, match="another user"):
        private_dir(tmp_path / "mine")


def test_reading_is_bounded_and_clear(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"12345")
    assert read_bytes(target, 5) == b"12345"
    with pytest.raises(ValidationError, match="larger than 4 bytes"):
        read_bytes(target, 4)
    target.write_bytes(b"\xef\xbb\xbftext")
    assert read_text(target) == "text"
    target.write_bytes(b"\xff")
    with pytest.raises(ValidationError, match="not UTF-8"):
        read_text(target)
    with pytest.raises(ValidationError, match=r"cannot read .*none"):
        read_text(tmp_path / "none")
    with pytest.raises(ValidationError, match=r"cannot read"):
        read_text(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="the rule of XDG, which Linux follows")
def test_user_data_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_data_dir() == tmp_path / "data" / "iexec-lite"
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", ignored)
        assert user_data_dir() == tmp_path / ".local" / "share" / "iexec-lite"
    assert os.listdir(tmp_path) == []


def test_locks_exclude_each_other(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    assert not first.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release(remove=True)
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValidationError, match=r"cannot lock"):
        FileLock(tmp_path / "none" / "lock").acquire()


def test_a_lock_held_too_long(tmp_path):
    holder = FileLock(tmp_path / "lock")
    holder.acquire()
    with (
        pytest.raises(StateError, match="busy now"),
        locked(tmp_path / "lock", timeout=0.05, busy="busy now"),
    ):
        pytest.fail("the lock was not held")
    holder.release()
    with locked(tmp_path / "lock", timeout=0.05, busy="busy now"):
        assert not holder.acquire()


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import sys, time\n"
        "from iexec_lite.sdk.files import FileLock\n"
        "lock = FileLock(sys.argv[1]); assert lock.acquire()\n"
        "print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().strip() == b"held"
        mine = FileLock(path)
        assert not mine.acquire()
        child.kill()
        child.wait()
        assert mine.acquire()
        mine.release()


def test_no_home_is_told(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("IEXEC_LITE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match=r"\$IEXEC_LITE_HOME"):
        files.user_data_dir()
