"""``app run`` and ``app request-execution`` as a person and a script use them."""

from __future__ import annotations

import itertools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.eth import keystore
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.contracts import EVENTS
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sdk.files import PRIVATE, atomic_write

from .conftest import Golden, Project, edit
from .machine import Machine

SANDBOX = ("--flavour", "native")
PEOPLE = accounts.addresses()
RLC = 10**9
NUMBERS = itertools.count(1)
KILLED = """
import os, signal
from iexec_lite.sdk import transactions
transactions.wait_for_receipt = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass(frozen=True)
class Shop:
    """An app and a workerpool for it, with prices, and the folder of a requester with money."""

    app: str
    pool: str
    folder: Path
    machine: Machine
    client: Callable[[str], IExec]

    def deals(self) -> list[dict[str, Any]]:
        """Every deal of this app's requests, oldest first."""
        requester = self.client("requester")
        hub = str(self.machine.chain().hub)
        query = {"fromBlock": "0x0", "address": hub, "topics": [EVENTS.OrdersMatched.topic]}
        logs = requester._context.rpc.request("eth_getLogs", (query,))
        found = [dict(event) for event in EVENTS.OrdersMatched.find(logs, hub)]
        shown = [(event, requester.deal.show(str(event["dealid"]))) for event in found]
        return [event for event, deal in shown if deal.app.pointer == self.app]

    def timeout(self) -> None:
        """The chain's clock goes past the end of every deal."""
        rpc = self.client("admin")._context.rpc
        rpc.request("evm_increaseTime", (4000,))
        rpc.request("evm_mine", ())


def deploy(iexec: IExec, kind: str) -> str:
    owner, name = iexec.wallet.get_address(), f"{kind} {next(NUMBERS)}"
    common = {"owner": owner, "name": name, "checksum": "0x" + "00" * 32}
    entry: dict[str, Any] = {
        "app": {**common, "type": "DOCKER", "multiaddr": SAMPLE_IMAGE},
        "dataset": {**common, "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"},
        "workerpool": {"owner": owner, "description": name},
    }[kind]
    return str(getattr(getattr(iexec, kind), f"deploy_{kind}")(entry).address)


def sell(iexec: IExec, kind: str, address: str, **fields: Any) -> None:
    order = getattr(iexec.order, f"create_{kind}order")(**{kind: address}, **fields)
    signed = getattr(iexec.order, f"sign_{kind}order")(order)
    getattr(iexec.order, f"publish_{kind}order")(signed)


def empty(iexec: IExec) -> None:
    """Nothing is left on the account."""
    stake = iexec.account.check_balance(iexec.wallet.get_address()).stake
    if stake:
        iexec.account.withdraw(stake)


@pytest.fixture
def shop(machine: Machine, project: Project, client: Callable[[str], IExec]) -> Shop:
    provider, owner, requester = map(client, ("app-provider", "workerpool-owner", "requester"))
    app, pool = deploy(provider, "app"), deploy(owner, "workerpool")
    owner.account.deposit("10 RLC")
    sell(provider, "app", app, appprice="1 RLC", volume=9)
    sell(
        owner, "workerpool", pool, workerpoolprice="2 RLC", category=0, volume=9, apprestrict=app,
        tag=["gpu"], trust=1,
    )  # fmt: skip
    empty(requester)
    requester.account.deposit("10 RLC")
    if not requester.storage.check_storage_token_exists(PEOPLE["requester"]):
        requester.storage.push_storage_token(requester.storage.default_storage_login())
    return Shop(app, pool, project("requester"), machine, client)


@pytest.fixture
def spent(shop: Shop) -> Shop:
    """The account is empty."""
    empty(shop.client("requester"))
    return shop


# --- run --------------------------------------------------------------------------------------


def test_a_plan_for_a_person(machine: Machine, shop: Shop, golden: Golden) -> None:
    dataset = deploy(shop.client("requester"), "dataset")
    shown = machine.shown(
        "app", "run", shop.app, "--dry-run", "--dataset", dataset, "--args", "--hello you",
        "--tag", "gpu", folder=shop.folder,
    )  # fmt: skip
    golden("app-run-dry", shown)
    assert shop.deals() == []


