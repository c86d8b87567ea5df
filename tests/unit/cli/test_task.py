"""``task show | claim | debug``: what a person sees of a task, downloads, and ``--raw``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import DecryptionError, IExecError, ObjectNotFoundError
from iexec_lite.eth import crypto
from iexec_lite.protocol.archive import decrypt_result, encrypt_result
from iexec_lite.sdk.offchain import ReplicateInfo, ReplicateLogs, StatusChange, TaskInfo
from iexec_lite.sdk.records import TaskUpdate

from .conftest import NOW
from .records import DEALID, ME, OTHER, TASKID, deal, task

SHOW = ("task", "show", TASKID)
RESULTS = {"storage": "ipfs", "location": "/ipfs/QmResult"}
DONE = task(
    "COMPLETED",
    contribution_deadline=NOW - 60,
    reveal_deadline=NOW + 120,
    final_deadline=NOW + 7200,
    results_timestamp=NOW - 1,
    contributors=(ME, OTHER),
    winner_counter=2,
    reveal_counter=1,
    result_digest="0x" + "d9" * 32,
    results=RESULTS,
    results_callback="0x",
)
SHOWN = f"""\
task:                {TASKID}
status:              COMPLETED: the result is there
deal:                {DEALID}
index:               0
contributors:
  - {ME}
  - {OTHER}
