"""The PoCo contracts on a fresh node, at their well-known addresses (sandbox.md §3, §4).

Deployed by the library's own sends, one after another, in the order of upstream: token, CREATE2
factory, library, proxy, its modules, registries, settings, categories; then the named accounts get
RLC and the workers a stake. The addresses follow from account and code, so a hub elsewhere than at
the known address is an error, not a surprise.

A deployed chain is saved in the cache and loaded next time: see :func:`prepare`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import IExecError, SandboxError
from ..eth import abi
from ..eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from ..eth.crypto import keccak
from ..eth.transaction import parse
from ..net.rpc import Rpc
from ..protocol.chains import Chain
from ..protocol.contracts import HUB, TOKEN
from ..protocol.deployment import (
    DEPLOY_ERLC,
    DEPLOY_HUB,
    DEPLOY_REGISTRY,
    FACTORY,
    OWNED,
    PROXY,
)
from ..protocol.orders import NULL_ADDRESS
from ..protocol.rules import V6
from ..sdk.files import atomic_write, read_text
from ..sdk.journal import MemoryJournal
from ..sdk.transactions import Intent, Sent, Transactions
from . import accounts, packages
from .folders import make_folder
from .node import Node
from .packages import Artifact, Kit
from .progress import Progress

__all__ = [
    "CATEGORIES",
    "NO_KYC",
    "Deployment",
    "grant_kyc",
    "prepare",
    "record",
    "twin_of",
    "verify",
]

CATEGORIES = {
    "XS": 300,
    "S": 1200,
    "M": 3600,
    "L": 10800,
    "XL": 36000,
}  # seconds of workClockTimeRef
MODULES = (
    "ERC1538QueryDelegate",
    "IexecAccessorsDelegate",
    "IexecAccessorsABILegacyDelegate",
    "IexecCategoryManagerDelegate",
    "IexecERC20Delegate",
    "IexecEscrow{flavour}Delegate",
    "IexecMaintenanceDelegate",
    "IexecOrderManagementDelegate",
    "IexecPoco1Delegate",
    "IexecPoco2Delegate",
    "IexecRelayDelegate",
    "ENSIntegrationDelegate",
    "IexecMaintenanceExtraDelegate",
)
# In the enterprise hub these stand in for the modules of the same name: they ask for a KYC.
KYC_MODULES = (
    "IexecERC20Delegate",
    "IexecEscrowTokenDelegate",
    "IexecPoco1Delegate",
    "IexecPoco2Delegate",
)
KINDS = ("app", "dataset", "workerpool")

# What must come out: the constants of upstream's own tests, and the count of the hub's functions.
HUB_ADDRESS = "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca"
RLC = "0x5e0Ad34eC9DD31086E946f463a6820ef522B2c58"
REGISTRIES = {
    "app": "0xfdf44ef23E1c80ab7cf8EFE16dE7AbE038d794d7",
    "dataset": "0x9C55Cf45123190F61A3b56Fa5D5826E5E5CA76f4",
    "workerpool": "0xD9FcF393CB26143794b54d3e2641Ce1cAA30A568",
}
FUNCTIONS = {"token": 97, "native": 96, "enterprise": 97}
ENTERPRISE_HUB = "0xb80C02d24791fA92fA8983f15390274698A75D23"
ERLC = "0x938Fa27C1eD3d0Eec3F7156D0643631e04936bfB"

ZERO_SALT = bytes(32)
SALT = from_hex("0xbe1a") + bytes(30)
ENTERPRISE_SALT = (1).to_bytes(32, "big")
LIBRARY = "IexecLibOrders_v5"

TWIN = "standard"  # ends the name of an enterprise sandbox's other record

RLC_UNIT = 10**9  # nRLC
ETHER = 10**18
MEANS = 1_000_000 * RLC_UNIT  # nRLC for each named account
WRAPPED = 40_000_000 * RLC_UNIT  # nRLC that become eRLC on an enterprise chain
STAKE = 100_000 * RLC_UNIT  # nRLC that each worker has on the hub from the beginning
GAS_MONEY = 1_000 * ETHER  # wei for each named account of a token chain
ADMIN_MONEY = 87_000_000 * ETHER  # wei of account 0; on a native chain this is the RLC supply

MAX_STATE = 64 * 1024 * 1024  # bytes of a saved chain as it was deployed

# Who has no KYC on an enterprise chain, so that refusals can be seen.
NO_KYC = "beneficiary"

# Part of the name of a saved chain: count it up when what is deployed changes.
EDITION = 3


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where everything is. ``token`` is None on a native chain."""

    hub: str
    token: str | None
    registries: Mapping[str, str]


