"""Every message that is hashed, signed or exchanged, for the question who else has seen it.

Ours against ours proves nothing about a format. A test in which somebody else sees a message is
marked ``@pytest.mark.witness("hash of apporder", by="js")``; names may be patterns of ``fnmatch``.
``by``: ``js``, the JavaScript SDK or ethers, run beside ours; ``contracts``, the real contracts and
node; ``recorded``, files of vectors/, recorded from the same or published with a specification.
``tools/make_docs.py`` makes docs/witness.md of this table and the marks, read from the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

WITNESSES = ("js", "contracts", "recorded")
ORDERS = ("apporder", "datasetorder", "workerpoolorder", "requestorder")

# title of a section → its messages (chain.md and services.md, in their order)
MESSAGES: dict[str, tuple[str, ...]] = {
    "Values": (
        "amount",
        "address",
        "multiaddress",
        "enclave measurement",
        "tag",
        "tag of today's networks",
        "params",
        "params of today's networks",
        "deal id",
        "task id",
        "address of a token id",
        "ENS namehash",
    ),
    "Signatures and keys": (
        "EIP-712 document",
        "EIP-712 digest of an order operation",
        "personal message (EIP-191)",
        "address of a key",
        "keystore",
        "wallet requests (RpcSigner)",
    ),
    "Orders": (
        *(f"hash of {kind}" for kind in ORDERS),
        *(f"signature of {kind}" for kind in ORDERS),
    ),
    "Transactions": (
        "transaction, legacy",
        "transaction, EIP-2930",
        "transaction, EIP-1559",
        "ABI coding",
    ),
    "Calldata": (
        "calldata: match orders",
        *(f"calldata: manage {kind}" for kind in ORDERS),
        *(f"calldata: deploy {kind}" for kind in ("app", "dataset", "workerpool")),
        "calldata: create category",
        "calldata: claim a task",
        "calldata: claim a deal",
        "calldata: deposit (token)",
        "calldata: deposit (native)",
        "calldata: withdraw",
        "calldata: transfer of RLC",
        "calldata: allowance of stakes",
        "calldata: transfer of apps, datasets, workerpools",
        "calldata: sponsored match",
        "calldata: deposit and match",
        "calldata: eRLC wrap and unwrap",
        "transfer to the bridge",
        "calldata: ENS resolution",
        "calldata: initialize, contribute, reveal, finalize",
    ),
    "Contributions (the sandbox's worker)": (
        "result hash and seal",
        "authorization of a worker",
        "signature of an enclave",
    ),
    "Answers of contracts": (
        "view: deal",
        "view: task",
        "view: account",
        "view: category",
        "view: app, dataset, workerpool",
        "view: app, dataset, workerpool (PoCo 6)",
        "view: eRLC membership",
        "view: bridge limits",
        "events of the bridge",
        "events",
        "revert reason",
    ),
    "Files": (
        "encrypted dataset",
        "checksum of a dataset",
        "result archive of V6",
        "result archive of today",
        "result digest of files",
        "result digest of callback data",
    ),
    "Marketplace": (
        "market: challenge",
        "market: authorization",
        *(f"market: publish {kind}" for kind in ORDERS),
        "market: unpublish one",
        "market: unpublish last",
        "market: unpublish all",
        *(f"market: order book of {kind}s" for kind in ORDERS),
        "market: order books, filters of today",
        "market: order by its hash",
        "market: deals of a requester",
        "market: deals of an order",
    ),
    "SMS": (
        "sms: digest signed for a web3 secret",
        "sms: digest signed for a web2 secret",
        "sms: HEAD web3",
        "sms: POST web3",
        "sms: HEAD web2",
        "sms: POST web2",
        "sms: PUT web2",
        "sms: digest signed for an app's secret",
        "sms: HEAD app",
        "sms: POST app",
        "sms: HEAD requester",
        "sms: POST requester",
    ),
    "Result proxy and gateway": (
        "result proxy: challenge",
        "result proxy: login",
        "result proxy: upload",
        "result proxy: download",
        "gateway: download of a result",
    ),
    "Beyond the chain, today": (
        "ipfs: upload",
        "ipfs: look at the gateway",
        "bulk of datasets",
        "compass: URL of a workerpool",
        "workerpool: task",
        "workerpool: challenge",
        "workerpool: logs",
    ),
    "Faucets": (
        "faucets of V6",
        "faucet of the sandbox: RLC",
        "faucet of the sandbox: ether",
    ),
}
NAMES = tuple(name for names in MESSAGES.values() for name in names)


class WitnessError(Exception):
    """A mark that cannot be read, or names what the table does not know."""


def witnesses(tests: Path) -> dict[str, dict[str, list[str]]]:
    """Message → witness → the tests in which it saw the message."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in NAMES}
    for path in sorted(tests.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in tree.body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                test = f"{path.parent.name}/{path.stem}::{function.name}"
                for mark in function.decorator_list:
                    for name, by in _read(mark, test):
                        found[name].setdefault(by, []).append(test)
    return found


def _read(mark: ast.expr, test: str) -> Iterator[tuple[str, str]]:
    """Message and witness of one mark; nothing where it is another mark."""
    if not isinstance(mark, ast.Call) or ast.unparse(mark.func) != "pytest.mark.witness":
        return
    try:
        patterns = [ast.literal_eval(argument) for argument in mark.args]
        options = {each.arg: ast.literal_eval(each.value) for each in mark.keywords}
    except ValueError:
        raise WitnessError(f"{test}: a witness mark holds plain texts only") from None
    by = options.get("by")
    if by not in WITNESSES or len(options) != 1 or not patterns:
        raise WitnessError(f"{test}: a witness mark is (messages…, by={' or '.join(WITNESSES)})")
    for pattern in patterns:
        names = [name for name in NAMES if fnmatchcase(name, pattern)]
        if not names:
            raise WitnessError(f"{test}: no message is called {pattern!r}: see tests/witness.py")
        yield from ((name, by) for name in names)