agreement:           2 of 2, 1 revealed
contributions until: 2027-01-15 07:59:00 UTC (1 minute ago)
reveals until:       2027-01-15 08:02:00 UTC (in 2 minutes)
final deadline:      2027-01-15 10:00:00 UTC (in 2 hours)
result handed in:    2027-01-15 07:59:59 UTC (1 second ago)
result:              ipfs /ipfs/QmResult
result digest:       0x{"d9" * 32}
"""
CHECKED = "It is the result that the workers agreed on: its digest is the one on chain"


class Results:
    """A result that is ``data``, of which it is known how far it is the right one."""

    def __init__(self, data: bytes = b"PK", *, checked: bool = True, encrypted: bool = False):
        self.data, self.checked, self.encrypted = data, checked, encrypted
        self.saved: list[tuple[Path, bool]] = []

    def save(self, path: Path, *, overwrite: bool, progress: Callable[..., object]) -> None:
        self.saved.append((path, overwrite))
        progress(len(self.data), len(self.data))
        path.write_bytes(self.data)

    def check(self, path: Path) -> bool:
        self.encrypted = False
        return path.read_bytes() != self.data


@pytest.fixture
def results(library: SimpleNamespace) -> Results:
    """The task of the library is completed, and this its result."""
    found = Results()
    library.task = SimpleNamespace(show=lambda _: DONE, fetch_results={TASKID: found}.get)
    library.deal = SimpleNamespace(show=lambda _: deal())
    return found


def missing(what: str) -> Callable[[str], Any]:
    def show(key: str) -> Any:
        raise ObjectNotFoundError(what, key, 134)

    return show


# ---- show ----------------------------------------------------------------------------------------


def test_a_task_for_people(run, results) -> None:
    found = run(*SHOW)
    assert (found.status, found.out, found.err) == (0, SHOWN, "")
    assert run(*SHOW, "--raw").json == {"ok": True, "task": DONE.to_dict(), "claimable": False}


def test_a_task_has_no_result_before_it_is_completed(run, library) -> None:
    more = {"results": RESULTS, "result_digest": "0x12", "results_callback": "0x34"}
    library.task = SimpleNamespace(show=lambda _: task("REVEALING", contributors=(ME,), **more))
    assert run(*SHOW).out == (
        f"task:          {TASKID}\n"
        "status:        REVEALING: workers agree and show their results\n"
        f"deal:          {DEALID}\n"
        "index:         0\n"
        f"contributors:\n  - {ME}\n"
        "callback data: 0x34\n"
    )


def test_a_result_that_lies_nowhere(run, library) -> None:
    library.task = SimpleNamespace(show=lambda _: task("COMPLETED", results={"storage": "none"}))
    assert run(*SHOW).out == (
        f"task:         {TASKID}\nstatus:       COMPLETED: the result is there\n"
        f"deal:         {DEALID}\nindex:        0\ncontributors: (none)\nresult:       none\n"
    )


def test_a_result_of_which_nothing_is_said(run, library) -> None:
    library.task = SimpleNamespace(show=lambda _: task("COMPLETED", winner_counter=1))
    assert run(*SHOW).out.splitlines()[5:] == ["agreement:    1 of 0, None revealed", "result:"]


def test_a_task_that_timed_out_can_be_claimed(run, library) -> None:
    library.task = SimpleNamespace(show=lambda _: task("TIMEOUT"))
    found = run(*SHOW, "--chain", "bellecour")
    assert (
        "status:       TIMEOUT: not completed in time, the money can be claimed back" in found.out
    )
    assert found.out.endswith(
        "\n\nConsensus deadline reached before consensus. You can claim the task to get a full "
        f"refund using: iexec-lite task claim {TASKID} --chain bellecour\n"
    )
    assert run(*SHOW, "--raw").json["claimable"] is True
    library.task = SimpleNamespace(show=lambda _: task("FAILED"))
    assert "claim" not in run(*SHOW).out


def test_what_is_no_task(run, library) -> None:
    library.task = SimpleNamespace(show=missing("task"))
    library.deal = SimpleNamespace(show=missing("deal"))
    message = run(*SHOW, "--raw", "--chain", "bellecour").json["error"]["message"]
    assert message == (
        f"No task found for id {TASKID} on chain 134. A task appears when a worker begins it; "
        "until then its deal tells of it: iexec-lite deal show <dealid> --watch --chain bellecour"
    )
    library.deal = SimpleNamespace(show=lambda _: deal())
    message = run(*SHOW, "--raw", "--chain", "bellecour").json["error"]["message"]
    assert message == (
        f"No task found for id {TASKID} on chain 134: it is the id of a deal. Show it with: "
        f"iexec-lite deal show {DEALID} --chain bellecour"
    )


def test_a_watch_gives_the_last_state(run, results, library) -> None:
    updates = [
        TaskUpdate(message="TASK_UPDATED", task=task("ACTIVE", final_deadline=NOW + 60)),
        TaskUpdate(message="TASK_COMPLETED", task=DONE),
    ]
    library.task.show = lambda _: task("ACTIVE")
    library.task.obs_task = lambda taskid, dealid: iter(updates)
    found = run(*SHOW, "--watch")
    assert found.out == SHOWN
    assert found.err == (
        "ℹ ACTIVE: workers are computing; 1 minute left\nℹ COMPLETED: the result is there\n"
    )


def test_a_watch_that_is_interrupted(run, results, library) -> None:
    def interrupted(taskid: str, dealid: str | None) -> Any:
        raise KeyboardInterrupt

    library.task.obs_task = interrupted
    message = run(*SHOW, "--watch", "--raw").json["error"]["message"]
    again = f"watch it again with: iexec-lite task show {TASKID} --watch"
    assert message == f"Interrupted: the task goes on, only the watching ended; {again}"


# ---- download ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ((), f"{TASKID}.zip"),
        (("out",), "out.zip"),
        (("out.ZIP",), "out.ZIP"),
        (("a.zip",), "a.zip"),
        ((".zip",), ".zip.zip"),
    ],
)
def test_download(run, results, project: Path, given: tuple[str, ...], name: str) -> None:
    found = run(*SHOW, "--download", *given)
    path = project / name
    assert path.read_bytes() == b"PK"
    assert results.saved == [(path, False)]
    assert found.out == f"{SHOWN}\nDownloaded task result to file {path} (2 bytes)\n{CHECKED}\n"
    path.unlink()
    document = run(*SHOW, "--raw", "--download", *given).json
    assert document["resultPath"] == str(path)


@pytest.mark.parametrize(
    ("encrypted", "words"),
    [
        (
            True,
            "It is encrypted, so it could not be checked yet: download it with --decrypt, or "
            "decrypt it with: iexec-lite result decrypt",
        ),
        (
            False,
            "It could not be checked: nothing in it tells which part the digest on chain is of",
        ),
    ],
)
def test_a_result_that_is_not_checked(
    run, results, project: Path, encrypted: bool, words: str
) -> None:
    results.checked, results.encrypted = False, encrypted
    out = run(*SHOW, "--download", "r").out
    saved = f"Downloaded task result to file {project / 'r.zip'} (2 bytes)"
    assert out == f"{SHOWN}\n{saved}\n{words}\n"


def test_what_comes_meanwhile_is_replaced_with_force(run, results, project: Path) -> None:
    run(*SHOW, "--download", "r", "--force")
    assert results.saved == [(project / "r.zip", True)]


def test_a_watch_that_ends_without_a_result(run, results, library) -> None:
    late = TaskUpdate(message="TASK_TIMEDOUT", task=task("TIMEOUT"))
    library.task.show = lambda _: task("ACTIVE")
    library.task.obs_task = lambda taskid, dealid: iter([late])
    words = (*SHOW, "--watch", "--download", "r")
    document = run(*words, "--raw").json
    assert document == {"ok": True, "task": task("TIMEOUT").to_dict(), "claimable": True}
    assert run(*words).err.endswith(
        "ℹ Task status is not COMPLETED, option --download [fileName] will be ignored\n"
    )
    assert results.saved == []


def test_the_progress_of_a_download(run, results, monkeypatch) -> None:
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        "iexec_lite.cli.progress.Progress.amount", lambda self, *given: told.append(given)
    )
    run(*SHOW, "--download")
    assert told == [("Downloading the result", 2, 2)]


def test_a_watch_asks_about_the_file_before_it_begins(
    run, results, library, project: Path, person
) -> None:
    """At the end nobody may be here to answer."""
    file = project / "old.zip"
    file.write_text("old")
    watched: list[str] = []

    def obs_task(taskid: str, dealid: str | None) -> Any:
        watched.append(taskid)
        file.write_text("written while it was watched")
        yield TaskUpdate(message="TASK_COMPLETED", task=DONE)

    library.task.show, library.task.obs_task = lambda _: task("ACTIVE"), obs_task
    words = (*SHOW, "--watch", "--download", "old")
    assert run(*words, stdin="n\n").status == 1
    assert watched == []
    assert run(*words, stdin="y\n").status == 0
    assert (watched, results.saved) == ([TASKID], [(file, True)])
    file.unlink()
    assert run(*words).status == 0  # nothing to ask, and what came meanwhile is not replaced
    assert results.saved[1:] == [(file, False)]


def test_nothing_is_downloaded_before_the_task_is_completed(run, results, library) -> None:
    library.task.show = lambda _: task("ACTIVE")
    found = run(*SHOW, "--download")
    assert found.err == (
        "ℹ Task status is not COMPLETED, option --download [fileName] will be ignored\n"
    )
    assert results.saved == []
    assert "resultPath" not in run(*SHOW, "--download", "--raw").json


def test_a_file_that_exists_is_asked_about(run, results, project: Path, person) -> None:
    file = project / "old.zip"
    file.write_text("old")
    words = (*SHOW, "--download", "old")
    found = run(*words, stdin="n\n")
    failed = 'Command "iexec-lite task show" failed: Operation aborted by user. '
    assert found.err == (
        f"? File {file} already exists, continue and replace? (Y/n) ✖ {failed}{file} was kept\n"
    )
    assert (found.status, file.read_text()) == (1, "old")
    assert run(*words, stdin="y\n").status == 0
    assert file.read_bytes() == b"PK"
    run(*words, "--force")
    assert results.saved == [(file, True), (file, True)]


def test_places_that_cannot_be_written_to(run, results, project: Path) -> None:
    message = run(*SHOW, "--download", "no/r", "--raw").json["error"]["message"]
    assert message == f"--download: there is no folder {project / 'no'}"
    (project / "r.zip").mkdir()
    message = run(*SHOW, "--download", "r", "--raw").json["error"]["message"]
    assert message == f"--download: {project / 'r.zip'} is a folder"
    assert results.saved == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--decrypt"], "--decrypt is for what is downloaded: give --download too"),
        (
            ["--beneficiary-keystoredir", "x"],
            "--beneficiary-keystoredir is for decryption: give --decrypt too",
        ),
        (
            ["--download", "--beneficiary-key-file", "x"],
            "--beneficiary-key-file is for decryption: give --decrypt too",
        ),
    ],
)
def test_options_without_effect(run, results, words: list[str], message: str) -> None:
    assert run(*SHOW, *words, "--raw").json["error"]["message"] == message


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """Private and public PEM; short, because the length is of no interest here."""
    return crypto.rsa_generate(1024)


def test_decrypt(run, results, project: Path, keys: tuple[str, str]) -> None:
    private, public = keys
    folder = project / ".secrets" / "beneficiary"
    folder.mkdir(parents=True)
    (folder / f"{ME}_key").write_text(private)
    (folder / f"{ME}_key").chmod(0o600)
    results.data, results.encrypted = encrypt_result(b"PKinner", public), True
    found = run(*SHOW, "--download", "r", "--decrypt")
    assert found.status == 0, found.err
    assert (project / "r.zip").read_bytes() == b"PKinner"
    using = f"ℹ Using beneficiary key {folder / f'{ME}_key'}\n"
    assert found.err.startswith(using)
    saved = f"Downloaded task result to file {project / 'r.zip'} (7 bytes)"
    assert found.out == f"{SHOWN}\n{saved}\n{CHECKED}\n"
    # one that is not encrypted is as it is
    results.data, results.encrypted = b"PK", False
    found = run(*SHOW, "--download", "r", "--decrypt", "--force")
    assert "⚠ The result is not encrypted: --decrypt was not needed\n" in found.err
    assert (project / "r.zip").read_bytes() == b"PK"
    # that of somebody else is kept
    results.data, results.encrypted = encrypt_result(b"PK", crypto.rsa_generate(1024)[1]), True
    message = run(*SHOW, "--download", "r", "--decrypt", "--force", "--raw").json["error"][
        "message"
    ]
    kept = f"the encrypted result is kept in {project / 'r.zip'}"
    why, _, rest = message.partition(": the key was ")
    assert rest == f"{folder / f'{ME}_key'}, {kept}"
    with pytest.raises(DecryptionError, match=f"^{re.escape(why)}$"):
        decrypt_result(results.data, private)
    assert (project / "r.zip").read_bytes() == results.data


def test_the_wallets_key_where_the_beneficiary_has_none(
    run, results, library, project: Path, wallet: Path, keys: tuple[str, str]
) -> None:
    library.deal.show = lambda _: deal(beneficiary=OTHER)
    words = (*SHOW, "--download", "r", "--decrypt", "--keystoredir", "ks", "--force")
    message = run(*words, "--raw").json["error"]["message"]
    assert message.startswith("Beneficiary secrets folder is missing did you forget to run")
    (project / "own").mkdir()
    words += ("--beneficiary-keystoredir", "own")
    message = run(*words, "--raw").json["error"]["message"]
    assert message.startswith(f'Failed to load beneficiary key from "{project}/own/{OTHER}_key"')
    for owner in (ME, OTHER):  # the beneficiary's own comes first
        (project / "own" / f"{owner}_key").write_text(keys[0])
        assert f"ℹ Using beneficiary key {project}/own/{owner}_key\n" in run(*words).err
    words += ("--beneficiary-key-file", f"{ME}_key")
    assert f"ℹ Using beneficiary key {project}/own/{ME}_key\n" in run(*words).err


# ---- claim ---------------------------------------------------------------------------------------


def test_claim(run, library, wallet: Path) -> None:
    library.task = SimpleNamespace(show=lambda _: task("TIMEOUT"), claim={TASKID: "0x99"}.get)
    library.deal = SimpleNamespace(show=lambda _: deal(sponsor=OTHER))
    words = ("task", "claim", TASKID, "--keystoredir", "ks")
    back = f"4.0 RLC went back to the account of {OTHER}, who paid"
    assert run(*words, "--chain", "bellecour").out == f"Task successfully claimed\n{back}\n"
    assert library.signer.address == ME
    assert run(*words, "--raw").json == {"ok": True, "txHash": "0x99"}


# ---- debug ---------------------------------------------------------------------------------------

CHANGES = (
    StatusChange(status="STARTED", date="2027-01-15T07:00:00Z"),
    StatusChange(status="FAILED", date="soon", cause="NO_SPACE"),
)
INFO = TaskInfo(
    status="RUNNING",
    status_history=CHANGES[:1],
    replicates=(
        ReplicateInfo(worker=OTHER, exit_code=7, status="FAILED", status_history=CHANGES),
        ReplicateInfo(worker=ME, status="RUNNING", status_history=()),
    ),
)
TOLD = f"""\
On chain:
  task:         {TASKID}
  status:       ACTIVE: workers are computing
  deal:         {DEALID}
  index:        0
  contributors: (none)

