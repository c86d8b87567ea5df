"""What one does with orders: create, hash, sign, verify, cancel. Pure, needs no network.

The classes, the table of their fields, are in ``order_kinds``. Whether a signer owns the app,
dataset or workerpool only the chain knows (``sdk/order.py`` asks it); a request order is refused to
anybody but its requester. Signing never changes an order. Spec: chain.md §2, §5.1, §14; today.md
§3.3, §7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeVar, overload

from ..errors import ValidationError
from ..eth.codec import address_to_bytes, from_hex, to_hex
from ..eth.crypto import random_bytes
from ..eth.eip712 import Domain, TypedData, typed_digest
from ..eth.signer import KeySigner, Signer, proved_signature, verify_digest
from .ids import deal_id, task_id
from .order_kinds import (
    NULL_ADDRESS,
    NULL_BYTES32,
    NULL_DATASETORDER,
    ORDER_KINDS,
    SIGNED_ORDER_KINDS,
    Apporder,
    Datasetorder,
    Order,
    Requestorder,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
    Workerpoolorder,
)
from .params import create_params
from .rules import TEE, V6, Rules
from .tag import check_tag, from_mask, to_mask

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
    "cancel_operation",
    "create_apporder",
    "create_datasetorder",
    "create_requestorder",
    "create_workerpoolorder",
    "deal_id",
    "domain",
    "order_hash",
    "sign_order",
    "task_id",
    "typed_data",
    "verify_order",
]

CLOSE = 1  # the operation of manage…Order that cancels; 0 presigns

DOMAIN_NAME = "iExecODB"
DOMAIN_VERSION = "5.0.0"

O = TypeVar("O", bound="Order")  # noqa: E741


# --- create ---------------------------------------------------------------------------------------


def create_apporder(*, rules: Rules = V6, tag_as_given: bool = False, **fields: object) -> Apporder:
    """An app order; ``app`` is required, the rest has defaults (chain.md §2.6).

    ``fields`` are those of ``Apporder``, loosely: amounts as ``"5 RLC"``, tags as names. Where
    ``rules`` force tag bits they are added, unless ``tag_as_given``.
    """
    return _create(Apporder, fields, rules, tag_as_given)


def create_datasetorder(
    *, rules: Rules = V6, tag_as_given: bool = False, **fields: object
) -> Datasetorder:
    """A dataset order; ``dataset`` is required. As ``create_apporder``."""
    return _create(Datasetorder, fields, rules, tag_as_given)


def create_workerpoolorder(
    *, rules: Rules = V6, tag_as_given: bool = False, **fields: object
) -> Workerpoolorder:
    """A workerpool order; ``workerpool`` and ``category`` are required. As ``create_apporder``."""
    return _create(Workerpoolorder, fields, rules, tag_as_given)


def create_requestorder(
    *,
    rules: Rules = V6,
    result_proxy: str | None = None,
    tag_as_given: bool = False,
    **fields: object,
) -> Requestorder:
    """A request order; ``app``, ``category`` and ``requester`` are required.

    ``beneficiary`` is the requester by default. ``params`` is a dictionary, JSON text or bare text
    (taken as ``iexec_args``); it is completed as ``rules`` and ``result_proxy`` (URL) ask and kept
    as the text that is signed. The rest as ``create_apporder``.
    """
    given = fields.pop("params", None)

    def complete(values: Mapping[str, object]) -> str:
        if "tag" not in values or "callback" not in values:
            return ""  # they have faults of their own, and what holds for params hangs on them
        return create_params(
            {} if given is None else given,
            rules=rules,
            tee=bool(to_mask(values["tag"]) & TEE),
            callback=values["callback"] != NULL_ADDRESS,
            result_proxy=result_proxy,
        )

    computed: dict[str, Callable[[Mapping[str, object]], object]] = {"params": complete}
    if fields.get("beneficiary") is None:
        computed["beneficiary"] = lambda values: values.get("requester")
    return _create(Requestorder, fields, rules, tag_as_given, **computed)


def _create(
    cls: type[O],
    given: Mapping[str, object],
    rules: Rules,
    tag_as_given: bool,
    **computed: Callable[[Mapping[str, object]], object],
) -> O:
    """Parse what is given, fill defaults, apply tag rules; report all faults at once."""
    given = {name: value for name, value in given.items() if value is not None}
    values, faults = cls.parse_values(given)
    known = cls.field_names()
    faults += [f"{name} is not a field of {cls.name}" for name in given if name not in known]
    missing = [name for name in cls.required_fields() if name not in given and name not in computed]
    faults += [f"{name} is a required field" for name in missing]
    for name, default in (("tag", NULL_BYTES32), ("callback", NULL_ADDRESS)):
        if name not in given and name in known:
            values[name] = default
    if "tag" in values:
        if rules.forced_tag and not tag_as_given:
            values["tag"] = from_mask(to_mask(values["tag"]) | rules.forced_tag)
        try:
            check_tag(values["tag"], rules, cls.tag_use)
        except ValidationError as error:
            faults.append(f"tag: {error.message}")
    for name, compute in computed.items():
        try:
            values[name] = compute(values)
        except ValidationError as error:
            faults.extend(f"{name}: {text}" for text in error.errors)
    if missing:
        raise ValidationError(f"Missing parameter: {'; '.join(faults)}", errors=faults)
    if faults:
        raise ValidationError.collect(faults)
    return cls.of_normal(values)


# --- hash and sign --------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def domain(chain_id: int, hub: str) -> Domain:
    """The EIP-712 domain of the orders of one hub (chain.md §2.1). Kept, computed once."""
    return Domain(DOMAIN_NAME, DOMAIN_VERSION, chain_id, address_to_bytes(hub, name="hub"))


def typed_data(order: SignedOrder, domain: Domain) -> TypedData:
    """What is signed for ``order``; its ``sign`` does not matter. ``to_dict()`` is for wallets."""
    return TypedData.of_row(order.struct(), domain, order.packed()[:-1])  # sign is the last member


def _digest(order: SignedOrder, domain: Domain) -> bytes:
    return typed_digest(domain, order.struct().hash_row(order.packed()[:-1]))


def order_hash(order: SignedOrder, domain: Domain) -> str:
    """The order's hash, its id on chain and on the market: ``0x`` bytes32. Ignores ``sign``."""
    return to_hex(_digest(order, domain))


