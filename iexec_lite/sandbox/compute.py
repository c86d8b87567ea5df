"""One task, from what the deal says to what the chain will be told (worker.md §1–§5).

Fetches the data, runs the app, takes the digest, packs the result; a TEE task's is handed in at
once, with its requester's token, as the post-compute does. Pure of chain and keys but for those in
the SMS, whose store it reads in the same process. Refuses what real workers refuse: a standard task
that asks for encryption, a TEE task without its keys or token, an app without a usable
``computed.json``. TEE tasks run in no enclave here: only what the protocol makes of the tag is
real. Results go to the sandbox's own proxy, whichever an order names.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..errors import SandboxError, ValidationError
from ..net.http import Http
from ..protocol.archive import encrypt_result_file
from .arguments import split_arguments
from .folders import make_folder
from .inputs import DataError, DatasetFile, fetch_dataset, fetch_inputs
from .result import COMPUTED, CONTAINER_OUT, digest_of, pack, read_computed
from .runner import AppMap, Command, environment, run
from .uploads import Uploads

__all__ = ["Compute", "Job", "Outcome", "Secrets"]


class Secrets(Protocol):
    """What a worker may read of the SMS. Each is None where it is not set."""

    def dataset_key(self, dataset: str) -> str | None:
        """The key of an encrypted dataset."""

    def result_key(self, beneficiary: str) -> str | None:
        """What a beneficiary's results are encrypted with."""

    def storage_token(self, requester: str) -> str | None:
        """What lets the enclave hand in results for a requester."""


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
    requester: str = ""
    beneficiary: str = ""
    callback: str | None = None
    bot_size: int = 1
    bot_first: int = 0
    index: int = 0
    limit: int = 300  # seconds for the app


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the chain gets: the digest to agree on, and the callback's bytes."""

    digest: bytes
    callback: bytes = b""
    trouble: str = ""  # why it is only an error result; for people, not for the chain


class Compute:
    """Runs jobs. ``gateway`` is the URL of the store; ``stopped()`` ends an app that is running."""

    def __init__(
        self,
        folder: Path,
        *,
        apps: AppMap,
        gateway: str,
        secrets: Secrets,
        uploads: Uploads,
        http: Http,
        stopped: Callable[[], bool] = bool,
    ) -> None:
        self._folder = folder
        self._apps = apps
        self._gateway = gateway
        self._secrets = secrets
        self._uploads = uploads
        self._http = http
        self._stopped = stopped

    def run(self, job: Job, archive: Path) -> Outcome:
        """Do the job. SandboxError where a real worker would contribute nothing.

        The result is left at ``archive``, but for TEE tasks, whose is handed in already, and for
        those with a callback.
        """
        room = Path(tempfile.mkdtemp(prefix=f"{job.taskid[2:10]}-", dir=make_folder(self._folder)))
        try:
            return self._run(job, room, archive)
        except OSError as error:
            raise SandboxError(
                f"the task's files cannot be handled: {error}", cause=error
            ) from error
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _run(self, job: Job, room: Path, archive: Path) -> Outcome:
        folder_in, out = room / "iexec_in", room / "iexec_out"
        folder_in.mkdir()
        out.mkdir()
        encrypt, token = self._result_key(job), self._token(job)
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
        outcome = Outcome(digest_of(computed), computed.callback or b"", trouble)
        if job.callback is None:
            _pack(out, archive, room, encrypt)
        if token is not None:
            self._uploads.upload(job.taskid, archive, token)
            archive.unlink()
        return outcome

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
        key = self._secrets.result_key(job.beneficiary)
        if key is None:
            raise SandboxError(f"no result encryption key is in the SMS for {job.beneficiary}")
        try:
            return base64.b64decode(key, validate=True).decode("ascii")
        except ValueError as error:
            raise SandboxError(
                f"the result encryption key of {job.beneficiary} is of no use: workers want the "
                "base64 of the whole PEM text",
                cause=error,
            ) from None

    def _token(self, job: Job) -> str | None:
        """The requester's token, where an enclave hands in the result."""
        if not job.tee or job.callback is not None:
            return None
        token = self._secrets.storage_token(job.requester)
        if token is None:
            raise SandboxError(f"no storage token is in the SMS for requester {job.requester}")
        return token

    def _fetch(self, job: Job, folder: Path) -> list[str]:
        """Dataset and input files; the names of the latter."""
        dataset = job.dataset_file
        if dataset is not None and dataset.present:
            key = self._secrets.dataset_key(job.dataset or "") if job.tee else None
            if job.tee and key is None:
                raise DataError(
                    "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
                    f"no key is in the SMS for dataset {job.dataset}",
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


def _pack(out: Path, archive: Path, room: Path, key: str | None) -> None:
    """Make the archive, encrypted if there is a key."""
    plain = room / "iexec_out.zip" if key else archive
    pack(out, plain)
    if key:
        try:
            encrypt_result_file(plain, archive, key, format="v6")
        except ValidationError as error:
            raise SandboxError(
                f"the result cannot be encrypted: {error.message}", cause=error
            ) from error


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
