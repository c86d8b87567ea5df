"""ENS names: namehash against ethers, and who takes a name against the JavaScript SDK on one chain.

The SDK has no option for a registry: its client is given a provider of a network that has ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import ValidationError
from iexec_lite.eth.codec import to_hex
from iexec_lite.protocol.ens import namehash
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.ens import Names
from iexec_lite.sandbox.stack import Sandbox

from .conftest import OracleError

PEOPLE = accounts.addresses()
Ask = Callable[..., Any]
NAME, OTHER = "seller.v5.iexec.eth", "Pool-2.iexec.ETH"


@pytest.mark.witness("ENS namehash", by="js")
def test_namehash(oracle: Any, make: Any) -> None:
    """Where we look a name up, ethers looks up the same node; it takes more names than we do."""
    letters = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-"
    names = [
        ".".join(
            "".join(make.pick(letters) for _ in range(make.rng.randrange(1, 20)))
            for _ in range(make.rng.randrange(1, 5))
        )
        + make.pick([".eth", ".ETH", ""])
        for _ in range(400)
    ]
    ours = {}
    for name in names:
        try:
            ours[name] = namehash(name)
        except ValidationError:
            assert name.startswith("-") or any(
                label.startswith("-") or label.endswith("-") or label[2:4] == "--"
                for label in name.split(".")
            )
    assert len(ours) > 200
    assert oracle.values("namehash", [{"name": name} for name in ours]) == list(ours.values())


@pytest.fixture(scope="module")
def named(_oracle: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A chain with a registry, where there is somebody to share it with."""
    if isinstance(_oracle, str):
        yield None
        return
    with Sandbox(tmp_path_factory.mktemp("named"), fresh=True) as sandbox:
        names = Names(sandbox.node.rpc, sandbox.chain, sandbox.kit)
        names.register(NAME, PEOPLE["app-provider"])
        names.register(OTHER.lower(), PEOPLE["workerpool-owner"])
        with IExec(names.chain, accounts.signer("app-provider")) as iexec:
            yield iexec


@pytest.fixture
def js(oracle: Any, named: IExec) -> Ask:
    chain = named.chain
    asked = {
        "host": chain.host,
        "hub": chain.hub,
        "native": False,
        "chainId": chain.id,
        "ens": chain.ens_registry,
        "key": to_hex(accounts.secret("app-provider")),
    }

    def ask(method: str, *args: Any) -> Any:
        module, _, function = method.partition(".")
        return oracle.ask("onChain", chain=asked, module=module, method=function, args=list(args))

    return ask


@pytest.mark.witness("calldata: ENS resolution", by="js")
def test_the_same_name_is_the_same_account(js: Ask, named: IExec) -> None:
    for name in (NAME, OTHER, NAME.upper()[:-4] + ".eth"):
        ours = named.account.check_balance(name).to_dict()
        theirs = js("account.checkBalance", name.replace("ETH", "eth"))
        assert {key: str(value) for key, value in ours.items()} == theirs
    app = {"type": "DOCKER", "multiaddr": "docker.io/x:1", "checksum": "0x" + "00" * 32}
    made = js("app.deployApp", {"owner": OTHER.replace("ETH", "eth"), "name": "a", **app})
    shown = named.app.show_app(made["address"])
    assert shown.properties["owner"] == PEOPLE["workerpool-owner"]
    assert named.app.count_user_apps(OTHER) == 1


def test_orders_of_names_are_orders_of_addresses(js: Ask, named: IExec) -> None:
    fields = {"app": NAME, "workerpoolrestrict": OTHER.replace("ETH", "eth"), "volume": 2}
    ours = named.order.create_apporder(**fields)  # type: ignore[arg-type]
    assert ours.to_dict() == js("order.createApporder", fields)
    salted = {**ours.to_dict(), **fields, "salt": "0x" + "07" * 32}
    resolved = {**salted, **ours.to_dict()}
    assert named.order.hash_apporder(salted) == js("order.hashApporder", resolved)
    with pytest.raises(OracleError, match="invalid address"):  # V6 looks up, but does not wait
        js("order.hashApporder", salted)


def test_what_is_signed_has_no_names(js: Ask, named: IExec) -> None:
    """Both refuse a name that is registered: these calls are given what is signed."""
    order = named.order.create_apporder(NAME).to_dict()
    signed = {**order, "app": NAME, "salt": "0x" + "07" * 32, "sign": "0x" + "22" * 65}
    for theirs, ours in (
        ("order.cancelApporder", named.order.cancel_apporder),
        ("order.publishApporder", named.order.publish_apporder),
    ):
        with pytest.raises(Exception, match=f"Unable to resolve ENS {NAME}"):
            js(theirs, signed)
        with pytest.raises(ValidationError, match=f"Unable to resolve ENS {NAME}"):
            ours(signed)


def test_a_name_that_nobody_has(js: Ask, named: IExec) -> None:
    with pytest.raises(Exception, match=r"Unable to resolve ENS nobody\.eth"):
        js("account.checkBalance", "nobody.eth")
    with pytest.raises(ValidationError, match=r"Unable to resolve ENS nobody\.eth"):
        named.account.check_balance("nobody.eth")
