"""``IExec``: one client for one chain, and who signs for it (api.md, "Construction").

Building a client contacts nothing and reads no file but a keystore it is given. The namespaces
(``iexec.order``, ``iexec.deal`` …) are made at first use, so a program loads only what it calls.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from ..errors import ConfigurationError, ValidationError
from ..protocol import chains
from ..protocol.values import parse_address
from .context import Context

if TYPE_CHECKING:
    from types import TracebackType

    from ..eth.signer import Signer
    from ..net.in_process import Call
    from .account import Account
    from .assets import Apps, Datasets, Workerpools
    from .deal import Deals
    from .hub import Hub
    from .journal import Journal
    from .network import Networks
    from .order import Orders
    from .orderbook import Orderbook
    from .result import ResultKeys
    from .secrets import Secrets
    from .storage import Storage
    from .task import Tasks
    from .wallet import Wallet

__all__ = ["IExec", "SigningProvider"]

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_KEY = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64}\Z")


class SigningProvider:
    """A node and a signer in one: what ``utils.get_signer_from_private_key`` returns."""

    __slots__ = ("gas_price", "get_transaction_count", "host", "quorum", "signer", "urls")

    def __init__(
        self,
        host: str | int | chains.Chain,
        signer: Signer,
        *,
        urls: Sequence[str] = (),
        quorum: int = 1,
        gas_price: int | None = None,
        get_transaction_count: Callable[[str, str], int] | None = None,
    ) -> None:
        self.host = host
        self.signer = signer
        self.urls = tuple(urls)
        self.quorum = quorum
        self.gas_price = gas_price
        self.get_transaction_count = get_transaction_count

    def __repr__(self) -> str:
        return f"SigningProvider(address={self.signer.address!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a provider that can sign cannot be pickled")


Provider = (
    str
    | int
    | chains.Chain
    | Sequence[str]
    | Callable[[str, Sequence[object]], object]
    | SigningProvider
)


class IExec:
    """The iExec SDK for one chain.

    ``provider`` is a network name (``"arbitrum-sepolia-testnet"``, ``"sandbox"``), a chain id, a
    node's URL, several URLs that stand in for one another, a chain record, a function
    ``(method, params) -> result`` (EIP-1193), or what ``utils.get_signer_from_private_key``
    returns. ``quorum`` is how many of several nodes must agree on what is read. ``signer`` is a
    :class:`~iexec_lite.Signer` or a private key in hex; reading needs none. A ``signer`` without a
    node signs offline and needs ``chain=``.

    Options override the chain record: ``hub_address``, the service URLs, ``is_native``, ``use_gas``
    (``False``: every transaction at gas price 0), ``bridge_address``. ``bridged_network_conf`` is
    the other end of the bridge: ``rpc_url``, ``chain_id``, ``hub_address``, ``bridge_address``;
    ``enterprise_swap_conf`` the hub of the other flavour: ``hub_address``. ``confirms`` is how many
    blocks deep a transaction counts as done (1 = mined). ``gas_price`` (wei) and
    ``get_transaction_count(address, block)`` replace what the node suggests. ``timeout`` is seconds
    for one whole request; ``ca_file`` a PEM bundle; plain ``http://`` beyond loopback needs
    ``allow_plain_http=True``. ``journal`` keeps pending transactions, in memory by default.

    One client may serve many threads; it cannot be pickled or copied (docs/embedding.md).

    Raises ConfigurationError for options that cannot work; nothing is contacted here.
    """

    def __init__(
        self,
        provider: Provider | None = None,
        signer: Signer | str | None = None,
        *,
        chain: str | int | chains.Chain | None = None,
        flavour: str = "standard",
        hub_address: str | None = None,
        sms_url: str | None = None,
        result_proxy_url: str | None = None,
        ipfs_gateway_url: str | None = None,
        iexec_gateway_url: str | None = None,
        ipfs_node_url: str | None = None,
        compass_url: str | None = None,
        poco_subgraph_url: str | None = None,
        is_native: bool | None = None,
        use_gas: bool = True,
        confirms: int = 1,
        bridge_address: str | None = None,
        bridged_network_conf: Mapping[str, object] | None = None,
        enterprise_swap_conf: Mapping[str, str] | None = None,
        gas_price: int | None = None,
        get_transaction_count: Callable[[str, str], int] | None = None,
        timeout: float = 30.0,
        ca_file: str | None = None,
        allow_plain_http: bool = False,
        journal: Journal | None = None,
        quorum: int | None = None,
    ) -> None:
        _check_options(flavour, confirms, timeout, gas_price, get_transaction_count)
        urls: Sequence[str] = ()
        agree: int | None = None
        call: Call | None = None
        if isinstance(provider, SigningProvider):
            signer = signer or provider.signer
            urls, agree = provider.urls, provider.quorum if provider.urls else None
            gas_price = provider.gas_price if gas_price is None else gas_price
            get_transaction_count = get_transaction_count or provider.get_transaction_count
            provider = provider.host
        record = _chain(chain, flavour) if chain is not None else None
        if isinstance(provider, (list, tuple)) or _is_url(provider):
            urls = urls or _urls(provider)
        elif callable(provider):
            from ..net.in_process import URL

            call, urls = provider, (URL,)
        elif provider is not None:
            record = record or _chain(provider, flavour)  # type: ignore[arg-type]
            if not urls:
                urls, agree = _hosts(record)
        if record is None and not urls:
            raise ConfigurationError(
                "missing provider key: give a network name, a chain id or a node's URL "
                "(or chain= to sign offline)"
            )
        overrides = {
            "hub": hub_address,
            "sms": sms_url,
            "result_proxy": result_proxy_url,
            "ipfs_gateway": ipfs_gateway_url,
            "iexec_gateway": iexec_gateway_url,
            "ipfs_node": ipfs_node_url,
            "compass": compass_url,
            "poco_subgraph": poco_subgraph_url,
            "native": is_native,
            "bridge_contract": bridge_address,
            "use_gas": None if use_gas else False,
        }
        self._context = Context(
            chain=record,
            urls=urls,
            quorum=_quorum(agree or 1 if quorum is None else quorum, urls),
            signer=_signer(signer),
            flavour=flavour,
            overrides={name: value for name, value in overrides.items() if value is not None},
            http_options={
                "timeout": timeout,
                "ca_file": ca_file,
                "allow_plain": allow_plain_http,
            },
            send_options={
                "confirms": confirms,
                "gas_price": gas_price,
                "get_transaction_count": get_transaction_count,
            },
            journal=journal,
            call=call,
            enterprise_swap_hub=_swap_hub(enterprise_swap_conf),
            bridged_conf=_bridged_conf(bridged_network_conf),
        )

    @classmethod
    def offline(
        cls,
        signer: Signer | str | Mapping[str, object],
        password: str | None = None,
        *,
        chain: str | int | chains.Chain,
    ) -> IExec:
        """A client that creates, signs and hashes orders and never opens a socket.

        ``signer`` is a private key in hex, a :class:`~iexec_lite.Signer`, or a keystore (its parsed
        JSON, or the path of the file) with its ``password``. The owner of an app, dataset or
        workerpool cannot be checked here: that happens when the order is published or matched.
        """
        if password is not None:
            from ..eth.signer import KeySigner

            if not isinstance(signer, (str, Mapping)):
                raise ConfigurationError("a password goes with a keystore only")
            signer = KeySigner.from_keystore(signer, password)
        if isinstance(signer, Mapping):
            raise ConfigurationError(
                "a keystore needs its password: IExec.offline(keystore, password, …)"
            )
        return cls(None, signer, chain=chain)

    # -- life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close all connections."""
        self._context.close()

    def __enter__(self) -> IExec:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        context = self._context
        return f"IExec({'offline, ' if context.offline else ''}{context.who})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds connections and perhaps a key: it cannot be pickled")

    @property
    def chain(self) -> chains.Chain:
        """The chain record in force, options applied."""
        return self._context.chain

    # -- namespaces ---------------------------------------------------------------------------

    @cached_property
    def wallet(self) -> Wallet:
        """Addresses, balances and transfers."""
        from .wallet import Wallet

        return Wallet(self._context)

    @cached_property
    def account(self) -> Account:
        """RLC staked on the hub: balance, deposit, withdraw, allowance."""
        from .account import Account

        return Account(self._context)

    @cached_property
    def app(self) -> Apps:
        """Apps: deploy, show, count, hand over."""
        from .assets import Apps

        return Apps(self._context)

    @cached_property
    def dataset(self) -> Datasets:
        """Datasets: encrypt, deploy, show, count."""
        from .assets import Datasets

        return Datasets(self._context)

    @cached_property
    def workerpool(self) -> Workerpools:
        """Workerpools: deploy, show, count, hand over."""
        from .assets import Workerpools

        return Workerpools(self._context)

    @cached_property
    def hub(self) -> Hub:
        """Categories and the time-out ratio."""
        from .hub import Hub

        return Hub(self._context)

    @cached_property
    def network(self) -> Networks:
        """Which chain this is."""
        from .network import Networks

        return Networks(self._context)

    @cached_property
    def order(self) -> Orders:
        """Orders: create, sign, hash, publish, cancel, match."""
        from .order import Orders

        return Orders(self._context)

    @cached_property
    def orderbook(self) -> Orderbook:
        """What is offered on the marketplace."""
        from .orderbook import Orderbook

        return Orderbook(self._context)

    @cached_property
    def deal(self) -> Deals:
        """Deals: show, watch, claim, list."""
        from .deal import Deals

        return Deals(self._context)

    @cached_property
    def result(self) -> ResultKeys:
        """The key that results are encrypted with."""
        from .result import ResultKeys

        return ResultKeys(self._context)

    @cached_property
    def secrets(self) -> Secrets:
        """Named secrets of requesters, for their tasks."""
        from .secrets import Secrets

        return Secrets(self._context)

    @cached_property
    def storage(self) -> Storage:
        """Where results are stored: login and tokens."""
        from .storage import Storage

        return Storage(self._context)

    @cached_property
    def task(self) -> Tasks:
        """Tasks: show, watch, claim, results, logs."""
        from .task import Tasks

        return Tasks(self._context)


