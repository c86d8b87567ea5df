"""``iexec`` 6.0.1 and ``iexec-lite`` take turns in one folder, through whole purchases.

Each story is told twice, with the roles exchanged: what one wrote, signed, published or pushed the
other reads, fills, shows, opens and takes back. Commands that only read are given to both, and
their documents must be the same to the letter (``turns.MENDED`` has the exceptions).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.demo import MEASUREMENT
from iexec_lite.sandbox.runner import SAMPLE_IMAGE

from .conftest import COMPILED, ROOT
from .turns import Team

HASH = re.compile("0x[0-9a-f]{64}")
RLC = 10**9
TEE = f"0x{1:064x}"


@pytest.fixture(scope="module")
def env(_oracle: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str] | None]:
    """The environment of a person in whose home a sandbox runs."""
    if isinstance(_oracle, str):
        yield None
        return
    home = str(tmp_path_factory.mktemp("home"))
    cache = os.environ.get("IEXEC_LITE_CACHE", str(Path.home() / ".cache" / "iexec_lite"))
    found = {
        **os.environ,
        **COMPILED,
        **dict.fromkeys(("HOME", "USERPROFILE", "IEXEC_LITE_HOME"), home),
        "IEXEC_LITE_CACHE": cache,
        "PYTHONPATH": str(ROOT),
    }
    for name in ("IEXEC_LITE_PASSWORD", "XDG_DATA_HOME", "DEBUG"):
        found.pop(name, None)
    command = [sys.executable, "-m", "iexec_lite", "sandbox"]
    subprocess.run([*command, "up", "--raw"], env=found, check=True, stdout=subprocess.DEVNULL)
    yield found
    subprocess.run([*command, "down", "--raw"], env=found, check=True, stdout=subprocess.DEVNULL)


class Shop(Team):
    """Somebody's project on the sandbox, and the addresses of what was deployed in it."""

    def __init__(self, folder: Path, env: dict[str, str], *, first: str) -> None:
        super().__init__(folder, env, first=first)
        self.goods: dict[str, str] = {}

    def open(self, person: str) -> None:
        """Each file is begun by one and finished by the other."""
        a, b = self.first, self.second
        a("init --skip-wallet")
        self.py("sandbox status --chain-json")
        self.edit("chain.json", lambda content: content.update(default="sandbox"))
        b(f"wallet import {to_hex(accounts.secret(person))} --unencrypted")
        a("app init --tee")
        app = {"multiaddr": SAMPLE_IMAGE, "mrenclave": MEASUREMENT}
        self.edit("iexec.json", lambda content: content["app"].update(app))
        self.goods["app"] = b("app deploy")["address"]
        b("dataset init --encrypted")
        (self.folder / "datasets" / "original" / "secret.txt").write_text("the secret")
        (file,) = a("dataset encrypt")["encryptedFiles"]
        stored = self.py(f"sandbox store {file['encrypted']}")["multiaddr"]
        dataset = {"multiaddr": stored, "checksum": file["checksum"]}
        self.edit("iexec.json", lambda content: content["dataset"].update(dataset))
        self.goods["dataset"] = a("dataset deploy")["address"]
        b("dataset push-secret")
        a("workerpool init")
        self.goods["workerpool"] = b("workerpool deploy")["address"]
        a("storage init")
        (self.folder / "orders.json").write_text("{}")  # V6 wants one, used or not (cli.md B13)
        a("account deposit 5 RLC")
        b("account deposit 1000000000")


