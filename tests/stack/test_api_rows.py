"""Public methods one by one on the real sandbox: each works once, and is refused once.

What the other files of this folder show of their own subject is not repeated; ``api_coverage.py``
says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, utils
from iexec_lite.errors import (
    ApiCallError,
    ConfigurationError,
    DecryptionError,
    IExecError,
    MarketCallError,
    ObjectNotFoundError,
    ResultProxyCallError,
    SignatureError,
    SmsCallError,
    StateError,
    TransportError,
    ValidationError,
)
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.protocol import archive
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

PEOPLE = accounts.addresses()
OWNERS = {
    "apporder": "app-provider",
    "datasetorder": "dataset-provider",
    "workerpoolorder": "workerpool-owner",
    "requestorder": "requester",
}
RESOURCES = {"apporder": "app", "datasetorder": "dataset", "workerpoolorder": "workerpool"}
PRICE, VOLUME = 1000, 3
NOTHING, NOBODY = "0x" + "ab" * 32, "0x" + "0b" * 20


@dataclass
class Shop:
    """People, what they own, and what they sign."""

    sandbox: Sandbox
    client: Callable[..., IExec]
    goods: dict[str, str]

    def api(self, who: str) -> IExec:
        return self.client(self.sandbox, OWNERS.get(who, who))

    def order(self, kind: str, **changes: Any) -> Any:
        app, dataset, pool = (self.goods[name] for name in ("app", "dataset", "workerpool"))
        prices = ("appmaxprice", "datasetmaxprice", "workerpoolmaxprice")
        fields: dict[str, Any] = {
            "apporder": {"app": app, "appprice": PRICE},
            "datasetorder": {"dataset": dataset, "datasetprice": PRICE},
            "workerpoolorder": {"workerpool": pool, "workerpoolprice": PRICE, "category": 0},
            "requestorder": {"app": app, "dataset": dataset, "category": 0}
            | dict.fromkeys(prices, PRICE),
        }[kind]
        fields |= {"volume": VOLUME, "tag": ["gpu"], **changes}
        return getattr(self.api(kind).order, f"create_{kind}")(**fields)

    def sign(self, kind: str, **changes: Any) -> Any:
        sign = getattr(self.api(kind).order, f"sign_{kind}")
        return sign(self.order(kind, **changes), **unchecked(kind))

    def publish(self, kind: str, order: Any = None, **changes: Any) -> str:
        publish = getattr(self.api(kind).order, f"publish_{kind}")
        return str(publish(order or self.sign(kind, **changes), **unchecked(kind)))


def unchecked(kind: str) -> dict[str, Any]:
    """Without a look at the secrets of the request."""
    return {"check_request": False} if kind == "requestorder" else {}


@pytest.fixture
def shop(sandbox: Sandbox, client: Callable[..., IExec]) -> Shop:
    goods = {}
    for kind in ("app", "dataset"):
        name = f"{kind}-provider"
        entry = {"owner": PEOPLE[name], "name": "x", "checksum": NOTHING, "multiaddr": "/ipfs/Qm"}
        if kind == "app":
            entry |= {"type": "DOCKER", "multiaddr": "docker.io/x:1"}
        api = getattr(client(sandbox, name), kind)
        goods[kind] = getattr(api, f"deploy_{kind}")(entry).address
    owner = {"owner": PEOPLE["workerpool-owner"], "description": "x"}
    pool = client(sandbox, "workerpool-owner").workerpool.deploy_workerpool(owner)
    client(sandbox, "requester").account.deposit(9 * PRICE * VOLUME)
    client(sandbox, "workerpool-owner").account.deposit(3 * PRICE * VOLUME)
    return Shop(sandbox, client, {**goods, "workerpool": pool.address})


@pytest.fixture
def four(shop: Shop) -> dict[str, Any]:
    """Four signed orders that match."""
    return {kind: shop.sign(kind) for kind in OWNERS}


# --- the marketplace ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OWNERS)
def test_published_and_taken_back(shop: Shop, kind: str) -> None:
    if kind == "requestorder":  # nobody may ask for what is not offered
        shop.publish("apporder")
        shop.publish("datasetorder")
    order, api, book = shop.sign(kind), shop.api(kind).order, shop.api("beneficiary").orderbook
    order_hash = getattr(api, f"hash_{kind}")(order)
    fetch = getattr(book, f"fetch_{kind}")
    with pytest.raises(MarketCallError, match=f"{kind} not found"):
        fetch(order_hash)
    stranger = getattr(shop.api("beneficiary").order, f"publish_{kind}")
    with pytest.raises(SignatureError, match="can publish an order"):
        stranger(order, **unchecked(kind))
    assert shop.publish(kind, order) == order_hash
    found = fetch(order_hash)
    assert (found.order, found.status, found.remaining) == (order, "open", VOLUME)
    with pytest.raises(MarketCallError, match="already published"):
        shop.publish(kind, order)

    unpublish = getattr(api, f"unpublish_{kind}")
    assert unpublish(order_hash) == order_hash
    with pytest.raises(MarketCallError, match="is not published"):
        unpublish(order_hash)
    own = [shop.goods[RESOURCES[kind]]] if kind in RESOURCES else []
    last, every = getattr(api, f"unpublish_last_{kind}"), getattr(api, f"unpublish_all_{kind}s")
    made = [shop.publish(kind) for _ in range(3)]
    assert last(*own) == made[2]
    assert sorted(every(*own)) == sorted(made[:2])
    for call in (last, every):
        with pytest.raises(MarketCallError, match="no open"):
            call(*own)


def test_order_books_with_every_filter(shop: Shop) -> None:
    hashes = {kind: shop.publish(kind) for kind in OWNERS}
    book, goods = shop.api("beneficiary").orderbook, shop.goods
    tags: dict[str, Any] = {"min_tag": ["gpu"], "max_tag": ["gpu", "tee"], "min_volume": VOLUME}
    requester = {"requester": PEOPLE["requester"]}
    books: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "apporder": (
            book.fetch_app_orderbook,
            {"app": goods["app"], "dataset": goods["dataset"]}
            | {"workerpool": goods["workerpool"], **requester, **tags},
        ),
        "datasetorder": (
            book.fetch_dataset_orderbook,
            {"dataset": goods["dataset"], "app": goods["app"]}
            | {"workerpool": goods["workerpool"], **requester, **tags},
        ),
        "workerpoolorder": (
            book.fetch_workerpool_orderbook,
            {**goods, "workerpool_owner": PEOPLE["workerpool-owner"], "category": 0}
            | {"min_trust": 0, **requester, **tags},
        ),
        "requestorder": (
            book.fetch_request_orderbook,
            {**goods, "beneficiary": PEOPLE["requester"], "category": 0}
            | {"max_trust": 0, **requester, **tags},
        ),
    }
    other: dict[str, Any] = {"category": 1, "min_volume": VOLUME + 1, "max_tag": []}
    for kind, (fetch, filters) in books.items():
        page = fetch(**filters)
        assert [each.order_hash for each in page] == [hashes[kind]]
        assert (page.count, page.next()) == (1, None)
        for name in filters.keys() & other.keys():
            assert fetch(**{**filters, name: other[name]}).count == 0, name
        with pytest.raises(ValidationError, match="minVolume"):
            fetch(**{**filters, "min_volume": -1})


def test_deals_of_orders_and_requesters(shop: Shop, four: dict[str, Any]) -> None:
    match = shop.api("requester").order.match_orders(**four, check_request=False)
    deals = shop.api("beneficiary").deal
    for kind, order in four.items():
        fetch = getattr(deals, f"fetch_deals_by_{kind}")
        order_hash = getattr(shop.api(kind).order, f"hash_{kind}")(order)
        assert [each.dealid for each in fetch(order_hash)] == [match.dealid]
        assert fetch(NOTHING).count == 0
        with pytest.raises(ValidationError):
            fetch("0x12")
    addresses = {f"{kind}_address": address for kind, address in shop.goods.items()}
    page = deals.fetch_requester_deals(PEOPLE["requester"], **addresses)
    assert [each.dealid for each in page.deals] == [match.dealid]
    for name in addresses:
        wrong = {**addresses, name: NOBODY}
        assert deals.fetch_requester_deals(PEOPLE["requester"], **wrong).count == 0
    with pytest.raises(ValidationError):
        deals.fetch_requester_deals("0x12")
    assert deals.compute_task_id(match.dealid, 0) == match.taskids[0]
    with pytest.raises(ValidationError):
        deals.compute_task_id(match.dealid, -1)
    with pytest.raises(ObjectNotFoundError):
        shop.api("requester").task.show(match.taskids[0])  # no worker has begun it


# --- signed elsewhere -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OWNERS)
def test_an_order_signed_elsewhere(shop: Shop, kind: str) -> None:
    """The owner's key never meets the client that publishes."""
    clerk, key = shop.api("beneficiary").order, accounts.signer(OWNERS[kind])
    order = shop.order(kind)
    request = getattr(clerk, f"sign_{kind}_request")(order, **unchecked(kind))
    assert request.address == PEOPLE[OWNERS[kind]]
    document = request.sign(key).to_dict()
    signed = clerk.import_signed_order(document)
    assert getattr(clerk, f"hash_{kind}")(signed.to_dict()) == to_hex(request.digest)
    if kind == "requestorder":
        shop.publish("apporder")
        shop.publish("datasetorder")
    publish = getattr(clerk, f"publish_{kind}")
    asked = clerk.publish_challenge(PEOPLE[OWNERS[kind]])
    assert clerk.publish_challenge(order=signed) == asked  # which serves once, and is not used yet
    challenge = asked.sign(key).to_dict()
    assert publish(signed, authorization=challenge, **unchecked(kind)) == to_hex(request.digest)
    with pytest.raises(IExecError):
        getattr(clerk, f"sign_{kind}_request")({**order.to_dict(), "volume": "-1"})
    with pytest.raises(SignatureError):
        clerk.import_signed_order({**document, "signature": "0x" + "11" * 65})
    with pytest.raises(ValidationError):
        getattr(clerk, f"hash_{kind}")({})
    with pytest.raises(ValidationError):
        clerk.publish_challenge("0x12")


