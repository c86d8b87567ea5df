"""Today's networks on the command line: what V6 did not have, and the whole main job there."""

from __future__ import annotations

import itertools
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.utils import DATASET_INFINITE_VOLUME

from .conftest import Golden, Project, edit
from .machine import Machine

SANDBOX = ("--generation", "6")
PEOPLE = accounts.addresses()
ME, OTHER = PEOPLE["requester"], PEOPLE["beneficiary"]
NOBODY = "0x" + "77" * 20
ZERO = "0x" + "0" * 40
CHECKSUM = "0x" + "0a" * 32
PRICE = 1000  # nRLC
NUMBERS = itertools.count(1)

Client = Callable[[str], IExec]


@dataclass
class Goods:
    """An app and a workerpool with what they cost, sold by the library."""

    app: str
    pool: str
    client: Client

    def sign(self, kind: str, **fields: Any) -> Any:
        names = {"app": "app-provider", "workerpool": "workerpool-owner"}
        order = self.client(names.get(kind, "requester")).order
        common: dict[str, Any] = {"app": {"app": self.app, "appprice": PRICE, "volume": 9}}
        common["workerpool"] = {"workerpool": self.pool, "workerpoolprice": PRICE, "category": 0}
        common["workerpool"]["volume"] = 9
        common["request"] = {"app": self.app, "category": 0, "appmaxprice": PRICE}
        common["request"]["workerpoolmaxprice"] = PRICE
        made = getattr(order, f"create_{kind}order")(**{**common[kind], **fields})
        return getattr(order, f"sign_{kind}order")(made)

    def keep(self, folder: Path, **orders: Any) -> None:
        """Orders into orders.json, as they are."""
        chain_id = self.client("requester").network.get_network().chain_id
        edit(folder, "orders.json", **{str(chain_id): {k: v.to_dict() for k, v in orders.items()}})

    def publish(self, kind: str, **fields: Any) -> str:
        names = {"app": "app-provider", "workerpool": "workerpool-owner"}
        order = self.client(names.get(kind, "requester")).order
        return str(getattr(order, f"publish_{kind}order")(self.sign(kind, **fields)))


def deploy(iexec: IExec, kind: str) -> str:
    owner, name = iexec.wallet.get_address(), f"{kind} {next(NUMBERS)}"
    common = {"owner": owner, "name": name, "checksum": CHECKSUM}
    entry: dict[str, Any] = {
        "app": {**common, "type": "DOCKER", "multiaddr": SAMPLE_IMAGE},
        "dataset": {**common, "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"},
        "workerpool": {"owner": owner, "description": name},
    }[kind]
    return str(getattr(getattr(iexec, kind), f"deploy_{kind}")(entry).address)


@pytest.fixture
def goods(client: Client) -> Goods:
    app = deploy(client("app-provider"), "app")
    pool = deploy(client("workerpool-owner"), "workerpool")
    for name in ("workerpool-owner", "requester"):
        client(name).account.deposit(100 * PRICE)
    return Goods(app, pool, client)


# --- the main job ---------------------------------------------------------------------------------


def test_the_main_job(machine: Machine, project: Project, golden: Golden, client: Client) -> None:
    """Sell a TDX app with a secret, a dataset and work; buy, watch, download, decrypt, debug."""
    app = sell_app(machine, project("app-provider"))
    dataset = sell_dataset(machine, project("dataset-provider"))
    sell_work(machine, project("workerpool-owner"))
    folder = project("requester")
    machine.raw("account", "deposit", "1", "RLC", folder=folder)
    machine.raw("result", "generate-encryption-keypair", folder=folder)
    machine.raw("result", "push-encryption-key", folder=folder)
    with machine.terminal("requester", "push-secret", "login", folder=folder) as terminal:
        terminal.answer("Paste your secret", "of mine")
        status, seen = terminal.end()
    assert (status, "of mine" in seen) == (0, False)
    assert f'Secret "login" successfully pushed for {ME}' in seen

    words = ["app", "run", app, "--dataset", dataset, "--args", "Alice", "--encrypt-result"]
    words += ["--secret", "1=login", "--tag", "tee", "tdx"]
    golden("today-app-run-dry", machine.shown(*words, "--dry-run", folder=folder))
    ran = machine.raw(*words, "--watch", "--force", folder=folder)
    (task,) = ran["tasks"]
    assert task["statusName"] == "COMPLETED"
    deal = client("requester").deal.show(ran["deals"][0]["dealid"])
    assert (int(deal.tag, 16), deal.sponsor) == (9, ME)

    words = ["task", "show", task["taskid"], "--download", "result", "--decrypt"]
    machine.raw(*words, folder=folder)
    with zipfile.ZipFile(folder / "result.zip") as files:
        text = files.read("result.txt").decode()
    assert "Hello, Alice!" in text
    assert "begins with 'line one'" in text
    assert "IEXEC_REQUESTER_SECRET_1: 7 characters" in text
    assert "IEXEC_APP_DEVELOPER_SECRET: 10 characters" in text
    debug(machine, folder, task["taskid"], golden)


