"""Today's networks on real contracts (PoCo 6) and services: what V6 did not have."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    MatchError,
    ObjectNotFoundError,
    SmsCallError,
    StateError,
    ValidationError,
    Web3ProviderSendError,
)
from iexec_lite.eth.codec import from_hex
from iexec_lite.protocol.archive import read_member
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.deployment import DIAMOND
from iexec_lite.protocol.matching import OrderSet
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.buying import matches_on_deposit
from iexec_lite.utils import DATASET_INFINITE_VOLUME

from .conftest import Buy, Client

ADDRESSES = accounts.addresses()
ME, OTHER = ADDRESSES["requester"], ADDRESSES["beneficiary"]
NOBODY = "0x" + "77" * 20
PRICE = 1000  # nRLC, of app and pool in `buy`


@pytest.fixture
def orders(today: Sandbox, buy: Buy) -> Callable[..., dict[str, Any]]:
    """``orders(…)``: four signed orders, and the stakes for them taken back by the requester."""

    def make(**options: Any) -> dict[str, Any]:
        found: dict[str, Any] = buy(today, token=False, match=False, **options)
        return found

    return make


def emptied(iexec: IExec) -> None:
    """The whole stake back in the wallet."""
    stake = iexec.account.check_balance(iexec.wallet.get_address()).stake
    if stake:
        iexec.account.withdraw(stake)


# --- the account ----------------------------------------------------------------------------------


@pytest.mark.witness("calldata: allowance of stakes", by="contracts")
def test_allowance(today: Sandbox, client: Client) -> None:
    me, other = client(today, "requester"), client(today, "beneficiary")
    me.account.deposit(100)
    assert me.account.check_allowance(ME, OTHER) == 0
    tx_hash = me.account.approve("60 nRLC", OTHER)
    assert today.node.rpc.request("eth_getTransactionReceipt", (tx_hash,))["status"] == "0x1"
    assert other.account.check_allowance(ME, OTHER) == 60
    # The spender can really take it, and no more.
    other._context.send("take", {}, str(today.chain.hub), HUB.transferFrom.encode(ME, OTHER, 25))
    assert other.account.check_balance(OTHER).stake == 25
    assert me.account.check_allowance(ME, OTHER) == 35
    assert me.account.approve(5, OTHER) != tx_hash
    assert me.account.check_allowance(ME, OTHER) == 5
    me.account.revoke_approval(OTHER)
    assert me.account.check_allowance(ME, OTHER) == 0


@pytest.mark.parametrize(("amount", "spender"), [(0, OTHER), (-1, OTHER), (1, "0x" + "00" * 20)])
def test_approvals_of_nothing(today: Sandbox, client: Client, amount: int, spender: str) -> None:
    account = client(today, "requester").account
    with pytest.raises(ValidationError):
        account.approve(amount, spender)


def test_bad_spenders(today: Sandbox, client: Client) -> None:
    account = client(today, "requester").account
    with pytest.raises(ValidationError, match="spender"):
        account.revoke_approval("0x1")
    with pytest.raises(ValidationError, match="owner"):
        account.check_allowance("nobody", OTHER)


# --- assets ---------------------------------------------------------------------------------------

CHECKSUM = "0x" + "11" * 32
CONTENT: dict[str, dict[str, str]] = {
    "app": {"name": "a", "type": "DOCKER", "multiaddr": SAMPLE_IMAGE, "checksum": CHECKSUM},
    "dataset": {"name": "d", "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"},
    "workerpool": {"description": "p"},
}
CONTENT["dataset"]["checksum"] = CHECKSUM


@pytest.mark.parametrize("kind", CONTENT)
@pytest.mark.witness("calldata: transfer of apps, datasets, workerpools", by="contracts")
def test_predicted_deployed_handed_over(today: Sandbox, client: Client, kind: str) -> None:
    mine = getattr(client(today, "requester"), kind)
    theirs = getattr(client(today, "beneficiary"), kind)
    asset = {"owner": ME, **CONTENT[kind]}
    predict, deployed = f"predict_{kind}_address", f"check_deployed_{kind}"
    where = getattr(mine, predict)(asset)
    assert getattr(mine, deployed)(where) is False
    assert getattr(mine, f"deploy_{kind}")(asset).address == where
    assert getattr(mine, deployed)(where) is True
    shown = getattr(mine, f"show_{kind}")(where)
    assert (shown.obj_address, shown.properties["owner"]) == (where, ME)
    assert shown.properties["registry"] == mine._context.registry(kind)

    transfer = f"transfer_{kind}"
    with pytest.raises(StateError, match=f"Only {kind} owner can transfer {kind} ownership"):
        getattr(theirs, transfer)(where, OTHER)
    moved = getattr(mine, transfer)(where, OTHER)
    assert moved.to_dict() == {"address": where, "to": OTHER, "txHash": moved.tx_hash}
    assert getattr(mine, f"show_{kind}")(where).properties["owner"] == OTHER
    with pytest.raises(ObjectNotFoundError, match=f"No {kind} found for id {NOBODY}"):
        getattr(theirs, transfer)(NOBODY, ME)
    with pytest.raises(ValidationError, match="zero address"):
        getattr(theirs, transfer)(where, "0x" + "00" * 20)
    with pytest.raises(Web3ProviderSendError):  # the hub is a contract that takes no ERC-721
        getattr(theirs, transfer)(where, str(today.chain.hub))
    with pytest.raises(ValidationError):
        getattr(mine, predict)({"owner": ME})
    with pytest.raises(ValidationError, match=kind):
        getattr(mine, deployed)("0x1")


@pytest.mark.witness("view: app, dataset, workerpool (PoCo 6)", by="contracts")
def test_all_of_a_resource_is_shown(today: Sandbox, client: Client) -> None:
    iexec = client(today, "requester")
    app = iexec.app.deploy_app({"owner": ME, **CONTENT["app"]}).address
    assert iexec.app.show_app(app).properties == {
        "appChecksum": CHECKSUM,
        "appMREnclave": "",
        "appMultiaddr": SAMPLE_IMAGE,
        "appName": "a",
        "appType": "DOCKER",
        "owner": ME,
        "registry": iexec._context.registry("app"),
    }
    pool = iexec.workerpool.deploy_workerpool({"owner": ME, "description": "p"}).address
    assert iexec.workerpool.show_workerpool(pool).properties["workerpoolDescription"] == "p"
    with pytest.raises(ObjectNotFoundError):
        iexec.app.show_app(pool)


def test_an_app_with_a_measurement(
    today: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It can be deployed, with a warning; its orders are refused before they are signed."""
    iexec = client(today, "requester")
    measured = {
        "provider": "SCONE",
        "version": "v5",
        "entrypoint": "x",
        "heapSize": 1,
        "fingerprint": "00",
    }
    with caplog.at_level(logging.WARNING, logger="iexec_lite"):
        app = iexec.app.deploy_app({"owner": ME, **CONTENT["app"], "mrenclave": measured}).address
    assert "an app with an mrenclave is not run on" in caplog.text
    order = iexec.order.create_apporder(app)
    with pytest.raises(StateError, match="has an MREnclave, which is no longer supported"):
        iexec.order.sign_apporder(order)
    assert iexec.order.sign_apporder(order, preflight_check=False).app == app


