"""Today's JavaScript SDK (9.0.1) on the sandbox of today's generation, and ours beside it.

Each side buys what the other offers; nothing but the sandbox's services and contracts is between
them. What only the JavaScript side can do shows that the services are what it takes them for.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.protocol.archive import decrypt_result
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sandbox.stack import Sandbox

from .conftest import Oracle, OracleError, isolated, js_chain, order_terms

PEOPLE = accounts.addresses()
CHECKSUM = "0x" + "0a" * 32
PRICE, VOLUME = 1000, 2
TAG = "0x" + "0" * 63 + "9"
NULL = "0x" + "0" * 40
OWNERS = {
    "apporder": "app-provider",
    "datasetorder": "dataset-provider",
    "workerpoolorder": "workerpool-owner",
    "requestorder": "requester",
}
Py = Callable[[str], Any]
Js = Callable[..., Any]


@pytest.fixture
def sandbox(oracle: Oracle, chains: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    """A sandbox of today's generation."""
    yield from isolated(chains("token-6"))


@pytest.fixture
def js(oracle: Oracle, sandbox: Sandbox) -> Js:
    """``js("requester", "deal.show", dealid)``: what today's SDK returns to this account."""

    def ask(name: str, method: str, *args: Any, more: bool = False) -> Any:
        module, _, function = method.partition(".")
        chain = js_chain(sandbox, name)
        return oracle.ask(
            "today", chain=chain, module=module, method=function, args=list(args), more=more
        )

    return ask


@pytest.fixture
def goods(js: Js, py: Py, sandbox: Sandbox) -> dict[str, str]:
    """Deployed and paid for by the JavaScript side; the dataset's key is in the SMS."""
    key = py("dataset-provider").dataset.generate_encryption_key()
    data = py("dataset-provider").dataset.encrypt(b"alice\n", key)
    app = {"owner": PEOPLE["app-provider"], "name": "app", "type": "DOCKER"}
    dataset = {"owner": PEOPLE["dataset-provider"], "name": "data"}
    pool = {"owner": PEOPLE["workerpool-owner"], "description": "pool"}
    app |= {"multiaddr": SAMPLE_IMAGE, "checksum": CHECKSUM}
    dataset["multiaddr"] = f"/ipfs/{sandbox.store.add_bytes(data)}"
    dataset["checksum"] = py("dataset-provider").dataset.compute_encrypted_file_checksum(data)
    found = {
        "app": js("app-provider", "app.deployApp", app)["address"],
        "dataset": js("dataset-provider", "dataset.deployDataset", dataset)["address"],
        "workerpool": js("workerpool-owner", "workerpool.deployWorkerpool", pool)["address"],
    }
    assert js("dataset-provider", "dataset.pushDatasetSecret", found["dataset"], key) is True
    js("requester", "account.deposit", 3 * PRICE * VOLUME)
    js("workerpool-owner", "account.deposit", PRICE * VOLUME)
    return found


def fields(goods: dict[str, str], kind: str, **more: Any) -> dict[str, Any]:
    return {**order_terms(goods, kind, PRICE), "volume": VOLUME, **more}


def signed_there(js: Js, goods: dict[str, str], kind: str, **more: Any) -> Any:
    name, who = kind.capitalize(), OWNERS[kind]
    return js(who, f"order.sign{name}", js(who, f"order.create{name}", fields(goods, kind, **more)))


def publish_there(js: Js, goods: dict[str, str], kind: str, **more: Any) -> str:
    order = signed_there(js, goods, kind, **more)
    return str(js(OWNERS[kind], f"order.publish{kind.capitalize()}", order))


def publish_here(py: Py, goods: dict[str, str], kind: str) -> str:
    order = py(OWNERS[kind]).order
    created = getattr(order, f"create_{kind}")(**fields(goods, kind))
    return str(getattr(order, f"publish_{kind}")(getattr(order, f"sign_{kind}")(created)))


