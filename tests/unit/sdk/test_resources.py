"""Apps, datasets, workerpools and orders of a hub in memory: deployed, shown, given away."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import ObjectNotFoundError, SignatureError, StateError, ValidationError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import cipher, multiaddr, orders
from iexec_lite.protocol.authorization import app_secret_digest, web3_secret_digest
from iexec_lite.protocol.contracts import ENTRY, EVENTS, HUB, REGISTRY, RESOURCE
from iexec_lite.protocol.rules import V6, V9
from iexec_lite.sdk.assets import Apps, Datasets, Workerpools
from iexec_lite.sdk.order import Orders
from iexec_lite.sdk.records import PublishedOrder

from .hub import HUB_ADDRESS, ME, OTHER, REGISTRIES, Context

ENCLAVE = {
    **{"provider": "SCONE", "version": "v5", "entrypoint": "run", "heapSize": 1},
    "fingerprint": "f",
}
THERE, NEW = "0x" + "a1" * 20, "0x" + "31" * 20
NOBODY = "0x" + "00" * 20
ONE = f"0x{1:064x}"
KINDS = {"app": Apps, "dataset": Datasets, "workerpool": Workerpools}
ENTRIES: dict[str, dict[str, object]] = {
    "app": {
        "owner": ME,
        "name": "hello",
        "type": "DOCKER",
        "multiaddr": "registry.hub.docker.com/iexechub/hello:1",
        "checksum": "0x" + "15" * 32,
    },
    "dataset": {
        "owner": ME,
        "name": "data",
        "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
        "checksum": "0x" + "16" * 32,
    },
    "workerpool": {"owner": ME, "description": "pool"},
}
THERE = orders.create_apporder(app=THERE).app  # EIP-55


@pytest.fixture
def context() -> Context:
    """The hub has one app, dataset, workerpool: ``THERE``, which belongs to ``ME``."""
    found = Context()
    found.answers |= {
        REGISTRY.isRegistered.name: lambda to, block, address: address == THERE,
        REGISTRY.balanceOf.name: lambda to, block, owner: 2 if owner == OTHER else 0,
        REGISTRY.tokenOfOwnerByIndex.name: lambda to, block, owner, index: (
            int(THERE, 16) if (owner, index) == (OTHER, 1) else 7
        ),
        ENTRY.owner.name: ME,
        HUB.viewConsumed.name: 0,
        **{getattr(REGISTRY, f"predict{kind.capitalize()}").name: NEW for kind in KINDS},
    }
    for getters in RESOURCE.values():
        for key, getter in getters.items():
            text = key.endswith(("Multiaddr", "MREnclave"))
            found.answers.setdefault(getter.name, b"text" if text else f"<{key}>")
    found.answers[RESOURCE["app"]["registry"].name] = REGISTRIES["app"]
    found.events = [{"tokenId": int(NEW, 16)}]
    return found


def of(kind: str, context: Context) -> Any:
    return KINDS[kind](context)  # type: ignore[arg-type]


# ---- apps, datasets, workerpools -----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_deploy(context: Context, kind: str) -> None:
    deploy = getattr(of(kind, context), f"deploy_{kind}")
    found = deploy(ENTRIES[kind], new=True)
    assert (found.address, found.tx_hash) == (NEW, ONE)
    ((operation, arguments, to, data, more),) = context.sent
    assert (operation, to) == (f"deploy{kind.capitalize()}", REGISTRIES[kind])
    assert arguments["owner"] == ME
    assert data[:4] == getattr(REGISTRY, f"create{kind.capitalize()}").selector
    assert more == {"expect": [(REGISTRY.Transfer, REGISTRIES[kind])], "new": True}
    assert getattr(of(kind, context), f"predict_{kind}_address")(ENTRIES[kind]) == NEW
    context.answers[REGISTRY.isRegistered.name] = lambda to, block, address: address == NEW
    with pytest.raises(StateError) as caught:
        deploy(ENTRIES[kind])
    assert caught.value.message == f"{kind.capitalize()} already deployed at address {NEW}"
    assert caught.value.details == {"address": NEW}
    with pytest.raises(ValidationError, match="owner is the zero address: give the address of who"):
        deploy({**ENTRIES[kind], "owner": NOBODY})
    assert len(context.sent) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_whether_something_is_deployed(context: Context, kind: str) -> None:
    check = getattr(of(kind, context), f"check_deployed_{kind}")
    assert check(THERE) is True
    assert check(NEW) is False


@pytest.mark.parametrize("kind", KINDS)
def test_show(context: Context, kind: str) -> None:
    library = of(kind, context)
    found = getattr(library, f"show_{kind}")(THERE)
    assert (found.obj_address, found.kind) == (THERE, kind)
    assert list(found.properties) == list(RESOURCE[kind])
    assert found.properties["owner"] == ME
    assert list(found.to_dict()) == ["objAddress", kind]
    with pytest.raises(ObjectNotFoundError, match=f"No {kind} found for id {NEW}"):
        getattr(library, f"show_{kind}")(NEW)
    assert getattr(library, f"show_user_{kind}")(1, OTHER).obj_address == THERE
    with pytest.raises(StateError) as caught:
        getattr(library, f"show_user_{kind}")(2, OTHER)
    text = f"{kind} not deployed: {OTHER} has 2, there is no index 2"
    assert caught.value.message == text
    count = getattr(library, f"count_user_{kind}s")
    assert (count(OTHER), count(ME)) == (2, 0)


def test_texts_that_are_no_utf8(context: Context) -> None:
    """Anybody may write anything: it is shown as far as it is text."""
    context.answers[RESOURCE["app"]["appMREnclave"].name] = b"a\xffb"
    found = of("app", context).show_app(THERE)
    assert found.properties["appMREnclave"] == "a\ufffdb"


def test_addresses_of_files_are_shown_as_text(context: Context) -> None:
    text = str(ENTRIES["dataset"]["multiaddr"])
    packed, shown = multiaddr.to_bytes(text), text.replace("/ipfs/", "/p2p/")  # its name today
    assert packed != text.encode()
    context.answers[RESOURCE["dataset"]["datasetMultiaddr"].name] = packed
    assert of("dataset", context).show_dataset(THERE).properties["datasetMultiaddr"] == shown


@pytest.mark.parametrize("kind", KINDS)
def test_transfer(context: Context, kind: str) -> None:
    move = getattr(of(kind, context), f"transfer_{kind}")
    found = move(THERE, OTHER, new=True)
    assert found.to_dict() == {"address": THERE, "to": OTHER, "txHash": ONE}
    data = REGISTRY.safeTransferFrom.encode(ME, OTHER, int(THERE, 16))
    more = {"expect": [(REGISTRY.Transfer, REGISTRIES[kind])], "new": True}
    operation, arguments = f"transfer{kind.capitalize()}", {"address": THERE, "to": OTHER}
    assert context.sent == [(operation, arguments, REGISTRIES[kind], data, more)]
    move(THERE, OTHER)
    assert context.sent[-1][4]["new"] is False
    with pytest.raises(ObjectNotFoundError, match=f"No {kind} found"):
        move(NEW, OTHER)
    with pytest.raises(ValidationError, match=f"to is the zero address, which can own no {kind}"):
        move(THERE, NOBODY)
    context.answers[ENTRY.owner.name] = OTHER
    with pytest.raises(StateError) as caught:
        move(THERE, OTHER)
    assert caught.value.message == (
        f"Only {kind} owner can transfer {kind} ownership: the owner of {THERE} is {OTHER}"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_show_where_the_hub_shows_all_at_once(context: Context, kind: str) -> None:
    """Today's hubs have a view of a whole resource."""
    wanted = getattr(of(kind, context), f"show_{kind}")(THERE)
    context.chain = Context(rules=V9).chain
    getters = {key: getter for key, getter in RESOURCE[kind].items() if key != "registry"}
    view = {getter.name: context.answers[getter.name] for getter in getters.values()}
    asked: list[tuple[str, str]] = []
    name = getattr(HUB, f"view{kind.capitalize()}").name
    context.answers = {
        REGISTRY.isRegistered.name: context.answers[REGISTRY.isRegistered.name],
        name: lambda to, block, address: asked.append((to, address)) or view,
    }
    found = getattr(of(kind, context), f"show_{kind}")(THERE)
    assert asked == [(HUB_ADDRESS, THERE)]
    assert found.properties == {**wanted.properties, "registry": REGISTRIES[kind]}


