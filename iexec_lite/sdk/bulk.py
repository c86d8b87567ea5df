"""Preparing datasets in bulk: check every order, upload slices and their list (today.md §2.3).

Everything that would make a worker pass over a dataset is looked for before anything is uploaded,
and told at once with the index of each order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import IpfsGatewayCallError, ValidationError
from ..log import log
from ..protocol import bulk
from ..protocol.contracts import ENTRY, GROUP_MEMBER_PURPOSE, HUB, REGISTRY, RESTRICTION
from ..protocol.orders import SignedDatasetorder, order_hash
from ..protocol.rules import TEE
from ..protocol.tag import to_mask
from .records import DatasetBulk

if TYPE_CHECKING:
    from ..protocol.methods import Read
    from .context import Context

__all__ = ["prepare"]


def prepare(
    context: Context,
    values: object,
    per_task: int,
    *,
    parties: Mapping[str, str | None],
    copy_to: Sequence[str],
    check: bool,
) -> DatasetBulk:
    """Upload a bulk. ValidationError with every bad order's index, IpfsGatewayCallError."""
    orders = bulk.read_orders(values)
    files = bulk.slice_files(orders, per_task)
    node = context.service("ipfs_node", "ipfs_node_url")
    gateway = context.service("ipfs_gateway", "ipfs_gateway_url")
    bad = list(bulk.faults(orders))
    if not bad:
        bad += _on_chain(context, orders, parties)
    if not bad and check:
        bad += _without_key(context, orders)
    if bad:
        raise ValidationError.collect(f"[{index}].{text}" for index, text in sorted(bad))
    cids = [_upload(context, file, node, gateway, copy_to) for file in files]
    root = _upload(context, bulk.root_file(cids), node, gateway, copy_to)
    return DatasetBulk(cid=root, volume=len(files))


def _upload(context: Context, file: bytes, node: str, gateway: str, copy_to: Sequence[str]) -> str:
    from ..net.ipfs import Ipfs

    cid = Ipfs(context.http, node, gateway).add(file)
    for other in copy_to:
        try:
            Ipfs(context.http, other, None).add(file)
        except IpfsGatewayCallError as error:
            log.warning("no copy of %s elsewhere: %s", cid, error.message)
    return cid


def _on_chain(
    context: Context, orders: Sequence[SignedDatasetorder], parties: Mapping[str, str | None]
) -> Iterator[tuple[int, str]]:
    """What the chain says against orders: in two batches of reads for all of them."""
    registry = context.registry("dataset")
    hashes = [order_hash(order, context.domain) for order in orders]
    reads: list[Read] = []
    for order, key in zip(orders, hashes, strict=True):
        reads.append((registry, REGISTRY.isRegistered, (order.dataset,)))
        reads.append((context.hub, HUB.viewConsumed, (key,)))
        reads.append((order.dataset, ENTRY.owner, ()))
    found = context.read_many(reads)
    claims: list[tuple[int, str, Read]] = []
    for index, (order, key) in enumerate(zip(orders, hashes, strict=True)):
        its = slice(3 * index, 3 * index + 3)
        if found[its][0] is False:
            yield index, f"dataset {order.dataset} is not deployed"
            continue
        _, consumed, owner = context.checked(reads[its], found[its])
        if int(str(consumed)) >= order.volume:
            yield index, "volume is used up, or the order was cancelled"
        claim = (owner, key, order.sign)
        text = f"sign is not of {owner}, the owner of the dataset"
        claims.append((index, text, (context.hub, HUB.verifyPresignatureOrSignature, claim)))
    for index, kind, restrict, party in bulk.restriction_faults(orders, parties):
        member = ("0x" + party[2:].lower().rjust(64, "0"), GROUP_MEMBER_PURPOSE)
        text = f"{kind}restrict is {restrict}, not {party}"
        claims.append((index, text, (restrict, RESTRICTION.keyHasPurpose, member)))
    answers = context.read_many([read for _, _, read in claims])
    for (index, text, _), answer in zip(claims, answers, strict=True):
        if getattr(answer, "retryable", False):  # the node is busy, and has not asked
            raise answer  # type: ignore[misc]  # it is an exception then
        if answer is not True:
            yield index, text


def _without_key(
    context: Context, orders: Sequence[SignedDatasetorder]
) -> Iterator[tuple[int, str]]:
    """Orders of encrypted datasets whose key nobody has given to the SMS."""
    path = context.chain.rules.sms_dataset_path
    for index, order in enumerate(orders):
        if to_mask(order.tag) & TEE and not context.sms.exists(path, address=order.dataset):
            yield (
                index,
                f"dataset: the encryption key of {order.dataset} is not set in the SMS, its "
                "decryption will fail",
            )