def match_there(js: Js, goods: dict[str, str], **request: Any) -> Any:
    """Four orders and their deal, all by the JavaScript side."""
    volume = request.get("volume", VOLUME)
    orders = {kind: signed_there(js, goods, kind, volume=volume) for kind in list(OWNERS)[:3]}
    orders["requestorder"] = signed_there(js, goods, "requestorder", **request)
    if request.get("dataset") == NULL:
        del orders["datasetorder"]
    return js("requester", "order.matchOrders", orders)


def unzipped(archive: bytes, name: str = "result.txt") -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return files.read(name).decode()


def results_there(oracle: Oracle, sandbox: Sandbox, taskid: str) -> bytes:
    chain = js_chain(sandbox, "requester")
    return base64.b64decode(oracle.ask("resultsToday", chain=chain, taskid=taskid))


def test_what_it_deploys_is_what_we_see(js: Js, py: Py, goods: dict[str, str]) -> None:
    app = py("requester").app.show_app(goods["app"]).properties
    assert (app["owner"], app["appName"]) == (PEOPLE["app-provider"], "app")
    shown = js("requester", "app.showApp", goods["app"])
    assert shown["app"]["appMultiaddr"] == SAMPLE_IMAGE
    stake = py("requester").account.check_balance(PEOPLE["requester"]).stake
    balance = js("requester", "account.checkBalance", PEOPLE["requester"])
    assert (balance["stake"], balance["locked"]) == (str(stake), "0")
    ours = py("app-provider").app.deploy_app(
        {
            "owner": PEOPLE["app-provider"],
            "name": "other",
            "type": "DOCKER",
            "multiaddr": SAMPLE_IMAGE,
            "checksum": CHECKSUM,
        }
    )
    assert js("requester", "app.checkDeployedApp", ours.address) is True
    assert js("requester", "app.countUserApps", PEOPLE["app-provider"]) == "2"


def test_a_purchase_from_orders_to_result(
    oracle: Oracle, js: Js, py: Py, sandbox: Sandbox, goods: dict[str, str]
) -> None:
    """Its orders, published, found, matched; our worker; its download, and ours."""
    hashes = {kind: publish_there(js, goods, kind) for kind in OWNERS}
    queries: dict[str, dict[str, Any]] = {
        "apporder": {"app": goods["app"], "dataset": "any"},
        "datasetorder": {"datasetOwner": PEOPLE["dataset-provider"], "dataset": goods["dataset"]},
        "workerpoolorder": {"category": 0, "minTag": ["tee", "tdx"]},
        "requestorder": {"requester": PEOPLE["requester"], "workerpool": "any"},
    }
    books = {
        kind: js("beneficiary", f"orderbook.fetch{kind[:-5].capitalize()}Orderbook", query)
        for kind, query in queries.items()
    }
    for kind, book in books.items():
        assert [each["orderHash"] for each in book["orders"]] == [hashes[kind]]
        assert book["orders"][0]["order"]["tag"] == TAG
    assert books["datasetorder"]["orders"][0]["bulk"] is False
    found = {kind: book["orders"][0]["order"] for kind, book in books.items()}
    match = js("beneficiary", "order.matchOrders", found)
    assert match["volume"] == str(VOLUME)
    shown = js("requester", "deal.show", match["dealid"])
    ours = py("requester").deal.show(match["dealid"])
    assert shown["sponsor"] == PEOPLE["requester"]
    tasks = list(ours.tasks.values())
    assert shown["tasks"] == tasks
    listed = js("requester", "deal.fetchRequesterDeals", PEOPLE["requester"])
    assert [each["dealid"] for each in listed["deals"]] == [match["dealid"]]
    for kind, order_hash in hashes.items():
        published = getattr(py("beneficiary").orderbook, f"fetch_{kind}")(order_hash)
        assert (published.status, published.remaining) == ("filled", 0)
    assert sandbox.worker.run_once() == VOLUME
    for taskid in tasks:
        assert js("requester", "task.show", taskid)["statusName"] == "COMPLETED"
    archive = results_there(oracle, sandbox, tasks[1])
    assert archive == py("requester").task.fetch_results(tasks[1]).read()
    lines = unzipped(archive).splitlines()
    assert lines[:2] == ["Hello, Alïce and ☂!", "This is task 2 of 2."]
    assert lines[2].startswith(f"Dataset {goods['dataset'].lower()}: 6 bytes")


