"""The JavaScript SDK V6 and ours on one enterprise chain: KYC, RLC in and out of eRLC, sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import StateError
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import NO_KYC, twin_of
from iexec_lite.sandbox.stack import Sandbox

from .conftest import isolated, js_chain

PEOPLE = accounts.addresses()
ME, STRANGER = PEOPLE["requester"], PEOPLE[NO_KYC]
RLC = 10**9
Ask = Callable[..., Any]


@pytest.fixture
def sandbox(oracle: Any, chains: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    yield from isolated(chains("enterprise"))


@pytest.fixture
def js(oracle: Any, sandbox: Sandbox) -> Ask:
    """``js("requester", "wallet.sendRLC", …)``; ``standard=True`` for the other hub."""

    def ask(name: str, method: str, *args: Any, standard: bool = False) -> Any:
        module, _, function = method.partition(".")
        hubs = str(sandbox.chain.hub), str(twin_of(sandbox.chain).hub)
        hub, twin = reversed(hubs) if standard else hubs
        chain = {**js_chain(sandbox, name), "hub": hub, "swapHub": twin}
        chain["flavour"] = "standard" if standard else "enterprise"
        return oracle.ask("onChain", chain=chain, module=module, method=function, args=list(args))

    return ask


@pytest.fixture
def standard(sandbox: Sandbox) -> Iterator[IExec]:
    conf = {"hub_address": str(sandbox.chain.hub)}
    with IExec(
        twin_of(sandbox.chain), accounts.signer("requester"), enterprise_swap_conf=conf
    ) as iexec:
        yield iexec


@pytest.mark.witness("calldata: eRLC wrap and unwrap", by="js")
def test_each_wraps_and_the_other_sees_it(py: Any, js: Ask, standard: IExec) -> None:
    enterprise = py("requester")

    def ours() -> list[int]:
        return [each.wallet.check_balances(ME).nrlc for each in (standard, enterprise)]

    def theirs() -> list[int]:
        found = (
            js("requester", "wallet.checkBalances", ME, standard=one)["nRLC"]
            for one in (True, False)
        )
        return [int(each) for each in found]

    rlc, erlc = ours()
    js("requester", "wallet.wrapEnterpriseRLC", 5 * RLC, standard=True)
    assert ours() == theirs() == [rlc - 5 * RLC, erlc + 5 * RLC]
    standard.wallet.wrap_enterprise_rlc("2 RLC")
    assert ours() == theirs() == [rlc - 7 * RLC, erlc + 7 * RLC]
    js("requester", "wallet.unwrapEnterpriseRLC", 3 * RLC)
    enterprise.wallet.unwrap_enterprise_rlc("4 RLC")
    assert ours() == theirs() == [rlc, erlc]


@pytest.mark.witness("view: eRLC membership", by="js")
@pytest.mark.parametrize(
    ("who", "theirs", "ours"),
    [
        ("requester", ("wallet.sendRLC", 1, STRANGER), lambda i: i.wallet.send_rlc(1, STRANGER)),
        (NO_KYC, ("wallet.sendRLC", 0, ME), lambda i: i.wallet.send_rlc(0, ME)),
        ("requester", ("wallet.sweep", STRANGER), lambda i: i.wallet.sweep(STRANGER)),
        (NO_KYC, ("account.deposit", 1), lambda i: i.account.deposit(1)),
        (NO_KYC, ("account.withdraw", 1), lambda i: i.account.withdraw(1)),
        (
            NO_KYC,
            ("wallet.unwrapEnterpriseRLC", 1),
            lambda i: i.wallet.unwrap_enterprise_rlc(1),
        ),
    ],
)
def test_both_refuse_whom_nobody_knows(
    py: Any, js: Ask, who: str, theirs: tuple[Any, ...], ours: Callable[[IExec], Any]
) -> None:
    text = f"{STRANGER} is not authorized to interact with eRLC"
    with pytest.raises(Exception, match=text):
        js(who, *theirs)
    with pytest.raises(StateError, match=text):
        ours(py(who))


def test_each_buys_with_the_others_orders(sandbox: Sandbox, py: Any, js: Ask) -> None:
    app = js(
        "app-provider",
        "app.deployApp",
        {
            "owner": PEOPLE["app-provider"],
            "name": "app",
            "type": "DOCKER",
            "multiaddr": "docker.io/x:1",
            "checksum": "0x" + "0a" * 32,
        },
    )["address"]
    pool = (
        py("workerpool-owner")
        .workerpool.deploy_workerpool({"owner": PEOPLE["workerpool-owner"], "description": "pool"})
        .address
    )
    js("requester", "account.deposit", 4000)
    terms = {"app": app, "appprice": 1000, "volume": 2}
    apporder = js(
        "app-provider", "order.signApporder", js("app-provider", "order.createApporder", terms)
    )
    seller, buyer = py("workerpool-owner").order, py("requester").order
    poolorder = seller.sign_workerpoolorder(seller.create_workerpoolorder(pool, 0, volume=2))
    requests = [
        buyer.sign_requestorder(
            buyer.create_requestorder(app, 0, appmaxprice=1000, volume=1), check_request=False
        )
        for _ in range(2)
    ]
    orders = {"apporder": apporder, "workerpoolorder": poolorder}
    first = buyer.match_orders(**orders, requestorder=requests[0], check_request=False)
    second = js(
        "requester",
        "order.matchOrders",
        {
            "apporder": apporder,
            "workerpoolorder": poolorder.to_dict(),
            "requestorder": requests[1].to_dict(),
        },
        {"checkRequest": False},
    )
    assert js("requester", "deal.show", first.dealid)["requester"] == ME
    assert py("requester").deal.show(second["dealid"]).requester == ME


def test_sweeps(py: Any, js: Ask) -> None:
    """Both leave nothing of the token, and of the coin the same: nothing."""
    there = js("requester", "wallet.sweep", PEOPLE["worker-1"])
    here = py("app-provider").wallet.sweep(PEOPLE["worker-1"])
    assert set(here.to_dict()) == {"sendERC20TxHash", "sendNativeTxHash"} <= set(there)
    for who in ("requester", "app-provider"):
        balances = py(who).wallet.check_balances(PEOPLE[who])
        assert (balances.nrlc, balances.wei) == (0, 0)
