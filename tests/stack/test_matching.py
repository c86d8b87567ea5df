"""``matching.check`` beside ``matchOrders`` of the real contracts: same verdict on every order set.

Each reason alone, then hundreds of random sets: a call of ``matchOrders`` says what the contracts
would do, without doing it. ``IEXEC_LITE_SEED`` repeats a random run; a failing one prints it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import MatchError, ValidationError
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.net.rpc import RpcError
from iexec_lite.protocol import matching, orders
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.matching import MatchReport, OrderSet
from iexec_lite.protocol.orders import (
    NULL_ADDRESS,
    NULL_BYTES32,
    NULL_DATASETORDER,
    SIGNED_ORDER_KINDS,
)
from iexec_lite.protocol.rules import V6
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.facts import match_facts
from iexec_lite.sdk.records import PublishedOrder

from ..seed import draw

PRICE = 1000
VOLUME = 5
REQUESTER_STAKE, POOL_STAKE = 4 * VOLUME * PRICE, 400 * VOLUME
POOL_LIMIT = 1336  # a price of which 30 %, rounded down, is the stake for each of 5 tasks
SIGN, CLOSE = 0, 1  # operations of manage…Order
CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

NAMES = ("apporder", "datasetorder", "workerpoolorder", "requestorder")
SIGNERS = dict(
    zip(NAMES, ("app-provider", "dataset-provider", "workerpool-owner", "requester"), strict=True)
)
NOBODY = "0x" + "77" * 20


def place(number: int) -> str:
    """An address for a contract written here."""
    return f"0x{number:02x}" + "0" * 36 + "e1"


# --- contracts of a few instructions --------------------------------------------------------------

YES = "6001" + "600052" + "60206000f3"  # to everything
NO = "6000" + "600052" + "60206000f3"
TWO = "6002" + "600052" + "60206000f3"  # is no bool
SILENT = "00"
REVERTS = "60006000fd"


def member_only(address: str) -> str:
    """An ERC-734 group with one member for purpose 4."""
    key = address[2:].lower().rjust(64, "0")
    return f"6004357f{key}14" + "602435600414" + "16" + "600052" + "60206000f3"


def wallet_code(selector: str) -> str:
    """A contract wallet that accepts every signature by this function, and reverts otherwise."""
    return f"60003560e01c63{selector}14601357600080fd5b63{selector}60e01b" + "600052" + "60206000f3"


GROUPS = {
    "everybody": place(0x11),
    "nobody": place(0x12),
    "two": place(0x13),
    "silent": place(0x14),
    "broken": place(0x15),
    "workerpool": place(0x16),
    "requester": place(0x17),
}
WALLETS = {"1626ba7e": place(0x21), "20c13b0b": place(0x22)}  # ERC-1271 of today, and the first


# --- a market -------------------------------------------------------------------------------------


@dataclass
class Market:
    """Two of each resource, and everybody's signature. Orders are dictionaries until signed."""

    sandbox: Sandbox
    client: Callable[[str], IExec]
    apps: tuple[str, str] = ("", "")
    datasets: tuple[str, str] = ("", "")
    pools: tuple[str, str] = ("", "")  # the second is the requester's own
    wallet_app: str = ""  # belongs to a contract wallet

    def build(self) -> Market:
        node = self.sandbox.node
        codes = {"everybody": YES, "nobody": NO, "two": TWO, "silent": SILENT, "broken": REVERTS}
        for name, code in codes.items():
            node.set_code(GROUPS[name], "0x" + code)
        for selector, address in WALLETS.items():
            node.set_code(address, "0x" + wallet_code(selector))
        people = accounts.addresses()
        self.apps = (self._app("one", people["app-provider"]), self._app("two", people["admin"]))
        self.wallet_app = self._app("three", WALLETS["1626ba7e"])
        self.datasets = (self._dataset("one"), self._dataset("two"))
        self.pools = (self._pool("workerpool-owner"), self._pool("requester"))
        node.set_code(GROUPS["workerpool"], "0x" + member_only(self.pools[0]))
        node.set_code(GROUPS["requester"], "0x" + member_only(people["requester"]))
        self.client("requester").account.deposit(REQUESTER_STAKE)
        self.client("workerpool-owner").account.deposit(POOL_STAKE)
        stakes = [REQUESTER_STAKE] * len(WALLETS)
        self._send(
            "admin",
            HUB.depositForArray.encode(stakes, list(WALLETS.values())),
            deposit=sum(stakes),
        )
        return self

    def _app(self, name: str, owner: str) -> str:
        return (
            self.client("app-provider")
            .app.deploy_app(
                {
                    "owner": owner,
                    "name": name,
                    "type": "DOCKER",
                    "multiaddr": "docker.io/x:1",
                    "checksum": NULL_BYTES32,
                }
            )
            .address
        )

    def _dataset(self, name: str) -> str:
        seller = self.client("dataset-provider")
        return seller.dataset.deploy_dataset(
            {
                "owner": seller.wallet.get_address(),
                "name": name,
                "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
                "checksum": NULL_BYTES32,
            }
        ).address

    def _pool(self, name: str) -> str:
        owner = self.client(name)
        return owner.workerpool.deploy_workerpool(
            {"owner": owner.wallet.get_address(), "description": "pool"}
        ).address

    def _send(self, name: str, data: bytes, *, deposit: int = 0) -> None:
        context, native = self.client(name)._context, self.sandbox.chain.native
        if deposit and not native:
            from iexec_lite.protocol.contracts import TOKEN

            approve = TOKEN.approve.encode(context.hub, deposit)
            context.send("approve", {"n": deposit}, context.token, approve, new=True)
        value = deposit * 10**9 if native else 0
        context.send("test", {"data": to_hex(data)}, context.hub, data, value=value, new=True)

    def fields(self, *, dataset: bool = True) -> dict[str, dict[str, Any]]:
        """Four orders that match, as their fields; at the limit of the requester's stake or not."""
        who = accounts.addresses()["requester"]
        common = {"volume": VOLUME, "tag": NULL_BYTES32, "salt": to_hex(random_bytes(32))}
        used = self.datasets[0] if dataset else NULL_ADDRESS
        return {
            "apporder": {"app": self.apps[0], "appprice": PRICE, **common},
            "datasetorder": {"dataset": used, "datasetprice": PRICE * dataset, **common},
            "workerpoolorder": {
                "workerpool": self.pools[0],
                "workerpoolprice": PRICE,
                "category": 0,
                "trust": 3,
                **common,
            },
            "requestorder": {
                "app": self.apps[0],
                "appmaxprice": PRICE,
                "dataset": used,
                "datasetmaxprice": PRICE,
                "workerpool": NULL_ADDRESS,
                "workerpoolmaxprice": PRICE,
                "requester": who,
                "beneficiary": who,
                "category": 0,
                "trust": 3,
                "params": "{}",
                **common,
            },
        }

    def sign(
        self, fields: dict[str, dict[str, Any]], signers: dict[str, str] | None = None
    ) -> OrderSet:
        """The orders signed, each by its usual signer or by those named. No question asked."""
        domain = self.client("admin")._context.domain
        found = {}
        for name in NAMES:
            order = SIGNED_ORDER_KINDS[name](**{"sign": "0x", **fields[name]})
            signer = accounts.signer((signers or {}).get(name, SIGNERS[name]))
            sign = signer.sign_typed_data(orders.typed_data(order, domain))
            found[name] = replace(order, sign=to_hex(sign))
        return OrderSet(**found)

    def manage(self, order: Any, operation: int, by: str) -> None:
        """Presign or cancel on chain."""
        method = getattr(HUB, f"manage{order.solidity}")
        self._send(by, method.encode((order.abi_value(), operation, b"")))

    def ours(self, bundle: OrderSet) -> MatchReport:
        return matching.check(bundle, match_facts(self.client("admin")._context, bundle), V6)

    def theirs(self, bundle: OrderSet) -> tuple[bool, str]:
        """Whether the contracts would match, and what they say if not."""
        try:
            answer = self.sandbox.node.rpc.call(
                self.sandbox.deployment.hub, HUB.matchOrders.encode(*bundle)
            )
        except RpcError as error:
            if error.kind != "revert":
                raise
            return False, error.reason or ""
        assert len(answer) == 32
        return True, ""

    def agree(self, bundle: OrderSet) -> MatchReport:
        """Both verdicts are the same, and what the contracts complain of is among our reasons."""
        report, (accepted, reason) = self.ours(bundle), self.theirs(bundle)
        assert report.ok == accepted, (report.reasons, reason, bundle)
        if reason.startswith("iExecV5-matchOrders-"):
            assert reason in {each.code for each in report.reasons}, (report.reasons, reason)
        return report