def test_it_is_told_what_the_worker_did(js: Js, sandbox: Sandbox, goods: dict[str, str]) -> None:
    match = match_there(js, goods)
    tasks = js("requester", "deal.show", match["dealid"])["tasks"]
    code = "import os,sys; print('out'); sys.exit('wrong ' + os.environ['IEXEC_DEAL_ID'])"
    apps = {goods["app"]: [sys.executable, "-c", code]}
    (sandbox.folder / "apps.json").write_text(json.dumps(apps))
    assert sandbox.worker.run_once() == 0
    (sandbox.folder / "apps.json").unlink()
    assert js("beneficiary", "workerpool.getWorkerpoolApiUrl", goods["workerpool"])
    assert js("beneficiary", "workerpool.getWorkerpoolApiUrl", goods["app"]) is None
    info = js("beneficiary", "task.fetchOffchainInfo", tasks[0])
    assert info["task"]["status"] == "FAILED"
    assert [each["status"] for each in info["task"]["statusHistory"]] == [
        *("RECEIVED", "INITIALIZING", "INITIALIZED", "RUNNING", "RUNNING_FAILED", "FAILED"),
    ]
    (replicate,) = info["replicates"]
    assert (replicate["worker"], replicate["exitCode"]) == (PEOPLE["worker-1"], 1)
    (logs,) = js("requester", "task.fetchLogs", tasks[0])
    assert logs["worker"] == PEOPLE["worker-1"]
    assert logs["stdout"] == "out\n"
    assert logs["stderr"] == f"wrong {match['dealid']}\n"
    with pytest.raises(OracleError, match="Only task requester"):
        js("beneficiary", "task.fetchLogs", tasks[0])


def test_its_secrets_reach_the_app(
    oracle: Oracle, js: Js, py: Py, sandbox: Sandbox, goods: dict[str, str]
) -> None:
    app, who = goods["app"], PEOPLE["requester"]
    assert js("requester", "app.checkAppSecretExists", app) is False
    assert js("app-provider", "app.pushAppSecret", app, "five5") is True
    assert js("requester", "app.checkAppSecretExists", app) is True
    with pytest.raises(OracleError, match=r"already exists for .* and can't be updated"):
        js("app-provider", "app.pushAppSecret", app, "other")
    with pytest.raises(OracleError, match="is not allowed to set secret"):
        js("requester", "app.pushAppSecret", app, "other")
    assert js("requester", "secrets.pushRequesterSecret", "my-key", "7 chars")["isPushed"] is True
    assert js("beneficiary", "secrets.checkRequesterSecretExists", who, "my-key") is True
    with pytest.raises(OracleError, match='Secret "my-key" already exists'):
        js("requester", "secrets.pushRequesterSecret", "my-key", "again")
    private, public = rsa_generate(2048)
    js("requester", "result.pushResultEncryptionKey", public)
    params = {"iexec_secrets": {"2": "my-key"}, "iexec_result_encryption": True}
    match = match_there(js, goods, volume=1, params=params)
    assert sandbox.worker.run_once() == 1
    (taskid,) = js("requester", "deal.show", match["dealid"])["tasks"]
    lines = unzipped(decrypt_result(results_there(oracle, sandbox, taskid), private)).splitlines()
    assert lines[3:] == [
        "IEXEC_APP_DEVELOPER_SECRET: 5 characters",
        "IEXEC_APP_DEVELOPER_SECRET_1: 5 characters",
        "IEXEC_REQUESTER_SECRET_2: 7 characters",
    ]


