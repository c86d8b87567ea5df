"""Resource locations: multiaddr text to the bytes kept on chain, and back (chain.md §4.5).

What is a multiaddr (``/ip4/…``, ``/ipfs/…``) becomes its binary form, every other text (an image
name, a URL) its UTF-8 bytes. Reading tries the same in reverse and never fails: the bytes come
from a contract where anybody may have stored anything.

Mended against V6 (chain.md §15.10, pitfalls.md): a port that is not decimal 0–65535 makes the
text no multiaddr instead of wrapping round; an IPv4 address is not taken for an IPv6 one nor the
reverse, and ``::2:3:4:5:6:7:8`` keeps its last group; bytes that are all printable text are text;
no bytes read back as ``""``, not as ``/``. Kept: ``/ipfs/…`` reads back as ``/p2p/…``.

The base58btc codec is public because content addresses (``Qm…``) need it elsewhere too.
"""

from __future__ import annotations

import ipaddress
import re

from ..errors import ValidationError

__all__ = ["base58_decode", "base58_encode", "to_bytes", "to_text"]

# code, name, kind of value. Of two rows with one code the later name is the one that is read back.
_PROTOCOLS = (
    (4, "ip4", "ip4"),
    (6, "tcp", "port"),
    (33, "dccp", "port"),
    (41, "ip6", "ip6"),
    (42, "ip6zone", "hex"),
    (53, "dns", "text"),
    (54, "dns4", "text"),
    (55, "dns6", "text"),
    (56, "dnsaddr", "text"),
    (132, "sctp", "port"),
    (273, "udp", "port"),
    (275, "p2p-webrtc-star", ""),
    (276, "p2p-webrtc-direct", ""),
    (277, "p2p-stardust", ""),
    (290, "p2p-circuit", ""),
    (301, "udt", ""),
    (302, "utp", ""),
    (400, "unix", "path"),
    (421, "ipfs", "cid"),
    (421, "p2p", "cid"),
    (443, "https", ""),
    (444, "onion", "onion"),
    (445, "onion3", "onion"),
    (446, "garlic64", "hex"),
    (460, "quic", ""),
    (477, "ws", ""),
    (478, "wss", ""),
    (479, "p2p-websocket-star", ""),
    (480, "http", ""),
    (777, "memory", "text"),
)
_BY_NAME = {name: (code, kind) for code, name, kind in _PROTOCOLS}
_BY_CODE = {code: (name, kind) for code, name, kind in _PROTOCOLS}
_SIZES = {4: 4, 6: 2, 33: 2, 41: 16, 132: 2, 273: 2, 444: 12, 445: 37}  # others have a length first

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

# multibase prefix of a CID: alphabet, bits per character (0: one big number). Case matters only
# where the alphabet has both cases.
_MULTIBASE = {
    "0": ("01", 1),
    "7": ("01234567", 3),
    "9": ("0123456789", 0),
    "f": ("0123456789abcdef", 4),
    "v": (_DIGITS[:32], 5),
    "t": (_DIGITS[:32], 5),
    "b": (_BASE32, 5),
    "c": (_BASE32, 5),
    "h": ("ybndrfg8ejkmcpqxot1uwisza345h769", 5),
    "k": (_DIGITS, 0),
    "z": (_BASE58, 0),
    "Z": (_BASE58[:9] + _BASE58[33:] + _BASE58[9:33], 0),
    "m": (_BASE64 + "+/", 6),
    "M": (_BASE64 + "+/", 6),
    "u": (_BASE64 + "-_", 6),
    "U": (_BASE64 + "-_", 6),
}
_PADDED = "tcMU"
_CASELESS = "FVTBCK"
# Hash functions that V6 knows (first, last): a CID of another one is stored as plain text.
_HASHES = (
    (0x00, 0x0F), (0x11, 0x1E), (0x22, 0x23), (0x56, 0x56), (0xD4, 0xD6), (0x1012, 0x1012),
    (0x1052, 0x1055), (0x1100, 0x1100), (0x1D01, 0x1D01), (0x534D, 0x534D), (0xB201, 0xB260),
    (0xB301, 0xB3E0), (0xB401, 0xB402),
)  # fmt: skip

