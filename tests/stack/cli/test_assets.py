"""Apps, datasets and workerpools by the command line, on the real contracts and marketplace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import MarketCallError
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts

from .conftest import edit
from .machine import Machine

SANDBOX = ("--flavour", "native")
OWNERS = {"app": "app-provider", "dataset": "dataset-provider", "workerpool": "workerpool-owner"}
PEOPLE = accounts.addresses()
ZERO, ELSE = "0x" + "0" * 40, "0x" + "e1" * 20

kinds = pytest.mark.parametrize("kind", OWNERS)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))


def describe(folder: Path, kind: str, name: str) -> None:
    """As a person edits what ``init`` wrote."""
    entry = read(folder, "iexec.json")[kind]
    edit(folder, "iexec.json", **{kind: {**entry, named(kind): name}})


def named(kind: str) -> str:
    return "description" if kind == "workerpool" else "name"


@pytest.fixture
def shop(machine: Machine, project: Any, request: pytest.FixtureRequest) -> Any:
    """``shop("app", "name")``: the owner's project folder with one deployed, and its address."""

    def make(kind: str, name: str) -> tuple[Path, str]:
        folder = project(OWNERS[kind])
        machine.raw(kind, "init", folder=folder)
        describe(folder, kind, f"{name} {request.node.name}")
        return folder, machine.raw(kind, "deploy", folder=folder)["address"]

    return make


# -- init, deploy ------------------------------------------------------------------------------


@kinds
def test_from_template_to_chain(
    machine: Machine, project: Any, client: Any, golden: Any, kind: str
) -> None:
    owner, chain = OWNERS[kind], str(machine.chain().id)
    folder = project(owner)
    golden(f"{kind}-init", machine.shown(kind, "init", folder=folder))
    edit(folder, "iexec.json", mine="é")
    made = machine.raw(kind, "init", folder=folder)[kind]
    content = read(folder, "iexec.json")
    assert (content[kind], content["mine"]) == (made, "é")
    assert made["owner"] == PEOPLE[owner]

    (folder / "deployed.json").write_text(json.dumps({"app": {"1": ELSE}}, indent=2))
    golden(f"{kind}-deploy", machine.shown(kind, "deploy", folder=folder))
    first = read(folder, "deployed.json")[kind][chain]
    assert read(folder, "deployed.json")["app"]["1"] == ELSE
    shown = getattr(getattr(client("requester"), kind), f"show_{kind}")(first)
    assert shown.properties["owner"] == PEOPLE[owner]

    refused = machine.failure(kind, "deploy", folder=folder)["error"]
    assert refused["message"].startswith(f"{kind.capitalize()} already deployed at address {first}")
    assert refused["details"]["address"] == first
    describe(folder, kind, "another")
    again = machine.raw(kind, "deploy", "--gas-price", "0", "--confirms", "1", folder=folder)
    assert list(again) == ["ok", "address", "txHash"]
    assert (folder / "deployed.json").read_text() == json.dumps(
        {**{"app": {"1": ELSE}}, kind: {**({"1": ELSE} if kind == "app" else {}),
                                        chain: again["address"]}}, indent=2
    )  # fmt: skip


def test_a_tee_app(machine: Machine, project: Any, golden: Any) -> None:
    folder = project("app-provider")
    golden("app-init-tee", machine.shown("app", "init", "--tee", folder=folder))
    made = machine.raw("app", "init", "--tee", folder=folder)["app"]
    machine.raw("app", "deploy", "--new", folder=folder)
    shown = machine.raw("app", "show", folder=folder)["app"]
    assert json.loads(shown["appMREnclave"]) == made["mrenclave"]
    golden("app-show-tee", machine.shown("app", "show", folder=folder))


