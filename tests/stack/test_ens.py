"""ENS names on the real registry and resolver: every method that takes one, and every refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import ValidationError
from iexec_lite.protocol.orders import NULL_ADDRESS
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.ens import Names
from iexec_lite.sandbox.stack import Sandbox

Buy = Callable[..., Any]
Method = Callable[[IExec, Callable[[str], str]], Any]
PEOPLE = accounts.addresses()
APP = {
    "name": "named",
    "type": "DOCKER",
    "multiaddr": "docker.io/x:1",
    "checksum": "0x" + "00" * 32,
}
DATA = {"name": "named", "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"}
DATA["checksum"] = "0x" + "11" * 32
SALT = {"salt": "0x" + "07" * 32}


def fields(kind: str, at: Callable[[str], str]) -> dict[str, Any]:
    """An order of this kind in which every address is ``at(…)``."""
    own = {"request": "app"}.get(kind, kind)
    found: dict[str, Any] = {own: at(own)}
    if kind == "request":
        people = {"requester": at("me"), "beneficiary": at("someone"), "callback": at("someone")}
        return {**found, **people, "workerpool": at("workerpool"), "category": 0, "params": "x.eth"}
    others = {"app", "dataset", "workerpool"} - {kind}
    found |= {f"{other}restrict": at(other) for other in others}
    return {
        **found,
        "requesterrestrict": at("someone"),
        **({"category": 0} if own == "workerpool" else {}),
    }


def plain(kind: str, at: Callable[[str], str], **more: Any) -> dict[str, Any]:
    """The JSON of a whole order, with ``at(…)`` where addresses were."""
    api = IExec.offline("0x" + "11" * 32, chain="goerli").order
    order = getattr(api, f"create_{kind}order")(**fields(kind, at_address))
    found = {**order.to_dict(), **fields(kind, at), **more}
    return {**found, "params": order.params} if kind == "request" else found


def at_address(key: str) -> str:
    return NULL_ADDRESS[:-2] + f"{sum(key.encode()) % 256:02x}"


# What V6 gives a provider, so that names are looked up (the modules of iexec 6.0.1).
TAKES: dict[str, Method] = {
    "wallet.check_balances": lambda c, at: c.wallet.check_balances(at("me")),
    "wallet.send_eth": lambda c, at: c.wallet.send_eth(5, at("someone")),
    "wallet.send_rlc": lambda c, at: c.wallet.send_rlc(5, at("someone")),
    "account.check_balance": lambda c, at: c.account.check_balance(at("me")),
    "app.deploy_app": lambda c, at: c.app.deploy_app({"owner": at("someone"), **APP}),
    "dataset.deploy_dataset": lambda c, at: c.dataset.deploy_dataset(
        {"owner": at("someone"), **DATA}
    ),
    "workerpool.deploy_workerpool": lambda c, at: c.workerpool.deploy_workerpool(
        {"owner": at("someone"), "description": "named"}
    ),
    "app.show_app": lambda c, at: c.app.show_app(at("app")),
    "dataset.show_dataset": lambda c, at: c.dataset.show_dataset(at("dataset")),
    "workerpool.show_workerpool": lambda c, at: c.workerpool.show_workerpool(at("workerpool")),
    "app.show_user_app": lambda c, at: c.app.show_user_app(0, at("me")),
    "dataset.show_user_dataset": lambda c, at: c.dataset.show_user_dataset(0, at("me")),
    "workerpool.show_user_workerpool": lambda c, at: c.workerpool.show_user_workerpool(0, at("me")),
    "app.count_user_apps": lambda c, at: c.app.count_user_apps(at("me")),
    "dataset.count_user_datasets": lambda c, at: c.dataset.count_user_datasets(at("me")),
    "workerpool.count_user_workerpools": lambda c, at: c.workerpool.count_user_workerpools(
        at("me")
    ),
    **{
        f"order.create_{kind}order": lambda c, at, kind=kind: getattr(
            c.order, f"create_{kind}order"
        )(**fields(kind, at))
        for kind in ("app", "dataset", "workerpool", "request")
    },
    **{
        f"order.hash_{kind}order": lambda c, at, kind=kind: getattr(c.order, f"hash_{kind}order")(
            plain(kind, at, **SALT)
        )
        for kind in ("app", "dataset", "workerpool", "request")
    },
    **{
        f"order.sign_{kind}order": lambda c, at, kind=kind: {
            **getattr(c.order, f"sign_{kind}order")(
                plain(kind, at), **({"check_request": False} if kind == "request" else {})
            ).to_dict(),
            "salt": "",
            "sign": "",
        }
        for kind in ("app", "dataset", "workerpool", "request")
    },
}
# These ask services that this chain does not have: all there is to see is that they look it up.
ASKS: dict[str, Method] = {
    "orderbook.fetch_app_orderbook": lambda c, at: c.orderbook.fetch_app_orderbook(at("app")),
    "orderbook.fetch_app_orderbook 2": lambda c, at: c.orderbook.fetch_app_orderbook(
        PEOPLE["admin"], requester=at("me")
    ),
    "orderbook.fetch_dataset_orderbook": lambda c, at: c.orderbook.fetch_dataset_orderbook(
        at("dataset")
    ),
    "orderbook.fetch_workerpool_orderbook": lambda c, at: c.orderbook.fetch_workerpool_orderbook(
        workerpool_owner=at("me")
    ),
    "orderbook.fetch_request_orderbook": lambda c, at: c.orderbook.fetch_request_orderbook(
        beneficiary=at("me")
    ),
    "deal.fetch_requester_deals": lambda c, at: c.deal.fetch_requester_deals(at("me")),
    "deal.fetch_requester_deals 2": lambda c, at: c.deal.fetch_requester_deals(
        PEOPLE["admin"], workerpool_address=at("workerpool")
    ),
    **{
        f"order.unpublish_{many}": lambda c, at, many=many: getattr(c.order, f"unpublish_{many}")(
            at("app")
        )
        for kind in ("app", "dataset", "workerpool")
        for many in (f"last_{kind}order", f"all_{kind}orders")
    },
    "dataset.push_dataset_secret": lambda c, at: c.dataset.push_dataset_secret(
        at("dataset"), c.dataset.generate_encryption_key()
    ),
    "dataset.check_dataset_secret_exists": lambda c, at: c.dataset.check_dataset_secret_exists(
        at("dataset")
    ),
    "result.check_result_encryption_key_exists": lambda c, at: (
        c.result.check_result_encryption_key_exists(at("me"))
    ),
    "storage.check_storage_token_exists": lambda c, at: c.storage.check_storage_token_exists(
        at("me")
    ),
}
# What V6 validates without a provider: these are given what is signed.
REFUSES: dict[str, Method] = {
    **{
        f"order.{verb}_{kind}order": lambda c, at, verb=verb, kind=kind: getattr(
            c.order, f"{verb}_{kind}order"
        )(plain(kind, at, **SALT, sign="0x"))
        for kind in ("app", "dataset", "workerpool", "request")
        for verb in ("cancel", "publish")
    },
    "order.match_orders": lambda c, at: c.order.match_orders(
        **{
            f"{kind}order": plain(kind, at, **SALT, sign="0x")
            for kind in ("app", "workerpool", "request")
        }
    ),
}


class Named:
    """A chain with names for everything: one account owns an app, a dataset and a workerpool."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.names = Names(sandbox.node.rpc, sandbox.chain, sandbox.kit)
        self.chain = self.names.chain
        self.me = IExec(self.chain, accounts.signer("requester"))
        owner = {"owner": PEOPLE["requester"]}
        self.known = {
            "me": PEOPLE["requester"],
            "someone": PEOPLE["worker-1"],
            "app": self.me.app.deploy_app({**owner, **APP}).address,
            "dataset": self.me.dataset.deploy_dataset({**owner, **DATA}).address,
            "workerpool": self.me.workerpool.deploy_workerpool(
                {**owner, "description": "named"}
            ).address,
        }