def test_a_plan_for_a_script(machine: Machine, shop: Shop) -> None:
    words = [
        "app",
        "run",
        shop.app,
        "--dry-run",
        "--input-files",
        "https://a.org/1,https://a.org/2",
    ]
    words += ["--app-max-price", "1", "RLC", "--workerpool-max-price", "2 RLC"]
    words += [
        "--dataset-max-price",
        "5",
        "--params",
        '{"iexec_args": "x", "iexec_input_files": []}',
    ]
    document = machine.raw(*words, folder=shop.folder)
    assert list(document) == ["ok", "plan"]
    plan = document["plan"]
    assert list(plan) == [
        *("requestorder", "total", "stake", "shortfall", "reasons", "apporder", "workerpoolorder"),
        *("appPrice", "datasetPrice", "workerpoolPrice", "unfinished"),
    ]
    assert (plan["total"], plan["appPrice"], plan["datasetPrice"]) == (str(3 * RLC), str(RLC), "0")
    assert (plan["shortfall"], plan["reasons"], plan["unfinished"]) == ("0", [], False)
    assert list(plan["apporder"]) == ["toSign", "orderHash", "order"]
    params = json.loads(plan["requestorder"]["params"])
    assert params["iexec_args"] == "x"
    assert params["iexec_input_files"] == ["https://a.org/1", "https://a.org/2"]
    assert shop.deals() == []


def test_a_plan_asks_for_no_password(machine: Machine, shop: Shop, tmp_path: Path) -> None:
    """Nor does the run, before everything else was found in order."""
    password = tmp_path / "password"
    atomic_write(password, "secret", mode=PRIVATE)
    wallet = keystore.encrypt(accounts.secret("requester"), "secret", n=2)
    (shop.folder / "ks").mkdir()
    name = keystore.file_name(PEOPLE["requester"], datetime.now(timezone.utc))
    (shop.folder / "ks" / name).write_text(json.dumps(wallet))
    run = ["app", "run", shop.app, "--keystoredir", "ks"]
    assert machine.raw(*run, "--dry-run", folder=shop.folder)["plan"]["total"] == str(3 * RLC)
    dear = machine.message(*run, "--force", "--app-max-price", "1", folder=shop.folder)
    assert dear == (
        f"No order available for app {shop.app} for at most 0.000000001 RLC: the next one costs "
        "1.0 RLC"
    )
    assert "there is nobody to ask" in machine.message(*run, "--force", folder=shop.folder)
    machine.raw(*run, "--force", "--password-file", str(password), folder=shop.folder)
    assert len(shop.deals()) == 1


def test_run_asks_and_buys(machine: Machine, shop: Shop, golden: Golden) -> None:
    words = ["app", "run", shop.app, "--args", "hello"]
    with machine.terminal(*words, folder=shop.folder) as session:
        session.answer("Continue? (Y/n) ", "n")
        status, seen = session.end()
    assert status == 1
    assert 'Command "iexec-lite app run" failed: Operation aborted by user.' in seen
    assert shop.deals() == []
    with machine.terminal(*words, folder=shop.folder, env={"COLUMNS": "200"}) as session:
        session.answer("Continue? (Y/n) ", "")
        status, seen = session.end()
    assert status == 0, seen
    golden("app-run-prompt", seen)
    [deal] = shop.deals()
    assert f"Deal submitted with dealid {deal['dealid']}" in seen


def test_interrupted_at_the_question(machine: Machine, shop: Shop) -> None:
    with machine.terminal("app", "run", shop.app, folder=shop.folder) as session:
        session.read("Continue? (Y/n) ")
        session.interrupt()
        status, seen = session.end()
    assert (status, shop.deals()) == (1, [])
    assert "Interrupted" in seen


def test_nobody_to_ask(machine: Machine, shop: Shop) -> None:
    said = "Do you want to spend 3.0 RLC to execute the following request: There is nobody to ask"
    assert machine.message("app", "run", shop.app, folder=shop.folder).startswith(said)
    assert said in machine.refused("app", "run", shop.app, folder=shop.folder)
    assert shop.deals() == []


def test_run_for_a_person(machine: Machine, shop: Shop, golden: Golden) -> None:
    golden("app-run", machine.shown("app", "run", shop.app, "--force", folder=shop.folder))
    assert len(shop.deals()) == 1