def _market(sandbox: Sandbox) -> Iterator[Market]:
    clients: dict[str, IExec] = {}

    def client(name: str) -> IExec:
        if name not in clients:
            clients[name] = IExec(sandbox.chain, accounts.signer(name))
        return clients[name]

    snapshot = sandbox.node.rpc.request("evm_snapshot")
    yield Market(sandbox, client).build()
    assert sandbox.node.rpc.request("evm_revert", (snapshot,)) is True
    for each in clients.values():
        each.close()


@pytest.fixture(scope="module")
def token_market(token_chain: Sandbox) -> Iterator[Market]:
    yield from _market(token_chain)


@pytest.fixture
def market(token_market: Market) -> Iterator[Market]:
    """The market of this module; what a test changes on chain is taken back."""
    rpc = token_market.sandbox.node.rpc
    snapshot = rpc.request("evm_snapshot")
    yield token_market
    assert rpc.request("evm_revert", (snapshot,)) is True


# --- each reason ----------------------------------------------------------------------------------

TEE, GPU = f"0x{1:064x}", f"0x{0x100:064x}"

# code → order, field, value (if callable, made of the market). A restriction to what is no group
# reverts without a code, so here it is one without members.
SINGLE: dict[str, tuple[str, str, Any]] = {
    "0x00": ("requestorder", "category", 1),
    "0x02": ("requestorder", "trust", 4),
    "0x03": ("requestorder", "appmaxprice", PRICE - 1),
    "0x04": ("requestorder", "datasetmaxprice", PRICE - 1),
    "0x05": ("requestorder", "workerpoolmaxprice", PRICE - 1),
    "0x06": ("requestorder", "tag", GPU),
    "0x10": ("requestorder", "app", lambda m: m.apps[1]),
    "0x11": ("requestorder", "dataset", lambda m: m.datasets[1]),
    "0x12": ("requestorder", "workerpool", GROUPS["nobody"]),
    "0x13": ("apporder", "datasetrestrict", GROUPS["nobody"]),
    "0x14": ("apporder", "workerpoolrestrict", GROUPS["nobody"]),
    "0x15": ("apporder", "requesterrestrict", GROUPS["nobody"]),
    "0x16": ("datasetorder", "apprestrict", GROUPS["nobody"]),
    "0x17": ("datasetorder", "workerpoolrestrict", GROUPS["nobody"]),
    "0x18": ("datasetorder", "requesterrestrict", GROUPS["nobody"]),
    "0x19": ("workerpoolorder", "apprestrict", GROUPS["nobody"]),
    "0x1a": ("workerpoolorder", "datasetrestrict", GROUPS["nobody"]),
    "0x1b": ("workerpoolorder", "requesterrestrict", GROUPS["nobody"]),
    "0x60": ("apporder", "volume", 0),
}


