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
    sizes: list[int] = []

    def watched(fd):
        sizes.append(os.fstat(fd).st_size)
        done.append("sync")
        sync(fd)

    monkeypatch.setattr(files.os, "fsync", watched)
    monkeypatch.setattr(files.os, "replace", lambda *a: (done.append("name"), move(*a)))
    atomic_write(tmp_path / "a", b"new")
    assert done == (["sync", "name", "sync"] if os.name == "posix" else ["sync", "name"])
    assert sizes[0] == len(b"new"), "not only what the system had been told of by then"


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
    with pytest.raises(ValidationError) as caught:
        atomic_write(target, b"new")
    assert str(caught.value) == f"cannot write {target}: No space left on device"
    assert isinstance(caught.value.cause, OSError)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_exclusive_creation(tmp_path):
    target = tmp_path / "key"
    create_private(target, "secret")
    for again in (
        lambda: create_private(target, "other"),
        lambda: atomic_write(target, "other", exist_ok=False),
    ):
        with pytest.raises(ValidationError) as caught:
            again()
        assert str(caught.value) == f"{target} already exists"
        assert caught.value.details == {"path": str(target)}
    assert target.read_text() == "secret"
    assert os.listdir(tmp_path) == ["key"]


def test_an_empty_file_of_ones_own(tmp_path):
    create_private(tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == b""


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_link_that_fails_otherwise_is_told(tmp_path, monkeypatch, number):
    def fail(source, name):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "link", fail)
    with pytest.raises(ValidationError) as caught:
        create_private(tmp_path / "key", "secret")
    assert str(caught.value) == f"cannot write {tmp_path / 'key'}: {os.strerror(number)}"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_each_way_to_have_no_hard_links(tmp_path, monkeypatch, number):
    def fail(source, name):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "link", fail)
    create_private(tmp_path / "key", "secret")
    assert (tmp_path / "key").read_text() == "secret"
    assert os.name != "posix" or mode(tmp_path / "key") == 0o600


@posix
def test_a_name_as_long_as_names_may_be(tmp_path):
    target = tmp_path / ("n" * 255)
    atomic_write(target, b"x")
    create_private(target.with_name("k" * 255), b"y")
    assert sorted(map(len, os.listdir(tmp_path))) == [255, 255]


