"""Datasets in bulk on a hub in memory: what is uploaded where, and what keeps an order out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iexec_lite.errors import (
    ConfigurationError,
    IpfsGatewayCallError,
    ValidationError,
    Web3ProviderCallError,
)
from iexec_lite.frozen import replace
from iexec_lite.protocol.bulk import DATASET_INFINITE_VOLUME
from iexec_lite.protocol.cid import cid_of
from iexec_lite.protocol.contracts import ENTRY, GROUP_MEMBER_PURPOSE, HUB, REGISTRY, RESTRICTION
from iexec_lite.protocol.orders import SignedDatasetorder, order_hash
from iexec_lite.protocol.rules import V9
from iexec_lite.sdk.order import Orders

from .hub import ME, NULL, OTHER, Context

GROUP, APP, POOL = ("0x" + digit * 40 for digit in "789")
TEE_TDX = "0x" + "00" * 31 + "09"
ORDERS = [
    SignedDatasetorder(
        dataset="0x" + digit * 40,
        volume=DATASET_INFINITE_VOLUME,
        datasetprice=0,
        salt=NULL,
        sign="0x12",
    )
    for digit in "123"
]


class Ipfs:
    """Every node there is: files by node; those in ``down`` take nothing."""

    def __init__(self) -> None:
        self.files: dict[str, list[bytes]] = {}
        self.shown_by: set[Any] = set()
        self.down: set[str] = set()

    def __call__(self, http: Any, node: str, gateway: str | None) -> Any:
        self.node, self.gateway = node, gateway
        return self

    def add(self, content: bytes) -> str:
        if self.node in self.down:
            raise IpfsGatewayCallError(f"{self.node} is down")
        self.files.setdefault(self.node, []).append(content)
        self.shown_by.add(self.gateway)
        return cid_of(content)


@pytest.fixture
def ipfs(monkeypatch: pytest.MonkeyPatch) -> Ipfs:
    found = Ipfs()
    monkeypatch.setattr("iexec_lite.net.ipfs.Ipfs", found)
    return found


@pytest.fixture
def context(ipfs: Ipfs) -> Context:
    """Every dataset is deployed and belongs to ``OTHER``, who has signed."""
    found = Context(ipfs_node="http://node", ipfs_gateway="http://gateway", rules=V9)
    found.http = None  # type: ignore[attr-defined]
    found.sms = Keys()  # type: ignore[attr-defined]
    found.answers |= {
        REGISTRY.isRegistered.name: True,
        HUB.viewConsumed.name: 0,
        ENTRY.owner.name: OTHER,
        HUB.verifyPresignatureOrSignature.name: lambda to, block, *claim: claim in signed(found),
        RESTRICTION.keyHasPurpose.name: False,
    }
    return found


def signed(context: Context) -> list[tuple[str, str, str]]:
    both = [*ORDERS, *(replace(order, tag=TEE_TDX) for order in ORDERS)]
    both += [replace(order, **{f"{kind}restrict": GROUP}) for order in ORDERS for kind in KINDS]
    return [(OTHER, order_hash(order, context.domain), order.sign) for order in both]


KINDS = {"app": APP, "workerpool": POOL, "requester": ME}


class Keys:
    """An SMS with the keys of some datasets."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def exists(self, path: str, *, address: str) -> bool:
        assert path == V9.sms_dataset_path
        return address in self.known


def prepare(context: Context, orders: list[SignedDatasetorder] = ORDERS, **more: Any) -> Any:
    return Orders(context).prepare_dataset_bulk(orders, **more)  # type: ignore[arg-type]