def codes(report: MatchReport) -> list[str]:
    return [each.code.removeprefix("iExecV5-matchOrders-") for each in report.reasons]


def set_field(market: Market, fields: Any, name: str, field: str, value: Any) -> None:
    fields[name][field] = value(market) if callable(value) else value


def refused_alone(market: Market, bundle: OrderSet, code: str) -> None:
    """Refused for this reason only; the contracts give the same code."""
    assert codes(market.agree(bundle)) == [code]
    assert market.theirs(bundle) == (False, "iExecV5-matchOrders-" + code)


def test_a_good_match(market: Market) -> None:
    for dataset in (True, False):
        assert market.agree(market.sign(market.fields(dataset=dataset))).ok


@pytest.mark.parametrize("code", SINGLE)
def test_each_reason(market: Market, code: str) -> None:
    fields = market.fields()
    set_field(market, fields, *SINGLE[code])
    refused_alone(market, market.sign(fields), code)


@pytest.mark.parametrize("code", [code for code in SINGLE if code[2] == "1" and code > "0x11"])
def test_groups(market: Market, code: str) -> None:
    """A restriction may be a group contract, of the contracts' own opinion on who is in it."""
    name, field, _ = SINGLE[code]
    kind = field.removesuffix("restrict")  # of a request order, the field is the restriction
    for group, address in GROUPS.items():
        fields = market.fields()
        fields[name][field] = address
        report = market.agree(market.sign(fields))
        assert codes(report) == ([] if group in ("everybody", kind) else [code]), group
    for address in (NOBODY, market.apps[1], market.pools[1]):
        fields = market.fields()
        fields[name][field] = address
        assert codes(market.agree(market.sign(fields))) == [code]
    fields = market.fields()
    request = fields["requestorder"]
    right = {
        "app": market.apps[0],
        "dataset": market.datasets[0],
        "workerpool": market.pools[0],
        "requester": request["requester"],
    }
    fields[name][field] = right[kind]
    assert market.agree(market.sign(fields)).ok


def test_a_category_that_does_not_exist(market: Market) -> None:
    for number in (5, 2**255):
        fields = market.fields()
        fields["requestorder"]["category"] = fields["workerpoolorder"]["category"] = number
        refused_alone(market, market.sign(fields), "0x01")


@pytest.mark.parametrize("name", ["datasetorder", "requestorder"])
def test_tee_of_others_needs_a_tee_app(market: Market, name: str) -> None:
    fields = market.fields()
    fields[name]["tag"] = fields["workerpoolorder"]["tag"] = TEE
    refused_alone(market, market.sign(fields), "0x07")
    fields["apporder"]["tag"] = TEE
    assert market.agree(market.sign(fields)).tag == TEE


def test_a_dataset_that_was_not_asked_for(market: Market) -> None:
    fields = market.fields()
    fields["requestorder"]["dataset"] = NULL_ADDRESS
    refused_alone(market, market.sign(fields), "0x11")
    bundle = market.sign(market.fields())._replace(datasetorder=NULL_DATASETORDER)
    assert codes(market.agree(bundle)) == ["0x11"]


