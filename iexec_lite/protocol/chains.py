"""Which network to work on: the records of ``networks.py``, and the user's ``chain.json``.

``ChainFile`` reads the project file of V6 and of today's SDK (chain.md §1.4; cli.md §4.3, §5) and
lays its values over the records. It is strict: unknown keys and wrong types are refused, all of
them at once, with the V6 texts. Beyond V6: networks that have a record need no entry; the JS
SDK's crashes and gaps around custom names and bridges are mended (cli.md B4, B5, B5b); the keys
``ipfsNode``, ``compass``, ``pocoSubgraph`` and, for private networks, ``rules``. ``node_urls``
turns a host into node URLs, also V6's symbolic ``mainnet`` (chain.md §1.5). No I/O here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import cast

from ..errors import ConfigurationError, IExecError, ValidationError
from ..eth.codec import address_to_bytes, load_json
from ..frozen import Frozen, field, replace
from .networks import (
    CHAINS,
    DEFAULT_CHAIN,
    FLAVOURS,
    Chain,
    chain_id,
    resolve,
    rules_named,
)
from .rules import ALL_RULES

__all__ = [
    "CHAINS",
    "DEFAULT_CHAIN",
    "PUBLIC_NODES",
    "Chain",
    "ChainFile",
    "Providers",
    "Selection",
    "chain_entry",
    "chain_id",
    "new_chain_file",
    "node_urls",
    "resolve",
]

Entry = Mapping[str, object]

# key of a chain in chain.json → field of the record
_TEXTS = {
    "host": "host",
    "hub": "hub",
    "sms": "sms",
    "resultProxy": "result_proxy",
    "ipfsGateway": "ipfs_gateway",
    "ipfsNode": "ipfs_node",
    "iexecGateway": "iexec_gateway",
    "compass": "compass",
    "pocoSubgraph": "poco_subgraph",
}
_OLD_TEXTS = ("host", "hub", "sms", "resultProxy", "ipfsGateway", "iexecGateway")
_FLAGS = {"native": "native", "useGas": "use_gas"}
_OBJECTS = {"bridge": ("bridgedChainName", "contract"), "enterprise": ("enterpriseSwapChainName",)}
_CHAIN_KEYS = (*_TEXTS, *_FLAGS, *_OBJECTS, "id", "flavour", "rules")
_FILE_KEYS = ("default", "chains", "providers", "allowExperimentalNetworks")


def new_chain_file() -> dict[str, object]:
    """The ``chain.json`` of a new project."""
    today = [chain.name for chain in CHAINS.values() if not chain.legacy]
    return {"default": DEFAULT_CHAIN, "chains": {name: {} for name in today}}


def chain_entry(chain: Chain) -> dict[str, object]:
    """The entry of ``chain.json`` that says all of a record that its SDK has a key for, no more.

    The JavaScript SDK refuses other keys. What the record has not is an empty text, lest a default
    stand in; newer keys are left out then. ``bridgedChainId`` is no key of the documents, but
    without it V6's bridge commands do nothing.
    """
    known = chain.rules.chain_keys
    entry: dict[str, object] = {"id": str(chain.id)}
    for key in known:
        if key in _TEXTS and (getattr(chain, _TEXTS[key]) or key in _OLD_TEXTS):
            entry[key] = getattr(chain, _TEXTS[key]) or ""
    plain = {"native": chain.native, "useGas": chain.gas_price != 0, "flavour": chain.flavour}
    entry |= {key: value for key, value in plain.items() if key in known}
    if chain.bridge_contract is not None:
        entry["bridge"] = {
            "bridgedChainName": chain.bridged_chain,
            "bridgedChainId": str(chain.bridged_chain_id),
            "contract": chain.bridge_contract,
        }
    if chain.enterprise_twin is not None:
        entry["enterprise"] = {"enterpriseSwapChainName": chain.enterprise_twin}
    return entry


class Providers(Frozen):
    """Keys for public nodes (V6 ``providers``). ``repr`` hides them; ``quorum`` is 1 to 3."""

    alchemy: str | None = field(default=None, repr=False)
    etherscan: str | None = field(default=None, repr=False)
    infura: str | None = field(default=None, repr=False)
    infura_secret: str | None = field(default=None, repr=False)
    quorum: int | None = None

    @classmethod
    def from_dict(cls, value: object) -> Providers:
        """``{alchemy, etherscan, infura: key or {projectId, projectSecret}, quorum}``."""
        faults = _Faults("")
        found = _providers(value, faults)
        faults.raise_any()
        return found


NO_KEYS = Providers()


class Selection(Frozen):
    """One network of a ``chain.json`` with what hangs on it.

    ``bridged`` is the other end of its bridge, ``twin`` the network of the other flavour.
    ``ignored`` are keys of V6 in its entry which mean nothing on such a network.
    """

    chain: Chain
    bridged: Chain | None = None
    twin: Chain | None = None
    providers: Providers = Providers()
    ignored: tuple[str, ...] = ()

    def require(self, key: str) -> str:
        """A text setting by its ``chain.json`` key, or ConfigurationError that names it."""
        value = getattr(self.chain, _TEXTS[key])
        if not value:
            raise ConfigurationError(f'Missing {key} in "chain.json" for chain {self.chain.id}')
        return str(value)


class ChainFile(Frozen):
    """A ``chain.json`` that passed all checks. ``chains`` holds the entries as they are written."""

    default: str | None = None
    chains: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    providers: Providers = Providers()

    @classmethod
    def parse(cls, text: str | bytes) -> ChainFile:
        """The file's content. Raises ValidationError with every fault found."""
        try:
            value = load_json(text)
        except ValueError as error:
            raise ValidationError(f"chain.json is not JSON: {error}", cause=error) from None
        return cls.from_dict(value)

    @classmethod
    def from_dict(cls, value: object) -> ChainFile:
        """The parsed JSON of the file. Raises ValidationError with every fault found."""
        faults = _Faults(" in chain.json")
        if not faults.kind(value, dict, "this"):
            faults.raise_any()
        content = cast("dict[str, object]", value)
        faults.unknown(content, _FILE_KEYS)
        faults.members(content, ("default",), str)
        faults.members(content, ("allowExperimentalNetworks",), bool)
        default, chains = content.get("default"), content.get("chains")
        if "chains" not in content:
            faults.add("chains is a required field")
        elif faults.kind(chains, dict, "chains"):
            for name, entry in cast("dict[str, object]", chains).items():
                _check_entry(entry, _Faults(f' in chain.json (chain "{name}")', faults.found))
        providers = _providers(content.get("providers", {}), faults)
        faults.raise_any()
        return cls(
            default=cast("str | None", default) or None,
            chains=cast("dict[str, Entry]", chains),
            providers=providers,
        )

    def select(self, name: str | None = None, *, extra: Mapping[str, Chain] = {}) -> Selection:
        """The network called ``name`` (or with this id); without a name, the file's default.

        ``extra`` are records beside the built-in ones, for example of a running sandbox. Raises
        ConfigurationError with the V6 texts where something is missing.
        """
        name = name or self.default or ("goerli" if "goerli" in self.chains else None)
        if name is None:
            raise ConfigurationError('Missing chain parameter. Check your "chain.json" file')
        name, entry = self._find(name, extra)
        chain = _build(name, entry, extra)
        ignored = _retired(entry, chain)
        entry = {key: value for key, value in entry.items() if key not in ignored}
        if not chain.host:
            raise ConfigurationError(
                'Missing RPC host, no "host" key in "chain.json" and no default value for chain '
                f"{chain.id}"
            )
        chain, bridged = self._bridge(chain, extra)
        chain, twin = self._twin(chain, entry, extra)
        return Selection(
            chain=chain, bridged=bridged, twin=twin, providers=self.providers, ignored=ignored
        )

    def _find(self, name: str, extra: Mapping[str, Chain]) -> tuple[str, Entry]:
        """Name and entry: the file first, then the known name of an id, then the records."""
        known = {**CHAINS, **extra}
        aliases = [k for k, c in known.items() if str(c.id) == name and not c.enterprise]
        for candidate in (name, *aliases):
            if candidate in self.chains:
                return candidate, self.chains[candidate]
        for candidate in (name, *aliases):
            if candidate in known:
                return candidate, {}
        today = [chain.name for chain in CHAINS.values() if not chain.legacy]
        names = ", ".join(dict.fromkeys([*self.chains, *extra, *today]))
        raise ConfigurationError(f'Missing "{name}" chain in "chain.json" (known: {names})')

    def _bridge(self, chain: Chain, extra: Mapping[str, Chain]) -> tuple[Chain, Chain | None]:
        """The chain with its bridge, and the chain at the other end."""
        if chain.bridged_chain is None:
            return chain, None
        name, other = self._find(chain.bridged_chain, extra)
        bridged = _build(name, other, extra)
        if not bridged.host:
            raise ConfigurationError(
                'Missing RPC host for bridged chain, no "host" key in "chain.json" and no default '
                f"value for bridged chain {bridged.id}"
            )
        return replace(chain, bridged_chain=name, bridged_chain_id=bridged.id), bridged

    def _twin(
        self, chain: Chain, entry: Entry, extra: Mapping[str, Chain]
    ) -> tuple[Chain, Chain | None]:
        """The chain, and the network of the other flavour, which lives on the same node."""
        named = cast("Entry", entry.get("enterprise", {})).get("enterpriseSwapChainName")
        name = str(named) if named else chain.enterprise_twin
        if name is None:
            return chain, None
        name, other = self._find(name, extra)
        flavour = "standard" if chain.enterprise else "enterprise"
        twin = _build(name, {"id": str(chain.id), **other, "flavour": flavour}, extra)
        if not twin.host:
            twin = replace(twin, host=chain.host)
        return replace(chain, enterprise_twin=name), twin