# --- secrets --------------------------------------------------------------------------------------


def test_secret_of_an_app(today: Sandbox, client: Client) -> None:
    mine, other = client(today, "requester"), client(today, "beneficiary")
    app = mine.app.deploy_app({"owner": ME, **CONTENT["app"]}).address
    assert other.app.check_app_secret_exists(app) is False
    with pytest.raises(StateError, match=f"Wallet {OTHER} is not allowed to set secret for {app}"):
        other.app.push_app_secret(app, "s3cret")
    with pytest.raises(ValidationError, match="1 to 4096"):
        mine.app.push_app_secret(app, "")
    request = mine.app.push_app_secret_request(app, "s3cret")
    assert other.app.push_app_secret(app, "s3cret", signature=request.sign(_key("requester")))
    assert client(today, "worker-1").app.check_app_secret_exists(app) is True
    with pytest.raises(StateError, match="already exists"):
        mine.app.push_app_secret(app, "another")
    with pytest.raises(ObjectNotFoundError):
        mine.app.push_app_secret_request(NOBODY, "s3cret")
    with pytest.raises(ValidationError):
        mine.app.check_app_secret_exists("0x1")


def _key(name: str) -> KeySigner:
    return accounts.signer(name)


def test_named_secrets_of_a_requester(today: Sandbox, client: Client) -> None:
    mine, other = client(today, "requester"), client(today, "beneficiary")
    assert mine.secrets.check_requester_secret_exists(ME, "login") is False
    assert mine.secrets.push_requester_secret("login", "s3cret").to_dict() == {"isPushed": True}
    assert other.secrets.check_requester_secret_exists(ME, "login") is True
    assert other.secrets.check_requester_secret_exists(OTHER, "login") is False
    with pytest.raises(StateError, match=f'Secret "login" already exists for {ME}'):
        mine.secrets.push_requester_secret("login", "s3cret")
    request = mine.secrets.push_requester_secret_request("x", "s3cret")
    signed = request.sign(_key("requester"))
    assert other.secrets.push_requester_secret("x", "s3cret", signature=signed).is_pushed
    for name in ("", "a b/c", "x" * 65, 5):
        for call in (
            lambda n: mine.secrets.push_requester_secret(n, "s"),
            lambda n: mine.secrets.push_requester_secret_request(n, "s"),
            lambda n: mine.secrets.check_requester_secret_exists(ME, n),
        ):
            with pytest.raises(ValidationError, match="is no name of a secret"):
                call(name)


