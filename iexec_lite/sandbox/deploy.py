"""The PoCo contracts on a fresh node, at their well-known addresses.

Deployed by the library's own sends, one after another (``deploy_proxy``, ``deploy_diamond``); then
the named accounts get RLC and the workers a stake. The addresses follow from account and code, so a
hub elsewhere than at the known address is an error, not a surprise.

A deployed chain is saved in the cache and loaded next time: see :func:`prepare`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import IExecError, SandboxError
from ..net.rpc import Rpc
from ..protocol.chains import Chain
from ..protocol.deployment import DEPLOY_ERLC
from ..sdk.files import atomic_write, read_text
from ..sdk.journal import MemoryJournal
from ..sdk.transactions import Intent, Transactions
from . import accounts, deploy_diamond, deploy_proxy, packages
from .deploy_proxy import ERLC, HUB_ADDRESS, NO_KYC, REGISTRIES, RLC
from .deployer import CATEGORIES, GAS_MONEY, MEANS, STAKE, Deployer
from .folders import make_folder
from .kinds import Kind
from .node import Node
from .packages import Kit
from .progress import Progress

__all__ = [
    "CATEGORIES",
    "GAS_MONEY",
    "HUB_ADDRESS",
    "MEANS",
    "NO_KYC",
    "STAKE",
    "Deployment",
    "grant_kyc",
    "prepare",
    "record",
    "twin_of",
    "verify",
]

TWIN = "standard"  # ends the name of an enterprise sandbox's other record
MAX_STATE = 64 * 1024 * 1024  # bytes of a saved chain as it was deployed

# Part of the name of a saved chain: count it up when what is deployed changes.
EDITION = 3


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where everything is. ``token`` is None on a native chain."""

    hub: str
    token: str | None
    registries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Contracts:
    """How the contracts of a kind are deployed, and what comes out."""

    deployer: type[Deployer]
    count: Callable[[Node, str], int]
    deployment: Deployment
    functions: int


_CONTRACTS = {
    **{
        name: _Contracts(
            deploy_proxy.ProxyDeployer,
            deploy_proxy.count_functions,
            Deployment(hub, token, REGISTRIES),
            deploy_proxy.FUNCTIONS[name],
        )
        for name, hub, token in (
            ("token", HUB_ADDRESS, RLC),
            ("native", HUB_ADDRESS, None),
            ("enterprise", deploy_proxy.ENTERPRISE_HUB, ERLC),
        )
    },
    "token-6": _Contracts(
        deploy_diamond.DiamondDeployer,
        deploy_diamond.count_functions,
        Deployment(deploy_diamond.HUB_ADDRESS, RLC, deploy_diamond.REGISTRIES),
        deploy_diamond.FUNCTIONS,
    ),
}


def record(
    node: Node, deployment: Deployment, *, name: str = "sandbox", services: str | None = None
) -> Chain:
    """The chain record of a deployed sandbox; ``services`` is the URL of their common server."""
    native, enterprise = node.kind.native, node.kind.enterprise
    urls = node.kind.urls if services else {}
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
        enterprise_twin=f"{name}-{TWIN}" if enterprise else None,
        rules=node.kind.rules,
    ).with_overrides(**{field: f"{services}{path}" for field, path in urls.items()})


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
    saved = None if cache is None else cache / "chains" / state_name(node.kind)
    if saved is not None and saved.exists():
        try:
            node.load(read_text(saved, MAX_STATE))
            return verify(node)
        except (IExecError, ValueError):
            progress.step("The saved chain is damaged: it is made anew")
            node.stop()  # half of it may have been loaded
            node.start()
    progress.step(f"Deploying the PoCo contracts ({node.kind})")
    _CONTRACTS[node.kind.name].deployer(node, kit).run()
    deployment = verify(node)
    if saved is not None:
        try:
            make_folder(saved.parent)
            atomic_write(saved, node.dump())
        except IExecError as error:
            progress.step(f"It is not kept for next time: {error.message}")
    return deployment


def state_name(kind: Kind) -> str:
    """A name for each chain that would come out different: kind, packages, accounts, edition."""
    parts = [str(EDITION), *accounts.addresses().values()]
    parts += [package.folder for package in packages.contracts_of(kind.generation)]
    parts.append(packages.ANVIL_VERSION)
    return f"{kind.name}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}.state"


def verify(node: Node) -> Deployment:
    """What is deployed on this node; SandboxError unless the hub is whole at its known address."""
    known = _CONTRACTS[node.kind.name]
    found = known.deployment
    code = node.rpc.request("eth_getCode", (found.hub, "latest"))
    if code == "0x":
        raise SandboxError(f"no hub at {found.hub}: the contracts are not those this library knows")
    count = known.count(node, found.hub)
    if count != known.functions:
        raise SandboxError(f"the hub has {count} functions, not {known.functions}")
    return found
