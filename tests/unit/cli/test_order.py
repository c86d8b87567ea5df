"""``order init`` and ``order sign`` (cli.md §8.8, §4.2, §4.4)."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.cli import output
from iexec_lite.errors import ObjectNotFoundError
from iexec_lite.eth.crypto import keccak
from iexec_lite.protocol import orders
from iexec_lite.protocol.chains import resolve
from iexec_lite.protocol.detached import SigningRequest

from .records import Part

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
ZERO = "0x" + "0" * 40
APP = "0x607F4C5BB672230e8672085532f7e901544a7375"
KINDS = ("apporder", "datasetorder", "workerpoolorder", "requestorder")
V6 = ["--chain", "bellecour"]
WALLET = ["--keystoredir", "ks"]
SIGN = ["order", "sign", "--offline", *V6, *WALLET, "--password", "x"]
RESTRICT = {"apprestrict", "datasetrestrict", "workerpoolrestrict", "requesterrestrict"}


@pytest.fixture
def config(project: Path, wallet: Path) -> Path:
    """An iexec.json with somebody's own members, and a wallet."""
    file = project / "iexec.json"
    file.write_text('{"mine": [1.5, "é"], "description": "x"}')
    return file


def write(config: Path, **order: object) -> None:
    config.write_text(json.dumps({"mine": 1, "order": order}))


def read(path: Path | str) -> Any:
    return json.loads(Path(path).read_text("utf-8"))


# -- init ------------------------------------------------------------------------------------------


def test_init_all(run, config: Path) -> None:
    document = run("order", "init", *WALLET, *V6, "--raw").json
    assert list(document) == ["ok", *KINDS]
    file = read(config)
    assert list(file) == ["mine", "description", "order"]
    assert file["mine"] == [1.5, "é"]
    assert file["order"] == {kind: document[kind] for kind in KINDS}
    assert {kind: list(document[kind]) for kind in KINDS} == {
        "apporder": [
            "app", "appprice", "volume", "tag",
            "datasetrestrict", "workerpoolrestrict", "requesterrestrict",
        ],
        "datasetorder": [
            "dataset", "datasetprice", "volume", "tag",
            "apprestrict", "workerpoolrestrict", "requesterrestrict",
        ],
        "workerpoolorder": [
            "workerpool", "workerpoolprice", "volume", "category", "trust", "tag",
            "apprestrict", "datasetrestrict", "requesterrestrict",
        ],
        "requestorder": [
            "app", "appmaxprice", "dataset", "datasetmaxprice", "workerpool", "workerpoolmaxprice",
            "volume", "category", "trust", "tag", "beneficiary", "callback", "params", "requester",
        ],
    }  # fmt: skip
    for kind in KINDS:  # a new field of an order must find its place in the template
        assert set(document[kind]) == set(orders.ORDER_KINDS[kind].field_names())
    for kind in KINDS[:3]:
        order = document[kind]
        assert order["volume"] == ("1" if kind == "workerpoolorder" else "1000000")
        assert order["tag"] == []
        assert {order[name] for name in order if name in RESTRICT} == {ZERO}
        assert order[kind.removesuffix("order")] == ZERO
        assert order[kind.replace("order", "price")] == "0"
    workerpool = document["workerpoolorder"]
    assert (workerpool["category"], workerpool["trust"]) == ("0", "0")
    request = document["requestorder"]
    assert request.pop("params") == {
        "iexec_args": "", "iexec_input_files": [], "iexec_result_encryption": False
    }  # fmt: skip
    nobody = ("app", "dataset", "workerpool", "callback")
    free = ("appmaxprice", "datasetmaxprice", "workerpoolmaxprice", "category", "trust")
    assert request == {
        **{"requester": ADDRESS, "beneficiary": ADDRESS, "volume": "1", "tag": []},
        **dict.fromkeys(nobody, ZERO),
        **dict.fromkeys(free, "0"),
    }


def test_init_one(run, config: Path) -> None:
    write(config, apporder={"app": APP}, strange={"kept": True})
    Path("deployed.json").write_text(json.dumps({"dataset": {"134": APP}, "app": {"134": APP}}))
    document = run("order", "init", "--dataset", *WALLET, *V6, "--raw").json
    assert list(document) == ["ok", "datasetorder"]
    assert document["datasetorder"]["dataset"] == APP
    assert read(config)["order"] == {
        "apporder": {"app": APP},
        "strange": {"kept": True},
        "datasetorder": document["datasetorder"],
    }
    done = run("order", "init", "--app", *WALLET, *V6)
    order = read(config)["order"]["apporder"]
    shown = output.render({"apporder": order})
    assert done.out == f"Saved in iexec.json, you can edit it:\n{shown}\n"
    assert order["app"] == APP