Of the workerpool:
  status:  RUNNING
  history:
    - 2027-01-15 07:00:00 UTC (1 hour ago) STARTED
  workers:
    {OTHER}:
      status:    FAILED
      exit code: 7
      history:
        - 2027-01-15 07:00:00 UTC (1 hour ago) STARTED
        - soon FAILED: NO_SPACE
    {ME}:
      status:  RUNNING
      history: (none)
"""
LOGS = (
    ReplicateLogs(worker=OTHER, stdout="one\ntwo\n", stderr=""),
    ReplicateLogs(worker=ME, stdout="a\n\nbox", stderr="no\n\n"),
)


@pytest.fixture
def debugged(library: SimpleNamespace) -> SimpleNamespace:
    """The library's ``task``, of a workerpool that tells all."""
    library.task = SimpleNamespace(
        show=lambda _: task("ACTIVE"),
        fetch_offchain_info={TASKID: INFO}.get,
        fetch_logs={TASKID: LOGS}.get,
    )
    found: SimpleNamespace = library.task
    return found


def test_debug(run, debugged, library) -> None:
    found = run("task", "debug", TASKID)
    assert (found.out, found.err) == (TOLD, "")
    assert library.signer is None
    document = run("task", "debug", TASKID, "--raw").json
    onchain, offchain = task("ACTIVE").to_dict(), INFO.to_dict()
    assert document == {"ok": True, "onchainData": onchain, "offchainData": offchain}