def faults(context: Context, orders: list[SignedDatasetorder] = ORDERS, **more: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        prepare(context, orders, **more)
    return list(caught.value.errors)


def test_slices_and_their_list(context: Context, ipfs: Ipfs) -> None:
    found = prepare(context, max_dataset_per_task=2)
    assert list(ipfs.files) == ["http://node"]
    assert ipfs.shown_by == {"http://gateway"}
    first, second, root = ipfs.files["http://node"]
    texts = [json.loads(json.dumps(order.to_dict())) for order in ORDERS]
    assert [json.loads(first), json.loads(second)] == [texts[:2], texts[2:]]
    assert json.loads(root) == [cid_of(first), cid_of(second)]
    assert found.to_dict() == {"cid": cid_of(root), "volume": 2}
    assert prepare(context).volume == 1


def test_copies_elsewhere(context: Context, ipfs: Ipfs, caplog: pytest.LogCaptureFixture) -> None:
    ipfs.down = {"http://b"}
    found = prepare(context, copy_to=["http://b", "http://c"])
    files = ipfs.files["http://node"]
    assert ipfs.files == {"http://node": files, "http://c": files}
    assert ipfs.shown_by == {"http://gateway", None}  # nobody waits for a copy
    told = [record.getMessage() for record in caplog.records]
    cids = [cid_of(file) for file in files]
    assert told == [f"no copy of {cid} elsewhere: http://b is down" for cid in cids]
    assert found.cid == cids[-1]
    ipfs.down = {"http://node"}
    with pytest.raises(IpfsGatewayCallError, match="http://node is down"):
        prepare(context)


@pytest.mark.parametrize(
    ("without", "option"),
    [("ipfs_node", "ipfs_node_url"), ("ipfs_gateway", "ipfs_gateway_url")],
)
def test_without_ipfs(context: Context, ipfs: Ipfs, without: str, option: str) -> None:
    object.__setattr__(context.chain, without, None)
    with pytest.raises(ConfigurationError, match=rf"^{option} is not given"):
        prepare(context)
    assert not ipfs.files


def test_what_the_chain_says(context: Context, ipfs: Ipfs) -> None:
    """All of it at once, by the index of the order."""
    one, _, three = (order.dataset for order in ORDERS)

    def owner(to: str, *_: Any) -> str:
        if to == one:
            raise Web3ProviderCallError("no such contract answers")
        return ME if to == three else OTHER

    context.answers |= {
        REGISTRY.isRegistered.name: lambda to, block, dataset: dataset != one,
        ENTRY.owner.name: owner,
    }
    assert faults(context) == [
        f"[0].dataset {one} is not deployed",
        f"[2].sign is not of {ME}, the owner of the dataset",
    ]
    assert not ipfs.files


@pytest.mark.parametrize(("left", "bad"), [(1, False), (0, True), (-1, True)])
def test_what_is_used_up(context: Context, left: int, bad: bool) -> None:
    consumed = {order_hash(ORDERS[1], context.domain): DATASET_INFINITE_VOLUME - left}
    context.answers[HUB.viewConsumed.name] = lambda to, block, key: consumed.get(key, 0)
    if bad:
        assert faults(context) == ["[1].volume is used up, or the order was cancelled"]
    else:
        assert prepare(context).volume == 1


@pytest.mark.parametrize("kind", KINDS)
def test_orders_for_a_group(context: Context, kind: str) -> None:
    party = KINDS[kind]
    orders = [ORDERS[0], replace(ORDERS[1], **{f"{kind}restrict": GROUP})]
    assert faults(context, orders, **{kind: party}) == [
        f"[1].{kind}restrict is {GROUP}, not {party}"
    ]
    with pytest.raises(ValidationError, match=rf"^{kind}: 0x1 is not "):
        prepare(context, orders, **{kind: "0x1"})
    prepare(context, orders)  # for whom is not known yet
    key = "0x" + "00" * 12 + party[2:]
    context.answers[RESTRICTION.keyHasPurpose.name] = lambda to, block, *asked: (
        (to, *asked) == (GROUP, key, GROUP_MEMBER_PURPOSE)
    )
    prepare(context, orders, **{kind: party})


@pytest.mark.parametrize("retryable", [True, False])
def test_a_node_that_does_not_answer(context: Context, retryable: bool) -> None:
    """A busy node has asked nobody; a group that reverts has said no."""
    error = Web3ProviderCallError("reverted", retryable=retryable)

    def fail(*_: Any) -> Any:
        raise error

    context.answers[RESTRICTION.keyHasPurpose.name] = fail
    orders = [replace(ORDERS[0], apprestrict=GROUP)]
    if not retryable:
        assert faults(context, orders, app=APP) == [f"[0].apprestrict is {GROUP}, not {APP}"]
        return
    with pytest.raises(Web3ProviderCallError) as caught:
        prepare(context, orders, app=APP)
    assert caught.value is error


def test_keys_that_nobody_has_given_to_the_sms(context: Context) -> None:
    orders = [ORDERS[0], *(replace(order, tag=TEE_TDX) for order in ORDERS[1:])]
    context.sms.known = [ORDERS[1].dataset]  # type: ignore[attr-defined]
    without = ORDERS[2].dataset
    assert faults(context, orders) == [
        f"[2].dataset: the encryption key of {without} is not set in the SMS, its decryption will "
        "fail"
    ]
    prepare(context, orders, preflight_check=False)
    context.sms.known.append(without)  # type: ignore[attr-defined]
    prepare(context, orders)


def test_orders_that_cannot_be_in_a_bulk(context: Context) -> None:
    """Then the chain is not even asked."""
    context.answers.clear()
    (text,) = faults(context, [ORDERS[0], replace(ORDERS[1], datasetprice=1)])
    assert text.startswith("[1].datasetprice (1) is not valid for bulk datasetorder")