def test_networks_of_v6_have_no_such_secrets(sandbox: Sandbox, client: Client) -> None:
    iexec = client(sandbox, "requester")
    for call in (
        lambda: iexec.secrets.push_requester_secret("a", "s"),
        lambda: iexec.secrets.check_requester_secret_exists(ME, "a"),
        lambda: iexec.app.push_app_secret(NOBODY, "s"),
        lambda: iexec.app.check_app_secret_exists(NOBODY),
    ):
        with pytest.raises(ConfigurationError, match="keeps no secrets of"):
            call()
    assert iexec.workerpool.get_workerpool_api_url(NOBODY) is None  # nor a compass


def test_storage_without_a_token(today: Sandbox, client: Client) -> None:
    storage = client(today, "requester").storage
    with pytest.raises(ValidationError, match="does not support authentication tokens"):
        storage.push_storage_token("t")
    assert storage.push_storage_token("t", "dropbox").is_pushed
    assert storage.check_storage_token_exists(ME, "dropbox") is True


# --- tags -----------------------------------------------------------------------------------------


def test_what_is_created_says_what_was_added(
    today: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    order = client(today, "requester").order
    with caplog.at_level(logging.INFO, logger="iexec_lite"):
        added = order.create_apporder(NOBODY, tag=["gpu"])
        whole = order.create_apporder(NOBODY, tag=["tee", "tdx"])
        given = order.create_apporder(NOBODY, tag_as_given=True)
    assert [int(each.tag, 16) for each in (added, whole, given)] == [0x109, 0x9, 0]
    assert caplog.messages == [f"tag tee,tdx,gpu: {today.chain.name} demands it of every order"]
    # Hand-made orders are signed as they are.
    signed = order.sign_requestorder(
        order.create_requestorder(NOBODY, 0, tag=["gpu"], tag_as_given=True),
        preflight_check=False,
    )
    assert int(signed.tag, 16) == 0x100


def test_the_union_of_tags_counts(
    today: Sandbox, client: Client, orders: Callable[..., Any]
) -> None:
    four = orders()
    plain = client(today, "requester").order
    bare = plain.create_requestorder(
        four["apporder"].app,
        0,
        tag_as_given=True,
        appmaxprice=PRICE,
        workerpoolmaxprice=PRICE,
    )
    four["requestorder"] = plain.sign_requestorder(bare, preflight_check=False)
    match = plain.match_orders(**four, preflight_check=False)  # the union counts
    deal = client(today, "requester").deal.show(match.dealid)
    assert int(deal.tag, 16) == 0x9
    assert deal.sponsor == ME  # who pays, also where nobody else does


# --- matching -------------------------------------------------------------------------------------


@pytest.mark.witness("calldata: sponsored match", by="contracts")
def test_a_sponsor_pays(today: Sandbox, client: Client, orders: Callable[..., Any]) -> None:
    four = orders()
    sponsor = client(today, "beneficiary")
    before = sponsor.account.check_balance(ME).stake
    with pytest.raises(MatchError, match="greater than sponsor account stake"):
        sponsor.order.sponsor_match_orders(**four)
    sponsor.account.deposit(2 * PRICE)
    match = sponsor.order.sponsor_match_orders(**four)
    deal = sponsor.deal.show(match.dealid)
    assert (deal.sponsor, deal.requester) == (OTHER, ME)
    assert deal.to_dict()["sponsor"] == OTHER
    assert sponsor.account.check_balance(ME).stake == before
    assert sponsor.account.check_balance(OTHER).stake == 0


def test_deposit_where_the_hub_cannot_do_both(
    today: Sandbox, client: Client, orders: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """PoCo 6.1 would ignore the orders that come with the money: two transactions."""
    four = orders()
    me = client(today, "requester")
    emptied(me)
    me.account.deposit(300)
    assert matches_on_deposit(me._context) is False
    with pytest.raises(MatchError, match="greater than requester account stake"):
        me.order.match_orders(**four)
    sends = _sent(today, ME)
    with caplog.at_level(logging.INFO, logger="iexec_lite"):
        match = me.order.match_orders(**four, deposit=True)
    assert f"depositing {2 * PRICE - 300} nRLC first" in caplog.text
    assert _sent(today, ME) == sends + 2
    assert me.account.check_balance(ME).to_dict() == {"stake": "0", "locked": str(2 * PRICE)}
    assert me.deal.show(match.dealid).requester == ME


def test_deposit_in_one_transaction(
    today: Sandbox, client: Client, orders: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A hub that carries out what comes with a deposit, as PoCo 6.2 does (sandbox6.md §8)."""
    _learn_to_match(today)
    four = orders()
    me = client(today, "requester")
    emptied(me)
    me.account.deposit(1)
    assert matches_on_deposit(me._context) is True
    with pytest.raises(StateError, match="sponsor_match_orders pays for somebody else"):
        client(today, "beneficiary").order.match_orders(**four, deposit=True)
    wallet, sends = me.wallet.check_balances(ME).nrlc, _sent(today, ME)
    with caplog.at_level(logging.INFO, logger="iexec_lite"):
        match = me.order.match_orders(**four, deposit=True)
    assert f"depositing {2 * PRICE - 1} nRLC and matching in one transaction" in caplog.text
    assert _sent(today, ME) == sends + 1
    assert me.wallet.check_balances(ME).nrlc == wallet - 2 * PRICE + 1
    assert me.account.check_balance(ME).to_dict() == {"stake": "0", "locked": str(2 * PRICE)}
    assert me.deal.show(match.dealid).requester == ME
    with pytest.raises(MatchError, match="fully consumed"):
        me.order.match_orders(**four, deposit=True, new=True)
    me.account.deposit(5)  # without orders it is what it was
    assert me.account.check_balance(ME).stake == 5


def test_deposit_of_what_the_wallet_has_not(
    today: Sandbox, client: Client, orders: Callable[..., Any]
) -> None:
    four = orders()
    me = client(today, "requester")
    emptied(me)
    me.wallet.send_rlc(me.wallet.check_balances(ME).nrlc - 10, OTHER)
    sends = _sent(today, ME)
    with pytest.raises(StateError, match="exceed wallet balance"):
        me.order.match_orders(**four, deposit=True)
    _learn_to_match(today)
    with (
        IExec(today.chain, accounts.signer("requester")) as again,
        pytest.raises(StateError, match="What is missing for the deal exceed wallet balance"),
    ):
        again.order.match_orders(**four, deposit=True)
    assert _sent(today, ME) == sends


def test_volume_as_the_hub_computes_it(today: Sandbox, orders: Callable[..., Any]) -> None:
    four = orders(volume=3)
    bundle = OrderSet(**{**four, "datasetorder": _no_dataset()})
    call = HUB.computeDealVolume.encode(*bundle)
    assert HUB.computeDealVolume.decode(today.node.rpc.call(str(today.chain.hub), call)) == 3


def _no_dataset() -> Any:
    from iexec_lite.protocol.orders import NULL_DATASETORDER

    return NULL_DATASETORDER


def _sent(sandbox: Sandbox, address: str) -> int:
    return int(sandbox.node.rpc.request("eth_getTransactionCount", (address, "latest")), 16)


def _learn_to_match(sandbox: Sandbox) -> None:
    """Replace ``receiveApproval`` of the hub: do as before, then carry out a ``matchOrders``.

    The contract of PoCo 6.2 is in no package, so this one is assembled here: it calls the old
    facet, then the hub itself with the data, and refuses other functions as 6.2 does.
    """
    hub, selector = str(sandbox.chain.hub), HUB.receiveApproval.selector
    rpc, admin = sandbox.node.rpc, accounts.signer("admin").address
    call = DIAMOND.facetAddress.encode(selector)
    old = str(DIAMOND.facetAddress.decode(rpc.call(hub, call)))

    def send(to: str | None, data: bytes) -> dict[str, Any]:
        fields = {"from": admin, "data": "0x" + data.hex(), "gas": hex(5_000_000)}
        if to:
            fields["to"] = to
        rpc.request("anvil_impersonateAccount", (admin,))
        tx_hash = rpc.request("eth_sendTransaction", (fields,))
        sandbox.node.mine()  # anvil may answer before the receipt is there
        found: dict[str, Any] = rpc.request("eth_getTransactionReceipt", (tx_hash,))
        assert found["status"] == "0x1"
        return found

    code = from_hex(
        "0x3660006000376000600036600073" + old[2:] + "5af4"  # the old facet with our calldata
        "15" "610084" "57"
        "606435600401" "8035" "8015" "610079" "57"  # where the data is, its length; none: done
        "81602001" "35" "60e01c" "80" "63156194d4" "14" "610060" "57"  # matchOrders?
        "63de6168e5" "60e01b" "600052" "60e01b" "600452" "6024" "6000" "fd"  # UnsupportedOperation
        "5b" "50" "80" "82602001" "6000" "37"  # the data …
        "6000" "6000" "82" "6000" "30" "5a" "f4" "15" "610084" "57"  # … to the hub itself
        "5b" "6001" "600052" "6020" "6000" "f3"
        "5b" "3d" "6000" "6000" "3e" "3d" "6000" "fd"
    )  # fmt: skip
    creation = b"\x61" + len(code).to_bytes(2, "big") + from_hex("0x80600c6000396000f3") + code
    facet = send(None, creation)["contractAddress"]
    cut = [(from_hex(facet), 1, (selector,))]  # 1: replace
    send(hub, DIAMOND.diamondCut.encode_raw(cut, b"\0" * 20, b""))


# --- datasets in bulk, and what is told of a task -------------------------------------------------


@pytest.fixture
def datasets(today: Sandbox, client: Client) -> list[Any]:
    """Three signed dataset orders that are free and endless, their keys in the SMS."""
    provider = client(today, "dataset-provider")
    owner = provider.wallet.get_address()
    found = []
    for number in range(3):
        key = provider.dataset.generate_encryption_key()
        encrypted = provider.dataset.encrypt(b"line one\nnumber %d" % number, key)
        dataset = provider.dataset.deploy_dataset(
            {
                "owner": owner,
                "name": f"data {number}",
                "multiaddr": f"/ipfs/{today.store.add_bytes(encrypted)}",
                "checksum": provider.dataset.compute_encrypted_file_checksum(encrypted),
            }
        ).address
        order = provider.order.create_datasetorder(dataset, volume=DATASET_INFINITE_VOLUME)
        if number == 0:
            with pytest.raises(StateError, match="encryption key is not set for dataset"):
                provider.order.sign_datasetorder(order)
        provider.dataset.push_dataset_secret(dataset, key)
        found.append(provider.order.sign_datasetorder(order))
    return found


def test_a_task_with_bulk_data_and_secrets(
    today: Sandbox, client: Client, orders: Callable[..., Any], datasets: list[Any]
) -> None:
    me, seller = client(today, "requester"), client(today, "app-provider")
    bulk = me.order.prepare_dataset_bulk(datasets, max_dataset_per_task=2, requester=ME)
    assert bulk.volume == 2
    assert set(bulk.to_dict()) == {"cid", "volume"}
    four = orders(volume=2)
    app = four["apporder"].app
    seller.app.push_app_secret(app, "of the app")
    me.secrets.push_requester_secret("login", "of mine")
    order = me.order.create_requestorder(
        app,
        0,
        volume=bulk.volume,
        appmaxprice=PRICE,
        workerpoolmaxprice=PRICE,
        params={"iexec_args": "Alice", "bulk_cid": bulk.cid, "iexec_secrets": {"1": "login"}},
    )
    four["requestorder"] = me.order.sign_requestorder(order)
    match = me.order.match_orders(**four)
    assert match.volume == 2
    while today.worker.run_once():
        pass
    texts = [_result(me, taskid) for taskid in match.taskids.values()]
    assert [text.count("begins with 'line one'") for text in texts] == [2, 1]
    for text in texts:
        assert "Hello, Alice!" in text
        assert "IEXEC_REQUESTER_SECRET_1: 7 characters" in text
        assert "IEXEC_APP_DEVELOPER_SECRET: 10 characters" in text
    _told(today, me, client(today, "beneficiary"), match.taskids[0], four["workerpoolorder"])


def _result(iexec: IExec, taskid: str) -> str:
    import io

    assert iexec.task.show(taskid).status_name == "COMPLETED"
    archive = iexec.task.fetch_results(taskid).read()
    return read_member(io.BytesIO(archive), "result.txt", 1 << 20).decode()


def _told(sandbox: Sandbox, me: IExec, other: IExec, taskid: str, poolorder: Any) -> None:
    """What the workerpool tells of the task, to whom."""
    url = me.workerpool.get_workerpool_api_url(poolorder.workerpool)
    assert url == sandbox.server.url
    info = other.task.fetch_offchain_info(taskid)
    assert info.status == "COMPLETED"
    assert info.status_history[0].status == "RECEIVED"
    assert "T" in info.status_history[0].date
    (replicate,) = info.replicates
    assert replicate.worker in ADDRESSES.values()
    assert set(info.to_dict()) == {"task", "replicates"}
    logs = me.task.fetch_logs(taskid)
    assert [each.worker for each in logs] == [replicate.worker]
    assert "wrote result.txt" in logs[0].stdout
    assert set(logs[0].to_dict()) == {"worker", "stdout", "stderr"}
    signed = other.task.logs_challenge(taskid).sign(_key("requester"))
    assert other.task.fetch_logs(taskid, authorization=signed) == logs
    with pytest.raises(StateError, match=f"Only task requester {ME} can access replicates logs"):
        other.task.fetch_logs(taskid)
    unknown = "0x" + "ab" * 32
    for call in (me.task.fetch_logs, me.task.logs_challenge, me.task.fetch_offchain_info):
        with pytest.raises(ObjectNotFoundError, match="No task found"):
            call(unknown)
    with pytest.raises(ValidationError):
        me.workerpool.get_workerpool_api_url("0x1")


def test_what_workers_would_pass_over_is_told_before_anything_is_uploaded(
    today: Sandbox, client: Client, datasets: list[Any]
) -> None:
    me, provider = client(today, "requester"), client(today, "dataset-provider")
    first, second, third = datasets
    bad = [
        {**first.to_dict(), "sign": second.sign},  # of another order
        {**second.to_dict(), "dataset": NOBODY},
        third,
    ]
    restricted = provider.order.create_datasetorder(
        first.dataset, volume=DATASET_INFINITE_VOLUME, apprestrict=NOBODY
    )
    stored = list(today.store.folder.iterdir())
    provider.order.cancel_datasetorder(third)
    with pytest.raises(ValidationError) as caught:
        me.order.prepare_dataset_bulk(bad)
    owner = ADDRESSES["dataset-provider"]
    assert caught.value.errors == (
        f"[0].sign is not of {owner}, the owner of the dataset",
        f"[1].dataset {NOBODY} is not deployed",
        "[2].volume is used up, or the order was cancelled",
    )
    with pytest.raises(ValidationError, match=rf"\[0\].apprestrict is {NOBODY}, not {OTHER}"):
        me.order.prepare_dataset_bulk([provider.order.sign_datasetorder(restricted)], app=OTHER)
    keyless = provider.dataset.deploy_dataset(
        {"owner": owner, **CONTENT["dataset"], "name": "no key"}
    ).address
    order = provider.order.sign_datasetorder(
        provider.order.create_datasetorder(keyless, volume=DATASET_INFINITE_VOLUME),
        preflight_check=False,
    )
    with pytest.raises(ValidationError, match=r"\[0\].dataset: the encryption key of"):
        me.order.prepare_dataset_bulk([order])
    assert list(today.store.folder.iterdir()) == stored
    assert me.order.prepare_dataset_bulk([order], preflight_check=False).volume == 1
    assert len(list(today.store.folder.iterdir())) == len(stored) + 2


def test_services_that_fail(today: Sandbox, client: Client) -> None:
    """Nobody at the URL, in the words of who was asked."""
    me = client(
        today,
        "requester",
        sms_url="http://127.0.0.1:1",
        compass_url="http://127.0.0.1:1",
        timeout=2.0,
    )
    with pytest.raises(SmsCallError, match="SMS didn't answer"):
        me.secrets.check_requester_secret_exists(ME, "a")
    with pytest.raises(IExecError, match="Compass didn't answer"):
        me.workerpool.get_workerpool_api_url(NOBODY)