def test_init_without_a_wallet(run, config: Path) -> None:
    """The zero address then, as V6 (cli.md B9); but a wallet that was named must be there."""
    words = ["order", "init", "--request", *V6, "--raw", "--keystoredir"]
    assert run(*words, "none").json["requestorder"]["requester"] == ZERO
    error = run(*words, "ks", "--wallet-address", APP).json["error"]
    assert error["message"] == f"No wallet file matching address {APP} found in ks"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("iexec.json", "{", "in iexec.json"),
        ("iexec.json", '{"order": []}', '"order" in iexec.json must be an object'),
        ("deployed.json", "nonsense", "in deployed.json"),
        ("chain.json", "nonsense", "in chain.json"),
        ("chain.json", '{"chains": {}, "foo": 1}', 'Unknown key "foo" in chain.json'),
    ],
)
def test_init_keeps_broken_files(run, config: Path, file: str, text: str, message: str) -> None:
    Path(file).write_text(text)
    before = config.read_text()
    error = run("order", "init", *WALLET, *V6, "--raw").json["error"]
    assert error["message"].endswith(message)
    assert (Path(file).read_text(), config.read_text()) == (text, before)


# -- sign ------------------------------------------------------------------------------------------

APPORDER = {"app": APP, "appprice": "5", "volume": "1000000", "tag": []}
REQUEST = {"app": APP, "category": "0", "params": {"iexec_args": "hi"}}


def verify(kind: str, signed: dict[str, Any]) -> orders.SignedOrder:
    chain = resolve("bellecour")
    order = orders.SIGNED_ORDER_KINDS[kind].from_dict(signed)
    orders.verify_order(order, orders.domain(chain.id, chain.require_hub()), ADDRESS)
    return order


def test_sign_all(run, config: Path) -> None:
    assert run("order", "init", *WALLET, *V6).status == 0
    document = run(*SIGN, "--raw").json
    assert list(document) == ["ok", *KINDS]
    assert read("orders.json") == {"134": {kind: document[kind] for kind in KINDS}}
    for kind in KINDS:
        signed = document[kind]
        assert list(signed)[-2:] == ["salt", "sign"]
        assert signed["tag"] == "0x" + "0" * 64
        assert all(isinstance(value, str) for value in signed.values())
        verify(kind, signed)
    params = document["requestorder"]["params"]
    assert json.loads(params)["iexec_result_encryption"] is False
    assert list(json.loads(params)) == [
        "iexec_result_storage_provider", "iexec_result_storage_proxy", "iexec_result_encryption",
        "iexec_input_files", "iexec_args",
    ]  # fmt: skip
    text = Path("orders.json").read_bytes().decode()
    assert text == json.dumps(read("orders.json"), indent=2)


def test_sign_for_people(run, config: Path) -> None:
    write(config, apporder=APPORDER, requestorder=REQUEST | {"app": ZERO})
    done = run(*SIGN, "--app", "--request")
    assert (done.status, done.out) == (
        0,
        "apporder signed and saved in orders.json\nrequestorder signed and saved in orders.json\n",
    )
    assert done.err == (
        "ℹ Using chain bellecour [chainId: 134]\n"
        "⚠ requestorder: app is the zero address, nobody can use it\n"
    )


def test_older_shapes(run, config: Path) -> None:
    """What the documents of V6 and files of older versions hold (cli.md §4.2)."""
    write(
        config,
        apporder={"app": APP.lower(), "appprice": 5, "volume": 10, "tag": "0x" + "0" * 63 + "1"},
        datasetorder={"dataset": APP, "tag": "tee,gpu", "datasetprice": "1.5 RLC"},
        workerpoolorder={"workerpool": APP, "category": 3, "tag": ["gpu"]},
        requestorder={"app": APP, "category": 0, "params": '{"iexec_args":"hi"}', "trust": 0},
    )
    document = run(*SIGN, "--raw").json
    assert document["apporder"]["app"] == APP
    assert document["apporder"]["appprice"] == "5"
    assert document["apporder"]["tag"][-1] == "1"
    assert document["datasetorder"]["tag"][-3:] == "101"
    assert document["datasetorder"]["datasetprice"] == "1500000000"
    assert document["datasetorder"]["volume"] == "1"
    assert document["workerpoolorder"]["category"] == "3"
    assert document["requestorder"]["requester"] == ADDRESS
    assert document["requestorder"]["beneficiary"] == ADDRESS
    assert json.loads(document["requestorder"]["params"])["iexec_args"] == "hi"


