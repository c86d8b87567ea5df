"""The iExec SDK for Python, without web3.

::

    from iexec_lite import IExec

    iexec = IExec("sandbox", "0x…")                # a node and a key
    offline = IExec.offline("0x…", chain=42161)    # sign only, no socket

Names are loaded at first use, so ``import iexec_lite`` costs almost nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, which takes 6 ms to load
if TYPE_CHECKING:
    from . import errors, utils
    from .eth.signer import KeySigner, Signer
    from .net.rpc_signer import RpcSigner
    from .protocol.chains import Chain
    from .protocol.detached import SignedRequest, SigningRequest
    from .protocol.objects import App, Category, Dataset, Workerpool
    from .protocol.orders import (
        Apporder,
        Datasetorder,
        Requestorder,
        SignedApporder,
        SignedDatasetorder,
        SignedRequestorder,
        SignedWorkerpoolorder,
        Workerpoolorder,
    )
    from .sdk.client import IExec
    from .sdk.offchain import ReplicateInfo, ReplicateLogs, StatusChange, TaskInfo
    from .sdk.page import Page
    from .sdk.plan import PlannedOrder, RequestPlan, RunPlan, RunResult
    from .sdk.records import (
        AccountBalance,
        Balances,
        BridgeTransfer,
        CancelledOrder,
        DatasetBulk,
        Deal,
        DealClaim,
        DealUpdate,
        Deployed,
        FaucetAnswer,
        MarketDeal,
        MatchEstimate,
        MatchResult,
        Network,
        OwnershipTransfer,
        PendingTransaction,
        PublishedOrder,
        Resource,
        SecretPush,
        Sweep,
        Task,
        TaskUpdate,
        Transfer,
    )
    from .sdk.results import Results
    from .sdk.watch import Watch

__all__ = [
    "AccountBalance",
    "App",
    "Apporder",
    "Balances",
    "BridgeTransfer",
    "CancelledOrder",
    "Category",
    "Chain",
    "Dataset",
    "DatasetBulk",
    "Datasetorder",
    "Deal",
    "DealClaim",
    "DealUpdate",
    "Deployed",
    "FaucetAnswer",
    "IExec",
    "KeySigner",
    "MarketDeal",
    "MatchEstimate",
    "MatchResult",
    "Network",
    "OwnershipTransfer",
    "Page",
    "PendingTransaction",
    "PlannedOrder",
    "PublishedOrder",
    "ReplicateInfo",
    "ReplicateLogs",
    "RequestPlan",
    "Requestorder",
    "Resource",
    "Results",
    "RpcSigner",
    "RunPlan",
    "RunResult",
    "SecretPush",
    "SignedApporder",
    "SignedDatasetorder",
    "SignedRequest",
    "SignedRequestorder",
    "SignedWorkerpoolorder",
    "Signer",
    "SigningRequest",
    "StatusChange",
    "Sweep",
    "Task",
    "TaskInfo",
    "TaskUpdate",
    "Transfer",
    "Watch",
    "Workerpool",
    "Workerpoolorder",
    "__version__",
    "errors",
    "utils",
]

__version__ = "0.1.0"

_HOME = {
    "sdk.client": ("IExec",),
    "sdk.offchain": ("ReplicateInfo", "ReplicateLogs", "StatusChange", "TaskInfo"),
    "sdk.page": ("Page",),
    "sdk.plan": ("PlannedOrder", "RequestPlan", "RunPlan", "RunResult"),
    "sdk.watch": ("Watch",),
    "sdk.results": ("Results",),
    "sdk.records": (
        "AccountBalance",
        "Balances",
        "BridgeTransfer",
        "CancelledOrder",
        "DatasetBulk",
        "Deal",
        "DealClaim",
        "DealUpdate",
        "Deployed",
        "FaucetAnswer",
        "MarketDeal",
        "MatchEstimate",
        "MatchResult",
        "Network",
        "OwnershipTransfer",
        "PendingTransaction",
        "PublishedOrder",
        "Resource",
        "SecretPush",
        "Sweep",
        "Task",
        "TaskUpdate",
        "Transfer",
    ),
    "eth.signer": ("KeySigner", "Signer"),
    "net.rpc_signer": ("RpcSigner",),
    "protocol.chains": ("Chain",),
    "protocol.detached": ("SignedRequest", "SigningRequest"),
    "protocol.objects": ("App", "Category", "Dataset", "Workerpool"),
    "protocol.orders": (
        "Apporder",
        "Datasetorder",
        "Requestorder",
        "SignedApporder",
        "SignedDatasetorder",
        "SignedRequestorder",
        "SignedWorkerpoolorder",
        "Workerpoolorder",
    ),
}
_NAMES = {name: module for module, names in _HOME.items() for name in names}
_MODULES = ("errors", "utils")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
