"""Orders against the JavaScript SDK V6: created, signed, hashed, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.eth.codec import address_to_bytes, checksum_address, from_hex
from iexec_lite.eth.eip712 import Domain
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
from iexec_lite.protocol.orders import ORDER_KINDS, SIGNED_ORDER_KINDS, Order, SignedOrder

SUITE = "orders"
PROXY = "https://v6.result.bellecour.iex.ec"
KINDS = ("apporder", "datasetorder", "workerpoolorder", "requestorder")


def created(kind: str, create: dict[str, Any]) -> Order:
    if kind == "requestorder":
        return orders.create_requestorder(result_proxy=PROXY, **create)
    return getattr(orders, f"create_{kind}")(**create)


def domain(case: dict[str, Any]) -> Domain:
    return orders.domain(case["chainId"], case["hub"])


def signed(order: Order, case: dict[str, Any]) -> object:
    """``order`` signed as in the case; everything that follows from it is checked."""
    signer = KeySigner.from_key(case["key"])
    result = orders.sign_order(order, signer, domain(case), salt=from_hex(case["signed"]["salt"]))
    assert type(result) is SIGNED_ORDER_KINDS[order.name]
    assert orders.order_hash(result, domain(case)) == case["hash"]
    orders.verify_order(result, domain(case), signer.address)
    assert type(result).from_dict(case["signed"]) == result
    assert type(result).from_dict(result.to_dict()) == result
    return result.to_dict()


def create_and_sign(kind: str) -> Callable[[dict[str, Any]], object]:
    return lambda case: signed(created(kind, case["create"]), case)


def sign(case: dict[str, Any]) -> object:
    return signed(ORDER_KINDS[case["kind"]].from_dict(case["order"]), case)


def create(case: dict[str, Any]) -> object:
    return created(case["kind"], case["create"]).to_dict()


def load(case: dict[str, Any]) -> object:
    return SIGNED_ORDER_KINDS[case["kind"]].from_dict(case["order"]).to_dict()


def signer(case: dict[str, Any]) -> object:
    """A changed order: it does not load, or its signature is not the signer's any more."""
    order: SignedOrder = SIGNED_ORDER_KINDS[case["kind"]].from_dict(case["order"])
    orders.verify_order(order, domain(case), checksum_address(address_to_bytes(case["signer"])))
    return order


def owner(case: dict[str, Any]) -> object:
    """Signed by a key that is not the owner's."""
    order = ORDER_KINDS[case["kind"]].from_dict(case["order"])
    result = orders.sign_order(order, KeySigner.from_key(case["key"]), domain(case))
    orders.verify_order(result, domain(case), case["owner"])
    return result


TABLE = {
    **{kind: (create_and_sign(kind), "signed") for kind in KINDS},
    "sign": (sign, "signed"),
    "create": (create, None),
    "load": (load, None),
    "signer": (signer, None),
    "owner": (owner, None),
}


@pytest.mark.witness("hash of *", "signature of *", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
