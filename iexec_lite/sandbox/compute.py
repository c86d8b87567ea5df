"""One task, from what the deal says to what the chain will be told (worker.md §1–§5).

Fetches the data, runs the app, takes the digest, packs the result; a TEE task's is handed in at
once, with its requester's token, as the post-compute does. Pure of chain and keys but for those in
the SMS, whose store it reads in the same process. Refuses what real workers refuse: a standard task
that asks for encryption, a TEE task without its keys or token, an app without a usable
``computed.json``. TEE tasks run in no enclave here: only what the protocol makes of the tag is
real. Results go to the sandbox's own store, whichever proxy an order names. What differs between
generations of workers is in ``runtime``.
"""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ..errors import SandboxError, ValidationError
from ..eth.codec import load_json
from ..net.http import Http
from ..protocol.archive import ResultFormat, encrypt_result_file
from ..protocol.cid import is_cid
from ..protocol.rules import V6, Rules
from .folders import make_folder
from .inputs import DataError, DatasetFile, fetch_dataset, fetch_inputs, source_url
from .result import COMPUTED, CONTAINER_OUT, digest_of, pack, read_computed
from .runner import AppError, AppMap, Command, Ran, environment, run
from .runtime import PAST, Runtime
from .uploads import ResultStore

__all__ = ["BulkDataset", "Compute", "Job", "Outcome", "Secrets"]

APP_SECRET = ("IEXEC_APP_DEVELOPER_SECRET", "IEXEC_APP_DEVELOPER_SECRET_1")
MAX_SLICE = 16 * 1024 * 1024  # bytes of a list of a bulk
SECRET_NUMBER = re.compile(r"[1-9][0-9]{0,8}\Z")


class Secrets(Protocol):
    """What a worker may read of the SMS. Each is None where it is not set."""

    def dataset_key(self, dataset: str) -> str | None:
        """The key of an encrypted dataset."""

    def result_key(self, beneficiary: str) -> str | None:
        """What a beneficiary's results are encrypted with."""

    def storage_token(self, requester: str) -> str | None:
        """What lets the enclave hand in results for a requester."""

    def app_secret(self, app: str) -> str | None:
        """What the owner of an app lets it know."""

    def requester_secret(self, requester: str, name: str) -> str | None:
        """What a requester lets the app know."""


