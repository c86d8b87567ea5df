"""Functions that only a deployment of the contracts calls: the sandbox, never a user.

PoCo 5 is a proxy that is told its modules (ERC-1538), PoCo 6 a diamond (ERC-2535). The tables are
apart from ``contracts.py`` so that nobody finds an owner's switch among the daily functions.
Spec: sandbox.md §3, §4; sandbox6.md §4–6.
"""
# Attributes are named as the contracts name them.
# ruff: noqa: N815

from __future__ import annotations

from .methods import Method

__all__ = ["DEPLOY_ENS", "DEPLOY_ERLC", "DEPLOY_HUB", "DEPLOY_REGISTRY", "DEPLOY_RLC"]
__all__ += ["DIAMOND", "FACTORY", "OWNED", "PROXY"]

_CUT = "(address facetAddress, uint8 action, bytes4[] functionSelectors)[] cuts"


class _Owned:
    """Any contract with an owner."""

    owner = Method("owner() view returns (address)")
    transferOwnership = Method("transferOwnership(address newOwner)")


class _Factory:
    """The CREATE2 factory. The salt really used is keccak256(salt ++ call)."""

    createContract = Method("createContract(bytes code, bytes32 salt) returns (address)")
    createContractAndCall = Method(
        "createContractAndCall(bytes code, bytes32 salt, bytes call) returns (address)"
    )
    predictAddress = Method("predictAddress(bytes code, bytes32 salt) view returns (address)")
    predictAddressWithCall = Method(
        "predictAddressWithCall(bytes code, bytes32 salt, bytes call) view returns (address)"
    )


class _Proxy:
    """The ERC-1538 hub of PoCo 5. ``functionSignatures`` are joined, each ended by ``;``."""

    updateContract = Method(
        "updateContract(address delegate, string functionSignatures, string commitMessage)"
    )
    totalFunctions = Method("totalFunctions() view returns (uint256)")
    functionByIndex = Method(
        "functionByIndex(uint256 index) view returns "
        "(string signature, bytes4 id, address delegate)"
    )


class _Diamond:
    """The ERC-2535 hub of PoCo 6. Action 0 adds."""

    init = Method("init()")
    diamondCut = Method(f"diamondCut({_CUT}, address init, bytes initCalldata)")
    facets = Method("facets() view returns ((address facetAddress, bytes4[] functionSelectors)[])")
    facetAddress = Method("facetAddress(bytes4 selector) view returns (address)")
    facetAddresses = Method("facetAddresses() view returns (address[])")
    facetFunctionSelectors = Method("facetFunctionSelectors(address facet) view returns (bytes4[])")


class _Hub:
    """Settings of the hub, its owner's alone."""

    configure = Method(
        "configure(address token, string name, string symbol, uint8 decimals, "
        "address appregistry, address datasetregistry, address workerpoolregistry, address v3hub)"
    )
    changeRegistries = Method(
        "changeRegistries(address appregistry, address datasetregistry, address workerpoolregistry)"
    )
    setTeeBroker = Method("setTeeBroker(address teebroker)")
    setCallbackGas = Method("setCallbackGas(uint256 callbackgas)")
    updateDomainSeparator = Method("updateDomainSeparator()")
    setName = Method("setName(address ens, string name)")


class _Registry:
    """The three registries."""

    initialize = Method("initialize(address previous)")
    setBaseURI = Method("setBaseURI(string baseURI)")
    setName = Method("setName(address ens, string name)")


class _Rlc:
    """The faucet's RLC."""

    refill = Method("refill(address to, uint256 value) returns (bool)")


class _Erlc:
    """The enterprise token."""

    KYC_ADMIN_ROLE = Method("KYC_ADMIN_ROLE() view returns (bytes32)")
    grantRole = Method("grantRole(bytes32 role, address account)")
    grantKYC = Method("grantKYC(address[] accounts)")
    revokeKYC = Method("revokeKYC(address[] accounts)")


class _Ens:
    """ENS contracts: registry, first-come registrar, resolver."""

    setSubnodeOwner = Method(
        "setSubnodeOwner(bytes32 node, bytes32 label, address owner) returns (bytes32)"
    )
    setOwner = Method("setOwner(bytes32 node, address owner)")
    setResolver = Method("setResolver(bytes32 node, address resolver)")
    register = Method("register(bytes32 label, address owner)")
    setAddr = Method("setAddr(bytes32 node, uint256 coinType, bytes a)")


OWNED = _Owned()
FACTORY = _Factory()
PROXY = _Proxy()
DIAMOND = _Diamond()
DEPLOY_HUB = _Hub()
DEPLOY_REGISTRY = _Registry()
DEPLOY_RLC = _Rlc()
DEPLOY_ERLC = _Erlc()
DEPLOY_ENS = _Ens()