@posix
def test_a_folder_that_cannot_be_synced_is_no_fault(tmp_path, monkeypatch):
    """Some network file systems cannot; the file itself must be."""
    sync = os.fsync

    def picky(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(fd)

    monkeypatch.setattr(files.os, "fsync", picky)
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    atomic_write(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_windows_and_its_virus_scanners(tmp_path, monkeypatch, failures):
    """A file that somebody has open just now cannot be replaced there: it is tried four times."""
    move, pauses, left = os.replace, [], [PermissionError(13, "Access is denied")] * failures

    def picky(source, target):
        if left:
            raise left.pop()
        move(source, target)

    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(files.os, "replace", picky)
    monkeypatch.setattr(files.time, "sleep", pauses.append)
    atomic_write(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    assert len(pauses) == failures
    assert pauses == sorted(set(pauses))
    left[:] = [PermissionError(13, "Access is denied")] * 4
    with pytest.raises(ValidationError) as caught:
        atomic_write(tmp_path / "a", b"y")
    assert str(caught.value) == f"cannot write {tmp_path / 'a'}: Access is denied"
    assert (left, os.listdir(tmp_path)) == ([], ["a"])


def test_elsewhere_it_is_tried_once(tmp_path, monkeypatch):
    tried = []

    def denied(*_):
        tried.append(1)
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(files, "_WINDOWS", False)
    monkeypatch.setattr(files.os, "replace", denied)
    with pytest.raises(ValidationError, match="Access is denied"):
        atomic_write(tmp_path / "a", b"x")
    assert tried == [1]


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
    with pytest.raises(ValidationError) as caught:
        atomic_write(link, b"secret", mode=PRIVATE)
    assert str(caught.value) == f"{link} is a symbolic link: refused for a secret"
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
    target = tmp_path / "none" / "a"
    with pytest.raises(ValidationError) as caught:
        atomic_write(target, b"x")
    assert str(caught.value) == f"cannot write {target}: No such file or directory"


@posix
def test_private_dir(tmp_path, umask):
    umask(0o002)
    folder = private_dir(tmp_path / "of" / "many" / "folders")
    assert mode(folder) == 0o700
    folder = private_dir(tmp_path / "a" / "b")
    assert mode(folder) == 0o700
    folder.chmod(0o755)
    assert mode(private_dir(folder)) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ValidationError) as caught:
        private_dir(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'} is not a folder"
    with pytest.raises(ValidationError) as caught:
        private_dir(tmp_path / "file" / "in" / "it")
    assert str(caught.value) == f"cannot create folder {tmp_path / 'file/in/it'}: Not a directory"


@posix
@pytest.mark.parametrize(("open_to", "left"), [(0o710, 0o700), (0o701, 0o700), (0o500, 0o500)])
def test_a_folder_is_closed_to_others_and_not_opened(tmp_path, open_to, left):
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(open_to)
    private_dir(folder)
    assert mode(folder) == left


def test_an_error_without_words_is_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(ValidationError) as caught:
        atomic_write(tmp_path / "a", b"x")
    assert str(caught.value) == f"cannot write {tmp_path / 'a'}: OSError"


@posix
def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ValidationError) as caught:
        private_dir(tmp_path / "mine")
    assert str(caught.value) == f"{tmp_path / 'mine'} belongs to another user: refused for secrets"
    monkeypatch.setattr(files.os, "geteuid", lambda: 0)  # root may use what is anybody's
    assert private_dir(tmp_path / "mine") == tmp_path / "mine"


@posix
def test_a_link_of_somebody_else_to_a_folder_is_refused(tmp_path, monkeypatch):
    """The folder is ours, but who made the link may point it elsewhere."""
    private_dir(tmp_path / "mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    found = os.lstat(tmp_path / "link")
    monkeypatch.setattr(files.os, "geteuid", lambda: os.getuid() + 1)
    mine = os.stat_result((0o40700, *found[1:4], os.getuid() + 1, *found[5:]))
    monkeypatch.setattr(
        Path,
        "stat",
        lambda self, *, follow_symlinks=True: mine if follow_symlinks else os.lstat(self),
    )
    with pytest.raises(ValidationError, match="belongs to another user"):
        private_dir(tmp_path / "link")


def test_reading_is_bounded_and_clear(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"12345")
    assert read_bytes(target, 5) == b"12345"
    with pytest.raises(ValidationError) as caught:
        read_bytes(target, 4)
    assert str(caught.value) == f"{target} is larger than 4 bytes: refused"
    target.write_bytes(b"\xef\xbb\xbftext")
    assert read_text(target) == "text"
    target.write_bytes(b"\xff")
    with pytest.raises(ValidationError) as caught:
        read_text(target)
    assert str(caught.value) == f"{target} is not UTF-8 text"
    assert isinstance(caught.value.cause, UnicodeDecodeError)
    with pytest.raises(ValidationError) as caught:
        read_text(tmp_path / "none")
    assert str(caught.value) == f"cannot read {tmp_path / 'none'}: No such file or directory"
    with pytest.raises(ValidationError, match=r"^cannot read "):
        read_text(tmp_path)


def test_no_file_of_ours_is_larger_than_16_mib(tmp_path):
    target = tmp_path / "a"
    with target.open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    for read in (read_bytes, read_text):
        with pytest.raises(ValidationError) as caught:
            read(target)
        assert str(caught.value) == f"{target} is larger than 16777216 bytes: refused"


@posix
def test_a_secret_that_others_may_change_is_not_read(tmp_path):
    target = tmp_path / "key"
    target.write_text("text")
    target.chmod(0o666)
    assert (read_bytes(target), read_text(target)) == (b"text", "text")
    for read in (read_bytes, read_text):
        with pytest.raises(ValidationError, match="refused for a secret"):
            read(target, secret=True)
    target.chmod(0o600)
    assert (read_bytes(target, secret=True), read_text(target, secret=True)) == (b"text", "text")


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
    with pytest.raises(ValidationError) as caught:
        FileLock(tmp_path / "none" / "lock").acquire()
    assert str(caught.value) == f"cannot lock {tmp_path / 'none/lock'}: No such file or directory"


@posix
def test_a_lock_is_private_and_no_link(tmp_path, umask):
    umask(0)
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    assert mode(tmp_path / "lock") == 0o600
    lock.release()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValidationError, match=r"^cannot lock "):
        FileLock(tmp_path / "link").acquire()
    assert not (tmp_path / "elsewhere").exists()


@posix
@pytest.mark.parametrize("busy", [errno.EWOULDBLOCK, errno.EACCES])
def test_what_a_system_says_of_a_lock(tmp_path, monkeypatch, busy):
    import fcntl

    said = [busy, errno.ENOLCK]

    def fail(fd, how):
        number = said.pop(0)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    lock = FileLock(tmp_path / "lock")
    assert not lock.acquire()
    with pytest.raises(ValidationError) as caught:
        lock.acquire()
    assert str(caught.value) == f"cannot lock {tmp_path / 'lock'}: {os.strerror(errno.ENOLCK)}"
    monkeypatch.undo()
    assert lock.acquire()


@pytest.mark.parametrize("windows", [False, True])
def test_the_file_of_a_lock_stays_unless_it_is_of_one_life(tmp_path, monkeypatch, windows):
    """Windows deletes no open file: there it is closed first."""
    done = []
    monkeypatch.setattr(files, "_WINDOWS", windows)
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
    assert os.listdir(tmp_path) == ["lock"]
    assert lock.acquire()
    close, unlink = os.close, os.unlink
    monkeypatch.setattr(files.os, "close", lambda fd: (done.append("close"), close(fd)))
    monkeypatch.setattr(files.os, "unlink", lambda path: (done.append("unlink"), unlink(path)))
    lock.release(remove=True)
    assert done == (["close", "unlink"] if windows else ["unlink", "close"])
    assert os.listdir(tmp_path) == []
    assert lock.acquire()
    (tmp_path / "lock").unlink()
    lock.release(remove=True)  # somebody was faster


def test_a_lock_held_too_long(tmp_path):
    holder = FileLock(tmp_path / "lock")
    holder.acquire()
    with (
        pytest.raises(StateError) as caught,
        locked(tmp_path / "lock", timeout=0.05, busy="busy now"),
    ):
        pytest.fail("the lock was not held")
    assert (str(caught.value), caught.value.retryable) == ("busy now", True)
    holder.release()
    with locked(tmp_path / "lock", timeout=0.05, busy="busy now"):
        assert not holder.acquire()
    assert holder.acquire()


def test_a_lock_is_waited_for_until_the_time_is_up(tmp_path, monkeypatch):
    holder = FileLock(tmp_path / "lock")
    holder.acquire()
    now, pauses = [5000.0], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(files.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(files.time, "sleep", sleep)
    with pytest.raises(StateError), locked(tmp_path / "lock", timeout=2, busy="busy now"):
        pytest.fail("the lock was not held")
    assert 2 <= sum(pauses) < 2.2
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.02  # most are held for a moment
    assert pauses[-1] >= 0.05
    waited = len(pauses)
    with pytest.raises(StateError), locked(tmp_path / "lock", timeout=0, busy="busy now"):
        pytest.fail("the lock was not held")
    assert len(pauses) == waited


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="open files cannot be counted")
def test_a_lock_that_is_not_got_leaves_no_file_open(tmp_path):
    holder, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    holder.acquire()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert other.acquire() is False
    assert len(os.listdir("/proc/self/fd")) == before
    holder.release()
    assert len(os.listdir("/proc/self/fd")) == before - 1


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
    with pytest.raises(ConfigurationError) as caught:
        files.user_data_dir()
    assert str(caught.value) == (
        "no folder for the user's data (Could not determine home directory.): name one in "
        "$IEXEC_LITE_HOME"
    )
    assert isinstance(caught.value.cause, RuntimeError)


@posix
def test_a_folder_that_the_user_names(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given, meant in (("~/data", "data"), ("here", "here"), (str(tmp_path / "x"), "x")):
        monkeypatch.setenv("IEXEC_LITE_HOME", given)
        assert user_data_dir() == tmp_path / meant
    assert os.listdir(tmp_path) == []


@posix
def test_the_customs_of_other_systems(monkeypatch, tmp_path):
    monkeypatch.delenv("IEXEC_LITE_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert user_data_dir() == tmp_path / "Library" / "Application Support" / "iexec-lite"
    monkeypatch.setattr(files, "_WINDOWS", True)
    assert user_data_dir() == tmp_path / "Local" / "iexec-lite"
    monkeypatch.setenv("LOCALAPPDATA", "")
    assert user_data_dir() == tmp_path / "AppData" / "Local" / "iexec-lite"
