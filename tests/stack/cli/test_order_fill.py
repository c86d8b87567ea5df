"""``order fill`` and ``order check`` on the real contracts (cli.md §8.8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.sandbox import accounts

from .conftest import edit
from .machine import Machine
from .selling import Goods, deploy, seller

NOTHING = "0x" + "77" * 32
CREATED = (
    "the following requestorder has been created, do you want to sign it and complete your "
    "purchase?"
)
SKIP = "--skip-request-check"
HINT = f"If you consider this is not an issue, use {SKIP} to skip request requirement check"


@pytest.fixture(scope="module")
def goods(machine: Machine) -> Goods:
    return deploy(machine)


def deal(machine: Machine, dealid: str) -> Any:
    with seller(machine, "requester") as iexec:
        return iexec.deal.show(dealid)


def keep_all(goods: Goods, folder: Path, **changes: dict[str, object]) -> None:
    names = ("app", "workerpool", "request")
    goods.keep(folder, **{name: goods.sign(name, **changes.get(name, {})) for name in names})


# -- fill ------------------------------------------------------------------------------------------


def test_from_orders_json(machine: Machine, goods: Goods, project: Any, golden: Any) -> None:
    folder = project("requester")
    keep_all(goods, folder)
    document = machine.raw("order", "fill", SKIP, folder=folder)
    assert list(document) == ["ok", "dealid", "volume", "txHash"]
    assert document["volume"] == "1"
    assert deal(machine, document["dealid"]).app.pointer == goods.app
    failed = machine.failure("order", "fill", SKIP, folder=folder)["error"]
    assert (failed["name"], failed["message"]) == ("MatchError", "requestorder is fully consumed")
    keep_all(goods, folder, request={"volume": 3})
    options = [SKIP, "--gas-price", "1", "gwei", "--confirms", "1", "--new"]
    golden("order-fill", machine.shown("order", "fill", *options, folder=folder))


def test_by_hash_file_and_params(
    machine: Machine, goods: Goods, project: Any, tmp_path: Path
) -> None:
    """Orders of the marketplace and of a file; the request order is made for them."""
    folder = project("requester")
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps(goods.sign("dataset").to_dict()))
    app, pool = goods.publish("app"), goods.publish("workerpool")
    words = ["order", "fill", "--app", app, "--dataset", str(file), "--workerpool", pool]
    done = machine.raw(*words, "--params", "hello", SKIP, "--force", folder=folder)
    made = deal(machine, done["dealid"])
    assert (made.dataset.pointer, made.bot_size) == (goods.dataset, 1)
    assert json.loads(made.params)["iexec_args"] == "hello"
    assert made.requester == made.beneficiary == accounts.signer("requester").address
    assert not (folder / "orders.json").exists()
    params = json.dumps({"iexec_args": "hi", "iexec_input_files": ["https://a.invalid/x"]})
    done = machine.raw(*words, "--params", params, SKIP, "--force", folder=folder)
    again = json.loads(deal(machine, done["dealid"]).params)
    assert again["iexec_input_files"] == ["https://a.invalid/x"]
    fault = machine.message(
        *words, "--params", '{"iexec_input_files": "x"}', "--force", folder=folder
    )
    assert fault.startswith("params: ")
    request = goods.publish("request", workerpoolmaxprice="0.2 RLC")
    words = ["order", "fill", "--app", app, "--workerpool", pool, "--request", request]
    assert machine.raw(*words, SKIP, folder=folder)["volume"] == "1"
    done = machine.run(*words, "--params", "x", SKIP, "--force", folder=folder)
    assert "⚠ --params makes a requestorder: --request is not used" in done.stderr


def test_a_request_is_made_after_a_question(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("requester")
    goods.keep(folder, app=goods.sign("app"), workerpool=goods.sign("workerpool"))
    question = f"{CREATED} There is nobody to ask: --force says yes"
    assert machine.message("order", "fill", SKIP, folder=folder) == question
    with machine.terminal("order", "fill", SKIP, folder=folder) as terminal:
        seen = terminal.read(CREATED) + terminal.read("(Y/n) ")
        assert "  workerpoolmaxprice: 0.1 RLC\n" in seen
        terminal.answer("", "n")
        status, seen = terminal.end()
    assert status == 1
    assert 'Command "iexec-lite order fill" failed: Operation aborted by user.' in seen
    with machine.terminal("order", "fill", SKIP, folder=folder) as terminal:
        terminal.answer(CREATED, "y")
        status, seen = terminal.end()
    assert status == 0
    assert "1 task successfully purchased with dealid 0x" in seen


def test_a_purchase_that_was_cut_off_is_made_once(
    machine: Machine, goods: Goods, project: Any
) -> None:
    """Ctrl-C after the send: the same command, though it would sign another request, resumes."""
    folder = project("requester")
    goods.keep(folder, app=goods.sign("app"), workerpool=goods.sign("workerpool"))
    words = ["order", "fill", "--params", "once", SKIP]
    with seller(machine, "requester") as iexec:
        rpc, me = iexec._context.rpc, iexec.wallet.get_address()
        rpc.request("evm_setAutomine", (False,))
        try:
            with machine.terminal(*words, "--force", folder=folder) as terminal:
                terminal.read("sent 0x")
                terminal.interrupt()
                status, _ = terminal.end()
        finally:
            rpc.request("evm_setAutomine", (True,))
            rpc.request("evm_mine")
        assert status == 1
        count = rpc.request("eth_getTransactionCount", (me, "latest"))
        done = machine.run(*words, folder=folder)  # nobody is asked again
        assert done.returncode == 0, done.stderr
        assert "resuming transaction 0x" in done.stderr
        assert rpc.request("eth_getTransactionCount", (me, "latest")) == count


def test_the_request_is_checked(machine: Machine, goods: Goods, project: Any) -> None:
    """Nobody pays for a task whose result could not be stored."""
    folder = project("beneficiary")
    goods.keep(folder, app=goods.sign("app"), workerpool=goods.sign("workerpool"))
    text = machine.message("order", "fill", folder=folder)  # before any question
    assert text.startswith("Request requirements check failed: Requester storage token is not set")
    assert text.endswith("use --skip-request-check to skip request requirement check)")
    assert machine.message("order", "fill", SKIP, folder=folder).startswith(
        "Cost per task (200000000) is greater than requester account stake (0). "
    )


def test_what_is_missing(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("requester")
    assert machine.message("order", "fill", folder=folder) == (
        'Missing orders.json. You probably forgot to run "iexec-lite order sign" '
        "(or give --app <orderHash>)"
    )
    chain = str(machine.chain().id)
    edit(folder, "orders.json", **{chain: {}})
    for name in ("app", "workerpool"):
        text = machine.message("order", "fill", folder=folder)
        assert text == f"Missing {name}order: give --{name} <orderHash>, or sign one"
        content = json.loads((folder / "orders.json").read_text())[chain]
        order = goods.sign(name).to_dict()
        edit(folder, "orders.json", **{chain: content | {f"{name}order": order}})
    content = json.loads((folder / "orders.json").read_text())[chain]
    request = goods.sign("request", dataset=goods.dataset).to_dict()
    edit(folder, "orders.json", **{chain: content | {"requestorder": request}})
    text = machine.message("order", "fill", folder=folder)
    assert text == "Missing datasetorder: give --dataset <orderHash>, or sign one"
    words = ["order", "fill", "--dataset"]
    text = f"datasetorder {NOTHING} is not published on iexec marketplace"
    assert machine.message(*words, NOTHING, folder=folder) == text
    text = 'Invalid datasetorder hash: "no-such-file" is not 0x and 64 hex digits'
    assert machine.message(*words, "no-such-file", folder=folder) == text
    file = folder / "bad.json"
    file.write_text("[]")
    assert machine.message(*words, str(file), folder=folder) == f"{file} must hold a JSON object"
    file.write_text("{")
    assert machine.message(*words, str(file), folder=folder).startswith(f"{file} is not JSON: ")
    file.write_text(json.dumps(goods.sign("app").to_dict()))
    text = machine.message(*words, str(file), folder=folder)
    assert text.startswith(f"datasetorder in {file}: ")


def test_a_dataset_that_nobody_asked_for(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("requester")
    keep_all(goods, folder)
    order_hash = goods.publish("dataset")
    done = machine.run("order", "fill", "--dataset", order_hash, SKIP, folder=folder)
    assert done.returncode == 0
    assert "⚠ The requestorder names no dataset: the datasetorder is not used" in done.stderr


# -- check -----------------------------------------------------------------------------------------


def test_check(machine: Machine, goods: Goods, project: Any, golden: Any) -> None:
    folder = project("requester")
    keep_all(goods, folder, request={"volume": 3})
    document = machine.failure("order", "check", folder=folder)
    (reason,) = document["reasons"]
    assert reason["code"] == "request"
    assert reason["text"].startswith("Request requirements check failed: Requester storage token")
    document = machine.raw("order", "check", SKIP, folder=folder)
    assert document == {
        "ok": True,
        "volume": "3",
        "total": "600000000",
        "appPrice": "100000000",
        "datasetPrice": "0",
        "workerpoolPrice": "100000000",
        "workerpoolStake": "90000000",
        "requesterShortfall": "0",
        "workerpoolShortfall": "0",
        "reasons": [],
    }
    golden("order-check", machine.shown("order", "check", SKIP, folder=folder))
    words = ["order", "check", "--skip-preflight-check", "--dataset", goods.publish("dataset")]
    words += ["--app", goods.publish("app"), "--workerpool", goods.publish("workerpool")]
    assert machine.raw(*words, "--params", "x", folder=folder)["datasetPrice"] == "100000000"
    words += ["--request", goods.publish("request")]
    assert machine.raw(*words, folder=folder)["datasetPrice"] == "0"
    assert machine.raw("order", "fill", SKIP, folder=folder)["volume"] == "3"
    document = machine.failure("order", "check", SKIP, folder=folder)
    assert document["reasons"] == [
        {"code": "iExecV5-matchOrders-0x60", "text": "requestorder is fully consumed"}
    ]


def test_check_tells_every_reason(
    machine: Machine, goods: Goods, project: Any, golden: Any
) -> None:
    """What money mends and what it does not, from orders that nobody has published."""
    folder = project("beneficiary")
    files = {}
    dear = {"workerpoolprice": "1000 RLC", "category": 1, "volume": 2}
    other = {"workerpoolprice": "0.2 RLC", "category": 1}
    me = {"requester": accounts.signer("beneficiary").address}
    orders = {
        "app": goods.sign("app", workerpoolrestrict=goods.dataset),
        "workerpool": goods.sign("workerpool", **other),
        "dataset": goods.sign("dataset"),
        "request": goods.sign("request", "beneficiary", tag=["tee"], **me),
    }
    for name, order in orders.items():
        files[name] = folder / f"{name}.json"
        files[name].write_text(json.dumps({"order": order.to_dict()}))
    words = ["order", "check"]
    for name in ("app", "workerpool", "dataset"):
        words += [f"--{name}", str(files[name])]
    done = machine.run(*words, "--request", str(files["request"]), folder=folder)
    assert done.returncode == 1
    told_all = (done.stdout + done.stderr).replace(str(machine.chain().id), "<chain>")
    golden("order-check-refused", told_all)
    document = machine.failure(*words, "--request", str(files["request"]), folder=folder)
    assert list(document)[-1] == "reasons"
    told = [line[4:] for line in done.stderr.splitlines() if line.startswith("  - ")]
    for reason, line in zip(document["reasons"], told, strict=True):
        hint = f" ({HINT})" if reason["code"] == "request" else ""
        assert line == reason["text"] + hint
    assert int(document["requesterShortfall"]) > 0
    made = machine.failure(*words, "--params", "x", folder=folder)  # a request for just these
    assert "category" not in json.dumps(made["reasons"])
    assert "Cost per task" in json.dumps(made["reasons"])
    assert made["workerpoolShortfall"] == "0"
    files["workerpool"].write_text(json.dumps(goods.sign("workerpool", **dear).to_dict()))
    made = machine.failure(*words, "--params", "x", folder=folder)
    assert int(made["workerpoolShortfall"]) > 0
    assert "workerpool required stake" in json.dumps(made["reasons"])
    done = machine.run(*words, "--params", "x", "--keystoredir", "no", folder=folder)
    assert done.returncode == 1
    assert "Missing requestorder: give --request, or a wallet to make one for" in done.stderr