# What JavaScript's trim() removes: not what Python's strip() does.
_SPACE = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_PORT = re.compile(r"0*([0-9]{1,5})\Z")
_ZEROS = re.compile(r"(^|:)0(?::0)*:0(:|$)")
_MAX_BASE58 = 4096  # characters; conversion is quadratic, and no hash is near that
_MAX_BYTES = 1 << 16  # of a multiaddr read back: longer data is shown as text
_MAX_VARINT = 8  # bytes, as V6


def to_bytes(text: str) -> bytes:
    """Bytes to store for a location: binary multiaddr where it is one, else UTF-8.

    Text with unpaired surrogates has no bytes and is refused (``ValidationError``).
    """
    if not isinstance(text, str):
        raise ValidationError(f"multiaddr must be text, got {type(text).__name__}")
    try:
        if not text or text.startswith("/"):
            return _encode(text)
    except ValueError:
        pass  # not a multiaddr: stored as text
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValidationError("multiaddr is not valid Unicode text", cause=error) from error


def to_text(data: bytes) -> str:
    """Readable form of stored bytes: printable text as it is, else multiaddr, else lossy UTF-8.

    No bytes give ``""`` (V6 shows ``/``).
    """
    data = bytes(data)
    try:
        text = data.decode("utf-8")
        if text.isprintable():
            return text
    except UnicodeDecodeError:
        pass
    try:
        return _decode(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def base58_encode(data: bytes) -> str:
    """Base58btc text (the Bitcoin alphabet, as in ``Qm…``) of some bytes."""
    zeros = len(data) - len(data.lstrip(b"\0"))
    value = int.from_bytes(data, "big")
    digits = []
    while value:
        value, digit = divmod(value, 58)
        digits.append(_BASE58[digit])
    return "1" * zeros + "".join(reversed(digits))


def base58_decode(text: str) -> bytes:
    """Bytes of base58btc text; ``ValidationError`` for other characters or an absurd length."""
    return _from_base(text, _BASE58)


def _segments(path: str) -> list[str]:
    return [part for part in path.strip(_SPACE).split("/") if part]


# ---- text to bytes ------------------------------------------------------------------------------


def _encode(text: str) -> bytes:
    """Binary multiaddr of text; ``ValueError`` when it is none."""
    parts = _segments(text)
    out = bytearray()
    at = 0
    while at < len(parts):
        if parts[at] not in _BY_NAME:
            raise ValueError(f"unknown protocol {parts[at]}")
        code, kind = _BY_NAME[parts[at]]
        out += _to_varint(code)
        at += 1
        if not kind:
            continue
        if at == len(parts):
            raise ValueError("value missing")
        if kind == "path":  # takes the rest
            rest = "/" + "/".join(_segments("/".join(parts[at:])))
            return bytes(out + _prefixed(rest.encode()))
        out += _value_bytes(code, kind, parts[at])
        at += 1
    return bytes(out)


def _value_bytes(code: int, kind: str, text: str) -> bytes:
    if kind == "ip4":
        return ipaddress.IPv4Address(text).packed
    if kind == "ip6":
        address, percent, zone = text.partition("%")  # V6 accepts a zone and drops it
        if percent and not (zone.isascii() and zone.isalnum()):
            raise ValueError("bad zone")
        return ipaddress.IPv6Address(address).packed
    if kind == "port":
        return _port(text)
    if kind == "text":
        return _prefixed(text.encode())
    if kind == "cid":
        return _prefixed(_multihash(text))
    if kind == "onion":
        host, _, port = text.partition(":")
        raw = _from_bits(host.lower(), _BASE32, 5) + _port(port)
        if len(raw) != _SIZES[code] or raw.endswith(b"\0\0"):
            raise ValueError("bad onion address")
        return raw
    raw = bytes.fromhex(text)  # "hex": V6 wants the length prefix written out
    size, at = _from_varint(raw, 0)
    if raw.hex() != text or at + size != len(raw):
        raise ValueError("bad length")
    return raw


def _port(text: str) -> bytes:
    match = _PORT.match(text)
    if match is None or int(match[1]) > 65535:
        raise ValueError("bad port")
    return int(match[1]).to_bytes(2, "big")


def _prefixed(value: bytes) -> bytes:
    return _to_varint(len(value)) + value


def _multihash(text: str) -> bytes:
    """The hash inside a CID, version 0 (base58btc) or 1 (any multibase)."""
    prefix = text[0].lower() if text[0] in _CASELESS else text[0]
    if prefix in _MULTIBASE:
        alphabet, bits = _MULTIBASE[prefix]
        body = text[1:].lower() if alphabet == alphabet.lower() else text[1:]
        if prefix in _PADDED:
            body = body.rstrip("=")
        cid = _from_bits(body, alphabet, bits) if bits else _from_base(body, alphabet)
        if not cid.startswith(b"\1"):
            raise ValueError("not a CIDv1")
        _, at = _from_varint(cid, 1)
        raw = cid[at:]
    else:
        raw = _from_base(text, _BASE58)
    function, at = _from_varint(raw, 0)
    size, at = _from_varint(raw, at)
    if at + size != len(raw) or not any(low <= function <= high for low, high in _HASHES):
        raise ValueError("not a multihash")
    return raw


# ---- bytes to text ------------------------------------------------------------------------------


def _decode(data: bytes) -> str:
    """Multiaddr text of bytes; ``ValueError`` when they are none."""
    if len(data) > _MAX_BYTES:
        raise ValueError("no multiaddr is that long")
    parts: list[str] = []
    at = 0
    while at < len(data):
        code, at = _from_varint(data, at)
        if code not in _BY_CODE:
            raise ValueError(f"unknown protocol {code}")
        name, kind = _BY_CODE[code]
        parts.append(name)
        if not kind:
            continue
        start = at
        if code in _SIZES:
            size = _SIZES[code]
        else:
            size, at = _from_varint(data, at)
        value = data[at : at + size]
        at += size
        if len(value) != size:
            raise ValueError("cut short")
        parts.append(data[start:at].hex() if kind == "hex" else _value_text(kind, value))
    return "/" + "/".join(_segments("/".join(parts)))


def _value_text(kind: str, value: bytes) -> str:
    if kind == "ip4":
        return str(ipaddress.IPv4Address(value))
    if kind == "ip6":
        # As V6: the first run of zeros is shortened, and no dotted quads (Python changed its mind).
        groups = ":".join(f"{int.from_bytes(value[i : i + 2], 'big'):x}" for i in range(0, 16, 2))
        return re.sub(":{3,4}", "::", _ZEROS.sub(r"\1::\2", groups, count=1))
    if kind == "port":
        return str(int.from_bytes(value, "big"))
    if kind == "cid":
        if len(value) > _MAX_BASE58:
            raise ValueError("no hash is that long")
        return base58_encode(value)
    if kind == "onion":
        return f"{_to_base32(value[:-2])}:{int.from_bytes(value[-2:], 'big')}"
    return value.decode("utf-8", "replace")


def _to_base32(data: bytes) -> str:
    value = int.from_bytes(data, "big")
    digits = (_BASE32[value >> shift & 31] for shift in range(len(data) * 8 - 5, -1, -5))
    return "".join(digits)  # 10 and 35 bytes are whole groups: no padding


# ---- numbers ------------------------------------------------------------------------------------


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _from_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and the position after it."""
    value = 0
    for index, byte in enumerate(data[at : at + _MAX_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("bad varint")


def _to_number(text: str, alphabet: str) -> int:
    if len(text) > _MAX_BASE58:
        raise ValidationError(f"text of base {len(alphabet)} is too long: {len(text)} characters")
    value = 0
    for char in text:
        digit = alphabet.find(char)
        if digit < 0:
            raise ValidationError(f"{char!r} is not a digit of base {len(alphabet)}")
        value = value * len(alphabet) + digit
    return value


def _from_base(text: str, alphabet: str) -> bytes:
    """Bytes of a number written in some base, where each leading zero digit is a zero byte."""
    value = _to_number(text, alphabet)
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8, "big")


def _from_bits(text: str, alphabet: str, bits: int) -> bytes:
    """Bytes of RFC 4648 text without padding; what is left over must be less than a digit, zero."""
    value = _to_number(text, alphabet)
    size, extra = divmod(len(text) * bits, 8)
    if extra >= bits or value & ((1 << extra) - 1):
        raise ValueError("left-over bits")
    return (value >> extra).to_bytes(size, "big")
