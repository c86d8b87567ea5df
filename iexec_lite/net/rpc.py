"""JSON-RPC 2.0 to an Ethereum node: strict about answers, sparing with requests.

Reads (an allow-list) are retried, everything else is sent once. Many reads travel as one batch,
split or undone where a node refuses it. Node errors become ``RpcError`` with the texts of
chain.md §10 and the decoded revert reason. Refused: wrong, missing or repeated ids, answers that
are not JSON-RPC, quantities that are not ``0x`` hex. A node's URL may hold a key, so texts show
scheme and host, and a key that a node echoes is cut out.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import unquote

from ..errors import ConfigurationError, TransportError, Web3ProviderCallError
from ..eth.codec import to_hex
from ..eth.crypto import keccak
from .http import Http, Response, Timeout, Transport
from .rpc_error import RpcError, revert_data, shown
from .target import Target, parse_target

__all__ = ["READS", "Rpc", "RpcError", "block_tag", "data", "missing_contract", "quantity"]

# What may be asked twice: it changes nothing. A method that is not here is never repeated.
READS = frozenset(
    {
        "eth_accounts",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getCode",
        "eth_getLogs",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_syncing",
        "net_version",
        "web3_clientVersion",
    }
)
# A signed transaction is the same one at every node: several may be given it.
_ANYWHERE = READS | {"eth_sendRawTransaction"}
BATCH_CAP = 1000  # geth's own limit, unless it is set
SMALL_BATCH = 100  # what a node may take that refuses more, and does not say why
OTHER_NODE = "; check its URL, or use another node"
_HEX = re.compile(r"0x((?:[0-9a-fA-F]{2})*)\Z")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")


class Rpc:
    """One node (or several that stand in for one another), read and written by JSON-RPC.

    ``urls``: one URL, or several: a read goes to the next where one gives no usable answer; a
    write goes to the first only, but for a signed transaction. ``http``: a shared pool, left open
    by ``close()``; without it, an own one with ``timeout`` seconds per call.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        http: Transport | None = None,
        timeout: float | Timeout | None = None,
        batch_cap: int = BATCH_CAP,
    ) -> None:
        self._urls = (urls,) if isinstance(urls, str) else tuple(urls)
        if not self._urls:
            raise ConfigurationError("missing provider key: no node URL given")
        for url in self._urls:
            if isinstance(url, str) and url[:5].lower().startswith(("ws:", "wss:")):
                raise ConfigurationError("WebSocket nodes are not supported: use an http(s):// URL")
        # Whether plain http is allowed is for the pool to say, at the first request.
        self._nodes = [(url, parse_target(url, allow_plain=True)) for url in self._urls]
        self._secrets = [piece for url in self._urls for piece in _secret_pieces(url)]
        self._secrets += [t.authorization[6:] for _, t in self._nodes if t.authorization]
        self._own: Http | None = None
        if http is None:
            http = self._own = Http(timeout=timeout or 30.0)
        self._http = http
        self._timeout = timeout
        self._cap = max(1, batch_cap)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._chain_id: int | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(target.label for _, target in self._nodes)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection to a node cannot be pickled or copied")

    @property
    def label(self) -> str:
        """Scheme and host of the first node, for texts."""
        return self._nodes[0][1].label

    def close(self) -> None:
        """Close the connections, if they are our own."""
        if self._own is not None:
            self._own.close()

    # --- requests ---------------------------------------------------------------------------

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """The ``result`` of one call.

        ``RpcError`` for an error of the node, ``Web3ProviderCallError`` for an answer that is not
        JSON-RPC, ``TransportError`` where there is no answer.
        """
        call = self._message(method, params)
        nodes = self._nodes if method in _ANYWHERE else self._nodes[:1]
        lost: list[Exception] = []
        answer = self._post(call, nodes, retry=method in READS, lost=lost)
        result = self._result(answer, call)
        if isinstance(result, RpcError):
            result.certain = not lost
            raise result
        return result

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of many calls, in order; an item that failed is its ``RpcError``.

        One HTTP request per 1,000 calls, fewer where the node says so. A batch with a write in
        it is sent once: neither repeated nor taken apart.
        """
        results: list[Any] = []
        while len(results) < len(calls):
            results += self._batch(calls[len(results) : len(results) + self._cap])
        return results

    def _batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """The results of one request; none where it was refused and must be made smaller."""
        if len(calls) == 1:
            return [self._single(*calls[0])]
        reads = all(method in READS for method, _ in calls)
        messages = [self._message(method, params) for method, params in calls]
        try:
            answers = self._post(messages, self._nodes if reads else self._nodes[:1], retry=reads)
        except _BatchRefused as refusal:
            if not reads:
                raise refusal.error from None
            # A node that names a size may take half; any other a small batch, or none.
            small = SMALL_BATCH if len(calls) > SMALL_BATCH else 1
            self._cap = max(1, len(calls) // 2) if refusal.too_large else small
            return []
        return self._match(answers, messages)

    def _single(self, method: str, params: Sequence[object]) -> Any:
        try:
            return self.request(method, params)
        except RpcError as error:
            return error

    def _message(self, method: str, params: Sequence[object]) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    # --- one HTTP request -------------------------------------------------------------------

    def _post(
        self,
        payload: object,
        nodes: Sequence[tuple[str, Target]],
        *,
        retry: bool,
        lost: list[Exception] | None = None,
    ) -> Any:
        """Send ``payload`` to the first of ``nodes`` that gives a usable answer; the answer.

        ``lost`` collects the faults of the nodes before it.
        """
        for url, target in nodes:
            try:
                response = self._http.request(
                    "POST",
                    url,
                    body=json.dumps(payload, separators=(",", ":")).encode("utf-8"),
                    headers={"content-type": "application/json", "accept": "application/json"},
                    timeout=self._timeout,
                    retry=retry,
                )
                return self._parse(response, target, isinstance(payload, list))
            except (TransportError, Web3ProviderCallError) as error:
                if target is nodes[-1][1] or not error.retryable:
                    raise
                if lost is not None:
                    lost.append(error)
        raise AssertionError("the last node answers or raises")

    def _parse(self, response: Response, target: Target, batch: bool) -> Any:
        """The JSON of an answer: an object, or for a batch a list."""
        try:
            answer: Any = response.json()
        except TransportError as error:
            if batch and response.status == 413:
                raise _BatchRefused(self._bad_status(response, target), True) from None
            if not response.ok:
                raise self._bad_status(response, target) from None
            raise Web3ProviderCallError(error.message, cause=error.cause) from error.cause
        failed = isinstance(answer, dict) and isinstance(answer.get("error"), dict)
        if batch and not isinstance(answer, list):
            self._refused_batch(response, answer if failed else None, target)
        if not response.ok and not failed and not (batch and isinstance(answer, list)):
            raise self._bad_status(response, target)
        return answer

    def _refused_batch(
        self, response: Response, answer: dict[str, Any] | None, target: Target
    ) -> NoReturn:
        """A single object came back for a batch: refused as such, or another fault altogether."""
        if answer is None:
            if response.ok or response.status == 413:
                error = Web3ProviderCallError(f"{target.label} does not answer batches")
                raise _BatchRefused(error, response.status == 413)
            raise self._bad_status(response, target)
        problem = self._error(answer["error"], "")
        words = problem.node_message.lower()
        too_large = response.status == 413 or re.search(r"large|big|many|limit|exceed|max", words)
        if problem.rpc_code == -32600 or "batch" in words or response.status == 413:
            raise _BatchRefused(problem, bool(too_large))
        problem.retryable |= response.status == 429
        raise problem

    def _bad_status(self, response: Response, target: Target) -> Web3ProviderCallError:
        return Web3ProviderCallError(
            f"{target.label} answered HTTP status {response.status}: {response.advice}",
            details={"status": response.status},
            retryable=response.status == 429 or response.status >= 500,
        )

    # --- answers ----------------------------------------------------------------------------

    def _match(self, answers: list[Any], messages: list[dict[str, object]]) -> list[Any]:
        """Answers may come in any order: each belongs to the call with its id."""
        by_id: dict[int, Any] = {}
        for answer in answers:
            number = answer.get("id") if isinstance(answer, dict) else None
            if not isinstance(number, int) or isinstance(number, bool):
                raise self._malformed("an item without a usable id")
            if number in by_id:
                raise self._malformed(f"id {number} twice in one batch")
            by_id[number] = answer
        if set(by_id) != {message["id"] for message in messages}:
            raise self._malformed("a batch with other ids than those asked for")
        return [self._result(by_id[message["id"]], message) for message in messages]  # type: ignore[index]

    def _result(self, answer: Any, call: Mapping[str, object]) -> Any:
        """The result of ``answer`` to ``call``, or its ``RpcError``."""
        if not isinstance(answer, dict):
            raise self._malformed("not a JSON-RPC object")
        # A node that could not read the request answers id null.
        if answer.get("error") is not None and answer.get("id") in (None, call["id"]):
            return self._error(answer["error"], str(call["method"]))
        if isinstance(answer.get("id"), bool) or answer.get("id") != call["id"]:
            raise self._malformed("the id of another request")
        if "result" not in answer:
            raise self._malformed("neither result nor error")
        return answer["result"]

    def _malformed(self, what: str) -> Web3ProviderCallError:
        return Web3ProviderCallError(
            f"{self.label} sent a malformed JSON-RPC answer: {what}; check that its URL is a node's"
        )

    def _error(self, error: object, method: str) -> RpcError:
        fields = error if isinstance(error, dict) else {"message": error}
        code, message = fields.get("code"), fields.get("message")
        data = revert_data(fields.get("data"))
        if data and any(secret.encode() in data for secret in self._secrets):
            data = None  # no contract knows our keys
        return RpcError(
            code if isinstance(code, int) and abs(code) < 2**63 else 0,
            self._clean(message if isinstance(message, str) else ""),
            data,
            method=method,
        )

    def _clean(self, text: str) -> str:
        """A node's text made safe to show: one line, bounded, without keys of our URLs."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return shown(text)

    # --- what callers need most -------------------------------------------------------------

    def call(
        self, to: str, data: bytes, *, sender: str | None = None, block: int | str = "latest"
    ) -> bytes:
        """What contract ``to`` returns for calldata ``data``, read only.

        Empty where there is no such contract or function: see ``missing_contract``. ``RpcError``
        where it reverts.
        """
        return _data(self.request("eth_call", _call_params(to, data, sender, block)), "eth_call")

    def call_many(
        self,
        calls: Sequence[tuple[str, bytes]],
        *,
        sender: str | None = None,
        block: int | str = "latest",
    ) -> list[bytes | Web3ProviderCallError]:
        """Many ``call``s in as few requests as the node allows; a failed one is its error."""
        asked = [("eth_call", _call_params(to, item, sender, block)) for to, item in calls]
        return [_called(item) for item in self.batch(asked)]

    def call_many_now(
        self, calls: Sequence[tuple[str, bytes]]
    ) -> tuple[list[bytes | Web3ProviderCallError], dict[str, Any]]:
        """As ``call_many``, and the latest block, in the same batch."""
        asked = [("eth_call", _call_params(to, item, None, "latest")) for to, item in calls]
        block, *answers = self.batch([("eth_getBlockByNumber", ("latest", False)), *asked])
        if isinstance(block, Web3ProviderCallError):
            raise block
        if not isinstance(block, dict):
            raise Web3ProviderCallError("The node has no latest block", retryable=True)
        return [_called(item) for item in answers], block

    def chain_id(self) -> int:
        """The node's chain id, asked once; several nodes must agree."""
        with self._lock:
            if self._chain_id is None:
                self._chain_id = self._find_chain_id()
            return self._chain_id

    def _find_chain_id(self) -> int:
        found: set[int] = set()
        failure: TransportError | Web3ProviderCallError | None = None
        for node in self._nodes:
            call = self._message("eth_chainId", ())
            try:
                answer = self._result(self._post(call, [node], retry=True), call)
                if isinstance(answer, RpcError):
                    raise answer
                found.add(quantity(answer, "eth_chainId"))
            except (TransportError, Web3ProviderCallError) as error:
                failure = error  # one that is down now need not stop the others
        if len(found) > 1:
            raise ConfigurationError(f"the nodes are on different chains: {sorted(found)}")
        if not found and failure is not None:
            raise failure
        return found.pop()

    def block(self, which: int | str = "latest") -> dict[str, Any]:
        """A block's fields, transactions as hashes; ``Web3ProviderCallError`` if there is none."""
        found = self.request("eth_getBlockByNumber", (block_tag(which), False))
        if not isinstance(found, dict):
            raise Web3ProviderCallError(f"{self.label} has no block {which}")
        return found

    def send_raw(self, raw: bytes) -> str:
        """Hand a signed transaction to the node, once; its hash, ``0x`` text.

        ``RpcError.kind`` tells ``already_known`` and ``nonce_too_low`` apart. A node that answers
        another hash than the transaction's own is an error that holds ``tx_hash``.
        """
        expected = to_hex(keccak(raw))
        answer = self.request("eth_sendRawTransaction", (to_hex(raw),))
        if not isinstance(answer, str) or answer.lower() != expected:
            raise Web3ProviderCallError(
                f"{self.label} reports another hash than that of the transaction sent",
                tx_hash=expected,
            )
        return expected


