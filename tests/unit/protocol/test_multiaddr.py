"""protocol/multiaddr.py: the table of chain.md §4.5, its mends, and base58."""

from __future__ import annotations

import base64

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.multiaddr import base58_decode, base58_encode, to_bytes, to_text

CID = "QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"
MULTIHASH = "12207237a7f4091a74ae95514890fa86a2e8a36037c350ea71c06a34c8cbe25a5057"
STORED = "a50322" + MULTIHASH
ONION3 = "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd"

# text, bytes, what is read back (None: the same text). The bytes were made by the V6 SDK.
TABLE = [
    ("/ip4/127.0.0.1/tcp/80", "047f000001060050", None),
    ("/ip4/127.0.0.1/udp/1234", "047f000001910204d2", None),
    ("/ip6/::1/tcp/80", "2900000000000000000000000000000001060050", None),
    ("/dns4/example.com/tcp/443/https", "360b6578616d706c652e636f6d0601bbbb03", None),
    ("/dns6/example.com/tcp/80/http", "370b6578616d706c652e636f6d060050e003", None),
    ("/dns/é/ws", "3502c3a9dd03", None),
    ("/unix/a.sock", "9003072f612e736f636b", None),
    ("/unix/a//b/", "9003042f612f62", "/unix/a/b"),
    (f"/ipfs/{CID}", STORED, f"/p2p/{CID}"),
    (f"/p2p/{CID}", STORED, None),
    (f"//ipfs//{CID}/ ", STORED, f"/p2p/{CID}"),
    (
        "/p2p/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "a503221220c3c4733ec8affd06cf9e9ff50ffc6bcd2ec85a6170004bb709669c31de94391a",
        "/p2p/QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
    ),
    (
        "/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
        "a503260024080112202ffa35a99d3a3cfbb17bb7c1dc5561b18a8dcca4df38dc613ea859c37eb1336b",
        None,
    ),
    (f"/p2p-circuit/p2p/{CID}", "a202" + STORED, None),
    ("/memory/x/quic", "89060178cc03", None),
    ("/onion/aaimaq4ygg2iegci:80", "bc030010c0439831b48218480050", None),
    (
        f"/onion3/{ONION3}:1234",
        "bd03adadec040be047f9658668b11a504f3155001f231a37f54c4476c07fb4cc139ed7e30304d2",
        None,
    ),
    ("/ip6zone/0161/ip6/fe80::1", "2a016129fe800000000000000000000000000001", None),
    ("/ip4/1.2.3.4/tcp/0080\ufeff", "0401020304060050", "/ip4/1.2.3.4/tcp/80"),
    ("/ip6/fe80::1%eth0", "29fe800000000000000000000000000001", "/ip6/fe80::1"),
    ("/ip6/::ffff:1.2.3.4", "2900000000000000000000ffff01020304", "/ip6/::ffff:102:304"),
    ("/ip6/1:0:0:2:0:0:0:3", "2900010000000000020000000000000003", "/ip6/1::2:0:0:0:3"),
    ("/ip6/1:0:3:4:5:6:7:8", "2900010000000300040005000600070008", None),
    ("/", "", ""),
    ("//", "", ""),
    ("", "", ""),
]

PLAIN = [
    "example.org/a/b:1",
    "docker.io/iexechub/python-hello-world:1.0.0",
    "https://x.y/z",
    " /ip4/1.2.3.4",
    "/foo",
    "/dns4",
    "/ip4/999.1.1.1/tcp/80",
    "/ip4/01.2.3.4",
    "/ipfs/Qm",
    f"/ipfs/{CID[:-1]}",
    f"/ipfs/{CID[:-1]}0",
    f"/ipfs/{CID}/file.txt",
    "/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzd1",
    "/onion/aaimaq4ygg2iegci",
    "/onion/aaimaq4ygg2iegci:0",
    "/onion/short:80",
    "/ip6zone/eth0",
    "/ip6zone/01",
    # mended: V6 makes a multiaddr with a wrong value of these
    "/ip4/1.2.3.4/tcp/65536",
    "/ip4/1.2.3.4/tcp/99999",
    "/tcp/-1",
    "/tcp/http",
    "/tcp/80x",
    "/udp/٣",
    "/ip6/1.2.3.4",
    "/ip4/::1",
]


@pytest.mark.parametrize(("text", "stored", "back"), TABLE)
def test_table(text: str, stored: str, back: str | None) -> None:
    assert to_bytes(text).hex() == stored
    assert to_text(bytes.fromhex(stored)) == (text if back is None else back)


@pytest.mark.parametrize("text", PLAIN)
def test_everything_else_is_text(text: str) -> None:
    assert to_bytes(text) == text.encode()
    assert to_text(text.encode()) == text


def test_ports_at_the_edge() -> None:
    assert to_bytes("/tcp/65535").hex() == "06ffff"
    assert to_bytes("/tcp/0").hex() == "060000"


def test_last_group_of_an_address_that_begins_with_zero() -> None:
    stored = to_bytes("/ip6/::2:3:4:5:6:7:8")  # V6 drops the 8
    assert stored.hex() == "29" + "0000000200030004" + "0005000600070008"
    assert to_text(stored) == "/ip6/0:2:3:4:5:6:7:8"


