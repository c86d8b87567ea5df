"""What the chain says of a task, as a worker needs it to compute (worker.md §1, §5).

Of a task with many datasets, the orders of its slice come from the store; each is held against the
deal on chain, and a dataset that the deal does not admit is left out, not refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import IExecError, ValidationError
from ..net.rpc import Rpc
from ..protocol import multiaddr
from ..protocol.contracts import HUB, RESOURCE, Method
from ..protocol.orders import NULL_ADDRESS, SignedDatasetorder
from ..protocol.params import read_params
from ..protocol.rules import TEE
from ..protocol.tag import to_mask
from .compute import BulkDataset, Job
from .inputs import DatasetFile
from .market_tables import is_bulk
from .runtime import Runtime

__all__ = ["Jobs", "Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a deal; ``index`` is that of the chain."""

    taskid: str
    index: int
    dealid: str
    deal: Mapping[str, Any]


class Jobs:
    """Reads jobs. ``slice_of(cid, index)`` gives the dataset orders of a task, if it can."""

    def __init__(
        self,
        rpc: Rpc,
        hub: str,
        slice_of: Callable[[str, int], list[Mapping[str, Any]] | None],
        runtime: Runtime,
        report: Callable[[str], None],
    ) -> None:
        self._rpc = rpc
        self._hub = hub
        self._slice_of = slice_of
        self._runtime = runtime
        self._report = report

    def read(self, task: Task) -> Job:
        """The job of a task."""
        deal = task.deal
        app = deal["app"]["pointer"]
        dataset = deal["dataset"]["pointer"]
        used = dataset != NULL_ADDRESS
        params, tee = read_params(deal["params"]), bool(to_mask(deal["tag"]) & TEE)
        return Job(
            taskid=task.taskid,
            dealid=task.dealid,
            app=app,
            image=multiaddr.to_text(self._ask(app, RESOURCE["app"]["appMultiaddr"])),
            dataset=dataset if used else None,
            dataset_file=self._dataset_file(dataset) if used else None,
            bulk=self._bulk(task, params) if tee else None,
            params=params,
            tee=tee,
            requester=deal["requester"],
            beneficiary=deal["beneficiary"],
            callback=None if deal["callback"] == NULL_ADDRESS else deal["callback"],
            bot_size=deal["botSize"],
            bot_first=deal["botFirst"],
            index=task.index,
            limit=self.reference(task),
        )

    def reference(self, task: Task) -> int:
        """Seconds that a task of its category may compute."""
        category = self._ask(self._hub, HUB.viewCategory, task.deal["category"])
        return int(category["workClockTimeRef"])

    def _bulk(self, task: Task, params: Mapping[str, object]) -> list[BulkDataset] | None:
        cid = params.get("bulk_cid")
        if not self._runtime.bulk or not isinstance(cid, str):
            return None
        orders = self._slice_of(cid, task.index)
        return None if orders is None else [self._bulk_dataset(task, order) for order in orders]

    def _bulk_dataset(self, task: Task, order: Mapping[str, Any]) -> BulkDataset:
        address = str(order.get("dataset"))
        try:
            signed = SignedDatasetorder.from_dict(order)
            self._ask(self._hub, HUB.assertDatasetDealCompatibility, signed, task.dealid)
            if not is_bulk(signed.values()):
                raise ValidationError("its order is not for bulk")
            return BulkDataset(address, self._dataset_file(address))
        except IExecError as error:
            if error.retryable:
                raise
            self._report(f"task {task.taskid}: dataset {address} is left out: {error.message}")
            return BulkDataset(address, None)

    def _dataset_file(self, address: str) -> DatasetFile:
        getters = RESOURCE["dataset"]
        location = self._ask(address, getters["datasetMultiaddr"])
        return DatasetFile(
            name=self._ask(address, getters["datasetName"]),
            location=multiaddr.to_text(location) if location else "",
            checksum=self._ask(address, getters["datasetChecksum"]),
        )

    def _ask(self, to: str, method: Method, *args: object) -> Any:
        return method.decode(self._rpc.call(to, method.encode(*args)))