@overload
def sign_order(
    order: Apporder, signer: Signer, domain: Domain, *, salt: bytes | None = None
) -> SignedApporder: ...
@overload
def sign_order(
    order: Datasetorder, signer: Signer, domain: Domain, *, salt: bytes | None = None
) -> SignedDatasetorder: ...
@overload
def sign_order(
    order: Workerpoolorder, signer: Signer, domain: Domain, *, salt: bytes | None = None
) -> SignedWorkerpoolorder: ...
@overload
def sign_order(
    order: Requestorder, signer: Signer, domain: Domain, *, salt: bytes | None = None
) -> SignedRequestorder: ...
@overload
def sign_order(
    order: Order, signer: Signer, domain: Domain, *, salt: bytes | None = None
) -> SignedOrder: ...


def sign_order(
    order: Order, signer: Signer, domain: Domain, *, salt: bytes | None = None
) -> SignedOrder:
    """Sign ``order``, which stays as it is, under a new salt (32 random bytes by default).

    A signature that does not come from a local key is checked before it is used: SignatureError.
    A request order is signed by its requester only; whether the signer owns the resource of
    another order is not known here.
    """
    if isinstance(order, Requestorder) and order.requester.lower() != signer.address.lower():
        raise ValidationError(
            f"Invalid order signer, must be the requester: {order.requester} "
            f"is not {signer.address}"
        )
    cls, salt = SIGNED_ORDER_KINDS[order.name], random_bytes(32) if salt is None else salt
    if len(salt) != 32:
        raise ValidationError(f"salt must be 32 bytes, got {len(salt)}")
    row = order.packed()[: len(cls.field_names()) - 2]  # an order signed before is signed anew
    signature = _signature(TypedData.of_row(cls.struct(), domain, (*row, salt)), signer)
    return cls.of_normal({**order.values(), "salt": to_hex(salt), "sign": to_hex(signature)})


def _signature(data: TypedData, signer: Signer) -> bytes:
    signature = signer.sign_typed_data(data)
    if type(signer) is KeySigner:  # a local key has proved itself when it was loaded
        return signature
    return proved_signature(signer.address, data.digest, signature)


def verify_order(order: SignedOrder, domain: Domain, signer_address: str) -> None:
    """Raise SignatureError unless ``sign`` is ``signer_address``'s key over this order.

    Presigned orders and those of contract wallets cannot be verified without the chain.
    """
    verify_digest(signer_address, _digest(order, domain), from_hex(order.sign, name="sign"))


def cancel_operation(order: SignedOrder) -> tuple[object, ...]:
    """The argument of ``manage…Order`` that closes ``order``; its owner sends it (§2.7)."""
    return order.abi_value(), CLOSE, b""
