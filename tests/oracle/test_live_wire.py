"""ABI coding and raw transactions, live, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth import abi, transaction
from iexec_lite.eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey
from iexec_lite.eth.transaction import Transaction

ATOMS = (
    "address",
    "bool",
    "string",
    "bytes",
    "bytes32",
    "bytes4",
    "uint256",
    "uint8",
    "int256",
    "int24",
)


def random_type(make: Any, depth: int = 0) -> str:
    if depth > 2 or make.chance(60):
        return make.pick(ATOMS)
    if make.chance(50):
        return random_type(make, depth + 1) + make.pick(["[]", "[1]", "[3]"])
    members = ",".join(random_type(make, depth + 1) for _ in range(make.rng.randrange(1, 4)))
    return f"({members})"


def pair(make: Any, kind: abi.AbiType) -> tuple[Any, Any]:
    """A random value: as JSON for ethers, and as we take it."""
    if kind.kind in ("array", "tuple"):
        if kind.kind == "tuple":
            pairs = [pair(make, each) for each in kind.components]
        else:
            assert kind.item is not None
            count = make.uint(2) if kind.length is None else kind.length
            pairs = [pair(make, kind.item) for _ in range(count)]
        return [each[0] for each in pairs], tuple(each[1] for each in pairs)
    if kind.kind == "address":
        address = make.address()
        return address, address_to_bytes(address)
    if kind.kind in ("bytes", "fixed_bytes"):
        data = make.bytes(kind.size or make.pick([0, 1, 31, 32, 33, make.uint(7)]))
        return to_hex(data), data
    if kind.kind == "string":
        text = make.text()
        return text, text
    if kind.kind == "bool":
        flag = make.chance(50)
        return flag, flag
    number = (
        make.uint(kind.size)
        if kind.kind == "uint"
        else make.uint(kind.size - 1) * make.pick([1, -1])
    )
    return str(number), number


@pytest.mark.witness("ABI coding", by="js")
def test_abi(oracle: Any, make: Any) -> None:
    encode, decode, ours, natives = [], [], [], []
    for _ in range(400):
        types = [random_type(make) for _ in range(make.rng.randrange(1, 5))]
        pairs = [pair(make, abi.parse_type(text)) for text in types]
        values, native = [each[0] for each in pairs], tuple(each[1] for each in pairs)
        data = abi.encode(types, native)
        assert abi.decode(types, data) == native
        ethers_types = [text.replace("(", "tuple(") for text in types]
        encode.append({"types": ethers_types, "values": values})
        decode.append({"types": ethers_types, "data": to_hex(data)})
        ours.append(to_hex(data))
        natives.append(values)
    assert oracle.values("abiEncode", encode) == ours
    assert oracle.values("abiDecode", decode) == natives


# --- transactions ---------------------------------------------------------------------------------


def random_transaction(make: Any) -> Transaction:
    kind = make.pick([0, 0, 1, 2])
    fees: dict[str, Any] = {"gas_price": make.pick([0, make.uint(60)])}
    if kind == 2:
        tip = make.uint(40)
        fees = {"max_priority_fee_per_gas": tip, "max_fee_per_gas": tip + make.uint(50)}
    if kind:
        fees["access_list"] = tuple(
            (make.bytes(20), tuple(make.bytes(32) for _ in range(make.uint(2))))
            for _ in range(make.uint(2))
        )
    return Transaction(
        nonce=make.uint(48),
        gas=21000 + make.uint(30),
        to=None if make.chance(10) else make.bytes(20),
        value=make.pick([0, make.uint(90), make.uint()]),
        data=make.bytes(make.pick([0, 4, 36, make.uint(9)])),
        chain_id=make.pick([1, 5, 134, 42161, 65535, 1 + make.uint(31)]),
        **fees,
    )


def shown(signed: transaction.SignedTransaction) -> dict[str, Any]:
    """As the oracle tells what it has parsed."""
    tx = signed.transaction

    def text(value: int | None) -> str | None:
        return None if value is None else str(value)

    access = None
    if tx.access_list is not None:
        access = [
            [checksum_address(a), [to_hex(slot) for slot in slots]] for a, slots in tx.access_list
        ]
    return {
        "type": tx.type,
        "nonce": tx.nonce,
        "gas": str(tx.gas),
        "to": checksum_address(tx.to) if tx.to else None,
        "value": str(tx.value),
        "data": to_hex(tx.data),
        "chainId": tx.chain_id,
        "gasPrice": text(tx.gas_price),
        "maxFeePerGas": text(tx.max_fee_per_gas),
        "maxPriorityFeePerGas": text(tx.max_priority_fee_per_gas),
        "accessList": access,
        "hash": to_hex(signed.hash),
        "from": checksum_address(signed.sender),
    }


@pytest.mark.witness("transaction, *", by="js")
def test_javascript_reads_our_transactions(oracle: Any, make: Any) -> None:
    signed = [random_transaction(make).sign(PrivateKey(from_hex(make.key()))) for _ in range(300)]
    found = oracle.values("parseTransaction", [{"raw": to_hex(each.raw)} for each in signed])
    assert found == [shown(each) for each in signed]


@pytest.mark.witness("transaction, *", by="js")
def test_we_read_transactions_of_javascript(oracle: Any, make: Any) -> None:
    asked, ours = [], []
    for _ in range(200):
        tx, key = random_transaction(make), make.key()
        request: dict[str, Any] = {
            "type": tx.type or None,
            "nonce": tx.nonce,
            "gasLimit": hex(tx.gas),
            "to": to_hex(tx.to) if tx.to else None,
            "value": hex(tx.value),
            "data": to_hex(tx.data),
            "chainId": tx.chain_id,
        }
        if tx.type == 2:
            request["maxFeePerGas"] = hex(tx.max_fee_per_gas or 0)
            request["maxPriorityFeePerGas"] = hex(tx.max_priority_fee_per_gas or 0)
        else:
            request["gasPrice"] = hex(tx.gas_price or 0)
        if tx.access_list is not None:
            request["accessList"] = [
                {"address": to_hex(address), "storageKeys": [to_hex(slot) for slot in slots]}
                for address, slots in tx.access_list
            ]
        asked.append({"key": key, "request": {k: v for k, v in request.items() if v is not None}})
        ours.append(tx.sign(PrivateKey(from_hex(key))))
    raws = oracle.values("signTransaction", asked)
    assert raws == [to_hex(each.raw) for each in ours]
    assert [transaction.parse(from_hex(raw)) for raw in raws] == ours