MISSING = 'Missing {0}order. You probably forgot to run "iexec-lite order init --{0}"'
FAULTS: list[tuple[str, object, str]] = [
    ("app", None, MISSING.format("app")),
    ("dataset", None, MISSING.format("dataset")),
    ("workerpool", None, MISSING.format("workerpool")),
    ("request", None, MISSING.format("request")),
    ("app", [], '"apporder" in iexec.json must be an object'),
    ("app", {}, "Missing parameter: app is a required field"),
    ("workerpool", {"workerpool": APP}, "Missing parameter: category is a required field"),
    ("app", {"app": "0x12"}, "app: 0x12 is not a valid ethereum address"),
    ("app", {"app": APP, "apprice": "5"}, "apprice is not a field of apporder"),
    ("app", {"app": APP, "tag_as_given": True}, "tag_as_given is not a field of apporder"),
    ("app", {"app": APP, "rules": 1}, "rules is not a field of apporder"),
    ("request", REQUEST | {"result_proxy": "x"}, "result_proxy is not a field of requestorder"),
    ("app", {"app": APP, "appprice": None}, "appprice must not be null"),
    ("app", {"app": APP, "appprice": "1.5"}, "appprice: 1.5 is not a valid amount"),
    ("app", {"app": APP, "volume": -1}, "volume: -1 is not a valid uint256"),
    ("app", {"app": APP, "tag": ["foo"]}, "tag: foo is not a valid tag. Unknown tag foo"),
    ("request", REQUEST | {"requester": APP}, "Invalid order signer, must be the requester: "),
    ("request", REQUEST | {"params": {"iexec_input_files": "x"}}, "params: "),
]


@pytest.mark.parametrize(("resource", "template", "message"), FAULTS)
def test_fault(run, config: Path, resource: str, template: object, message: str) -> None:
    kind = f"{resource}order"
    write(config, **({} if template is None else {kind: template}))
    before = config.read_bytes()
    words = [word for word in SIGN if word not in ("--password", "x")]  # none is asked for
    document = run(*words, f"--{resource}", "--raw").json
    assert list(document) == ["ok", "fail"]
    (failure,) = document["fail"]
    assert failure.startswith(f"{kind}: {message}")
    assert not Path("orders.json").exists()
    assert config.read_bytes() == before
    assert f"✖ Failed to sign:\n  - {kind}: {message}" in run(*words, f"--{resource}").err


def test_what_can_be_signed_is_signed(run, config: Path) -> None:
    write(config, apporder=APPORDER, requestorder=REQUEST | {"app": "0x"})
    done = run(*SIGN, "--raw")
    document = done.json
    assert done.status == 1
    assert list(document) == ["ok", "apporder", "fail"]
    assert [text.split(":")[0] for text in document["fail"]] == [
        "datasetorder", "workerpoolorder", "requestorder"
    ]  # fmt: skip
    assert read("orders.json") == {"134": {"apporder": document["apporder"]}}


def test_orders_of_others_are_kept(run, config: Path) -> None:
    write(config, apporder=APPORDER, requestorder=REQUEST)
    before = {
        "1": {"apporder": {"sign": "0x"}},
        "134": {"apporder": {"old": 1}, "datasetorder": {"x": 2}, "mine": [3]},
        "note": "unknown",
    }
    Path("orders.json").write_text(json.dumps(before))
    signed = run(*SIGN, "--app", "--raw").json["apporder"]
    after = read("orders.json")
    assert after == before | {"134": before["134"] | {"apporder": signed}}
    assert list(after) == list(before)
    request = run(*SIGN, "--request", "--raw").json["requestorder"]
    assert read("orders.json")["134"]["requestorder"] == request
    assert read("orders.json")["134"]["apporder"] == signed


@pytest.mark.parametrize(
    "text", ["", "[]", '{"134": {"apporder": ', '{"134": []}', '{"134": null}', "\x00"]
)
def test_broken_orders_file_loses_nothing(run, config: Path, text: str) -> None:
    write(config, apporder=APPORDER)
    Path("orders.json").write_text(text)
    words = [word for word in SIGN if word not in ("--password", "x")]  # none is asked for
    error = run(*words, "--app", "--raw").json["error"]
    assert "orders.json" in error["message"]
    assert Path("orders.json").read_text() == text


