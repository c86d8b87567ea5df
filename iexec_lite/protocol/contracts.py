"""The contracts that iExec talks to, as tables of human-readable signatures.

``HUB.viewDeal.encode(dealid)`` makes calldata, ``HUB.viewDeal.decode(answer)`` reads the answer, in
the forms of the library (``methods.py``). A signature is parsed at its first use, so the tables
cost nothing to import. The events are in ``events.py``, what only a deployment needs is in
``deployment.py``. Spec: chain.md §1.7, §3, §4.1, §4.3, §8.1, §13.3, §13.4; sandbox.md §6.
"""
# Attributes are named as the contracts name them.
# ruff: noqa: N815

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .events import EVENTS
from .methods import EventSpec, Method

__all__ = [
    "BRIDGE",
    "CALLBACK",
    "ENS",
    "ENTRY",
    "ERLC",
    "EVENTS",
    "GROUP_MEMBER_PURPOSE",
    "HUB",
    "OPERATION_CLOSE",
    "OPERATION_SIGN",
    "REGISTRY",
    "RESOURCE",
    "RESTRICTION",
    "TOKEN",
    "EventSpec",
    "Method",
    "decode_deal",
]

OPERATION_SIGN, OPERATION_CLOSE = 0, 1  # of manage…Order: presign, cancel
GROUP_MEMBER_PURPOSE = 4  # ERC-734 purpose of an account that a restriction group admits


_RESOURCE = "(address pointer, address owner, uint256 price)"
_DEAL = (
    f"{_RESOURCE} app, {_RESOURCE} dataset, {_RESOURCE} workerpool, uint256 trust, "
    "uint256 category, bytes32 tag, address requester, address beneficiary, address callback, "
    "string params, uint256 startTime, uint256 botFirst, uint256 botSize, uint256 workerStake, "
    "uint256 schedulerRewardRatio"
)
_TASK = (
    "uint8 status, bytes32 dealid, uint256 idx, uint256 timeref, uint256 contributionDeadline, "
    "uint256 revealDeadline, uint256 finalDeadline, bytes32 consensusValue, "
    "uint256 revealCounter, uint256 winnerCounter, address[] contributors, bytes32 resultDigest, "
    "bytes results, uint256 resultsTimestamp, bytes resultsCallback"
)
_FOUR = (
    "({AppOrder} apporder, {DatasetOrder} datasetorder, {WorkerpoolOrder} workerpoolorder, "
    "{RequestOrder} requestorder)"
)


class _ViewDeal(Method):
    """``viewDeal``: deals have a ``sponsor`` from PoCo 5.5 on (chain.md §3.3)."""

    __slots__ = ()
    before_sponsors = Method(f"viewDeal(bytes32 dealid) view returns (({_DEAL}))")

    def decode(self, data: bytes) -> object:
        """The deal as a dictionary; without ``sponsor`` where the hub knows none."""
        # The text is reached through an offset, which is the size of the fixed part before it:
        # 21 words, or 22 with the sponsor.
        start = 32 + 15 * 32
        old = int.from_bytes(data[start : start + 32], "big") == 21 * 32
        return self.before_sponsors.decode(data) if old else super().decode(data)


