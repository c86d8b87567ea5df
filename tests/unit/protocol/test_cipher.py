"""protocol/cipher.py and streams.py: dataset encryption, and files that appear whole or not."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tracemalloc
from pathlib import Path
from typing import BinaryIO

import pytest

from iexec_lite.errors import DecryptionError, ValidationError
from iexec_lite.eth import crypto
from iexec_lite.protocol import cipher, streams

# services.md §6.1
KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
IV = b"\x02" * 16
HELLO = bytes.fromhex("02020202020202020202020202020202aaf7a0b1c5d4d4b8c8abeaa891ec2755")
HELLO_CHECKSUM = "0xd2a8edb18992a38fd374b6b1537726af0af9928b232ef63fba3cef9840524dd3"

SIZES = (0, 1, 15, 16, 17, 31, 32, streams.CHUNK - 1, streams.CHUNK, streams.CHUNK + 1, 200_003)


class Dribble(io.RawIOBase):
    """A file that answers in odd, short pieces, as pipes and sockets do."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._step = 0

    def read(self, size: int = -1) -> bytes:
        self._step = self._step % 37 + 1
        piece, self._data = self._data[: self._step], self._data[self._step :]
        return piece


class Zeros(io.RawIOBase):
    """Many bytes that take no memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


class Broken(io.RawIOBase):
    """A file that fails after some bytes."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        if self.reads > 2:
            raise OSError("disk on fire")
        return bytes(size)


def content(size: int) -> bytes:
    return bytes(i * 7 % 251 for i in range(size))


# ---- keys ---------------------------------------------------------------------------------------


def test_generated_keys() -> None:
    first, second = cipher.generate_encryption_key(), cipher.generate_encryption_key()
    assert first != second
    assert len(first) == 44
    assert len(base64.b64decode(first, validate=True)) == 32


@pytest.mark.parametrize(
    "key",
    [
        "",
        KEY[:-1],
        KEY + "\n",
        " " + KEY,
        KEY[:-2] + "F=",  # decodes, but is not what encoding gives
        KEY[:-1] + "A",
        KEY[:-4] + "==",
        base64.b64encode(bytes(31)).decode(),
        base64.b64encode(bytes(33)).decode(),
        "_" + KEY[1:],
        "é" + KEY[1:],
        "0x" + "01" * 32,
        KEY.encode(),
        None,
        b"\x01" * 32,
    ],
)
def test_keys_refused_and_never_shown(key: object) -> None:
    for call in (
        lambda: cipher.encrypt_dataset(b"x", key),  # type: ignore[arg-type]
        lambda: cipher.decrypt_dataset(HELLO, key),  # type: ignore[arg-type]
        lambda: cipher.encrypt_dataset_stream(b"x", io.BytesIO(), key),  # type: ignore[arg-type]
        lambda: cipher.decrypt_dataset_stream(HELLO, io.BytesIO(), key),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValidationError) as caught:
            call()
        assert str(caught.value) == (
            "key is not a valid encryption key (must be base64 encoded 256 bits key)"
        )
        assert caught.value.cause is None


def test_rsa_key_pair_has_the_documented_form() -> None:
    private, public = cipher.generate_rsa_keypair()
    assert len(public) == 800
    assert abs(len(private) - 3272) <= 4
    for pem, kind in ((private, "PRIVATE"), (public, "PUBLIC")):
        lines = pem.split("\n")
        assert lines[0] == f"-----BEGIN {kind} KEY-----"
        assert lines[-2:] == [f"-----END {kind} KEY-----", ""]
        assert {len(line) for line in lines[1:-3]} == {64}
        assert "\r" not in pem
    assert crypto.rsa_decrypt(private, crypto.rsa_encrypt(public, b"hello")) == b"hello"


# ---- datasets -----------------------------------------------------------------------------------


def test_documented_vector() -> None:
    assert cipher.encrypt_dataset(b"hello", KEY, iv=IV) == HELLO
    assert cipher.decrypt_dataset(HELLO, KEY) == b"hello"
    assert cipher.checksum(HELLO) == HELLO_CHECKSUM


