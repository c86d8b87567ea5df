"""Keystores, messages and typed data, live, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iexec_lite.eth import keystore
from iexec_lite.eth.codec import checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.eth.signer import KeySigner, hash_message, recover_address, verify_digest

COSTS = ((2, 8, 1), (16, 1, 2), (64, 8, 1), (256, 8, 1), (1024, 1, 1), (8192, 1, 8))


def password(make: Any) -> str:
    return make.pick(["x", "", "Ｆｕｌｌ ﬁ Å", make.text(), "correct horse battery staple"])


@pytest.mark.witness("keystore", by="js")
def test_keystores_of_javascript(oracle: Any, make: Any) -> None:
    asked = []
    for i in range(60):
        n, r, p = COSTS[i % 5 if i >= 6 else i]
        options = {"scrypt": {"N": n, "r": r, "p": p}}
        asked.append({"key": make.key(), "password": password(make), "options": options})
    for question, text in zip(asked, oracle.values("encryptKeystore", asked), strict=True):
        key = keystore.decrypt(text, question["password"])
        assert to_hex(key.secret) == question["key"]
        assert keystore.address_of(text) == checksum_address(key.address)


@pytest.mark.witness("keystore", by="js")
def test_our_keystores(oracle: Any, make: Any) -> None:
    asked, keys = [], []
    for i in range(60):
        n, r, p = COSTS[i % 5 if i >= 6 else i]
        key, word = make.key(), password(make)
        text = json.dumps(keystore.encrypt(from_hex(key), word, n=n, r=r, p=p))
        asked.append({"keystore": text, "password": word})
        keys.append(key)
    assert oracle.values("decryptKeystore", asked) == keys


@pytest.mark.witness("address of a key", by="js")
def test_addresses_of_keys(oracle: Any, make: Any) -> None:
    keys = [make.key() for _ in range(200)]
    ours = [checksum_address(PrivateKey(from_hex(key)).address) for key in keys]
    assert ours == oracle.values("addressOfKey", [{"key": key} for key in keys])


@pytest.mark.witness("personal message (EIP-191)", by="js")
def test_messages(oracle: Any, make: Any) -> None:
    asked = [
        {"key": make.key(), "message": make.hex(make.pick([0, 32, make.uint(7)]))}
        for _ in range(200)
    ]
    signatures = oracle.values("signMessage", asked)
    ours = []
    for question, signature in zip(asked, signatures, strict=True):
        signer, message = KeySigner.from_key(question["key"]), from_hex(question["message"])
        verify_digest(signer.address, hash_message(message), from_hex(signature))
        ours.append(to_hex(signer.sign_message(message)))
        assert recover_address(hash_message(message), from_hex(ours[-1])) == signer.address
    assert ours == signatures
    known = [
        {"message": question["message"], "signature": signature}
        for question, signature in zip(asked, ours, strict=True)
    ]
    found = oracle.values("verifyMessage", known)
    assert found == [KeySigner.from_key(question["key"]).address for question in asked]


# --- typed data -----------------------------------------------------------------------------------

DOMAIN = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}


def random_types(make: Any) -> dict[str, list[dict[str, str]]]:
    """Structs that each refer to the next one; the first is what is signed."""
    names = ["Order", "Party", "Item"][: make.rng.randrange(1, 4)]
    types = {}
    for at, name in enumerate(names):
        atoms = [
            "address",
            "bool",
            "string",
            "bytes",
            "bytes32",
            "uint256",
            f"int{8 * make.rng.randrange(1, 33)}",
        ]
        members = [
            {"name": f"m{i}", "type": make.pick(atoms) + make.pick(["", "", "[]", "[2]", "[][1]"])}
            for i in range(make.rng.randrange(1, 5))
        ]
        if at + 1 < len(names):
            members.append({"name": "next", "type": names[at + 1] + make.pick(["", "[]", "[2]"])})
        types[name] = members
    return types


def random_value(make: Any, types: dict[str, Any], kind: str) -> Any:
    if kind.endswith("]"):
        item, _, size = kind[:-1].rpartition("[")
        return [random_value(make, types, item) for _ in range(int(size) if size else make.uint(2))]
    if kind in types:
        return {each["name"]: random_value(make, types, each["type"]) for each in types[kind]}
    if kind == "address":
        return make.address()
    if kind == "bool":
        return make.chance(50)
    if kind == "string":
        return make.text()
    if kind.startswith("bytes"):
        return make.hex(int(kind[5:] or make.uint(6)))
    if kind.startswith("int"):
        return str(make.uint(int(kind[3:]) - 1) * make.pick([1, -1]))
    return str(make.uint())


@pytest.mark.witness("EIP-712 document", by="js")
def test_typed_data(oracle: Any, make: Any) -> None:
    asked = []
    for _ in range(200):
        types = random_types(make)
        domain = {
            name: random_value(make, {}, kind) for name, kind in DOMAIN.items() if make.chance(60)
        }
        message = random_value(make, types, next(iter(types)))
        asked.append({"key": make.key(), "domain": domain, "types": types, "message": message})
    signed = oracle.values("signTyped", asked)
    ours = []
    for question, answer in zip(asked, signed, strict=True):
        listed = [
            {"name": name, "type": kind}
            for name, kind in DOMAIN.items()
            if name in question["domain"]
        ]
        document = {
            "types": {"EIP712Domain": listed, **question["types"]},
            "primaryType": next(iter(question["types"])),
            "domain": question["domain"],
            "message": question["message"],
        }
        typed = TypedData.from_dict(document)
        assert to_hex(typed.digest) == answer["digest"]
        assert TypedData.from_dict(answer["document"]).digest == typed.digest
        signer = KeySigner.from_key(question["key"])
        signature = to_hex(signer.sign_typed_data(typed))
        assert signature == answer["signature"]
        ours.append({**question, "signature": signature})
    found = oracle.values("verifyTyped", ours)
    assert found == [KeySigner.from_key(question["key"]).address for question in asked]


def test_our_documents_are_readable(oracle: Any, make: Any) -> None:
    """What ``to_dict`` gives a foreign wallet means the same there."""
    asked, digests = [], []
    for _ in range(100):
        types = random_types(make)
        name = next(iter(types))
        typed = TypedData.from_dict(
            {
                "types": {"EIP712Domain": [{"name": "name", "type": "string"}], **types},
                "primaryType": name,
                "domain": {"name": make.text()},
                "message": random_value(make, types, name),
            }
        )
        document = json.loads(json.dumps(typed.to_dict()))
        document["types"].pop("EIP712Domain")
        asked.append(
            {
                "key": make.key(),
                "domain": document["domain"],
                "types": document["types"],
                "message": document["message"],
            }
        )
        digests.append(to_hex(typed.digest))
    assert [each["digest"] for each in oracle.values("signTyped", asked)] == digests