def record(
    node: Node, deployment: Deployment, *, name: str = "sandbox", services: str | None = None
) -> Chain:
    """The chain record of a deployed sandbox; ``services`` is the URL of their common server."""
    native = node.flavour == "native"
    enterprise = node.flavour == "enterprise"
    return Chain(
        id=node.chain_id,
        name=name,
        flavour="enterprise" if enterprise else "standard",
        host=node.url,
        hub=deployment.hub,
        token=deployment.token,
        app_registry=deployment.registries["app"],
        dataset_registry=deployment.registries["dataset"],
        workerpool_registry=deployment.registries["workerpool"],
        native=native,
        fixed_gas_price=0 if native else None,
        ipfs_gateway=services,
        sms=services and f"{services}/sms",
        result_proxy=services and f"{services}/result",
        iexec_gateway=services and f"{services}/market",
        faucet=services and f"{services}/faucet",
        enterprise_twin=f"{name}-{TWIN}" if enterprise else None,
        rules=V6,
    )


def twin_of(chain: Chain) -> Chain:
    """The standard hub that shares an enterprise sandbox's node; no services watch over it."""
    return chain.with_overrides(
        name=chain.enterprise_twin,
        flavour="standard",
        hub=HUB_ADDRESS,
        token=RLC,
        enterprise_twin=chain.name,
        iexec_gateway=None,
        **{f"{kind}_registry": address for kind, address in REGISTRIES.items()},
    )


def grant_kyc(rpc: Rpc, chain: Chain, person: str) -> None:
    """Let ``person`` hold the eRLC of an enterprise sandbox."""
    admin = accounts.signer("admin")
    intent = Intent(
        chain_id=chain.id,
        sender=admin.address,
        operation="sandbox KYC",
        arguments={"person": person},
    )
    sender = Transactions(rpc, chain, admin, journal=MemoryJournal())
    sender.send(intent, chain.token, DEPLOY_ERLC.grantKYC.encode([person]))


def prepare(
    node: Node, kit: Kit, *, cache: Path | None = None, progress: Progress | None = None
) -> Deployment:
    """Bring a started, empty node to the state of a new sandbox.

    Loads the chain saved in ``cache`` by an earlier call, else deploys and saves it. A saved chain
    that is damaged is replaced; a cache that cannot be written costs the time of a deployment.
    """
    progress = progress or Progress()
    saved = None if cache is None else cache / "chains" / state_name(node.flavour)
    if saved is not None and saved.exists():
        try:
            node.load(read_text(saved, MAX_STATE))
            return verify(node)
        except (IExecError, ValueError):
            progress.step("The saved chain is damaged: it is made anew")
            node.stop()  # half of it may have been loaded
            node.start()
    progress.step(f"Deploying the PoCo contracts ({node.flavour})")
    _Deployer(node, kit).run()
    deployment = verify(node)
    if saved is not None:
        try:
            make_folder(saved.parent)
            atomic_write(saved, node.dump())
        except IExecError as error:
            progress.step(f"It is not kept for next time: {error.message}")
    return deployment