class _BatchRefused(Exception):  # noqa: N818 - a signal between two methods, never seen outside
    def __init__(self, error: Web3ProviderCallError, too_large: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.too_large = too_large


# --- values ---------------------------------------------------------------------------------


def quantity(value: object, name: str = "quantity") -> int:
    """The integer of a ``0x`` hex quantity, at most 256 bits; ``Web3ProviderCallError`` if none."""
    if not isinstance(value, str) or not _QUANTITY.match(value):
        raise Web3ProviderCallError(f"the node gave no 0x hex number for {name}{OTHER_NODE}")
    return int(value, 16)


def data(value: object, name: str = "data", *, length: int | None = None) -> bytes:
    """The bytes of ``0x`` hex data; ``Web3ProviderCallError`` if it is none, or not so long."""
    match = _HEX.match(value) if isinstance(value, str) else None
    if match is None:
        raise Web3ProviderCallError(f"the node gave no 0x hex data for {name}{OTHER_NODE}")
    found = bytes.fromhex(match[1])
    if length is not None and len(found) != length:
        raise Web3ProviderCallError(
            f"the node gave {len(found)} bytes for {name} instead of {length}{OTHER_NODE}"
        )
    return found


_data = data  # Rpc.call has an argument of that name


def block_tag(block: int | str) -> str:
    """The wire form of a block: a number as hex; tags and hashes as they are."""
    return hex(block) if isinstance(block, int) else block


def missing_contract(to: str) -> Web3ProviderCallError:
    """The error for an empty answer to ``Rpc.call``, to be raised by who expected a value."""
    return Web3ProviderCallError(
        f"call revert exception (nothing at {to} answers this call: wrong address or chain?)",
        details={"to": to},
    )


def _called(item: Any) -> bytes | Web3ProviderCallError:
    """What one call of a batch gave: its data, or its error."""
    if isinstance(item, Web3ProviderCallError):
        return item
    try:
        return _data(item, "eth_call")
    except Web3ProviderCallError as error:
        return error


def _call_params(
    to: str, calldata: bytes, sender: str | None, block: int | str
) -> tuple[dict[str, str], str]:
    fields = {"to": to, "data": to_hex(calldata)}
    if sender is not None:
        fields["from"] = sender
    return fields, block_tag(block)


def _secret_pieces(url: str) -> Iterator[str]:
    """Parts of a URL that may be keys: long words of its path, query and userinfo."""
    _, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, path = host.rpartition("@")[0], rest[len(host) :]
    for word in re.split(r"[/?&=:#]", f"{userinfo}/{path}"):
        if len(word) >= 8:
            yield from {word, unquote(word)}