def test_run_for_a_script(machine: Machine, shop: Shop) -> None:
    """Every wish reaches the deal."""
    words = ["app", "run", shop.app, "--force", "--workerpool", shop.pool, "--category", "0"]
    words += ["--tag", "gpu", "--trust", "1", "--callback", PEOPLE["worker-1"]]
    words += ["--beneficiary", PEOPLE["beneficiary"], "--storage-provider", "dropbox"]
    words += ["--encrypt-result", "--skip-request-check", "--confirms", "1", "--quiet"]
    document = machine.raw(*words, folder=shop.folder)
    assert list(document) == ["ok", "deals"]
    [deal] = document["deals"]
    assert list(deal) == ["dealid", "volume", "txHash"]
    assert deal["volume"] == "1"
    found = shop.client("requester").deal.show(deal["dealid"])
    assert (found.callback, found.beneficiary) == (PEOPLE["worker-1"], PEOPLE["beneficiary"])
    assert (found.tag, found.trust, found.workerpool.pointer) == (f"0x{1 << 8:064x}", 1, shop.pool)
    params = json.loads(found.params)
    assert params["iexec_result_encryption"] is True
    assert params["iexec_result_storage_provider"] == "dropbox"


def test_deployed_goods(machine: Machine, shop: Shop) -> None:
    requester = shop.client("requester")
    own = {kind: deploy(requester, kind) for kind in ("app", "dataset", "workerpool")}
    run = ["app", "run", "--dataset", "deployed", "--workerpool", "deployed"]
    chain = machine.chain().id
    missing = 'found in "deployed.json" for chain'
    first = machine.message(*run, folder=shop.folder)
    assert first == f"Missing appAddress and no app {missing} {chain}"
    edit(shop.folder, "deployed.json", app={str(chain): own["app"]})
    assert machine.message(*run, folder=shop.folder) == f"No dataset {missing} {chain}"
    deployed = {kind: {str(chain): address} for kind, address in own.items()}
    edit(shop.folder, "deployed.json", **deployed)
    done = machine.run(*run, "--force", folder=shop.folder)
    assert done.returncode == 0, done.stderr
    assert 'No app specified, using last app deployed from "deployed.json"' in done.stderr
    assert 'Using last workerpool deployed from "deployed.json"' in done.stderr
    dealid = next(word for word in done.stdout.split() if word.startswith("0x"))
    deal = requester.deal.show(dealid)
    assert (deal.app.pointer, deal.dataset.pointer, deal.workerpool.pointer) == tuple(own.values())
    assert "price:       0.0 RLC" in done.stdout


def test_what_is_missing(machine: Machine, spent: Shop, golden: Golden) -> None:
    run = ["app", "run", spent.app]
    short = (
        'Not enough RLC on your account (3.0 RLC required). Run "iexec-lite account deposit" to '
        "topup your account."
    )
    assert machine.message(*run, "--force", folder=spent.folder) == short
    both = machine.message(*run, "--encrypt-result", folder=spent.folder)
    assert both.startswith("Request requirements check failed: Beneficiary result encryption key")
    assert both.endswith(
        "(If you consider this is not an issue, use --skip-request-check to skip request "
        f"requirement check); {short}"
    )
    dry = machine.run(*run, "--dry-run", "--encrypt-result", folder=spent.folder)
    assert dry.returncode == 1
    golden("app-run-missing", dry.stdout + dry.stderr)
    failed = machine.failure(*run, "--dry-run", folder=spent.folder)
    assert list(failed) == ["ok", "plan"]
    assert [reason["code"] for reason in failed["plan"]["reasons"]] == ["requester-stake"]


def test_mistakes(machine: Machine, shop: Shop) -> None:
    nothing = "0x" + "77" * 20
    for words, text in [
        ([nothing], f"No app deployed at address {nothing}"),
        (["0x77"], "app: 0x77 is not a valid ethereum address"),
        (["--params", "x"], "x is not a valid params, must be a json"),
        (["--params", "123"], "123 is not a valid params, must be a json"),
        (
            ["--storage-provider", "s3"],
            '"s3" is not a valid storage provider use one of ipfs, drop',
        ),
        (["--input-files", "foo"], "foo is not a valid URL"),
        (
            ["--category", "9"],
            "No workerpoolorder matching your conditions available in category 9",
        ),
        (["--category", ""], "category:  is not a valid uint256"),
        (["--trust", "-1"], "trust: -1 is not a valid uint256"),
        (["--tag", "foo"], "foo is not a valid tag. Unknown tag foo"),
        (["--app-max-price", "1 foo"], "app_max_price: 1 foo is not a valid amount"),
        (["--confirms", "0"], "confirms must be greater than or equal to 1"),
        (["--chain", "nowhere"], 'Missing "nowhere" chain in "chain.json"'),
        (["--wallet-file", "none"], "No wallet file none found in"),
        (["one", "two"], "too many arguments (see iexec-lite app run --help)"),
    ]:
        given = words if words[0][0] in "0o" else [shop.app, *words]
        assert text in machine.message("app", "run", *given, "--force", folder=shop.folder)
    assert shop.deals() == []