@pytest.fixture(scope="module")
def named(token_chain: Sandbox) -> Iterator[Named]:
    snapshot = token_chain.node.rpc.request("evm_snapshot")
    found = Named(token_chain)
    for key, address in found.known.items():
        found.names.register(f"{key}.v5.iexec.eth", address)
    yield found
    found.me.close()
    assert token_chain.node.rpc.request("evm_revert", (snapshot,)) is True


@pytest.mark.parametrize("method", TAKES)
def test_a_name_is_as_good_as_the_address(method: str, named: Named, token_chain: Sandbox) -> None:
    rpc = token_chain.node.rpc
    found = []
    for at in (lambda key: named.known[key], lambda key: f"{key}.v5.Iexec.eth"):
        snapshot = rpc.request("evm_snapshot")
        with IExec(named.chain, accounts.signer("requester")) as iexec:
            found.append(TAKES[method](iexec, at))
        assert rpc.request("evm_revert", (snapshot,)) is True
    assert found[0] == found[1]


@pytest.mark.parametrize("method", [*TAKES, *ASKS])
def test_a_name_that_nobody_has(method: str, named: Named) -> None:
    text = (
        f"Unable to resolve ENS nobody.eth: the ENS registry {named.names.registry} does not know"
    )
    with pytest.raises(ValidationError, match=text):
        {**TAKES, **ASKS}[method](named.me, lambda key: "nobody.eth")


