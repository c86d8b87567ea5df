"""Downloading a task's result and holding it against the digest on chain (chain.md §6.3)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DecodingError, IpfsGatewayCallError, StateError, TransportError
from ..protocol.archive import Archive
from ..protocol.results import archive_digest
from ..protocol.streams import open_target
from .records import Task

if TYPE_CHECKING:
    from ..net.http import Http, Stream

__all__ = ["Results"]

ENCRYPTED_MEMBER = "iexec_out.zip.aes"
MAX_RESULT = 1 << 34  # 16 GiB: a gateway cannot fill the disk without end
MAX_SECONDS = 86400.0  # one day: nor hold us for ever
_LENGTH = re.compile(r"[0-9]{1,15}\Z")


class Results:
    """A result archive, not yet downloaded: ``save``, ``read`` or iterate, once or many times.

    ``checked`` is None until an archive was saved; then True where its digest is the one the
    workers agreed on, False where it could not be checked (encrypted, or without a usable
    ``computed.json``): check an encrypted one after decryption with :meth:`check`. ``encrypted``
    tells of the archive that was checked last. A digest that differs is an error, and the file is
    kept for inspection. ``size`` is what the gateway says the archive has, in bytes, while it is
    downloaded; None where it does not say.
    """

    def __init__(
        self, http: Http, gateway: str, location: str, task: Task, *, has_callback: bool
    ) -> None:
        self._http = http
        self._gateway = gateway.rstrip("/")
        self._has_callback = has_callback
        self.location = location
        self.task = task
        self.checked: bool | None = None
        self.encrypted: bool | None = None
        self.size: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        """The archive's bytes in chunks."""
        from ..net.http import Timeout, advice

        # The client's limit is for a whole call; a large result may take as long as it keeps coming
        limit = self._http.timeout
        try:
            with self._http.stream(
                "GET",
                self._gateway + self.location,
                headers={"Accept": "application/zip"},
                max_bytes=MAX_RESULT,
                timeout=Timeout(connect=limit.connect, read=limit.read, total=MAX_SECONDS),
                retry=True,
            ) as answer:
                if not answer.ok:
                    raise IpfsGatewayCallError(
                        f"Failed to download from {answer.host}: API call error: {answer.status}: "
                        f"{advice(answer.status)}",
                        retryable=answer.status in (429, 502, 503, 504),
                    )
                self.size = _size(answer)
                yield from answer
        except TransportError as error:
            raise IpfsGatewayCallError(
                f"Failed to download the result: {error.message}",
                cause=error,
                retryable=error.retryable,
            ) from error

    def read(self) -> bytes:
        """The whole archive in memory."""
        return b"".join(self)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: Callable[[int, int | None], object] | None = None,
    ) -> Path:
        """Download to ``path``, whole or not at all, and check the digest.

        ``progress`` is called with the bytes that have come and, if known, their number in all.
        Raises StateError where the file exists, unless ``overwrite``; DecodingError where the
        digest differs (the file is kept).
        """
        target = Path(path)
        if target.exists() and not overwrite:
            raise StateError(f"{target} exists already: say overwrite=True to replace it")
        with open_target(target) as file:
            done = 0
            for chunk in self:
                done += file.write(chunk)
                if progress is not None:
                    progress(done, self.size)
        self.checked = self.check(target)
        return target

    def check(self, path: str | os.PathLike[str]) -> bool:
        """Hold a plain archive against the digest on chain; False where that is impossible."""
        with Archive(path) as archive:
            self.encrypted = any(member.name == ENCRYPTED_MEMBER for member in archive.members)
            if self.encrypted:
                return False
            digest = archive_digest(archive, callback=self._has_callback)
        if digest is None:
            return False
        if digest != self.task.result_digest:
            raise DecodingError(
                f"{os.fspath(path)} is not the result the workers agreed on: its digest is "
                f"{digest}, on chain it is {self.task.result_digest}; the file is kept, do not "
                "trust it",
                details={"digest": digest, "expected": self.task.result_digest},
            )
        return True


def _size(answer: Stream) -> int | None:
    """How many bytes will be read; what the header counts may be compressed."""
    length = answer.headers.get("content-length", "")
    plain = answer.headers.get("content-encoding", "identity") == "identity"
    return int(length) if plain and _LENGTH.match(length) else None
