"""What is asked of the chain before a match, and how bad answers are told from a no."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import Web3ProviderCallError
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.net.http import Response
from iexec_lite.protocol import orders
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import ENTRY, ERLC, HUB, REGISTRY, RESTRICTION, Method
from iexec_lite.protocol.matching import OrderSet
from iexec_lite.protocol.orders import (
    NULL_ADDRESS,
    NULL_DATASETORDER,
    SignedApporder,
    SignedDatasetorder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from iexec_lite.sdk.facts import ERC1271, match_facts, offer_facts


def address(digit: str) -> str:
    return "0x" + digit * 40  # digits have no letter case, so this is EIP-55


APP, DATASET, POOL, REQUESTER = (address(digit) for digit in "1234")
OWNERS = {APP: address("5"), DATASET: address("6"), POOL: address("7")}
GROUP, HUB_ADDRESS, TOKEN = address("8"), address("9"), "0x" + "01" * 20
REGISTRIES = {
    kind: "0x" + f"0{i}" * 20 for i, kind in enumerate(("app", "dataset", "workerpool"), 2)
}
SIGNED: Any = {"salt": "0x" + "22" * 32, "sign": "0x" + "55" * 65}
ORDERS = OrderSet(
    apporder=SignedApporder(app=APP, volume=5, workerpoolrestrict=GROUP, **SIGNED),
    datasetorder=SignedDatasetorder(dataset=DATASET, volume=5, **SIGNED),
    workerpoolorder=SignedWorkerpoolorder(workerpool=POOL, volume=5, category=3, **SIGNED),
    requestorder=SignedRequestorder(
        app=APP,
        dataset=DATASET,
        requester=REQUESTER,
        beneficiary=REQUESTER,
        volume=5,
        category=3,
        params="{}",
        **SIGNED,
    ),
)
Answer = dict[str, Any] | str
REVERT: Answer = {"error": {"code": 3, "message": "execution reverted", "data": "0x"}}
BUSY: Answer = {"error": {"code": -32005, "message": "rate limit"}}


def word(value: int | str) -> str:
    number = int(value, 16) if isinstance(value, str) else value
    return f"0x{number:064x}"


class Node:
    """A transport that answers ``eth_call`` from a table: (address, selector) → hex or error."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, bytes], Answer | Callable[[bytes], Answer]] = {}
        self.batches: list[list[str]] = []
        people = [*OWNERS.values(), REQUESTER]
        self.set(HUB_ADDRESS, HUB.countCategory, word(5))
        self.set(HUB_ADDRESS, HUB.viewConsumed, word(2))
        self.set(HUB_ADDRESS, HUB.verifyPresignatureOrSignature, word(1))
        self.set(HUB_ADDRESS, HUB.viewAccount, word(77) + word(0)[2:])
        self.set(HUB_ADDRESS, HUB.token, word(TOKEN))
        self.set(HUB_ADDRESS, HUB.eip712domain_separator, lambda _: to_hex(self.separator))
        self.set(GROUP, RESTRICTION.keyHasPurpose, word(1))
        for kind, registry in REGISTRIES.items():
            self.set(HUB_ADDRESS, getattr(HUB, f"{kind}registry"), word(registry))
            self.set(registry, REGISTRY.isRegistered, word(1))
        for resource, owner in OWNERS.items():
            self.set(resource, ENTRY.owner, word(owner))
        for person in people:
            self.set(person, ERC1271, "0x")
        self.separator = orders.domain(4242, HUB_ADDRESS).separator

    def set(self, to: str, method: Method, answer: Answer | Callable[[bytes], Answer]) -> None:
        self.table[to.lower(), method.selector] = answer

    def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> Response:
        asked = json.loads(body or b"")
        many = isinstance(asked, list)
        self.batches.append([])
        answers = [self.answer(item) for item in (asked if many else [asked])]
        return Response(200, {}, json.dumps(answers if many else answers[0]).encode(), "http://n")

    def answer(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["method"] == "eth_chainId":
            found: Answer = hex(4242)
        else:
            to, data = item["params"][0]["to"].lower(), from_hex(item["params"][0]["data"])
            entry = self.table[to, data[:4]]
            found = entry(data) if callable(entry) else entry
            self.batches[-1].append(to)
        result = found if isinstance(found, dict) else {"result": found}
        return {"jsonrpc": "2.0", "id": item["id"], **result}


@pytest.fixture
def node() -> Node:
    return Node()


def facts(
    node: Node,
    bundle: OrderSet = ORDERS,
    *,
    ask: Callable[..., Any] = match_facts,
    options: dict[str, Any] | None = None,
    **chain: Any,
) -> Any:
    record = Chain(id=4242, name="test", hub=HUB_ADDRESS, **chain)
    with IExec("http://127.0.0.1:1", chain=record) as iexec:
        iexec._context._made["http"] = node
        node.close = lambda: None  # type: ignore[attr-defined]
        return ask(iexec._context, bundle, **(options or {}))


def test_everything_in_two_batches(node: Node) -> None:
    found = facts(node)
    assert found.app.owner == OWNERS[APP]
    assert (found.dataset.owner, found.workerpool.owner) == (OWNERS[DATASET], OWNERS[POOL])
    assert found.request.owner == REQUESTER
    for part in (found.app, found.dataset, found.workerpool, found.request):
        assert (part.signed, part.consumed, part.registered) == (True, 2, True)
    assert found.category_exists is True
    assert (found.requester_stake, found.workerpool_stake) == (77, 77)
    assert found.authorized == {(GROUP, POOL)}
    assert found.kyc is None
    # chain id, the hub's domain, the registries; then the two
    assert [len(batch) for batch in node.batches] == [0, 1, 3, 11, 7]


def test_no_question_about_a_dataset_that_is_not_used(node: Node) -> None:
    for key in [key for key in node.table if key[0] == DATASET]:
        del node.table[key]
    bundle = ORDERS._replace(
        datasetorder=NULL_DATASETORDER,
        requestorder=replace(ORDERS.requestorder, dataset=NULL_ADDRESS),
    )
    assert facts(node, bundle).dataset is None


@pytest.mark.parametrize("answer", ["0x", REVERT, word(2**255), "0x1234"])
def test_what_others_answer_may_be_nonsense(node: Node, answer: Answer) -> None:
    node.set(GROUP, RESTRICTION.keyHasPurpose, answer)
    node.set(APP, ENTRY.owner, answer)
    node.set(REGISTRIES["app"], REGISTRY.isRegistered, word(0))
    node.table[NULL_ADDRESS, ERC1271.selector] = "0x"
    found = facts(node)
    assert found.authorized == frozenset()
    assert (found.app.owner, found.app.registered) == (NULL_ADDRESS, False)


@pytest.mark.parametrize(
    ("to", "method"),
    [
        (HUB_ADDRESS, HUB.countCategory),
        (HUB_ADDRESS, HUB.viewConsumed),
        (HUB_ADDRESS, HUB.viewAccount),
        (REGISTRIES["app"], REGISTRY.isRegistered),
    ],
)
@pytest.mark.parametrize("answer", ["0x", REVERT, BUSY])
def test_the_hub_must_answer(node: Node, to: str, method: Method, answer: Answer) -> None:
    node.set(to, method, answer)
    with pytest.raises(Web3ProviderCallError) as caught:
        facts(node)
    assert caught.value.retryable is (answer is BUSY)


@pytest.mark.parametrize(
    ("to", "method"),
    [
        (GROUP, RESTRICTION.keyHasPurpose),
        (APP, ENTRY.owner),
        (HUB_ADDRESS, HUB.verifyPresignatureOrSignature),
    ],
)
def test_a_busy_node_is_not_a_no(node: Node, to: str, method: Method) -> None:
    node.set(to, method, BUSY)
    with pytest.raises(Web3ProviderCallError, match="rate limit"):
        facts(node)


def test_signatures_that_the_hub_denies(node: Node) -> None:
    """It is asked once more of the owner, who may be a wallet of the first ERC-1271."""
    yes = "0x20c13b0b" + "00" * 28
    asked: list[bytes] = []
    node.set(HUB_ADDRESS, HUB.verifyPresignatureOrSignature, REVERT)

    def judge(data: bytes) -> Answer:
        asked.append(data)
        return yes

    node.set(REQUESTER, ERC1271, judge)
    node.set(OWNERS[APP], ERC1271, REVERT)
    node.set(OWNERS[POOL], ERC1271, "0xffffffff" + "00" * 28)
    found = facts(node)
    assert found.request.signed is True
    assert not any((found.app.signed, found.dataset.signed, found.workerpool.signed))
    [data] = asked
    signed, signature = ERC1271.decode_input(data)
    digest = orders.order_hash(ORDERS.requestorder, orders.domain(4242, HUB_ADDRESS))
    assert isinstance(signed, bytes)
    assert to_hex(keccak(signed)) == digest
    assert signature == b"\x55" * 65


def test_kyc_of_everybody_who_takes_part(node: Node) -> None:
    good = {REQUESTER, OWNERS[APP]}

    def judge(data: bytes) -> Answer:
        return word(int("0x" + data[-20:].hex() in good))

    node.set(TOKEN, ERLC.isKYC, judge)
    assert facts(node, flavour="enterprise").kyc == good


def test_what_is_still_to_be_signed_counts_as_signed_and_unused(node: Node) -> None:
    node.set(HUB_ADDRESS, HUB.verifyPresignatureOrSignature, word(0))
    to_sign = ("requestorder", "workerpoolorder")
    found = facts(node, options={"to_sign": to_sign})
    parts = (found.app, found.dataset, found.workerpool, found.request)
    assert [part.signed for part in parts] == [False, False, True, True]
    assert [part.consumed for part in parts] == [2, 2, 0, 0]
    # the owners of the others alone are asked once more
    assert node.batches[-1] == [OWNERS[APP], OWNERS[DATASET]]


def test_a_sponsor_pays_in_the_place_of_the_requester(node: Node) -> None:
    sponsor = address("a")
    rich = {sponsor[2:]: 500, REQUESTER[2:]: 77, OWNERS[POOL][2:]: 30}
    node.set(HUB_ADDRESS, HUB.viewAccount, lambda data: word(rich[data[-20:].hex()]) + word(0)[2:])
    found = facts(node, options={"sponsor": sponsor})
    assert (found.sponsor, found.requester_stake, found.workerpool_stake) == (sponsor, 500, 30)
    found = facts(node)
    assert (found.sponsor, found.requester_stake, found.workerpool_stake) == (None, 77, 30)


def test_the_members_of_a_group_are_asked_for_by_their_key(node: Node) -> None:
    """A key of ERC-725 is 32 bytes: the address in the last twenty; 4 is what members have."""
    asked: list[Any] = []

    def judge(data: bytes) -> Answer:
        asked.append(RESTRICTION.keyHasPurpose.decode_input(data))
        return word(0)

    node.set(GROUP, RESTRICTION.keyHasPurpose, judge)
    assert facts(node).authorized == frozenset()
    assert asked == [("0x" + "00" * 12 + POOL[2:], 4)]


@pytest.mark.parametrize(("count", "exists"), [(3, False), (4, True)])
def test_categories_are_counted_from_nought(node: Node, count: int, exists: bool) -> None:
    """The request is for category 3."""
    node.set(HUB_ADDRESS, HUB.countCategory, word(count))
    assert facts(node).category_exists is exists


def test_an_offer_alone(node: Node) -> None:
    found, stake = facts(node, ORDERS.workerpoolorder, ask=offer_facts)
    assert (found.owner, found.signed, found.consumed) == (OWNERS[POOL], True, 2)
    assert (found.registered, stake) == (True, 77)
    about = [HUB_ADDRESS, HUB_ADDRESS, REGISTRIES["workerpool"], POOL]
    assert node.batches[-2:] == [about, [HUB_ADDRESS] * 2]


def test_an_offer_that_is_not_one(node: Node) -> None:
    node.set(HUB_ADDRESS, HUB.verifyPresignatureOrSignature, word(0))
    node.set(REGISTRIES["app"], REGISTRY.isRegistered, word(0))
    node.set(APP, ENTRY.owner, "0x")
    node.table[NULL_ADDRESS, ERC1271.selector] = "0x"
    found, _ = facts(node, ORDERS.apporder, ask=offer_facts)
    assert (found.owner, found.signed, found.registered) == (NULL_ADDRESS, False, False)


def test_a_contract_that_owns_an_offer_may_have_signed(node: Node) -> None:
    node.set(HUB_ADDRESS, HUB.verifyPresignatureOrSignature, word(0))
    node.set(OWNERS[APP], ERC1271, "0x20c13b0b" + "00" * 28)
    found, _ = facts(node, ORDERS.apporder, ask=offer_facts)
    assert found.signed is True