def test_an_order_of_no_dataset_still_has_conditions(market: Market) -> None:
    """Nobody owns it and nobody is paid, but the contracts read its price, tag and restrictions."""
    for field, value, code in (
        ("datasetprice", PRICE + 1, "0x04"),
        ("tag", GPU, "0x06"),
        ("apprestrict", GROUPS["nobody"], "0x16"),
        ("requesterrestrict", GROUPS["nobody"], "0x18"),
    ):
        fields = market.fields(dataset=False)
        fields["datasetorder"][field] = value
        refused_alone(market, market.sign(fields), code)
    fields = market.fields(dataset=False)
    fields["datasetorder"].update(datasetprice=PRICE, volume=0)
    assert market.agree(market.sign(fields)).total == 2 * PRICE * VOLUME


@pytest.mark.parametrize(
    ("name", "digit"), [("apporder", "2"), ("datasetorder", "3"), ("workerpoolorder", "4")]
)
def test_an_address_that_is_not_registered(market: Market, name: str, digit: str) -> None:
    field = name.removesuffix("order")
    # a contract with an owner, but of another kind: the contracts get as far as their own reason
    other = market.pools[0] if field != "workerpool" else market.apps[0]
    for address in (other, NOBODY, GROUPS["broken"], market.sandbox.deployment.hub):
        fields = market.fields()
        fields[name][field] = address
        if field != "workerpool":
            fields["requestorder"][field] = address
        bundle = market.sign(fields)
        assert codes(market.agree(bundle)) == [f"0x{digit}0"], address
        if address == other:
            refused_alone(market, bundle, f"0x{digit}0")


@pytest.mark.witness("signature of *", by="contracts")
@pytest.mark.parametrize(
    ("name", "code"), list(zip(NAMES, ("0x21", "0x31", "0x41", "0x50"), strict=True))
)
def test_signatures(market: Market, name: str, code: str) -> None:
    good = market.sign(market.fields())
    order = getattr(good, name)
    sign = from_hex(order.sign)
    r, s, v = sign[:32], int.from_bytes(sign[32:64], "big"), sign[64]
    twin = (CURVE - s).to_bytes(32, "big")
    accepted = {
        "v from 0": sign[:64] + bytes([v - 27]),
        "compact": r + (s | ((v - 27) << 255)).to_bytes(32, "big"),
        "high s": r + twin + bytes([55 - v]),
    }
    for what, value in accepted.items():
        bundle = good._replace(**{name: replace(order, sign=to_hex(value))})
        assert market.agree(bundle).ok, what
    refused = {
        "none": b"",
        "short": sign[:63],
        "long": sign + b"\0",
        "v": sign[:64] + b"\x1d",
        "zero": bytes(65),
        "other": random_bytes(64) + b"\x1b",
        "of another": from_hex(getattr(good, NAMES[NAMES.index(name) - 1]).sign),
    }
    for what, value in refused.items():
        bundle = good._replace(**{name: replace(order, sign=to_hex(value))})
        assert codes(market.agree(bundle)) == [code], what
    unsigned = good._replace(**{name: replace(order, sign="0x")})
    market.manage(order, SIGN, SIGNERS[name])
    assert market.agree(unsigned).ok  # presigned
    buyer = market.client("requester").order
    assert buyer.match_orders(**unsigned._asdict(), check_request=False).volume == VOLUME


@pytest.mark.parametrize(
    ("sign", "unsigned"),
    [("0x", True), ("0x" + "00" * 64 + "1b", False), ("0x" + "ff" * 64, False)],
)
def test_nobody_buys_for_nothing(market: Market, sign: str, unsigned: bool) -> None:
    """What no key has signed recovers to the zero address: the hub takes it for its signature."""
    fields = market.fields()
    for name in ("app", "dataset", "workerpool"):
        fields[f"{name}order"][f"{name}price"] = 0
    fields["requestorder"]["requester"] = NULL_ADDRESS
    bundle = market.sign(fields)
    bundle = bundle._replace(requestorder=replace(bundle.requestorder, sign=sign))
    assert codes(market.agree(bundle)) == ["0x50"] * unsigned + ["requester"]
    accepted, reason = market.theirs(bundle)
    assert not accepted
    assert unsigned or reason == "ERC20: transfer from the zero address"


@pytest.mark.parametrize("selector", WALLETS)
def test_a_contract_wallet_pays(market: Market, selector: str) -> None:
    """The first ERC-1271 takes the signed bytes: the hub's own view of signatures denies it."""
    fields = market.fields()
    fields["requestorder"]["requester"] = WALLETS[selector]
    fields["requestorder"]["sign"] = "0x1234"
    bundle = market.sign(fields)
    bundle = bundle._replace(requestorder=replace(bundle.requestorder, sign="0x1234"))
    assert market.agree(bundle).ok
    anybody = market.client("admin").order
    assert anybody.match_orders(**bundle._asdict(), check_request=False).volume == VOLUME


