"""Encrypted datasets and results, live, both ways."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import DecryptionError
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.protocol.archive import decrypt_result, encrypt_result
from iexec_lite.protocol.cipher import (
    checksum,
    decrypt_dataset,
    encrypt_dataset,
    generate_encryption_key,
)

KEYS = Path(__file__).resolve().parents[2] / "vectors" / "results"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def plain_files(make: Any, count: int) -> list[bytes]:
    sizes = [0, 1, 15, 16, 17, 4096, 65537]
    return [make.bytes(sizes[i] if i < len(sizes) else make.uint(11)) for i in range(count)]


@pytest.mark.witness("encrypted dataset", "checksum of a dataset", by="js")
def test_javascript_encrypts_we_decrypt(oracle: Any, make: Any) -> None:
    files = plain_files(make, 200)
    asked = [{"data": b64(data), "key": generate_encryption_key()} for data in files]
    encrypted = [base64.b64decode(each) for each in oracle.values("encryptDataset", asked)]
    for data, question, file in zip(files, asked, encrypted, strict=True):
        assert decrypt_dataset(file, question["key"]) == data
    sums = oracle.values("checksum", [{"data": b64(file)} for file in encrypted])
    assert sums == [checksum(file) for file in encrypted]


@pytest.mark.witness("encrypted dataset", by="js")
def test_we_encrypt_javascript_decrypts(oracle: Any, make: Any) -> None:
    files = plain_files(make, 200)
    keys = [generate_encryption_key() for _ in files]
    asked = [
        {"data": b64(encrypt_dataset(data, key)), "key": key}
        for data, key in zip(files, keys, strict=True)
    ]
    assert [base64.b64decode(each) for each in oracle.values("decryptDataset", asked)] == files


@pytest.fixture(scope="module")
def rsa_keys() -> list[tuple[str, str]]:
    return [rsa_generate(2048) for _ in range(2)]


@pytest.mark.witness("result archive of V6", by="js")
def test_javascript_opens_our_results(oracle: Any, make: Any, rsa_keys: Any) -> None:
    asked, files = [], []
    for data in filter(None, plain_files(make, 60)):  # an empty inner file is no result
        private, public = make.pick(rsa_keys)
        archive = encrypt_result(BytesIO(data), public, format="v6")
        assert decrypt_result(archive, private) == data
        asked.append({"archive": b64(archive), "key": private})
        files.append(data)
    assert [base64.b64decode(each) for each in oracle.values("decryptResult", asked)] == files


def test_wrong_key_opens_nothing(oracle: Any, rsa_keys: Any) -> None:
    """Ours refuses; JavaScript refuses or, as OpenSSL 3.2 makes up a key, may give garbage."""
    (_, public), (other, _) = rsa_keys
    archive = encrypt_result(BytesIO(b"secret"), public, format="v6")
    with pytest.raises(DecryptionError, match="Failed to decrypt results"):
        decrypt_result(archive, other)
    answer = oracle.answers("decryptResult", [{"archive": b64(archive), "key": other}])[0]
    if "error" in answer:
        assert "Failed to decrypt results" in answer["error"]
    else:
        assert base64.b64decode(answer["value"]) != b"secret"