@pytest.mark.parametrize("kind", OWNERS)
def test_orders_that_cannot_be(shop: Shop, kind: str) -> None:
    api = shop.api(kind).order
    with pytest.raises(ValidationError, match="volume"):
        shop.order(kind, volume="many")
    if kind in RESOURCES:
        with pytest.raises(StateError, match="must be the resource owner"):
            getattr(api, f"sign_{kind}_request")(shop.order(kind), address=NOBODY)


# --- secrets and storage --------------------------------------------------------------------------


def test_secret_of_a_dataset(shop: Shop, tmp_path: Path) -> None:
    owner, other = shop.api("dataset-provider").dataset, shop.api("requester").dataset
    dataset, key = shop.goods["dataset"], owner.generate_encryption_key()
    assert other.check_dataset_secret_exists(dataset) is False
    with pytest.raises(StateError, match="not allowed"):
        other.push_dataset_secret(dataset, key)
    with pytest.raises(ObjectNotFoundError):
        other.push_dataset_secret_request(NOBODY, key)
    signed = other.push_dataset_secret_request(dataset, key).sign(
        accounts.signer("dataset-provider")
    )
    assert other.push_dataset_secret(dataset, key, signature=signed) is True
    assert other.check_dataset_secret_exists(dataset) is True
    assert shop.sandbox.sms.dataset_key(dataset) == key
    with pytest.raises(StateError, match="already exists"):
        owner.push_dataset_secret(dataset, key)
    with pytest.raises(ValidationError):
        owner.check_dataset_secret_exists("0x12")

    plain = tmp_path / "plain"
    plain.write_bytes(b"the data")
    checksum = owner.encrypt_file(plain, tmp_path / "encrypted", key)
    assert owner.compute_encrypted_file_checksum(tmp_path / "encrypted") == checksum
    for call in (
        lambda: owner.encrypt(b"the data", "short"),
        lambda: owner.encrypt_file(plain, tmp_path / "again", "short"),
        lambda: owner.compute_encrypted_file_checksum(7),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValidationError):
            call()


