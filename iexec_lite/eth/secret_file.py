"""Opening a file that holds a secret: nobody else may have put it there, or may change it.

What writes such files is in ``sdk/files.py``. Windows has no such modes: there nothing is checked.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..errors import ValidationError
from ..log import log

__all__ = ["open_secret"]


@contextmanager
def open_secret(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The file, open for reading, if it is the user's own or root's and not open to changes by all.

    Links are followed, as secrets in containers are mounted by links, but not one that somebody
    else made. Where other users may read it a warning says so: V6 wrote every wallet like that.
    ``ValidationError``, or the ``OSError`` of opening it.
    """
    with open(path, "rb") as file:
        if sys.platform != "win32":
            _check(path, file.fileno())
        yield file


def _check(path: str | os.PathLike[str], fd: int) -> None:
    found, user = os.fstat(fd), os.geteuid()
    if not stat.S_ISREG(found.st_mode):  # a pipe or a terminal has no other readers
        return
    owners = {found.st_uid, os.lstat(path).st_uid}
    if user != 0 and not owners <= {user, 0}:
        raise ValidationError(
            f"{os.fspath(path)} belongs to another user: refused for a secret; make a copy that is "
            "your own"
        )
    if found.st_mode & stat.S_IWOTH:
        raise ValidationError(
            f"every user of this machine may change {os.fspath(path)}: refused for a secret; look "
            "whether it is still yours, then chmod 600 it"
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("other users of this machine may read %s: chmod 600 it", os.fspath(path))