@pytest.mark.parametrize(
    ("rules", "enclave", "told"),
    [
        (V9, ENCLAVE, ["an app with an mrenclave is not run on test: today's TEE apps are ordi"]),
        (V9, None, []),
        (V6, ENCLAVE, []),
    ],
)
def test_an_enclave_that_is_not_run(
    context: Context, caplog: pytest.LogCaptureFixture, rules: Any, enclave: Any, told: list[str]
) -> None:
    context.chain = Context(rules=rules).chain
    of("app", context).deploy_app({**ENTRIES["app"], "mrenclave": enclave})
    texts = [text + "nary images" for text in told]
    assert [record.getMessage() for record in caplog.records] == texts


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_named(context: Context, kind: str) -> None:
    library = of(kind, context)
    calls: list[tuple[Any, str]] = [
        (lambda: getattr(library, f"show_{kind}")("0x1"), kind),
        (lambda: getattr(library, f"check_deployed_{kind}")("0x1"), kind),
        (lambda: getattr(library, f"show_user_{kind}")(0, "0x1"), "user"),
        (lambda: getattr(library, f"show_user_{kind}")("one", OTHER), "index"),
        (lambda: getattr(library, f"count_user_{kind}s")("0x1"), "user"),
        (lambda: getattr(library, f"transfer_{kind}")("0x1", OTHER), kind),
        (lambda: getattr(library, f"transfer_{kind}")(THERE, "0x1"), "to"),
    ]
    if kind == "workerpool":
        calls.append((lambda: library.get_workerpool_api_url("0x1"), kind))
    else:
        context.chain = Context(rules=V9).chain
        context.sms = Sms()  # type: ignore[attr-defined]
        calls.append((lambda: getattr(library, f"check_{kind}_secret_exists")("0x1"), kind))
    for call, name in calls:
        with pytest.raises(ValidationError, match=rf"^{name}: "):
            call()