def test_result_key(shop: Shop) -> None:
    mine, clerk, who = shop.api("requester").result, shop.api("worker-1").result, PEOPLE
    public = rsa_generate(2048)[1]
    exists = clerk.check_result_encryption_key_exists
    assert exists(who["requester"]) is False
    pushed = mine.push_result_encryption_key(public)
    assert (pushed.is_pushed, pushed.is_updated) == (True, False)
    assert exists(who["requester"]) is True
    with pytest.raises(StateError, match="already exists"):
        mine.push_result_encryption_key(public)
    request = clerk.push_result_encryption_key_request(public, address=who["requester"])
    signed = request.sign(accounts.signer("requester")).to_dict()
    pushed = clerk.push_result_encryption_key(public, force_update=True, signature=signed)
    assert (pushed.is_pushed, pushed.is_updated) == (True, True)
    with pytest.raises(ValidationError, match="PEM"):
        clerk.push_result_encryption_key_request("no key")
    with pytest.raises(ValidationError):
        exists("0x12")


def test_storage(shop: Shop) -> None:
    mine, clerk, who = shop.api("requester").storage, shop.api("worker-1").storage, PEOPLE
    challenge = clerk.login_challenge(address=who["requester"])
    token = clerk.default_storage_login(
        authorization=challenge.sign(accounts.signer("requester")).to_dict()
    )
    assert token == mine.default_storage_login()
    assert clerk.check_storage_token_exists(who["requester"]) is False
    assert mine.push_storage_token(token).is_updated is False
    assert clerk.check_storage_token_exists(who["requester"]) is True
    with pytest.raises(StateError, match="already exists"):
        mine.push_storage_token(token)
    request = clerk.push_storage_token_request(token, address=who["requester"])
    signed = request.sign(accounts.signer("requester"))
    assert clerk.push_storage_token(token, force_update=True, signature=signed).is_updated is True
    with pytest.raises(ValidationError):
        clerk.check_storage_token_exists(who["requester"], provider="floppy")
    with pytest.raises(ValidationError):
        clerk.push_storage_token_request("")