@dataclass(frozen=True, slots=True)
class BulkDataset:
    """One of many datasets: its address as its order has it; None: the deal does not admit it."""

    address: str
    file: DatasetFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A task as the chain describes it. Addresses as text; ``dataset`` is None without one.

    ``bulk`` are the datasets of a task of many; None where it is none, or cannot be read.
    """

    taskid: str
    dealid: str = ""
    app: str
    image: str
    dataset: str | None = None
    dataset_file: DatasetFile | None = None
    bulk: Sequence[BulkDataset] | None = None
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
        uploads: ResultStore,
        http: Http,
        stopped: Callable[[], bool] = bool,
        rules: Rules = V6,
        runtime: Runtime = PAST,
    ) -> None:
        self._folder = folder
        self._apps = apps
        self._gateway = gateway
        self._secrets = secrets
        self._uploads = uploads
        self._http = http
        self._stopped = stopped
        self._rules = rules
        self._runtime = runtime

    def run(
        self, job: Job, archive: Path, heard: Callable[[Ran], None] = lambda ran: None
    ) -> Outcome:
        """Do the job. SandboxError where a real worker would contribute nothing.

        The result is left at ``archive``, but for TEE tasks of V6, whose is handed in already, and
        for those with a callback. ``heard`` is told what the app wrote, as soon as it has ended.
        """
        room = Path(tempfile.mkdtemp(prefix=f"{job.taskid[2:10]}-", dir=make_folder(self._folder)))
        try:
            return self._run(job, room, archive, heard)
        except OSError as error:
            raise SandboxError(
                f"the task's files cannot be handled: {error}", cause=error
            ) from error
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _run(self, job: Job, room: Path, archive: Path, heard: Callable[[Ran], None]) -> Outcome:
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
            self._execute(job, command, names, room, heard)
        computed = read_computed(out, callback=job.callback is not None)
        outcome = Outcome(digest_of(computed), computed.callback or b"", trouble)
        if job.callback is None:
            _check_names(out, self._runtime.longest_name)
            _pack(out, archive, room, encrypt, self._rules.result_format)
        if token is not None:
            self._uploads.upload(job.taskid, archive, token)
            archive.unlink()
        return outcome

    def slice_of(self, cid: str, index: int) -> list[Mapping[str, Any]] | None:
        """The dataset orders for the task ``index`` of a bulk; None where they cannot be read."""
        slices = self._read_list(cid)
        if slices is None or not 0 <= index < len(slices) or not isinstance(slices[index], str):
            return None
        orders = self._read_list(slices[index])
        if orders is None or not all(isinstance(order, dict) for order in orders):
            return None
        return orders

    def _read_list(self, cid: str) -> list[Any] | None:
        if not is_cid(cid):
            return None
        url = source_url(f"/ipfs/{cid}", self._gateway)
        answer = self._http.request("GET", url, max_bytes=MAX_SLICE, retry=True)
        try:
            found = load_json(answer.body) if answer.ok else None
        except ValueError:
            return None
        return found if isinstance(found, list) else None

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
        if not job.tee or job.callback is not None or "ipfs" not in self._rules.token_providers:
            return None
        token = self._secrets.storage_token(job.requester)
        if token is None:
            raise SandboxError(f"no storage token is in the SMS for requester {job.requester}")
        return token

    def _fetch(self, job: Job, folder: Path) -> list[str]:
        """Dataset and input files; the names of the latter."""
        if job.dataset is not None and job.dataset_file is not None:
            name = self._runtime.dataset_name(job.dataset_file.name, job.dataset)
            self._fetch_dataset(job, job.dataset, replace(job.dataset_file, name=name), folder)
        for dataset in job.bulk or ():
            if dataset.file is not None:
                file = replace(dataset.file, name=dataset.address)
                self._fetch_dataset(job, dataset.address, file, folder)
        urls = job.params.get("iexec_input_files", [])
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise DataError("INPUT_FILES_DOWNLOAD_FAILED", "iexec_input_files must be a list")
        return fetch_inputs(
            urls,
            folder,
            http=self._http,
            gateway=self._gateway,
            name_of=self._runtime.input_name,
        )

    def _fetch_dataset(self, job: Job, address: str, file: DatasetFile, folder: Path) -> None:
        if not file.present:
            return
        key = self._secrets.dataset_key(address) if job.tee else None
        if job.tee and key is None:
            raise DataError(
                "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
                f"no key is in the SMS for dataset {address}",
            )
        fetch_dataset(file, folder, http=self._http, gateway=self._gateway, key=key)

    def _execute(
        self,
        job: Job,
        command: Command,
        names: list[str],
        room: Path,
        heard: Callable[[Ran], None],
    ) -> None:
        folder_in, out = room / "iexec_in", room / "iexec_out"
        args = job.params.get("iexec_args")
        try:
            arguments = self._runtime.split(args) if isinstance(args, str) else []
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
            dealid=job.dealid,
            runtime=self._runtime,
        )
        try:
            ran = run(
                command,
                arguments,
                {**variables, **self._extras(job)},
                room=room,
                limit=job.limit,
                stopped=self._stopped,
            )
        except AppError as failed:
            heard(failed.ran)
            # Today a result counts however the app ended: that there is one is checked later.
            if self._runtime.must_succeed or not (out / COMPUTED).is_file():
                raise
            ran = failed.ran
        else:
            heard(ran)
        _write_log(out / "stdout.txt", ran.stdout)
        if self._runtime.keeps_stderr:
            _write_log(out / "stderr.txt", ran.stderr)

    def _extras(self, job: Job) -> dict[str, str]:
        """What an app for enclaves is told beside the rest: secrets, and its many datasets."""
        found: dict[str, str] = {}
        if not job.tee:
            return found
        if self._runtime.secrets:
            secret = self._secrets.app_secret(job.app)
            if secret is not None:
                found |= dict.fromkeys(APP_SECRET, secret)
            wanted = job.params.get("iexec_secrets")
            for number, name in wanted.items() if isinstance(wanted, dict) else ():
                known = self._secrets.requester_secret(job.requester, str(name))
                if known is not None and SECRET_NUMBER.match(number):
                    found[f"IEXEC_REQUESTER_SECRET_{number}"] = known
        if self._runtime.bulk and job.params.get("bulk_cid"):
            found["IEXEC_BULK_SLICE_SIZE"] = str(len(job.bulk or ()))
            for place, dataset in enumerate(job.bulk or (), 1):
                found[f"IEXEC_DATASET_{place}_FILENAME"] = dataset.address
        return found


def _write_log(target: Path, text: bytes) -> None:
    """Keep what an app wrote beside its result, in place of a file of its own."""
    if text:
        if target.is_symlink():  # the app's own: never write through it
            target.unlink()
        target.write_bytes(text)


def _check_names(out: Path, longest: int | None) -> None:
    """Refuse what today's workers refuse: file names of more than 31 characters."""
    if longest is None:
        return
    for path in out.rglob("*"):
        if len(path.name) > longest and (path.is_symlink() or not path.is_dir()):
            raise SandboxError(
                f"the result holds {path.name!r}: names of files may have {longest} characters "
                "(POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME)"
            )


def _pack(out: Path, archive: Path, room: Path, key: str | None, form: ResultFormat) -> None:
    """Make the archive, encrypted if there is a key."""
    plain = room / "iexec_out.zip" if key else archive
    pack(out, plain)
    if key:
        try:
            encrypt_result_file(plain, archive, key, format=form)
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
