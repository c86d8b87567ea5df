"""Wallet, status and order signing: what is signed without a network, the real contracts accept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from iexec_lite import IExec
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts

from .machine import Machine

NO_SOCKETS = """
import sys

def hook(event, args):
    if event.startswith("socket."):
        raise RuntimeError("a socket is used: " + event)

sys.addaudithook(hook)
"""


def write_order(folder: Path, **order: object) -> None:
    file = folder / "iexec.json"
    content = json.loads(file.read_text("utf-8"))
    content["order"] = content.get("order", {}) | order
    file.write_text(json.dumps(content), encoding="utf-8")


def deploy_app(iexec: IExec, name: str) -> str:
    return iexec.app.deploy_app(
        {
            "owner": iexec.wallet.get_address(),
            "name": name,
            "type": "DOCKER",
            "multiaddr": "registry.invalid/app:1",
            "checksum": "0x" + "00" * 32,
        }
    ).address


def test_status(machine: Machine, tmp_path: Path) -> None:
    status = machine.raw("sandbox", "status", folder=tmp_path)
    chain = machine.chain()
    assert list(status)[:3] == ["ok", "running", "folder"]
    assert (status["running"], status["chainId"]) == (True, str(chain.id))
    assert (status["hub"], status["host"]) == (chain.hub, chain.host)
    assert status["accounts"]["requester"] == accounts.signer("requester").address
    shown = machine.run("sandbox", "status", folder=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.match("running: +yes\n", shown.stdout)
    assert machine.raw("sandbox", "up", folder=tmp_path) == status


def test_store(machine: Machine, tmp_path: Path) -> None:
    """What is stored is found at the gateway, under the name that the chain would have."""
    (tmp_path / "data.csv").write_bytes(b"a,b\n")
    stored = machine.raw("sandbox", "store", "data.csv", folder=tmp_path)["multiaddr"]
    with urlopen(f"{machine.chain().ipfs_gateway}{stored}") as answer:
        assert answer.read() == b"a,b\n"
    assert (
        machine.shown("sandbox", "store", "data.csv", folder=tmp_path) == f"multiaddr: {stored}\n"
    )
    assert "nothing is no file" in machine.message("sandbox", "store", "nothing", folder=tmp_path)
    nowhere = {"IEXEC_LITE_HOME": str(tmp_path / "other")}
    refused = machine.message("sandbox", "store", "data.csv", folder=tmp_path, env=nowhere)
    assert refused.startswith("No sandbox is running: start one with")


def test_wallet_show(machine: Machine, client: Any, project: Any) -> None:
    folder = project("beneficiary")
    address = accounts.signer("beneficiary").address
    balances = client("beneficiary").wallet.check_balances(address)
    document = machine.raw("wallet", "show", "--chain", "sandbox", folder=folder)
    assert document["wallet"] == {"address": address}
    balance = document["balance"]
    assert list(balance) == ["ether", "RLC", "nRLC", "wei"]
    assert (balance["wei"], balance["nRLC"]) == (str(balances.wei), str(balances.nrlc))
    assert balances.wei > 0
    nobody = machine.raw("wallet", "show", "0x" + "12" * 20, "--chain", "sandbox", folder=folder)
    assert nobody == {
        "ok": True,
        "balance": {"ether": "0.0", "RLC": "0.0", "nRLC": "0", "wei": "0"},
    }


def test_the_default_of_a_project(machine: Machine, project: Any) -> None:
    folder = project("requester")
    file = folder / "chain.json"
    file.write_text('{"default": "sandbox", "chains": {}}')
    shown = machine.run("wallet", "show", folder=folder)
    assert shown.returncode == 0
    assert f"Using chain sandbox [chainId: {machine.chain().id}]" in shown.stderr
    file.write_text(json.dumps({"default": "x", "chains": {"x": {
        "id": "12345", "host": machine.chain().host, "hub": machine.chain().hub,
    }}}))  # fmt: skip
    error = machine.failure("wallet", "show", folder=folder)["error"]
    assert error["message"].startswith(f"The node is on chain {machine.chain().id}, but x is chain")


def test_only_the_owner_signs_on_line(machine: Machine, client: Any, project: Any) -> None:
    app = deploy_app(client("app-provider"), "owned")
    ids = {str(machine.chain().id): app}
    sign = ["order", "sign", "--app", "--chain", "sandbox"]
    folders = {name: project(name) for name in ("app-provider", "requester")}
    for folder in folders.values():
        (folder / "deployed.json").write_text(json.dumps({"app": ids}))
        made = machine.raw("order", "init", "--app", "--chain", "sandbox", folder=folder)
        assert made["apporder"]["app"] == app
    refused = machine.failure(*sign, folder=folders["requester"])
    assert list(refused) == ["ok", "fail"]
    assert refused["fail"][0].startswith(
        "apporder: Invalid order signer, must be the resource owner"
    )
    assert not (folders["requester"] / "orders.json").exists()
    signed = machine.raw(*sign, folder=folders["app-provider"])["apporder"]
    stored = json.loads((folders["app-provider"] / "orders.json").read_text("utf-8"))
    assert stored == {str(machine.chain().id): {"apporder": signed}}
    # Off line nobody can tell; the contracts will.
    assert machine.raw(*sign, "--offline", folder=folders["requester"])["ok"] is True


def test_undeployed_resources(machine: Machine, project: Any) -> None:
    folder = project("requester")
    machine.raw("order", "init", "--chain", "sandbox", folder=folder)
    failed = machine.failure("order", "sign", "--chain", "sandbox", folder=folder)
    zero = "0x" + "0" * 40
    assert failed["fail"] == [
        f"{kind}order: No {resource} contract deployed at address {zero}"
        for kind, resource in [
            ("app", "app"), ("dataset", "dataset"), ("workerpool", "workerpool"), ("request", "app")
        ]
    ]  # fmt: skip


def test_orders_signed_without_sockets_make_a_deal(
    machine: Machine, client: Any, project: Any, tmp_path: Path
) -> None:
    """What the command line signs on a machine without a network, the contracts accept."""
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(NO_SOCKETS)
    provider, owner, requester = map(client, ("app-provider", "workerpool-owner", "requester"))
    app = deploy_app(provider, "offline")
    address = owner.wallet.get_address()
    pool = owner.workerpool.deploy_workerpool({"owner": address, "description": "off"}).address
    requester.account.deposit(1000)
    owner.account.deposit(1000)
    templates: dict[str, dict[str, object]] = {
        "app-provider": {"apporder": {"app": app, "appprice": "100", "volume": 5}},
        "workerpool-owner": {
            "workerpoolorder": {"workerpool": pool, "workerpoolprice": "200 nRLC", "category": 0}
        },
        "requester": {
            "requestorder": {
                "app": app,
                "appmaxprice": 100,
                "workerpoolmaxprice": "200",
                "category": "0",
                "params": {"iexec_args": "hello"},
            }
        },
    }
    orders: dict[str, Any] = {}
    for name, order in templates.items():
        folder = project(name)
        write_order(folder, **order)
        (kind,) = order
        flag = f"--{kind.removesuffix('order')}"
        words = ["order", "sign", flag, "--offline", "--chain", "sandbox"]
        orders[kind] = machine.raw(*words, folder=folder, path=str(guard))[kind]
        on_line = machine.failure("wallet", "show", "--chain", "sandbox", folder=folder,
                                  path=str(guard))  # fmt: skip
        assert "RuntimeError" in on_line["error"]["message"]  # the guard is there
    deal = requester.order.match_orders(**orders, check_request=False)
    assert deal.volume == 1
    shown = requester.deal.show(deal.dealid)
    assert json.loads(shown.params)["iexec_args"] == "hello"


def test_the_contracts_know_the_signature(machine: Machine, client: Any, project: Any) -> None:
    provider = client("app-provider")
    folder = project("app-provider")
    write_order(folder, apporder={"app": deploy_app(provider, "signature"), "appprice": "1 RLC"})
    words = ["order", "sign", "--app", "--chain", "sandbox"]
    signed = machine.raw(*words, folder=folder)["apporder"]
    order_hash = provider.order.hash_apporder(signed)
    chain = machine.chain()
    call = HUB.verifySignature.encode(provider.wallet.get_address(), order_hash, signed["sign"])
    answer = provider._context.rpc.call(str(chain.hub), call)
    assert HUB.verifySignature.decode(answer) is True


def test_init(machine: Machine, tmp_path: Path) -> None:
    shown = machine.shown("init", "--unencrypted", folder=tmp_path)
    assert shown.endswith("iExec project is ready\n")
    address = json.loads((tmp_path / "wallet.json").read_text("utf-8"))["address"]
    assert f"Your wallet address is {address}" in shown
    refused = machine.message("init", "--chain", "nowhere", "--skip-wallet", folder=tmp_path)
    assert "nowhere" in refused