def test_services_that_are_gone(shop: Shop) -> None:
    """In the middle of it all nobody answers: said so, by the name of who it was."""
    gone = {"sms_url": "sms", "result_proxy_url": "result", "iexec_gateway_url": "market"}
    urls = {name: f"http://127.0.0.1:1/{path}" for name, path in gone.items()}
    api = shop.client(shop.sandbox, "requester", **urls)
    with pytest.raises(SmsCallError, match="didn't answer"):
        api.dataset.check_dataset_secret_exists(shop.goods["dataset"])
    for call in (api.storage.login_challenge, api.storage.default_storage_login):
        with pytest.raises(ResultProxyCallError, match="Failed to get authorization"):
            call()
    with pytest.raises(ApiCallError, match="Failed to get authorization"):
        api.order.publish_challenge()
    with pytest.raises(MarketCallError):
        api.orderbook.fetch_workerpool_orderbook()


# --- the chain ------------------------------------------------------------------------------------


def test_nobody_and_nowhere(shop: Shop) -> None:
    """Without a signer there is no address; a node that is not there knows no network."""
    with IExec(shop.sandbox.chain) as reader:
        assert reader.wallet.check_balances(PEOPLE["requester"]).nrlc > 0
        with pytest.raises(ConfigurationError):
            reader.wallet.get_address()
        for kind in ("app", "dataset", "workerpool"):
            count = getattr(getattr(reader, kind), f"count_user_{kind}s")
            assert count(NOBODY) == 0
            with pytest.raises(ValidationError):
                count("0x12")
        with pytest.raises(ValidationError):
            reader.wallet.check_balances("0x12")
    with IExec("http://127.0.0.1:1") as lost:
        for call in (
            lost.network.get_network,
            lost.network.get_block_time,
            lost.network.get_contracts,
            lost.hub.get_hub_address,
            lost.hub.get_timeout_ratio,
            lambda: lost.hub.longest(0),
        ):
            with pytest.raises(TransportError):
                call()


def test_block_time(shop: Shop) -> None:
    node = shop.sandbox.node.rpc
    assert shop.api("requester").network.get_block_time() == int(node.block()["timestamp"], 16)


def test_longest(shop: Shop) -> None:
    hub = shop.api("requester").hub
    category = hub.show_category(1)
    assert hub.longest(1) == hub.get_timeout_ratio() * category.workClockTimeRef


# --- utils ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "good", "value", "bad"),
    [
        ("parse_rlc", ["0.5 RLC"], 500_000_000, ["0.5 nRLC"]),
        ("parse_eth", ["2", "gwei"], 2_000_000_000, ["-2"]),
        ("format_rlc", [1_500_000_000], "1.5", ["x"]),
        ("format_eth", [10**16], "0.01", ["x"]),
        ("encode_tag", [["gpu"]], f"0x{1 << 8:064x}", [["cat"]]),
        ("decode_tag", [f"0x{1:064x}"], ["tee"], ["0x12"]),
        ("sum_tags", [[f"0x{1:064x}", f"0x{1 << 8:064x}"]], f"0x{257:064x}", [["0x12"]]),
    ],
)
def test_utils(name: str, good: list[Any], value: object, bad: list[Any]) -> None:
    assert getattr(utils, name)(*good) == value
    with pytest.raises(ValidationError):
        getattr(utils, name)(*bad)


def test_a_signer_with_its_node(sandbox: Sandbox) -> None:
    key = to_hex(accounts.secret("requester"))
    with IExec(utils.get_signer_from_private_key(sandbox.node.url, key)) as iexec:
        assert iexec.wallet.get_address() == PEOPLE["requester"]
        assert iexec.network.get_network().chain_id == sandbox.chain.id
    with pytest.raises(ValidationError):
        utils.get_signer_from_private_key(sandbox.node.url, key[:-2])


def test_results_that_do_not_open(tmp_path: Path) -> None:
    private, public = rsa_generate(2048)
    other = rsa_generate(2048)[0]
    closed = archive.encrypt_result(b"PK inner", public)
    assert utils.decrypt_result(closed, private) == b"PK inner"
    with pytest.raises(DecryptionError):
        utils.decrypt_result(closed, other)
    (tmp_path / "closed.zip").write_bytes(closed)
    with pytest.raises(DecryptionError):
        utils.decrypt_result_file(tmp_path / "closed.zip", tmp_path / "open.zip", other)
    assert not (tmp_path / "open.zip").exists()