def _retired(entry: Entry, chain: Chain) -> tuple[str, ...]:
    """The keys of an entry which only networks of the past know.

    Whoever writes ``rules``, a key of ours, means what stands beside it.
    """
    retired = () if "rules" in entry else chain.rules.retired_chain_keys
    return tuple(key for key in entry if key in retired)


def _build(name: str, entry: Entry, extra: Mapping[str, Chain]) -> Chain:
    """The record of (id, flavour), by the entry or else by the name, under the entry's values."""
    base = extra.get(name) or CHAINS.get(name)
    if base is None and not name.isdigit() and "id" not in entry:
        raise ConfigurationError(
            f'Missing id in "chain.json" for chain {name}: it is no network known by name'
        )
    number = chain_id(entry.get("id") or (base.id if base else name))
    known = base if base is not None and base.id == number else resolve(number)
    entry = {k: v for k, v in entry.items() if k not in _retired(entry, known)}
    flavour = str(entry.get("flavour") or (base.flavour if base else "standard"))
    if base is None or (number, flavour) != (base.id, base.flavour):
        base = resolve(number, flavour)
    changes: dict[str, object] = {"name": name}
    for key, attribute in {**_TEXTS, **_FLAGS}.items():
        if key in entry and not (key == "hub" and not entry[key]):
            changes[attribute] = None if entry[key] == "" else entry[key]
    if "bridge" in entry:  # replaces the default one entirely
        bridge = cast("Entry", entry["bridge"])
        changes |= {
            "bridge_contract": bridge["contract"],
            "bridged_chain": bridge["bridgedChainName"],
            "bridged_chain_id": None,
        }
    if "rules" in entry:
        changes["rules"] = rules_named(entry["rules"])
    return base.with_overrides(**changes)