@kinds
def test_nothing_to_work_with(machine: Machine, tmp_path: Path, kind: str) -> None:
    """Every command of the three groups, in an empty folder of somebody without a wallet."""
    chain = ("--chain", "sandbox")
    project = 'Missing "iexec.json" file, did you forget to run "iexec-lite init"?'
    address = (
        f'Missing {kind}Address and no {kind} found in "deployed.json" '
        f"for chain {machine.chain().id}"
    )
    for words, why in {
        ("init",): project,
        ("deploy", *chain): project,
        ("show", *chain): f'{kind} address not provided to CLI AND missing in "deployed.json"',
        ("show", "0", *chain): "Missing option --user <address> or wallet",
        ("count", *chain): "Missing option --user <address> or wallet",
        ("publish", "--force", *chain): address,
        ("unpublish", "--force", *chain): address,
    }.items():
        assert machine.message(kind, *words, folder=tmp_path) == why
    (tmp_path / "iexec.json").write_text("{}")
    assert machine.message(kind, "deploy", *chain, folder=tmp_path) == (
        f'Missing {kind} in "iexec.json". Did you forget to run "iexec-lite {kind} init"?'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["iexec.json"]


def test_what_cannot_be_deployed(machine: Machine, project: Any) -> None:
    folder = project("requester")
    entry = machine.raw("dataset", "init", folder=folder)["dataset"]
    edit(folder, "iexec.json", dataset={**entry, "owner": "0x12", "name": ""})
    message = machine.message("dataset", "deploy", folder=folder)
    assert "owner: 0x12 is not a valid ethereum address" in message
    assert "name: is a required field" in message
    edit(folder, "iexec.json", dataset={**entry, "owner": ZERO})
    message = machine.message("dataset", "deploy", folder=folder)
    assert message.startswith("owner is the zero address")
    edit(folder, "iexec.json", dataset=[entry])
    message = machine.message("dataset", "deploy", folder=folder)
    assert message == '"dataset" in iexec.json must be an object'
    assert not (folder / "deployed.json").exists()


def test_misspelt_members_are_told(machine: Machine, project: Any) -> None:
    folder = project("app-provider")
    machine.raw("app", "init", folder=folder)
    entry = {**read(folder, "iexec.json")["app"], "name": "misspelt", "mrenclav": {}}
    edit(folder, "iexec.json", app=entry)
    done = machine.run("app", "deploy", folder=folder)
    assert done.returncode == 0
    assert "⚠ app in iexec.json: mrenclav is not known" in done.stderr


def test_nothing_is_sent_that_could_not_be_noted(
    machine: Machine, project: Any, client: Any
) -> None:
    folder = project("app-provider")
    machine.raw("app", "init", folder=folder)
    describe(folder, "app", "not noted")
    count = client("requester").app.count_user_apps
    before = count(PEOPLE["app-provider"])
    for content in ("{", '{"app": 1}'):
        (folder / "deployed.json").write_text(content)
        assert "deployed.json" in machine.message("app", "deploy", folder=folder)
        assert (folder / "deployed.json").read_text() == content
    assert count(PEOPLE["app-provider"]) == before


FULL = """
import os

replace = os.replace

def full(source, target):
    if os.fspath(target).endswith("deployed.json"):
        raise OSError(28, "No space left on device")
    replace(source, target)

os.replace = full
"""


def test_a_deployment_that_cannot_be_noted_is_told(machine: Machine, project: Any) -> None:
    folder = project("app-provider")
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(FULL)
    machine.raw("app", "init", folder=folder)
    describe(folder, "app", "disk full")
    error = machine.failure("app", "deploy", folder=folder, path=str(folder / "guard"))["error"]
    address = error["details"]["address"]
    assert error["message"].startswith(f"Deployed new app at address {address}, but this could not")
    assert error["message"].endswith("No space left on device")
    assert len(error["txHash"]) == 66
    assert machine.raw("app", "show", address, folder=folder)["address"] == address


# -- show, count -------------------------------------------------------------------------------


@kinds
def test_show_and_count(
    machine: Machine, project: Any, client: Any, golden: Any, kind: str
) -> None:
    folder = project(OWNERS[kind])
    machine.raw(kind, "init", folder=folder)
    describe(folder, kind, "shown")
    address = machine.raw(kind, "deploy", folder=folder)["address"]
    library = getattr(client("requester"), kind)
    known = getattr(library, f"show_{kind}")(address)
    document = machine.raw(kind, "show", folder=folder)
    assert document == {"ok": True, "address": address, kind: known.to_dict()[kind]}
    assert list(document) == ["ok", "address", kind]
    golden(f"{kind}-show", machine.shown(kind, "show", folder=folder))

    number = getattr(library, f"count_user_{kind}s")(PEOPLE[OWNERS[kind]])
    assert machine.raw(kind, "count", folder=folder) == {"ok": True, "count": str(number)}
    assert f"has a total of {number} {kind}" in machine.shown(kind, "count", folder=folder)
    user = ("--user", PEOPLE[OWNERS[kind]])
    assert machine.raw(kind, "show", str(number - 1), *user, folder=folder) == document
    nobody = machine.raw(kind, "count", "--user", ELSE, folder=folder)
    assert nobody == {"ok": True, "count": "0"}


def test_which_one_is_shown(machine: Machine, project: Any, shop: Any) -> None:
    folder, address = shop("app", "looked for")
    document = machine.raw("app", "show", folder=folder)
    number = int(machine.raw("app", "count", folder=folder)["count"])
    other = project("requester")  # somebody else, with another wallet and nothing deployed
    user = ("--user", PEOPLE["app-provider"])
    assert machine.raw("app", "show", str(number - 1), *user, folder=other) == document
    for form in (address.lower(), address[2:]):
        assert machine.raw("app", "show", form, folder=other) == document
    refusals = {
        ELSE: f"No app found for id {accounts_form(ELSE)} on chain {machine.chain().id}",
        "deployed": 'app address not provided to CLI AND missing in "deployed.json"',
        "foo": "foo is not a valid uint256",
        "0x12": "0x12 is not a valid ethereum address",
        address.swapcase().replace("0X", "0x"): "wrong checksum",
        str(number): "there is no index",
    }
    for form, why in refusals.items():
        assert why in machine.message("app", "show", form, *user, folder=other)
    assert "user: me" in machine.message("app", "count", "--user", "me", folder=other)


def accounts_form(address: str) -> str:
    from iexec_lite.eth.codec import address_to_bytes, checksum_address

    return checksum_address(address_to_bytes(address))


def test_hostile_texts_stay_on_their_line(machine: Machine, project: Any) -> None:
    folder = project("app-provider")
    made = machine.raw("app", "init", "--tee", folder=folder)["app"]
    enclave = {**made["mrenclave"], "version": "v\nowner: me"}
    changed = {**made, "name": "x\nowner: me\x1b[2J", "mrenclave": enclave}
    edit(folder, "iexec.json", app=changed)
    address = machine.raw("app", "deploy", folder=folder)["address"]
    shown = machine.shown("app", "show", address, folder=folder)
    assert r"  name:      x\nowner: me\x1b[2J" in shown
    assert r"    version:     v\nowner: me" in shown


# -- publish, unpublish ------------------------------------------------------------------------

TERMS = {
    "app": ("--dataset-restrict", ELSE, "--workerpool-restrict", ZERO),
    "dataset": ("--app-restrict", ELSE, "--workerpool-restrict", ZERO),
    "workerpool": ("--category", "2", "--trust", "5", "--app-restrict", ELSE,
                   "--dataset-restrict", ZERO),
}  # fmt: skip


@kinds
def test_an_offer(machine: Machine, shop: Any, client: Any, golden: Any, kind: str) -> None:
    folder, address = shop(kind, "offered")
    library = client(OWNERS[kind])
    fetch = getattr(library.orderbook, f"fetch_{kind}order")
    if kind == "workerpool":
        library.account.deposit("10 RLC")  # whoever sells work has a stake

    words = [*TERMS[kind], "--requester-restrict", PEOPLE["requester"], "--price", "1.5", "RLC",
             "--volume", "7", "--tag", "tee", "gpu", "--force"]  # fmt: skip
    published = machine.raw(kind, "publish", *words, folder=folder)
    assert list(published) == ["ok", "orderHash"]
    order = fetch(published["orderHash"]).order.to_dict()
    own = {"category": "2", "trust": "5"} if kind == "workerpool" else {}
    assert order == {
        **order,
        kind: address,
        f"{kind}price": "1500000000",
        "volume": "7",
        "tag": "0x" + "0" * 61 + "101",
        "requesterrestrict": PEOPLE["requester"],
        f"{'dataset' if kind == 'app' else 'app'}restrict": accounts_form(ELSE),
        **own,
    }
    chain = machine.chain()
    call = HUB.verifySignature.encode(PEOPLE[OWNERS[kind]], published["orderHash"], order["sign"])
    assert HUB.verifySignature.decode(library._context.rpc.call(str(chain.hub), call)) is True

    golden(f"{kind}-publish", machine.shown(kind, "publish", "--force", folder=folder))
    found = machine.raw(kind, "publish", address.lower(), "--tag", "gpu,tee", "--force",
                        folder=folder)  # fmt: skip
    second = fetch(found["orderHash"]).order
    assert second.volume == (1 if kind == "workerpool" else 1000000)
    assert (getattr(second, f"{kind}price"), second.tag) == (0, order["tag"])

    golden(f"{kind}-unpublish", machine.shown(kind, "unpublish", "--force", folder=folder))
    with pytest.raises(MarketCallError, match="not found"):
        fetch(found["orderHash"])
    everything = machine.raw(kind, "unpublish", address, "--all", "--force", folder=folder)
    assert list(everything) == ["ok", "unpublished"]
    assert len(everything["unpublished"]) == 2
    assert published["orderHash"] in everything["unpublished"]
    message = machine.message(kind, "unpublish", "--force", folder=folder)
    assert f"no open {kind}order published by signer" in message


def test_what_cannot_be_offered(machine: Machine, project: Any, shop: Any) -> None:
    kind = "workerpool"
    _, address = shop(kind, "kept")
    folder = project("requester")
    publish = (kind, "publish", address, "--force")
    assert machine.message(*publish, folder=folder).startswith(
        f"Invalid order signer, must be the resource owner (expected {PEOPLE[OWNERS[kind]]}"
    )
    message = machine.message(kind, "publish", accounts_form(ELSE), "--force", folder=folder)
    assert message == f"No {kind} deployed at address {accounts_form(ELSE)}"
    wrong = ["--price", "-1", "--volume", "1e6", "--tag", "foo", "--requester-restrict", "0x12"]
    message = machine.message(*publish, *wrong, folder=folder)
    for part in (
        f"{kind}price: -1 is not a valid amount",
        "volume: 1e6 is not a valid uint256",
        "tag: foo is not a valid tag. Unknown tag foo",
        "requesterrestrict: 0x12 is not a valid ethereum address",
    ):
        assert part in message
    message = machine.message(*publish, "--category", "99", folder=folder)
    assert message.startswith("no category 99")
    restrict = f"--{kind}-restrict"
    assert "unknown option" in machine.message(*publish, restrict, address, folder=folder)
    (folder / "wallet.json").unlink()
    assert machine.message(*publish, folder=folder).startswith("Missing keystore directory")


def test_questions(machine: Machine, shop: Any, client: Any) -> None:
    folder, app = shop("app", "asked")
    words = ["app", "publish", "--price", "2000000", "--tag", "gpu"]
    words += ["--requester-restrict", PEOPLE["requester"]]
    nobody = machine.message(*words, folder=folder)
    assert nobody == (
        "Do you want to publish the following apporder? There is nobody to ask: --force says yes"
    )
    assert "--force says yes" in machine.refused(*words, folder=folder)
    for answer in ("no", None):
        with machine.terminal(*words, folder=folder) as terminal:
            terminal.read("(Y/n) ")
            if answer is None:
                terminal.interrupt()
            else:
                terminal.answer("", answer)
            status, seen = terminal.end()
        assert status == 1
        assert ("Operation aborted by user." if answer else "Interrupted") in seen
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer("(Y/n) ", "")
        status, seen = terminal.end()
    assert status == 0
    offer = (
        "? Do you want to publish the following apporder?\n"
        f"  app:               {app}\n"
        "  appprice:          0.002 RLC\n"
        "  volume:            1000000\n"
        "  tag:               gpu\n"
        f"  requesterrestrict: {PEOPLE['requester']}\n"
        " (Y/n) "
    )
    assert offer in seen
    book = client("requester").orderbook.fetch_app_orderbook(app, requester=PEOPLE["requester"])
    assert book.count == 1

    unpublish = ["app", "unpublish"]
    question = f"Do you want to unpublish your last apporder for app {app}?"
    assert machine.message(*unpublish, folder=folder).startswith(f"{question} There is nobody")
    plural = f"Do you want to unpublish all your apporders for app {app}?"
    assert machine.message(*unpublish, "--all", folder=folder).startswith(plural)
    with machine.terminal(*unpublish, folder=folder) as terminal:
        terminal.answer(f"{question} (Y/n) ", "n")
        assert terminal.end()[0] == 1
    last = machine.raw(*unpublish, "--force", folder=folder)
    assert last == {"ok": True, "unpublished": book.orders[0].order_hash}
    assert machine.raw("app", "publish", "--force", folder=folder)["ok"] is True
    with machine.terminal(*unpublish, folder=folder) as terminal:
        terminal.answer(f"{question} (Y/n) ", "y")
        assert terminal.end()[0] == 0
    book = client("requester").orderbook.fetch_app_orderbook(app)
    assert book.count == 0


def test_the_password_comes_last(machine: Machine, project: Any, tmp_path: Path) -> None:
    """What can be refused without a password is; then it is asked for once."""
    folder = project("app-provider")
    secret = tmp_path / "app-provider.key"
    machine.raw("wallet", "import", "--private-key-file", str(secret), "--password", "pw",
                "--keystoredir", "ks", folder=folder)  # fmt: skip
    wallet = ("--keystoredir", "ks")
    made = machine.raw("app", "init", *wallet, folder=folder)["app"]
    assert made["owner"] == PEOPLE["app-provider"]
    describe(folder, "app", "locked")
    with machine.terminal("app", "deploy", *wallet, folder=folder) as terminal:
        terminal.answer("Please enter your password to unlock your wallet: ", "pw")
        assert terminal.end()[0] == 0
    assert "already deployed" in machine.message("app", "deploy", *wallet, folder=folder)
    assert machine.raw("app", "count", *wallet, folder=folder)["ok"] is True
    publish = ("app", "publish", "--force", *wallet)
    assert "there is nobody to ask" in machine.message(*publish, folder=folder)
    assert machine.raw(*publish, "--password", "pw", folder=folder)["ok"] is True


# -- categories, info --------------------------------------------------------------------------


def test_categories(machine: Machine, project: Any, client: Any, golden: Any) -> None:
    folder = project("admin")
    hub = client("requester").hub
    golden("category-init", machine.shown("category", "init", folder=folder))
    made = machine.raw("category", "init", folder=folder)
    assert made["category"] == read(folder, "iexec.json")["category"]
    assert list(made["category"]) == ["name", "description", "workClockTimeRef"]
    count = hub.count_category()
    created = machine.raw("category", "create", folder=folder)
    assert list(created) == ["ok", "catid", "txHash"]
    assert created["catid"] == str(count)
    edit(folder, "iexec.json", category={**made["category"], "name": "other"})
    shown = machine.shown("category", "create", folder=folder)
    assert shown == f"New category created with catid {count + 1}\n"
    assert hub.show_category(count + 1).name == "other"

    assert machine.raw("category", "show", str(count), folder=folder) == {
        "ok": True,
        "index": str(count),
        "category": {"name": "XXL", "description": "new hub category", "workClockTimeRef": "100"},
    }
    golden("category-show", machine.shown("category", "show", "1", folder=folder))
    assert machine.raw("category", "count", folder=folder)["count"] == str(count + 2)
    shown = machine.shown("category", "count", folder=folder)
    assert shown == f"iExec hub has a total of {count + 2} categories: 0 to {count + 1}\n"


def test_categories_that_are_not(machine: Machine, project: Any) -> None:
    folder = project("requester")
    missing = 'Missing category in "iexec.json". Did you forget to run "iexec-lite category init"?'
    assert machine.message("category", "create", folder=folder) == missing
    machine.raw("category", "init", folder=folder)
    refused = machine.message("category", "create", folder=folder)
    assert refused == f"only category owner {PEOPLE['admin']} can create new categories"
    edit(folder, "iexec.json", category={"name": "x", "workClockTimeRef": "soon"})
    message = machine.message("category", "create", folder=folder)
    assert "workClockTimeRef: soon is not a valid uint256" in message
    assert "description is a required field" in message
    assert machine.message("category", "show", "99", folder=folder).startswith("no category 99")
    assert "x is not a valid uint256" in machine.message("category", "show", "x", folder=folder)
    assert 'Missing "no" chain' in machine.message("category", "count", "--chain", "no",
                                                   folder=folder)  # fmt: skip
    (folder / "iexec.json").unlink()
    assert machine.message("category", "init", folder=folder).startswith('Missing "iexec.json"')


def test_info(machine: Machine, client: Any, golden: Any, tmp_path: Path) -> None:
    chain = machine.chain()
    found = machine.raw("info", "--chain", "sandbox", folder=tmp_path)
    registries = ["appRegistryAddress", "datasetRegistryAddress", "workerpoolRegistryAddress"]
    members = ["ok", "pocoVersion", "host", "hubAddress", *registries, "useNative", "flavour"]
    assert list(found) == members
    assert (found["pocoVersion"], found["hubAddress"], found["host"]) == (
        "5",
        chain.hub,
        chain.host,
    )
    assert (found["useNative"], found["flavour"]) == (True, "standard")
    context = client("requester")._context
    assert [found[name] for name in registries] == [context.registry(kind) for kind in OWNERS]
    golden("info", machine.shown("info", "--chain", "sandbox", folder=tmp_path))
    assert machine.message("info", "--chain", "no", folder=tmp_path).startswith('Missing "no"')
