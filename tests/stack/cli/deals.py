"""Real deals for tests: everything that a purchase needs, deployed, signed and matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iexec_lite import IExec
from iexec_lite.sandbox.runner import SAMPLE_IMAGE

Client = Callable[[str], IExec]  # of a named account, on the chain in question

PRICE = 1000  # nRLC per task, of each party


def push_storage_token(iexec: IExec) -> None:
    """Log in at the result proxy and push the token, unless one is there."""
    storage = iexec.storage
    if not storage.check_storage_token_exists(iexec.wallet.get_address()):
        storage.push_storage_token(storage.default_storage_login())


def buy(
    client: Client,
    *,
    image: str = SAMPLE_IMAGE,
    mrenclave: dict[str, object] | None = None,
    dataset: str | None = None,
    pool_owner: str | IExec = "workerpool-owner",
    category: int = 0,
    volume: int = 1,
    trust: int = 0,
    tag: list[str] | None = None,
    token: bool = True,
    match: bool = True,
    **request: Any,
) -> Any:
    """Deploy an app and a pool, deposit, sign and match; the match result.

    ``image`` and ``mrenclave`` are the app's; ``dataset`` is the address of a deployed one,
    ``pool_owner`` the name of an account, or somebody else, whom no worker of a sandbox serves.
    What is left is of the request order: ``params``, ``callback``, ``beneficiary``. The requester's
    storage token is pushed before, but for ``token=False``. ``match=False`` returns the signed
    orders. Prices are nRLC.
    """
    if token:
        push_storage_token(client("requester"))
    provider, requester = client("app-provider"), client("requester")
    owner = client(pool_owner) if isinstance(pool_owner, str) else pool_owner
    app = _deployed_app(provider, image, mrenclave)
    description = f"pool {owner.workerpool.count_user_workerpools(owner.wallet.get_address())}"
    pool = owner.workerpool.deploy_workerpool(
        {"owner": owner.wallet.get_address(), "description": description}
    ).address
    prices = {"appmaxprice": PRICE, "workerpoolmaxprice": PRICE}
    datasetorder = None
    if dataset is not None:
        seller = client("dataset-provider").order
        datasetorder = seller.sign_datasetorder(
            seller.create_datasetorder(
                dataset=dataset, datasetprice=PRICE, volume=volume, tag=tag or []
            )
        )
        prices["datasetmaxprice"] = PRICE
        request["dataset"] = dataset
    requester.account.deposit(3 * PRICE * volume)
    owner.account.deposit(PRICE * volume)
    common: dict[str, Any] = {"volume": volume, "tag": tag or []}
    apporder = provider.order.create_apporder(app=app, appprice=PRICE, **common)
    common |= {"category": category, "trust": trust}
    poolorder = owner.order.create_workerpoolorder(workerpool=pool, workerpoolprice=PRICE, **common)
    requestorder = requester.order.create_requestorder(app=app, **common, **prices, **request)
    orders = {
        "apporder": provider.order.sign_apporder(apporder),
        "datasetorder": datasetorder,
        "workerpoolorder": owner.order.sign_workerpoolorder(poolorder),
        "requestorder": requester.order.sign_requestorder(requestorder, check_request=token),
    }
    return requester.order.match_orders(**orders, check_request=token) if match else orders


def _deployed_app(provider: IExec, image: str, mrenclave: dict[str, object] | None) -> str:
    owner = provider.wallet.get_address()
    app: dict[str, object] = {
        "owner": owner,
        "name": f"app {provider.app.count_user_apps(owner)}",
        "type": "DOCKER",
        "multiaddr": image,
        "checksum": "0x" + "00" * 32,
    }
    if mrenclave is not None:
        app["mrenclave"] = mrenclave
    return provider.app.deploy_app(app).address