# ---- secrets of apps and datasets ----------------------------------------------------------------


class Sms:
    """Keeps what is pushed, and tells what it was asked."""

    def __init__(self) -> None:
        self.pushed: list[tuple[Any, ...]] = []

    def push(self, path: str, value: str, signature: str, *, replace: bool, address: str) -> None:
        self.pushed.append((path, value, signature, replace, address))

    def exists(self, path: str, *, address: str) -> bool:
        return any((path, address) == (each[0], each[-1]) for each in self.pushed)


SECRETS = {
    "app": (V9.sms_app_path, app_secret_digest, f"set the secret of the app {THERE}"),
    "dataset": (V9.sms_dataset_path, web3_secret_digest, f"set the secret of {THERE}"),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_given_to_the_sms(context: Context, kind: str) -> None:
    signer = KeySigner.from_key("0x" + "11" * 32)
    path, digest, what = SECRETS[kind]
    owner = context.answers[ENTRY.owner.name] = signer.address
    context.chain = Context(rules=V9).chain
    getters = RESOURCE[kind].values()
    view = {getter.name: context.answers[getter.name] for getter in getters}
    context.answers[getattr(HUB, f"view{kind.capitalize()}").name] = view
    context.address, context.signer, context.sms = owner, signer, Sms()  # type: ignore[attr-defined]
    library = of(kind, context)
    push = getattr(library, f"push_{kind}_secret")
    request = getattr(library, f"push_{kind}_secret_request")
    exists = getattr(library, f"check_{kind}_secret_exists")
    assert exists(THERE) is False
    asked = request(THERE, "s3cr3t")
    assert (asked.what, asked.address, asked.chain_id) == (what, owner, 4242)
    assert asked.payload == digest(THERE, "s3cr3t")
    signed = to_hex(asked.sign(signer).signature)
    for given in (None, asked.sign(signer), request(THERE, "s3cr3t", signer=owner).sign(signer)):
        assert push(THERE, "s3cr3t", signature=given) is True
    assert context.sms.pushed == [(path, "s3cr3t", signed, False, THERE)] * 3  # type: ignore[attr-defined]
    assert exists(THERE) is True
    context.address = OTHER
    for call in (lambda: push(THERE, "x"), lambda: request(THERE, "x", signer=OTHER)):
        with pytest.raises(StateError) as caught:
            call()
        assert caught.value.message == (
            f"Wallet {OTHER} is not allowed to set secret for {THERE}: its owner is {owner}"
        )
    for other in (push, request):
        with pytest.raises(ValidationError) as bad:
            other(THERE, "")
        assert bad.value.message == "the secret has 0 bytes: it must have 1 to 4096"
    assert len(context.sms.pushed) == 3  # type: ignore[attr-defined]


def test_a_dataset_is_encrypted(context: Context, tmp_path: Path) -> None:
    library = of("dataset", context)
    key, plain = library.generate_encryption_key(), tmp_path / "plain"
    assert key != library.generate_encryption_key()
    encrypted = library.encrypt(b"data", key)
    assert cipher.decrypt_dataset(encrypted, key) == b"data"
    plain.write_bytes(b"data")
    checksum = library.encrypt_file(plain, tmp_path / "out", key)
    assert cipher.decrypt_dataset((tmp_path / "out").read_bytes(), key) == b"data"
    assert checksum == library.compute_encrypted_file_checksum(tmp_path / "out")
    assert checksum == "0x" + sha256((tmp_path / "out").read_bytes()).hexdigest()


# ---- orders --------------------------------------------------------------------------------------

SIGNER = KeySigner.from_key("0x" + "11" * 32)


@pytest.fixture
def owner(context: Context) -> str:
    """Who owns everything, and the requester: whoever has the key of ``SIGNER``."""
    context.address = context.answers[ENTRY.owner.name] = SIGNER.address
    return SIGNER.address


def created(kind: str, **more: object) -> orders.Order:
    if kind == "request":
        given = {"app": THERE, "category": 1, "requester": SIGNER.address, "volume": 3, **more}
        return orders.create_requestorder(**given, result_proxy="https://x")  # type: ignore[arg-type]
    category = {"category": 1} if kind == "workerpool" else {}
    given = {kind: THERE, "volume": 3, **category, **more}
    found: orders.Order = getattr(orders, f"create_{kind}order")(**given)
    return found


def signed(kind: str, context: Context) -> orders.SignedOrder:
    return orders.sign_order(created(kind), SIGNER, context.domain)


ALL = [*KINDS, "request"]


@pytest.mark.parametrize("kind", ALL)
def test_cancel(context: Context, owner: str, kind: str) -> None:
    order = signed(kind, context)
    cancel = getattr(Orders(context), f"cancel_{kind}order")  # type: ignore[arg-type]
    found = cancel(order, new=True)
    assert (found.order, found.tx_hash) == (order, ONE)
    name = f"{kind.capitalize()}Order"
    order_hash = orders.order_hash(order, context.domain)
    ((operation, arguments, to, data, more),) = context.sent
    assert (operation, arguments, to) == (f"cancel{name}", {"orderHash": order_hash}, HUB_ADDRESS)
    assert data[:4] == getattr(HUB, f"manage{name}").selector
    event = getattr(EVENTS, f"Closed{name}")
    assert more == {"expect": [(event, HUB_ADDRESS)], "new": True}
    assert cancel(order.to_dict()).order == order
    assert context.sent[-1][4]["new"] is False
    context.answers[HUB.viewConsumed.name] = 2
    cancel(order)
    context.answers[HUB.viewConsumed.name] = 3
    with pytest.raises(StateError) as caught:
        cancel(order)
    assert caught.value.message == f"{kind}order already canceled"
    assert caught.value.details == {"orderHash": order_hash}


@pytest.mark.parametrize("kind", ALL)
def test_only_the_owner_cancels(context: Context, owner: str, kind: str) -> None:
    context.address = OTHER
    with pytest.raises(StateError) as caught:
        getattr(Orders(context), f"cancel_{kind}order")(signed(kind, context))  # type: ignore[arg-type]
    text = f"only {owner} can cancel this {kind}order: it is the owner"
    assert (caught.value.message, context.sent) == (text, [])


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_owner_signs(context: Context, owner: str, kind: str) -> None:
    library = Orders(context)  # type: ignore[arg-type]
    checks = {} if kind == "workerpool" else {"preflight_check": False}
    context.signer = SIGNER  # type: ignore[attr-defined]
    found = getattr(library, f"sign_{kind}order")(created(kind), **checks)
    orders.verify_order(found, context.domain, owner)
    context.answers[ENTRY.owner.name] = OTHER
    with pytest.raises(SignatureError) as caught:
        getattr(library, f"sign_{kind}order")(created(kind), **checks)
    assert caught.value.message == "Invalid order signer, must be the resource owner"
    context.offline = True
    getattr(library, f"sign_{kind}order")(created(kind))  # nobody to ask


@pytest.mark.parametrize("kind", ["app", "dataset", "request"])
@pytest.mark.parametrize("name", ["sign_{}order", "sign_{}order_request"])
def test_what_could_not_be_worked_is_not_signed(
    context: Context, owner: str, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    context.signer, checked = SIGNER, []  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "iexec_lite.sdk.request.check_order", lambda _, order: checked.append(order.name)
    )
    sign = getattr(Orders(context), name.format(kind))  # type: ignore[arg-type]
    sign(created(kind))
    assert checked == [f"{kind}order"]
    sign(created(kind), preflight_check=False)
    if kind == "request":
        sign(created(kind), check_request=False)
    context.offline = True
    sign(created(kind))
    assert len(checked) == 1


def test_tags_that_the_network_demands(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    context.chain = Context(rules=V9).chain
    library = Orders(context)  # type: ignore[arg-type]
    assert library.create_apporder(THERE).tag[-1:] == "9"
    library.create_apporder(THERE, tag=["tdx", "tee"])
    library.create_apporder(THERE, tag_as_given=True)
    context.chain = Context(rules=V6).chain
    assert library.create_apporder(THERE).tag[-1:] == "0"
    told = [record.getMessage() for record in caplog.records]
    assert told == ["tag tee,tdx: test demands it of every order"]


@pytest.mark.parametrize("kind", ALL)
def test_signing_elsewhere(context: Context, owner: str, kind: str) -> None:
    library = Orders(context)  # type: ignore[arg-type]
    checks = {} if kind == "workerpool" else {"preflight_check": False}
    order = created(kind)
    ask = getattr(library, f"sign_{kind}order_request")
    asked = ask(order, **checks)
    assert (asked.address, asked.chain_id) == (owner, 4242)
    assert asked.summary.startswith(f"{kind.capitalize()}Order for 'iExecODB'")
    if kind == "request":
        return
    assert ask(order, address=owner, **checks).address == owner
    with pytest.raises(StateError) as caught:
        ask(order, address=OTHER, **checks)
    assert caught.value.message == (
        f"Invalid order signer, must be the resource owner (expected {owner}, got {OTHER})"
    )
    context.offline = True
    assert ask(order, address=OTHER, **checks).address == OTHER
    context.address = NEW
    assert ask(order, **checks).address == NEW  # nobody says who owns it


def test_an_order_signed_elsewhere_comes_back(context: Context, owner: str) -> None:
    library = Orders(context)  # type: ignore[arg-type]
    signed = library.sign_workerpoolorder_request(created("workerpool")).sign(SIGNER)
    for given in (signed, signed.to_dict()):
        found = library.import_signed_order(given)
        orders.verify_order(found, context.domain, owner)
        assert found.volume == 3


def test_orders_are_made(context: Context) -> None:
    context.chain = Context(result_proxy="https://x").chain
    context.address = OTHER
    library = Orders(context)  # type: ignore[arg-type]
    found: list[Any] = [
        library.create_apporder(THERE, appprice="1 RLC"),
        library.create_datasetorder(THERE, datasetprice=2),
        library.create_workerpoolorder(THERE, 3, workerpoolprice=4, trust=5),
        library.create_requestorder(THERE, 3, appmaxprice=6),
    ]
    assert [type(order).name for order in found] == [f"{kind}order" for kind in ALL]
    assert [order.volume for order in found] == [1, 1, 1, 1]
    app, dataset, pool, request = found
    assert (app.app, app.appprice) == (THERE, 10**9)
    assert (dataset.dataset, dataset.datasetprice) == (THERE, 2)
    assert (pool.workerpool, pool.category, pool.workerpoolprice, pool.trust) == (THERE, 3, 4, 5)
    assert (request.app, request.category, request.appmaxprice) == (THERE, 3, 6)
    assert (request.requester, request.beneficiary) == (OTHER, OTHER)
    assert library.create_requestorder(THERE, 3, requester=ME).requester == ME
    assert "iexec_result_storage_proxy" in request.params
    assert "https://x" in request.params


@pytest.mark.parametrize("kind", ALL)
def test_hash(context: Context, kind: str) -> None:
    order = signed(kind, context)
    digest = getattr(Orders(context), f"hash_{kind}order")  # type: ignore[arg-type]
    wanted = orders.order_hash(order, context.domain)
    assert digest(order) == wanted
    assert digest({key: value for key, value in order.to_dict().items() if key != "sign"}) == wanted
    with pytest.raises(ValidationError, match=r"^sign: "):
        digest({**order.to_dict(), "sign": "me"})


def test_records_of_the_marketplace() -> None:
    order = orders.sign_order(created("app"), SIGNER, Context().domain)
    found = PublishedOrder(
        order_hash=ONE,
        chain_id=1,
        order=order,
        remaining=2,
        status="open",
        publication_timestamp="x",
        signer=ME,
    )
    shown = found.to_dict()
    assert shown["order"]["volume"] == 3  # type: ignore[index]
    assert "bulk" not in shown
