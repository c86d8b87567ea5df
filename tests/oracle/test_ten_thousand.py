"""Two oracles for every digest and signature, ten thousand random cases each.

Ethers, with the types that the SDK itself hands to a signer, beside ours, in the one node process;
libsecp256k1 beside the pure-Python curve. Signatures are deterministic (RFC 6979), so equal bytes
are all there is to compare. ``IEXEC_LITE_CASES`` makes it shorter or longer.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from iexec_lite.eth.codec import checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey, keccak, recover_public_key, sha256
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.eth.signer import KeySigner, hash_message
from iexec_lite.protocol import orders
from iexec_lite.protocol.ens import namehash
from iexec_lite.protocol.ids import task_id
from iexec_lite.protocol.orders import SIGNED_ORDER_KINDS, SignedOrder

from .test_live_keys import DOMAIN, random_types, random_value
from .test_live_orders import KINDS
from .test_live_wire import random_transaction

COUNT = int(os.environ.get("IEXEC_LITE_CASES", "10000"))


def rounds() -> Iterator[int]:
    """Sizes of batches that stay small in memory, together ``COUNT``."""
    for start in range(0, COUNT, 1000):
        yield min(1000, COUNT - start)


def signer_of(key: str) -> KeySigner:
    """Without the proof of a key that loading makes: here every signature is compared."""
    return KeySigner(from_hex(key))


def random_order(make: Any, kind: str) -> SignedOrder:
    values: dict[str, Any] = {}
    for name, column in SIGNED_ORDER_KINDS[kind].fields():
        if name == "sign":
            values[name] = "0x"
        elif name == "params":
            values[name] = make.text(60)
        elif column.abi == "address":
            values[name] = make.address()
        elif column.abi == "bytes32":
            values[name] = make.pick([make.hex(32), make.tag()])
        else:
            values[name] = make.uint()
    return SIGNED_ORDER_KINDS[kind](**values)


def as_json(order: SignedOrder) -> dict[str, str]:
    return {name: str(value) for name, value in order.to_dict().items() if name != "sign"}


@pytest.mark.witness("hash of *", "signature of *", by="js")
@pytest.mark.parametrize("kind", KINDS)
def test_orders(kind: str, oracle: Any, make: Any) -> None:
    for count in rounds():
        asked, ours = [], []
        for _ in range(count):
            order, key, (chain_id, hub) = random_order(make, kind), make.key(), make.chain()
            domain = orders.domain(chain_id, hub)
            case = {"kind": kind, "chainId": chain_id, "hub": hub, "key": key}
            asked.append({**case, "order": as_json(order)})
            typed = orders.typed_data(order, domain)
            ours.append(
                [orders.order_hash(order, domain), to_hex(signer_of(key).sign_typed_data(typed))]
            )
        assert oracle.values("orderDigest", asked) == ours


@pytest.mark.witness("EIP-712 document", by="js")
def test_typed_data(oracle: Any, make: Any) -> None:
    for count in rounds():
        asked, ours = [], []
        for _ in range(count):
            types, key = random_types(make), make.key()
            domain = {
                n: random_value(make, {}, kind) for n, kind in DOMAIN.items() if make.chance(60)
            }
            message = random_value(make, types, next(iter(types)))
            asked.append({"key": key, "domain": domain, "types": types, "message": message})
            listed = [{"name": n, "type": kind} for n, kind in DOMAIN.items() if n in domain]
            document = {
                "types": {"EIP712Domain": listed, **types},
                "primaryType": next(iter(types)),
                **{"domain": domain, "message": message},
            }
            typed = TypedData.from_dict(document)
            ours.append([to_hex(typed.digest), to_hex(signer_of(key).sign_typed_data(typed))])
        assert oracle.values("typedDigest", asked) == ours


@pytest.mark.witness("personal message (EIP-191)", by="js")
def test_messages(oracle: Any, make: Any) -> None:
    for count in rounds():
        asked = [
            {"key": make.key(), "message": make.hex(make.pick([0, 32, make.uint(7)]))}
            for _ in range(count)
        ]
        ours = [
            [to_hex(hash_message(message)), to_hex(signer_of(each["key"]).sign_message(message))]
            for each in asked
            for message in [from_hex(each["message"])]
        ]
        assert oracle.values("messageDigest", asked) == ours


@pytest.mark.witness("transaction, *", by="js")
def test_transactions(oracle: Any, make: Any) -> None:
    """Ethers reads ours to the same hash, and recovers its sender from the digest it computes."""
    for count in rounds():
        keys = [make.key() for _ in range(count)]
        signed = [random_transaction(make).sign(PrivateKey(from_hex(key))) for key in keys]
        found = oracle.values("parseTransaction", [{"raw": to_hex(each.raw)} for each in signed])
        assert [each["hash"] for each in found] == [to_hex(each.hash) for each in signed]
        assert [each["from"] for each in found] == [signer_of(key).address for key in keys]


@pytest.mark.witness("address of a key", by="js")
def test_addresses_of_keys(oracle: Any, make: Any) -> None:
    for count in rounds():
        keys = [make.key() for _ in range(count)]
        ours = [checksum_address(PrivateKey(from_hex(key)).address) for key in keys]
        assert ours == oracle.values("addressOfKey", [{"key": key} for key in keys])


@pytest.mark.witness("task id", "deal id", "ENS namehash", by="js")
def test_ids_and_digests(oracle: Any, make: Any) -> None:
    for count in rounds():
        tasks = [{"dealid": make.hex(32), "index": str(make.uint())} for _ in range(count)]
        assert [task_id(each["dealid"], int(each["index"])) for each in tasks] == oracle.values(
            "taskId", tasks
        )
        deals = [{"hash": make.hex(32), "first": str(make.uint())} for _ in range(count)]
        assert [
            orders.deal_id(each["hash"], int(each["first"])) for each in deals
        ] == oracle.values("dealId", deals)
        names = [
            ".".join(
                make.pick("abcxyz") + make.pick(["", "0", "b1", "c-d", make.hex(8)[2:]])
                for _ in range(1 + make.uint(2))
            )
            for _ in range(count)
        ]
        assert [namehash(name) for name in names] == oracle.values(
            "namehash", [{"name": name} for name in names]
        )
        files = [make.bytes(make.pick([0, 135, 136, 137, make.uint(9)])) for _ in range(count)]
        sent = [{"data": base64.b64encode(file).decode()} for file in files]
        assert [to_hex(keccak(file)) for file in files] == oracle.values("keccak", sent)
        assert [to_hex(sha256(file)) for file in files] == oracle.values("checksum", sent)
        assert [sha256(file) for file in files] == [hashlib.sha256(file).digest() for file in files]


@pytest.mark.parametrize("part", range(10))
def test_curves(part: int, make: Any) -> None:
    """libsecp256k1 and the curve in pure Python: keys, signatures, recovery."""
    for name in ("coincurve", "eth_keys"):
        pytest.importorskip(name, reason="comparing the two curve backends needs both")
    for _ in range(COUNT // 10):
        secret, digest = from_hex(make.key()), make.bytes(32)
        fast, slow = (PrivateKey(secret, backend=name) for name in ("coincurve", "eth_keys"))
        assert fast.public_key == slow.public_key
        signature = fast.sign(digest)
        assert signature == slow.sign(digest)
        for name in ("coincurve", "eth_keys"):
            assert recover_public_key(digest, signature, backend=name) == fast.public_key
