"""Ceilings on what another host may make us do: time, bytes, JSON.

Pure helpers of ``http.py`` and ``rpc.py``: a deadline for a whole call, a reader that keeps to it
however slowly the bytes drip, a decompressor that stops at a size, strict JSON. They refuse
unknown content encodings, bombs, ``NaN``, endless numbers and endless nesting (design.md, Network).
"""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ..eth.codec import load_json
from ..frozen import Frozen

__all__ = ["DEFAULT_MAX_BYTES", "BodyDecoder", "LimitedReader", "Limits", "Timeout", "parse_json"]

DEFAULT_MAX_BYTES = 64 * 1024 * 1024  # far above any honest order book page or log answer
_BLOCK = 64 * 1024
_WIRE_SLACK = 1024 * 1024  # headers and chunk marks, beside twice the body
_MAX_DIGITS = 100  # a uint256 has 78 digits; parsing a million of them takes seconds


class Timeout(Frozen, kw_only=False):
    """Seconds: to connect, between two reads, and for the whole call with its retries."""

    connect: float = 10.0
    read: float = 30.0
    total: float = 60.0

    def __post_init__(self) -> None:
        for value in (self.connect, self.read, self.total):
            if not (isinstance(value, (int, float)) and 0 < value < math.inf):
                from ..errors import ConfigurationError

                raise ConfigurationError(
                    f"timeout must be a positive number of seconds, got {value!r}"
                )

    @classmethod
    def of(cls, value: float | Timeout) -> Timeout:
        """A number is the limit of the whole call (and of each read within it)."""
        if isinstance(value, Timeout):
            return value
        return cls(connect=min(cls().connect, value), read=value, total=value)


class Limits:
    """What is left of one call: seconds until its deadline, bytes it may still receive."""

    def __init__(self, timeout: Timeout, max_bytes: int, clock: Callable[[], float]) -> None:
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.expired = False
        self.oversize = False
        self._clock = clock
        self._deadline = clock() + timeout.total
        self._wire = 0

    def remaining(self) -> float:
        """Seconds left; zero or less when the call is over."""
        return self._deadline - self._clock()

    def wait(self, longest: float | None = None) -> float:
        """Seconds the next socket operation may take: ``longest`` or what is left of the call."""
        left = self.remaining()
        if left <= 0:
            self.expired = True
            raise TimeoutError("the whole call took too long")
        return left if longest is None else min(left, longest)

    def new_answer(self) -> None:
        """A new attempt, or the next of some redirects, starts to count bytes from zero."""
        self._wire = 0
        self.oversize = False

    def count(self, received: int) -> None:
        """Count bytes off the wire: framing included, so far above what the body may have."""
        self._wire += received
        if self._wire > 2 * self.max_bytes + _WIRE_SLACK:
            self.oversize = True
            raise OSError("answer too large")


class LimitedReader(io.RawIOBase):
    """The raw side of a socket, for ``io.BufferedReader``: each ``recv`` gets what time is left.

    A socket timeout alone is per ``recv``: a server that drips a byte now and then would hold a
    call for ever, headers included.
    """

    def __init__(self, sock: Any, raw: io.RawIOBase, limits: Limits) -> None:
        super().__init__()
        self._sock = sock
        self._raw = raw
        self._limits = limits

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill ``buffer`` with what one ``recv`` gives, within the limits."""
        limits = self._limits
        self._sock.settimeout(limits.wait(limits.timeout.read))
        received = self._raw.readinto(buffer)
        if received:
            limits.count(received)
        return received

    def close(self) -> None:
        """Close the socket's file too."""
        # The raw file keeps the socket alive until it is closed too.
        if not self.closed:
            self._raw.close()
        super().close()


class BodyDecoder:
    """Undo a content encoding (none, gzip, deflate) and never give more than ``max_bytes``.

    ``ValueError`` for an unknown encoding or broken data, ``OverflowError`` for too much of it.
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ValueError("unknown content encoding")
        self._left = max_bytes
        self._kind = name.removeprefix("x-") if name != "identity" else ""
        self._inflate: Any = None
        self._started = False
        self._held = b""  # a first byte, which alone does not tell what follows

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded blocks of the next ``data``, each at most 64 KiB."""
        if not self._kind:
            yield self._take(data)
            return
        data, self._held = self._held + data, b""
        if len(data) == 1 and not self._started:
            self._held = data
            return
        while data:
            if self._inflate is None:
                self._inflate = self._new(data)
            try:
                block = self._inflate.decompress(data, _BLOCK)
            except zlib.error as error:
                raise ValueError("broken compressed data") from error
            if block:
                yield self._take(block)
            data = self._inflate.unconsumed_tail
            if self._inflate.eof:
                # gzip may be several members in a row; zero padding after the last is legal.
                data = self._inflate.unused_data.lstrip(b"\0")
                self._inflate = None
                if data and self._kind != "gzip":
                    raise ValueError("data after the end of the compressed body")

    def finish(self) -> Iterator[bytes]:
        """What is left at the end; an unfinished compressed stream is an error."""
        if self._held:
            raise ValueError("compressed body cut short")
        while self._inflate is not None and not self._inflate.eof:
            block = self._inflate.decompress(b"", _BLOCK)
            if not block:
                raise ValueError("compressed body cut short")
            yield self._take(block)

    def _new(self, data: bytes) -> Any:
        first, self._started = not self._started, True
        if self._kind == "gzip":
            return zlib.decompressobj(31)
        # "deflate" means zlib (RFC 1950), but some servers send the bare stream.
        zlib_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
        return zlib.decompressobj(15 if zlib_header or not first else -15)

    def _take(self, block: bytes) -> bytes:
        self._left -= len(block)
        if self._left < 0:
            raise OverflowError("body too large")
        return block


def parse_json(data: bytes) -> Any:
    """Strict JSON (RFC 8259) of UTF-8 ``data``; ``ValueError`` says what is wrong.

    Beyond ``json``: no ``NaN`` or infinity, integers of at most 100 digits, bounded nesting.
    """
    try:
        return load_json(data.decode("utf-8-sig"), _decoder())
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        # The decoder's own error carries the whole document: do not chain it.
        raise ValueError(f"not JSON ({error.msg} at character {error.pos})") from None


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_constant=_no_constant, parse_int=_bounded_int, parse_float=_finite_float
    )


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _bounded_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number with too many digits")
    return int(text)


def _finite_float(text: str) -> float:
    number = float(text) if len(text) <= _MAX_DIGITS * 4 else math.inf
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number