class _Hub:
    """The iExec hub: orders, deals, tasks, accounts, categories."""

    # orders
    matchOrders = Method(f"matchOrders{_FOUR} returns (bytes32 dealid)")
    sponsorMatchOrders = Method(f"sponsorMatchOrders{_FOUR} returns (bytes32 dealid)")
    computeDealVolume = Method(f"computeDealVolume{_FOUR} view returns (uint256)")
    manageAppOrder = Method("manageAppOrder(({AppOrder} order, uint8 operation, bytes sign) o)")
    manageDatasetOrder = Method(
        "manageDatasetOrder(({DatasetOrder} order, uint8 operation, bytes sign) o)"
    )
    manageWorkerpoolOrder = Method(
        "manageWorkerpoolOrder(({WorkerpoolOrder} order, uint8 operation, bytes sign) o)"
    )
    manageRequestOrder = Method(
        "manageRequestOrder(({RequestOrder} order, uint8 operation, bytes sign) o)"
    )
    broadcastAppOrder = Method("broadcastAppOrder({AppOrder} apporder)")
    broadcastDatasetOrder = Method("broadcastDatasetOrder({DatasetOrder} datasetorder)")
    broadcastWorkerpoolOrder = Method("broadcastWorkerpoolOrder({WorkerpoolOrder} workerpoolorder)")
    broadcastRequestOrder = Method("broadcastRequestOrder({RequestOrder} requestorder)")
    verifySignature = Method(
        "verifySignature(address identity, bytes32 hash, bytes sign) view returns (bool)"
    )
    verifyPresignature = Method(
        "verifyPresignature(address identity, bytes32 hash) view returns (bool)"
    )
    verifyPresignatureOrSignature = Method(
        "verifyPresignatureOrSignature(address identity, bytes32 hash, bytes sign) "
        "view returns (bool)"
    )
    viewConsumed = Method("viewConsumed(bytes32 orderHash) view returns (uint256)")
    viewPresigned = Method("viewPresigned(bytes32 orderHash) view returns (address)")
    assertDatasetDealCompatibility = Method(
        "assertDatasetDealCompatibility({DatasetOrder} datasetorder, bytes32 dealid) view"
    )

    # deals and tasks
    viewDeal = _ViewDeal(f"viewDeal(bytes32 dealid) view returns (({_DEAL}, address sponsor))")
    viewTask = Method(f"viewTask(bytes32 taskid) view returns (({_TASK}))")
    viewContribution = Method(
        "viewContribution(bytes32 taskid, address worker) view returns ((uint8 status, "
        "bytes32 resultHash, bytes32 resultSeal, address enclaveChallenge, uint256 weight))"
    )
    viewScore = Method("viewScore(address worker) view returns (uint256)")
    resultFor = Method("resultFor(bytes32 taskid) view returns (bytes)")
    initialize = Method("initialize(bytes32 dealid, uint256 idx) returns (bytes32 taskid)")
    initializeArray = Method("initializeArray(bytes32[] dealids, uint256[] idxs) returns (bool)")
    initializeAndClaimArray = Method(
        "initializeAndClaimArray(bytes32[] dealids, uint256[] idxs) returns (bool)"
    )
    contribute = Method(
        "contribute(bytes32 taskid, bytes32 resultHash, bytes32 resultSeal, "
        "address enclaveChallenge, bytes enclaveSign, bytes authorizationSign)"
    )
    contributeAndFinalize = Method(
        "contributeAndFinalize(bytes32 taskid, bytes32 resultDigest, bytes results, "
        "bytes resultsCallback, address enclaveChallenge, bytes enclaveSign, "
        "bytes authorizationSign)"
    )
    reveal = Method("reveal(bytes32 taskid, bytes32 resultDigest)")
    reopen = Method("reopen(bytes32 taskid)")
    finalize = Method("finalize(bytes32 taskid, bytes results, bytes resultsCallback)")
    claim = Method("claim(bytes32 taskid)")
    claimArray = Method("claimArray(bytes32[] taskids) returns (bool)")

    # accounts: staked RLC, itself a token
    viewAccount = Method(
        "viewAccount(address account) view returns ((uint256 stake, uint256 locked))"
    )
    deposit = Method("deposit(uint256 amount) returns (bool)")
    deposit_native = Method("deposit() payable returns (bool)")
    depositFor = Method("depositFor(uint256 amount, address target) returns (bool)")
    depositFor_native = Method("depositFor(address target) payable returns (bool)")
    depositForArray = Method("depositForArray(uint256[] amounts, address[] targets) returns (bool)")
    depositForArray_native = Method(
        "depositForArray(uint256[] amounts, address[] targets) payable returns (bool)"
    )
    withdraw = Method("withdraw(uint256 amount) returns (bool)")
    withdrawTo = Method("withdrawTo(uint256 amount, address target) returns (bool)")
    receiveApproval = Method(
        "receiveApproval(address sender, uint256 amount, address token, bytes data) returns (bool)"
    )
    balanceOf = Method("balanceOf(address account) view returns (uint256)")
    frozenOf = Method("frozenOf(address account) view returns (uint256)")
    allowance = Method("allowance(address account, address spender) view returns (uint256)")
    approve = Method("approve(address spender, uint256 amount) returns (bool)")
    approveAndCall = Method(
        "approveAndCall(address spender, uint256 amount, bytes data) returns (bool)"
    )
    transfer = Method("transfer(address recipient, uint256 amount) returns (bool)")
    transferFrom = Method(
        "transferFrom(address sender, address recipient, uint256 amount) returns (bool)"
    )
    name = Method("name() view returns (string)")
    symbol = Method("symbol() view returns (string)")
    decimals = Method("decimals() view returns (uint8)")
    totalSupply = Method("totalSupply() view returns (uint256)")

    # categories
    viewCategory = Method(
        "viewCategory(uint256 catid) view returns "
        "((string name, string description, uint256 workClockTimeRef))"
    )
    countCategory = Method("countCategory() view returns (uint256)")
    createCategory = Method(
        "createCategory(string name, string description, uint256 workClockTimeRef) "
        "returns (uint256 catid)"
    )

    # resources in one read (PoCo 6)
    viewApp = Method(
        "viewApp(address app) view returns ((address owner, string m_appName, string m_appType, "
        "bytes m_appMultiaddr, bytes32 m_appChecksum, bytes m_appMREnclave))"
    )
    viewDataset = Method(
        "viewDataset(address dataset) view returns ((address owner, string m_datasetName, "
        "bytes m_datasetMultiaddr, bytes32 m_datasetChecksum))"
    )
    viewWorkerpool = Method(
        "viewWorkerpool(address workerpool) view returns ((address owner, "
        "string m_workerpoolDescription, uint256 m_workerStakeRatioPolicy, "
        "uint256 m_schedulerRewardRatioPolicy))"
    )

    # settings
    domain = Method(
        "domain() view returns "
        "((string name, string version, uint256 chainId, address verifyingContract))"
    )
    eip712domain_separator = Method("eip712domain_separator() view returns (bytes32)")
    owner = Method("owner() view returns (address)")
    token = Method("token() view returns (address)")
    appregistry = Method("appregistry() view returns (address)")
    datasetregistry = Method("datasetregistry() view returns (address)")
    workerpoolregistry = Method("workerpoolregistry() view returns (address)")
    teebroker = Method("teebroker() view returns (address)")
    callbackgas = Method("callbackgas() view returns (uint256)")
    contribution_deadline_ratio = Method("contribution_deadline_ratio() view returns (uint256)")
    reveal_deadline_ratio = Method("reveal_deadline_ratio() view returns (uint256)")
    final_deadline_ratio = Method("final_deadline_ratio() view returns (uint256)")
    workerpool_stake_ratio = Method("workerpool_stake_ratio() view returns (uint256)")
    groupmember_purpose = Method("groupmember_purpose() view returns (uint256)")
    kitty_ratio = Method("kitty_ratio() view returns (uint256)")
    kitty_min = Method("kitty_min() view returns (uint256)")
    kitty_address = Method("kitty_address() view returns (address)")

    Transfer = EVENTS.Transfer
    Approval = EVENTS.Approval


