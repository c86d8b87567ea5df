"""Files and folders, on every system: written whole or not at all, secrets for their owner only.

Secrets go into 0600 files in 0700 folders and never through a symbolic link; other files keep the
user's umask and links. What one system alone has (modes, fsync of a folder, kinds of locks) sits
behind the functions here (design.md). Windows has no such modes: there the user's own profile
folder, where ``user_data_dir`` points, is what protects. All faults are ``ValidationError``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

from ..errors import ConfigurationError, StateError, ValidationError

__all__ = [
    "PRIVATE",
    "PUBLIC",
    "FileLock",
    "atomic_write",
    "create_private",
    "locked",
    "private_dir",
    "read_bytes",
    "read_text",
    "user_data_dir",
]

PRIVATE, PUBLIC = 0o600, 0o644
MAX_TEXT = 16 * 1024 * 1024  # bytes; no JSON or key file of ours comes near

_WINDOWS = sys.platform == "win32"
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_APP = "iexec-lite"

StrPath = str | os.PathLike[str]


def user_data_dir() -> Path:
    """The user's folder for our data (journal, sandbox), by the custom of the system. Not created.

    ``$XDG_DATA_HOME`` or ``~/.local/share``; macOS ``~/Library/Application Support``; Windows
    ``%LOCALAPPDATA%``. ``$IEXEC_LITE_HOME`` names another folder.
    ConfigurationError where there is no home to hold it.
    """
    try:
        return _user_data_dir()
    except RuntimeError as error:  # a user without a home, as in some containers
        raise ConfigurationError(
            f"no folder for the user's data ({error}): name one in $IEXEC_LITE_HOME", cause=error
        ) from error


def _user_data_dir() -> Path:
    chosen = os.environ.get("IEXEC_LITE_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if _WINDOWS:
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(base):  # the XDG rule: a relative one is ignored
            base = str(Path.home() / ".local" / "share")
    return Path(base) / _APP


def private_dir(path: StrPath) -> Path:
    """Make ``path`` a folder that only its owner may enter (0700), with its parents; return it."""
    folder = Path(path)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if not folder.is_dir():
            raise ValidationError(f"{folder} is not a folder")
        _own(folder)
    except OSError as error:
        _fail("create folder", folder, error)
    return folder


def _own(folder: Path) -> None:
    """Refuse a folder that somebody else could swap or fill; close ours to others."""
    if _WINDOWS:
        return
    user = os.geteuid()
    for found in (folder.lstat(), folder.stat()):
        if user not in (0, found.st_uid):
            raise ValidationError(f"{folder} belongs to another user: refused for secrets")
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)


def atomic_write(
    path: StrPath, data: bytes | str, *, mode: int = PUBLIC, exist_ok: bool = True
) -> None:
    """Write ``data`` (text as UTF-8) to ``path`` so that no reader ever sees half of it.

    ``mode=PRIVATE`` (0600) is for secrets: a symbolic link there is refused. ``exist_ok=False``
    refuses to replace anything. A file that exists keeps tighter permissions than ``mode``.
    """
    target = Path(path)
    content = data.encode("utf-8") if isinstance(data, str) else data
    secret = not mode & 0o077
    try:
        if not secret:
            target = Path(os.path.realpath(target))
        elif target.is_symlink():
            raise ValidationError(f"{target} is a symbolic link: refused for a secret")
        if not exist_ok and os.path.lexists(target):
            _refuse_existing(target)
        if not secret and target.exists():
            mode = (mode & stat.S_IMODE(target.stat().st_mode)) | PRIVATE
        temporary = _write_beside(target, content, mode)
        try:
            if exist_ok:
                _retried(lambda: os.replace(temporary, target))
            else:
                _publish_new(temporary, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        _sync_folder(target.parent)
    except OSError as error:
        _fail("write", target, error)


def create_private(path: StrPath, data: bytes | str = b"") -> None:
    """Create a 0600 file that must not exist yet, its whole content at once."""
    atomic_write(path, data, mode=PRIVATE, exist_ok=False)


def _write_beside(target: Path, content: bytes, mode: int) -> Path:
    """A finished, synced temporary file in the folder of ``target``: only there can it move."""
    name = f".{target.name[:64]}.{os.getpid()}.{os.urandom(6).hex()}.tmp"
    temporary = target.parent / name
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, mode)
    try:
        with open(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _publish_new(temporary: Path, target: Path) -> None:
    """Give the file its name only if nothing has it: a hard link fails where a rename replaces."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        _refuse_existing(target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # No hard links here (FAT, some network folders): take the name first, then fill it.
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, PRIVATE))
        except FileExistsError:
            _refuse_existing(target)
        _retried(lambda: os.replace(temporary, target))