def test_a_contract_wallet_sells(market: Market) -> None:
    fields = market.fields()
    fields["apporder"]["app"] = fields["requestorder"]["app"] = market.wallet_app
    bundle = market.sign(fields)
    assert market.agree(bundle._replace(apporder=replace(bundle.apporder, sign="0x"))).ok


@pytest.mark.parametrize("name", NAMES)
def test_cancelled_orders(market: Market, name: str) -> None:
    bundle = market.sign(market.fields())
    market.manage(getattr(bundle, name), CLOSE, SIGNERS[name])
    refused_alone(market, bundle, "0x60")


def test_volume_is_what_is_left_of_each(market: Market) -> None:
    fields = market.fields()
    fields["requestorder"]["volume"] = 2
    first = market.sign(fields)
    buyer = market.client("requester").order
    made = buyer.match_orders(**first._asdict(), check_request=False)
    assert (made.volume, list(made.taskids)) == (2, [0, 1])
    assert codes(market.agree(first)) == ["0x60"]
    fields["requestorder"] |= {"volume": 9, "salt": to_hex(random_bytes(32))}
    second = market.sign(fields)
    assert market.agree(second).volume == VOLUME - 2
    made = buyer.match_orders(**second._asdict(), check_request=False)
    assert (made.volume, list(made.taskids)) == (3, [0, 1, 2])
    assert codes(market.agree(second)) == ["0x60"] * 3
    for name in ("requester", "workerpool-owner"):
        market.client(name).account.deposit(REQUESTER_STAKE)
    fresh = market.fields()
    rest = market.sign({**fresh, "requestorder": fields["requestorder"]})
    made = buyer.match_orders(**rest._asdict(), check_request=False)
    assert list(made.taskids) == [3, 4, 5, 6, 7]


# --- money ----------------------------------------------------------------------------------------


def test_the_requester_must_have_the_whole_price(market: Market) -> None:
    fields = market.fields()
    for volume, price, text in (
        (1, REQUESTER_STAKE, "Cost per task"),
        (VOLUME, 4 * PRICE, "Total cost for 5 tasks"),
        (VOLUME, 2**256 - 1, "Cost per task"),
    ):
        fields["apporder"].update(appprice=price, volume=volume)
        fields["requestorder"]["appmaxprice"] = price
        report = market.agree(market.sign(fields))
        assert codes(report) == ["requester-stake"]
        assert report.reasons[0].text.startswith(text)
        assert report.requester_shortfall == report.total - REQUESTER_STAKE


def test_prices_to_the_last_nrlc(market: Market) -> None:
    fields = market.fields(dataset=False)
    limit = REQUESTER_STAKE // VOLUME - PRICE
    fields["requestorder"]["appmaxprice"] = limit + 1
    for price, good in ((limit, True), (limit + 1, False)):
        fields["apporder"]["appprice"] = price
        assert market.agree(market.sign(fields)).ok is good


def test_the_pool_must_have_its_stake(market: Market) -> None:
    """30 % of the price, rounded down for one task, then times the tasks."""
    fields = market.fields(dataset=False)
    fields["apporder"]["appprice"] = 0
    for price, good in ((POOL_LIMIT - 3, True), (POOL_LIMIT, True), (POOL_LIMIT + 1, False)):
        fields["workerpoolorder"]["workerpoolprice"] = price
        fields["requestorder"]["workerpoolmaxprice"] = price
        report = market.agree(market.sign(fields))
        assert codes(report) == ([] if good else ["workerpool-stake"]), price