class _Registry:
    """The three registries: ERC-721 whose token id is the contract's address as an integer."""

    isRegistered = Method("isRegistered(address entry) view returns (bool)")
    balanceOf = Method("balanceOf(address owner) view returns (uint256)")
    tokenOfOwnerByIndex = Method(
        "tokenOfOwnerByIndex(address owner, uint256 index) view returns (uint256)"
    )
    ownerOf = Method("ownerOf(uint256 tokenId) view returns (address)")
    totalSupply = Method("totalSupply() view returns (uint256)")
    tokenByIndex = Method("tokenByIndex(uint256 index) view returns (uint256)")
    tokenURI = Method("tokenURI(uint256 tokenId) view returns (string)")
    transferFrom = Method("transferFrom(address from, address to, uint256 tokenId)")
    safeTransferFrom = Method("safeTransferFrom(address from, address to, uint256 tokenId)")
    safeTransferFrom_data = Method(
        "safeTransferFrom(address from, address to, uint256 tokenId, bytes data)"
    )
    createApp = Method(
        "createApp(address owner, string name, string type, bytes multiaddr, bytes32 checksum, "
        "bytes mrenclave) returns (address)"
    )
    predictApp = Method(
        "predictApp(address owner, string name, string type, bytes multiaddr, bytes32 checksum, "
        "bytes mrenclave) view returns (address)"
    )
    createDataset = Method(
        "createDataset(address owner, string name, bytes multiaddr, bytes32 checksum) "
        "returns (address)"
    )
    predictDataset = Method(
        "predictDataset(address owner, string name, bytes multiaddr, bytes32 checksum) "
        "view returns (address)"
    )
    createWorkerpool = Method(
        "createWorkerpool(address owner, string description) returns (address)"
    )
    predictWorkerpool = Method(
        "predictWorkerpool(address owner, string description) view returns (address)"
    )
    Transfer = EVENTS.RegistryTransfer


class _Entry:
    """Any app, dataset or workerpool contract; ``changePolicy`` on workerpools only."""

    owner = Method("owner() view returns (address)")
    registry = Method("registry() view returns (address)")
    setName = Method("setName(address ens, string name)")
    changePolicy = Method(
        "changePolicy(uint256 newWorkerStakeRatioPolicy, uint256 newSchedulerRewardRatioPolicy)"
    )
    PolicyUpdate = EVENTS.PolicyUpdate


