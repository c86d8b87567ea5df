"""The JavaScript SDK V6 and ours on the same chain, with the real contracts.

Each side's orders are matched by the other; both are asked about the same deals, tasks, resources
and balances, and must say the same. What is bought runs in the sandbox's worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite.errors import MatchError, StateError
from iexec_lite.protocol.orders import NULL_BYTES32
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

from .conftest import isolated

KINDS = ("apporder", "datasetorder", "workerpoolorder", "requestorder")
OWNERS = dict(
    zip(KINDS, ("app-provider", "dataset-provider", "workerpool-owner", "requester"), strict=True)
)
PRICE, VOLUME = 1000, 2
Ask = Callable[..., Any]


@pytest.fixture(params=["token", "native"])
def sandbox(
    request: pytest.FixtureRequest, oracle: Any, chains: Callable[[str], Sandbox]
) -> Iterator[Sandbox]:
    """Each flavour in turn."""
    yield from isolated(chains(request.param))


@pytest.fixture
def market(js: Ask, py: Any) -> dict[str, str]:
    """App, dataset and workerpool, some deployed there and some here, and money on the hub."""
    people = accounts.addresses()
    app = js(
        "app-provider",
        "app.deployApp",
        {
            "owner": people["app-provider"],
            "name": "héllo",
            "type": "DOCKER",
            "multiaddr": "iexec/sandbox-sample:1.0",
            "checksum": "0x" + "0a" * 32,
        },
    )["address"]
    dataset = py("dataset-provider").dataset.deploy_dataset(
        {
            "owner": people["dataset-provider"],
            "name": "data ☂",
            "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
            "checksum": "0x" + "0b" * 32,
        }
    )
    pool = py("workerpool-owner").workerpool.deploy_workerpool(
        {"owner": people["workerpool-owner"], "description": "pool"}
    )
    js("requester", "account.deposit", 4 * VOLUME * PRICE)
    py("workerpool-owner").account.deposit(VOLUME * PRICE)
    return {"app": app, "dataset": dataset.address, "workerpool": pool.address}


def fields(market: dict[str, str], *, dataset: bool = False) -> dict[str, dict[str, Any]]:
    """What each order says, beside its defaults."""
    request: dict[str, Any] = {
        "app": market["app"],
        "appmaxprice": PRICE,
        "workerpoolmaxprice": PRICE,
        "category": 0,
        "volume": VOLUME,
        "params": {"iexec_args": "Alïce 'and Bob'"},
    }
    found = {
        "apporder": {"app": market["app"], "appprice": PRICE, "volume": VOLUME},
        "workerpoolorder": {
            "workerpool": market["workerpool"],
            "workerpoolprice": PRICE,
            "category": 0,
            "volume": VOLUME,
        },
        "requestorder": request,
    }
    if dataset:
        found["datasetorder"] = {
            "dataset": market["dataset"],
            "datasetprice": PRICE,
            "volume": VOLUME,
        }
        request |= {"dataset": market["dataset"], "datasetmaxprice": PRICE}
    return found


def js_signed(js: Ask, kind: str, values: dict[str, Any]) -> dict[str, Any]:
    name = kind.capitalize()
    created = js(OWNERS[kind], f"order.create{name}", values)
    options = [{"checkRequest": False}] if kind == "requestorder" else []
    found = js(OWNERS[kind], f"order.sign{name}", created, *options)
    assert isinstance(found, dict)
    return found


def py_signed(py: Any, kind: str, values: dict[str, Any]) -> dict[str, Any]:
    api = py(OWNERS[kind]).order
    order = getattr(api, f"create_{kind}")(**values)
    options = {"check_request": False} if kind == "requestorder" else {}
    found = getattr(api, f"sign_{kind}")(order, **options).to_dict()
    assert isinstance(found, dict)
    return found


def js_match(js: Ask, name: str, four: dict[str, Any]) -> dict[str, Any]:
    found = js(name, "order.matchOrders", four, {"checkRequest": False})
    assert isinstance(found, dict)
    return found


def same_deal(js: Ask, py: Any, dealid: str) -> dict[str, Any]:
    """What both say of a deal; V6 numbers the tasks by their place in the list."""
    theirs, ours = js("worker-1", "deal.show", dealid), py("worker-2").deal.show(dealid).to_dict()
    assert list(ours) == list(theirs)
    ours["tasks"] = list(ours["tasks"].values())
    if isinstance(theirs["tasks"], dict):
        theirs["tasks"] = list(theirs["tasks"].values())
    assert ours == theirs
    assert isinstance(ours, dict)
    return ours


def same_task(js: Ask, py: Any, taskid: str) -> dict[str, Any]:
    theirs, ours = js("worker-1", "task.show", taskid), py("worker-2").task.show(taskid).to_dict()
    assert list(ours) == list(theirs)
    if isinstance(theirs["contributors"], dict):
        theirs["contributors"] = list(theirs["contributors"].values())
    assert ours == theirs
    assert isinstance(ours, dict)
    return ours


# --- orders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [False, True])
def test_we_match_their_orders(js: Ask, py: Any, market: dict[str, str], dataset: bool) -> None:
    four = {
        kind: js_signed(js, kind, values)
        for kind, values in fields(market, dataset=dataset).items()
    }
    hashes = {kind: js("admin", f"order.hash{kind.capitalize()}", four[kind]) for kind in four}
    ours = {kind: getattr(py("admin").order, f"hash_{kind}")(four[kind]) for kind in four}
    assert ours == hashes
    match = py("requester").order.match_orders(**four, check_request=False)
    deal = same_deal(js, py, match.dealid)
    assert deal["tasks"] == list(match.taskids.values())
    assert deal["requester"] == accounts.addresses()["requester"]


@pytest.mark.parametrize("dataset", [False, True])
def test_they_match_our_orders(js: Ask, py: Any, market: dict[str, str], dataset: bool) -> None:
    four = {
        kind: py_signed(py, kind, values)
        for kind, values in fields(market, dataset=dataset).items()
    }
    for kind, order in four.items():
        ours = getattr(py("admin").order, f"hash_{kind}")(order)
        assert js("admin", f"order.hash{kind.capitalize()}", order) == ours
    match = js_match(js, "requester", four)
    assert match["volume"] in (VOLUME, str(VOLUME))
    deal = same_deal(js, py, match["dealid"])
    assert deal["botSize"] == str(VOLUME)


@pytest.mark.witness("task id", "view: deal", "view: task", "view: account", by="js")
def test_a_deal_to_its_end(sandbox: Sandbox, js: Ask, py: Any, market: dict[str, str]) -> None:
    """Two of the orders are theirs and two ours; every state of a task looks the same."""
    values = fields(market, dataset=True)
    four = {
        kind: (js_signed if kind in ("apporder", "requestorder") else py_signed)(
            js if kind in ("apporder", "requestorder") else py, kind, values[kind]
        )
        for kind in KINDS
    }
    match = py("requester").order.match_orders(**four, check_request=False)
    for index, taskid in match.taskids.items():
        assert js("admin", "deal.computeTaskId", match.dealid, index) == taskid
    worker = sandbox.worker
    worker._look()
    tasks = {task.index: task for task in worker._open.values()}
    worker._initialize(tasks[0])
    assert same_task(js, py, match.taskids[0])["statusName"] == "ACTIVE"
    worker._contribute_until_consensus(tasks[0])
    assert same_task(js, py, match.taskids[0])["statusName"] == "REVEALING"
    worker._reveal_and_finalize(tasks[0])
    done = same_task(js, py, match.taskids[0])
    assert (done["statusName"], done["results"]["storage"]) == ("COMPLETED", "ipfs")
    same_deal(js, py, match.dealid)
    for name in accounts.NAMES:
        person = accounts.addresses()[name]
        theirs = js("admin", "account.checkBalance", person)
        assert py("admin").account.check_balance(person).to_dict() == theirs


def test_a_later_part_of_a_request(js: Ask, py: Any, market: dict[str, str]) -> None:
    """The first task of the second deal has index 1: both compute the same ids for it."""
    values = fields(market)
    four = {kind: py_signed(py, kind, each) for kind, each in values.items()}
    small = py_signed(py, "workerpoolorder", {**values["workerpoolorder"], "volume": 1})
    first = js_match(js, "requester", {**four, "workerpoolorder": small})
    second = py("requester").order.match_orders(**four, check_request=False)
    assert same_deal(js, py, first["dealid"])["botFirst"] == "0"
    assert same_deal(js, py, second.dealid)["botFirst"] == "1"
    assert list(second.taskids) == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_cancelled_here_and_there(js: Ask, py: Any, market: dict[str, str], kind: str) -> None:
    values = fields(market, dataset=True)[kind]
    owner, name = OWNERS[kind], kind.capitalize()
    theirs, ours = js_signed(js, kind, values), py_signed(py, kind, values)
    js(owner, f"order.cancel{name}", ours)
    with pytest.raises(StateError, match=f"{kind} already canceled"):
        getattr(py(owner).order, f"cancel_{kind}")(ours)
    getattr(py(owner).order, f"cancel_{kind}")(theirs)
    with pytest.raises(Exception, match=f"{kind} already canceled"):
        js(owner, f"order.cancel{name}", theirs)


# one change to the request order, the pool order, or the money
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "app": ("requestorder", {"app": "pool"}),
    "pool": ("requestorder", {"workerpool": "app"}),
    "category": ("requestorder", {"category": 1}),
    "trust": ("requestorder", {"trust": 3}),
    "tags": ("requestorder", {"tag": ["gpu"]}),
    "tee": ("workerpoolorder", {"tag": ["tee"]}),
    "appmaxprice": ("requestorder", {"appmaxprice": PRICE - 1}),
    "workerpoolmaxprice": ("requestorder", {"workerpoolmaxprice": PRICE - 1}),
    "stake of the pool": ("workerpoolorder", {"workerpoolprice": 10**12}),
    "cost of a task": ("apporder", {"appprice": 10**9}),
    "cost of all": ("apporder", {"appprice": 4 * PRICE}),
    "volume": ("apporder", {"volume": 0}),
    "signature": ("requestorder", {"sign": "0x" + "11" * 64 + "1b"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_in_the_same_words(js: Ask, py: Any, market: dict[str, str], case: str) -> None:
    """V6 tells one reason, in its spelling; it is among all of ours."""
    values = fields(market)
    kind, change = REFUSED[case]
    resources = {"pool": market["workerpool"], "app": market["app"]}
    values[kind] |= {
        name: resources.get(value, value) if isinstance(value, str) else value
        for name, value in change.items()
        if name != "sign"
    }
    if case == "tee":
        values["requestorder"] |= {"tag": ["tee"]}
    if case in ("stake of the pool", "cost of a task", "cost of all"):
        values["requestorder"] |= {"appmaxprice": 10**12, "workerpoolmaxprice": 10**12}
    four = {name: py_signed(py, name, each) for name, each in values.items()}
    four[kind] |= {"sign": change["sign"]} if "sign" in change else {}
    with pytest.raises(Exception, match=r".") as theirs:
        js_match(js, "requester", four)
    with pytest.raises(MatchError) as ours:
        py("requester").order.match_orders(**four, check_request=False)
    text = str(theirs.value).replace("greather", "greater")
    assert text in ours.value.errors


# --- resources, accounts, wallets -----------------------------------------------------------------


@pytest.mark.witness("view: app, dataset, workerpool", by="js")
def test_resources(js: Ask, py: Any, market: dict[str, str]) -> None:
    iexec = py("admin")
    for kind, address in market.items():
        shown = getattr(getattr(iexec, kind), f"show_{kind}")(address).to_dict()
        name = kind.capitalize()
        assert shown == js("admin", f"{kind}.show{name}", address)
        assert list(shown[kind]) == list(js("admin", f"{kind}.show{name}", address)[kind])
        owner = shown[kind]["owner"]
        assert js("admin", f"{kind}.count{'User' + name}s", owner) == "1"
        assert js("admin", f"{kind}.showUser{name}", 0, owner) == shown
    people = accounts.addresses()
    again = {"owner": people["workerpool-owner"], "description": "pool"}
    with pytest.raises(Exception, match=f"already deployed at address {market['workerpool']}"):
        js("worker-1", "workerpool.deployWorkerpool", again)
    with pytest.raises(StateError, match=f"already deployed at address {market['app']}"):
        py("worker-1").app.deploy_app(
            {
                "owner": people["app-provider"],
                "name": "héllo",
                "type": "DOCKER",
                "multiaddr": "iexec/sandbox-sample:1.0",
                "checksum": "0x" + "0a" * 32,
            }
        )


MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py é",
    "heapSize": 1073741824,
    "fingerprint": "5d" * 32,
}
ENTRIES: dict[str, dict[str, Any]] = {
    "app": {
        "name": "héllo",
        "type": "DOCKER",
        "multiaddr": "docker.io/x:1",
        "checksum": "0x" + "0a" * 32,
        "mrenclave": MEASUREMENT,
    },
    "dataset": {
        "name": "☂",
        "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
        "checksum": "0x" + "0b" * 32,
    },
    "workerpool": {"description": "piscine à ouvriers"},
}


@pytest.mark.witness("calldata: deploy *", "multiaddress", "enclave measurement", by="js")
@pytest.mark.parametrize("kind", ENTRIES)
def test_what_they_deploy_is_deployed_for_us(js: Ask, py: Any, kind: str) -> None:
    """The address follows from all that is stored: the same one is the same bytes."""
    entry = {"owner": accounts.addresses()["requester"], **ENTRIES[kind]}
    address = js("worker-1", f"{kind}.deploy{kind.capitalize()}", entry)["address"]
    iexec = getattr(py("worker-1"), kind)
    with pytest.raises(StateError, match=f"already deployed at address {address}"):
        getattr(iexec, f"deploy_{kind}")(entry)
    shown = getattr(iexec, f"show_{kind}")(address).to_dict()
    assert shown == js("admin", f"{kind}.show{kind.capitalize()}", address)


def test_money(sandbox: Sandbox, js: Ask, py: Any) -> None:
    person, other = accounts.addresses()["requester"], "0x" + "77" * 20
    js("requester", "wallet.sendRLC", "1.5 RLC", other)
    py("requester").wallet.send_rlc("2.5 RLC", other)
    if not sandbox.chain.native:
        js("requester", "wallet.sendETH", 3, other)
        py("requester").wallet.send_eth(4, other)
    there, here = js("requester", "account.deposit", "7"), py("requester").account.deposit("7")
    assert set(there) == set(here.to_dict())
    assert there["amount"] == here.to_dict()["amount"] == "7"
    js("requester", "account.withdraw", 1)
    py("requester").account.withdraw(2)
    for who in (person, other):
        found = py("admin").wallet.check_balances(who).to_dict()
        assert found == js("admin", "wallet.checkBalances", who)
    assert js("admin", "account.checkBalance", person) == {"stake": "11", "locked": "0"}
    assert py("admin").account.check_balance(person).to_dict() == {"stake": "11", "locked": "0"}


def test_what_is_not_there(js: Ask, py: Any) -> None:
    nothing, nobody = "0x" + "77" * 32, "0x" + "77" * 20
    iexec = py("admin")
    for method, ours in (
        ("deal.show", iexec.deal.show),
        ("task.show", iexec.task.show),
    ):
        with pytest.raises(Exception, match="found for id") as theirs:
            js("admin", method, nothing)
        with pytest.raises(LookupError) as here:
            ours(nothing)
        assert str(here.value) == str(theirs.value)
    with pytest.raises(Exception, match="found for id") as theirs:
        js("admin", "app.showApp", nobody)
    with pytest.raises(LookupError) as here:
        iexec.app.show_app(nobody)
    assert str(here.value) == str(theirs.value)


def test_claims(js: Ask, py: Any, market: dict[str, str]) -> None:
    """A deal that they claim, and one that we claim: the same is claimed, and comes back."""
    admin, buyer = py("admin"), accounts.addresses()["requester"]
    late = admin.hub.create_category({"name": "late", "description": "{}", "workClockTimeRef": 0})
    values = fields(market)
    for kind in ("workerpoolorder", "requestorder"):
        values[kind]["category"] = late["catid"]
    balances, claims = [], []
    for claim in (
        lambda dealid: js("requester", "deal.claim", dealid),
        lambda dealid: py("requester").deal.claim(dealid).to_dict(),
    ):
        four = {kind: py_signed(py, kind, each) for kind, each in values.items()}
        match = py("requester").order.match_orders(**four, check_request=False)
        found = claim(match.dealid)
        assert list(found["claimed"].values()) == list(match.taskids.values())
        claims.append([part["type"] for part in found["transactions"]])
        balances.append(admin.account.check_balance(buyer))
        assert {same_task(js, py, each)["statusName"] for each in match.taskids.values()} == {
            "FAILED"
        }
    assert balances[0] == balances[1]
    assert claims[0] == claims[1] == ["initializeAndClaimArray"]


def test_params_that_are_no_json(oracle: Any, js: Ask, py: Any, market: dict[str, str]) -> None:
    """V6 does not even hash such an order: ethers does, the contracts match it, V6 shows it."""
    iexec = py("requester")
    four = {kind: py_signed(py, kind, each) for kind, each in fields(market).items()}
    request = {**four["requestorder"], "params": "not json"}
    order = iexec.order.sign_requestorder(request, check_request=False)
    with pytest.raises(Exception, match="not json is not a valid params, must be a json"):
        js("requester", "order.hashRequestorder", order.to_dict())
    members = [{"name": name, "type": kind.abi} for name, kind in type(order).fields()]
    signer = oracle.ask(
        "recoverOrder",
        kind="requestorder",
        chainId=iexec.chain.id,
        hub=iexec.chain.hub,
        members=members[:-1],
        order=order.to_dict(),
    )
    assert signer == iexec.wallet.get_address()
    made = iexec.order.match_orders(**{**four, "requestorder": order}, check_request=False)
    assert same_deal(js, py, made.dealid)["params"] == "not json"


def test_unregistered_resources_in_orders(js: Ask, py: Any, market: dict[str, str]) -> None:
    four = {kind: py_signed(py, kind, each) for kind, each in fields(market).items()}
    nobody = "0x" + "77" * 20
    four["apporder"]["app"] = four["requestorder"]["app"] = nobody
    with pytest.raises(Exception, match=f"No app deployed at address {nobody}"):
        js_match(js, "requester", four)
    with pytest.raises(MatchError, match=f"No app deployed at address {nobody}"):
        py("requester").order.match_orders(**four, check_request=False)
    assert four["apporder"]["salt"] != NULL_BYTES32
