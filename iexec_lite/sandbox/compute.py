"""One task, from what the deal says to what the chain will be told (worker.md §1–§5).

Fetches the data, runs the app, takes the digest, packs and stores the result. Pure of chain and
keys but for those in the vault. Refuses what real workers refuse: a standard task that asks for
encryption, a TEE task without its keys, an app without a usable ``computed.json``. TEE tasks run
in no enclave here: only what the protocol makes of the tag is real.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SandboxError, ValidationError
from ..net.http import Http
from ..protocol.archive import encrypt_result_file
from .arguments import split_arguments
from .folders import make_folder
from .inputs import DataError, DatasetFile, fetch_dataset, fetch_inputs
from .result import COMPUTED, CONTAINER_OUT, Computed, digest_of, link, pack, read_computed
from .runner import AppMap, Command, environment, run
from .store import Store
from .vault import Vault

__all__ = ["Compute", "Job", "Outcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A task as the chain describes it. Addresses as text; ``dataset`` is None without one."""

    taskid: str
    app: str
    image: str
    dataset: str | None = None
    dataset_file: DatasetFile | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    tee: bool = False
    beneficiary: str = ""
    callback: str | None = None
    bot_size: int = 1
    bot_first: int = 0
    index: int = 0
    limit: int = 300  # seconds for the app


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the chain gets: the digest to agree on, then ``results`` and the callback's bytes."""

    digest: bytes
    results: bytes
    callback: bytes = b""
    trouble: str = ""  # why it is only an error result; for people, not for the chain


class Compute:
    """Runs jobs. ``gateway`` is the URL of the store; ``stopped()`` ends an app that is running."""

    def __init__(
        self,
        folder: Path,
        *,
        apps: AppMap,
        store: Store,
        gateway: str,
        vault: Vault,
        stopped: Callable[[], bool] = bool,
    ) -> None:
        self._folder = folder
        self._apps = apps
        self._store = store
        self._gateway = gateway
        self._vault = vault
        self._http = Http()
        self._stopped = stopped

    def run(self, job: Job) -> Outcome:
        """Do the job. SandboxError where a real worker would contribute nothing."""
        room = Path(tempfile.mkdtemp(prefix=f"{job.taskid[2:10]}-", dir=make_folder(self._folder)))
        try:
            return self._run(job, room)
        except OSError as error:
            raise SandboxError(
                f"the task's files cannot be handled: {error}", cause=error
            ) from error
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _run(self, job: Job, room: Path) -> Outcome:
        folder_in, out = room / "iexec_in", room / "iexec_out"
        folder_in.mkdir()
        out.mkdir()
        encrypt = self._result_key(job)
        command = self._apps.find(job.app, job.image)
        trouble = ""
        try:
            if command is None:
                raise DataError(
                    "APP_IMAGE_DOWNLOAD_FAILED",
                    f"no command is known for app {job.app} ({job.image}): add it to apps.json",
                )
            names = self._fetch(job, folder_in)
        except DataError as error:
            _write_error(job, out, error)
            trouble = error.message
        else:
            self._execute(job, command, names, room)
        computed = read_computed(out, callback=job.callback is not None)
        digest = digest_of(computed)
        return Outcome(digest, *self._keep_result(job, computed, out, room, encrypt), trouble)

    def _result_key(self, job: Job) -> str | None:
        """The key to encrypt the result with; refuses what cannot be had, before anything runs."""
        if job.params.get("iexec_result_storage_provider", "ipfs") != "ipfs":
            raise SandboxError("the sandbox stores results in its own store only, not in dropbox")
        if job.params.get("iexec_result_encryption") is not True:
            return None
        if not job.tee:
            raise SandboxError(
                "a standard task cannot encrypt its result: workers refuse it "
                "(TASK_DESCRIPTION_INVALID); ask for the tee tag"
            )
        key = self._vault.result_key(job.beneficiary)
        if key is None:
            raise SandboxError(f"no result encryption key is kept for {job.beneficiary}")
        return key

    def _fetch(self, job: Job, folder: Path) -> list[str]:
        """Dataset and input files; the names of the latter."""
        dataset = job.dataset_file
        if dataset is not None and dataset.present:
            key = self._vault.dataset_key(job.dataset or "") if job.tee else None
            if job.tee and key is None:
                raise DataError(
                    "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
                    f"no key is kept for dataset {job.dataset}",
                )
            fetch_dataset(dataset, folder, http=self._http, gateway=self._gateway, key=key)
        urls = job.params.get("iexec_input_files", [])
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise DataError("INPUT_FILES_DOWNLOAD_FAILED", "iexec_input_files must be a list")
        return fetch_inputs(urls, folder, http=self._http, gateway=self._gateway)

    def _execute(self, job: Job, command: Command, names: list[str], room: Path) -> None:
        folder_in, out = room / "iexec_in", room / "iexec_out"
        args = job.params.get("iexec_args")
        try:
            arguments = split_arguments(args) if isinstance(args, str) else []
        except ValidationError as error:
            raise SandboxError(error.message, cause=error) from error
        variables = environment(
            taskid=job.taskid,
            folder_in=folder_in,
            folder_out=out,
            dataset=(job.dataset or "").lower(),
            dataset_name=job.dataset_file.name if job.dataset_file else "",
            bot_size=job.bot_size,
            bot_first=job.bot_first,
            index=job.index,
            input_files=names,
        )
        stdout = run(
            command, arguments, variables, room=room, limit=job.limit, stopped=self._stopped
        )
        target = out / "stdout.txt"
        if stdout:
            if target.is_symlink():  # the app's own: never write through it
                target.unlink()
            target.write_bytes(stdout)

    def _keep_result(
        self, job: Job, computed: Computed, out: Path, room: Path, key: str | None
    ) -> tuple[bytes, bytes]:
        """Store the archive; ``results`` and the callback's bytes for the chain."""
        if computed.callback is not None:
            return link("ethereum", (job.callback or "").lower()), computed.callback
        archive = room / "iexec_out.zip"
        pack(out, archive)
        if key is not None:
            plain, archive = archive, room / "encrypted-iexec_out.zip"
            encrypt_result_file(plain, archive, key, format="v6")
        return link("ipfs", f"/ipfs/{self._store.add_file(archive)}"), b""


def _write_error(job: Job, out: Path, error: DataError) -> None:
    """The result of a task whose data could not be had: the error itself, as V6 workers do.

    Not for TEE tasks and not with a callback: those are given up.
    """
    if job.tee or job.callback is not None:
        raise error
    status = "APP_DOWNLOAD_FAILED" if error.reason.startswith("APP_") else "DATA_DOWNLOAD_FAILED"
    text = f"[error:{status}, cause:{error.reason}]"
    (out / "error.txt").write_text(
        f"[IEXEC] Error occurred while computing the task {text}", "utf-8"
    )
    (out / COMPUTED).write_text(
        f'{{"deterministic-output-path": "{CONTAINER_OUT}/error.txt"}}', "utf-8"
    )
