"""The table of orders: four classes, whose fields say everything about an order once.

A field gives name, kind and default; EIP-712 types, calldata, JSON and the names of contract
functions, events and market paths follow. The order of the fields is that of the Solidity structs,
with ``salt`` (hashed) and ``sign`` (calldata only) last in the signed classes. ``orders`` is where
these are made, hashed and signed. Spec: chain.md §2.2, §2.6, §3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..errors import ValidationError
from ..eth.codec import to_hex
from ..eth.eip712 import Struct, compile_struct
from ..frozen import field
from .columns import ADDRESS, BYTES32, CATID, NRLC, PARAMS, SIGNATURE, TAG, UINT256, Record
from .rules import AGNOSTIC, DATASET, STRICT

__all__ = [
    "NULL_ADDRESS",
    "NULL_BYTES32",
    "NULL_DATASETORDER",
    "ORDER_KINDS",
    "SIGNED_ORDER_KINDS",
    "Apporder",
    "Datasetorder",
    "Order",
    "Requestorder",
    "SignedApporder",
    "SignedDatasetorder",
    "SignedOrder",
    "SignedRequestorder",
    "SignedWorkerpoolorder",
    "Workerpoolorder",
]

NULL_ADDRESS = "0x" + "0" * 40
NULL_BYTES32 = "0x" + "0" * 64


class Order(Record, abstract=True):
    """Base of the unsigned orders. ``name`` is the JSON and API name (``apporder``).

    ``solidity`` names the struct, so ``manage<solidity>`` and ``Closed<solidity>``; ``resource`` is
    what is offered (``app``), the market's path is ``/<name>s``; ``tag_use`` is how its tag is
    judged (``rules``).
    """

    name: ClassVar[str]
    solidity: ClassVar[str]
    resource: ClassVar[str]
    tag_use: ClassVar[str]
    tag: str
    volume: int

    def salted(self, salt: bytes) -> SignedOrder:
        """This order with a salt (32 bytes) and an empty signature: what is hashed."""
        if len(salt) != 32:
            raise ValidationError(f"salt must be 32 bytes, got {len(salt)}")
        return self.signed(to_hex(salt), "0x")

    def signed(self, salt: str, sign: str) -> SignedOrder:
        """This order with a salt (bytes32) and a signature (hex); neither is verified here."""
        kind = SIGNED_ORDER_KINDS[self.name]
        added, faults = kind.parse_values({"salt": salt, "sign": sign})
        if faults:
            raise ValidationError.collect(faults)
        return kind.of_normal(self.values() | added)


class SignedOrder(Order, abstract=True):
    """What the signed orders add: ``salt`` is hashed, ``sign`` goes into calldata only.

    ``sign`` is 65 bytes of a key, empty in a presigned order, any length of a contract wallet.
    """

    salt: str
    sign: str

    def abi_value(self) -> tuple[object, ...]:
        """The struct of the contracts, as ``eth.abi`` encodes it."""
        return self.packed()

    @classmethod
    def abi_tuple(cls) -> str:
        """The struct as human-readable ABI: ``(address app,…,bytes32 salt,bytes sign)``."""
        return "(" + ",".join(f"{column.abi} {name}" for name, column in cls.fields()) + ")"

    @classmethod
    def struct(cls) -> Struct:
        """The EIP-712 struct, compiled at first use."""
        struct = _STRUCTS.get(cls.name)
        if struct is None:
            hashed = [(column.abi, name) for name, column in cls.fields() if name != "sign"]
            struct = _STRUCTS[cls.name] = compile_struct(cls.solidity, {cls.solidity: hashed})
        return struct


class Apporder(Order):
    """An app for hire: ``appprice`` nRLC per task, ``volume`` tasks."""

    name: ClassVar[str] = "apporder"
    solidity: ClassVar[str] = "AppOrder"
    resource: ClassVar[str] = "app"
    tag_use: ClassVar[str] = STRICT
    app: str = field(metadata=ADDRESS)
    appprice: int = field(default=0, metadata=NRLC)
    volume: int = field(default=1, metadata=UINT256)
    tag: str = field(default=NULL_BYTES32, metadata=TAG)
    datasetrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    workerpoolrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    requesterrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)


class Datasetorder(Order):
    """A dataset for hire: ``datasetprice`` nRLC per task."""

    name: ClassVar[str] = "datasetorder"
    solidity: ClassVar[str] = "DatasetOrder"
    resource: ClassVar[str] = "dataset"
    tag_use: ClassVar[str] = DATASET
    dataset: str = field(metadata=ADDRESS)
    datasetprice: int = field(default=0, metadata=NRLC)
    volume: int = field(default=1, metadata=UINT256)
    tag: str = field(default=NULL_BYTES32, metadata=TAG)
    apprestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    workerpoolrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    requesterrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)


class Workerpoolorder(Order):
    """Computing power: tasks of ``category`` for ``workerpoolprice`` nRLC each."""

    name: ClassVar[str] = "workerpoolorder"
    solidity: ClassVar[str] = "WorkerpoolOrder"
    resource: ClassVar[str] = "workerpool"
    tag_use: ClassVar[str] = STRICT
    workerpool: str = field(metadata=ADDRESS)
    workerpoolprice: int = field(default=0, metadata=NRLC)
    volume: int = field(default=1, metadata=UINT256)
    tag: str = field(default=NULL_BYTES32, metadata=TAG)
    category: int = field(metadata=CATID)
    trust: int = field(default=0, metadata=UINT256)
    apprestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    datasetrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    requesterrestrict: str = field(default=NULL_ADDRESS, metadata=ADDRESS)


class Requestorder(Order):
    """A purchase: who pays (``requester``), who gets the result, at most which prices."""

    name: ClassVar[str] = "requestorder"
    solidity: ClassVar[str] = "RequestOrder"
    resource: ClassVar[str] = "request"
    tag_use: ClassVar[str] = AGNOSTIC
    app: str = field(metadata=ADDRESS)
    appmaxprice: int = field(default=0, metadata=NRLC)
    dataset: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    datasetmaxprice: int = field(default=0, metadata=NRLC)
    workerpool: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    workerpoolmaxprice: int = field(default=0, metadata=NRLC)
    requester: str = field(metadata=ADDRESS)
    volume: int = field(default=1, metadata=UINT256)
    tag: str = field(default=NULL_BYTES32, metadata=TAG)
    category: int = field(metadata=CATID)
    trust: int = field(default=0, metadata=UINT256)
    beneficiary: str = field(metadata=ADDRESS)
    callback: str = field(default=NULL_ADDRESS, metadata=ADDRESS)
    params: str = field(metadata=PARAMS)


class SignedApporder(Apporder, SignedOrder):
    """An app order that its owner has signed."""

    salt: str = field(metadata=BYTES32)
    sign: str = field(metadata=SIGNATURE)


class SignedDatasetorder(Datasetorder, SignedOrder):
    """A dataset order that its owner has signed."""

    salt: str = field(metadata=BYTES32)
    sign: str = field(metadata=SIGNATURE)


class SignedWorkerpoolorder(Workerpoolorder, SignedOrder):
    """A workerpool order that its owner has signed."""

    salt: str = field(metadata=BYTES32)
    sign: str = field(metadata=SIGNATURE)


class SignedRequestorder(Requestorder, SignedOrder):
    """A request order that its requester has signed."""

    salt: str = field(metadata=BYTES32)
    sign: str = field(metadata=SIGNATURE)


_STRUCTS: dict[str, Struct] = {}

ORDER_KINDS: Mapping[str, type[Order]] = {
    kind.name: kind for kind in (Apporder, Datasetorder, Workerpoolorder, Requestorder)
}
SIGNED_ORDER_KINDS: Mapping[str, type[SignedOrder]] = {
    kind.name: kind
    for kind in (SignedApporder, SignedDatasetorder, SignedWorkerpoolorder, SignedRequestorder)
}

# What matchOrders takes where no dataset is used (chain.md §7.1).
NULL_DATASETORDER = SignedDatasetorder(dataset=NULL_ADDRESS, volume=0, salt=NULL_BYTES32, sign="0x")
