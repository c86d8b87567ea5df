"""The networks iExec runs on, one record each, and how a name or an id finds its record.

A record holds everything that differs between networks: ids, contract addresses, service URLs, gas
rule and the ``Rules`` of its generation (chain.md §1.1–1.3, §1.6; services.md §0, §9.1). To add a
network, add a record. The V6 networks are kept as ``legacy``: their services are gone, their orders
and signatures still verify. Refused: addresses, ids and flavours that cannot be; an unknown *name*.
An unknown *id* is a network of the user's own: it has the gateways of its flavour and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ..errors import ConfigurationError, ValidationError
from ..eth.codec import address_to_bytes, checksum_address
from ..frozen import Frozen, fields, replace, unchecked
from .rules import ALL_RULES, V6, V9, Rules
from .units import shown

__all__ = [
    "CHAINS",
    "DEFAULT_CHAIN",
    "FLAVOURS",
    "Chain",
    "chain_id",
    "resolve",
    "rules_named",
]

DEFAULT_CHAIN = "arbitrum-sepolia-testnet"  # of new projects
FLAVOURS = ("standard", "enterprise")

_ADDRESSES = (
    *("hub", "token", "app_registry", "dataset_registry", "workerpool_registry"),
    *("bridge_contract", "ens_registry"),
)
_NUMBERS = ("fixed_gas_price", "bridged_chain_id")
_FLAGS = ("native", "use_gas", "legacy")


class Chain(Frozen):
    """One network as the library sees it. ``None`` means there is no such thing, or none is known.

    ``host`` is the node's URL, or the symbolic ``mainnet`` / ``goerli`` of V6 (several public
    nodes, see ``chains.node_urls``). ``native``: the chain's coin is RLC, and there is no token.
    ``token`` and the registries hold for this ``hub`` only. ``fixed_gas_price`` (wei) is what the
    network prescribes; :attr:`gas_price` is what to use. ``bridged_chain`` names the other end of
    the bridge, ``enterprise_twin`` the network of the other flavour on the same chain. ``faucet``
    is the URL of the network's own one, if it has one (see ``faucets.py``).
    """

    id: int
    name: str = ""
    flavour: str = "standard"
    host: str | None = None
    hub: str | None = None
    token: str | None = None
    app_registry: str | None = None
    dataset_registry: str | None = None
    workerpool_registry: str | None = None
    native: bool = False
    use_gas: bool = True
    fixed_gas_price: int | None = None
    sms: str | None = None
    result_proxy: str | None = None
    iexec_gateway: str | None = None
    ipfs_gateway: str | None = None
    ipfs_node: str | None = None
    compass: str | None = None
    poco_subgraph: str | None = None
    bridge_contract: str | None = None
    bridged_chain_id: int | None = None
    bridged_chain: str | None = None
    ens_registry: str | None = None
    faucet: str | None = None
    enterprise_twin: str | None = None
    rules: Rules = V6
    legacy: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", chain_id(self.id))
        if not self.name:
            object.__setattr__(self, "name", str(self.id))
        if self.flavour not in FLAVOURS:
            raise ConfigurationError(
                f"invalid flavour {self.flavour!r}: it is 'standard' or 'enterprise'"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            _check(field.name, value)
            if field.name in _ADDRESSES:
                value = checksum_address(address_to_bytes(value, name=field.name))
                object.__setattr__(self, field.name, value)

    def __repr__(self) -> str:
        # Not the host: a node's URL may hold the user's key.
        return f"Chain(id={self.id}, name={self.name!r}, flavour={self.flavour!r})"

    @property
    def gas_price(self) -> int | None:
        """Wei per gas that every transaction must offer here; None: the node's or the user's."""
        return self.fixed_gas_price if self.use_gas else 0

    @property
    def enterprise(self) -> bool:
        """Whether accounts need a KYC (the token is eRLC)."""
        return self.flavour == "enterprise"

    @property
    def symbol(self) -> str:
        """What its money is called."""
        return "eRLC" if self.enterprise else "RLC"

    def require_hub(self) -> str:
        """Address of the hub, or ConfigurationError with the V6 text where none is known."""
        if self.hub:
            return self.hub
        text = (
            "missing iExec proxy configuration"
            if self.enterprise
            else f'missing chainId "{self.id}" in iExec proxy configuration'
        )
        raise ConfigurationError(
            f"{text}: give the address of the hub (hub_address, or hub in chain.json)"
        )

    def with_overrides(self, **changes: object) -> Chain:
        """This record with some fields changed.

        Another ``hub`` has its own token and registries, and a native chain has no token: those
        are forgotten unless they are among the changes, so that they will be asked of the hub.
        """
        if "hub" in changes:
            same = (
                changes["hub"] is not None
                and self.hub is not None
                and (address_to_bytes(changes["hub"], name="hub") == address_to_bytes(self.hub))
            )
            if not same:
                for name in ("token", "app_registry", "dataset_registry", "workerpool_registry"):
                    changes.setdefault(name, None)
        if changes.get("native"):
            changes.setdefault("token", None)
        return replace(self, **changes)

    def to_dict(self) -> dict[str, object]:
        """JSON form: the fields that are not at their default; ``rules`` by name."""
        result: dict[str, object] = {"rules": self.rules.name}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "rules" and value != field.default:
                result[field.name] = value
        return result

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Chain:
        """The record that :meth:`to_dict` wrote. Raises ConfigurationError or ValidationError."""
        if not isinstance(value, Mapping):
            raise ConfigurationError(
                f"a chain record must be an object, not {type(value).__name__}"
            )
        unknown = sorted(set(value) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigurationError(
                f'Unknown key "{", ".join(map(str, unknown))}" in a chain record'
            )
        missing = [name for name in ("id", "rules") if name not in value]
        if missing:
            raise ConfigurationError(f"a chain record needs {' and '.join(missing)}")
        return cls(**{**value, "rules": rules_named(value["rules"])})  # type: ignore[arg-type]


def _check(name: str, value: object) -> None:
    """Refuse a value of the wrong kind: records also come from files and from options."""
    if name == "id":
        return
    if name in _FLAGS:
        good, wanted = isinstance(value, bool), "a boolean"
    elif name in _NUMBERS:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        wanted = "a number from 0"
    elif name == "rules":
        good, wanted = isinstance(value, Rules), "a set of rules"
    else:
        good, wanted = isinstance(value, str) and bool(value), "text, not empty"
    if not good:
        raise ConfigurationError(f"chain record: {name} must be {wanted}")


def chain_id(value: object) -> int:
    """A chain id given as positive ``int`` or decimal text, as ``int``."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 78:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 256:
        raise ValidationError(f"{shown(value)} is not a valid chainId")
    return value