def test_an_argument_that_looks_like_an_option(machine: Machine, shop: Shop) -> None:
    words = ["app", "run", "--dry-run", "--args", "--verbose", shop.app]
    plan = machine.raw(*words, folder=shop.folder)["plan"]
    assert json.loads(plan["requestorder"]["params"])["iexec_args"] == "--verbose"


def test_killed_and_typed_again(
    machine: Machine, shop: Shop, tmp_path: Path, golden: Golden
) -> None:
    """The process dies once its transaction is sent; the same command tells what became of it."""
    (tmp_path / "kill").mkdir()
    (tmp_path / "kill" / "sitecustomize.py").write_text(KILLED)
    words = ["app", "run", shop.app, "--args", "once"]
    done = machine.run(*words, "--force", folder=shop.folder, path=str(tmp_path / "kill"))
    assert done.returncode == -signal.SIGKILL
    [deal] = shop.deals()
    dry = machine.run(*words, "--dry-run", folder=shop.folder)
    assert "the same run was begun before" in dry.stderr
    # No --force: nothing is asked, as nothing is bought.
    again = machine.run(*words, folder=shop.folder)
    assert again.returncode == 0, again.stderr
    golden("app-run-resumed", again.stderr + again.stdout)
    assert str(deal["dealid"]) in again.stdout
    assert shop.deals() == [deal]
    machine.raw(*words, "--force", "--new", folder=shop.folder)
    assert len(shop.deals()) == 2


# --- run --watch ------------------------------------------------------------------------------


def test_watch(machine: Machine, shop: Shop, golden: Golden) -> None:
    words = ["app", "run", shop.app, "--force", "--watch", "--workerpool", shop.pool]
    golden("app-run-watch", machine.shown(*words, folder=shop.folder))
    document = machine.raw(*words, "--args", "raw", folder=shop.folder)
    assert list(document) == ["ok", "deals", "tasks"]
    [task], [deal] = document["tasks"], document["deals"]
    assert list(task)[:4] == ["idx", "taskid", "status", "dealid"]
    assert (task["idx"], task["status"], task["statusName"]) == ("0", 3, "COMPLETED")
    assert task["dealid"] == deal["dealid"]
    shown = shop.client("requester").task.show(task["taskid"])
    assert {**shown.to_dict(), "idx": "0"} == task


@pytest.fixture
def idle(shop: Shop) -> Iterator[list[str]]:
    """Words for a run on a workerpool where nobody works: the sandbox does not know its owner."""
    with IExec(shop.machine.chain(), KeySigner.from_key(random_bytes(32))) as stranger:
        pool = {"owner": stranger.wallet.get_address(), "description": "idle"}
        address = shop.client("requester").workerpool.deploy_workerpool(pool).address
        sell(stranger, "workerpool", address, category=0, volume=9)
        yield ["app", "run", shop.app, "--force", "--watch", "--workerpool", address]


def test_a_task_that_fails(machine: Machine, shop: Shop, idle: list[str], golden: Golden) -> None:
    with machine.terminal(*idle, folder=shop.folder) as session:
        session.read("1 not begun")
        shop.timeout()
        status, seen = session.end()
    assert status == 1
    golden("app-run-watch-failed", seen)

    def later() -> None:
        while len(shop.deals()) < 2:
            time.sleep(0.05)
        shop.timeout()

    clock = threading.Thread(target=later)
    clock.start()
    failed = machine.failure(*idle, "--args", "raw", folder=shop.folder)
    clock.join()
    assert list(failed) == ["ok", "deals", "tasks", "failedTasks"]
    [task], [deal] = failed["failedTasks"], failed["deals"]
    assert failed["tasks"] == [task]
    assert task == {
        "idx": "0",
        "taskid": task["taskid"],
        "status": 0,
        "dealid": deal["dealid"],
        "statusName": "TIMEOUT",
        "taskTimedOut": True,
    }


def test_whoever_stops_to_watch_keeps_the_deal(
    machine: Machine, shop: Shop, idle: list[str]
) -> None:
    with machine.terminal(*idle, "--raw", folder=shop.folder) as session:
        while not shop.deals():
            time.sleep(0.05)
        time.sleep(1)  # from its block to the look at the deal
        session.interrupt()
        status, seen = session.end()
    assert status == 1
    error = json.loads(seen)["error"]
    [deal] = shop.deals()
    assert error["message"] == (
        "Interrupted: the deal goes on, only the watching ended; watch it again with: "
        f"iexec-lite deal show {deal['dealid']} --watch"
    )
    assert error["details"]["deals"][0]["dealid"] == deal["dealid"]
    assert error["txHash"] == error["details"]["deals"][0]["txHash"]


