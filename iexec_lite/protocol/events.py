"""Every event of the contracts, by name: ``EVENTS.OrdersMatched.find(logs, hub)``.

Nothing is parsed before its first use. Spec: chain.md §3.4, §4.3, §8.1.
"""

from __future__ import annotations

from .methods import EventSpec

__all__ = ["EVENTS"]


class _Events:
    """Every event, by name. ``RegistryTransfer`` is the ERC-721 form of ``Transfer``."""

    OrdersMatched = EventSpec(
        "OrdersMatched(bytes32 dealid, bytes32 appHash, bytes32 datasetHash, "
        "bytes32 workerpoolHash, bytes32 requestHash, uint256 volume)"
    )
    SchedulerNotice = EventSpec("SchedulerNotice(address indexed workerpool, bytes32 dealid)")
    DealSponsored = EventSpec("DealSponsored(bytes32 dealId, address sponsor)")
    ClosedAppOrder = EventSpec("ClosedAppOrder(bytes32 appHash)")
    ClosedDatasetOrder = EventSpec("ClosedDatasetOrder(bytes32 datasetHash)")
    ClosedWorkerpoolOrder = EventSpec("ClosedWorkerpoolOrder(bytes32 workerpoolHash)")
    ClosedRequestOrder = EventSpec("ClosedRequestOrder(bytes32 requestHash)")
    SignedAppOrder = EventSpec("SignedAppOrder(bytes32 appHash)")
    SignedDatasetOrder = EventSpec("SignedDatasetOrder(bytes32 datasetHash)")
    SignedWorkerpoolOrder = EventSpec("SignedWorkerpoolOrder(bytes32 workerpoolHash)")
    SignedRequestOrder = EventSpec("SignedRequestOrder(bytes32 requestHash)")
    BroadcastAppOrder = EventSpec("BroadcastAppOrder({AppOrder} apporder)")
    BroadcastDatasetOrder = EventSpec("BroadcastDatasetOrder({DatasetOrder} datasetorder)")
    BroadcastWorkerpoolOrder = EventSpec(
        "BroadcastWorkerpoolOrder({WorkerpoolOrder} workerpoolorder)"
    )
    BroadcastRequestOrder = EventSpec("BroadcastRequestOrder({RequestOrder} requestorder)")
    CreateCategory = EventSpec(
        "CreateCategory(uint256 catid, string name, string description, uint256 workClockTimeRef)"
    )
    TaskInitialize = EventSpec("TaskInitialize(bytes32 indexed taskid, address indexed workerpool)")
    TaskContribute = EventSpec(
        "TaskContribute(bytes32 indexed taskid, address indexed worker, bytes32 hash)"
    )
    TaskConsensus = EventSpec("TaskConsensus(bytes32 indexed taskid, bytes32 consensus)")
    TaskReveal = EventSpec(
        "TaskReveal(bytes32 indexed taskid, address indexed worker, bytes32 digest)"
    )
    TaskReopen = EventSpec("TaskReopen(bytes32 indexed taskid)")
    TaskFinalize = EventSpec("TaskFinalize(bytes32 indexed taskid, bytes results)")
    TaskClaimed = EventSpec("TaskClaimed(bytes32 indexed taskid)")
    AccurateContribution = EventSpec(
        "AccurateContribution(address indexed worker, bytes32 indexed taskid)"
    )
    FaultyContribution = EventSpec(
        "FaultyContribution(address indexed worker, bytes32 indexed taskid)"
    )
    Transfer = EventSpec("Transfer(address indexed from, address indexed to, uint256 value)")
    Approval = EventSpec("Approval(address indexed owner, address indexed spender, uint256 value)")
    Lock = EventSpec("Lock(address owner, uint256 amount)")
    Unlock = EventSpec("Unlock(address owner, uint256 amount)")
    Reward = EventSpec("Reward(address owner, uint256 amount, bytes32 ref)")
    Seize = EventSpec("Seize(address owner, uint256 amount, bytes32 ref)")
    RegistryTransfer = EventSpec(
        "Transfer(address indexed from, address indexed to, uint256 indexed tokenId)"
    )
    PolicyUpdate = EventSpec(
        "PolicyUpdate(uint256 oldWorkerStakeRatioPolicy, uint256 newWorkerStakeRatioPolicy, "
        "uint256 oldSchedulerRewardRatioPolicy, uint256 newSchedulerRewardRatioPolicy)"
    )
    RelayedMessage = EventSpec(
        "RelayedMessage(address recipient, uint256 value, bytes32 transactionHash)"
    )
    AffirmationCompleted = EventSpec(
        "AffirmationCompleted(address recipient, uint256 value, bytes32 transactionHash)"
    )


EVENTS = _Events()
