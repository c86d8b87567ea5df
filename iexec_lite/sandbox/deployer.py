"""What every deployment of the contracts shares: sends, money, settings (sandbox.md §4).

``Deployer`` is the frame: a subclass says how contracts are created and in what order. Every send
is signed by ``admin`` and confirmed before the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ..errors import IExecError, SandboxError
from ..eth.codec import address_to_bytes, checksum_address, from_hex
from ..protocol.chains import Chain
from ..protocol.contracts import HUB, TOKEN
from ..protocol.deployment import DEPLOY_HUB, DEPLOY_REGISTRY
from ..protocol.orders import NULL_ADDRESS
from ..sdk.journal import MemoryJournal
from ..sdk.transactions import Intent, Sent, Transactions
from . import accounts
from .node import Node
from .packages import Artifact, Kit

__all__ = ["CATEGORIES", "GAS_MONEY", "LIBRARY", "MEANS", "REGISTRY_KINDS", "STAKE", "Deployer"]

CATEGORIES = {
    "XS": 300,
    "S": 1200,
    "M": 3600,
    "L": 10800,
    "XL": 36000,
}  # seconds of workClockTimeRef
REGISTRY_KINDS = ("app", "dataset", "workerpool")
LIBRARY = "IexecLibOrders_v5"

RLC_UNIT = 10**9  # nRLC
ETHER = 10**18
MEANS = 1_000_000 * RLC_UNIT  # nRLC for each named account
STAKE = 100_000 * RLC_UNIT  # nRLC that each worker has on the hub from the beginning
GAS_MONEY = 1_000 * ETHER  # wei for each named account of a token chain
ADMIN_MONEY = 87_000_000 * ETHER  # wei of account 0; on a native chain this is the RLC supply


class Deployer(ABC):
    """Deploys on a started, empty node. ``library_mark`` stands for the library in bytecode."""

    library_mark: str
    description: str  # of every category, as upstream's own scripts write it

    def __init__(self, node: Node, kit: Kit) -> None:
        self._node = node
        self._kit = kit
        self._native = node.kind.native
        signer = accounts.signer("admin")
        self._admin = signer.address
        chain = Chain(
            id=node.chain_id,
            name="sandbox",
            host=node.url,
            native=self._native,
            fixed_gas_price=0 if self._native else None,
        )
        self._transactions = Transactions(node.rpc, chain, signer, journal=MemoryJournal())
        self._library: str | None = None
        self._made: set[str] = set()
        self._steps = 0

    @abstractmethod
    def run(self) -> None:
        """Everything."""

    @abstractmethod
    def _creation(self, code: bytes) -> tuple[str, bytes, str]:
        """To whom to send what, so that ``code`` is created; and at which address it will be."""

    # -- money --------------------------------------------------------------------------------

    def _fund(self) -> None:
        each = MEANS * RLC_UNIT if self._native else GAS_MONEY  # 1 nRLC = 10**9 wei
        balances = dict.fromkeys(accounts.addresses().values(), each)
        self._node.set_balances({**balances, self._admin: ADMIN_MONEY})

    def _share(self, token: str, people: Mapping[str, str]) -> None:
        for name, address in people.items():
            if name != "admin":
                call = TOKEN.transfer.encode(address, MEANS)
                self._send(f"{token} for {name}", token, call)

    def _stake(self, hub: str, token: str) -> None:
        people = accounts.addresses()
        workers = [people[name] for name in people if name.startswith("worker-")]
        staked = STAKE * len(workers)
        if not self._native:
            self._send("allow the stakes", token, TOKEN.approve.encode(hub, staked))
        self._send(
            "stakes of the workers",
            hub,
            HUB.depositForArray.encode([STAKE] * len(workers), workers),
            value=staked * RLC_UNIT if self._native else 0,
        )

    # -- contracts ----------------------------------------------------------------------------

    def _created(self, name: str, arguments: bytes = b"") -> str:
        """A contract created plainly: its address follows from the transactions before."""
        sent = self._send(f"create {name}", None, self._code(name, arguments))
        return checksum_address(address_to_bytes(sent.receipt["contractAddress"]))

    def _create(self, name: str, arguments: bytes = b"") -> str:
        """A contract whose address follows from its code, created unless it is there."""
        to, call, address = self._creation(self._code(name, arguments))
        if name not in self._made:
            self._made.add(name)
            self._send(f"create {name}", to, call)
        return address

    def _initialize(self, kind: str, registry: str) -> None:
        call = DEPLOY_REGISTRY.initialize.encode(NULL_ADDRESS)
        self._send(f"initialize the {kind} registry", registry, call)

    def _configure(
        self, hub: str, token: str, registries: Mapping[str, str], name: str, symbol: str
    ) -> None:
        known = (registries[kind] for kind in REGISTRY_KINDS)
        settings = (token, name, symbol, 9, *known, NULL_ADDRESS)
        self._send("configure", hub, DEPLOY_HUB.configure.encode(*settings))
        for category, seconds in CATEGORIES.items():
            call = HUB.createCategory.encode(category, self.description, seconds)
            self._send(f"category {category}", hub, call)

    # -- pieces -------------------------------------------------------------------------------

    def _artifact(self, name: str) -> Artifact:
        return self._kit.contracts[name]

    def _expect(self, what: str, found: str, known: str) -> str:
        if found != known:
            raise SandboxError(f"the {what} came out at {found}, not at {known}")
        return found

    def _code(self, name: str, arguments: bytes = b"") -> bytes:
        """Creation code, linked and with the constructor's arguments."""
        code = self._artifact(name).bytecode
        if self._library is not None:
            code = code.replace(self.library_mark, self._library[2:].lower())
        return from_hex(code, name=f"bytecode of {name}") + arguments

    def _send(self, what: str, to: str | None, data: bytes, *, value: int = 0) -> Sent:
        self._steps += 1
        intent = Intent(
            chain_id=self._node.chain_id,
            sender=self._admin,
            operation="sandbox deployment",
            arguments={"step": self._steps, "what": what},
        )
        try:
            return self._transactions.send(intent, to, data, value=value)
        except IExecError as error:
            raise SandboxError(
                f"deployment: {what} failed: {error.message}", cause=error
            ) from error
