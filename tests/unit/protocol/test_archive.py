"""protocol/archive.py and zips.py: encrypted results old and new, and hostile zip files."""

from __future__ import annotations

import base64
import errno
import io
import os
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from Crypto.PublicKey import RSA

from iexec_lite.errors import DecodingError, DecryptionError, ValidationError
from iexec_lite.eth import crypto
from iexec_lite.protocol import archive, cipher, streams, zips

BAD_ZIP = "Failed to load encrypted results zip file"
BAD_RSA = "Failed to decrypt results key with beneficiary key"
BAD_AES = "Failed to decrypt results with decrypted results key"


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """Private and public PEM; short, because the length is of no interest here."""
    return crypto.rsa_generate(1024)


def zip_of(entries: dict[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items() if isinstance(entries, dict) else entries:
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def result_zip(key: bytes, payload: bytes, **more: bytes) -> bytes:
    return zip_of({"aes-key.rsa": key, "iexec_out.zip.aes": payload, **more})


def ecb(data: bytes, key: bytes) -> bytes:
    size = 16 - len(data) % 16
    padded = data + bytes([size]) * size
    return base64.b64encode(crypto.aes_ecb_encryptor(key).update(padded))


def wrap(key: bytes, public: str, *, text: bool) -> bytes:
    """The key entry, as V6 (base64 of RSA of base64 text) or as today (RSA of the raw key)."""
    if text:
        return base64.b64encode(crypto.rsa_encrypt(public, base64.b64encode(key)))
    return crypto.rsa_encrypt(public, key)


INNER = zip_of({"result.txt": b"hello\n" * 100, "computed.json": b"{}"})
K16, K24, K32 = b"\x01" * 16, b"\x02" * 24, b"\x03" * 32
IV = b"\x04" * 16


# ---- encrypted results --------------------------------------------------------------------------


def test_ecb_vector() -> None:
    assert ecb(b"hello", K16) == b"TFWm/9ouVltAwgUdPQZ2FA=="  # services.md §6.3


@pytest.mark.parametrize("format", ["v6", "v9"])
@pytest.mark.parametrize("inner", [INNER, b"x", b"y" * 16, bytes(streams.CHUNK + 1)])
def test_round_trip(
    format: archive.ResultFormat, inner: bytes, keys: tuple[str, str], tmp_path: Path
) -> None:
    private, public = keys
    encrypted = archive.encrypt_result(inner, public, format=format)
    assert archive.decrypt_result(encrypted, private) == inner
    assert archive.decrypt_result(encrypted, private.encode()) == inner

    source, target, back = tmp_path / "in", tmp_path / "out.zip", tmp_path / "back"
    source.write_bytes(inner)
    archive.encrypt_result_file(source, target, public, format=format)
    archive.decrypt_result_file(target, str(back), private)
    assert back.read_bytes() == inner
    with target.open("rb") as file:
        out = io.BytesIO()
        archive.decrypt_result_file(file, out, private)
        assert out.getvalue() == inner


def test_layout_of_v6(keys: tuple[str, str]) -> None:
    private, public = keys
    encrypted = archive.encrypt_result(INNER, public, format="v6", key=K16)
    with zipfile.ZipFile(io.BytesIO(encrypted)) as file:
        assert file.namelist() == ["aes-key.rsa", "iexec_out.zip.aes"]
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_DEFLATED}
        wrapped = base64.b64decode(file.read("aes-key.rsa"), validate=True)
        assert crypto.rsa_decrypt(private, wrapped) == base64.b64encode(K16)
        assert file.read("iexec_out.zip.aes") == ecb(INNER, K16)


def test_results_are_those_of_v6_unless_told(keys: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "result.zip"
    archive.encrypt_result_file(INNER, path, keys[1])
    assert archive.decrypt_result(path.read_bytes(), keys[0]) == INNER
    with zipfile.ZipFile(path) as found:
        assert base64.b64decode(found.read("aes-key.rsa"), validate=True)


def test_layout_of_today(keys: tuple[str, str]) -> None:
    private, public = keys
    encrypted = archive.encrypt_result(INNER, public, format="v9", key=K32, iv=IV)
    with zipfile.ZipFile(io.BytesIO(encrypted)) as file:
        assert crypto.rsa_decrypt(private, file.read("aes-key.rsa")) == K32
        assert file.read("iexec_out.zip.aes") == cipher.encrypt_dataset(
            INNER, base64.b64encode(K32).decode(), iv=IV
        )


@pytest.mark.parametrize("text_key", [True, False])
@pytest.mark.parametrize("key", [K16, K24, K32], ids=len)
def test_key_and_payload_layouts_are_independent(
    text_key: bool, key: bytes, keys: tuple[str, str]
) -> None:
    private, public = keys
    wrapped = wrap(key, public, text=text_key)
    assert archive.decrypt_result(result_zip(wrapped, ecb(INNER, key)), private) == INNER
    raw = b"".join(cipher.encrypt_cbc([INNER], key, IV))
    if len(key) == 32:
        assert archive.decrypt_result(result_zip(wrapped, raw), private) == INNER
    else:
        with pytest.raises(DecryptionError, match=rf"{BAD_AES}\b"):
            archive.decrypt_result(result_zip(wrapped, raw), private)


def test_line_breaks_and_further_entries_are_harmless(keys: tuple[str, str]) -> None:
    private, public = keys

    def lines(data: bytes) -> bytes:
        return base64.encodebytes(base64.b64decode(data)).replace(b"\n", b"\r\n")

    document = zip_of(
        {
            "../readme": b"x",
            "aes-key.rsa": lines(wrap(K16, public, text=True)),
            "iexec_out.zip.aes": lines(ecb(INNER, K16)),
        }
    )
    assert archive.decrypt_result(document, private) == INNER


def test_not_a_zip(keys: tuple[str, str]) -> None:
    whole = result_zip(b"QQ==", b"QQ==")
    for data in (b"", b"x", b"PK\3\4" + bytes(100), whole[:-1], whole[:50]):
        with pytest.raises(DecryptionError, match=rf"{BAD_ZIP}\b"):
            archive.decrypt_result(data, keys[0])


def test_contents_that_are_no_bytes(keys: tuple[str, str]) -> None:
    with pytest.raises(ValidationError):
        archive.decrypt_result("PK", keys[0])  # type: ignore[arg-type]


def test_missing_entries_in_the_order_of_v6(keys: tuple[str, str]) -> None:
    private, public = keys
    good, bad = wrap(K16, public, text=True), wrap(K16, public, text=True)[:-8]
    cases = [
        ({"iexec_out.zip.aes": ecb(INNER, K16)}, "Missing aes-key.rsa file in zip input file"),
        ({}, "Missing aes-key.rsa file in zip input file"),
        ({"aes-key.rsa": bad}, BAD_RSA),  # RSA before the payload is looked for
        ({"aes-key.rsa": good}, "Missing iexec_out.zip.aes file in zip input file"),
        ({"aes-key.rsa/": b"", "iexec_out.zip.aes": b""}, "Missing aes-key.rsa"),
    ]
    for entries, message in cases:
        with pytest.raises(DecryptionError, match=message):
            archive.decrypt_result(zip_of(entries), private)


@pytest.mark.parametrize(
    "wrapped",
    [b"", b"!", b"QQ", b"QQ==", b"A" * 172, bytes(128), b"\xff" * 128, b"\xff" * 127, b"x" * 1000],
    ids=lambda data: f"{data[:2].hex()}-{len(data)}",
)
def test_key_entries_that_do_not_open(wrapped: bytes, keys: tuple[str, str]) -> None:
    with pytest.raises(DecryptionError, match=rf"{BAD_RSA}\b"):
        archive.decrypt_result(result_zip(wrapped, ecb(INNER, K16)), keys[0])


@pytest.mark.parametrize("pem", ["", "nonsense", b"\xff", "-----BEGIN PRIVATE KEY-----\nQQ==\n"])
def test_unusable_private_key(pem: str | bytes, keys: tuple[str, str]) -> None:
    document = archive.encrypt_result(INNER, keys[1])
    with pytest.raises(DecryptionError, match=rf"{BAD_RSA}\b"):
        archive.decrypt_result(document, pem)
    with pytest.raises(DecryptionError, match=rf"{BAD_RSA}\b"):
        archive.decrypt_result(document, keys[1])  # the public one


def test_wrong_private_key(keys: tuple[str, str]) -> None:
    other = crypto.rsa_generate(1024)[0]
    for format in ("v6", "v9"):
        document = archive.encrypt_result(INNER, keys[1], format=format)  # type: ignore[arg-type]
        with pytest.raises(DecryptionError) as caught:
            archive.decrypt_result(document, other)
        assert str(caught.value) in (BAD_RSA, BAD_AES)
        assert "PRIVATE" not in repr(caught.value.cause)


@pytest.mark.parametrize(
    "answer", [b"", b"\x9f" * 24, b"\x9f" * 32, b"x", b"QQ==", b"A" * 22 + b"=="]
)
@pytest.mark.parametrize("text_key", [True, False])
@pytest.mark.parametrize("text_payload", [True, False])
def test_wrong_key_answered_with_random_bytes(
    answer: bytes,
    text_key: bool,
    text_payload: bool,
    keys: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What newer OpenSSL does instead of an error must end in the documented message too."""
    private, public = keys
    payload = ecb(INNER, K16) if text_payload else b"".join(cipher.encrypt_cbc([INNER], K32, IV))
    document = result_zip(wrap(K32, public, text=text_key), payload)
    monkeypatch.setattr(crypto, "rsa_decrypt", lambda pem, data: answer)
    with pytest.raises(DecryptionError, match=rf"{BAD_AES}\b"):
        archive.decrypt_result(document, private)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"QUJD",  # no whole block
        base64.b64encode(bytes(16)),  # wrong padding
        ecb(INNER, K16)[:-24] + b"====",
        ecb(INNER, K16)[:-4],
        ecb(INNER, K16)[:-1] + b"!",
        ecb(INNER, K32),  # another key
        b"QQ==" + ecb(INNER, K16),
        os.urandom(8) + b"\0",
        IV + bytes(16),
        IV,
    ],
    ids=range(11),
)
def test_payloads_that_do_not_open(payload: bytes, keys: tuple[str, str]) -> None:
    private, public = keys
    for key in (K16, K32):
        if payload == ecb(INNER, K32) and key == K32:
            continue
        document = result_zip(wrap(key, public, text=True), payload)
        with pytest.raises(DecryptionError, match=rf"{BAD_AES}\b"):
            archive.decrypt_result(document, private)


def test_cut_at_a_block(keys: tuple[str, str]) -> None:
    raw = b"".join(cipher.encrypt_cbc([INNER], K32, IV))
    document = result_zip(wrap(K32, keys[1], text=False), raw[:-16])
    with pytest.raises(DecryptionError, match=rf"{BAD_AES}\b"):
        archive.decrypt_result(document, keys[0])


def test_text_that_turns_binary_late(keys: tuple[str, str]) -> None:
    text = ecb(bytes(200_000), K16)
    document = result_zip(
        wrap(K16, keys[1], text=True), text[:150_000] + b"\0\0\0\0" + text[150_004:]
    )
    with pytest.raises(DecryptionError, match=rf"{BAD_AES}\b"):
        archive.decrypt_result(document, keys[0])


def test_entries_beyond_the_ceilings(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys
    with pytest.raises(DecryptionError, match=r"^aes-key.rsa is too large"):
        archive.decrypt_result(result_zip(b"A" * 1001, b""), private)
    document = archive.encrypt_result(INNER, public)
    monkeypatch.setattr(archive, "MAX_RESULT_ENTRY", 100)
    with pytest.raises(DecryptionError, match=r"^iexec_out.zip.aes is too large"):
        archive.decrypt_result(document, private)
    with pytest.raises(ValidationError, match=r"^the result is too large"):
        archive.encrypt_result(INNER, public)


def test_bomb_in_place_of_the_payload(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = result_zip(wrap(K16, keys[1], text=True), b"A" * 1_000_000)
    monkeypatch.setattr(zips, "RATIO_FREE", 100_000)
    with pytest.raises(DecryptionError, match=rf"{BAD_ZIP}\b") as caught:
        archive.decrypt_result(document, keys[0])
    assert "expands" in str(caught.value.cause)


def test_damaged_contents(keys: tuple[str, str]) -> None:
    document = bytearray(archive.encrypt_result(os.urandom(1000), keys[1], format="v9"))
    at = document.index(b"iexec_out.zip.aes") + 500
    document[at] ^= 0xFF
    with pytest.raises(DecryptionError, match=rf"{BAD_ZIP}\b") as caught:
        archive.decrypt_result(bytes(document), keys[0])
    assert isinstance(caught.value.cause, DecodingError)


def test_failure_leaves_no_file(keys: tuple[str, str], tmp_path: Path) -> None:
    text = ecb(bytes(300_000), K16)
    document = result_zip(wrap(K16, keys[1], text=True), text[:-8])
    target = tmp_path / "results.zip"
    target.write_bytes(b"precious")
    with pytest.raises(DecryptionError, match=rf"{BAD_AES}\b"):
        archive.decrypt_result_file(document, target, keys[0])
    assert os.listdir(tmp_path) == ["results.zip"]
    assert target.read_bytes() == b"precious"
    with pytest.raises(ValidationError):
        archive.encrypt_result_file(b"", tmp_path / "new", keys[1])
    assert os.listdir(tmp_path) == ["results.zip"]


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
def test_decrypted_results_are_private(keys: tuple[str, str], tmp_path: Path) -> None:
    archive.decrypt_result_file(archive.encrypt_result(INNER, keys[1]), tmp_path / "r", keys[0])
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o600
    mask = os.umask(0o022)
    try:  # what is encrypted need not be
        archive.encrypt_result_file(INNER, tmp_path / "e", keys[1])
    finally:
        os.umask(mask)
    assert (tmp_path / "e").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("format", ["v6", "v9"])
def test_results_stream_in_constant_memory(
    format: archive.ResultFormat, keys: tuple[str, str], tmp_path: Path
) -> None:
    source, encrypted, back = tmp_path / "in", tmp_path / "out", tmp_path / "back"
    block = os.urandom(2**16)
    with source.open("wb") as file:
        for _ in range(128):  # 8 MiB
            file.write(block)
    tracemalloc.start()
    try:
        archive.encrypt_result_file(source, encrypted, keys[1], format=format)
        archive.decrypt_result_file(encrypted, back, keys[0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert back.stat().st_size == 2**23
    assert peak < 2 * 2**20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "v7"}, "unknown result format"),
        ({"format": "v6", "key": K32}, "16 bytes"),
        ({"format": "v9", "key": K16}, "32 bytes"),
        ({"format": "v9", "iv": b"x"}, "16 bytes"),
        ({"public_pem": "nonsense"}, "RSA public key"),
    ],
)
def test_encryption_refuses(
    options: dict[str, object], message: str, keys: tuple[str, str]
) -> None:
    with pytest.raises(ValidationError, match=message):
        archive.encrypt_result(INNER, **{"public_pem": keys[1], **options})  # type: ignore[arg-type]


def test_a_key_too_long_for_its_entry() -> None:
    """Readers take 1000 bytes of it, as those of V6 do."""
    numbers = RSA.construct(((1 << 8191) | 1, 65537))
    with pytest.raises(ValidationError, match=r"too long: .* would be 1024 bytes"):
        archive.encrypt_result(INNER, numbers.export_key(), format="v9")


# ---- plain archives -----------------------------------------------------------------------------


def patched(data: bytes, change: Callable[[zipfile.ZipInfo], None], name: str = "x") -> bytes:
    """An archive of one file whose entry was changed before it was written."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        change(info)
        file.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def with_mode(mode: int) -> bytes:
    return patched(b"/etc/passwd", lambda info: setattr(info, "external_attr", mode << 16))


def replaced(document: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in document
    return document.replace(old, new)


def with_flag(bit: int) -> bytes:
    document = bytearray(zip_of({"x": b"data"}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        document[document.index(mark) + offset] |= bit
    return bytes(document)


def with_method(method: int) -> bytes:
    document = bytearray(zip_of({"x": b"data"}))
    for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        struct.pack_into("<H", document, document.index(mark) + offset, method)
    return bytes(document)


HOSTILE = {
    "parent": (zip_of({"../x": b""}), r"'\.\.' part"),
    "parent inside": (zip_of({"a/../../x": b""}), r"'\.\.' part"),
    "only parent": (zip_of({"..": b""}), r"'\.\.' part"),
    "dot": (zip_of({"./x": b""}), r"'\.' or"),
    "doubled": (zip_of({"a//x": b""}), "empty"),
    "absolute": (zip_of({"/etc/x": b""}), "absolute"),
    "drive": (zip_of({"C:x": b""}), "absolute"),
    "drive and folder": (zip_of({"c:/x": b""}), "absolute"),
    "backslash": (zip_of({"..\\x": b""}), "backslash"),
    "newline": (zip_of({"a\nb": b""}), "control"),
    "escape": (zip_of({"a\x1b[2Jb": b""}), "control"),
    "nul": (replaced(zip_of({"a.txt~b": b""}), b"a.txt~b", b"a.txt\0b"), "control"),
    "no name": (replaced(zip_of({"~": b""}), b"~", b"/"), "absolute"),
    "long": (zip_of({"x" * 1025: b""}), "too long"),
    "deep": (zip_of({"x/" * 70 + "y": b""}), "too long or too deep"),
    "other case": (zip_of({"a/File": b"", "A/fILE": b""}), "two entries"),
    "other accents": (zip_of({"\u00e9": b"", "e\u0301": b""}), "two entries"),
    "file and folder": (zip_of({"a": b"", "a/b": b""}), "both a file and a folder"),
    "folder and file": (zip_of({"a/b": b"", "A": b""}), "both a file and a folder"),
    "file and empty folder": (zip_of({"a/": b"", "a": b""}), "both a file and a folder"),
    "symlink": (with_mode(stat.S_IFLNK | 0o777), "link or a special file"),
    "fifo": (with_mode(stat.S_IFIFO | 0o644), "link or a special file"),
    "device": (with_mode(stat.S_IFCHR | 0o644), "link or a special file"),
    "encrypted": (with_flag(0x01), "encrypted"),
    "strongly encrypted": (with_flag(0x40), "encrypted"),
    "bzip2": (with_method(12), "unknown compression"),
    "lzma": (with_method(14), "unknown compression"),
    "not a zip": (b"hello", "not a zip archive"),
    "empty": (b"", "not a zip archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(name: str, tmp_path: Path) -> None:
    document, message = HOSTILE[name]
    target = tmp_path / "target"
    with pytest.raises(DecodingError, match=message):
        archive.extract_archive(document, target)
    with pytest.raises(DecodingError, match=message):
        archive.list_archive(document)
    with pytest.raises(DecodingError, match=message):
        archive.read_member(document, "x", 100)
    assert os.listdir(tmp_path) == []


def test_same_name_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        document = zip_of([("x", b"1"), ("x", b"2")])
    with pytest.raises(DecodingError, match="two entries"):
        archive.extract_archive(document, tmp_path / "t")


def test_names_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    usable_elsewhere = ["ab:c", "CON", "sub/nul.txt", "end.", "end ", "a/ /b", "com1", "what?"]
    for name in usable_elsewhere:
        assert zips._name_fault(name) is None
    monkeypatch.setattr(os, "name", "nt")
    for name in usable_elsewhere:
        assert zips._name_fault(name) == "is not allowed on Windows"
    for name in ("console", "a.b/nullable.txt", "com10x"):
        assert zips._name_fault(name) is None


FILES = {"computed.json": b"{}", "sub/deep/x.bin": bytes(100_000), "é ü/ü": b"u", "empty": b""}


def test_list_read_and_extract(tmp_path: Path) -> None:
    document = zip_of({"folder/": b"", **FILES})
    members = archive.list_archive(document)
    assert [(m.name, m.size, m.is_folder) for m in members] == [
        ("folder/", 0, True),
        *((name, len(data), False) for name, data in FILES.items()),
    ]
    assert archive.read_member(document, "computed.json", 2) == b"{}"

    path = tmp_path / "result.zip"
    path.write_bytes(document)
    paths = archive.extract_archive(path, tmp_path / "target")
    assert paths == [tmp_path / "target" / name for name in FILES]
    assert [path.read_bytes() for path in paths] == list(FILES.values())
    assert sorted(os.listdir(tmp_path / "target")) == sorted(
        ["folder", "computed.json", "sub", "é ü", "empty"]
    )
    with path.open("rb") as file, archive.Archive(file) as opened:
        assert b"".join(opened.chunks("sub/deep/x.bin")) == bytes(100_000)
        opened.close()
        assert not file.closed


def test_read_member_refuses() -> None:
    document = zip_of({"folder/": b"", **FILES})
    with pytest.raises(DecodingError, match="too large"):
        archive.read_member(document, "computed.json", 1)
    for name in ("absent", "folder/", "sub", "../computed.json"):
        with pytest.raises(DecodingError, match="has no file"):
            archive.read_member(document, name, 100)


def test_into_an_empty_folder_only(tmp_path: Path) -> None:
    document = zip_of(FILES)
    (tmp_path / "t").mkdir()
    assert len(archive.extract_archive(document, tmp_path / "t")) == 4
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValidationError, match="not empty"):
        archive.extract_archive(document, tmp_path / "t")
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(FileExistsError):
        archive.extract_archive(document, tmp_path / "t" / "empty")


def test_an_empty_archive_and_names_that_begin_alike(tmp_path: Path) -> None:
    assert archive.extract_archive(zip_of({}), tmp_path / "empty") == []
    alike = {"a/b": b"1", "a/bx": b"2", "b": b"3", "bx": b"4"}
    assert len(archive.extract_archive(zip_of(alike), tmp_path / "alike")) == 4
    assert (tmp_path / "alike" / "a" / "bx").read_bytes() == b"2"


def test_nothing_is_left_of_a_failed_extraction(tmp_path: Path) -> None:
    document = bytearray(zip_of({"a/good": b"good" * 100, "b/bad": os.urandom(5000), "c": b""}))
    document[document.index(b"b/bad") + 2000] ^= 0xFF
    (tmp_path / "t").mkdir()
    for target in (tmp_path / "t", tmp_path / "new"):
        with pytest.raises(DecodingError, match="'b/bad' is damaged"):
            archive.extract_archive(bytes(document), target)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "t"]


class Failing(io.BytesIO):
    """A file on a disk that fails at some places."""

    places = range(0)

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() in self.places:
            raise OSError(errno.EIO, "disk on fire")
        return super().read(size)


def test_a_failing_disk_is_no_damaged_archive(tmp_path: Path) -> None:
    file = Failing(zip_of({"a": os.urandom(300_000)}))
    directory = file.getvalue().index(b"PK\x01\x02")
    for places in (range(directory, directory + 1), range(directory, len(file.getvalue()))):
        file.places = places
        with pytest.raises(OSError, match="disk on fire"):
            archive.list_archive(file)
    file.places = range(0)
    with zips.Archive(file) as opened:
        file.places = range(100, directory)
        with pytest.raises(OSError, match="disk on fire"):
            opened.extract(tmp_path / "new")
    assert list(tmp_path.rglob("*")) == []


def test_nothing_is_left_when_moving_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []

    def replace(source: Path, target: Path) -> None:
        if moved:
            raise OSError("disk on fire")
        moved.append(target.name)
        source.rename(target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="disk on fire"):
        archive.extract_archive(zip_of({"a/b": b"", "c": b""}), tmp_path / "new")
    assert moved == ["a"]
    assert list(tmp_path.rglob("*")) == []
    moved.clear()
    with pytest.raises(OSError, match="disk on fire"):
        archive.extract_archive(zip_of({"c": b"", "d": b""}), tmp_path / "new")
    assert moved == ["c"]
    assert list(tmp_path.rglob("*")) == []


def test_the_longest_and_deepest_name() -> None:
    parts = ["x" * 15] * 63
    for last, fits in (("y" * 16, True), ("y" * 17, False), ("y/y", False)):
        document = zip_of({"/".join([*parts, last]): b""})
        if fits:
            assert len(archive.list_archive(document)) == 1
        else:
            with pytest.raises(DecodingError, match="too long or too deep"):
                archive.list_archive(document)


def test_a_closed_archive_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"a": b"1"}))
    with zips.Archive(tmp_path / "a.zip") as opened:
        assert opened.read("a", 9) == b"1"
    with pytest.raises(ValueError, match="closed"):
        opened.read("a", 9)


def test_ceilings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = zip_of({f"{i}": bytes(1000) for i in range(50)})
    assert len(archive.list_archive(document)) == 50
    files = archive.extract_archive(document, tmp_path / "s", max_members=50, max_bytes=50_000)
    assert len(files) == 50
    with pytest.raises(DecodingError, match="50 entries, at most 49"):
        archive.extract_archive(document, tmp_path / "t", max_members=49)
    with pytest.raises(DecodingError, match="unpacks to 50000 bytes, at most 49999"):
        archive.extract_archive(document, tmp_path / "t", max_bytes=49_999)
    monkeypatch.setattr(zips, "RATIO_FREE", 999)
    monkeypatch.setattr(zips, "MAX_RATIO", 10)
    with pytest.raises(DecodingError, match="expands from"):
        archive.list_archive(document)
    monkeypatch.setattr(zips, "MAX_DIRECTORY", 1000)
    with pytest.raises(DecodingError, match="directory too large"):
        archive.list_archive(document)


def test_a_directory_that_claims_to_be_huge() -> None:
    document = bytearray(zip_of({"x": b"data"}) + bytes(8_000_000))
    end = document.rindex(b"PK\5\6")
    del document[end + 22 :]
    document = document[:end] + bytes(8_000_000) + document[end:]
    end = document.rindex(b"PK\5\6")
    struct.pack_into("<I", document, end + 12, 8_000_050)  # size of the directory
    with pytest.raises(DecodingError, match="not a zip archive"):
        archive.list_archive(bytes(document))


@pytest.mark.parametrize(("claimed", "message"), [(3, "damaged"), (5, "damaged")])
def test_a_length_that_lies(claimed: int, message: str) -> None:
    document = bytearray(zip_of({"x": b"data"}))
    struct.pack_into("<I", document, document.index(b"PK\1\2") + 24, claimed)
    with pytest.raises(DecodingError, match=message):
        archive.read_member(bytes(document), "x", 100)


def test_a_directory_that_names_another_file_than_the_entry() -> None:
    document = bytearray(zip_of({"safe": b"data"}))
    at = document.index(b"safe")
    document[at : at + 4] = b"evil"
    with pytest.raises(DecodingError, match="damaged"):
        archive.read_member(bytes(document), "safe", 100)


def test_names_the_file_system_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(DecodingError, match="no usable file name"):
        archive.extract_archive(zip_of({"a/" + "x" * 300: b""}), tmp_path / "t")
    assert os.listdir(tmp_path) == []


def test_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.list_archive(tmp_path / "absent.zip")


def test_a_directory_of_deep_names_stays_small() -> None:
    """Names of 1 KiB and 63 folders each: the folders alone would be 60 MB of text."""
    names = ["/".join([f"{i:04}", *["abcdefghijklmno"] * 62]) for i in range(1900)]
    document = zip_of(dict.fromkeys(names, b""))
    tracemalloc.start()
    try:
        assert len(archive.list_archive(document)) == len(names)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20
    with pytest.raises(DecodingError, match="both a file and a folder"):
        archive.list_archive(zip_of({**dict.fromkeys(names[:9], b""), names[5][:500]: b""}))


@pytest.mark.parametrize("source", [None, 5, ["x"]])
def test_what_is_no_source(source: object) -> None:
    with pytest.raises(ValidationError, match="Invalid file buffer"):
        archive.list_archive(source)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="Invalid file buffer"):
        cipher.checksum(source)  # type: ignore[arg-type]
