"""Ceilings by themselves: a clock turned by hand, and numbers at the edge of what is read."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from typing import Any

import pytest

from iexec_lite.errors import ConfigurationError, TransportError
from iexec_lite.net.http import Response
from iexec_lite.net.limits import BodyDecoder, LimitedReader, Limits, Timeout, parse_json

SLACK = 1024 * 1024  # bytes of framing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "5", None])
@pytest.mark.parametrize("name", ["connect", "read", "total"])
def test_a_timeout_is_a_positive_number(name: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Timeout(**{name: wrong})
    assert str(caught.value) == f"timeout must be a positive number of seconds, got {wrong!r}"


def test_a_number_is_the_time_of_the_whole_call() -> None:
    assert Timeout.of(600) == Timeout(connect=10.0, read=600, total=600)
    assert Timeout.of(3) == Timeout(connect=3, read=3, total=3)
    own = Timeout(1, 2, 3)
    assert Timeout.of(own) is own


def test_what_is_left_of_a_call() -> None:
    clock = Clock()
    limits = Limits(Timeout(total=5), 10, clock)
    assert (limits.remaining(), limits.wait(), limits.wait(2), limits.wait(9)) == (5, 5, 2, 5)
    clock.now += 4.5
    assert (limits.wait(2), limits.expired) == (0.5, False)
    for clock.now in (105.0, 106.0):
        limits.expired = False
        with pytest.raises(TimeoutError, match=r"^the whole call took too long$"):
            limits.wait(2)
        assert limits.expired


# --- size -----------------------------------------------------------------------------------------


def test_the_wire_may_carry_twice_the_body_and_some_framing() -> None:
    limits = Limits(Timeout(), 1000, Clock())
    for _ in range(2):
        limits.count(SLACK)
        limits.count(2000)
        assert not limits.oversize
        with pytest.raises(OSError, match=r"^answer too large$"):
            limits.count(1)
        assert limits.oversize
        limits.new_answer()
        assert not limits.oversize


class Socket:
    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def settimeout(self, value: float) -> None:
        self.timeouts.append(value)


def test_each_read_gets_what_time_is_left() -> None:
    clock, sock, raw = Clock(), Socket(), io.BytesIO(b"a" * 10)
    limits = Limits(Timeout(read=2, total=5), 0, clock)
    reader = LimitedReader(sock, raw, limits)  # type: ignore[arg-type]
    assert reader.readable()
    assert reader.read(4) == b"aaaa"
    clock.now += 4
    assert reader.read(10) == b"a" * 6
    assert reader.read(10) == b""
    assert sock.timeouts == [2, 1, 1]
    limits.count(SLACK - 10)  # what was read is counted: no more than the framing is left
    with pytest.raises(OSError, match="too large"):
        limits.count(1)
    reader.close()
    reader.close()
    assert raw.closed


@pytest.mark.parametrize("name", ["", "identity", " GZIP ", "gzip", "X-GZip", "deflate"])
def test_a_body_of_just_the_size(name: str) -> None:
    body = b"x" * 200_000
    kind = name.strip().lower().removeprefix("x-")
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}.get(kind, bytes)(body)
    pieces = [packed[i : i + 7000] for i in range(0, len(packed), 7000)]

    def read(most: int) -> bytes:
        decoder = BodyDecoder(name, most)
        blocks = [block for piece in pieces for block in decoder.feed(piece)]
        blocks += decoder.finish()
        assert max(map(len, blocks)) <= 65_536
        return b"".join(blocks)

    assert read(200_000) == body
    with pytest.raises(OverflowError, match=r"^body too large$"):
        read(199_999)


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("br", b"", "unknown content encoding"),
        ("x-deflate", b"", "unknown content encoding"),
        ("gzip, gzip", b"", "unknown content encoding"),
        ("gzip", b"no gzip", "broken compressed data"),
        ("gzip", gzip.compress(b"x", mtime=0) + b"junk", "broken compressed data"),
        ("gzip", gzip.compress(b"x", mtime=0) + b"\0xxxx", "broken compressed data"),
        ("gzip", gzip.compress(b"x" * 100, mtime=0)[:-9], "compressed body cut short"),
        ("deflate", zlib.compress(b"x") + b"j", "data after the end of the compressed body"),
        ("deflate", zlib.compress(b"x" * 100)[:-5], "compressed body cut short"),
    ],
)
def test_bad_bodies(encoding: str, body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        [*(decoder := BodyDecoder(encoding, 1000)).feed(body), *decoder.finish()]


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"some text", mtime=0)),
        ("deflate", zlib.compress(b"some text")),
        ("deflate", zlib.compress(b"some text")[2:-4]),
        ("identity", b"some text"),
    ],
)
def test_bytes_that_come_one_by_one(encoding: str, packed: bytes) -> None:
    """A chunk of an answer may be one byte long, the first one too."""
    decoder = BodyDecoder(encoding, 100)
    blocks = [block for byte in packed for block in decoder.feed(bytes((byte,)))]
    assert b"".join([*blocks, *decoder.finish()]) == b"some text"
    decoder = BodyDecoder(encoding, 100)
    assert list(decoder.feed(b"")) in ([], [b""])
    if encoding != "identity":
        assert list(decoder.feed(packed[:1])) == []
        with pytest.raises(ValueError, match=r"^compressed body cut short$"):
            list(decoder.finish())


def test_a_deflate_stream_with_and_without_its_head() -> None:
    """What the first piece looks like decides, not what follows."""
    for packed in (zlib.compress(b"some text"), zlib.compress(b"some text")[2:-4]):
        decoder = BodyDecoder("deflate", 100)
        blocks = [*decoder.feed(packed[:2]), *decoder.feed(packed[2:]), *decoder.finish()]
        assert b"".join(blocks) == b"some text"


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9" * 100, int("9" * 100)),
        (b"-" + b"9" * 99, -int("9" * 99)),
        (b"0." + b"1" * 398, 0.1111111111111111),
        (b"1e308", 1e308),
        ("\ufeff[1]".encode(), [1]),
        ('"é"'.encode(), "é"),
    ],
)
def test_numbers_at_the_edge(text: bytes, value: object) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"9" * 101, "a number with too many digits"),
        (b"-" + b"9" * 100, "a number with too many digits"),
        (b"0." + b"1" * 399, "a number out of range"),
        (b"1e309", "a number out of range"),
        (b"-1e309", "a number out of range"),
        (b"[NaN]", "NaN is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"\xff", "not UTF-8"),
        (b"", "not JSON (Expecting value at character 0)"),
        (b"[1] x", "not JSON (Extra data at character 4)"),
        (b"[" * 501, "JSON nested deeper than 500 levels"),
    ],
)
def test_what_is_no_json(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as caught:
        parse_json(text)
    if text != b"\xff":
        with pytest.raises(TransportError) as answered:
            Response(200, {}, text, "https://h.example").json()
        assert str(answered.value) == (
            f"https://h.example answered something unreadable: {caught.value}; "
            "check that its URL is right"
        )
