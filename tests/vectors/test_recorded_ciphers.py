"""Dataset encryption and AES-ECB against the recorded files of the JavaScript SDK."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import pytest

from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import aes_ecb_decryptor, aes_ecb_encryptor
from iexec_lite.protocol import cipher

SUITE = "ciphers"


def dataset(case: dict[str, Any]) -> object:
    if "size" in case:
        plain = (bytes(range(251)) * (case["size"] // 251 + 1))[: case["size"]]
    else:
        plain = from_hex(case["plain"])
    file = cipher.encrypt_dataset(plain, case["key"], iv=from_hex(case["iv"]))
    streamed = BytesIO()
    total = cipher.encrypt_dataset_stream(
        BytesIO(plain), streamed, case["key"], iv=from_hex(case["iv"])
    )
    assert streamed.getvalue() == file
    assert total == cipher.checksum(file)
    assert to_hex(file) == case.get("file", to_hex(file))
    assert cipher.decrypt_dataset(file, case["key"]) == plain
    back = BytesIO()
    cipher.decrypt_dataset_stream(BytesIO(file), back, case["key"])
    assert back.getvalue() == plain
    return total


def decrypt(case: dict[str, Any]) -> object:
    return cipher.decrypt_dataset(from_hex(case["file"]), case["key"])


def use_key(case: dict[str, Any]) -> object:
    return cipher.encrypt_dataset(b"x", case["key"])


def ecb(case: dict[str, Any]) -> object:
    key, plain = from_hex(case["key"]), from_hex(case["plain"])
    encrypted = aes_ecb_encryptor(key).update(plain)
    assert aes_ecb_decryptor(key).update(encrypted) == plain
    return to_hex(encrypted)


TABLE = {
    "dataset": (dataset, "checksum"),
    "decrypt": (decrypt, None),
    "key": (use_key, None),
    "ecb": (ecb, "cipher"),
}


@pytest.mark.witness("encrypted dataset", "checksum of a dataset", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)


def test_keys_of_the_suite_are_canonical() -> None:
    key = cipher.generate_encryption_key()
    assert len(key) == 44
    assert len(base64.b64decode(key)) == 32