def test_its_bulk_of_datasets(
    oracle: Oracle, js: Js, py: Py, sandbox: Sandbox, goods: dict[str, str]
) -> None:
    """Two tasks with a dataset each; the second one's order admits another app only."""
    free = {"datasetprice": 0, "volume": 2**53 - 1}
    orders = [
        signed_there(js, goods, "datasetorder", **free),
        signed_there(js, goods, "datasetorder", **free, apprestrict=PEOPLE["admin"]),
    ]
    js("dataset-provider", "order.publishDatasetorder", orders[0])
    js("dataset-provider", "order.publishDatasetorder", signed_there(js, goods, "datasetorder"))
    query = {"dataset": goods["dataset"], "bulkOnly": True}
    listed = js("requester", "orderbook.fetchDatasetOrderbook", query)
    assert [(each["order"], each["bulk"]) for each in listed["orders"]] == [
        ({**orders[0], "datasetprice": 0, "volume": 2**53 - 1}, True)
    ]
    bulk = js("requester", "order.prepareDatasetBulk", orders, {"maxDatasetPerTask": 1})
    assert bulk["volume"] == 2
    params = {"bulk_cid": bulk["cid"]}
    match = match_there(js, goods, dataset=NULL, datasetmaxprice=0, params=params)
    assert sandbox.worker.run_once() == 2
    first, second = js("requester", "deal.show", match["dealid"])["tasks"]
    lines = unzipped(results_there(oracle, sandbox, first)).splitlines()
    assert lines[2:] == [f"Dataset {goods['dataset']}: 6 bytes, 1 words, begins with 'alice'"]
    assert len(unzipped(results_there(oracle, sandbox, second)).splitlines()) == 2


def test_its_searches(js: Js, goods: dict[str, str]) -> None:
    """Strict flags, pages, and the word for any address."""
    restricted = publish_there(js, goods, "apporder", requesterrestrict=PEOPLE["requester"])
    everybody = [publish_there(js, goods, "apporder", appprice=PRICE + n) for n in range(1, 13)]
    fetch, app = "orderbook.fetchAppOrderbook", goods["app"]

    def hashes(query: dict[str, Any], **more: Any) -> list[str]:
        return [each["orderHash"] for each in js("beneficiary", fetch, query, **more)["orders"]]

    assert hashes({"app": app}) == everybody
    assert hashes({"app": app, "requester": "any"}) == [restricted, *everybody]
    query = {"app": app, "requester": PEOPLE["requester"]}
    assert hashes(query) == [restricted, *everybody]
    assert hashes({**query, "isRequesterStrict": True}) == [restricted]
    assert hashes({"app": app, "isRequesterStrict": True}) == everybody
    paged = {"app": "any", "appOwner": PEOPLE["app-provider"], "pageSize": 10}
    assert hashes(paged) == everybody[:10]
    assert hashes(paged, more=True) == everybody[10:] == hashes({**paged, "page": 1})


def test_it_buys_what_we_publish(js: Js, py: Py, sandbox: Sandbox, goods: dict[str, str]) -> None:
    hashes = {kind: publish_here(py, goods, kind) for kind in OWNERS}
    found = {
        kind: js("beneficiary", f"orderbook.fetch{kind.capitalize()}", hashes[kind])["order"]
        for kind in OWNERS
    }
    match = js("beneficiary", "order.matchOrders", found)
    assert py("requester").deal.show(match["dealid"]).bot_size == VOLUME
    assert sandbox.worker.run_once() == VOLUME


def test_we_buy_what_it_publishes(js: Js, py: Py, sandbox: Sandbox, goods: dict[str, str]) -> None:
    hashes = {kind: publish_there(js, goods, kind) for kind in OWNERS}
    book = py("beneficiary").orderbook
    found = {kind: getattr(book, f"fetch_{kind}")(hashes[kind]) for kind in OWNERS}
    match = py("beneficiary").order.match_orders(**found)
    assert js("requester", "deal.show", match.dealid)["botSize"] == str(VOLUME)
    assert sandbox.worker.run_once() == VOLUME


@pytest.mark.parametrize("kind", ["apporder", "workerpoolorder"])
def test_each_withdraws_what_the_other_published(
    js: Js, py: Py, goods: dict[str, str], kind: str
) -> None:
    one = publish_here(py, goods, kind)
    assert js(OWNERS[kind], f"order.unpublish{kind.capitalize()}", one) == one
    two = publish_there(js, goods, kind)
    resource = goods[kind.removesuffix("order")]
    assert getattr(py(OWNERS[kind]).order, f"unpublish_last_{kind}")(resource) == two