def test_a_failing_disk_loses_nothing(run, config: Path, monkeypatch) -> None:
    write(config, apporder=APPORDER)
    Path("orders.json").write_text('{"1": {}}')

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    error = run(*SIGN, "--app", "--raw").json["error"]
    assert error["message"].endswith("No space left on device")
    assert Path("orders.json").read_text() == '{"1": {}}'
    assert sorted(path.name for path in Path().iterdir()) == ["iexec.json", "ks", "orders.json"]


def test_a_wrong_password_ends_it(run, config: Path) -> None:
    write(config, apporder=APPORDER, requestorder=REQUEST)
    words = [word if word != "x" else "y" for word in SIGN]
    error = run(*words, "--raw").json["error"]
    assert (error["name"], error["message"]) == ("WrongPasswordError", "invalid password")
    assert not Path("orders.json").exists()
    nobody = run(*words[:-2], "--raw").json["error"]
    assert "nobody to ask" in nobody["message"]


def test_no_wallet(run, config: Path) -> None:
    write(config, apporder=APPORDER)
    error = run("order", "sign", "--offline", *V6, "--keystoredir", "no", "--raw").json["error"]
    assert error["message"].startswith("Missing keystore directory no, did you forget to run")


def test_missing_project(run, wallet: Path) -> None:
    text = 'Missing "iexec.json" file, did you forget to run "iexec-lite init"?'
    for words in (SIGN, ["order", "export", "--offline", *V6]):
        assert run(*words, "--raw").json["error"]["message"] == text


def test_unencrypted_wallet_of_v6(run, config: Path) -> None:
    write(config, requestorder=REQUEST)
    key = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
    Path("wallet.json").write_text(json.dumps({"privateKey": key, "address": ADDRESS}))
    document = run("order", "sign", "--request", "--offline", *V6, "--raw").json
    verify("requestorder", document["requestorder"])


# -- sign, on line ---------------------------------------------------------------------------------


def word(value: int) -> str:
    return f"0x{value:064x}"


SELECTORS = {
    keccak(text)[:4].hex(): text
    for text in (
        b"appregistry()", b"isRegistered(address)", b"owner()", b"eip712domain_separator()"
    )
}  # fmt: skip


@pytest.fixture
def chain(node):
    """Every app exists, and belongs to ``node.owner``."""
    node.owner = ADDRESS

    def call(transaction: dict[str, str], _block: str) -> str:
        name = SELECTORS.get(transaction["data"][2:10])
        if name == b"isRegistered(address)":
            return word(int(transaction["data"][-40:] != ZERO[2:]))
        if name == b"owner()":
            return word(int(node.owner, 16))
        if name == b"eip712domain_separator()":
            return "0x" + orders.domain(65535, transaction["to"]).separator.hex()
        if name == b"appregistry()":
            return word(0xCC)
        return "0x" + f"{32:064x}" + "0" * 64  # an empty text

    node.answers["eth_call"] = call
    return node


ONLINE = ["order", "sign", *WALLET]


def test_online(run, config: Path, chain) -> None:
    write(config, apporder=APPORDER)
    document = run(*ONLINE, "--app", "--password", "x", "--raw").json
    assert document["ok"], document
    assert read("orders.json") == {"65535": {"apporder": document["apporder"]}}


def test_online_checks_come_before_the_password(run, config: Path, chain) -> None:
    """No password is given here, and none is asked for: the check fails first."""
    write(config, apporder=APPORDER | {"app": ZERO}, requestorder=REQUEST | {"app": ZERO})
    failures = run(*ONLINE, "--app", "--request", "--raw").json["fail"]
    assert failures == [
        f"apporder: No app contract deployed at address {ZERO}",
        f"requestorder: No app contract deployed at address {ZERO}",
    ]
    chain.owner = APP
    write(config, apporder=APPORDER, requestorder=REQUEST)
    failures = run(*ONLINE, "--app", "--request", "--raw").json["fail"]
    assert failures[0].startswith("apporder: Invalid order signer, must be the resource owner")
    assert failures[1] == (
        "requestorder: Request requirements check failed: Requester storage token is not set for "
        'selected provider "ipfs". Result archive upload will fail. (requester '
        f"{ADDRESS}, who has to push one: "
        "storage.push_storage_token, iexec-lite storage init) "
        "(If you consider this is not an issue, use --skip-request-check to skip "
        "request requirement check)"
    )
    assert chain.asked[-1].startswith("/sms/")
    chain.owner = ADDRESS
    error = run(*ONLINE, "--app", "--raw").json["error"]
    assert "nobody to ask" in error["message"]
    assert not Path("orders.json").exists()