# --- checks of the file ---------------------------------------------------------------------------

_KINDS = {str: "string", bool: "boolean", dict: "object", int: "number"}


class _Faults:
    """Collects faults in the words of V6; ``where`` is appended to each."""

    def __init__(self, where: str, found: list[str] | None = None) -> None:
        self.where = where
        self.found: list[str] = [] if found is None else found

    def add(self, text: str) -> None:
        self.found.append(text + self.where)

    def kind(self, value: object, kind: type, path: str, *, secret: bool = False) -> bool:
        """Whether ``value`` is of this kind. A secret is not shown."""
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return True
        shown = "" if secret else f", but the final value was: `{_shown(value)}`"
        self.add(f"{path} must be a `{_KINDS[kind]}` type{shown}.")
        return False

    def members(self, value: Entry, keys: Iterable[str], kind: type) -> None:
        """Check the kind of those ``keys`` that are there."""
        for key in keys:
            if key in value:
                self.kind(value[key], kind, key)

    def unknown(self, value: Entry, known: Iterable[str], place: str = "") -> None:
        extra = [key for key in value if key not in known]
        if extra:
            self.add(f'Unknown key "{", ".join(extra)}"{place}')

    def one_of(self, value: Entry, key: str, allowed: Collection[str]) -> None:
        # a value of another kind has had its fault; unhashable ones cannot be looked up
        if isinstance(value.get(key), str) and value[key] not in allowed:
            self.add(f"{key} must be one of the following values: {', '.join(allowed)}")

    def attempt(self, check: Callable[[], object]) -> None:
        try:
            check()
        except IExecError as error:
            self.add(error.message)

    def raise_any(self) -> None:
        if self.found:
            raise ValidationError.collect(self.found)


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, default=str)
    except ValueError:  # circular, or a number too long for text: not from a file
        text = type(value).__name__
    return text if len(text) <= 80 else text[:80] + "…"