class _Token:
    """The RLC token, 9 decimals."""

    balanceOf = Method("balanceOf(address owner) view returns (uint256 balance)")
    transfer = Method("transfer(address to, uint256 value) returns (bool)")
    approve = Method("approve(address spender, uint256 value) returns (bool)")
    allowance = Method("allowance(address owner, address spender) view returns (uint256 remaining)")
    approveAndCall = Method("approveAndCall(address spender, uint256 value, bytes extraData)")
    Transfer = EVENTS.Transfer
    Approval = EVENTS.Approval


class _Erlc:
    """The enterprise token: RLC for accounts that passed a KYC."""

    balanceOf = Method("balanceOf(address account) view returns (uint256)")
    transfer = Method("transfer(address recipient, uint256 amount) returns (bool)")
    approve = Method("approve(address spender, uint256 amount) returns (bool)")
    allowance = Method("allowance(address owner, address spender) view returns (uint256)")
    approveAndCall = Method(
        "approveAndCall(address spender, uint256 amount, bytes extraData) returns (bool)"
    )
    isKYC = Method("isKYC(address account) view returns (bool)")
    deposit = Method("deposit(uint256 amount)")
    withdraw = Method("withdraw(uint256 amount)")
    hasRole = Method("hasRole(bytes32 role, address account) view returns (bool)")
    KYC_MEMBER_ROLE = Method("KYC_MEMBER_ROLE() view returns (bytes32)")
    underlyingToken = Method("underlyingToken() view returns (address)")
    Transfer = EVENTS.Transfer
    Approval = EVENTS.Approval


class _Bridge:
    """The token bridges of V6. Amounts: nRLC on a token chain, wei on a native one."""

    minPerTx = Method("minPerTx() view returns (uint256)")
    maxPerTx = Method("maxPerTx() view returns (uint256)")
    dailyLimit = Method("dailyLimit() view returns (uint256)")
    getCurrentDay = Method("getCurrentDay() view returns (uint256)")
    totalSpentPerDay = Method("totalSpentPerDay(uint256 day) view returns (uint256)")
    withinLimit = Method("withinLimit(uint256 amount) view returns (bool)")
    RelayedMessage = EVENTS.RelayedMessage
    AffirmationCompleted = EVENTS.AffirmationCompleted


class _Restriction:
    """A group that an order is restricted to (ERC-734); the key is the address as bytes32."""

    keyHasPurpose = Method("keyHasPurpose(bytes32 key, uint256 purpose) view returns (bool exists)")


class _Callback:
    """A contract that a deal reports its result to."""

    receiveResult = Method("receiveResult(bytes32 callID, bytes callback)")


class _Ens:
    """ENS: ``resolver`` of the registry, ``addr`` of the resolver; both by namehash."""

    resolver = Method("resolver(bytes32 node) view returns (address)")
    addr = Method("addr(bytes32 node) view returns (address)")


HUB = _Hub()
REGISTRY = _Registry()
ENTRY = _Entry()
TOKEN = _Token()
ERLC = _Erlc()
BRIDGE = _Bridge()
RESTRICTION = _Restriction()
CALLBACK = _Callback()
ENS = _Ens()

# What `show` prints of a resource: key → getter, in the order of the output (chain.md §4.3).
RESOURCE: Mapping[str, Mapping[str, Method]] = MappingProxyType(
    {
        "app": {
            "appChecksum": Method("m_appChecksum() view returns (bytes32)"),
            "appMREnclave": Method("m_appMREnclave() view returns (bytes)"),
            "appMultiaddr": Method("m_appMultiaddr() view returns (bytes)"),
            "appName": Method("m_appName() view returns (string)"),
            "appType": Method("m_appType() view returns (string)"),
            "owner": ENTRY.owner,
            "registry": ENTRY.registry,
        },
        "dataset": {
            "datasetChecksum": Method("m_datasetChecksum() view returns (bytes32)"),
            "datasetMultiaddr": Method("m_datasetMultiaddr() view returns (bytes)"),
            "datasetName": Method("m_datasetName() view returns (string)"),
            "owner": ENTRY.owner,
            "registry": ENTRY.registry,
        },
        "workerpool": {
            "schedulerRewardRatioPolicy": Method(
                "m_schedulerRewardRatioPolicy() view returns (uint256)"
            ),
            "workerStakeRatioPolicy": Method("m_workerStakeRatioPolicy() view returns (uint256)"),
            "workerpoolDescription": Method("m_workerpoolDescription() view returns (string)"),
            "owner": ENTRY.owner,
            "registry": ENTRY.registry,
        },
    }
)


def decode_deal(data: bytes) -> dict[str, object]:
    """The answer of ``viewDeal`` from any hub; ``sponsor`` is there from PoCo 5.5 on."""
    deal = HUB.viewDeal.decode(data)
    assert isinstance(deal, dict)  # noqa: S101  # a struct decodes as dict
    return deal
