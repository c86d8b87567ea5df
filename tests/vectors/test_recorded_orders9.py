"""Orders against the JavaScript SDK V9: its tag rules and params."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth.codec import from_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
from iexec_lite.protocol.orders import ORDER_KINDS, SIGNED_ORDER_KINDS, Order
from iexec_lite.protocol.rules import V9

SUITE = "orders9"


def created(case: dict[str, Any]) -> Order:
    return getattr(orders, f"create_{case['kind']}")(rules=V9, **case["create"])


def signed(order: Order, case: dict[str, Any]) -> object:
    domain = orders.domain(case["chainId"], case["hub"])
    salt = from_hex(case["signed"]["salt"])
    result = orders.sign_order(order, KeySigner.from_key(case["key"]), domain, salt=salt)
    assert orders.order_hash(result, domain) == case["hash"]
    assert SIGNED_ORDER_KINDS[order.name].from_dict(case["signed"]) == result
    return result.to_dict()


def create(case: dict[str, Any]) -> object:
    order = created(case)
    return signed(order, case) if "key" in case else order.to_dict()


def sign(case: dict[str, Any]) -> object:
    """An order made by hand: the network's tag is added when it is made anew with our rules."""
    given = ORDER_KINDS[case["kind"]].from_dict(case["order"]).to_dict()
    return signed(created({**case, "create": given}), case)


TABLE = {"create": (create, "signed"), "sign": (sign, "signed")}


@pytest.mark.witness("hash of *", "signature of *", "tag of today's networks", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