def _check_options(
    flavour: str, confirms: int, timeout: float, gas_price: int | None, count: object
) -> None:
    if flavour not in ("standard", "enterprise"):
        raise ConfigurationError(f"invalid flavour {flavour!r}: it is 'standard' or 'enterprise'")
    if type(confirms) is not int or confirms < 1:  # no bool
        raise ConfigurationError(f"invalid confirms {confirms!r}: it must be an integer >= 1")
    if type(timeout) not in (int, float) or not 0 < timeout < math.inf:
        raise ConfigurationError(f"invalid timeout {timeout!r}: it is a number of seconds above 0")
    if gas_price is not None and (type(gas_price) is not int or gas_price < 0):
        raise ConfigurationError("Invalid gasPrice option: gas_price is wei, an integer >= 0")
    if count is not None and not callable(count):
        raise ConfigurationError("Invalid getTransactionCount option, must be a function")


def _bridged_conf(conf: Mapping[str, object] | None) -> Mapping[str, object] | None:
    known = ("rpc_url", "chain_id", "hub_address", "bridge_address")
    if conf is None:
        return None
    if not isinstance(conf, Mapping) or not set(conf) <= set(known):
        raise ConfigurationError(f"bridged_network_conf has the members {', '.join(known)}")
    return dict(conf)