def _refuse_existing(target: Path) -> NoReturn:
    raise ValidationError(f"{target} already exists", details={"path": str(target)})


def _retried(move: Callable[[], None]) -> None:
    """Windows refuses to replace a file that somebody, often a virus scanner, has open just now."""
    for pause in (0.01, 0.05, 0.2) if _WINDOWS else ():
        try:
            return move()
        except PermissionError:
            time.sleep(pause)
    return move()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where folders can be synced."""
    if _WINDOWS:
        return
    fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(fd)
    finally:
        os.close(fd)


def read_bytes(path: StrPath, max_bytes: int = MAX_TEXT, *, secret: bool = False) -> bytes:
    """All of a file, if it has at most ``max_bytes``.

    ``secret``: it must be one that nobody else made or may change (``eth/secret_file.py``).
    """
    try:
        with _open(path, secret) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        _fail("read", Path(path), error)
    if len(content) > max_bytes:
        raise ValidationError(f"{path} is larger than {max_bytes} bytes: refused")
    return content


def read_text(path: StrPath, max_bytes: int = MAX_TEXT, *, secret: bool = False) -> str:
    """``read_bytes`` of a UTF-8 file; a byte order mark is dropped."""
    try:
        return read_bytes(path, max_bytes, secret=secret).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationError(f"{path} is not UTF-8 text", cause=error) from error


def _open(path: StrPath, secret: bool) -> AbstractContextManager[BinaryIO]:
    if not secret:
        return open(path, "rb")
    from ..eth.secret_file import open_secret

    return open_secret(path)


def _fail(action: str, path: Path, error: OSError) -> NoReturn:
    why = error.strerror or type(error).__name__
    raise ValidationError(f"cannot {action} {path}: {why}", cause=error) from error


class FileLock:
    """A lock between processes (and between objects in one), released by the system at death.

    The file stays: what counts is the lock on it, so a leftover file blocks nobody.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; never waits. A folder that is missing is an error."""
        if self._fd is not None:
            return False
        fd = -1
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | _FLAGS, PRIVATE)
            if _try_lock(fd):
                self._fd, fd = fd, -1
        except OSError as error:
            _fail("lock", self.path, error)
        finally:
            if fd >= 0:
                os.close(fd)
        return self._fd is not None

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; ``remove`` deletes the file first, for locks of one life only."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        if remove and not _WINDOWS:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        os.close(fd)  # which unlocks
        if remove and _WINDOWS:  # where an open file cannot be deleted
            with contextlib.suppress(OSError):
                os.unlink(self.path)


if sys.platform == "win32":

    def _try_lock(fd: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(fd: int) -> bool:
        import fcntl

        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True


@contextmanager
def locked(path: StrPath, *, timeout: float, busy: str) -> Iterator[None]:
    """Hold the lock file ``path``; ``StateError(busy)`` where another holds it past ``timeout``."""
    lock = FileLock(path)
    give_up = time.monotonic() + timeout
    pause = 0.005
    while not lock.acquire():
        if time.monotonic() >= give_up:
            raise StateError(busy, retryable=True)
        time.sleep(pause)
        pause = min(0.1, pause * 2)
    try:
        yield
    finally:
        lock.release()
