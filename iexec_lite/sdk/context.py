"""What the namespaces of one client share: chain record, node, signer, and reads that never change.

Nothing is contacted before it is needed (design.md, "State"). The chain record comes from the name,
id or record the client was built with, or, for a bare URL, from the chain id its node reports; a
record that was given is compared with the node before the first use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ..errors import (
    ConfigurationError,
    SignatureError,
    TransportError,
    ValidationError,
    Web3ProviderCallError,
)
from ..eth.codec import to_hex
from ..protocol import chains
from ..protocol.columns import Record, parse_address
from ..protocol.ens import is_name
from ..protocol.orders import NULL_ADDRESS, domain

if TYPE_CHECKING:
    from ..eth.eip712 import Domain
    from ..eth.signer import Signer
    from ..net.http import Http
    from ..net.in_process import Call
    from ..net.market import Market
    from ..net.rpc import Rpc
    from ..net.sms import Sms
    from ..protocol.methods import EventSpec, Method, Read
    from .fees import Quote
    from .intent import Accept, Finish, Intent, Prepare
    from .journal import Journal
    from .transactions import Sent, Transactions

__all__ = ["Context"]

T = TypeVar("T")
R = TypeVar("R", bound=Record)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Context:
    """Connections, chain record and caches of one client. Safe for use from many threads."""

    def __init__(
        self,
        *,
        chain: chains.Chain | None,
        urls: Sequence[str],
        quorum: int,
        signer: Signer | None,
        flavour: str,
        overrides: Mapping[str, object],
        http_options: Mapping[str, object],
        send_options: Mapping[str, object],
        journal: Journal | None,
        enterprise_swap_hub: str | None = None,
        bridged_conf: Mapping[str, object] | None = None,
        call: Call | None = None,
    ) -> None:
        self._chain = chain
        self._call = call
        self._urls = tuple(urls)
        self._quorum = quorum
        self._signer = signer
        self._flavour = flavour
        self._overrides = dict(overrides)
        self._http_options = dict(http_options)
        self._send_options = dict(send_options)
        self._journal = journal
        self.enterprise_swap_hub = enterprise_swap_hub
        self._bridged_conf = bridged_conf
        self._lock = threading.RLock()
        self._made: dict[str, object] = {}
        self._closed = False
        self.offline = not self._urls

    def __repr__(self) -> str:
        return f"Context({self.who})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds connections and perhaps a key: it cannot be pickled")

    def once(self, name: str, make: Callable[[], T]) -> T:
        """The value of ``make()``, made at first use and kept: for what never changes."""
        if name not in self._made:
            with self._lock:
                if name not in self._made:  # another thread may have been here first
                    self._made[name] = make()
        return self._made[name]  # type: ignore[return-value]

    # -- who and where ------------------------------------------------------------------------

    @property
    def signer(self) -> Signer:
        """The signer, or the V6 error where the client has none."""
        if self._signer is None:
            raise ConfigurationError(
                "Missing Signer: build the client with a signer (a key, a keystore, a wallet) "
                "to sign or send"
            )
        return self._signer

    @property
    def address(self) -> str:
        """EIP-55 address of the signer."""
        return self.signer.address

    @property
    def who(self) -> str:
        """The signer for a ``repr``: a wallet elsewhere is not asked for its address."""
        from ..eth.signer import KeySigner

        if self._signer is None:
            return "read-only"
        local = isinstance(self._signer, KeySigner)
        return self._signer.address if local else type(self._signer).__name__

    @property
    def chain(self) -> chains.Chain:
        """The chain record; asks the node for its id only where a bare URL was given."""
        return self.once("chain", self._find_chain)

    def _find_chain(self) -> chains.Chain:
        chain = self._chain
        if chain is None:
            chain = chains.resolve(self.rpc.chain_id(), self._flavour)
        return chain.with_overrides(**self._overrides) if self._overrides else chain

    @property
    def hub(self) -> str:
        """Address of the iExec hub."""
        return self.service("hub", "hub_address")

    def service(self, name: str, option: str) -> str:
        """A setting of the chain record; ``option`` is the argument of IExec that provides it."""
        value = getattr(self.chain, name)
        if not value:
            raise ConfigurationError(
                f"{option} option not set and no default value for your chain {self.chain.id}"
            )
        return str(value)

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain of this chain's orders.

        On line, the node's chain id is compared first, and a hub that is in no built-in record is
        asked once whether it is one: no order is signed for a place where it can never match.
        """
        found = domain(self.chain.id, self.hub)
        if not self.offline:
            self.node  # noqa: B018  # compared at first use
            known = (chain.hub for chain in chains.CHAINS.values() if chain.id == self.chain.id)
            if self.hub not in known:
                self.once("domain", lambda: self._check_domain(found))
        return found

    def _check_domain(self, ours: Domain) -> bool:
        from ..protocol.contracts import HUB

        wrong = f"{self.hub} is not the iExec hub of chain {self.chain.id}"
        try:
            theirs = self.read(self.hub, HUB.eip712domain_separator)
        except Web3ProviderCallError as error:
            if error.retryable:
                raise
            raise ConfigurationError(
                f"{wrong} ({error.message}): check hub_address", cause=error
            ) from error
        if theirs != to_hex(ours.separator):
            raise ConfigurationError(f"{wrong}, its orders have another domain: check hub_address")
        return True

    # -- connections --------------------------------------------------------------------------

    @property
    def http(self) -> Http:
        """The HTTP client of all services."""

        def make() -> Http:
            from ..net.http import Http

            if self.offline:
                raise ConfigurationError(
                    "This client is offline: build it with a node (provider=) to reach a service"
                )
            return Http(**self._http_options)  # type: ignore[arg-type]

        self._require_open()
        return self.once("http", make)

    @property
    def market(self) -> Market:
        """The marketplace. One for the client: its publications wait for each other."""

        def make() -> Market:
            from ..net.market import Market

            url = self.service("iexec_gateway", "iexec_gateway_url")
            return Market(self.http, url, self.chain.id)

        return self.once("market", make)

    @property
    def rpc(self) -> Rpc:
        """The node. Not checked: see :meth:`node`."""

        def make() -> Rpc:
            from ..net.quorum import connect

            if not self._urls:
                raise ConfigurationError(
                    "This client is offline: build it with a node (provider=) to reach the chain"
                )
            if self._call is not None:
                from ..net.in_process import InProcess

                return connect(self._urls, http=InProcess(self._call))
            return connect(self._urls, quorum=self._quorum, http=self.http)

        self._require_open()
        return self.once("rpc", make)

    @property
    def node(self) -> Rpc:
        """The node, once its chain id was seen to be the record's."""
        self.once("node", self._check_chain_id)
        return self.rpc

    def _check_chain_id(self) -> bool:
        found = self.rpc.chain_id()
        if found != self.chain.id:
            raise ConfigurationError(
                f"The node is on chain {found}, but {self.chain.name} is chain {self.chain.id}: "
                "check the URL or the chain name"
            )
        return True

    @property
    def sms(self) -> Sms:
        """The secret management service."""

        def make() -> Sms:
            from ..net.sms import Sms

            return Sms(self.http, self.service("sms", "sms_url"))

        return self.once("sms", make)

    @property
    def transactions(self) -> Transactions:
        """The one way to send."""

        def make() -> Transactions:
            from .journal import MemoryJournal
            from .transactions import Transactions

            return Transactions(
                self.rpc,
                self.chain,
                self.signer,
                journal=self._journal or MemoryJournal(),
                **self._send_options,  # type: ignore[arg-type]
            )

        return self.once("transactions", make)

    # -- the other end of the bridge ----------------------------------------------------------

    @property
    def has_bridged(self) -> bool:
        """Whether it is known what lies at the other end of the bridge."""
        return self._bridged_conf is not None or self.chain.bridged_chain is not None

    @property
    def bridged(self) -> Context:
        """The chain at the other end, for reading. ConfigurationError where it is not known."""

        def make() -> Context:
            from .bridge import bridged_chain

            chain = bridged_chain(self.chain, self._bridged_conf)
            return Context(
                chain=chain,
                urls=(str(chain.host),),
                quorum=1,
                signer=None,
                flavour=chain.flavour,
                overrides={},
                http_options=self._http_options,
                send_options=self._send_options,
                journal=None,
            )

        self._require_open()
        return self.once("bridged", make)

    def send(
        self,
        operation: str,
        arguments: Mapping[str, object],
        to: str,
        data: bytes | Prepare = b"",
        *,
        value: int = 0,
        expect: Sequence[tuple[EventSpec, str]] = (),
        check: Callable[[], None] | None = None,
        new: bool = False,
        quote: Quote | None = None,
        note: Mapping[str, object] | None = None,
        finish: Finish | None = None,
        accept: Accept | None = None,
    ) -> Sent:
        """Send one transaction and wait for it.

        ``operation`` and ``arguments`` say what the user meant: the same call again resumes a
        transaction of unknown outcome instead of repeating it, unless ``new`` (design.md,
        "Transactions and the journal"). ``expect`` names the events, and who must emit them.
        ``check`` raises where the state of the chain forbids the operation; it is not asked where
        a transaction is resumed, whose own effect it would take for a fault. The rest as
        ``Transactions.send`` has it.
        """
        self.node  # noqa: B018  # the chain id is compared before anything is signed

        def prepare() -> tuple[bytes, Mapping[str, object] | None]:
            if check is not None:
                check()
            return data() if callable(data) else (data, note)

        return self.transactions.send(
            self._intent(operation, arguments),
            to,
            prepare,
            value=value,
            expect=expect,
            new=new,
            quote=quote,
            finish=finish,
            accept=accept,
        )

    def unfinished(self, operation: str, arguments: Mapping[str, object]) -> bool:
        """Whether the same call was made before and its outcome is unknown: it would be resumed."""
        return self.transactions.unfinished(self._intent(operation, arguments)) is not None

    def _intent(self, operation: str, arguments: Mapping[str, object]) -> Intent:
        from .intent import Intent

        return Intent(
            chain_id=self.chain.id,
            sender=self.address,
            operation=operation,
            arguments=dict(arguments),
        )

    @property
    def interval(self) -> float:
        """Seconds between two polls: a local chain answers at once, a public one is spared."""
        from urllib.parse import urlsplit

        local = any(urlsplit(url).hostname in LOOPBACK for url in self._urls)
        return 0.2 if local else 5.0

    def close(self) -> None:
        """Close the connections, opened already or not. What needs one fails from now on."""
        with self._lock:
            self._closed = True
            for name in ("bridged", "rpc", "http"):
                made = self._made.get(name)
                if made is not None:
                    made.close()  # type: ignore[attr-defined]

    def _require_open(self) -> None:
        if self._closed:
            raise TransportError("this client is closed; build a new client")

    # -- reads --------------------------------------------------------------------------------

    def read(self, to: str, method: Method, *args: object) -> object:
        """One contract read in Python form (see ``protocol/contracts.py``)."""
        return self.read_all([(to, method, args)])[0]

    def read_many(self, reads: Sequence[Read], *, block: int | str = "latest") -> list[object]:
        """Many reads in one batch. A read that fails gives its error in its place."""
        calls = [(to, method.encode(*args)) for to, method, args in reads]
        answers = self.node.call_many(calls, block=block)
        return _decoded(reads, answers)

    def read_all(self, reads: Sequence[Read], *, block: int | str = "latest") -> list[object]:
        """As :meth:`read_many`, but the first failure is raised, with what was asked of whom."""
        return self.checked(reads, self.read_many(reads, block=block))

    def read_now(self, reads: Sequence[Read]) -> tuple[list[object], int]:
        """As :meth:`read_all`, with the time of the latest block, all in one batch."""
        from ..net.rpc import quantity

        calls = [(to, method.encode(*args)) for to, method, args in reads]
        answers, block = self.node.call_many_now(calls)
        time = quantity(block.get("timestamp"), "timestamp")
        return self.checked(reads, _decoded(reads, answers)), time

    def checked(self, reads: Sequence[Read], results: list[object]) -> list[object]:
        """The ``results`` of ``reads``, unless one failed: that error, and what was asked."""
        for (to, method, _), result in zip(reads, results, strict=True):
            if isinstance(result, Web3ProviderCallError):
                raise Web3ProviderCallError(
                    f"{method.name} of {to}: {result.message}",
                    details=result.details,
                    retryable=result.retryable,
                ) from result
        return results

    def settled_block(self) -> int | str:
        """The newest block that is ``confirms`` deep: what it says is taken as final."""
        from ..net.rpc import quantity

        behind = int(str(self._send_options["confirms"])) - 1
        if behind == 0:
            return "latest"
        return max(0, quantity(self.node.request("eth_blockNumber"), "eth_blockNumber") - behind)

    def block(self) -> Mapping[str, object]:
        """The latest block (quantities as the node writes them)."""
        block = self.node.request("eth_getBlockByNumber", ("latest", False))
        if not isinstance(block, Mapping):
            raise Web3ProviderCallError("The node has no latest block", retryable=True)
        return block

    def block_time(self) -> int:
        """Time of the latest block, seconds: what the contracts compare deadlines with."""
        from ..net.rpc import quantity

        return quantity(self.block().get("timestamp"), "timestamp")

    # -- names --------------------------------------------------------------------------------

    def resolve(self, value: object, name: str = "address") -> str:
        """EIP-55 form of an address or of what an ENS name stands for now (``sdk/ens.py``).

        ``name`` is the argument that errors speak of.
        """
        if is_name(value):
            from .ens import look_up

            try:
                value = look_up(self, str(value))
            except ValidationError as error:
                raise ValidationError(f"{name}: {error.message}", cause=error.cause) from error
        return parse_address(value, name)

    def addresses(self, kind: type[Record], values: Mapping[str, object]) -> dict[str, object]:
        """``values`` with the address of each ENS name, where ``kind`` has an address."""
        named = [name for name in kind.address_fields() if is_name(values.get(name))]
        return {**values, **{name: self.resolve(values[name], name) for name in named}}

    def record(self, kind: type[R], value: Record | Mapping[str, object]) -> R:
        """The record of a dictionary in which addresses may be ENS names."""
        if isinstance(value, Record):
            return kind.from_dict(value)
        return kind.from_dict(self.addresses(kind, value) if isinstance(value, Mapping) else value)

    # -- what never changes -------------------------------------------------------------------

    def registry(self, kind: str) -> str:
        """Address of the registry of ``app``, ``dataset`` or ``workerpool``."""
        return self.once("registries", self._find_registries)[kind]

    def _find_registries(self) -> dict[str, str]:
        from ..protocol.contracts import HUB

        methods = {
            "app": HUB.appregistry,
            "dataset": HUB.datasetregistry,
            "workerpool": HUB.workerpoolregistry,
        }
        found = self.read_all([(self.hub, method, ()) for method in methods.values()])
        return dict(zip(methods, map(str, found), strict=True))

    @property
    def token(self) -> str:
        """Address of the RLC token (zero on native chains)."""
        return self.once("token", self._find_token)

    def _find_token(self) -> str:
        """What the hub says, which must fit the record: other money would be moved otherwise."""
        from ..protocol.contracts import HUB

        token = str(self.read(self.hub, HUB.token))
        if self.chain.native and token != NULL_ADDRESS:
            raise ConfigurationError(
                f"RLC is the token {token} here, not the chain's coin: is_native must be False"
            )
        if not self.chain.native and token == NULL_ADDRESS:
            raise ConfigurationError("RLC is the chain's coin here: is_native must be True")
        return token

    def require_address(self, expected: str, message: str) -> None:
        """Refuse to sign for somebody else."""
        if self.address != expected:
            raise SignatureError(f"{message} (expected {expected}, the wallet is {self.address})")


def _decoded(
    reads: Sequence[Read], answers: Sequence[bytes | Web3ProviderCallError]
) -> list[object]:
    return [
        answer if isinstance(answer, Exception) else _decode(method, answer)
        for (_, method, _), answer in zip(reads, answers, strict=True)
    ]


def _decode(method: Method, answer: bytes) -> object:
    if not answer:
        return Web3ProviderCallError("no such contract answers; check the address and the chain")
    try:
        return method.decode(answer)
    except ValueError as error:
        return Web3ProviderCallError(f"its answer cannot be decoded: {error}", cause=error)