@pytest.mark.parametrize(
    "name",
    [
        "z" + base58_encode(bytes.fromhex("0170" + MULTIHASH)),
        "f0170" + MULTIHASH,
        "F0170" + MULTIHASH.upper(),
        "b" + base64.b32encode(bytes.fromhex("0170" + MULTIHASH)).decode().lower().rstrip("="),
        "C" + base64.b32encode(bytes.fromhex("0170" + MULTIHASH)).decode(),
        "u" + base64.urlsafe_b64encode(bytes.fromhex("0170" + MULTIHASH)).decode().rstrip("="),
        "U" + base64.urlsafe_b64encode(bytes.fromhex("0171" + MULTIHASH)).decode(),
        "9" + str(int("0170" + MULTIHASH, 16)),
    ],
)
def test_cid_of_version_1_in_any_base(name: str) -> None:
    assert to_bytes(f"/ipfs/{name}").hex() == STORED


@pytest.mark.parametrize(
    "name",
    [
        "f0270" + MULTIHASH,  # version 2
        "f0170" + MULTIHASH[:-2],  # cut
        "f01701f20" + MULTIHASH[4:],  # hash function 0x1f is unknown
        "f",
        "b" + "a" * 6,
        "zz" * 3000,
    ],
)
def test_what_is_no_cid(name: str) -> None:
    assert to_bytes(f"/ipfs/{name}") == f"/ipfs/{name}".encode()


@pytest.mark.parametrize(
    "text",
    ["!x", '8"' + "a" * 34, "5 " + "b" * 32, "6é", ")0123456789abcdef"],
)
def test_printable_bytes_are_text_even_where_they_parse(text: str) -> None:
    assert to_text(text.encode()) == text


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("0401", "\x04\x01"),
        ("04010101", "\x04\x01\x01\x01"),
        ("0600", "\x06\x00"),
        ("ff", "\ufffd"),
        ("3605" + "61" * 4, "6\x05aaaa"),
        ("80" * 9 + "01", "\ufffd" * 9 + "\x01"),
        ("3601ff", "/dns4/\ufffd"),
        ("3600", "/dns4"),
        ("8400" * 2 + "01", "\ufffd\0\ufffd\0\x01"),
    ],
)
def test_damaged_bytes_are_shown_somehow(stored: str, text: str) -> None:
    assert to_text(bytes.fromhex(stored)) == text


def test_a_value_longer_than_any_hash_is_not_converted() -> None:
    assert to_text(b"\xa5\x03\x88\x27" + bytes(5000)).endswith("\0" * 5000)


@pytest.mark.parametrize("value", [None, b"/ip4/1.2.3.4", 7, "\ud800", "/dns/\udcff"])
def test_values_that_are_no_text(value: object) -> None:
    with pytest.raises(ValidationError, match="multiaddr"):
        to_bytes(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "1"),
        (b"\0\0a", "112g"),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex(MULTIHASH), CID),
    ],
)
def test_base58(data: bytes, text: str) -> None:
    assert base58_encode(data) == text
    assert base58_decode(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "é", "1" * 5000])
def test_base58_refuses(text: str) -> None:
    with pytest.raises(ValidationError):
        base58_decode(text)


def test_reading_is_bounded() -> None:
    """Base58 is quadratic: a long row of hashes would keep the reader busy for seconds."""
    one = bytes.fromhex("a5038020") + b"\xff" * 4096
    assert to_text(one).startswith("/p2p/")
    assert to_text(one * 100) == (one * 100).decode("utf-8", "replace")


# Alphabets as the multibase specification has them; the padded forms end in "=".
BASES = {
    "0": "01",
    "7": "01234567",
    "f": "0123456789abcdef",
    "v": "0123456789abcdefghijklmnopqrstuv",
    "t": "0123456789abcdefghijklmnopqrstuv",
    "b": "abcdefghijklmnopqrstuvwxyz234567",
    "c": "abcdefghijklmnopqrstuvwxyz234567",
    "h": "ybndrfg8ejkmcpqxot1uwisza345h769",
    "m": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "u": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
}


@pytest.mark.parametrize("base", BASES)
def test_every_base_of_a_cid(base: str) -> None:
    """One hash, in each base that cuts bits into characters, is stored as the same bytes."""
    digest = b"\x12\x20" + bytes(range(32))
    alphabet = BASES[base]
    width = len(alphabet).bit_length() - 1
    bits = "".join(f"{byte:08b}" for byte in b"\x01\x70" + digest)
    bits += "0" * (-len(bits) % width)
    text = base + "".join(
        alphabet[int(bits[at : at + width], 2)] for at in range(0, len(bits), width)
    )
    if base in "tc":
        text += "=" * (-(len(text) - 1) % 8)
    assert to_bytes(f"/p2p/{text}") == to_bytes(f"/p2p/{base58_encode(digest)}")


@pytest.mark.parametrize("length", [1, 127, 128, 300])
def test_texts_of_any_length(length: int) -> None:
    text = f"/dns/{'a' * length}/ws"
    assert to_text(to_bytes(text)) == text
    prefix = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    assert to_bytes(text) == b"\x35" + prefix + b"a" * length + b"\xdd\x03"


def test_zones_are_dropped_where_they_are_zones() -> None:
    assert to_text(to_bytes("/ip6/fe80::1%eth0/tcp/80")) == "/ip6/fe80::1/tcp/80"
    assert to_bytes("/ip6/fe80::1%e-0/tcp/80") == b"/ip6/fe80::1%e-0/tcp/80"
    assert to_bytes("/ip6/fe80::1%/tcp/80") == b"/ip6/fe80::1%/tcp/80"


def test_a_digit_too_many_is_no_cid() -> None:
    cid = "f0170" + "1220" + bytes(range(32)).hex()
    assert to_text(to_bytes(f"/p2p/{cid}")) != f"/p2p/{cid}"  # stored as its hash
    assert to_text(to_bytes(f"/p2p/{cid}0")) == f"/p2p/{cid}0"  # stored as it is