def test_online_without_an_sms(run, config: Path, chain) -> None:
    write(config, requestorder=REQUEST)
    file = read("chain.json")
    del file["chains"]["mine"]["sms"]
    Path("chain.json").write_text(json.dumps(file))
    document = run(*ONLINE, "--request", "--raw").json
    assert document["fail"] == ['requestorder: Missing sms in "chain.json" for chain 65535']


def test_online_without_the_request_check(run, config: Path, chain) -> None:
    write(config, requestorder=REQUEST)
    words = [*ONLINE, "--request", "--skip-request-check", "--password", "x", "--raw"]
    assert list(run(*words).json) == ["ok", "requestorder"]
    assert not [path for path in chain.asked if path.startswith("/sms")]


def test_offline_asks_no_node(run, config: Path, chain) -> None:
    write(config, apporder=APPORDER, requestorder=REQUEST)
    words = [*ONLINE, "--offline", "--app", "--request", "--password", "x", "--raw"]
    assert run(*words).status == 0
    assert chain.asked == []


# -- with a library that notes what it is asked for ------------------------------------------------

DATASET = "0x" + "31" * 20
TEMPLATES = {
    "apporder": APPORDER,
    "datasetorder": {"dataset": DATASET},
    "workerpoolorder": {"workerpool": APP, "category": "0"},
}
NEXT = "Carry it to the device with that key, and there: iexec-lite order sign-request FILE\n"


@pytest.fixture
def noting(library: Any, config: Path) -> Any:
    """Everything is deployed, every order is signed or asked for; ``library.order`` notes it."""
    write(config, **TEMPLATES, requestorder=REQUEST | {"requester": ADDRESS})
    signed = SimpleNamespace(to_dict=lambda: {"sign": "0x12"})
    asked = SimpleNamespace(address=ADDRESS, to_dict=lambda: {"say": "é"})
    answers = {f"sign_{kind}": signed for kind in KINDS}
    answers |= {f"sign_{kind}_request": asked for kind in KINDS}  # type: ignore[dict-item]
    library.order = Part(**answers)
    for resource in ("app", "dataset", "workerpool"):
        setattr(library, resource, Part(**{f"show_{resource}": None}))
    return library


