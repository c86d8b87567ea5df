"""Scheduler and workers in one: from a deal on chain to COMPLETED tasks (worker.md §2.3, §7).

Follows ``SchedulerNotice`` of every workerpool whose owner's key it holds. Each task goes the way
of V6: initialize, then per worker compute, contribute, until the workers agree; reveal; a standard
task's result is handed in by a worker that revealed it; finalize by the owner. Workers of today
contribute and finalize in one step where one worker is enough and the task is for an enclave. What
a run gave is written down before it is contributed, so a restart can reveal it. A task that fails
is left alone, as on public networks: its requester may claim it after the deadline. ``history``
keeps what the scheduler's API tells of tasks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import IExecError, SandboxError
from ..eth.codec import address_to_bytes, from_hex, to_hex
from ..eth.crypto import keccak, random_bytes
from ..eth.signer import KeySigner
from ..net.rpc import Rpc, quantity
from ..protocol.chains import Chain
from ..protocol.contracts import EVENTS, HUB, Method
from ..protocol.orders import NULL_ADDRESS, task_id
from ..sdk.journal import MemoryJournal
from ..sdk.transactions import Intent, Transactions
from .compute import Compute, Job, Outcome
from .folders import make_folder, read_json, write_json
from .history import History
from .jobs import Jobs, Task
from .result import authorisation_hash, link, result_hash, result_seal
from .runner import Ran
from .runtime import PAST, Runtime
from .uploads import ResultStore

__all__ = ["Worker"]

log = logging.getLogger("iexec_lite.sandbox")

UNSET, ACTIVE, REVEALING, COMPLETED, FAILED = range(5)  # of a task
NOT_CONTRIBUTED, CONTRIBUTED = 0, 1  # of a contribution
CONTRIBUTION_RATIO = 7  # times the category's reference: the last moment to contribute
BEFORE_THE_RUN = (  # statuses of a worker's replicate
    *("CREATED", "STARTING", "STARTED", "APP_DOWNLOADING", "APP_DOWNLOADED"),
    *("DATA_DOWNLOADING", "DATA_DOWNLOADED", "COMPUTING"),
)
MAX_TASKS = 1000  # of one deal: orders without a price often have an all but endless volume


class _Proofs(NamedTuple):
    seen: str  # result hash
    seal: str
    challenge: str  # address of the enclave's key, or the null address
    proof: bytes  # its signature
    permit: bytes  # the workerpool owner's signature


class Worker:
    """Works for the pools of ``owners`` with the wallets ``workers``, on one chain.

    ``run_once`` does all that can be done now and returns; call it again and again. Not for several
    threads at once. ``report`` hears each step of each task.
    """

    def __init__(
        self,
        rpc: Rpc,
        chain: Chain,
        compute: Compute,
        uploads: ResultStore,
        *,
        owners: Sequence[KeySigner],
        workers: Sequence[KeySigner],
        folder: Path,
        report: Callable[[str], None] | None = None,
        runtime: Runtime = PAST,
        history: History | None = None,
    ) -> None:
        self._rpc = rpc
        self._chain = chain
        self._hub = chain.require_hub()
        self._compute = compute
        self._uploads = uploads
        self._owners = {owner.address: owner for owner in owners}
        self._workers = tuple(workers)
        self._folder = folder
        self._report = report or log.info
        self._runtime = runtime
        self._history = history
        self._jobs = Jobs(rpc, self._hub, compute.slice_of, runtime, self._report)
        self._journal = MemoryJournal()
        self._senders: dict[str, Transactions] = {}
        self._open: dict[str, Task] = {}
        self._next_block = 0
        self._head = 0

    @property
    def open_tasks(self) -> tuple[str, ...]:
        """Ids of the tasks that are neither finished nor given up."""
        return tuple(self._open)

    def run_once(self) -> int:
        """Look for new deals and advance every open task; how many tasks were completed."""
        self._look()
        completed = 0
        for task in tuple(self._open.values()):
            try:
                finished = self._advance(task)
            except IExecError as error:
                if error.retryable:
                    log.warning("task %s: %s; will try again", task.taskid, error.message)
                    continue
                self._report(f"task {task.taskid} is given up: {error.message}")
                self._tell(task, "RUNNING_FAILED", "FAILED")
                finished = False
            del self._open[task.taskid]
            completed += finished
        return completed

    # -- deals --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the notices of blocks not seen yet; start over where the chain was set back."""
        head = quantity(self._rpc.request("eth_blockNumber"), "eth_blockNumber")
        if head < self._head:
            self._next_block, self._open = 0, {}
        self._head = head
        if head < self._next_block:
            return
        notice = EVENTS.SchedulerNotice
        query = {
            "address": self._hub,
            "topics": [notice.topic],
            "fromBlock": hex(self._next_block),
            "toBlock": hex(head),
        }
        for entry in self._rpc.request("eth_getLogs", (query,)):
            dealid = str(notice.decode(entry)["dealid"])
            try:
                self._take(dealid)
            except IExecError as error:
                if error.retryable:
                    raise
                # Not read again and again: one odd deal must not keep the others waiting.
                self._report(f"deal {dealid} is left alone: {error.message}")
        self._next_block = head + 1

    def _take(self, dealid: str) -> None:
        """Open the unfinished tasks of a deal, if its pool is one of ours."""
        deal = self._read(self._hub, HUB.viewDeal, dealid)
        pool = deal["workerpool"]
        if pool["owner"] not in self._owners:
            return
        first, size = deal["botFirst"], deal["botSize"]
        if size > MAX_TASKS:
            self._report(f"deal {dealid} has {size} tasks: only the first {MAX_TASKS} are done")
            size = MAX_TASKS
        for index in range(first, first + size):
            taskid = task_id(dealid, index)
            if self._status(taskid) not in (COMPLETED, FAILED):
                self._open[taskid] = Task(taskid, index, dealid, deal)
                self._report(f"task {taskid} of deal {dealid} is taken on")
                self._tell(self._open[taskid], "RECEIVED")

    # -- one task -----------------------------------------------------------------------------

    def _advance(self, task: Task) -> bool:
        """Bring a task to its end; True when it is completed. SandboxError to give it up."""
        status = self._status(task.taskid)
        if status in (UNSET, ACTIVE):
            self._require_time(task)
        if status == UNSET:
            self._initialize(task)
        if status in (UNSET, ACTIVE):
            self._contribute_until_consensus(task)
            status = self._status(task.taskid)
        if status == REVEALING:
            self._reveal_and_finalize(task)
            return True
        if status == ACTIVE:
            raise SandboxError("the workers' results do not make a consensus")
        return status == COMPLETED

    def _require_time(self, task: Task) -> None:
        seconds = self._jobs.reference(task)
        if not seconds:
            raise SandboxError("its category leaves no time to contribute (time reference 0)")
        if self._now() >= task.deal["startTime"] + CONTRIBUTION_RATIO * seconds:
            raise SandboxError("its contribution deadline has passed")

    def _initialize(self, task: Task) -> None:
        self._tell(task, "INITIALIZING")
        call = HUB.initialize.encode(task.dealid, task.index)
        self._send(self._owner(task), "initialize", task, call)
        self._tell(task, "INITIALIZED")
        self._report(f"task {task.taskid} is initialized")

    def _contribute_until_consensus(self, task: Task) -> None:
        job = self._jobs.read(task)
        alone = self._runtime.one_step and job.tee and task.deal["trust"] <= 1
        for worker in self._workers:
            if self._contribution(task, worker)["status"] == NOT_CONTRIBUTED:
                if not alone:
                    self._require_stake(task, worker)
                outcome = self._run(task, job, worker)
                self._keep(task, worker, outcome)
                if alone:
                    self._contribute_and_finalize(task, worker, outcome)
                else:
                    self._contribute(task, worker, outcome.digest, tee=job.tee)
            if self._status(task.taskid) != ACTIVE:
                return

    def _run(self, task: Task, job: Job, worker: KeySigner) -> Outcome:
        """Compute, and tell what became of it."""
        who = worker.address
        self._report(f"task {task.taskid} runs for worker {who}")
        self._tell(task, "RUNNING")
        self._tell(task, *BEFORE_THE_RUN, worker=who)

        def heard(ran: Ran) -> None:
            if self._history is not None:
                self._history.keep_run(task.taskid, who, ran.status, ran.stdout, ran.stderr)

        try:
            outcome = self._compute.run(job, self._archive(task, worker), heard)
        except SandboxError as error:
            if not error.retryable:
                self._tell(task, "COMPUTE_FAILED", "ABORTED", worker=who)
            raise
        if outcome.trouble:
            self._report(f"task {task.taskid} gets an error result: {outcome.trouble}")
        self._tell(task, "COMPUTED", worker=who)
        return outcome

    def _proofs(self, task: Task, worker: KeySigner, digest: bytes, *, tee: bool) -> _Proofs:
        """What goes with a contribution: hash, seal, and who vouches for them."""
        taskid, address = from_hex(task.taskid), address_to_bytes(worker.address)
        seen, seal = result_hash(taskid, digest), result_seal(address, taskid, digest)
        challenge, proof = NULL_ADDRESS, bytes(32)  # 32 zero bytes: what workers send without one
        if tee:  # the key that only the enclave would know
            enclave = KeySigner.from_key(random_bytes(32))
            challenge, proof = enclave.address, enclave.sign_message(keccak(seen + seal))
        permit = authorisation_hash(address, taskid, address_to_bytes(challenge))
        return _Proofs(
            to_hex(seen), to_hex(seal), challenge, proof, self._owner(task).sign_message(permit)
        )

    def _contribute(self, task: Task, worker: KeySigner, digest: bytes, *, tee: bool) -> None:
        proofs = self._proofs(task, worker, digest, tee=tee)
        self._tell(task, "CONTRIBUTING", worker=worker.address)
        self._send(worker, "contribute", task, HUB.contribute.encode(task.taskid, *proofs))
        self._tell(task, "CONTRIBUTED", worker=worker.address)
        self._report(f"task {task.taskid}: worker {worker.address} contributed")

    def _contribute_and_finalize(self, task: Task, worker: KeySigner, outcome: Outcome) -> None:
        """All in one, by the only worker: the enclave vouches for the result."""
        who = worker.address
        self._tell(task, "CONTRIBUTE_AND_FINALIZE_ONGOING", worker=who)
        results = self._link(task, worker, outcome)
        proofs = self._proofs(task, worker, outcome.digest, tee=True)
        call = HUB.contributeAndFinalize.encode(
            task.taskid,
            to_hex(outcome.digest),
            results,
            outcome.callback,
            proofs.challenge,
            proofs.proof,
            proofs.permit,
        )
        self._send(worker, "contribute and finalize", task, call)
        self._tell(task, "CONTRIBUTE_AND_FINALIZE_DONE", "COMPLETING", "COMPLETED", worker=who)
        self._finish(task)

    def _finish(self, task: Task) -> None:
        self._report(f"task {task.taskid} is completed")
        self._tell(task, "FINALIZED", "COMPLETED")
        for worker in self._workers:
            self._note(task, worker).unlink(missing_ok=True)
            self._archive(task, worker).unlink(missing_ok=True)

    def _reveal_and_finalize(self, task: Task) -> None:
        self._tell(task, "CONSENSUS_REACHED")
        agreed = self._read(self._hub, HUB.viewTask, task.taskid)["consensusValue"]
        final: tuple[bytes, bytes] | None = None
        for worker in self._workers:
            found = self._contribution(task, worker)
            if found["resultHash"] != agreed:
                continue
            outcome = self._kept(task, worker)
            if outcome is None:
                log.warning("task %s: the result of %s is lost", task.taskid, worker.address)
                continue
            if found["status"] == CONTRIBUTED:
                call = HUB.reveal.encode(task.taskid, to_hex(outcome.digest))
                self._send(worker, "reveal", task, call)
                self._tell(task, "REVEALING", "REVEALED", worker=worker.address)
                self._report(f"task {task.taskid}: worker {worker.address} revealed")
            final = final or (outcome.callback, self._link(task, worker, outcome))
        if final is None:
            raise SandboxError("no result that was agreed on is kept here")
        callback, results = final
        self._tell(task, "AT_LEAST_ONE_REVEALED", "RESULT_UPLOADED", "FINALIZING")
        call = HUB.finalize.encode(task.taskid, results, callback)
        self._send(self._owner(task), "finalize", task, call)
        self._finish(task)

    def _link(self, task: Task, worker: KeySigner, outcome: Outcome) -> bytes:
        """What the chain keeps of the result, which is handed in now if nobody did."""
        callback = task.deal["callback"]
        if callback != NULL_ADDRESS:
            return link("ethereum", callback.lower())
        location = self._uploads.location(task.taskid)
        if location is None:
            token, digest = self._uploads.login(worker), to_hex(outcome.digest)
            archive = self._archive(task, worker)
            location = self._uploads.upload(task.taskid, archive, token, digest=digest)
        return link("ipfs", location)

    # -- what the chain says ------------------------------------------------------------------

    def _read(self, to: str, method: Method, *args: object) -> Any:
        return method.decode(self._rpc.call(to, method.encode(*args)))

    def _status(self, taskid: str) -> int:
        return int(self._read(self._hub, HUB.viewTask, taskid)["status"])

    def _contribution(self, task: Task, worker: KeySigner) -> Mapping[str, Any]:
        found = self._read(self._hub, HUB.viewContribution, task.taskid, worker.address)
        assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
        return found

    def _now(self) -> int:
        return quantity(self._rpc.block()["timestamp"], "timestamp")

    def _require_stake(self, task: Task, worker: KeySigner) -> None:
        needed = task.deal["workerStake"]
        stake = self._read(self._hub, HUB.viewAccount, worker.address)["stake"]
        if stake < needed:
            raise SandboxError(
                f"worker {worker.address} has {stake} nRLC staked, the deal demands {needed}: "
                "deposit with its account"
            )

    # -- sending ------------------------------------------------------------------------------

    def _owner(self, task: Task) -> KeySigner:
        return self._owners[task.deal["workerpool"]["owner"]]

    def _tell(self, task: Task, *statuses: str, worker: str = "") -> None:
        if self._history is not None:
            self._history.note(task.taskid, *statuses, worker=worker)

    def _send(self, signer: KeySigner, operation: str, task: Task, call: bytes) -> None:
        sender = self._senders.get(signer.address)
        if sender is None:
            sender = Transactions(self._rpc, self._chain, signer, journal=self._journal)
            self._senders[signer.address] = sender
        intent = Intent(
            chain_id=self._chain.id,
            sender=signer.address,
            operation=operation,
            arguments={"taskid": task.taskid},
        )
        sender.send(intent, self._hub, call)

    # -- what must survive a restart ----------------------------------------------------------

    def _note(self, task: Task, worker: KeySigner) -> Path:
        return self._folder / f"{task.taskid}-{worker.address.lower()}.json"

    def _archive(self, task: Task, worker: KeySigner) -> Path:
        return make_folder(self._folder) / f"{task.taskid}-{worker.address.lower()}.zip"

    def _keep(self, task: Task, worker: KeySigner, outcome: Outcome) -> None:
        make_folder(self._folder)
        write_json(
            self._note(task, worker),
            {"digest": to_hex(outcome.digest), "callback": to_hex(outcome.callback)},
        )

    def _kept(self, task: Task, worker: KeySigner) -> Outcome | None:
        found = read_json(self._note(task, worker))
        if found is None:
            return None
        digest, callback = (from_hex(found.get(name), name=name) for name in ("digest", "callback"))
        return Outcome(digest, callback)
