"""Apps, datasets, workerpools and categories on the real contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import ObjectNotFoundError, StateError, ValidationError
from iexec_lite.protocol import multiaddr
from iexec_lite.protocol.contracts import REGISTRY, Method
from iexec_lite.protocol.objects import App, Category, Dataset, Workerpool
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

Client = Callable[..., IExec]
CID = "QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"
MRENCLAVE = (
    '{"provider":"SCONE","version":"v5","entrypoint":"python /app/app.py",'
    '"heapSize":1073741824,"fingerprint":"' + "0a" * 32 + '"}'
)
KINDS = ("app", "dataset", "workerpool")


def description(kind: str, owner: str, name: str = "one") -> dict[str, object]:
    if kind == "workerpool":
        return {"owner": owner, "description": f"{name} — piscine à ouvriers"}
    found: dict[str, object] = {
        "owner": owner,
        "name": f"{name} ☂",
        "multiaddr": f"/ipfs/{CID}" if kind == "dataset" else "docker.io/user/app:1.0",
        "checksum": "0x" + "ab" * 32,
    }
    if kind == "app":
        found |= {"type": "DOCKER", "mrenclave": MRENCLAVE}
    return found


def asset(iexec: IExec, kind: str) -> Any:
    return getattr(iexec, kind)


def deploy(iexec: IExec, kind: str, name: str = "one", owner: str | None = None) -> Any:
    who = owner or iexec.wallet.get_address()
    return getattr(asset(iexec, kind), f"deploy_{kind}")(description(kind, who, name))


def read(sandbox: Sandbox, to: str, method: Method, *args: object) -> Any:
    return method.decode(sandbox.node.rpc.call(to, method.encode(*args)))


@pytest.mark.witness("calldata: deploy *", "address of a token id", by="contracts")
@pytest.mark.parametrize("kind", KINDS)
def test_deploy(any_sandbox: Sandbox, client: Client, kind: str) -> None:
    me = client(any_sandbox, "app-provider")
    owner = me.wallet.get_address()
    registry = any_sandbox.deployment.registries[kind]
    record = {"app": App, "dataset": Dataset, "workerpool": Workerpool}[kind].from_dict(
        description(kind, owner)
    )
    predict = getattr(REGISTRY, f"predict{kind.capitalize()}")
    predicted = read(any_sandbox, registry, predict, *record.packed())
    assert read(any_sandbox, registry, REGISTRY.isRegistered, predicted) is False
    found = deploy(me, kind)
    assert found.address == predicted
    assert read(any_sandbox, registry, REGISTRY.isRegistered, predicted) is True
    assert read(any_sandbox, registry, REGISTRY.ownerOf, int(predicted, 16)) == owner
    receipt = any_sandbox.node.rpc.request("eth_getTransactionReceipt", (found.tx_hash,))
    [event] = REGISTRY.Transfer.find(receipt["logs"], registry)
    assert event["tokenId"] == int(found.address, 16)

    sent = me._context.rpc.request("eth_getTransactionCount", (owner, "pending"))
    with pytest.raises(StateError, match=f"already deployed at address {predicted}") as caught:
        deploy(me, kind)
    assert caught.value.details["address"] == predicted
    assert me._context.rpc.request("eth_getTransactionCount", (owner, "pending")) == sent
    # the owner is part of the address
    assert deploy(me, kind, owner=accounts.addresses()["admin"]).address != predicted


@pytest.mark.witness("view: app, dataset, workerpool", by="contracts")
def test_show(sandbox: Sandbox, client: Client) -> None:
    me = client(sandbox, "app-provider")
    owner, registries = me.wallet.get_address(), sandbox.deployment.registries
    addresses = {kind: deploy(me, kind).address for kind in KINDS}
    assert me.app.show_app(addresses["app"].lower()).to_dict() == {
        "objAddress": addresses["app"],
        "app": {
            "appChecksum": "0x" + "ab" * 32,
            "appMREnclave": MRENCLAVE,
            "appMultiaddr": "docker.io/user/app:1.0",
            "appName": "one ☂",
            "appType": "DOCKER",
            "owner": owner,
            "registry": registries["app"],
        },
    }
    assert me.dataset.show_dataset(addresses["dataset"]).to_dict() == {
        "objAddress": addresses["dataset"],
        "dataset": {
            "datasetChecksum": "0x" + "ab" * 32,
            "datasetMultiaddr": f"/p2p/{CID}",  # as V6 shows it
            "datasetName": "one ☂",
            "owner": owner,
            "registry": registries["dataset"],
        },
    }
    assert me.workerpool.show_workerpool(addresses["workerpool"]).to_dict() == {
        "objAddress": addresses["workerpool"],
        "workerpool": {
            "schedulerRewardRatioPolicy": "1",
            "workerStakeRatioPolicy": "30",
            "workerpoolDescription": "one — piscine à ouvriers",
            "owner": owner,
            "registry": registries["workerpool"],
        },
    }
    for kind in KINDS:
        for other in KINDS:
            if kind == other:
                continue
            with pytest.raises(ObjectNotFoundError, match=f"No {other} found for id") as caught:
                getattr(asset(me, other), f"show_{other}")(addresses[kind])
            assert (caught.value.obj_name, caught.value.object_id) == (other, addresses[kind])
            assert caught.value.chain_id == sandbox.chain.id


def test_an_app_with_nothing_but_what_it_needs(sandbox: Sandbox, client: Client) -> None:
    me = client(sandbox, "app-provider")
    app = {**description("app", me.wallet.get_address()), "multiaddr": "/ip4/127.0.0.1/tcp/80"}
    del app["mrenclave"]
    shown = me.app.show_app(me.app.deploy_app(app).address)
    assert shown.properties["appMREnclave"] == ""
    assert shown.properties["appMultiaddr"] == "/ip4/127.0.0.1/tcp/80"
    stored = Method("m_appMultiaddr() view returns (bytes)")
    answer = read(sandbox, shown.obj_address, stored)
    assert (
        answer == multiaddr.to_bytes("/ip4/127.0.0.1/tcp/80") == bytes.fromhex("047f000001060050")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_those_of_a_user(sandbox: Sandbox, client: Client, kind: str) -> None:
    me, reader = client(sandbox, "app-provider"), client(sandbox, "worker-1")
    owner = me.wallet.get_address()
    count = getattr(asset(reader, kind), f"count_user_{kind}s")
    show = getattr(asset(reader, kind), f"show_user_{kind}")
    assert count(owner) == 0
    with pytest.raises(StateError, match=f"{kind} not deployed"):
        show(0, owner)
    made = [deploy(me, kind, name).address for name in ("one", "two", "three")]
    assert count(owner.lower()) == 3
    assert [show(index, owner).obj_address for index in (0, 1, "2")] == made
    assert count(accounts.addresses()["admin"]) == 0
    with pytest.raises(StateError, match="there is no index 3"):
        show(3, owner)
    for index in (-1, "x", 1.0, True):
        with pytest.raises(ValidationError):
            show(index, owner)


def test_a_resource_that_changed_hands(sandbox: Sandbox, client: Client) -> None:
    seller, buyer = client(sandbox, "app-provider"), client(sandbox, "requester")
    app, registry = deploy(seller, "app").address, sandbox.deployment.registries["app"]
    people = (seller.wallet.get_address(), buyer.wallet.get_address())
    seller._context.send("test", {}, registry, REGISTRY.transferFrom.encode(*people, int(app, 16)))
    assert seller.app.count_user_apps(people[0]) == 0
    assert buyer.app.show_user_app(0, people[1]).obj_address == app
    order = seller.order.create_apporder(app)
    with pytest.raises(ValidationError, match="Invalid order signer, must be the resource owner"):
        seller.order.sign_apporder(order)
    assert buyer.order.sign_apporder(order).app == app


# --- categories -----------------------------------------------------------------------------------


@pytest.mark.witness("calldata: create category", "view: category", by="contracts")
def test_categories(any_sandbox: Sandbox, client: Client) -> None:
    owner, reader = client(any_sandbox, "admin"), client(any_sandbox, "requester")
    assert reader.hub.count_category() == 5
    assert reader.hub.show_category(0) == Category(
        name="XS", description="{}", workClockTimeRef=300
    )
    assert reader.hub.get_timeout_ratio() == 10
    assert reader.hub.get_hub_address() == any_sandbox.deployment.hub
    with pytest.raises(ValidationError, match="no category 5: this chain has categories 0 to 4"):
        reader.hub.show_category(5)
    made = owner.hub.create_category(
        {"name": "XXL", "description": "très long", "workClockTimeRef": "7200"}
    )
    assert made["catid"] == 5
    assert reader.hub.show_category("5").to_dict()["description"] == "très long"
    assert reader.hub.count_category() == 6
    with pytest.raises(ValidationError, match="no category"):
        reader.hub.show_category(2**256 - 1)


def test_only_the_owner_makes_categories(sandbox: Sandbox, client: Client) -> None:
    me = client(sandbox, "requester")
    with pytest.raises(StateError) as caught:
        me.hub.create_category({"name": "x", "description": "{}", "workClockTimeRef": 1})
    owner = accounts.addresses()["admin"]
    assert caught.value.message == f"only category owner {owner} can create new categories"
    assert me.hub.count_category() == 5


def test_an_owner_who_is_nobody(sandbox: Sandbox, client: Client) -> None:
    me = client(sandbox, "app-provider")
    for kind in KINDS:
        with pytest.raises(ValidationError, match=f"owner is the zero address.*this {kind}"):
            deploy(me, kind, owner="0x" + "0" * 40)


def test_contracts(any_sandbox: Sandbox, client: Client) -> None:
    deployment, native = any_sandbox.deployment, any_sandbox.chain.native
    found = client(any_sandbox, "requester").network.get_contracts()
    assert found.rlc_address == (None if native else client(any_sandbox, "admin")._context.token)
    assert found.to_dict() == {
        "pocoVersion": "5",  # the contracts of 5.3, whose deals have no sponsor
        "hubAddress": deployment.hub,
        **({} if native else {"rlcAddress": found.rlc_address}),
        **{f"{kind}RegistryAddress": deployment.registries[kind] for kind in KINDS},
        "useNative": native,
        "flavour": "standard",
    }


def test_network(any_sandbox: Sandbox, client: Client) -> None:
    found = client(any_sandbox, "requester").network.get_network()
    native = any_sandbox.chain.native
    assert (found.chain_id, found.is_native, found.is_sidechain) == (
        any_sandbox.node.chain_id,
        native,
        native,
    )