def _swap_hub(conf: Mapping[str, str] | None) -> str | None:
    """The hub of the other flavour, out of ``{"hub_address": …}``."""
    if conf is None:
        return None
    if not isinstance(conf, Mapping) or set(conf) != {"hub_address"}:
        raise ConfigurationError('enterprise_swap_conf is {"hub_address": <address of the hub>}')
    return parse_address(conf["hub_address"], "enterprise_swap_conf.hub_address")


def _chain(value: str | int | chains.Chain, flavour: str) -> chains.Chain:
    if isinstance(value, chains.Chain):
        return value
    if isinstance(value, str) and value.startswith("sandbox"):
        from .local import sandbox_chain

        return sandbox_chain(value)
    return chains.resolve(value, flavour)


def _hosts(chain: chains.Chain) -> tuple[Sequence[str], int]:
    """The node URLs of a record, and how many must agree."""
    if chain.host:
        return chains.node_urls(chain.host)
    raise ConfigurationError(
        f"No node URL is known for chain {chain.name or chain.id}: "
        "give provider=<URL of your node> with chain=<name>"
    )


def public_nodes(
    host: str | int | chains.Chain, providers: Mapping[str, object]
) -> tuple[Sequence[str], int]:
    """The node URLs of ``host`` with the user's keys (V6 ``providers``), and the quorum."""
    keys = chains.Providers.from_dict(providers)
    name = host if _is_url(host) else _chain(host, "standard").host
    urls, quorum = chains.node_urls(str(name or host), keys)
    return urls, _quorum(keys.quorum or quorum, urls)


def _is_url(value: object) -> bool:
    return isinstance(value, str) and _URL.match(value) is not None


def _urls(value: object) -> tuple[str, ...]:
    """One URL or several, as they were given."""
    found = (value,) if isinstance(value, str) else tuple(value)  # type: ignore[arg-type]
    if not found:
        raise ConfigurationError("missing provider key: the list of nodes is empty")
    for each in found:
        if not _is_url(each):
            raise ConfigurationError("several nodes: each must be an http(s):// URL")
        _require_http(each)
    return found


def _quorum(value: int, urls: Sequence[str]) -> int:
    available = max(1, len(set(urls)))
    if type(value) is not int or not 1 <= value <= available:  # no bool
        raise ConfigurationError(
            f"invalid quorum {value!r}: it is a number of nodes that must agree, "
            f"from 1 to the {available} given"
        )
    return value


def _require_http(url: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        scheme = url.split("://", 1)[0]
        raise ConfigurationError(f"{scheme}:// nodes are not supported: give an http(s):// URL")


def _signer(value: Signer | str | None) -> Signer | None:
    wanted = "signer must be a Signer or a private key of 64 hex digits"
    if not isinstance(value, str):
        if value is not None and not hasattr(value, "sign_typed_data"):
            raise ValidationError(f"{wanted}, not {type(value).__name__}")
        return value
    from ..eth.signer import KeySigner

    if not _KEY.match(value):
        digits = len(value) - 2 * value.startswith(("0x", "0X"))
        raise ValidationError(f"{wanted}, not text of {digits} characters (without 0x)")
    return KeySigner.from_key(value if value[:2] in ("0x", "0X") else "0x" + value)
