"""Zip archives from strangers, read without harm (worker.md §2.1, services.md §6.3).

A result archive is made by somebody else's app on somebody else's machine. Before anything of it
is used, its directory is bounded and every entry checked. Refused: names that leave the folder
(``..``, absolute, drive letters, backslashes) or that a file system could confuse (same name in
another case, a file where a folder is), links and devices, encrypted entries, compressions other
than deflate, entries that grow out of proportion, too many entries or bytes, contents that do not
match their length and CRC. Extraction is all or nothing, and only into an empty folder.

Memory use is constant: entries are read in pieces of 64 KiB.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from ..errors import DecodingError, ValidationError
from .streams import CHUNK, Source, open_source

__all__ = [
    "Archive",
    "Member",
    "extract_archive",
    "list_archive",
    "member_chunks",
    "open_zip",
    "read_member",
]

MAX_MEMBERS = 10_000
MAX_BYTES = 4 * 2**30  # unpacked, all entries together
MAX_DIRECTORY = 2 * 2**20  # bytes of zip directory: zipfile makes objects of all of it
MAX_RATIO = 200  # unpacked to packed …
RATIO_FREE = 64 * 2**20  # … but for entries up to this size, which hurt nobody
MAX_NAME = 1024  # bytes of UTF-8
MAX_DEPTH = 64  # folders within folders

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"[A-Za-z]:")
# What Windows makes of these is another file, or a device.
_WINDOWS = re.compile(
    r'[:*?"<>|]|[. ](?:/|\Z)|(?:\A|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|\Z)', re.I
)
_UNUSABLE = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # also NotImplementedError: zip features that zipfile does not know
    ValueError,
    OverflowError,
    struct.error,
)


class Member(NamedTuple):
    """One entry: its name with ``/``, its unpacked and packed size in bytes."""

    name: str
    size: int
    packed: int
    is_folder: bool


class Archive:
    """An open archive whose every entry has been checked; a context manager.

    ``source`` is a path, the contents, or a seekable binary file (which stays open).
    ``DecodingError`` for whatever is refused.
    """

    def __init__(
        self, source: Source, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._opened = open_zip(source)
        self._zip = self._opened.__enter__()
        try:
            self._infos = _checked(self._zip.infolist(), max_members, max_bytes)
        except BaseException:
            self.close()
            raise

    @property
    def members(self) -> tuple[Member, ...]:
        """The entries in the archive's order."""
        return tuple(
            Member(info.filename, info.file_size, info.compress_size, info.is_dir())
            for info in self._infos.values()
        )

    def chunks(self, name: str) -> Iterator[bytes]:
        """The contents of a file, piece by piece; checked against length and CRC at the end."""
        info = self._infos.get(name)
        if info is None or info.is_dir():
            raise DecodingError(f"the archive has no file {name!r}")
        return member_chunks(self._zip, info)

    def read(self, name: str, max_bytes: int) -> bytes:
        """The contents of a file of at most ``max_bytes``."""
        info = self._infos.get(name)
        if info is not None and info.file_size > max_bytes:
            raise DecodingError(f"{name!r} is too large: {info.file_size} bytes, max {max_bytes}")
        return b"".join(self.chunks(name))

    def extract(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write every entry below ``folder``, which must be empty or not exist; the files' paths.

        All or nothing: after a failure the folder is as it was before.
        """
        target = Path(folder)
        created = not target.exists()
        target.mkdir(exist_ok=True)
        if any(target.iterdir()):
            raise ValidationError(f"{target} is not empty: extract into a new folder")
        stage = target / f".{secrets.token_hex(8)}.part"
        stage.mkdir()
        moved: list[Path] = []
        try:
            for info in self._infos.values():
                self._write(info, stage)
            for path in sorted(stage.iterdir()):
                moved.append(target / path.name)
                os.replace(path, moved[-1])
            stage.rmdir()
        except BaseException:
            for path in (stage, *moved):
                _remove(path)
            if created:
                target.rmdir()
            raise
        return [target / info.filename for info in self._infos.values() if not info.is_dir()]

    def _write(self, info: zipfile.ZipInfo, stage: Path) -> None:
        path = stage / info.filename
        try:
            if info.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                for piece in member_chunks(self._zip, info):
                    out.write(piece)
        except OSError as error:
            if error.errno in _UNUSABLE:
                raise DecodingError(
                    f"{info.filename[:100]!r} is no usable file name here", cause=error
                ) from error
            raise

    def close(self) -> None:
        """Close what was opened here."""
        self._opened.__exit__(None, None, None)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def list_archive(source: Source) -> tuple[Member, ...]:
    """The entries of an archive, once all of them are found harmless."""
    with Archive(source) as archive:
        return archive.members


def read_member(source: Source, name: str, max_bytes: int) -> bytes:
    """One file of an archive, of at most ``max_bytes``; ``DecodingError`` if there is none."""
    with Archive(source) as archive:
        return archive.read(name, max_bytes)


def extract_archive(
    source: Source,
    folder: str | os.PathLike[str],
    *,
    max_members: int = MAX_MEMBERS,
    max_bytes: int = MAX_BYTES,
) -> list[Path]:
    """Unpack an archive into a new or empty folder, all or nothing; the paths of the files."""
    with Archive(source, max_members=max_members, max_bytes=max_bytes) as archive:
        return archive.extract(folder)


# ---- the zip underneath -------------------------------------------------------------------------


@contextmanager
def open_zip(source: Source) -> Iterator[zipfile.ZipFile]:
    """An archive with a directory of bounded size, its entries not yet checked."""
    with open_source(source) as file:
        bounded = _Bounded(file)
        try:
            opened = zipfile.ZipFile(cast("IO[bytes]", bounded))
        except (*_DAMAGE, OSError) as error:
            fault = bounded.fault or error  # zipfile takes some failed reads for no zip at all
            if isinstance(fault, OSError) and fault.errno != errno.EINVAL:
                raise fault from None  # the disk's fault; EINVAL is a seek before the beginning
            raise DecodingError(f"not a zip archive: {error}", cause=error) from error
        with opened:
            yield opened


def member_chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The contents of one entry piece by piece, never more than its directory promises."""
    check_member(info)
    size = 0
    try:
        with archive.open(info) as file:
            while piece := file.read(CHUNK):
                size += len(piece)
                yield piece
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise DecodingError(f"{info.filename!r} is damaged: {error}", cause=error) from error
    if size != info.file_size:
        raise DecodingError(f"{info.filename!r} is damaged: {size} bytes of {info.file_size}")


def check_member(info: zipfile.ZipInfo) -> None:
    """Refuse an entry that is no plain file or folder, or grows out of proportion."""
    name = info.filename[:100]
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the maker kept no Unix modes
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        raise DecodingError(f"{name!r} is a link or a special file")
    if info.flag_bits & 0x41:
        raise DecodingError(f"{name!r} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DecodingError(f"{name!r} has an unknown compression ({info.compress_type})")
    if info.file_size > max(RATIO_FREE, MAX_RATIO * info.compress_size):
        raise DecodingError(f"{name!r} expands from {info.compress_size} to {info.file_size} bytes")


class _Bounded:
    """What zipfile needs of a file, with a ceiling on one read: the directory's size is a claim."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.fault: OSError | None = None
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        if size < 0:  # zipfile looks for the directory's end: the rest of the file
            at = self.tell()
            size = self.seek(0, io.SEEK_END) - at
            self.seek(at)
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile("directory too large")
        try:
            return self._file.read(size)
        except OSError as error:
            self.fault = error
            raise


def _checked(
    infos: list[zipfile.ZipInfo], max_members: int, max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, or ``DecodingError`` for the first that is refused."""
    if len(infos) > max_members:
        raise DecodingError(f"the archive has {len(infos)} entries, at most {max_members} are read")
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise DecodingError(f"the archive unpacks to {total} bytes, at most {max_bytes} are read")
    files: set[str] = set()
    folders: set[str] = set()  # those that have an entry
    for info in infos:
        for name in (info.filename, info.orig_filename):
            fault = _name_fault(name)
            if fault:
                raise DecodingError(f"unsafe name in archive: {name[:100]!r} {fault}")
        check_member(info)
        # As file systems that know no case, or compose accents, would see it.
        key = unicodedata.normalize("NFC", info.filename.rstrip("/")).casefold()
        if not info.is_dir() and key in files:
            raise DecodingError(f"two entries of the archive are named {info.filename[:100]!r}")
        (folders if info.is_dir() else files).add(key)
    for key in chain(files, folders):
        # Not collected in a set: the folders of long names are many times the directory's size.
        for at in (*(i for i, char in enumerate(key) if char == "/"), len(key)):
            if key[:at] in files and (at < len(key) or key in folders):
                raise DecodingError(
                    f"{key[:at][:100]!r} is both a file and a folder in the archive"
                )
    return {info.filename: info for info in infos}


def _name_fault(name: str) -> str | None:
    """Why a name cannot be trusted, or None."""
    parts = name.removesuffix("/").split("/")
    if len(name.encode("utf-8", "replace")) > MAX_NAME or len(parts) > MAX_DEPTH:
        return "is too long or too deep"
    if _FORBIDDEN.search(name):
        return "has a backslash or a control character"
    if name.startswith("/") or _DRIVE.match(name):
        return "is an absolute path"
    if any(part in ("", ".", "..") for part in parts):
        return "has an empty, '.' or '..' part"
    if os.name == "nt" and _WINDOWS.search(name):
        return "is not allowed on Windows"
    return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