@pytest.mark.parametrize("size", SIZES)
def test_streams_and_bytes_agree(size: int, tmp_path: Path) -> None:
    data = content(size)
    encrypted = cipher.encrypt_dataset(data, KEY, iv=IV)
    assert len(encrypted) == 16 + 16 * (size // 16 + 1)
    checksum = "0x" + hashlib.sha256(encrypted).hexdigest()

    plain_file, encrypted_file, back = tmp_path / "plain", tmp_path / "enc", tmp_path / "back"
    plain_file.write_bytes(data)
    assert cipher.encrypt_dataset_stream(plain_file, str(encrypted_file), KEY, iv=IV) == checksum
    assert encrypted_file.read_bytes() == encrypted
    assert cipher.checksum(encrypted_file) == checksum
    assert cipher.checksum(str(encrypted_file)) == checksum
    with encrypted_file.open("rb") as file:
        assert cipher.checksum(file) == checksum
    cipher.decrypt_dataset_stream(encrypted_file, back, KEY)
    assert back.read_bytes() == data
    assert sorted(os.listdir(tmp_path)) == ["back", "enc", "plain"]


@pytest.mark.parametrize("size", [0, 16, 1000])
def test_short_reads(size: int) -> None:
    data = content(size)
    out = io.BytesIO()
    cipher.encrypt_dataset_stream(Dribble(data), out, KEY, iv=IV)  # type: ignore[arg-type]
    assert out.getvalue() == cipher.encrypt_dataset(data, KEY, iv=IV)
    back = io.BytesIO()
    cipher.decrypt_dataset_stream(Dribble(out.getvalue()), back, KEY)  # type: ignore[arg-type]
    assert back.getvalue() == data


def test_vector_is_drawn_anew() -> None:
    first, second = cipher.encrypt_dataset(b"x", KEY), cipher.encrypt_dataset(b"x", KEY)
    assert first[:16] != second[:16]
    assert first[16:] != second[16:]


@pytest.mark.parametrize("iv", [b"", b"x" * 15, b"x" * 17])
def test_vector_of_wrong_length(iv: bytes) -> None:
    with pytest.raises(ValidationError, match="16 bytes"):
        cipher.encrypt_dataset(b"x", KEY, iv=iv)


@pytest.mark.parametrize("size", range(0, 64, 3))
def test_truncated_datasets(size: int) -> None:
    whole = cipher.encrypt_dataset(content(48), KEY, iv=IV)
    with pytest.raises(DecryptionError, match=r"^Failed to decrypt dataset"):
        cipher.decrypt_dataset(whole[:size], KEY)


@pytest.mark.parametrize(
    "ending", [b"\x00", b"\x11", b"\x01\x02", b"\x10" * 15, b"\x03\x02\x03", b"\xff"]
)
def test_wrong_padding(ending: bytes) -> None:
    block = ending.rjust(16, b"\x09")
    encrypted = IV + crypto.aes_cbc_encryptor(b"\x01" * 32, IV).update(block)
    with pytest.raises(DecryptionError, match=r"^Failed to decrypt dataset"):
        cipher.decrypt_dataset(encrypted, KEY)


def test_wrong_key() -> None:
    encrypted = cipher.encrypt_dataset(content(100), KEY, iv=IV)
    other = base64.b64encode(b"\x02" * 32).decode()
    with pytest.raises(DecryptionError, match="wrong key"):
        cipher.decrypt_dataset(encrypted, other)


@pytest.mark.parametrize("data", ["text", None, 7, ["x"]])
def test_contents_that_are_no_bytes(data: object) -> None:
    for call in (cipher.encrypt_dataset, cipher.decrypt_dataset):
        with pytest.raises(ValidationError, match=r"^Invalid file buffer"):
            call(data, KEY)  # type: ignore[arg-type]


def test_text_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"^Invalid file buffer"):
        cipher.checksum(io.StringIO("x"))  # type: ignore[arg-type]


def test_constant_memory() -> None:
    class Sink(io.RawIOBase):
        def write(self, data: object) -> int:
            return 0

    size = 24 * 2**20
    tracemalloc.start()
    try:
        cipher.encrypt_dataset_stream(Zeros(size), Sink(), KEY)  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


# ---- files --------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(OSError, match="disk on fire"):
        cipher.encrypt_dataset_stream(Broken(), target, KEY)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []

    target.write_bytes(b"precious")
    with pytest.raises(OSError, match="disk on fire"):
        cipher.encrypt_dataset_stream(Broken(), target, KEY)  # type: ignore[arg-type]
    with pytest.raises(DecryptionError):
        cipher.decrypt_dataset_stream(HELLO + bytes(200_000), target, KEY)
    assert os.listdir(tmp_path) == ["out"]
    assert target.read_bytes() == b"precious"


def test_missing_source_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cipher.encrypt_dataset_stream(tmp_path / "absent", tmp_path / "out", KEY)
    assert os.listdir(tmp_path) == []


def test_a_file_may_replace_itself(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(content(100_000))
    cipher.encrypt_dataset_stream(file, file, KEY)
    cipher.decrypt_dataset_stream(file, file, KEY)
    assert file.read_bytes() == content(100_000)


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
def test_modes_of_new_files(tmp_path: Path) -> None:
    encrypted, plain = tmp_path / "enc", tmp_path / "plain"
    before = os.umask(0o022)
    try:
        cipher.encrypt_dataset_stream(b"x", encrypted, KEY)
        cipher.decrypt_dataset_stream(encrypted, plain, KEY)
    finally:
        os.umask(before)
    assert encrypted.stat().st_mode & 0o777 == 0o644
    assert plain.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    cipher.encrypt_dataset_stream(b"hello", tmp_path / "link", KEY, iv=IV)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == HELLO


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_pipes_are_written_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        cipher.encrypt_dataset_stream(b"hello", pipe, KEY, iv=IV)
        assert os.read(reader, 1000) == HELLO
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_open_files_stay_open() -> None:
    source, target = io.BytesIO(b"hello"), io.BytesIO()
    both: list[BinaryIO] = [source, target]
    cipher.encrypt_dataset_stream(source, target, KEY, iv=IV)
    assert target.getvalue() == HELLO
    assert not any(file.closed for file in both)


# ---- base64 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(70))
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 64])
def test_base64_across_pieces(size: int, step: int) -> None:
    data = content(size)
    text = b"".join(streams.to_base64(data[i : i + step] for i in range(0, size, step)))
    assert text == base64.b64encode(data)
    broken = base64.encodebytes(data).replace(b"\n", b"\r\n")
    pieces = [broken[i : i + step] for i in range(0, len(broken), step)]
    assert b"".join(streams.from_base64(pieces, "bad")) == data
    assert streams.is_base64(broken)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"QQ"],
        [b"QUI"],
        [b"QQ==", b"QQ=="],
        [b"QQ==QQ=="],
        [b"Q==="],
        [b"===="],
        [b"QQ=A"],
        [b"Q=", b"=="],
        [b"QQ-_"],
        [b"QQ\0="],
        [b"\xff\xff\xff\xff"],
    ],
)
def test_ragged_base64(pieces: list[bytes]) -> None:
    with pytest.raises(DecryptionError, match=r"^bad$"):
        b"".join(streams.from_base64(pieces, "bad"))
