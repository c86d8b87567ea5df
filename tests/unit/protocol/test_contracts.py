"""Selectors and topics of chain.md, the forms of arguments and answers, deals of both layouts.

The selectors, topics and calldata hashes are those of chain.md §1.7, §3, §4, §8.1, §13, §14, which
were computed with ethers; the answers below were encoded by ethers 5.3.1 too (their keccak256 pins
them).
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from iexec_lite.errors import DecodingError, ValidationError
from iexec_lite.eth.abi import decode_revert
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.protocol import deployment, orders, reverts
from iexec_lite.protocol.contracts import (
    BRIDGE,
    CALLBACK,
    ENS,
    ENTRY,
    ERLC,
    EVENTS,
    GROUP_MEMBER_PURPOSE,
    HUB,
    OPERATION_CLOSE,
    OPERATION_SIGN,
    REGISTRY,
    RESOURCE,
    RESTRICTION,
    TOKEN,
    EventSpec,
    Method,
    decode_deal,
)
from iexec_lite.protocol.orders import NULL_DATASETORDER

H = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
KEY_ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
ZERO = "0x" + "00" * 20
ZERO32 = "0x" + "00" * 32

SELECTORS: dict[str, dict[str, str]] = {
    "HUB": {
        # chain.md §3.1
        "domain": "0xc2fb26a6",
        "matchOrders": "0x156194d4",
        "manageAppOrder": "0xb2b07e66",
        "manageDatasetOrder": "0x4b747106",
        "manageWorkerpoolOrder": "0x7e34a077",
        "manageRequestOrder": "0x8dd971d5",
        "verifySignature": "0x01751998",
        "viewConsumed": "0x4b2bec8c",
        "viewDeal": "0xb74861b2",
        "viewTask": "0xadccf0d5",
        "viewAccount": "0x6b55f4a5",
        "viewCategory": "0x4f5f44ec",
        "countCategory": "0xc140996f",
        "createCategory": "0x298503d9",
        "owner": "0x8da5cb5b",
        "final_deadline_ratio": "0xdb8aaa26",
        "token": "0xfc0c546a",
        "appregistry": "0x45b637a9",
        "datasetregistry": "0xb1b11d2c",
        "workerpoolregistry": "0x90a0f546",
        "claim": "0xbd66528a",
        "claimArray": "0xfa055d7e",
        "initializeAndClaimArray": "0xf722cb32",
        "withdraw": "0x2e1a7d4d",
        "deposit_native": "0xd0e30db0",
        # chain.md §3.2
        "deposit": "0xb6b55f25",
        "depositFor": "0x36efd16f",
        "depositFor_native": "0xaa67c919",
        "depositForArray": "0x3354f8a5",
        "depositForArray_native": "0x3354f8a5",
        "withdrawTo": "0xc86283c8",
        "receiveApproval": "0x8f4ffcb1",
        "balanceOf": "0x70a08231",
        "frozenOf": "0x1bf6e00d",
        "transfer": "0xa9059cbb",
        "transferFrom": "0x23b872dd",
        "approve": "0x095ea7b3",
        "allowance": "0xdd62ed3e",
        "approveAndCall": "0xcae9ca51",
        "initialize": "0x5b36c66b",
        "initializeArray": "0xb504681d",
        "contribution_deadline_ratio": "0x74ed5244",
        "reveal_deadline_ratio": "0x2b8857c1",
        "workerpool_stake_ratio": "0x6112f6fd",
        "kitty_ratio": "0xdcb03241",
        "kitty_min": "0x77a99692",
        "kitty_address": "0xa47e7f80",
        "eip712domain_separator": "0x9910fd72",
        "verifyPresignature": "0xc87b582a",
        "verifyPresignatureOrSignature": "0xbf36994e",
        "viewPresigned": "0xd286eb16",
        "viewScore": "0xdb230b52",
        "viewContribution": "0xe741363b",
        "resultFor": "0xd09cc57e",
        "callbackgas": "0xe63ec07d",
        "teebroker": "0x5975b8fc",
        "name": "0x06fdde03",
        "symbol": "0x95d89b41",
        "decimals": "0x313ce567",
        "totalSupply": "0x18160ddd",
        "broadcastAppOrder": "0xc52e9de1",
        "broadcastDatasetOrder": "0x4c4692de",
        "broadcastWorkerpoolOrder": "0x947f5178",
        "broadcastRequestOrder": "0x4693d172",
        # chain.md §13.3, §13.4
        "assertDatasetDealCompatibility": "0x80f03425",
        "sponsorMatchOrders": "0x2f391533",
        "computeDealVolume": "0x66517ca6",
        "viewApp": "0xe1523fb4",
        "viewDataset": "0x1e143ef7",
        "viewWorkerpool": "0xbd8ab058",
    },
    "REGISTRY": {  # chain.md §4.1
        "isRegistered": "0xc3c5a547",
        "balanceOf": "0x70a08231",
        "tokenOfOwnerByIndex": "0x2f745c59",
        "ownerOf": "0x6352211e",
        "totalSupply": "0x18160ddd",
        "tokenByIndex": "0x4f6ccce7",
        "safeTransferFrom": "0x42842e0e",
        "safeTransferFrom_data": "0xb88d4fde",
        "transferFrom": "0x23b872dd",
        "tokenURI": "0xc87b56dd",
        "createApp": "0x3f7868ff",
        "predictApp": "0xe92118ed",
        "createDataset": "0x3354bcdb",
        "predictDataset": "0xfe17fc7a",
        "createWorkerpool": "0xe40238f4",
        "predictWorkerpool": "0x064a6c2a",
    },
    "ENTRY": {  # chain.md §4.3
        "owner": "0x8da5cb5b",
        "registry": "0x7b103999",
        "setName": "0x3121db1c",
        "changePolicy": "0xf199413c",
    },
    "TOKEN": {  # chain.md §8.1
        "balanceOf": "0x70a08231",
        "transfer": "0xa9059cbb",
        "approve": "0x095ea7b3",
        "allowance": "0xdd62ed3e",
        "approveAndCall": "0xcae9ca51",
    },
    "ERLC": {
        "balanceOf": "0x70a08231",
        "transfer": "0xa9059cbb",
        "approve": "0x095ea7b3",
        "allowance": "0xdd62ed3e",
        "approveAndCall": "0xcae9ca51",
        "isKYC": "0x9944f518",
        "withdraw": "0x2e1a7d4d",
        "deposit": "0xb6b55f25",
        "hasRole": "0x91d14854",
        "KYC_MEMBER_ROLE": "0x27e9083b",
        "underlyingToken": "0x2495a599",
    },
    "BRIDGE": {
        "minPerTx": "0xdf25f3f0",
        "maxPerTx": "0xf968adbe",
        "dailyLimit": "0x67eeba0c",
        "getCurrentDay": "0x3e6968b6",
        "totalSpentPerDay": "0x2bd0bb05",
        "withinLimit": "0xea9f4968",
    },
    "ENS": {"resolver": "0x0178b8bf", "addr": "0x3b3b57de"},  # chain.md §1.7
}
NAMESPACES: dict[str, object] = {
    **{"HUB": HUB, "REGISTRY": REGISTRY, "ENTRY": ENTRY, "TOKEN": TOKEN, "ERLC": ERLC},
    **{"BRIDGE": BRIDGE, "ENS": ENS},
}
# The worker's functions have no selector in chain.md; tests/contract holds them against the
# contracts' own interface.
WORKER = {
    *("contribute", "contributeAndFinalize", "reveal", "reopen", "finalize"),
    "groupmember_purpose",
}

GETTERS = {  # chain.md §4.3, keys in the order of the output
    "app": {
        "appChecksum": "0x84aaf12e",
        "appMREnclave": "0xe30d26a8",
        "appMultiaddr": "0x39e75d45",
        "appName": "0x358982a3",
        "appType": "0xf8c2ceb3",
        "owner": "0x8da5cb5b",
        "registry": "0x7b103999",
    },
    "dataset": {
        "datasetChecksum": "0x1ba99d7e",
        "datasetMultiaddr": "0xa61ca6c5",
        "datasetName": "0x0847c431",
        "owner": "0x8da5cb5b",
        "registry": "0x7b103999",
    },
    "workerpool": {
        "schedulerRewardRatioPolicy": "0x87639c68",
        "workerStakeRatioPolicy": "0xb55e75af",
        "workerpoolDescription": "0x584feb3a",
        "owner": "0x8da5cb5b",
        "registry": "0x7b103999",
    },
}

TOPICS = {  # chain.md §3.4, §4.3, §8.1
    "OrdersMatched": "0xd811b592ed0899225773e8933d8df64bd0b62761a9d7aad4ed5b22735f4610a4",
    "SchedulerNotice": "0x692ad61076dceddd0f1a861f737553dd61fc8501cf4190d29c4e90af6607f765",
    "ClosedAppOrder": "0x7343f75be43aba524f85326508cd975d016ef7884676377366c69a7c32e30668",
    "ClosedDatasetOrder": "0xcf52e3228bc482a6656d8ab56c09888b1c5bf6aaadba0185e96a34836f2bb1d4",
    "ClosedWorkerpoolOrder": "0x145ad51e4496173bca15e24e7eb46f9ab3a10eea0497e2801a3a6806c06113a3",
    "ClosedRequestOrder": "0x582f43f2a741cbe708aae3b8d38a4efc3d09d7e81919697b3ca693f4c444cc05",
    "SignedAppOrder": "0x50933cf5a9c44d5ed66b895deb27212aa33d811b46a7b41093e047e213c0bcab",
    "SignedDatasetOrder": "0x79ce85909be2c590a728d1634ce6ec8a7cbf815260bacc05387890a313da8130",
    "SignedWorkerpoolOrder": "0x3a61aabf2ab04790d082ff1e332853b2f66944c2e951a146121f80272812a476",
    "SignedRequestOrder": "0x3b0ac04165536d6b11d04220f998c840bd6e439d59c5d8721bba8a4e1fb9ebfd",
    "CreateCategory": "0x62bf08360c9d561749c54eaf4f8bf8cb6c8b6f4f40607bcec39a8172e714d25c",
    "TaskClaimed": "0xcbc308b5f91040d2659a5201858344b0b583cd2f9e18e8470c2fa052c5b21ff8",
    "TaskInitialize": "0x252992fb0468d68d6a5784ec03214f0d0a362083f2d7ebd157af43b017a22e06",
    "TaskContribute": "0x3fdb8d7797562d49a81078dbf7fa1771958ea452f8b13d1148383bd9506aecfb",
    "TaskConsensus": "0xf6d49bf3e05d33a4bc497d3c793fb5756388bb96b947cf51bb60aaecb0e022e3",
    "TaskReveal": "0x4b1763d473ac8fa80b4432ba90047e1b92444d8fabc55e6a002d9b1a316d7959",
    "TaskReopen": "0x3afe0f24796ce653c6ab1f3e7aba5ce564eece5e82aee724aff28253e829f07b",
    "TaskFinalize": "0x78ce8a8bc0fcb704e8ba3b3dbb36aa88002df8038128b4af2f27ef65db665044",
    "Transfer": "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    "RegistryTransfer": "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    "Approval": "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
    "Lock": "0x625fed9875dada8643f2418b838ae0bc78d9a148a18eee4ee1979ff0f3f5d427",
    "Unlock": "0x6381d9813cabeb57471b5a7e05078e64845ccdb563146a6911d536f24ce960f1",
    "Reward": "0xc2aca55aa696938c7e95842e8939ca0fbb2120a3eeb8948cdcee2b70da566672",
    "Seize": "0x1bccc549c38561cd5b57f0db11ceb8dde1b0b6ee05ab5e155b51c7c5ba64becb",
    "DealSponsored": "0x81eec3d5401bb1693dbef61f0800bc16602905d6677d691c1262d6f08456e9a0",
    "PolicyUpdate": "0x61f37ef3a6d587ce2d6be79492e1fac570f2745787015db7ed95ad4397b05c1e",
    "RelayedMessage": "0x4ab7d581336d92edbea22636a613e8e76c99ac7f91137c1523db38dbfb3bf329",
    "AffirmationCompleted": "0x6fc115a803b8703117d9a3956c5a15401cb42401f91630f015eb6b043fa76253",
}
# Not in chain.md; held against the contracts in tests/contract.
OTHER_EVENTS = {
    *("BroadcastAppOrder", "BroadcastDatasetOrder", "BroadcastWorkerpoolOrder"),
    *("BroadcastRequestOrder", "AccurateContribution", "FaultyContribution"),
}

ERRORS = {  # chain.md §13.3, §13.4
    "CallerIsNotTheRequester": "0x74a0583f",
    "UnsupportedOperation": "0xde6168e5",
    "OperationFailed": "0x0364eed2",
    "IncompatibleDatasetOrder": "0x0afd9382",
}


def members(namespace: object, kind: type) -> dict[str, Any]:
    return {name: each for name, each in vars(type(namespace)).items() if isinstance(each, kind)}


@pytest.mark.parametrize(
    ("namespace", "name", "selector"),
    [(namespace, *row) for namespace, table in SELECTORS.items() for row in table.items()],
)
def test_selector(namespace: str, name: str, selector: str) -> None:
    method = getattr(NAMESPACES[namespace], name)
    assert to_hex(method.selector) == selector
    assert method.name == name.removesuffix("_native").removesuffix("_data")


def test_every_method_has_its_selector_here() -> None:
    for name, namespace in NAMESPACES.items():
        listed = set(SELECTORS[name]) | (WORKER if name == "HUB" else set())
        assert set(members(namespace, Method)) == listed


@pytest.mark.parametrize("kind", GETTERS)
def test_getters(kind: str) -> None:
    found = [(key, to_hex(getter.selector)) for key, getter in RESOURCE[kind].items()]
    assert found == list(GETTERS[kind].items())


@pytest.mark.parametrize("name", TOPICS)
def test_topic(name: str) -> None:
    assert getattr(EVENTS, name).topic == TOPICS[name]


def test_every_event_has_its_topic_here() -> None:
    assert set(members(EVENTS, EventSpec)) == set(TOPICS) | OTHER_EVENTS


def test_events_of_a_contract_are_those_of_the_table() -> None:
    assert HUB.Transfer is TOKEN.Transfer is ERLC.Transfer is EVENTS.Transfer
    assert HUB.Approval is TOKEN.Approval is ERLC.Approval is EVENTS.Approval
    assert REGISTRY.Transfer is EVENTS.RegistryTransfer
    assert ENTRY.PolicyUpdate is EVENTS.PolicyUpdate
    assert BRIDGE.RelayedMessage is EVENTS.RelayedMessage
    assert BRIDGE.AffirmationCompleted is EVENTS.AffirmationCompleted


def test_restriction_and_callback() -> None:
    # IERC734 and IOracleConsumer
    assert RESTRICTION.keyHasPurpose.signature == "keyHasPurpose(bytes32,uint256)"
    assert CALLBACK.receiveResult.signature == "receiveResult(bytes32,bytes)"
    assert GROUP_MEMBER_PURPOSE == 4


def test_mutability() -> None:
    assert HUB.viewDeal.mutability == "view"
    assert HUB.deposit_native.mutability == "payable"
    assert HUB.deposit.mutability == "nonpayable"


def test_importing_parses_no_signature() -> None:
    code = (
        "import iexec_lite.protocol.contracts, iexec_lite.protocol.deployment\n"
        "from iexec_lite.eth import abi\n"
        "print(abi.function.cache_info().currsize, abi.event.cache_info().currsize)\n"
        "iexec_lite.protocol.contracts.HUB.owner.selector\n"
        "print(abi.function.cache_info().currsize)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.split() == ["0", "0", "1"]


# --- calldata -------------------------------------------------------------------------------------

SALT = "0x" + "22" * 32
SIGN = "0x" + "55" * 65
APPORDER = orders.SignedApporder(app=H, appprice=10**9, volume=10, salt=SALT, sign=SIGN)
WORKERPOOLORDER = orders.SignedWorkerpoolorder(
    workerpool=H, workerpoolprice=15, volume=3, category=5, salt=SALT, sign=SIGN
)
REQUESTORDER = orders.SignedRequestorder(
    app=H,
    appmaxprice=10**9,
    workerpoolmaxprice=15,
    requester=KEY_ADDRESS,
    beneficiary=KEY_ADDRESS,
    volume=1,
    category=5,
    params="{}",
    salt=SALT,
    sign=SIGN,
)
FOUR = (APPORDER, orders.NULL_DATASETORDER, WORKERPOOLORDER, REQUESTORDER)


def test_match_orders_calldata() -> None:
    data = HUB.matchOrders.encode(*FOUR)
    assert len(data) == 2052
    assert to_hex(keccak(data)) == (
        "0x72c897c435c7add92cc28c5f5c597f47adad17614af1114fc4fdd694417c7e31"
    )
    words = [int.from_bytes(data[4 + 32 * i : 36 + 32 * i], "big") for i in range(4)]
    assert words == [0x80, 0x220, 0x360, 0x540]
    assert HUB.matchOrders.encode_raw(*(order.abi_value() for order in FOUR)) == data
    as_dicts = [{**dict(zip(dict(o.fields()), o.abi_value(), strict=True))} for o in FOUR]
    assert HUB.matchOrders.encode(*as_dicts) == data
    assert HUB.sponsorMatchOrders.encode(*FOUR)[4:] == data[4:]


def test_manage_order_calldata() -> None:
    data = HUB.manageAppOrder.encode((APPORDER, 1, b""))
    assert len(data) == 580
    assert to_hex(keccak(data)) == (
        "0xd6697668ab0de075213b3e2c01029b7102b063e41479c2c71ce777a080c02877"
    )
    operation = {"order": APPORDER, "operation": 1, "sign": "0x"}
    assert HUB.manageAppOrder.encode(operation) == data
    assert HUB.manageAppOrder.encode_raw(orders.cancel_operation(APPORDER)) == data


def test_array_calldata() -> None:
    data = HUB.initializeAndClaimArray.encode([ZERO32, ZERO32], [3, 4])
    assert len(data) == 260
    assert to_hex(keccak(data)) == (
        "0x94bf86f7515492c72b1f98740188de9c144a8dea8f41d72c6123f52b95114d8a"
    )


def test_numbers_of_the_contracts() -> None:
    """``OrderOperationEnum`` of IexecLibOrders_v5 and ``GROUPMEMBER_PURPOSE`` (chain.md §3, §8)."""
    assert (OPERATION_SIGN, OPERATION_CLOSE, GROUP_MEMBER_PURPOSE) == (0, 1, 4)


def test_decode_input_is_the_way_back() -> None:
    data = REGISTRY.createDataset.encode(H, "name", b"\1\2", SALT)
    assert REGISTRY.createDataset.decode_input(data) == (H, "name", b"\1\2", SALT)
    with pytest.raises(DecodingError, match="not data of createApp"):
        REGISTRY.createApp.decode_input(data)


def test_address_forms() -> None:
    forms = [H, H.lower(), H.upper().replace("0X", "0x"), from_hex(H.lower())]
    assert len({HUB.viewAccount.encode(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "viewAccount takes 1 arguments, got 0"),
        ((H, H), "viewAccount takes 1 arguments, got 2"),
        (("0x12",), "viewAccount: account: .*not a valid ethereum address"),
        ((H.replace("eca1", "ecA1"),), "viewAccount: account: .*wrong checksum"),
        ((None,), "viewAccount: account: "),
        ((NULL_DATASETORDER,), "viewAccount: account: .*not a valid ethereum address"),
        ((b"\0" * 19,), "viewAccount: "),
    ],
)
def test_wrong_arguments(args: tuple[object, ...], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        HUB.viewAccount.encode(*args)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_the_wrong_argument_is_named(wrong: int) -> None:
    given: list[object] = [H, H, H]
    given[wrong] = "no address"
    for text, names in (
        ("f(address owner, address buyer, address seller)", ("owner", "buyer", "seller")),
        ("f(address, address, address)", ("argument 0", "argument 1", "argument 2")),
    ):
        with pytest.raises(ValidationError, match=f"^f: {names[wrong]}: no address is not"):
            Method(text).encode(*given)


def test_wrong_struct() -> None:
    with pytest.raises(ValidationError, match="manageAppOrder: o: a tuple of exactly order, "):
        HUB.manageAppOrder.encode({"order": APPORDER})
    with pytest.raises(ValidationError, match="computeDealVolume"):
        HUB.computeDealVolume.encode(APPORDER, APPORDER, APPORDER, APPORDER)


# --- answers --------------------------------------------------------------------------------------


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def address(digit: int) -> bytes:
    return bytes(12) + bytes([digit]) * 20


def padded(text: str) -> bytes:
    data = text.encode()
    return word(len(data)) + data + bytes(-len(data) % 32)


PARAMS = '{"iexec_args":"héllo"}'
DEAL_START = b"".join(
    [
        *(address(0x11), address(0x12), word(1000)),
        *(address(0x21), address(0x22), word(0)),
        *(address(0x31), address(0x32), word(15)),
        *(word(1), word(5), b"\x44" * 32, address(0x51), address(0x52), word(0)),
    ]
)
DEAL_END = b"".join([word(1700000000), word(3), word(2), word(4), word(1)])
OLD_DEAL = word(32) + DEAL_START + word(672) + DEAL_END + padded(PARAMS)
NEW_DEAL = word(32) + DEAL_START + word(704) + DEAL_END + address(0x61) + padded(PARAMS)
TASK = b"".join(
    [
        *(word(32), word(3), b"\x71" * 32, word(4), word(300)),
        *(word(1700002100), word(1700002200), word(1700003000), b"\x72" * 32, word(1), word(1)),
        *(word(480), b"\x75" * 32, word(576), word(1700001000), word(672)),
        *(word(2), address(0x73), address(0x74)),
        *(padded('{"storage":"ipfs","location":"/ipfs/Qm"}'), word(0)),
    ]
)


def checksummed(digit: int) -> str:
    return str(HUB.token.decode(address(digit)))


def test_the_answers_are_those_of_ethers() -> None:
    assert [to_hex(keccak(data)) for data in (OLD_DEAL, NEW_DEAL, TASK)] == [
        "0x55ebb18a3d57228017ba3a6c6d73f94ad9bf645e8172d3d4a2d28130da3c77fd",
        "0xad6299dee9f2c289ca14c1d78b8976f747f50f4d17d30a627851e8762969441e",
        "0x4130ac7230b107ed5d6c94e7ac921abab7e8e69536d29114870a795087bab63e",
    ]


EXPECTED_DEAL = {
    "app": {"pointer": "0x" + "11" * 20, "owner": "0x" + "12" * 20, "price": 1000},
    "dataset": {"pointer": "0x" + "21" * 20, "owner": "0x" + "22" * 20, "price": 0},
    "workerpool": {"pointer": "0x" + "31" * 20, "owner": "0x" + "32" * 20, "price": 15},
    "trust": 1,
    "category": 5,
    "tag": "0x" + "44" * 32,
    "requester": "0x" + "51" * 20,
    "beneficiary": "0x" + "52" * 20,
    "callback": ZERO,
    "params": PARAMS,
    "startTime": 1700000000,
    "botFirst": 3,
    "botSize": 2,
    "workerStake": 4,
    "schedulerRewardRatio": 1,
}


def test_deal_before_sponsors() -> None:
    assert decode_deal(OLD_DEAL) == EXPECTED_DEAL
    assert list(decode_deal(OLD_DEAL)) == list(EXPECTED_DEAL)


def test_deal_with_sponsor() -> None:
    assert decode_deal(NEW_DEAL) == {**EXPECTED_DEAL, "sponsor": "0x" + "61" * 20}
    assert HUB.viewDeal.decode(NEW_DEAL) == decode_deal(NEW_DEAL)


@pytest.mark.parametrize("data", [b"", OLD_DEAL[:-40], NEW_DEAL[:500], bytes(700)])
def test_damaged_deal(data: bytes) -> None:
    with pytest.raises(DecodingError):
        decode_deal(data)


def test_task() -> None:
    assert HUB.viewTask.decode(TASK) == {
        "status": 3,
        "dealid": "0x" + "71" * 32,
        "idx": 4,
        "timeref": 300,
        "contributionDeadline": 1700002100,
        "revealDeadline": 1700002200,
        "finalDeadline": 1700003000,
        "consensusValue": "0x" + "72" * 32,
        "revealCounter": 1,
        "winnerCounter": 1,
        "contributors": ["0x" + "73" * 20, "0x" + "74" * 20],
        "resultDigest": "0x" + "75" * 32,
        "results": b'{"storage":"ipfs","location":"/ipfs/Qm"}',
        "resultsTimestamp": 1700001000,
        "resultsCallback": b"",
    }


def test_answers_of_all_shapes() -> None:
    assert HUB.claim.decode(b"") is None
    assert HUB.countCategory.decode(word(5)) == 5
    assert HUB.viewAccount.decode(word(7) + word(8)) == {"stake": 7, "locked": 8}
    assert checksummed(0xAB) == "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
    several = deployment.PROXY.functionByIndex
    answer = word(96) + b"\x12\x34\x56\x78" + bytes(28) + address(0x11) + padded("f()")
    assert several.decode(answer) == ("f()", "0x12345678", "0x" + "11" * 20)
    with pytest.raises(DecodingError, match="countCategory"):
        HUB.countCategory.decode(b"")


# --- logs -----------------------------------------------------------------------------------------


def log(spec: EventSpec, *topics: bytes, data: bytes = b"", **more: object) -> dict[str, object]:
    return {
        "address": H.lower(),
        "topics": [spec.topic, *map(to_hex, topics)],
        "data": to_hex(data),
        **more,
    }


def topics_of(entry: dict[str, object]) -> list[str]:
    topics = entry["topics"]
    assert isinstance(topics, list)
    return topics


def test_a_list_is_a_list() -> None:
    for value in (5, "0x11", None):
        with pytest.raises(ValidationError, match="taskids"):
            HUB.claimArray.encode(value)


def test_of_long_indexed_values_a_log_has_the_hash() -> None:
    spec = EventSpec("Named(string indexed name, uint8[] indexed list, uint8 indexed size)")
    entry = log(spec, b"\x01" * 32, b"\x02" * 32, word(3))
    assert spec.decode(entry) == {"name": "0x" + "01" * 32, "list": "0x" + "02" * 32, "size": 3}
    assert repr(spec) == f"EventSpec({spec.text!r})"
    assert spec.signature == "Named(string,uint8[],uint8)"


@pytest.mark.parametrize("kind", ["uint8[2]", "(uint8 a, bool b)", "bytes"])
def test_of_indexed_values_of_several_words_a_log_has_the_hash(kind: str) -> None:
    spec = EventSpec(f"Named({kind} indexed what)")
    assert spec.decode(log(spec, b"\x03" * 32)) == {"what": "0x" + "03" * 32}


def test_functions_that_read_nothing() -> None:
    assert Method("f() pure returns (bool)").mutability == "pure"


def test_decode_log() -> None:
    data = b"".join(bytes([n]) * 32 for n in range(1, 6)) + word(7)
    assert EVENTS.OrdersMatched.decode(log(EVENTS.OrdersMatched, data=data)) == {
        "dealid": "0x" + "01" * 32,
        "appHash": "0x" + "02" * 32,
        "datasetHash": "0x" + "03" * 32,
        "workerpoolHash": "0x" + "04" * 32,
        "requestHash": "0x" + "05" * 32,
        "volume": 7,
    }
    contribute = log(EVENTS.TaskContribute, b"\1" * 32, address(2), data=b"\3" * 32)
    assert EVENTS.TaskContribute.decode(contribute) == {
        "taskid": "0x" + "01" * 32,
        "worker": "0x" + "02" * 20,
        "hash": "0x" + "03" * 32,
    }
    finalize = log(
        EVENTS.TaskFinalize, b"\1" * 32, data=word(32) + word(2) + b"\x12\x34" + bytes(30)
    )
    assert EVENTS.TaskFinalize.decode(finalize)["results"] == b"\x12\x34"


def test_find_takes_only_this_event_of_this_emitter() -> None:
    mine = log(EVENTS.Transfer, address(1), address(2), data=word(9))
    upper = ["0x" + topic[2:].upper() for topic in topics_of(mine)]
    logs: list[dict[str, object]] = [
        {**mine, "address": ZERO},
        log(EVENTS.Transfer, address(1), address(2), data=word(8), removed=True),
        {**mine, "topics": []},
        {**mine, "topics": None},
        {**mine, "address": None},
        log(EVENTS.Approval, address(1), address(2), data=word(9)),
        log(EVENTS.RegistryTransfer, address(1), address(2), word(9)),
        {**mine, "removed": False},
        {**mine, "address": H, "topics": upper},
    ]
    expected = {"from": "0x" + "01" * 20, "to": "0x" + "02" * 20, "value": 9}
    assert EVENTS.Transfer.find(logs, H) == [expected, expected]
    assert [found["tokenId"] for found in REGISTRY.Transfer.find(logs, H.lower())] == [9]
    assert EVENTS.Transfer.find([], H) == []


def test_damaged_log() -> None:
    bad = log(EVENTS.Transfer, address(1), address(2), data=b"\0" * 31)
    with pytest.raises(DecodingError):
        EVENTS.Transfer.find([bad], H)
    for change in ({"data": None}, {"data": "0x0"}, {"topics": [EVENTS.Transfer.topic, 1, 2]}):
        with pytest.raises(DecodingError):
            EVENTS.Transfer.find([{**bad, **change}], H)


def test_order_struct_in_a_log() -> None:
    data = word(32) + HUB.broadcastAppOrder.encode(APPORDER)[36:]
    found = EVENTS.BroadcastAppOrder.decode(log(EVENTS.BroadcastAppOrder, data=data))
    order = found["apporder"]
    assert isinstance(order, dict)
    assert order["sign"] == from_hex(SIGN)
    assert orders.SignedApporder.from_dict({**order, "sign": SIGN}) == APPORDER


# --- reverts --------------------------------------------------------------------------------------


def test_match_reverts_are_all_there() -> None:
    codes = (
        *range(0x08),
        *range(0x10, 0x1C),
        *(0x20, 0x21, 0x22, 0x30, 0x31, 0x32, 0x40, 0x41, 0x42, 0x50, 0x51, 0x60),
    )
    assert list(reverts.MATCH_REVERTS) == [f"iExecV5-matchOrders-0x{code:02x}" for code in codes]
    assert reverts.explain_revert("iExecV5-matchOrders-0x14") == (
        "the app order is restricted to another workerpool"
    )
    assert reverts.explain_revert("fallback-disabled") is None


def test_custom_errors() -> None:
    found = {error.name: to_hex(error.selector) for error in reverts.custom_errors()}
    assert {name: found[name] for name in ERRORS} == ERRORS
    revert = decode_revert(from_hex("0xde6168e5" + "12345678" + "00" * 28), reverts.custom_errors())
    assert revert is not None
    assert revert.text == "UnsupportedOperation(0x12345678)"


# --- deployment -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        (deployment.PROXY.updateContract, "updateContract(address,string,string)"),
        (
            deployment.DEPLOY_HUB.configure,
            "configure(address,string,string,uint8,address,address,address,address)",
        ),
        (deployment.DEPLOY_REGISTRY.initialize, "initialize(address)"),
        (deployment.FACTORY.createContractAndCall, "createContractAndCall(bytes,bytes32,bytes)"),
        (deployment.OWNED.transferOwnership, "transferOwnership(address)"),
        (
            deployment.DIAMOND.diamondCut,
            "diamondCut((address,uint8,bytes4[])[],address,bytes)",
        ),
        (deployment.DEPLOY_RLC.refill, "refill(address,uint256)"),
    ],
)
def test_deployment_signature(method: Method, signature: str) -> None:
    assert method.signature == signature


def test_well_known_deployment_selectors() -> None:
    assert to_hex(deployment.DIAMOND.init.selector) == "0xe1c7392a"  # sandbox6.md §4
    assert to_hex(deployment.DIAMOND.diamondCut.selector) == "0x1f931c1c"  # its ERC-165 id
    cut = {"facetAddress": H, "action": 0, "functionSelectors": ["0xe1c7392a"]}
    data = deployment.DIAMOND.diamondCut.encode([cut], ZERO, b"")
    assert deployment.DIAMOND.diamondCut.decode_input(data) == ([cut], ZERO, b"")


@pytest.mark.parametrize("log", [None, "x", 5, []])
def test_what_is_no_log(log: Any) -> None:
    event = EVENTS.TaskClaimed
    with pytest.raises(DecodingError, match="not a log"):
        event.find([log], "0x" + "11" * 20)
    with pytest.raises(DecodingError, match="not a log"):
        event.decode(log)


@pytest.mark.parametrize("topic", [None, pytest.param(10**5000, id="long"), [], b"x"])
def test_a_log_whose_topic_is_no_text_is_of_another_event(topic: Any) -> None:
    log = {"address": "0x" + "11" * 20, "topics": [topic, "0x" + "22" * 32], "data": "0x"}
    assert EVENTS.TaskClaimed.find([log], "0x" + "11" * 20) == []