def rules_named(name: object) -> Rules:
    """The rules of a generation (``v6``, ``v9``) by name."""
    found = ALL_RULES.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigurationError(f"unknown rules {shown(name)!r}: known are {', '.join(ALL_RULES)}")
    return found


# --- the networks ---------------------------------------------------------------------------------
# Not checked each time this is loaded, as addresses take Keccak: a test does.

_POCO5 = {
    "hub": "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f",
    "app_registry": "0xB1C52075b276f87b1834919167312221d50c9D16",
    "dataset_registry": "0x799DAa22654128d0C64d5b79eac9283008158730",
    "workerpool_registry": "0xC76A18c78B7e530A165c5683CB1aB134E21938B4",
}
_POCO6 = {
    "app_registry": "0x9950D94fb074182ee93ff79A50Cd698C4983281F",
    "dataset_registry": "0x07Cc4E1EA30dD02796795876509A3BfC5053128D",
    "workerpool_registry": "0xe3c13bb4A5068601c6A08041Cb50887B07B5F398",
}
_V6 = {"ipfs_gateway": "https://ipfs-legacy.iex.ec"}
_GATEWAYS = {
    "standard": {**_V6, "iexec_gateway": "https://v6.api.market.iex.ec"},
    "enterprise": {**_V6, "iexec_gateway": "https://v6.api-enterprise.market.iex.ec"},
}
_ENS = "0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e"
_ENTERPRISE_HUB = "0x0bf375A6238359CE14987C2285B8B099eE8e8709"