def state_name(flavour: str) -> str:
    """A name for each chain that would come out different: flavour, packages, accounts, edition."""
    parts = [str(EDITION), packages.POCO.folder, *accounts.addresses().values()]
    parts += [packages.FACTORY.folder, packages.ANVIL_VERSION]
    return f"{flavour}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}.state"


def verify(node: Node) -> Deployment:
    """What is deployed on this node; SandboxError unless the hub is whole at its known address."""
    found = {
        "token": Deployment(HUB_ADDRESS, RLC, REGISTRIES),
        "native": Deployment(HUB_ADDRESS, None, REGISTRIES),
        "enterprise": Deployment(ENTERPRISE_HUB, ERLC, REGISTRIES),
    }[node.flavour]
    code = node.rpc.request("eth_getCode", (found.hub, "latest"))
    if code == "0x":
        raise SandboxError(f"no hub at {found.hub}: the contracts are not those this library knows")
    total = PROXY.totalFunctions
    count = total.decode(node.rpc.call(found.hub, total.encode()))
    if count != FUNCTIONS[node.flavour]:
        raise SandboxError(f"the hub has {count} functions, not {FUNCTIONS[node.flavour]}")
    return found


class _Deployer:
    """The steps, in order. Every send is signed by ``admin`` and confirmed before the next."""

    def __init__(self, node: Node, kit: Kit) -> None:
        self._node = node
        self._kit = kit
        self._native = node.flavour == "native"
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
        self._factory = address_to_bytes(kit.factory["address"])
        self._libraries: dict[str, str] = {}
        self._made: set[str] = set()
        self._steps = 0

    def run(self) -> None:
        """Everything."""
        self._fund()
        token = NULL_ADDRESS if self._native else self._create_token()
        self._place_factory()
        self._libraries[LIBRARY] = self._create(LIBRARY)
        self._create_hub(HUB_ADDRESS, SALT, MODULES)
        for kind in KINDS:
            self._create_registry(kind)
        self._configure(HUB_ADDRESS, token, "Staked RLC", "SRLC")
        people = accounts.addresses()
        if not self._native:
            self._share(token, people)
        self._stake(HUB_ADDRESS, token)
        if self._node.flavour == "enterprise":
            members = {name: people[name] for name in people if name != NO_KYC}
            erlc = self._create_erlc(token, members)
            self._share(erlc, members)
            self._stake(ENTERPRISE_HUB, erlc)

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

    def _create_token(self) -> str:
        return self._expect("RLC", self._created("RLC"), RLC)

    def _created(self, name: str, arguments: bytes = b"") -> str:
        """A contract created plainly: its address follows from the transactions before."""
        sent = self._send(f"create {name}", None, self._code(name, arguments))
        return checksum_address(address_to_bytes(sent.receipt["contractAddress"]))

    def _place_factory(self) -> None:
        """Set the code of the CREATE2 factory, without sending its pre-signed transaction.

        Its constructor does not look at the sender, so what it returns is what it would deploy.
        """
        init = parse(from_hex(self._kit.factory["tx"])).transaction.data
        code = self._node.rpc.request("eth_call", ({"data": to_hex(init)}, "latest"))
        self._node.set_code(checksum_address(self._factory), code)

    def _create_hub(self, known: str, salt: bytes, modules: Iterable[str]) -> None:
        update = self._create("ERC1538UpdateDelegate")
        arguments = abi.encode(["address"], [address_to_bytes(update)])
        hub = self._create_owned("ERC1538Proxy", arguments, salt=salt)
        self._expect("hub", hub, known)
        flavour = "Native" if self._native else "Token"
        for name in modules:
            module = name.format(flavour=flavour)
            signatures = _signatures(self._artifact(module).abi)
            call = PROXY.updateContract.encode(
                self._create(module), signatures, f"Linking {module}"
            )
            self._send(f"link {module}", hub, call)

    def _create_registry(self, kind: str) -> None:
        registry = self._create_owned(f"{kind.capitalize()}Registry")
        self._expect(f"{kind} registry", registry, REGISTRIES[kind])
        call = DEPLOY_REGISTRY.initialize.encode(NULL_ADDRESS)
        self._send(f"initialize the {kind} registry", registry, call)

    def _configure(self, hub: str, token: str, name: str, symbol: str) -> None:
        registries = (REGISTRIES[kind] for kind in KINDS)
        settings = (token, name, symbol, 9, *registries, NULL_ADDRESS)
        self._send("configure", hub, DEPLOY_HUB.configure.encode(*settings))
        for category, seconds in CATEGORIES.items():
            call = HUB.createCategory.encode(category, "{}", seconds)
            self._send(f"category {category}", hub, call)

    def _create_erlc(self, rlc: str, members: Mapping[str, str]) -> str:
        """The enterprise token and its hub, side by side with RLC and the standard one (§4)."""
        settings = (address_to_bytes(rlc), "iExec ERLC Token", "ERLC", 0)
        admins = [address_to_bytes(self._admin)]
        types = ["address", "string", "string", "uint256", "address[]", "address[]"]
        arguments = abi.encode(types, [*settings, admins, []])
        erlc = self._created("ERLCTokenSwap", arguments)
        self._expect("ERLC", erlc, ERLC)
        modules = [
            f"{name}KYC" if name in KYC_MODULES else name
            for name in (each.format(flavour="Token") for each in MODULES)
        ]
        self._create_hub(ENTERPRISE_HUB, ENTERPRISE_SALT, modules)
        self._configure(ENTERPRISE_HUB, erlc, "Staked eRLC", "SeRLC")
        role = DEPLOY_ERLC.KYC_ADMIN_ROLE
        admin_role = role.decode(self._node.rpc.call(erlc, role.encode()))
        self._send("KYC admin", erlc, DEPLOY_ERLC.grantRole.encode(admin_role, self._admin))
        known = [ENTERPRISE_HUB, *members.values()]
        self._send("KYC", erlc, DEPLOY_ERLC.grantKYC.encode(known))
        self._send("wrap", rlc, TOKEN.approveAndCall.encode(erlc, WRAPPED, b""))
        return erlc

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
        for library, address in self._libraries.items():
            code = code.replace(f"__{library}".ljust(40, "_"), address[2:].lower())
        return from_hex(code, name=f"bytecode of {name}") + arguments

    def _create(self, name: str) -> str:
        """A contract that needs no owner, unless it is there; its address."""
        code = self._code(name)
        if name in self._made:
            return self._address(code, ZERO_SALT)
        self._made.add(name)
        call = FACTORY.createContract.encode_raw(code, ZERO_SALT)
        self._send(f"create {name}", checksum_address(self._factory), call)
        return self._address(code, ZERO_SALT)

    def _create_owned(self, name: str, arguments: bytes = b"", *, salt: bytes = SALT) -> str:
        """A contract that the factory hands over to ``admin``: the call is part of the address."""
        code = self._code(name, arguments)
        hand_over = OWNED.transferOwnership.encode(self._admin)
        call = FACTORY.createContractAndCall.encode_raw(code, salt, hand_over)
        self._send(f"create {name}", checksum_address(self._factory), call)
        return self._address(code, salt, hand_over)

    def _address(self, code: bytes, salt: bytes, call: bytes = b"") -> str:
        digest = keccak(b"\xff" + self._factory + keccak(salt + call) + keccak(code))
        return checksum_address(digest[12:])

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


def _signatures(entries: Iterable[Mapping[str, object]]) -> str:
    """What ``updateContract`` links: ``receive;fallback;`` first, then every function."""
    special, functions = "", ""
    for entry in entries:
        if entry["type"] in ("receive", "fallback"):
            special += f"{entry['type']};"
        elif entry["type"] == "function":
            functions += abi.function_from_json(entry).signature + ";"
    return special + functions