def calls(library: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, kind of order and options of each call."""
    return [
        (name, order.name, more[0] if more else {}) for name, order, *more in library.order.calls
    ]


@pytest.mark.parametrize(
    ("words", "checked"),
    [((), True), (("--skip-request-check",), False), (("--skip-preflight-check",), False)],
)
def test_what_is_checked_before_it_is_signed(
    run, noting, words: tuple[str, ...], checked: bool
) -> None:
    found = run("order", "sign", *V6, *WALLET, *words)
    assert found.out == "".join(f"{kind} signed and saved in orders.json\n" for kind in KINDS)
    assert (found.status, found.err) == (0, "")
    check = {"preflight_check": checked}
    assert calls(noting) == [
        (f"sign_{kind}", kind, {} if kind == "workerpoolorder" else check) for kind in KINDS
    ]
    assert noting.app.calls == [("show_app", APP), ("show_app", APP)]
    assert noting.dataset.calls == [("show_dataset", DATASET)]
    assert noting.workerpool.calls == [("show_workerpool", APP)]
    assert noting.signer.address == ADDRESS


def test_what_nobody_deployed_is_not_signed(run, noting) -> None:
    noting.dataset.answers["show_dataset"] = ObjectNotFoundError("dataset", DATASET, 134)
    document = run("order", "sign", "--dataset", *V6, *WALLET, "--raw").json
    assert document == {
        "ok": False,
        "fail": [f"datasetorder: No dataset contract deployed at address {DATASET}"],
    }
    assert noting.order.calls == []


@pytest.mark.parametrize("words", [["--offline"], ["--skip-request-check"]])
def test_no_sms_is_needed_where_nothing_is_checked(
    run, config: Path, chain, words: list[str]
) -> None:
    write(config, requestorder=REQUEST)
    file = read("chain.json")
    del file["chains"]["mine"]["sms"]
    Path("chain.json").write_text(json.dumps(file))
    found = run(*ONLINE, *words, "--request", "--password", "x", "--raw").json
    assert list(found) == ["ok", "requestorder"]


def test_offers_need_no_sms_of_their_own(run, noting) -> None:
    file = {"id": "4242", "host": "http://n.org", "hub": APP, "resultProxy": "https://x.y"}
    Path("chain.json").write_text(json.dumps({"default": "mine", "chains": {"mine": file}}))
    words = ("order", "sign", "--app", "--dataset", "--workerpool", *WALLET)
    assert list(run(*words, "--raw").json) == ["ok", *KINDS[:3]]
    (failure,) = run("order", "sign", "--request", *WALLET, "--raw").json["fail"]
    assert failure == 'requestorder: Missing sms in "chain.json" for chain 4242'


@pytest.mark.parametrize("kind", KINDS)
def test_offline_the_zero_address_is_told(run, config: Path, kind: str) -> None:
    resource = kind.removesuffix("order")
    named = "app" if kind == "requestorder" else resource
    template = {**TEMPLATES, "requestorder": REQUEST}[kind]
    write(config, **{kind: {**template, named: ZERO}})
    told = f"⚠ {kind}: {named} is the zero address, nobody can use it\n"
    found = run(*SIGN, f"--{resource}")
    assert found.err == f"ℹ Using chain bellecour [chainId: 134]\n{told}"
    write(config, **{kind: template})
    assert told not in run(*SIGN, f"--{resource}").err


# -- export ----------------------------------------------------------------------------------------


def test_export(run, noting, project: Path) -> None:
    (project / "stick").mkdir()
    words = ("order", "export", *V6, "--output-dir", "stick")
    found = run(*words)
    files = {kind: str(Path("stick", f"{kind}.request.json")) for kind in KINDS}
    told = "".join(f"{file} is to be signed by {ADDRESS}\n" for file in files.values())
    assert (found.status, found.out, found.err) == (0, told + NEXT, "")
    assert {Path(file).read_text("utf-8") for file in files.values()} == {'{\n  "say": "é"\n}'}
    assert {Path(file).stat().st_mode & 0o777 for file in files.values()} == {0o600}
    check, owner = {"preflight_check": True}, {"address": None}
    assert calls(noting) == [
        ("sign_apporder_request", "apporder", owner | check),
        ("sign_datasetorder_request", "datasetorder", owner | check),
        ("sign_workerpoolorder_request", "workerpoolorder", owner),
        ("sign_requestorder_request", "requestorder", check),
    ]
    assert noting.signer is None
    document = run(*words, "--force", "--raw", "--skip-request-check", "--app").json
    about = {"file": files["apporder"], "address": ADDRESS}
    assert document == {"ok": True, "apporder": about}
    assert calls(noting)[-1][2] == {"address": None, "preflight_check": False}
    assert run(*words, "--address", ADDRESS.lower(), "--force", "--app").status == 0
    assert calls(noting)[-1][2] == {"address": ADDRESS, "preflight_check": True}


def test_what_cannot_be_exported(run, noting, project: Path) -> None:
    message = run("order", "export", *V6, "--address", "me", "--raw").json["error"]["message"]
    assert message == "--address: me is not a valid ethereum address"
    (project / "apporder.request.json").write_text("kept")
    found = run("order", "export", "--app", *V6)
    assert found.status == 1
    assert found.out == ""
    assert found.err == (
        '✖ Failed to export:\n  - apporder: "apporder.request.json" already exists, replace it '
        "with new one? There is nobody to ask: --force says yes\n"
    )
    assert (project / "apporder.request.json").read_text() == "kept"


@pytest.mark.parametrize(("given", "found"), [((), ZERO), (("--address", APP), ADDRESS)])
def test_a_request_of_nobody_or_somebody_else(
    run, noting, project: Path, given: tuple[str, ...], found: str
) -> None:
    asked = noting.order.answers["sign_requestorder_request"]
    asked.address = found
    (failure,) = run("order", "export", "--request", *V6, *given, "--raw").json["fail"]
    assert failure == (
        f"requestorder: the requester in iexec.json is {found}: write there who it is, and who is "
        "the beneficiary"
    )
    assert not (project / "requestorder.request.json").exists()


def test_export_offline(run, config: Path, chain) -> None:
    write(config, **TEMPLATES, requestorder=REQUEST)
    words = ("order", "export", "--offline", "--workerpool", "--request", "--address", ADDRESS)
    found = run(*words)
    assert found.err == "ℹ Using chain mine [chainId: 65535]\n"
    assert found.status == 0
    request = SigningRequest.from_dict(read("requestorder.request.json"))
    assert (request.address, request.chain_id) == (ADDRESS, 65535)
    assert request.what == "sign a requestorder"
    assert chain.asked == []