def _check_entry(value: object, faults: _Faults) -> None:
    """One chain of the file."""
    if not faults.kind(value, dict, "this"):
        return
    entry = cast("dict[str, object]", value)
    faults.unknown(entry, _CHAIN_KEYS)
    faults.members(entry, (*_TEXTS, "id", "flavour", "rules"), str)
    faults.members(entry, _FLAGS, bool)
    faults.one_of(entry, "flavour", FLAVOURS)
    faults.one_of(entry, "rules", ALL_RULES)
    if isinstance(entry.get("id"), str):
        faults.attempt(lambda: chain_id(entry["id"]))
    if entry.get("hub") and isinstance(entry["hub"], str):
        faults.attempt(lambda: address_to_bytes(entry["hub"], name="hub"))
    for key, required in _OBJECTS.items():
        if key in entry and faults.kind(entry[key], dict, key):
            _check_object(key, cast("Entry", entry[key]), required, faults)


def _check_object(key: str, value: Entry, required: tuple[str, ...], faults: _Faults) -> None:
    # V6 tolerates more members here; its bridge commands even demand ``bridgedChainId``, which is
    # derived from the name instead.
    for name in required:
        if not value.get(name):
            faults.add(f"{key}.{name} is a required field")
        elif faults.kind(value[name], str, f"{key}.{name}") and name == "contract":
            faults.attempt(lambda: address_to_bytes(value["contract"], name="bridge.contract"))


