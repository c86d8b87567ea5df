"""Something to sell: an app, a dataset and a workerpool with orders, written as people would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iexec_lite import IExec
from iexec_lite.sandbox import accounts

from .conftest import edit
from .machine import LIMIT, Machine

PRICE = 100_000_000  # nRLC, of each of the three
SELLERS = {"app": "app-provider", "dataset": "dataset-provider", "workerpool": "workerpool-owner"}
ZERO = "0x" + "0" * 40


@dataclass(frozen=True)
class Goods:
    """Addresses of what is deployed on a machine's sandbox, and orders for it."""

    machine: Machine
    app: str
    dataset: str
    workerpool: str

    def terms(self, resource: str, **changes: object) -> dict[str, object]:
        """The members of an order."""
        address: dict[str, object] = {resource: getattr(self, resource, None)}
        if resource == "request":
            price = {"appmaxprice": PRICE, "workerpoolmaxprice": PRICE, "category": "0"}
            address = {"app": self.app, **price}
        elif resource == "workerpool":
            address |= {"workerpoolprice": PRICE, "category": "0", "volume": 5}
        else:
            address |= {f"{resource}price": PRICE, "volume": 5}
        return {**address, **changes}

    def sign(self, resource: str, name: str = "", **changes: object) -> Any:
        """A signed order, by its owner."""
        with seller(self.machine, name or SELLERS.get(resource, "requester")) as iexec:
            order = getattr(iexec.order, f"create_{resource}order")(
                **self.terms(resource, **changes)
            )
            more = {"check_request": False} if resource == "request" else {}
            return getattr(iexec.order, f"sign_{resource}order")(order, **more)

    def publish(self, resource: str, name: str = "", **changes: object) -> str:
        """A published order's hash."""
        order = self.sign(resource, name, **changes)
        with seller(self.machine, name or SELLERS.get(resource, "requester")) as iexec:
            more = {"check_request": False} if resource == "request" else {}
            found: str = getattr(iexec.order, f"publish_{resource}order")(order, **more)
            return found

    def write(self, folder: Path, **given: Mapping[str, object]) -> None:
        """Templates of orders into iexec.json."""
        orders = {f"{name}order": self.terms(name, **changes) for name, changes in given.items()}
        edit(folder, "iexec.json", order=orders)

    def keep(self, folder: Path, **given: Any) -> None:
        """Signed orders into orders.json."""
        orders = {f"{name}order": order.to_dict() for name, order in given.items()}
        edit(folder, "orders.json", **{str(self.machine.chain().id): orders})


@contextmanager
def seller(machine: Machine, name: str) -> Iterator[IExec]:
    with IExec(machine.chain(), accounts.signer(name)) as iexec:
        yield iexec


def deploy(machine: Machine) -> Goods:
    """An app, a dataset, a workerpool; their owners and the requester have a stake."""
    empty = "0x" + "00" * 32
    with seller(machine, "app-provider") as iexec:
        app = iexec.app.deploy_app(
            {
                "owner": iexec.wallet.get_address(),
                "name": "app",
                "type": "DOCKER",
                "multiaddr": "registry.invalid/app:1",
                "checksum": empty,
            }
        )
    with seller(machine, "dataset-provider") as iexec:
        address = iexec.wallet.get_address()
        content = {"name": "set", "multiaddr": "https://data.invalid", "checksum": empty}
        dataset = iexec.dataset.deploy_dataset({"owner": address, **content})
    with seller(machine, "workerpool-owner") as iexec:
        address = iexec.wallet.get_address()
        pool = iexec.workerpool.deploy_workerpool({"owner": address, "description": "pool"})
        iexec.account.deposit("20 RLC")
    with seller(machine, "requester") as iexec:
        iexec.account.deposit("20 RLC")
    return Goods(machine, app.address, dataset.address, pool.address)


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it is so."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end


def stored(folder: Path, machine: Machine) -> Any:
    """The orders of the sandbox's chain in orders.json."""
    content = json.loads((folder / "orders.json").read_text("utf-8"))
    return content[str(machine.chain().id)]
