"""Orders, live: each side signs, the other hashes and recovers."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.ids import task_id
from iexec_lite.protocol.orders import ORDER_KINDS, SIGNED_ORDER_KINDS, Order, SignedOrder

KINDS = ("apporder", "datasetorder", "workerpoolorder", "requestorder")
PROXY = "https://v6.result.bellecour.iex.ec"
POCO = "@iexec/poco/build/contracts-min/IexecInterfaceToken.json"
COUNT = 60  # orders of each kind, each way


def amount(make: Any) -> object:
    return make.pick(
        [
            str(make.uint()),
            make.uint(40),
            f"{make.uint(60)} nRLC",
            f"{make.uint(60)}.{make.uint(29) % 10**9:09d} RLC",
            [str(make.uint(60)), "RLC"],
        ]
    )


def create_input(make: Any, kind: str, signer: str) -> dict[str, Any]:
    """Loose input that both sides accept; what has a default is often left out."""
    fields: dict[str, Any] = {}
    for name, column in ORDER_KINDS[kind].fields():
        if name == "params":
            # JavaScript refuses text that happens to be JSON of another kind, such as "2"
            fields[name] = make.pick([{}, f"say {make.text()}", {"iexec_args": make.text(60)}])
        elif name == "requester":
            fields[name] = signer
        elif column.abi == "address":
            fields[name] = make.pick([str.lower, str])(make.address())
        elif name == "tag":
            fields[name] = make.pick([make.tag(), "tee", ["gpu"], "tee,gpu", ""])
        elif name.endswith("price"):
            fields[name] = amount(make)
        else:
            fields[name] = make.pick([str, int])(make.uint(50))
    required = {*ORDER_KINDS[kind].required_fields(), "requester"} - {"params", "beneficiary"}
    return {name: value for name, value in fields.items() if name in required or make.chance(60)}


def created(kind: str, create: dict[str, Any]) -> Order:
    if kind == "requestorder":
        return orders.create_requestorder(result_proxy=PROXY, **create)
    return getattr(orders, f"create_{kind}")(**create)


def questions(make: Any, kind: str) -> list[dict[str, Any]]:
    found = []
    for _ in range(COUNT):
        chain_id, hub = make.chain()
        key = make.key()
        create = create_input(make, kind, KeySigner.from_key(key).address)
        found.append(
            {
                "kind": kind,
                "chainId": chain_id,
                "hub": hub,
                "key": key,
                "proxy": PROXY,
                "create": create,
            }
        )
    return found


@pytest.mark.witness("hash of *", "signature of *", by="js")
@pytest.mark.parametrize("kind", KINDS)
def test_javascript_signs_we_verify(kind: str, oracle: Any, make: Any) -> None:
    asked = questions(make, kind)
    for question, answer in zip(asked, oracle.values("createAndSign", asked), strict=True):
        signed = SIGNED_ORDER_KINDS[kind].from_dict(answer["signed"])
        domain = orders.domain(question["chainId"], question["hub"])
        signer = KeySigner.from_key(question["key"])
        assert orders.order_hash(signed, domain) == answer["hash"]
        orders.verify_order(signed, domain, signer.address)
        assert signed.to_dict() == answer["signed"]
        again = orders.sign_order(
            created(kind, question["create"]), signer, domain, salt=bytes.fromhex(signed.salt[2:])
        )
        assert again == signed


@pytest.mark.witness("hash of *", "signature of *", by="js")
@pytest.mark.parametrize("kind", KINDS)
def test_we_sign_javascript_verifies(kind: str, oracle: Any, make: Any) -> None:
    asked = questions(make, kind)
    signed: list[SignedOrder] = []
    for question in asked:
        domain = orders.domain(question["chainId"], question["hub"])
        signer = KeySigner.from_key(question["key"])
        signed.append(orders.sign_order(created(kind, question["create"]), signer, domain))
    members = [
        {"type": column.abi, "name": name}
        for name, column in SIGNED_ORDER_KINDS[kind].fields()
        if name != "sign"
    ]
    known = [
        {**question, "order": order.to_dict(), "members": members}
        for question, order in zip(asked, signed, strict=True)
    ]
    hashes = oracle.values("hash", known)
    signers = oracle.values("recoverOrder", known)
    for question, order, digest, signer in zip(asked, signed, hashes, signers, strict=True):
        domain = orders.domain(question["chainId"], question["hub"])
        assert digest == orders.order_hash(order, domain)
        assert signer == KeySigner.from_key(question["key"]).address


def random_signed(make: Any, kind: str) -> SignedOrder:
    order = created(kind, create_input(make, kind, make.address()))
    values = {
        **order.to_dict(),
        "salt": make.hex(32),
        "sign": make.hex(make.pick([0, 64, 65, 100])),
    }
    return SIGNED_ORDER_KINDS[kind].from_dict(values)


def as_list(order: SignedOrder) -> list[object]:
    content = order.to_dict()
    return [content[name] for name, _ in order.fields()]


@pytest.mark.witness("calldata: match orders", "calldata: manage *", by="js")
def test_calldata_of_orders(oracle: Any, make: Any) -> None:
    """matchOrders, and the cancellation of each kind, from our order records."""
    asked, ours = [], []
    for _ in range(50):
        four = [random_signed(make, kind) for kind in KINDS]
        asked.append(("matchOrders", [as_list(order) for order in four]))
        ours.append(HUB.matchOrders.encode(*four))
        order = make.pick(four)
        name = f"manage{order.solidity}"
        asked.append((name, [[as_list(order), 1, "0x"]]))
        ours.append(getattr(HUB, name).encode_raw(orders.cancel_operation(order)))
    found = oracle.values(
        "calldata", [{"contract": POCO, "signature": name, "args": args} for name, args in asked]
    )
    assert [to_hex(data) for data in ours] == found


@pytest.mark.witness("task id", by="js")
def test_task_ids(oracle: Any, make: Any) -> None:
    asked = [{"dealid": make.hex(32), "index": str(make.uint())} for _ in range(200)]
    ours = [task_id(each["dealid"], int(each["index"])) for each in asked]
    assert ours == oracle.values("taskId", asked)