def sell_app(machine: Machine, folder: Path) -> str:
    machine.raw("app", "init", folder=folder)
    content = json.loads((folder / "iexec.json").read_text("utf-8"))
    assert content["app"]["name"] == "hello-world"
    edit(folder, "iexec.json", app={**content["app"], "multiaddr": SAMPLE_IMAGE})
    app = str(machine.raw("app", "deploy", folder=folder)["address"])
    assert machine.raw("app", "check-secret", folder=folder) == {"ok": True, "isSecretSet": False}
    words = ["app", "push-secret", "--secret-file", "-"]
    assert machine.raw(*words, folder=folder, stdin="of the app\n") == {"ok": True}
    assert machine.shown("app", "check-secret", app, folder=folder) == (
        f"Secret found for app {app}\n"
    )
    told = machine.message(*words, folder=folder, stdin="another\n")
    assert told == f"Secret already exists for {app} and can't be updated"
    done = machine.run("app", "publish", "--price", "1000", "--force", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "tag tee,tdx: sandbox demands it of every order" in done.stderr
    return app


def sell_dataset(machine: Machine, folder: Path) -> str:
    machine.raw("dataset", "init", "--encrypted", folder=folder)
    (folder / "datasets" / "original" / "data.csv").write_text("line one\n")
    (file,) = machine.raw("dataset", "encrypt", folder=folder)["encryptedFiles"]
    stored = machine.raw("sandbox", "store", file["encrypted"], folder=folder)
    entry = json.loads((folder / "iexec.json").read_text("utf-8"))["dataset"]
    place = {"multiaddr": stored["multiaddr"], "checksum": file["checksum"]}
    edit(folder, "iexec.json", dataset={**entry, **place})
    dataset = str(machine.raw("dataset", "deploy", folder=folder)["address"])
    words = ["dataset", "publish", "--price", "1000", "--force"]
    told = machine.message(*words, folder=folder)
    assert told.startswith("Dataset requirements check failed: Dataset encryption key is not set")
    assert told.endswith("use --skip-preflight-check to skip preflight requirement check)")
    early = machine.raw(*words, "--skip-preflight-check", folder=folder)["orderHash"]
    machine.raw("dataset", "unpublish", "--force", folder=folder)
    machine.raw("dataset", "push-secret", folder=folder)
    assert machine.raw(*words, folder=folder)["orderHash"] != early
    return dataset


def sell_work(machine: Machine, folder: Path) -> None:
    machine.raw("workerpool", "init", folder=folder)
    machine.raw("workerpool", "deploy", folder=folder)
    machine.raw("account", "deposit", "1", "RLC", folder=folder)
    machine.raw("workerpool", "publish", "--price", "1000", "--force", folder=folder)
    shown = machine.raw("workerpool", "show", folder=folder)
    assert shown["apiUrl"] == machine.chain().compass
    assert f"API:                    {shown['apiUrl']}" in machine.shown(
        "workerpool", "show", folder=folder
    )


def debug(machine: Machine, folder: Path, taskid: str, golden: Golden) -> None:
    found = machine.raw("task", "debug", taskid, "--logs", folder=folder)
    assert list(found) == ["ok", "onchainData", "offchainData", "appLogs"]
    assert found["onchainData"]["statusName"] == "COMPLETED"
    assert found["offchainData"]["task"]["status"] == "COMPLETED"
    (log,) = found["appLogs"]
    assert list(log) == ["worker", "stdout", "stderr"]
    assert "wrote result.txt" in log["stdout"]
    shown = machine.shown("task", "debug", taskid, "--logs", folder=folder)
    shown = shown.replace(found["onchainData"]["results"]["location"], "<cid>")
    golden("today-task-debug", re.sub(r"- .* UTC \(.*\) ", "- <when> ", shown))
    # Without the wallet of the requester there is all but the logs, and it is said.
    key = ["wallet", "import", accounts.secret("beneficiary").hex(), "--unencrypted", "--force"]
    machine.raw(*key, folder=folder)
    words = ["task", "debug", taskid]
    assert list(machine.raw(*words, folder=folder)) == ["ok", "onchainData", "offchainData"]
    found = machine.raw(*words, "--logs", folder=folder)
    (warning,) = found["warnings"]
    assert warning.startswith(
        f"Failed to fetch app logs: Only task requester {ME} can access replicates logs"
    )
    assert "appLogs" not in found
    done = machine.run(*words, "--logs", folder=folder)
    assert f"! {warning}" in done.stderr.replace("⚠", "!")


def test_debugging_what_is_not_there(machine: Machine, project: Project) -> None:
    folder = project("requester")
    told = machine.message("task", "debug", "0x" + "ab" * 32, folder=folder)
    assert told.startswith("No task found for id")
    (folder / "wallet.json").unlink()
    told = machine.message("task", "debug", "0x" + "ab" * 32, "--logs", folder=folder)
    assert "wallet" in told


def test_nobody_tells_of_a_task(machine: Machine, goods: Goods, project: Project) -> None:
    """The services are down: what the chain says is shown all the same."""
    folder = project("requester")
    goods.keep(
        folder,
        apporder=goods.sign("app"),
        workerpoolorder=goods.sign("workerpool"),
        requestorder=goods.sign("request"),
    )
    words = ["order", "fill", "--force", "--skip-preflight-check"]
    dealid = machine.raw(*words, folder=folder)["dealid"]
    machine.raw("deal", "show", dealid, "--watch", folder=folder)
    (taskid,) = machine.raw("deal", "show", dealid, folder=folder)["deal"]["tasks"].values()
    chain = {"sandbox": {"compass": "http://127.0.0.1:1"}}
    edit(folder, "chain.json", chains=chain)
    found = machine.raw("task", "debug", taskid, "--logs", folder=folder)
    assert [w.split(":")[0] for w in found["warnings"]] == [
        "Failed to fetch off-chain data",
        "Failed to fetch app logs",
    ]
    assert found["onchainData"]["taskid"] == taskid
    done = machine.run("workerpool", "show", goods.pool, folder=folder)
    assert (done.returncode, "API:" in done.stdout) == (0, False)
    assert "Failed to find out the API of the workerpool" in done.stderr


# --- secrets --------------------------------------------------------------------------------------


def test_secrets_of_a_requester(machine: Machine, project: Project, tmp_path: Path) -> None:
    folder = project("worker-1")
    me = PEOPLE["worker-1"]
    check = ["requester", "check-secret", "key"]
    assert machine.raw(*check, folder=folder) == {"ok": True, "isSet": False, "name": "key"}
    file = tmp_path / "secret.pem"
    file.write_text("two\nlines\n")
    push = ["requester", "push-secret", "key", "--secret-file", str(file)]
    assert machine.raw(*push, folder=folder) == {"ok": True, "isPushed": True, "name": "key"}
    assert machine.message(*push, folder=folder) == f'Secret "key" already exists for {me}'
    assert machine.shown(*check, folder=folder) == f'Secret "key" found for {me}\n'
    assert machine.shown(*check, OTHER, folder=folder) == f'No secret "key" found for {OTHER}\n'
    done = machine.run("requester", "push-secret", "k2", "--secret-value", "v", folder=folder)
    assert (done.returncode, "--secret-value may be unsafe" in done.stderr) == (0, True)
    assert done.stdout == (
        f'Secret "k2" successfully pushed for {me}\n'
        "Give it to a task: iexec-lite app run APP --secret 1=k2\n"
    )
    push = ["requester", "push-secret"]
    for words, stdin, told in (
        (["a b", "--secret-value", "v"], None, "'a b' is no name of a secret"),
        (["k3"], None, "there is nobody to ask; give --secret-file FILE or --secret-value"),
        (["k3", "--secret-value", ""], None, "The secret is empty"),
        (["k3", "--secret-file", "-"], "\n", "The secret is empty"),
        (["k3", "--secret-file", "-"], "x" * 70000, "more than 65536 characters"),
        (["k3", "--secret-file", "-"], "x" * 5000, "5000 bytes: it must have 1 to 4096"),
        (["k3", "--secret-file", "nothing"], None, "cannot read nothing"),
    ):
        assert told in machine.message(*push, *words, folder=folder, stdin=stdin)
    (folder / "wallet.json").unlink()
    assert machine.message(*check, folder=folder) == "Missing ADDRESS or wallet"
    assert machine.raw(*check, me, folder=folder)["isSet"] is True
    assert "wallet" in machine.message(*push, "k3", folder=folder)
    assert "is no name" in machine.message("requester", "check-secret", "", me, folder=folder)


def test_secret_of_an_app(machine: Machine, goods: Goods, project: Project) -> None:
    folder = project("requester")
    words = ["app", "push-secret", goods.app, "--secret-value", "s"]
    told = machine.message(*words, folder=folder)
    assert told.startswith(f"Wallet {ME} is not allowed to set secret for {goods.app}")
    shown = machine.shown("app", "check-secret", goods.app, folder=folder)
    assert shown == f"No secret found for app {goods.app}\n"
    told = machine.message("app", "check-secret", folder=folder)
    assert told.startswith('Missing appAddress and no app found in "deployed.json"')
    owner = project("app-provider")
    assert machine.shown(*words, folder=owner) == (
        f"Secret successfully pushed for app {goods.app}\n"
    )
    with machine.terminal(*words[:2], NOBODY, folder=owner) as terminal:
        terminal.answer("Paste your secret", "s")
        status, seen = terminal.end()
    assert (status, f"No app found for id {NOBODY}" in seen) == (1, True)


def test_secrets_for_a_task(machine: Machine, goods: Goods, project: Project) -> None:
    folder = project("requester")
    goods.publish("app")
    goods.publish("workerpool")
    run = ["app", "run", goods.app, "--dry-run"]
    for words, told in (
        (["login"], "'login' is not a valid secret mapping syntax (must be <appSecretKey>="),
        (["1="], "'1=' is not a valid secret mapping syntax"),
        (["01=a"], "requester secret mapping keys must be strictly positive integers"),
        (["x=a"], "requester secret mapping keys must be strictly positive integers"),
        (["1=a", "1=b"], "--secret: number 1 is given twice"),
    ):
        assert told in machine.message(*run, "--secret", *words, folder=folder)
    words = ["--secret", "2=b", "1=a", "--secret", "3=c", "--params", '{"iexec_secrets":{"9":"z"}}']
    failed = machine.failure(*run, *words, folder=folder)
    (reason,) = failed["plan"]["reasons"]
    assert 'Requester secret "a" is not set for requester' in reason["text"]
    params = json.loads(failed["plan"]["requestorder"]["params"])
    assert params["iexec_secrets"] == {"1": "a", "2": "b", "3": "c", "9": "z"}
    made = machine.raw(*run, *words, "--skip-preflight-check", folder=folder)
    assert made["plan"]["reasons"] == []
    words = ["app", "request-execution", goods.app, "--secret", "1=a", "--workerpool-price", "5"]
    words += ["--app-price", "1000", "--skip-preflight-check", "--force"]
    order_hash = machine.raw(*words, folder=folder)["orderHash"]
    request = goods.client("requester").orderbook.fetch_requestorder(order_hash).order
    assert json.loads(request.params)["iexec_secrets"] == {"1": "a"}


# --- accounts and owners --------------------------------------------------------------------------


def test_allowances(machine: Machine, project: Project, client: Client, golden: Golden) -> None:
    folder = project("requester")
    client("requester").account.deposit(100)
    allowed = client("requester").account
    done = machine.raw("account", "approve", "60", "nRLC", OTHER, folder=folder)
    assert list(done) == ["ok", "txHash"]
    assert allowed.check_allowance(ME, OTHER) == 60
    golden("today-approve", machine.shown("account", "approve", "1", OTHER, "RLC", folder=folder))
    assert allowed.check_allowance(ME, OTHER) == 10**9
    # Decimal, where iexec 9 prints hexadecimal digits.
    words = ["account", "allowance", OTHER]
    assert machine.raw(*words, folder=folder) == {"ok": True, "amount": "1000000000"}
    golden("today-allowance", machine.shown(*words, "--user", ME, folder=folder))
    golden("today-revoke", machine.shown("account", "revoke", OTHER, folder=folder))
    assert allowed.check_allowance(ME, OTHER) == 0
    assert "txHash" in machine.raw("account", "revoke", OTHER, "--new", folder=folder)
    for words, told in (
        (["approve", "0", OTHER], "revoke"),
        (["approve", "5", "RLC", OTHER, "RLC"], "the amount 5 RLC has its unit"),
        (["approve", "5", OTHER, "ether"], "ether"),
        (["approve", "-5", OTHER], ""),
        (["approve", "5", "0x1"], "spender"),
        (["approve", "5", "RLC"], "missing required argument 'SPENDER'"),
        (["revoke", "0x1"], "spender"),
        (["allowance", "0x1"], "spender"),
    ):
        assert told in machine.message("account", *words, folder=folder)
    (folder / "wallet.json").unlink()
    told = machine.message("account", "allowance", OTHER, folder=folder)
    assert told == "Missing option --user <address> or wallet"


@pytest.mark.parametrize("kind", ["app", "dataset", "workerpool"])
def test_a_new_owner(
    machine: Machine, project: Project, client: Client, golden: Golden, kind: str
) -> None:
    folder = project("requester")
    address = deploy(client("requester"), kind)
    words = [kind, "transfer", address, "--to", OTHER]
    told = machine.message(*words, folder=folder)
    assert f"Do you want to transfer the ownership of the {kind} {address} to {OTHER}" in told
    assert "--force says yes" in told
    assert machine.message(kind, "transfer", address, folder=folder) == "Missing --to option"
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer("[chainId:", "n")
        status, seen = terminal.end()
    assert (status, "Operation aborted by user." in seen) == (1, True)
    owner = getattr(client("requester"), kind)
    assert getattr(owner, f"show_{kind}")(address).properties["owner"] == ME
    shown = machine.shown(*words, "--force", folder=folder)
    golden(f"today-{kind}-transfer", shown)
    assert getattr(owner, f"show_{kind}")(address).properties["owner"] == OTHER
    theirs = machine.message(*words, "--force", folder=folder)  # before any question
    assert theirs.startswith(f"Only {kind} owner can transfer {kind} ownership")
    back = machine.raw(
        kind, "transfer", address, "--to", ME, "--force", folder=project("beneficiary")
    )
    assert (list(back), back["address"], back["to"]) == (
        ["ok", "address", "to", "txHash"],
        address,
        ME,
    )
    assert getattr(owner, f"show_{kind}")(address).properties["owner"] == ME


# --- orders ---------------------------------------------------------------------------------------


def test_orders_from_templates(
    machine: Machine, goods: Goods, project: Project, golden: Golden
) -> None:
    folder = project("app-provider")
    golden("today-order-init", machine.shown("order", "init", folder=folder))
    orders = json.loads((folder / "iexec.json").read_text("utf-8"))["order"]
    orders["apporder"] |= {"app": goods.app, "appprice": "1000"}
    orders["requestorder"] |= {"app": goods.app}
    edit(folder, "iexec.json", order=orders)
    words = ["order", "sign", "--app", "--request", "--skip-preflight-check"]
    signed = machine.raw(*words, folder=folder)
    assert int(signed["apporder"]["tag"], 16) == int(signed["requestorder"]["tag"], 16) == 9
    words = ["order", "publish", "--app", "--skip-preflight-check", "--force"]
    published = machine.raw(*words, folder=folder)["apporder"]["orderHash"]
    assert goods.client("requester").orderbook.fetch_apporder(published).order.appprice == 1000
    words = ["order", "export", "--app", "--skip-preflight-check"]
    assert machine.raw(*words, folder=folder)["apporder"]["address"] == PEOPLE["app-provider"]


def test_checks_name_what_they_are_of(machine: Machine, project: Project, client: Client) -> None:
    """An app with a measurement, and a dataset without key, are told before they are signed."""
    folder = project("requester")
    measured = {**MEASURED, "name": f"measured {next(NUMBERS)}"}
    app = client("requester").app.deploy_app(measured).address
    dataset = deploy(client("requester"), "dataset")
    machine.raw("order", "init", folder=folder)
    orders = json.loads((folder / "iexec.json").read_text("utf-8"))["order"]
    orders["apporder"]["app"] = orders["requestorder"]["app"] = app
    orders["datasetorder"]["dataset"] = dataset
    edit(folder, "iexec.json", order=orders)
    words = ["order", "sign", "--app", "--dataset", "--request"]
    failed = machine.failure(*words, folder=folder)["fail"]
    assert [text.split(" check failed: ")[0] for text in failed] == [
        "apporder: App requirements",
        "datasetorder: Dataset requirements",
        "requestorder: Request requirements",
    ]
    assert "has an MREnclave, which is no longer supported" in failed[0]
    machine.raw(*words, "--skip-request-check", folder=folder)  # its name in V6
    told = machine.message("app", "publish", app, "--force", folder=folder)
    assert told.startswith("App requirements check failed: ")
    machine.raw("app", "publish", app, "--force", "--skip-preflight-check", folder=folder)
    stranger = project("beneficiary")
    told = machine.message("app", "publish", app, "--force", folder=stranger)
    assert told.startswith("Invalid order signer")  # which is none of these checks


MEASURED: dict[str, Any] = {
    "owner": ME,
    "type": "DOCKER",
    "multiaddr": SAMPLE_IMAGE,
    "checksum": CHECKSUM,
    "mrenclave": {
        "provider": "SCONE",
        "version": "v5",
        "entrypoint": "x",
        "heapSize": 1,
        "fingerprint": "00",
    },
}


def test_deposit_and_sponsor(machine: Machine, goods: Goods, project: Project) -> None:
    """Who pays for a deal: the account, the wallet behind it, or somebody else."""
    folder, client = project("requester"), goods.client
    me = client("requester")
    offers = {"apporder": goods.sign("app"), "workerpoolorder": goods.sign("workerpool")}
    goods.keep(folder, **offers, requestorder=goods.sign("request"))
    me.account.withdraw(me.account.check_balance(ME).stake)
    told = machine.message("order", "fill", "--force", folder=folder)
    assert "greater than requester account stake" in told
    estimate = machine.failure("order", "estimate", folder=folder)  # as the newest SDK calls it
    assert (estimate["volume"], estimate["total"]) == ("1", str(2 * PRICE))
    assert estimate["requesterShortfall"] == str(2 * PRICE)
    done = machine.run("order", "fill", "--deposit", "--force", folder=folder)
    assert done.returncode == 0, done.stderr
    assert f"depositing {2 * PRICE} nRLC first" in done.stderr
    assert me.account.check_balance(ME).stake == 0

    sponsor = project("beneficiary")
    goods.keep(sponsor, **offers, requestorder=goods.sign("request"))
    told = machine.message("order", "fill", "--sponsor", "--force", folder=sponsor)
    assert "greater than sponsor account stake" in told
    machine.raw("account", "deposit", "2000", folder=sponsor)
    made = machine.raw("order", "fill", "--sponsor", "--force", folder=sponsor)
    deal = me.deal.show(made["dealid"])
    assert (deal.sponsor, deal.requester) == (OTHER, ME)
    shown = machine.raw("deal", "show", made["dealid"], folder=sponsor)["deal"]
    assert shown["sponsor"] == OTHER
    both = machine.message("order", "fill", "--sponsor", "--deposit", folder=sponsor)
    assert "not allowed with argument" in both


# --- order books ----------------------------------------------------------------------------------


def hashes(machine: Machine, folder: Path, *words: str) -> set[str]:
    """What a book shows."""
    found = machine.raw("orderbook", *words, folder=folder)
    (rows,) = (rows for name, rows in found.items() if name.endswith("Orders"))
    return {row["orderHash"] for row in rows}


def test_filters_of_the_app_book(machine: Machine, goods: Goods, project: Project) -> None:
    folder, app = project("requester"), goods.app
    open_, mine = goods.publish("app"), goods.publish("app", requesterrestrict=ME)
    pool = goods.publish("app", workerpoolrestrict=goods.pool)
    data = goods.publish("app", datasetrestrict=NOBODY)
    book = ["app", app]
    assert hashes(machine, folder, *book) == {open_}
    assert hashes(machine, folder, *book, "--requester", ME) == {open_, mine}
    assert hashes(machine, folder, *book, "--requester", ME, "--requester-strict") == {mine}
    words = ["--workerpool", goods.pool, "--workerpool-strict"]
    assert hashes(machine, folder, *book, *words) == {pool}
    assert hashes(machine, folder, *book, "--dataset", NOBODY, "--dataset-strict") == {data}
    words = ["--dataset", "any", "--workerpool", "any", "--requester", "any"]
    assert hashes(machine, folder, *book, *words) == {open_, mine, pool, data}
    owner = ["app", "--owner", PEOPLE["app-provider"], "--all", "--page-size", "10"]
    assert open_ in hashes(machine, folder, *owner)
    assert open_ in hashes(machine, folder, "app", "any", "--page-size", "1000", "--all")
    shown = machine.shown("orderbook", "app", "any", "--page-size", "1000", folder=folder)
    assert app in shown  # a book of many apps says which
    for words, told in (
        (["app"], "missing required argument 'ADDRESS' (or --owner)"),
        (["app", app, "--page-size", "9"], "page_size must be from 10 to 1000"),
        (["app", app, "--page-size", "x"], "--page-size must be a `number` type, got x"),
        (["app", app, "--requester", "nobody"], "requester"),
    ):
        assert told in machine.message("orderbook", *words, folder=folder)


def test_pages_to_the_end(machine: Machine, goods: Goods, project: Project) -> None:
    """A person gets all pages without being asked, a script more than about 100."""
    folder = project("requester")
    for _ in range(12):
        goods.publish("app")
    words = ["orderbook", "app", goods.app, "--page-size", "10"]
    some = machine.run(*words, folder=folder)
    assert "(1 to 10 of 12)" in some.stdout
    assert "2 more: at a terminal you are asked, --all gives them all" in some.stderr
    everything = machine.shown(*words, "--all", folder=folder)
    assert "(11 to 12 of 12)" in everything
    assert everything.endswith("No more results\n")
    assert len(hashes(machine, folder, *words[1:], "--all")) == 12


def test_filters_of_other_books(
    machine: Machine, goods: Goods, project: Project, client: Client, golden: Golden
) -> None:
    folder, pool = project("requester"), goods.pool
    for_app = goods.publish("workerpool", apprestrict=goods.app)
    data = goods.publish("workerpool", datasetrestrict=NOBODY)
    mine = goods.publish("workerpool", requesterrestrict=ME)
    book = ["workerpool", pool]
    assert hashes(machine, folder, *book, "--app", goods.app, "--app-strict") == {for_app}
    assert hashes(machine, folder, *book, "--dataset", NOBODY, "--dataset-strict") == {data}
    assert hashes(machine, folder, *book, "--requester", ME, "--requester-strict") == {mine}
    owner = ["--owner", PEOPLE["workerpool-owner"], "--app", "any", "--dataset", "any"]
    assert {for_app, data} <= hashes(machine, folder, "workerpool", *owner, "--page-size", "100")
    goods.publish("app")
    asked = goods.publish("request", workerpool=pool)
    anybody = goods.publish("request")
    book = ["requester", ME, "--app", goods.app, "--workerpool", pool, "--page-size", "100"]
    assert hashes(machine, folder, *book) >= {asked, anybody}
    strict = hashes(machine, folder, *book, "--workerpool-strict", "--all")
    assert (asked in strict, anybody in strict) == (True, False)
    shown = machine.shown("orderbook", "workerpool", pool, "--app", "any", folder=folder)
    golden("today-orderbook", shown)
    unrestricted = goods.publish("workerpool")
    found = hashes(machine, folder, "workerpool", "any", "--all", "--page-size", "1000")
    assert (unrestricted in found, for_app in found) == (True, False)


# --- datasets in bulk -----------------------------------------------------------------------------


def sold(client: Client, **fields: Any) -> Any:
    """A dataset whose key is in the SMS, and an order for bulk."""
    provider = client("dataset-provider")
    address = deploy(provider, "dataset")
    provider.dataset.push_dataset_secret(address, provider.dataset.generate_encryption_key())
    order = provider.order.create_datasetorder(
        address, **{"volume": DATASET_INFINITE_VOLUME, **fields}
    )
    return provider.order.sign_datasetorder(order)


def test_bulk(
    machine: Machine, goods: Goods, project: Project, client: Client, golden: Golden
) -> None:
    folder, provider = project("requester"), client("dataset-provider")
    orders = [sold(client) for _ in range(3)]
    for_app = sold(client, apprestrict=goods.app, datasetprice=1, volume=1)
    published = provider.order.publish_datasetorder(orders[0])
    other = provider.order.publish_datasetorder(for_app)
    book = ["dataset", "--owner", PEOPLE["dataset-provider"], "--page-size", "1000", "--all"]
    assert published in hashes(machine, folder, *book, "--bulk-only", "--app", "any")
    found = hashes(machine, folder, *book, "--app", goods.app, "--app-strict")
    assert found == {other}
    for name in ("workerpool", "requester"):
        words = [f"--{name}", NOBODY, f"--{name}-strict"]
        assert hashes(machine, folder, *book, *words) == set()
    assert other not in hashes(machine, folder, *book, "--bulk-only", "--app", "any")

    (folder / "two.json").write_text(json.dumps([each.to_dict() for each in orders[1:]]))
    words = ["dataset", "prepare-bulk", published, "two.json", "--max-dataset-per-task", "2"]
    words += ["--app", goods.app, "--workerpool", goods.pool, "--requester", ME]
    words += ["--copy-to", str(machine.chain().ipfs_node)]
    made = machine.raw(*words, folder=folder)
    assert (list(made), made["volume"]) == (["ok", "cid", "volume"], 2)
    shown = machine.shown(*words, "--skip-preflight-check", folder=folder)
    assert made["cid"] in shown
    golden("today-bulk", shown.replace(made["cid"], "<cid>").replace(goods.app, "<app>"))
    goods.keep(folder, datasetorder=orders[0])
    assert machine.raw("dataset", "prepare-bulk", folder=folder)["volume"] == 1

    goods.publish("app")
    params = json.dumps({"bulk_cid": made["cid"]})
    words = ["app", "request-execution", goods.app, "--volume", "2", "--params", params]
    words += ["--app-price", "1000", "--workerpool-price", "1000", "--force"]
    order_hash = machine.raw(*words, folder=folder)["orderHash"]
    request = client("requester").orderbook.fetch_requestorder(order_hash).order
    assert json.loads(request.params)["bulk_cid"] == made["cid"]


def test_bulk_of_what_is_none(machine: Machine, project: Project, client: Client) -> None:
    folder = project("requester")
    paid = sold(client, datasetprice=5)
    (folder / "paid.json").write_text(json.dumps([paid.to_dict(), paid.to_dict()]))
    (folder / "none.json").write_text('[{"app": "x"}]')
    (folder / "bad.json").write_text("{")
    words = ["dataset", "prepare-bulk"]
    for given, told in (
        (["paid.json"], "[0].datasetprice (5) is not valid for bulk datasetorder expected 0"),
        (["none.json"], "none.json: no datasetorder in it, or something else beside"),
        (["bad.json"], "bad.json is not JSON"),
        (["nothing.json"], "nothing.json is neither a file nor 0x and 64 hex digits"),
        (["0x12"], 'Invalid datasetorder hash: "0x12" is not 0x and 64 hex digits'),
        (["0x" + "12" * 32], "is not published on iexec marketplace"),
        ([], "Missing orders.json: give hashes of datasetorders or files with them"),
        (["paid.json", "--max-dataset-per-task", "101"], "an integer from 1 to 100, not 101"),
        (["paid.json", "--max-dataset-per-task", "x"], "must be a `number` type, got x"),
    ):
        assert told in machine.message(*words, *given, folder=folder)


# --- what these networks do not have --------------------------------------------------------------


def test_storage_needs_nothing(machine: Machine, project: Project) -> None:
    folder = project("requester")
    (folder / "wallet.json").unlink()  # nor a wallet
    told = "Nothing to do: the workers of sandbox store results on IPFS without a token\n"
    for words in (["init"], ["init", "ipfs"], ["check"], ["check", "default", "--user", ME]):
        assert machine.shown("storage", *words, folder=folder) == told
    found = machine.raw("storage", "init", folder=folder)
    both = {"isInitialized": True, "isInitilized": True}
    assert found == {"ok": True, **both, "isUpdated": False}
    assert machine.raw("storage", "check", folder=folder) == {"ok": True, **both}
    found = machine.raw("storage", "check", "dropbox", "--user", OTHER, folder=folder)
    assert found["isInitialized"] is False


def test_what_is_no_more(machine: Machine, project: Project) -> None:
    folder = project("requester")
    for words, told in (
        (["wallet", "get-RLC", "--chain", "arbitrum-sepolia-testnet"], "faucet"),
        (["wallet", "get-ether", "--chain", "421614"], "faucet"),
        (["wallet", "bridge-to-sidechain", "1", "RLC"], "There is no bridge on sandbox"),
        (["wallet", "bridge-to-mainchain", "1", "RLC"], "There is no bridge on sandbox"),
        (["wallet", "swap-RLC-for-eRLC", "1", "RLC"], "No enterprise smart contracts found"),
        (["wallet", "swap-eRLC-for-RLC", "1", "RLC"], "No enterprise smart contracts found"),
    ):
        assert told in machine.message(*words, "--force", folder=folder), words
    told = machine.message(
        "app", "run", NOBODY, "--chain", "bellecour", "--secret", "1=a", folder=folder
    )
    assert "the SMS of bellecour keeps no secrets of requesters" in told


def test_a_chain_file_for_todays_sdk(machine: Machine, project: Project) -> None:
    """Keys that it accepts, and no others; keys of V6 are ignored with one warning."""
    folder = project("requester")
    past = {"id": str(kind_of("token").chain_id), "native": False, "ipfsNode": "http://x.invalid"}
    edit(folder, "chain.json", chains={"sandbox": past})
    machine.raw("sandbox", "status", "--chain-json", folder=folder)
    entry = json.loads((folder / "chain.json").read_text("utf-8"))["chains"]["sandbox"]
    chain = machine.chain()
    services = dict.fromkeys(("sms", "ipfsGateway", "iexecGateway", "compass"), chain.compass)
    own = {"id": str(chain.id), "host": chain.host, "hub": chain.hub}
    assert entry == {**own, **services}
    edit(folder, "chain.json", chains={"sandbox": {**entry, "resultProxy": "x", "useGas": False}})
    done = machine.run("info", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resultProxy, useGas in chain.json: of no use on sandbox") == 1
    assert machine.raw("info", folder=folder)["pocoVersion"] == "6"
    names = ("sandbox", str(chain.id))
    for name in names:
        edit(folder, "chain.json", default=name)
        assert machine.raw("info", folder=folder)["hubAddress"] == chain.hub