@pytest.fixture(scope="module", params=["iexec", "iexec-lite"])
def opened(
    request: pytest.FixtureRequest,
    env: dict[str, str] | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shop | None:
    if env is None:
        return None
    shop = Shop(tmp_path_factory.mktemp("shop"), env, first=request.param)
    shop.open({"iexec": "requester", "iexec-lite": "app-provider"}[request.param])
    return shop


@pytest.fixture
def shop(oracle: Any, opened: Shop | None) -> Shop:
    """A project that was opened by both, with an app, a dataset, a workerpool and money."""
    assert opened is not None
    return opened


# --- chains and wallets ---------------------------------------------------------------------------


def test_the_chain(oracle: Any, env: dict[str, str], tmp_path: Path) -> None:
    team = Team(tmp_path, env)
    team.py("sandbox status --chain-json")
    me = accounts.addresses()["worker-1"]
    for line in ("info", "category count", "category show 0", f"account show {me}"):
        assert team.same(line)


@pytest.mark.parametrize("words", ["--bridge", "--flavour enterprise"])
def test_two_chains(oracle: Any, env: dict[str, str], tmp_path: Path, words: str) -> None:
    """V6 works on each chain of ``--chain-json``, and from the one to the other."""
    team = Team(tmp_path, {**env, "IEXEC_LITE_HOME": str(tmp_path / "home")})
    try:
        here, there = team.py(f"sandbox up {words} --chain-json")["chains"]
        team.py(f"wallet import {to_hex(accounts.secret('requester'))} --unencrypted")
        contracts = [team.same(f"info --chain {name}") for name in (here, there)]
        assert contracts[0] != contracts[1]
        before = [
            team.py(f"wallet show --chain {name}")["balance"]["nRLC"] for name in (here, there)
        ]
        if words == "--bridge":
            sent = team.js("wallet bridge-to-sidechain 5 RLC --force")
            assert HASH.fullmatch(sent["receiveTxHash"])  # it saw the other end
        else:
            team.js("wallet swap-eRLC-for-RLC 5 RLC --force")
        after = [
            team.same(f"wallet show --chain {name}")["balance"]["nRLC"] for name in (here, there)
        ]
        moved = [int(a) - int(b) for a, b in zip(after, before, strict=True)]
        assert moved == [-5 * RLC, 5 * RLC]
    finally:
        team.py("sandbox down")


def test_wallets(oracle: Any, env: dict[str, str], tmp_path: Path) -> None:
    """A keystore that one wrote the other opens, and a clear wallet. (ethers takes its time.)"""
    team = Team(tmp_path, env)
    theirs = team.js("init --password 'fïrst' --keystoredir ks")
    team.py("sandbox status --chain-json")
    show = "wallet show --show-private-key --chain sandbox"
    opened = team.py(f"{show} --keystoredir ks --password 'fïrst'")["wallet"]
    assert opened["address"] == theirs["walletAddress"]
    assert "invalid password" in team.py.refused(f"{show} --keystoredir ks --password wrong")
    ours = team.py("wallet create --password 'sécönd' --keystoredir ks")
    words = f"{show} --keystoredir ks --password 'sécönd' --wallet-address {ours['address']}"
    found = team.js(words)["wallet"]
    assert found["address"] == ours["address"]
    newest = team.same("wallet show --keystoredir ks --chain sandbox")
    assert newest["wallet"] == {"address": ours["address"]}
    imported = team.js(f"wallet import {found['privateKey']} --unencrypted")
    assert team.read("wallet.json") == imported["wallet"] == found
    assert team.py(show)["wallet"] == found
    again = team.py(f"wallet import {opened['privateKey']} --unencrypted --force")
    assert again == {**imported, "wallet": opened, "address": opened["address"]}
    assert list(again) == list(imported)
    assert team.js(show)["wallet"] == opened


# --- files ----------------------------------------------------------------------------------------


def test_templates(oracle: Any, env: dict[str, str], tmp_path: Path) -> None:
    """Both fill iexec.json with the same bytes, and leave what a person wrote."""
    found = []
    for name in ("iexec", "iexec-lite"):
        folder = tmp_path / name
        folder.mkdir()
        team = Team(folder, env, first=name)
        team.first("init --skip-wallet")
        team.py(f"wallet import {to_hex(accounts.secret('requester'))} --unencrypted")
        team.py("sandbox status --chain-json")
        team.edit("chain.json", lambda content: content.update(default="sandbox"))  # one of V6
        team.edit("iexec.json", lambda content: content.update(author="Zoë", mine=[1.5, None]))
        documents = [
            team.first(f"{words} init {more}")
            for words, more in (
                *(("app", "--tee"), ("dataset", "--tee"), ("workerpool", ""), ("category", "")),
                ("order", "--chain sandbox"),
            )
        ]
        folders = sorted(str(path.relative_to(folder)) for path in folder.rglob("*/"))
        found.append((documents, folders, (folder / "iexec.json").read_bytes()))
    assert json.dumps(found[0][0]) == json.dumps(found[1][0])
    assert found[0] == found[1]


# --- the shop -------------------------------------------------------------------------------------


def test_what_is_deployed(shop: Shop) -> None:
    goods = shop.goods
    number = shop.read("chain.json")["chains"]["sandbox"]["id"]
    assert shop.read("deployed.json") == {k: {number: address} for k, address in goods.items()}
    for kind, address in goods.items():
        assert shop.same(f"{kind} show")["address"] == address
    assert shop.first("app show 0")["app"]["appMultiaddr"] == SAMPLE_IMAGE
    assert shop.second("app count") == {"count": "1"}
    assert shop.first(f"dataset check-secret {goods['dataset']}") == {"isSecretSet": True}
    for cli in (shop.js, shop.py):
        told = cli.refused("app deploy")
        assert told.startswith(f"App already deployed at address {goods['app']}")


def test_the_storage(shop: Shop) -> None:
    assert shop.same("storage check")["isInitialized"] is True
    assert "already initialized" in shop.second.refused("storage init")
    assert shop.second("storage init --force-update")["isUpdated"] is True


def test_the_market(shop: Shop) -> None:
    """What one publishes the other sees, and takes back."""
    a, b, goods = shop.first, shop.second, shop.goods
    app, pool = goods["app"], goods["workerpool"]
    sold = b("app publish --price 1 RLC --tag tee --volume 3 --force")["orderHash"]
    shown = shop.same(f"order show --app {sold} --deals")["apporder"]
    assert shown["order"]["appprice"] == RLC
    assert shop.same(f"orderbook app {app} --require-tag tee")["count"] == 1

    words = "--price 3 --category 1 --volume 5 --tag tee --force"
    offered = a(f"workerpool publish {words}")["orderHash"]
    (order,) = shop.same(f"orderbook workerpool {pool} --category 1")["workerpoolOrders"]
    assert order["orderHash"] == offered
    assert b(f"workerpool unpublish {pool} --all --force") == {"unpublished": [offered]}

    words = f"--app-price 1 RLC --workerpool {pool} --category 0 --tag tee --args 'a b' --force"
    wanted = b(f"app request-execution {app} {words}")["orderHash"]
    me = shop.read("wallet.json")["address"]
    found = shop.same(f"orderbook requester {me} --workerpool {pool}")["requestOrders"]
    assert [each["orderHash"] for each in found] == [wanted]
    assert shop.same(f"order show --request {wanted}")["requestorder"]["status"] == "open"
    assert a(f"order unpublish --request {wanted} --force")["requestorder"] == {"orderHash": wanted}
    assert a("app unpublish --force") == {"unpublished": sold}


# --- purchases ------------------------------------------------------------------------------------


def test_a_purchase(shop: Shop) -> None:
    """Four orders in files, a deal, a task, and its encrypted result."""
    a, b = shop.first, shop.second
    b("result generate-keys")
    assert a("result push-encryption-key") == {"isPushed": True, "isUpdated": False}
    assert "already exists" in b.refused("result push-encryption-key")
    assert shop.same("result check-encryption-key") == {"isEncryptionKeySet": True}
    a("order init")
    terms = {
        "apporder": {"appprice": "0.5 RLC", "tag": ["tee"]},
        "datasetorder": {"datasetprice": "7", "tag": ["tee"]},
        "workerpoolorder": {"workerpoolprice": "1 RLC", "tag": ["tee"]},
        "requestorder": {
            **shop.goods,
            "appmaxprice": str(RLC // 2),
            "datasetmaxprice": "7",
            "workerpoolmaxprice": str(RLC),
            "tag": TEE,
            "params": {"iexec_args": "Alïce", "iexec_result_encryption": True},
        },
    }
    shop.edit("iexec.json", lambda c: [c["order"][kind].update(terms[kind]) for kind in terms])
    b("order sign --app --workerpool")
    a("order sign --dataset --request")
    (orders,) = shop.read("orders.json").values()
    assert set(orders) == set(terms)
    hashes = a("order publish --app --dataset --force")
    for kind in ("apporder", "datasetorder"):
        shown = shop.same(f"order show --{kind.removesuffix('order')}")
        assert shown[kind]["orderHash"] == hashes[kind]["orderHash"]
    filled = b("order fill --force")
    deal = shop.same(f"deal show {filled['dealid']}")["deal"]
    task = deal["tasks"]["0"]
    assert a(f"task show {task} --watch")["task"]["statusName"] == "COMPLETED"
    assert shop.same(f"task show {task}")["claimable"] is False
    assert a.refused(f"task claim {task}") == "Cannot claim a task having status COMPLETED"
    assert b(f"deal show {filled['dealid']} --watch")["completedTasksCount"] == 1
    compare_results(shop, task)
    assert b("order unpublish --app --force")["apporder"] == hashes["apporder"]
    assert HASH.fullmatch(b("order cancel --dataset --force")["datasetorder"]["txHash"])
    told = a.refused("order cancel --dataset --force")
    assert told == ["datasetorder: datasetorder already canceled"]


def compare_results(shop: Shop, task: str) -> None:
    """What each downloads and decrypts."""
    a, b = shop.first, shop.second
    sealed = a(f"task show {task} --download sealed")["resultPath"]
    paths = [
        cli(f"task show {task} --download {cli.name} --decrypt")["resultPath"] for cli in (a, b)
    ]
    found = [members(path) for path in paths]
    for cli in (a, b):
        found.append(members(cli(f"result decrypt {sealed} --force")["resultsPath"]))
    assert all(each == found[0] for each in found)
    assert "Hello, Alïce!".encode() in found[0]["result.txt"]


def members(path: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_purchase_by_hash(shop: Shop) -> None:
    """Of what the other published."""
    a, b = shop.first, shop.second
    app = b("app publish --price 1 --tag tee --force")["orderHash"]
    dataset = a("dataset publish --price 3 --tag tee --force")["orderHash"]
    pool = a("workerpool publish --price 2 --tag tee --force")["orderHash"]
    params = json.dumps({"iexec_args": "x"})
    words = f"--app {app} --dataset {dataset} --workerpool {pool} --params '{params}' --force"
    deal = shop.same(f"deal show {b(f'order fill {words}')['dealid']}")["deal"]
    assert json.loads(deal["params"])["iexec_args"] == "x"
    prices = [deal[kind]["price"] for kind in ("app", "dataset", "workerpool")]
    assert prices == ["1", "3", "2"]


def test_a_purchase_in_one_command(shop: Shop) -> None:
    words = "app run --workerpool deployed --dataset deployed --tag tee --args 'two words'"
    run = shop.second(f"{words} --force --watch")
    (deal,), (task,) = run["deals"], run["tasks"]
    assert task["statusName"] == "COMPLETED"
    shown = shop.first(f"task show {task['taskid']}")["task"]
    assert (shown["dealid"], shown["statusName"]) == (deal["dealid"], "COMPLETED")