def test_debug_of_a_task_that_nobody_runs(run, debugged) -> None:
    debugged.fetch_offchain_info = lambda _: TaskInfo(
        status="RECEIVED", status_history=(), replicates=()
    )
    onchain = TOLD.partition("Of the workerpool")[0]
    told = "Of the workerpool:\n  status:  RECEIVED\n  history: (none)\n"
    assert run("task", "debug", TASKID).out == onchain + told


def test_debug_with_logs(run, debugged, library, wallet: Path) -> None:
    words = ("task", "debug", TASKID, "--logs", "--keystoredir", "ks")
    streams = (
        f"\nstdout of {OTHER}:\n  one\n  two\n\nstderr of {OTHER}:\n  (empty)\n"
        f"\nstdout of {ME}:\n  a\n  \n  box\n\nstderr of {ME}:\n  no\n"
    )
    assert run(*words).out == TOLD + streams
    assert library.signer.address == ME
    assert run(*words, "--raw").json["appLogs"] == [each.to_dict() for each in LOGS]
    debugged.fetch_logs = lambda _: ()
    assert run(*words).out == f"{TOLD}\nNo app logs\n"


def test_a_workerpool_that_says_nothing(run, debugged, wallet: Path) -> None:
    def silent(_: str) -> Any:
        raise IExecError("no answer")

    debugged.fetch_offchain_info = debugged.fetch_logs = silent
    warnings = ["Failed to fetch off-chain data: no answer"]
    found = run("task", "debug", TASKID)
    assert (found.status, found.err) == (0, f"⚠ {warnings[0]}\n")
    assert found.out == TOLD.partition("\n\n")[0] + "\n"
    warnings.append("Failed to fetch app logs: no answer")
    document = run("task", "debug", TASKID, "--logs", "--keystoredir", "ks", "--raw").json
    onchain = task("ACTIVE").to_dict()
    assert document == {"ok": True, "onchainData": onchain, "warnings": warnings}


def test_logs_without_the_password(run, debugged, library, wallet: Path) -> None:
    """That the wallet cannot be opened is no silence of the workerpool."""

    debugged.fetch_logs = lambda _: library.signer.signer
    words = ("task", "debug", TASKID, "--logs", "--keystoredir", "ks", "--raw")
    message = run(*words).json["error"]["message"]
    assert message.startswith("Using wallet ")
    assert "enter your password" in message