@pytest.mark.parametrize("method", REFUSES)
def test_what_is_signed_has_no_names(method: str, named: Named) -> None:
    with pytest.raises(ValidationError, match=r"Unable to resolve ENS me\.eth") as caught:
        REFUSES[method](named.me, lambda key: "me.eth")
    assert "registry" not in caught.value.message


@pytest.mark.witness("ENS namehash", "calldata: ENS resolution", by="contracts")
def test_what_a_name_stands_for(named: Named) -> None:
    """Asked anew each time; params are text, whatever they look like."""
    network = named.me.network
    named.names.register("moving.eth", PEOPLE["requester"])
    assert network.resolve_name("moving.eth") == PEOPLE["requester"]
    named.names.register("moving.eth", PEOPLE["worker-2"])
    assert network.resolve_name("moving.eth") == PEOPLE["worker-2"]
    order = named.me.order.create_requestorder("app.v5.iexec.eth", 0, params="some.eth")
    assert (order.app, '"iexec_args":"some.eth"' in order.params) == (named.known["app"], True)


def test_names_without_an_address(named: Named, token_chain: Sandbox) -> None:
    """No address, or a resolver that is no contract, answers something else, or reverts."""
    rpc, resolve = token_chain.node.rpc, named.me.network.resolve_name
    named.names.register("zero.eth", NULL_ADDRESS)
    with pytest.raises(ValidationError, match=r"resolver .* has no address for it; give the addr"):
        resolve("zero.eth")
    named.names.delegate("nothing.eth", PEOPLE["worker-1"])
    with pytest.raises(ValidationError, match=r"addr of .* failed \(no such contract"):
        resolve("nothing.eth")
    odd = "0x" + "d1" * 20
    named.names.delegate("odd.eth", odd)
    for code, why in {
        "0x7f" + "ff" * 12 + "d1" * 20 + "60005260206000f3": "decoded",
        "0x60006000fd": "revert",
        "0x60ff60005260016000f3": "decoded",
    }.items():
        rpc.request("anvil_setCode", (odd, code))
        with pytest.raises(ValidationError, match=rf"Unable to resolve ENS odd\.eth: .*{why}"):
            resolve("odd.eth")


def test_where_nobody_can_be_asked(token_chain: Sandbox) -> None:
    with IExec(token_chain.chain) as iexec, pytest.raises(ValidationError) as caught:
        iexec.account.check_balance("me.eth")
    assert caught.value.message == (
        "address: Unable to resolve ENS me.eth: no ENS registry is known on chain "
        f"{token_chain.chain.id}; give the address itself"
    )
    offline = IExec.offline("0x" + "11" * 32, chain="mainnet")
    with pytest.raises(
        ValidationError, match=r"app: Unable to resolve ENS a\.eth: an offline client"
    ):
        offline.order.create_apporder("a.eth")