def _providers(value: object, faults: _Faults) -> Providers:
    """V6's ``providers``; with faults, whatever could be read."""
    if not faults.kind(value, dict, "providers", secret=True):
        return Providers()
    content = cast("dict[str, object]", value)
    faults.unknown(content, ("alchemy", "etherscan", "infura", "quorum"), " in providers")
    keys: dict[str, object] = {name: content.get(name) for name in ("alchemy", "etherscan")}
    infura = content.get("infura")
    if isinstance(infura, dict):
        faults.unknown(infura, ("projectId", "projectSecret"), " in providers.infura")
        if not infura.get("projectId"):
            faults.add("providers.infura.projectId is a required field")
        keys["infura.projectId"], keys["infura.projectSecret"] = (
            infura.get("projectId"),
            infura.get("projectSecret"),
        )
    else:
        keys["infura"] = infura
    good = {
        name: cast("str", key)
        for name, key in keys.items()
        if key is not None and faults.kind(key, str, f"providers.{name}", secret=True)
    }
    for name, key in good.items():  # they go into URLs
        if not key.isascii():
            faults.add(f"providers.{name} must be of ASCII characters")
    quorum = content.get("quorum")
    if quorum is not None and faults.kind(quorum, int, "providers.quorum"):
        if cast("int", quorum) < 1:
            faults.add("providers.quorum must be greater than or equal to 1")
        if cast("int", quorum) > 3:
            faults.add("providers.quorum must be less than or equal to 3")
    return Providers(
        alchemy=good.get("alchemy"),
        etherscan=good.get("etherscan"),
        infura=good.get("infura", good.get("infura.projectId")),
        infura_secret=good.get("infura.projectSecret"),
        quorum=cast("int | None", quorum),
    )


# --- nodes ----------------------------------------------------------------------------------------

# chain.md §1.5, by provider and network. Alchemy's hosts are today's. No node goes without a key of
# the user's: nothing is contacted that nobody named.
PUBLIC_NODES: Mapping[str, Mapping[str, str]] = {
    "infura": {
        "mainnet": "https://mainnet.infura.io/v3/",
        "goerli": "https://goerli.infura.io/v3/",
    },
    "alchemy": {
        "mainnet": "https://eth-mainnet.g.alchemy.com/v2/",
        "goerli": "https://eth-goerli.g.alchemy.com/v2/",
    },
}


def node_urls(
    host: str,
    providers: Providers = NO_KEYS,
    *,
    table: Mapping[str, Mapping[str, str]] = PUBLIC_NODES,
) -> tuple[tuple[str, ...], int]:
    """Node URLs of ``host`` and how many of them must agree (the quorum).

    An http(s) URL stands for itself. ``mainnet`` and ``goerli`` mean the public nodes for which
    there is a key (``table`` says where they are); the quorum is 2 on mainnet where there are two.
    Raises ConfigurationError where no node is left, or fewer than the quorum asked for, and for a
    key of Etherscan, which is no JSON-RPC node.
    """
    if host.lower().startswith(("http://", "https://")):
        return (host,), 1
    if host.lower().startswith(("ws://", "wss://")):
        raise ConfigurationError("WebSocket nodes are not supported: give an http(s):// URL")
    if host not in table["infura"]:
        raise ConfigurationError(
            f"Invalid provider host name or url {_shown(host)}: give an http(s):// URL, "
            "or mainnet or goerli"
        )
    if providers.etherscan:
        raise ConfigurationError(
            "providers.etherscan is not supported: Etherscan is no JSON-RPC node; "
            "use infura, alchemy or the URL of a node"
        )
    from urllib.parse import quote

    urls: list[str] = []
    for name, key in (("infura", providers.infura), ("alchemy", providers.alchemy)):
        if key:
            scheme, _, rest = table[name][host].partition("://")
            secret = providers.infura_secret if name == "infura" else None
            user = f":{quote(secret, safe='')}@" if secret else ""
            urls.append(f"{scheme}://{user}{rest}{quote(key, safe='')}")
    wanted = providers.quorum or min(2 if host == "mainnet" else 1, len(urls))
    if not urls or wanted > len(urls):
        raise ConfigurationError(
            f"{host}: {len(urls)} node(s) available, {max(wanted, 1)} needed; give the URL of a "
            "node, or keys of public nodes (providers: infura, alchemy)"
        )
    return tuple(urls), wanted