# --- request-execution ------------------------------------------------------------------------


def test_request_execution(machine: Machine, shop: Shop, golden: Golden) -> None:
    """A person is told the terms, and asked."""
    words = ["app", "request-execution", shop.app, "--workerpool-price", "2", "RLC"]
    words += ["--app-price", "1 RLC", "--volume", "2", "--args", "please"]
    with machine.terminal(*words, folder=shop.folder, env={"COLUMNS": "200"}) as session:
        session.answer("Continue? (Y/n) ", "no")
        assert session.end()[0] == 1
    book = shop.client("requester").orderbook
    assert book.fetch_request_orderbook(app=shop.app).count == 0
    with machine.terminal(*words, folder=shop.folder, env={"COLUMNS": "200"}) as session:
        session.answer("Continue? (Y/n) ", "yes")
        status, seen = session.end()
    assert status == 0, seen
    golden("app-request-execution-prompt", seen)
    [found] = book.fetch_request_orderbook(app=shop.app)
    assert (found.remaining, found.order.workerpoolmaxprice) == (2, 2 * RLC)
    assert "There is nobody to ask" in machine.message(*words, folder=shop.folder)


def test_request_execution_for_a_script(machine: Machine, shop: Shop) -> None:
    seller = shop.client("dataset-provider")
    dataset = deploy(seller, "dataset")
    sell(seller, "dataset", dataset, datasetprice=5)
    edit(shop.folder, "deployed.json", app={str(machine.chain().id): shop.app})
    words = ["app", "request-execution", "--force", "--dataset", dataset, "--dataset-price", "5"]
    words += ["--app-price", "1 RLC", "--workerpool", shop.pool, "--category", "1"]
    words += ["--workerpool-price", "7", "--volume", "1", "--trust", "3", "--tag", "gpu"]
    words += ["--callback", PEOPLE["worker-1"], "--beneficiary", PEOPLE["beneficiary"]]
    words += ["--params", '{"iexec_developer_logger": true}', "--args", "a b"]
    words += ["--input-files", "https://a.org/1", "https://a.org/2", "--encrypt-result"]
    words += ["--storage-provider", "dropbox", "--skip-request-check"]
    dry = machine.raw(*words, "--dry-run", folder=shop.folder)
    assert list(dry["plan"]) == ["requestorder", "total", "stake", "shortfall", "reasons"]
    book = shop.client("requester").orderbook
    document = machine.raw(*words, folder=shop.folder)
    assert list(document) == ["ok", "orderHash"]
    order = book.fetch_requestorder(document["orderHash"]).order
    planned = dry["plan"]["requestorder"]
    assert {name: value for name, value in order.to_dict().items() if name in planned} == planned
    assert (order.dataset, order.workerpool, order.category) == (dataset, shop.pool, 1)
    params = json.loads(order.params)
    assert params["iexec_input_files"] == ["https://a.org/1", "https://a.org/2"]
    assert params["iexec_developer_logger"] is True


def test_request_execution_for_a_person(machine: Machine, shop: Shop, golden: Golden) -> None:
    words = ["app", "request-execution", shop.app, "--app-price", "1 RLC"]
    golden("app-request-execution-dry", machine.shown(*words, "--dry-run", folder=shop.folder))
    golden("app-request-execution", machine.shown(*words, "--force", folder=shop.folder))


def test_a_request_with_faults(machine: Machine, spent: Shop) -> None:
    ask = ["app", "request-execution", spent.app]
    for words, text in [
        (["--workerpool-price", "2 RLC"], "Not enough RLC on your account (2.0 RLC required)."),
        (["--volume", "0"], "volume must be greater than or equal to 1"),
        (["--volume", "many"], "volume: many is not a valid uint256"),
        (["--category", "99"], "category 99 does not exist"),
        (["--dataset", spent.app], f"No dataset deployed at address {spent.app}"),
        (["--app-price", "1 2 3"], "is not a valid amount"),
        ([], "appmaxprice for app"),
    ]:
        assert text in machine.message(*ask, *words, "--force", folder=spent.folder)
    document = machine.failure(*ask, "--dry-run", "--app-price", "1", folder=spent.folder)
    assert list(document) == ["ok", "plan"]