def test_one_account_that_pays_and_stakes(market: Market) -> None:
    fields = market.fields(dataset=False)
    fields["workerpoolorder"]["workerpool"] = market.pools[1]
    signers = {"workerpoolorder": "requester"}
    per_task = REQUESTER_STAKE // VOLUME
    price = per_task * 100 // 130
    for app, good in ((per_task - price - price * 30 // 100, True), (per_task - price, False)):
        fields["apporder"]["appprice"] = fields["requestorder"]["appmaxprice"] = app
        fields["workerpoolorder"]["workerpoolprice"] = price
        fields["requestorder"]["workerpoolmaxprice"] = price
        report = market.agree(market.sign(fields, signers))
        assert codes(report) == ([] if good else ["shared-stake"])


# --- before the purchase --------------------------------------------------------------------------


def published(market: Market, order: Any) -> PublishedOrder[Any]:
    """As it comes from the marketplace."""
    context = market.client("admin")._context
    return PublishedOrder(
        order_hash=orders.order_hash(order, context.domain),
        chain_id=context.chain.id,
        order=order,
        remaining=order.volume,
        status="open",
        publication_timestamp="",
        signer=NOBODY,
    )


def stakes(market: Market) -> list[int]:
    """Of the requester and of the workerpool's owner."""
    people, account = accounts.addresses(), market.client("admin").account
    names = ("requester", "workerpool-owner")
    return [account.check_balance(people[name]).stake for name in names]


def test_an_estimate_is_what_happens(market: Market) -> None:
    fields = market.fields()
    fields["requestorder"]["volume"] = 2
    bundle = market.sign(fields)
    found = {name: published(market, order) for name, order in bundle._asdict().items()}
    before = stakes(market)
    with IExec(market.sandbox.chain) as anybody:
        estimate = anybody.order.estimate_match_orders(**found)
    assert (estimate.volume, estimate.total) == (2, 6 * PRICE)
    assert (estimate.requester_shortfall, estimate.workerpool_shortfall) == (0, 0)
    assert estimate.to_dict() == {
        **{"volume": "2", "total": "6000", "appPrice": "1000", "datasetPrice": "1000"},
        **{"workerpoolPrice": "1000", "workerpoolStake": "600"},
        **{"requesterShortfall": "0", "workerpoolShortfall": "0"},
    }
    made = market.client("requester").order.match_orders(**found, check_request=False)
    assert made.volume == estimate.volume
    spent = [old - new for old, new in zip(before, stakes(market), strict=True)]
    assert spent == [estimate.total, estimate.workerpool_stake]


def test_an_estimate_tells_what_is_missing(market: Market) -> None:
    fields = market.fields()
    price = 2 * PRICE * 10
    fields["workerpoolorder"]["workerpoolprice"] = price
    fields["requestorder"]["workerpoolmaxprice"] = price
    bundle = market.sign(fields)
    buyer = market.client("requester")
    report = market.agree(bundle)
    assert codes(report) == ["workerpool-stake", "requester-stake"]
    estimate = buyer.order.estimate_match_orders(**bundle._asdict())
    with IExec(market.sandbox.chain) as anybody:
        check = anybody.order.check_match_orders(**bundle._asdict(), check_request=False)
        first, *rest = anybody.order.check_match_orders(**bundle._asdict()).reasons
        with pytest.raises(ValidationError, match="app is a required field"):
            anybody.order.check_match_orders(**{**bundle._asdict(), "apporder": {}})
    assert check.reasons == tuple(rest) == report.reasons
    assert first.code == "request"
    assert "iexec_result_storage_provider is a required field" in first.text
    assert check.to_dict() == {
        **estimate.to_dict(),
        "reasons": [{"code": reason.code, "text": reason.text} for reason in report.reasons],
    }
    assert estimate.requester_shortfall == estimate.total - REQUESTER_STAKE > 0
    assert estimate.workerpool_shortfall == estimate.workerpool_stake - POOL_STAKE > 0
    buyer.account.deposit(estimate.requester_shortfall)
    market.client("workerpool-owner").account.deposit(estimate.workerpool_shortfall)
    assert market.agree(bundle).ok
    made = buyer.order.match_orders(**bundle._asdict(), check_request=False)
    assert made.volume == estimate.volume == VOLUME
    with pytest.raises(MatchError) as caught:
        buyer.order.estimate_match_orders(**bundle._asdict())
    assert [each["code"][-4:] for each in caught.value.details["reasons"]] == ["0x60"] * 4


# --- all at once ----------------------------------------------------------------------------------


def test_every_reason_is_told_and_nothing_is_sent(market: Market) -> None:
    fields = market.fields()
    for code, change in SINGLE.items():
        if code not in ("0x10", "0x11"):
            set_field(market, fields, *change)
    bundle = market.sign(fields, {"datasetorder": "requester"})
    buyer, rpc = market.client("requester"), market.sandbox.node.rpc
    asked = (buyer.wallet.get_address(), "pending")
    nonce = rpc.request("eth_getTransactionCount", asked)
    with pytest.raises(MatchError) as caught:
        buyer.order.match_orders(**bundle._asdict(), check_request=False)
    told = [reason["code"][-4:] for reason in caught.value.details["reasons"]]
    assert sorted(told) == sorted(
        ["0x31", *(code for code in SINGLE if code not in ("0x10", "0x11"))]
    )
    assert len(caught.value.errors) == len(told)
    assert rpc.request("eth_getTransactionCount", asked) == nonce


# --- random order sets ----------------------------------------------------------------------------


class Mutator:
    """Random changes to a good set of orders."""

    def __init__(self, market: Market, rng: random.Random) -> None:
        self.market = market
        self.rng = rng

    def bundle(self) -> OrderSet:
        rng, market = self.rng, self.market
        fields = market.fields(dataset=rng.random() < 0.6)
        signers: dict[str, str] = {}
        count = rng.choice([0, 1, 1, 1, 2, 2, 3, 5])
        for change in rng.choices(self.CHANGES, k=count):
            change(self, fields, signers)
        bundle = market.sign(fields, signers)
        if rng.random() < 0.2:
            name = rng.choice(NAMES)
            bundle = bundle._replace(**{name: self.touched(getattr(bundle, name))})
        if bundle.datasetorder.dataset == NULL_ADDRESS and rng.random() < 0.5:
            bundle = bundle._replace(datasetorder=NULL_DATASETORDER)
        if rng.random() < 0.08:
            name = rng.choice(NAMES)
            order = getattr(bundle, name)
            if order.sign != "0x" and (name != "datasetorder" or bundle.has_dataset):
                self.manage(order, signers.get(name, SIGNERS[name]))
                if rng.random() < 0.5:
                    bundle = bundle._replace(**{name: replace(order, sign="0x")})
        return bundle

    def touched(self, order: Any) -> Any:
        sign = from_hex(order.sign)
        v_from_0, bad_v = bytes([sign[64] - 27]), b"\x1d"
        others = (b"", sign[:-1], sign[:64] + v_from_0, sign[:64] + bad_v, bytes(65))
        other = self.rng.choice([*others, bytes([sign[0] ^ 1]) + sign[1:]])
        return replace(order, sign=to_hex(other))

    def manage(self, order: Any, by: str) -> None:
        try:
            self.market.manage(order, self.rng.choice([SIGN, CLOSE]), by)
        except Exception as error:
            if "invalid-sender" not in str(error) and "cannot estimate gas" not in str(error):
                raise  # not the owner: nothing is presigned then

    def _price(self, fields: Any, _: Any) -> None:
        name = self.rng.choice(["app", "dataset", "workerpool"])
        value = self.rng.choice([0, 1, 3, PRICE, PRICE + 1, 2 * PRICE, 4 * PRICE, 10**20, 2**255])
        fields[f"{name}order"][f"{name}price"] = value
        if self.rng.random() < 0.7:
            fields["requestorder"][f"{name}maxprice"] = value

    def _stake(self, fields: Any, _: Any) -> None:
        """A price at the limit of the stake of the workerpool's owner, within the requester's."""
        value = self.rng.choice([POOL_LIMIT, POOL_LIMIT + 1, 2 * PRICE])
        fields["apporder"]["appprice"] = 0
        fields["workerpoolorder"]["workerpoolprice"] = value
        fields["requestorder"]["workerpoolmaxprice"] = value

    def _limit(self, fields: Any, _: Any) -> None:
        name = self.rng.choice(["app", "dataset", "workerpool"])
        fields["requestorder"][f"{name}maxprice"] = self.rng.choice(
            [0, PRICE - 1, 10**20, 2**256 - 1]
        )

    def _volume(self, fields: Any, _: Any) -> None:
        value = self.rng.choice([0, 1, 2, VOLUME + 1, 7, 100, 2**256 - 1])
        for name in self.rng.sample(NAMES, self.rng.choice([1, 1, 2, 4])):
            fields[name]["volume"] = value

    def _tag(self, fields: Any, _: Any) -> None:
        value = f"0x{self.rng.choice([1, 2, 8, 9, 0x100, 0x101, 1 << 255, (1 << 256) - 1]):064x}"
        for name in self.rng.sample(NAMES, self.rng.choice([1, 2, 3, 4])):
            fields[name]["tag"] = value

    def _category(self, fields: Any, _: Any) -> None:
        value = self.rng.choice([0, 1, 4, 5, 6, 2**200])
        for name in self.rng.choice([NAMES[2:], NAMES[2:3], NAMES[3:]]):
            fields[name]["category"] = value

    def _trust(self, fields: Any, _: Any) -> None:
        name = self.rng.choice(NAMES[2:])
        fields[name]["trust"] = self.rng.choice([0, 1, 2, 3, 4, 2**256 - 1])

    def _restriction(self, fields: Any, _: Any) -> None:
        name, kind = self.rng.choice(
            [
                *(("apporder", kind) for kind in ("dataset", "workerpool", "requester")),
                *(("datasetorder", kind) for kind in ("app", "workerpool", "requester")),
                *(("workerpoolorder", kind) for kind in ("app", "dataset", "requester")),
            ]
        )
        request = fields["requestorder"]
        good = {
            "app": fields["apporder"]["app"],
            "dataset": fields["datasetorder"]["dataset"],
            "workerpool": fields["workerpoolorder"]["workerpool"],
            "requester": request["requester"],
        }[kind]
        fields[name][f"{kind}restrict"] = self.rng.choice(
            [good, good, *GROUPS.values(), GROUPS["everybody"], NOBODY, self.market.apps[1]]
        )

    def _request_pool(self, fields: Any, _: Any) -> None:
        pools = self.market.pools
        fields["requestorder"]["workerpool"] = self.rng.choice(
            [pools[0], pools[1], *GROUPS.values(), NOBODY]
        )

    def _app(self, fields: Any, signers: Any) -> None:
        market = self.market
        app = self.rng.choice([market.apps[1], market.wallet_app, market.pools[0], NOBODY])
        fields["apporder"]["app"] = app
        if app == market.apps[1]:
            signers["apporder"] = "admin"
        if self.rng.random() < 0.8:
            fields["requestorder"]["app"] = app

    def _dataset(self, fields: Any, _: Any) -> None:
        market = self.market
        used = self.rng.choice([NULL_ADDRESS, *market.datasets, market.apps[0], NOBODY])
        fields["datasetorder"]["dataset"] = used
        if self.rng.random() < 0.8:
            fields["requestorder"]["dataset"] = used

    def _pool(self, fields: Any, signers: Any) -> None:
        market = self.market
        fields["workerpoolorder"]["workerpool"] = pool = self.rng.choice(
            [market.pools[1], market.pools[1], market.apps[0], NOBODY]
        )
        if pool == market.pools[1]:
            signers["workerpoolorder"] = "requester"

    def _requester(self, fields: Any, signers: Any) -> None:
        people = accounts.addresses()
        who = self.rng.choice(
            ["workerpool-owner", "worker-1", "beneficiary", "1626", "20c1", "zero"]
        )
        wallets = {"1626": WALLETS["1626ba7e"], "20c1": WALLETS["20c13b0b"], "zero": NULL_ADDRESS}
        fields["requestorder"]["requester"] = wallets.get(who) or people[who]
        if who in people:
            signers["requestorder"] = who

    def _signer(self, _: Any, signers: Any) -> None:
        signers[self.rng.choice(NAMES)] = self.rng.choice(list(SIGNERS.values()))

    def _callback(self, fields: Any, _: Any) -> None:
        fields["requestorder"]["callback"] = self.rng.choice([NOBODY, GROUPS["broken"]])
        fields["requestorder"]["params"] = self.rng.choice(['{"iexec_args":"héllo"}', "[]", "7"])

    CHANGES = (
        *(_price, _price, _stake, _limit, _volume, _tag, _category, _trust),
        *(_restriction, _restriction, _restriction, _request_pool),
        *(_app, _dataset, _pool, _requester, _signer, _callback),
    )


def differential(market: Market, count: int, seed: str = "") -> None:
    rng = random.Random(seed or draw())
    mutator, rpc = Mutator(market, rng), market.sandbox.node.rpc
    verdicts, seen, really = [], set(), 0
    for _ in range(count):
        snapshot = rpc.request("evm_snapshot")
        bundle = mutator.bundle()
        report = market.agree(bundle)
        verdicts.append(report.ok)
        seen |= set(codes(report))
        if report.ok and really < count // 10:
            really += 1
            as_foretold(market, bundle, report)
        assert rpc.request("evm_revert", (snapshot,)) is True
    assert 0.15 < sum(verdicts) / count < 0.85, "the cases are too easy or too hard"
    assert len(seen) > 0.5 * len(SINGLE), sorted(seen)


def as_foretold(market: Market, bundle: OrderSet, report: MatchReport) -> None:
    """Match for real: volume, tag, prices and stakes come out as the report says."""
    anybody, request = market.client("admin"), bundle.requestorder
    deal_owner = anybody.workerpool.show_workerpool(bundle.workerpoolorder.workerpool)
    parties = (request.requester, str(deal_owner.properties["owner"]))
    before = [anybody.account.check_balance(party) for party in parties]
    made = anybody.order.match_orders(
        **bundle._asdict(),
        check_request=False,
    )
    deal = anybody.deal.show(made.dealid)
    after = [anybody.account.check_balance(party) for party in parties]
    assert (made.volume, deal.bot_size, deal.tag) == (report.volume, report.volume, report.tag)
    assert (deal.app.price, deal.workerpool.price) == (report.app_price, report.workerpool_price)
    assert deal.dataset.price == report.dataset_price
    assert deal.trust == max(1, request.trust)
    owed = [report.total, report.workerpool_stake]
    if parties[0] == parties[1]:
        owed = [sum(owed)] * 2
    assert [b.stake - a.stake for b, a in zip(before, after, strict=True)] == owed
    assert [a.locked - b.locked for b, a in zip(before, after, strict=True)] == owed


def test_random_orders(market: Market) -> None:
    differential(market, 400)


def test_random_orders_on_a_native_chain(native_chain: Sandbox) -> None:
    for market in _market(native_chain):
        differential(market, 60)


@pytest.mark.parametrize(
    "forgotten",
    [
        *("_party_reasons", "_address_reasons", "_restriction_reasons", "_term_reasons"),
        *("_tag_reasons", "_price_reasons", "_volume_reasons"),
        *("_workerpool_stake_reasons", "_requester_stake_reasons"),
    ],
)
def test_a_forgotten_check_would_be_noticed(
    market: Market, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    monkeypatch.setattr(matching, forgotten, lambda *_: ())
    with pytest.raises(AssertionError, match=r"Reason|OrderSet"):
        differential(market, 400, "planted")