def _v9(chain: int, name: str, **settings: object) -> Chain:
    """A network of today."""
    return unchecked(Chain, {"id": chain, "name": name, "rules": V9, **_POCO6, **settings})


def _v6(chain: int, name: str, **settings: object) -> Chain:
    """A network of V6, in standard flavour unless it says otherwise."""
    flavour = str(settings.get("flavour", "standard"))
    contracts = _POCO5 if flavour == "standard" else {}
    known = {"id": chain, "name": name, "rules": V6, "legacy": True}
    return unchecked(Chain, {**known, **_GATEWAYS[flavour], **contracts, **settings})


_NETWORKS = (
    _v9(
        42161,
        "arbitrum-mainnet",
        host="https://arb1.arbitrum.io/rpc",
        hub="0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0",
        token="0xe649e6a1F2afc63ca268C2363691ceCAF75CF47C",  # noqa: S106
        sms="https://sms.arbitrum-mainnet.iex.ec",
        iexec_gateway="https://api.market.arbitrum-mainnet.iex.ec",
        ipfs_gateway="https://ipfs-gateway.arbitrum-mainnet.iex.ec",
        ipfs_node="https://ipfs-upload.arbitrum-mainnet.iex.ec",
        compass="https://compass.arbitrum-mainnet.iex.ec",
        poco_subgraph="https://thegraph.arbitrum.iex.ec/api/subgraphs/id/B1comLe9SANBLrjdnoNTJSubbeC7cY7EoNu6zD82HeKy",
    ),
    _v9(
        421614,
        "arbitrum-sepolia-testnet",
        host="https://sepolia-rollup.arbitrum.io/rpc",
        hub="0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E",
        token="0x9923eD3cbd90CD78b910c475f9A731A6e0b8C963",  # noqa: S106
        sms="https://sms.arbitrum-sepolia-testnet.iex.ec",
        iexec_gateway="https://api-market.arbitrum-sepolia-testnet.iex.ec",
        ipfs_gateway="https://ipfs-gateway.arbitrum-sepolia-testnet.iex.ec",
        ipfs_node="https://ipfs-upload.arbitrum-sepolia-testnet.iex.ec",
        compass="https://compass.arbitrum-sepolia-testnet.iex.ec",
        poco_subgraph="https://thegraph.arbitrum-sepolia-testnet.iex.ec/api/subgraphs/id/2GCj8gzLCihsiEDq8cYvC5nUgK6VfwZ6hm3Wj8A3kcxz",
    ),
    _v6(
        1,
        "mainnet",
        host="mainnet",
        token="0x607F4C5BB672230e8672085532f7e901544a7375",  # noqa: S106
        sms="https://v6.sms.mainnet.iex.ec",
        result_proxy="https://v6.result.mainnet.iex.ec",
        bridge_contract="0x4e55c9B8953AB1957ad0A59D413631A66798c6a2",
        bridged_chain_id=134,
        bridged_chain="bellecour",
        ens_registry=_ENS,
        enterprise_twin="enterprise",
    ),
    _v6(
        5,
        "goerli",
        host="goerli",
        token="0xe0d00540a3729B4fdB96f92534dA97DC7973Af8b",  # noqa: S106
        sms="https://v6.sms.goerli.iex.ec",
        result_proxy="https://v6.result.goerli.iex.ec",
        bridge_contract="0x1e32aFA55854B6c015D284E3ccA9aA5a463A1418",
        bridged_chain_id=133,
        bridged_chain="viviani",
        ens_registry=_ENS,
        enterprise_twin="enterprise-testnet",
    ),
    _v6(
        133,
        "viviani",
        host="https://viviani.iex.ec",
        native=True,
        fixed_gas_price=0,
        sms="https://v6.sms.viviani.iex.ec",
        result_proxy="https://v6.result.viviani.iex.ec",
        bridge_contract="0x63CBf84596d0Dc13fCE1d8FA4470dc208390998a",
        bridged_chain_id=5,
        bridged_chain="goerli",
    ),
    _v6(
        134,
        "bellecour",
        host="https://bellecour.iex.ec",
        native=True,
        fixed_gas_price=0,
        sms="https://v6.sms.bellecour.iex.ec",
        result_proxy="https://v6.result.bellecour.iex.ec",
        bridge_contract="0x188A4376a1D818bF2434972Eb34eFd57102a19b7",
        bridged_chain_id=1,
        bridged_chain="mainnet",
    ),
    _v6(
        1,
        "enterprise",
        flavour="enterprise",
        host="mainnet",
        hub=_ENTERPRISE_HUB,
        token="0xA3B26327482312f70E077aAba62336f7643e41E1",  # noqa: S106
        sms="https://v6.sms-enterprise.mainnet.iex.ec",
        result_proxy="https://v6.result-enterprise.mainnet.iex.ec",
        ens_registry=_ENS,
        enterprise_twin="mainnet",
    ),
    _v6(
        5,
        "enterprise-testnet",
        flavour="enterprise",
        host="goerli",
        hub=_ENTERPRISE_HUB,
        token="0xe8D9DB06F99536612c6B193E4C7347866B84C9d5",  # noqa: S106
        sms="https://v6.sms-enterprise.goerli.iex.ec",
        result_proxy="https://v6.result-enterprise.goerli.iex.ec",
        ens_registry=_ENS,
        enterprise_twin="goerli",
    ),
    # Test networks that V6 knew contracts on, but neither a node nor a service
    _v6(3, "ropsten", ens_registry=_ENS),
    _v6(4, "rinkeby", ens_registry=_ENS),
    _v6(42, "kovan"),
    # Bellecour as the JS SDK 8.24.0 left it, the last one to know it
    _v6(
        134,
        "bellecour-v8",
        host="https://bellecour.iex.ec",
        native=True,
        fixed_gas_price=0,
        sms="https://sms.iex.ec",
        result_proxy="https://result.v8-bellecour.iex.ec",
        iexec_gateway="https://api.market.v8-bellecour.iex.ec",
        ipfs_gateway="https://ipfs-gateway.v8-bellecour.iex.ec",
        ipfs_node="https://ipfs-upload.v8-bellecour.iex.ec",
        poco_subgraph="https://thegraph.iex.ec/subgraphs/name/bellecour/poco-v5",
        ens_registry="0x5f5B93fca68c9C79318d1F3868A354EE67D8c006",
    ),
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")

CHAINS: Mapping[str, Chain] = MappingProxyType({chain.name: chain for chain in _NETWORKS})


def resolve(name_or_id: str | int, flavour: str = "standard") -> Chain:
    """The record of a network by name, or by chain id (``int`` or decimal text) and flavour.

    An id that is not known, or not in this flavour, gets a record of its own. Raises
    ConfigurationError for an unknown name or flavour, ValidationError for an impossible id.
    """
    if isinstance(name_or_id, str) and not name_or_id.isdigit():
        named = CHAINS.get(name_or_id)
        if named is None:
            # What is no name may be a key, or a URL with one in it: it is not repeated.
            what = f" {name_or_id!r}" if _NAME.fullmatch(name_or_id) else ", the text is no name"
            raise ConfigurationError(
                f"unknown network{what}: known are {', '.join(CHAINS)}, and sandbox where one "
                "runs; for another network give its chain id, or a node's URL with its https://"
            )
        if flavour in ("standard", named.flavour):  # "enterprise" is a name of its own
            return named
        name_or_id = named.id
    number = chain_id(name_or_id)
    known = [chain for chain in CHAINS.values() if chain.id == number]
    for chain in known:
        if chain.flavour == flavour:
            return chain
    if flavour not in FLAVOURS:
        raise ConfigurationError(f"invalid flavour {flavour!r}: it is 'standard' or 'enterprise'")
    own: dict[str, object] = {"id": number, "flavour": flavour, **_GATEWAYS[flavour]}
    # Node, gas rule and ENS hang on the id alone, everything else on the flavour (chain.md §1.1).
    for name in ("host", "fixed_gas_price", "ens_registry", "legacy", "rules"):
        if known:
            own[name] = getattr(known[0], name)
    return Chain(**own)  # type: ignore[arg-type]  # checked by __post_init__
