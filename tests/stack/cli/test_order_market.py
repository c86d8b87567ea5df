"""``order publish | unpublish | cancel | show`` on a sandbox's marketplace (cli.md §8.8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import MarketCallError
from iexec_lite.sandbox import accounts

from .conftest import edit
from .machine import Machine
from .selling import SELLERS, Goods, deploy, seller, stored, until

SANDBOX = ("--flavour", "native")
NOTHING = "0x" + "77" * 32
NONE_CHOSEN = (
    "No option specified, you should choose one (--app | --dataset | --workerpool | --request)"
)


@pytest.fixture(scope="module")
def goods(machine: Machine) -> Goods:
    return deploy(machine)


def fetch(machine: Machine, resource: str, order_hash: str) -> Any:
    with seller(machine, "requester") as iexec:
        return getattr(iexec.orderbook, f"fetch_{resource}order")(order_hash)


def hash_of(machine: Machine, resource: str, order: Any) -> str:
    with seller(machine, "requester") as iexec:
        found: str = getattr(iexec.order, f"hash_{resource}order")(order)
        return found


def test_from_nothing_to_signed(
    machine: Machine, goods: Goods, project: Any, golden: Any, tmp_path: Path
) -> None:
    folder = project("app-provider")
    flags = ["--app", "--dataset", "--workerpool", "--request"]
    golden("order-init", machine.shown("order", "init", *flags, folder=folder))
    text = 'Missing "iexec.json" file, did you forget to run "iexec-lite init"?'
    empty = tmp_path / "empty"
    empty.mkdir()
    assert machine.message("order", "init", "--chain", "sandbox", folder=empty) == text
    goods.write(folder, app={})
    text = machine.shown("order", "sign", "--app", "--force", folder=folder)
    assert text == "apporder signed and saved in orders.json\n"
    assert stored(folder, machine)["apporder"]["app"] == goods.app


# -- publish, show, unpublish ----------------------------------------------------------------------


@pytest.mark.parametrize("resource", ["app", "dataset", "workerpool", "request"])
def test_from_template_to_market_and_back(
    machine: Machine, goods: Goods, project: Any, golden: Any, resource: str
) -> None:
    folder, kind = project(SELLERS.get(resource, "requester")), f"{resource}order"
    flag = f"--{resource}"
    if resource == "request":  # which needs an offer of the app
        goods.publish("app")
    goods.write(folder, **{resource: {}})
    skip = ["--skip-request-check"] if resource == "request" else []
    signed = machine.raw("order", "sign", flag, *skip, folder=folder)[kind]
    order_hash = hash_of(machine, resource, signed)
    text = machine.shown("order", "publish", flag, *skip, "--force", folder=folder)
    assert text == f"{kind} successfully published with orderHash {order_hash}\n"
    found = fetch(machine, resource, order_hash)
    assert found.order.to_dict() == signed
    golden(f"order-show-{resource}", machine.shown("order", "show", flag, folder=folder))
    document = machine.raw("order", "show", flag, order_hash, folder=folder)
    assert document == {"ok": True, kind: found.to_dict()}
    members = ["orderHash", "chainId", "order", "remaining", "status", "publicationTimestamp"]
    assert list(document[kind]) == [*members, "signer"]
    assert isinstance(document[kind]["order"]["volume"], int)
    again = machine.failure("order", "publish", flag, *skip, "--force", folder=folder)
    assert again == {"ok": False, "fail": [f"{kind}: API error: order already published"]}
    document = machine.raw("order", "unpublish", flag, "--force", folder=folder)
    assert document == {"ok": True, kind: {"orderHash": order_hash}}
    with pytest.raises(MarketCallError, match="not found"):
        fetch(machine, resource, order_hash)
    refused = machine.failure("order", "unpublish", flag, "--force", folder=folder)
    assert refused["fail"] == [
        f"{kind}: API error: {kind} with orderHash {order_hash} is not published"
    ]
    gone = machine.failure("order", "show", flag, folder=folder)
    assert gone == {"ok": False, "fail": [f"{kind}: API error: {kind} not found"]}


def test_publish_and_unpublish_by_hash_with_raw(
    machine: Machine, goods: Goods, project: Any
) -> None:
    """By its hash no question is asked, and no orders.json is needed."""
    folder = project("app-provider")
    goods.keep(folder, app=goods.sign("app"))
    document = machine.raw("order", "publish", "--app", "--force", folder=folder)
    order_hash = document["apporder"]["orderHash"]
    assert document == {"ok": True, "apporder": {"orderHash": order_hash}}
    assert fetch(machine, "app", order_hash).status == "open"
    (folder / "orders.json").unlink()
    text = machine.shown("order", "unpublish", "--app", order_hash, folder=folder)
    assert text == f"apporder with orderHash {order_hash} successfully unpublished\n"


def test_each_kind_for_itself(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("app-provider")
    goods.keep(folder, app=goods.sign("app"), dataset=goods.sign("dataset"))
    words = ["order", "publish", "--workerpool", "--dataset", "--app", "--force"]
    document = machine.failure(*words, folder=folder)
    assert list(document) == ["ok", "apporder", "fail"]
    provider, owner = (accounts.signer(SELLERS[name]).address for name in ("app", "dataset"))
    assert document["fail"] == [
        f"datasetorder: only order signer {owner} can publish an order, not {provider}",
        f"workerpoolorder: Missing signed workerpoolorder for chain {machine.chain().id} in "
        '"orders.json"',
    ]
    order_hash = document["apporder"]["orderHash"]
    assert fetch(machine, "app", order_hash).remaining == 5
    words = ["order", "unpublish", "--app", order_hash, "--dataset", NOTHING]
    done = machine.run(*words, folder=folder)
    assert done.returncode == 1
    assert done.stdout == f"apporder with orderHash {order_hash} successfully unpublished\n"
    assert "✖ Failed to unpublish:\n  - datasetorder: API error: datasetorder with" in done.stderr


def test_somebody_elses_order_is_not_unpublished(
    machine: Machine, goods: Goods, project: Any
) -> None:
    order_hash = goods.publish("app")
    folder = project("requester")
    (fault,) = machine.failure("order", "unpublish", "--app", order_hash, folder=folder)["fail"]
    assert fault.startswith("apporder: API error: ")
    assert fetch(machine, "app", order_hash).status == "open"


@pytest.mark.parametrize("command", ["publish", "unpublish", "cancel", "show"])
def test_mistakes(machine: Machine, project: Any, command: str) -> None:
    folder = project("app-provider")
    force = ["--force"] if command != "show" else []
    assert machine.message("order", command, *force, folder=folder) == NONE_CHOSEN
    (fault,) = machine.failure("order", command, "--app", *force, folder=folder)["fail"]
    text = 'Missing orders.json. You probably forgot to run "iexec-lite order sign"'
    assert fault == f"apporder: {text}"
    edit(folder, "orders.json", **{str(machine.chain().id): {}})
    (fault,) = machine.failure("order", command, "--app", *force, folder=folder)["fail"]
    chain = machine.chain().id
    assert (
        fault
        == "apporder: "
        + {
            "publish": f'Missing signed apporder for chain {chain} in "orders.json"',
            "cancel": f'Missing signed apporder for chain {chain} in "orders.json"',
            "unpublish": "No orderHash specified and no signed apporder found for chain "
            f'{chain} in "orders.json"',
            "show": f'Missing apporder in "orders.json" for chain {chain}',
        }[command]
    )
    edit(folder, "orders.json", **{str(chain): {"apporder": {"app": "0x12"}}})
    (fault,) = machine.failure("order", command, "--app", *force, folder=folder)["fail"]
    assert fault.startswith("apporder: apporder in orders.json: ")
    assert "app: 0x12 is not a valid ethereum address" in fault
    if command != "publish":
        (fault,) = machine.failure("order", command, "--app", "0x12", *force, folder=folder)["fail"]
        assert fault == 'apporder: Invalid apporder hash: "0x12" is not 0x and 64 hex digits'


def test_a_closed_market(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("app-provider")
    goods.keep(folder, app=goods.sign("app"))
    chain = machine.chain()
    entry = {"id": str(chain.id), "host": chain.host, "hub": chain.hub, "native": True}
    entry["iexecGateway"] = "http://127.0.0.1:9"
    edit(folder, "chain.json", default="mine", chains={"mine": entry})
    words = ["order", "publish", "--app", "--force"]
    (fault,) = machine.failure(*words, folder=folder)["fail"]
    assert fault.startswith(
        "apporder: Failed to get authorization: The marketplace gave no usable answer: "
    )
    assert "127.0.0.1" in fault


def test_shown_with_its_deals(
    machine: Machine, goods: Goods, project: Any, golden: Any, client: Any
) -> None:
    folder = project("requester")
    order_hash = goods.publish("app", tag=["gpu"], requesterrestrict=ZERO_BUT_ME)
    none = machine.shown("order", "show", "--app", order_hash, "--deals", folder=folder)
    assert none.endswith("\n\nDeals count: 0\n")
    pool = goods.sign("workerpool", tag=["gpu"])
    requester = client("requester")
    # Published and bought within one second, the two times would look like one.
    requester._context.rpc.request("evm_increaseTime", (90,))
    made = requester.order.match_orders(
        apporder=fetch(machine, "app", order_hash),
        workerpoolorder=pool,
        requestorder=goods.sign("request", tag=["gpu"]),
        check_request=False,
    )
    words = ["order", "show", "--app", order_hash, "--deals"]
    until(lambda: machine.raw(*words, folder=folder)["apporder"]["deals"]["count"] == 1)
    found = machine.raw(*words, folder=folder)["apporder"]
    assert list(found)[-1] == "deals"
    assert list(found["deals"]) == ["count", "lastDeals"]
    assert found["deals"]["lastDeals"][0]["dealid"] == made.dealid
    assert found["remaining"] == 4
    golden("order-show-deals", machine.shown(*words, folder=folder))
    golden("order-show-narrow", machine.shown(*words, folder=folder, env={"COLUMNS": "80"}))


ZERO_BUT_ME = accounts.signer("requester").address


# -- cancel ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", ["app", "dataset", "workerpool", "request"])
def test_cancel(machine: Machine, goods: Goods, project: Any, resource: str) -> None:
    folder, kind = project(SELLERS.get(resource, "requester")), f"{resource}order"
    goods.keep(folder, **{resource: goods.sign(resource)})
    words = ["order", "cancel", f"--{resource}", "--force"]
    document = machine.raw(*words, folder=folder)
    assert list(document) == ["ok", kind]
    assert list(document[kind]) == ["txHash"]
    with seller(machine, "requester") as iexec:
        rpc = iexec._context.rpc
        receipt = rpc.request("eth_getTransactionReceipt", (document[kind]["txHash"],))
        assert receipt["status"] == "0x1"
    again = machine.failure(*words, folder=folder)
    assert again == {"ok": False, "fail": [f"{kind}: {kind} already canceled"]}


def test_cancel_by_hash(machine: Machine, goods: Goods, project: Any) -> None:
    """The one of orders.json if it is that one; else the one that the marketplace has."""
    folder = project("app-provider")
    kept = goods.sign("app", volume=7)
    goods.keep(folder, app=kept)
    order_hash = hash_of(machine, "app", kept)
    words = ["order", "cancel", "--app"]
    options = ["--force", "--gas-price", "0", "--confirms", "1", "--new"]
    (fault,) = machine.failure(*words, NOTHING, *options, folder=folder)["fail"]
    assert fault == f"apporder: apporder {NOTHING} is not published on iexec marketplace"
    other = goods.publish("app", volume=9)
    text = machine.shown(*words, other, *options, folder=folder)
    assert text.startswith("apporder successfully canceled (0x")
    until(lambda: fetch(machine, "app", other).status == "canceled")
    with seller(machine, "app-provider") as iexec:
        assert iexec.order.cancel_apporder(kept).tx_hash  # it was not touched
    (fault,) = machine.failure(*words, order_hash, "--force", folder=folder)["fail"]
    assert fault == "apporder: apporder already canceled"
    assert stored(folder, machine)["apporder"] == kept.to_dict()


def test_only_the_owner_cancels(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("requester")
    goods.keep(folder, app=goods.sign("app"))
    (fault,) = machine.failure("order", "cancel", "--app", "--force", folder=folder)["fail"]
    owner = accounts.signer("app-provider").address
    assert fault == f"apporder: only {owner} can cancel this apporder: it is the owner"


# -- questions -------------------------------------------------------------------------------------


def test_a_person_is_asked(machine: Machine, goods: Goods, project: Any) -> None:
    folder = project("app-provider")
    order = goods.sign("app", appprice="1.5 RLC", tag="tee")
    goods.keep(folder, app=order)
    order_hash = hash_of(machine, "app", order)
    for verb, past in (("publish", "published"), ("unpublish", "unpublished")):
        question = f"Do you want to {verb} the following apporder?"
        with machine.terminal("order", verb, "--app", folder=folder) as terminal:
            seen = terminal.read(question) + terminal.read("(Y/n) ")
            assert f"  app:      {goods.app}\n  appprice: 1.5 RLC\n" in seen
            assert "  tag:      tee\n" in seen
            assert "restrict" not in seen
            terminal.answer("", "n")
            status, seen = terminal.end()
        assert status == 1
        assert f"Failed to {verb}:\n  - apporder: Operation aborted by user." in seen
        with machine.terminal("order", verb, "--app", folder=folder) as terminal:
            terminal.answer("(Y/n) ", "")
            status, seen = terminal.end()
        assert status == 0
        assert f"successfully {past}" in seen
    with machine.terminal("order", "cancel", "--app", folder=folder) as terminal:
        terminal.answer("Do you want to cancel the following apporder?", "no")
        assert terminal.end()[0] == 1
    with seller(machine, "app-provider") as iexec:
        iexec.order.publish_apporder(order)  # which a canceled order could not be
    with machine.terminal("order", "cancel", "--app", folder=folder) as terminal:
        terminal.answer("Do you want to cancel the following apporder?", "yes")
        assert terminal.end()[0] == 0
    until(lambda: fetch(machine, "app", order_hash).status == "canceled")


@pytest.mark.parametrize("command", ["publish", "unpublish", "cancel"])
def test_nobody_to_ask(machine: Machine, goods: Goods, project: Any, command: str) -> None:
    folder = project("app-provider")
    goods.keep(folder, app=goods.sign("app"))
    text = (
        f"apporder: Do you want to {command} the following apporder? There is nobody to ask: "
        "--force says yes"
    )
    assert machine.failure("order", command, "--app", folder=folder)["fail"] == [text]
    assert text in machine.refused("order", command, "--app", folder=folder)


def test_cut_between_two_orders(machine: Machine, goods: Goods, project: Any) -> None:
    """What was done before Ctrl-C is told."""
    folder = project("app-provider")
    goods.keep(folder, app=goods.sign("app"), dataset=goods.sign("dataset"))
    with machine.terminal("order", "publish", "--app", "--dataset", folder=folder) as terminal:
        terminal.answer("(Y/n) ", "y")
        terminal.read("the following datasetorder?")
        terminal.interrupt()
        status, seen = terminal.end()
    assert status == 1
    assert "apporder successfully published with orderHash 0x" in seen
    assert "  - datasetorder: Interrupted" in seen
    with machine.terminal("order", "publish", "--dataset", folder=folder) as terminal:
        terminal.read("the following datasetorder?")
        terminal.interrupt()
        assert "failed: Interrupted" in terminal.end()[1]


def test_the_password_comes_last(
    machine: Machine, goods: Goods, project: Any, tmp_path: Path
) -> None:
    """With an encrypted wallet: first every check and question, then the password, once."""
    folder = project("app-provider")
    key, secret = tmp_path / "app-provider.key", tmp_path / "password"
    secret.write_text("open sesame")
    words = ["wallet", "import", "--private-key-file", str(key), "--keystoredir", "ks"]
    machine.raw(*words, "--password-file", str(secret), folder=folder)
    goods.keep(folder, app=goods.sign("app"), dataset=goods.sign("dataset"))
    options = ["--dataset", "--app", "--keystoredir", "ks"]
    with machine.terminal("order", "publish", *options, folder=folder) as terminal:
        terminal.answer("the following apporder?", "")
        terminal.answer("Please enter your password to unlock your wallet: ", "wrong")
        status, seen = terminal.end()
    assert status == 1
    assert "WrongPasswordError: invalid password" in seen
    assert "datasetorder" not in seen
    document = machine.failure(
        *("order", "publish", *options, "--force", "--password-file", str(secret)), folder=folder
    )
    assert list(document) == ["ok", "apporder", "fail"]
    assert json.dumps(document).count("only order signer") == 1
