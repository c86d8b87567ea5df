"""Raw transactions against ethers."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth import transaction
from iexec_lite.eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey
from iexec_lite.eth.transaction import Transaction

SUITE = "transactions"

OPTIONAL = {
    "gasPrice": "gas_price",
    "maxFeePerGas": "max_fee_per_gas",
    "maxPriorityFeePerGas": "max_priority_fee_per_gas",
}


def build(case: dict[str, Any]) -> Transaction:
    fees = {ours: int(case[theirs]) for theirs, ours in OPTIONAL.items() if theirs in case}
    listed = case.get("accessList")
    access = None
    if listed is not None:
        access = tuple(
            (address_to_bytes(address), tuple(from_hex(slot) for slot in slots))
            for address, slots in listed
        )
    return Transaction(
        nonce=case["nonce"],
        gas=int(case["gas"]),
        to=address_to_bytes(case["to"]) if case["to"] else None,
        value=int(case["value"]),
        data=from_hex(case["data"]),
        chain_id=case["chainId"],
        access_list=access,
        **fees,
    )


def signed(case: dict[str, Any]) -> object:
    built = build(case)
    assert built.type == {"type1": 1, "type2": 2}.get(case["kind"], 0)
    assert to_hex(built.signing_hash()) == case["digest"]
    result = built.sign(PrivateKey(from_hex(case["key"])))
    assert to_hex(result.hash) == case["hash"]
    assert checksum_address(result.sender) == case["from"]
    parsed = transaction.parse(from_hex(case["raw"]))
    assert parsed.transaction == built
    assert parsed == result
    return to_hex(result.raw)


def parse(case: dict[str, Any]) -> object:
    return transaction.parse(from_hex(case["raw"])).sender


TABLE = {"signed": (signed, "raw"), "parse": (parse, None)}


@pytest.mark.witness("transaction, *", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
