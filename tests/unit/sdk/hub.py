"""A hub in memory, in the place of a node: what is read of it is a table, what is sent is noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from iexec_lite.errors import ConfigurationError, SignatureError, Web3ProviderCallError
from iexec_lite.eth.eip712 import Domain
from iexec_lite.protocol import orders
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import HUB, Method
from iexec_lite.protocol.values import parse_address

ME, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
HUB_ADDRESS, TOKEN, BRIDGE_ADDRESS = "0x" + "44" * 20, "0x" + "55" * 20, "0x" + "66" * 20
NULL = "0x" + "00" * 32
REGISTRIES = {
    kind: "0x" + f"0{at}" * 20 for at, kind in enumerate(("app", "dataset", "workerpool"), 1)
}


class Context:
    """What the parts of the library use of a context.

    ``answers`` has by method name what every contract answers, or a function of (address, block,
    arguments). ``node`` has the answers of the node itself likewise.
    """

    def __init__(self, now: int = 1000, **chain: Any) -> None:
        self.chain = Chain(id=4242, name="test", hub=HUB_ADDRESS, **chain)
        self.offline = False
        self.hub, self.token, self.address, self.interval = HUB_ADDRESS, TOKEN, ME, 0.0
        self.now, self.settled = now, "latest"
        self.answers: dict[str, Any] = {}
        self.methods: dict[str, Any] = {}
        self.node = SimpleNamespace(request=self._request)
        self.sent: list[tuple[Any, ...]] = []
        self.notes: list[Mapping[str, Any] | None] = []  # what the journal keeps with each
        self.pending: set[str] = set()  # operations of an earlier call, of unknown outcome
        self.events: list[Any] = [{}]
        self.refusals: list[Exception] = []
        self._kept: dict[str, Any] = {}

    def _request(self, method: str, arguments: Sequence[Any] = ()) -> Any:
        found = self.methods[method]
        return found(*arguments) if callable(found) else found

    def read_all(self, reads: Sequence[Any], *, block: Any = "latest") -> list[Any]:
        return [self._read(to, method, args, block) for to, method, args in reads]

    def _read(self, to: str, method: Method, args: tuple[Any, ...], block: Any) -> Any:
        found = self.answers[method.name]
        return found(to, block, *args) if callable(found) else found

    def read(self, to: str, method: Method, *args: Any) -> Any:
        return self._read(to, method, args, "latest")

    def read_now(self, reads: Sequence[Any]) -> tuple[list[Any], int]:
        return self.read_all(reads), self.now

    def block_time(self) -> int:
        return self.now

    def block(self) -> dict[str, str]:
        return {"gasLimit": hex(30_000_000)}

    def settled_block(self) -> Any:
        return self.settled

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def service(self, name: str, option: str) -> Any:
        found = getattr(self.chain, name)
        if not found:
            raise ConfigurationError(f"{option} is not given on chain {self.chain.id}")
        return found

    def resolve(self, address: str, name: str) -> str:
        return parse_address(address, name)

    def addresses(self, kind: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return values

    def read_many(self, reads: Sequence[Any], *, block: Any = "latest") -> list[Any]:
        found: list[Any] = []
        for each in reads:
            try:
                found += self.read_all([each], block=block)
            except Web3ProviderCallError as error:
                found.append(error)
        return found

    def checked(self, reads: Sequence[Any], results: list[Any]) -> list[Any]:
        for error in results:
            if isinstance(error, Exception):
                raise error
        return results

    def registry(self, kind: str) -> str:
        return REGISTRIES[kind]

    def record(self, kind: Any, value: Any) -> Any:
        return kind.from_dict(value)

    @property
    def domain(self) -> Domain:
        return orders.domain(self.chain.id, self.hub)

    def require_address(self, expected: str, message: str) -> None:
        if self.address != expected:
            raise SignatureError(message)

    def unfinished(self, operation: str, arguments: Mapping[str, Any]) -> bool:
        return operation in self.pending

    def send(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        to: str,
        data: bytes | Callable[[], Any] = b"",
        *,
        check: Callable[[], None] | None = None,
        note: Mapping[str, Any] | None = None,
        finish: Callable[..., None] | None = None,
        **more: Any,
    ) -> Any:
        if check is not None and operation not in self.pending:  # what is resumed is not checked
            check()
        if self.refusals:
            raise self.refusals.pop(0)
        if callable(data):
            data, note = (b"", note) if operation in self.pending else data()
        self.notes.append(note)
        self.sent.append((operation, dict(arguments), to, data, more))
        tx_hash = f"0x{len(self.sent):064x}"
        if finish is not None:
            finish(tx_hash, note or {})
        resumed = operation in self.pending
        return SimpleNamespace(tx_hash=tx_hash, events=self.events, resumed=resumed)


def share(digit: str, price: int) -> dict[str, Any]:
    return {"pointer": "0x" + digit * 40, "owner": OTHER, "price": price}


def deal(size: int = 2, **more: Any) -> dict[str, Any]:
    """What ``viewDeal`` answers: begun at 500, of category 3."""
    return {
        **{"app": share("a", 1), "dataset": share("0", 0), "workerpool": share("b", 5)},
        **{"trust": 7, "category": 3, "tag": NULL, "requester": ME, "beneficiary": OTHER},
        **{"callback": "0x" + "00" * 20, "params": "{}", "startTime": 500, "botFirst": 4},
        **{"botSize": size, "workerStake": 9, "schedulerRewardRatio": 11},
        **more,
    }


def task(status: int = 1, **more: Any) -> dict[str, Any]:
    """What ``viewTask`` answers: with a final deadline of 1100."""
    return {
        **{"status": status, "dealid": "0x" + "de" * 32, "idx": 4, "timeref": 60},
        **{"contributionDeadline": 700, "revealDeadline": 800, "finalDeadline": 1100},
        **{"consensusValue": NULL, "revealCounter": 1, "winnerCounter": 2},
        **{"contributors": [OTHER], "resultDigest": "0x" + "d1" * 32, "results": b""},
        **{"resultsTimestamp": 0, "resultsCallback": b"\x12", **more},
    }


UNSET = task(0, dealid=NULL)


def with_deal(context: Context, *tasks: Any, reference: int = 60, **more: Any) -> list[str]:
    """The hub has a deal of these tasks; returns their ids, as it is asked for them."""
    asked: list[str] = []
    index: dict[str, int] = {}

    def view_task(_: str, block: Any, taskid: str) -> Any:
        asked.append(taskid)
        found = tasks[index.setdefault(taskid, len(index))]
        return found.pop(0) if isinstance(found, list) and len(found) > 1 else _one(found)

    context.answers |= {
        "viewDeal": deal(len(tasks), **more),
        HUB.final_deadline_ratio.name: 10,
        "viewCategory": {"workClockTimeRef": reference},
        "viewTask": view_task,
    }
    return asked


def _one(found: Any) -> Any:
    return found[0] if isinstance(found, list) else found
