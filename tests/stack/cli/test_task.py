"""``task show`` and ``task claim``: states, results plain and encrypted, files that are there."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.sandbox import accounts
from iexec_lite.sdk.files import PRIVATE, atomic_write

from .deals import PRICE, Client, buy
from .machine import Machine
from .test_deal import FINAL, NOTHING, begin, idle, wait

__all__ = ["idle"]  # a fixture

SANDBOX = ("--flavour", "native")
MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py",
    "heapSize": 1073741824,
    "fingerprint": "00" * 32,
}


def finished(client: Client, **options: Any) -> str:
    """The id of a completed task."""
    match = buy(client, **options)
    assert [u.message for u in client("admin").deal.obs_deal(match.dealid)][-1] == "DEAL_COMPLETED"
    return str(match.taskids[0])


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def stored(machine: Machine, client: Client, taskid: str) -> Path:
    """The file of a result in the sandbox's store."""
    location = str((client("admin").task.show(taskid).results or {})["location"])
    (path,) = Path(machine.env["IEXEC_LITE_HOME"], "sandbox").rglob(location.rpartition("/")[2])
    return path


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    return rsa_generate(2048)


def steady(shown: str) -> str:
    """A text without what differs from one run of an app to the next: id and size of its result."""
    return re.sub(r"Qm\w{44}", "<cid>", re.sub(r"\d+ bytes", "<size>", shown))


def keep_key(folder: Path, private: str, name: str = "requester") -> Path:
    path = folder / ".secrets" / "beneficiary" / f"{accounts.addresses()[name]}_key"
    path.parent.mkdir(parents=True)
    atomic_write(path, private, mode=PRIVATE)
    return path


def encrypted(client: Client, public: str, beneficiary: str = "requester") -> str:
    result = client(beneficiary).result
    result.push_result_encryption_key(public, force_update=True)
    params = {"iexec_result_encryption": True, "iexec_args": "Alice"}
    address = accounts.addresses()[beneficiary]
    options: dict[str, Any] = {"tag": ["tee"], "mrenclave": MEASUREMENT, "params": params}
    if beneficiary != "requester":
        options["beneficiary"] = address
    return finished(client, **options)


# -- show -------------------------------------------------------------------------------------


def test_a_completed_task(machine: Machine, client: Client, project: Any, golden: Any) -> None:
    taskid, folder = finished(client), project("requester")
    task = client("admin").task.show(taskid)
    raw = machine.raw("task", "show", taskid, folder=folder)
    assert raw == {"ok": True, "task": task.to_dict(), "claimable": False}
    assert list(raw["task"])[:4] == ["taskid", "status", "dealid", "idx"]
    assert raw["task"]["contributors"] == [accounts.addresses()["worker-1"]]
    golden("task-show", steady(machine.shown("task", "show", taskid, folder=folder)))


def test_a_task_that_times_out(
    machine: Machine, client: Client, idle: IExec, project: Any, golden: Any
) -> None:
    match = buy(client, pool_owner=idle)
    taskid, folder = match.taskids[0], project("requester")
    chain = machine.chain().id
    for command in ("show", "claim"):
        assert machine.message("task", command, taskid, folder=folder) == (
            f"No task found for id {taskid} on chain {chain}. A task appears when a worker begins "
            "it; until then its deal tells of it: iexec-lite deal show <dealid> --watch"
        )
    begin(client, match, 0)
    golden("task-show-active", machine.shown("task", "show", taskid, folder=folder))
    ignored = machine.run("task", "show", taskid, "--download", folder=folder)
    assert ignored.returncode == 0
    assert (
        "ℹ Task status is not COMPLETED, option --download [fileName] will be ignored\n"
        in ignored.stderr
    )
    raw = machine.raw("task", "show", taskid, "--download", folder=folder)
    assert list(raw) == ["ok", "task", "claimable"]
    early = machine.message("task", "claim", taskid, folder=folder)
    assert early.startswith("Cannot claim a task before reaching the consensus deadline date: 20")

    words = ["task", "show", taskid, "--watch"]
    with machine.terminal(*words, folder=folder, env={"TERM": "dumb"}) as terminal:
        terminal.read("ℹ ACTIVE: workers are computing; ")
        wait(machine, FINAL)
        status, seen = terminal.end()
    assert status == 0, seen
    assert "TIMEOUT: not completed in time, the money can be claimed back\n" in seen
    assert f"using: iexec-lite task claim {taskid}" in seen
    assert machine.raw(*words, folder=folder)["claimable"] is True

    requester = client("requester")
    before = requester.account.check_balance(requester.wallet.get_address())
    claimed = machine.raw("task", "claim", taskid, "--confirms", "1", "--new", folder=folder)
    assert list(claimed) == ["ok", "txHash"]
    after = requester.account.check_balance(requester.wallet.get_address())
    assert after.stake - before.stake == 2 * PRICE
    again = machine.message("task", "claim", taskid, folder=folder)
    assert again == "Cannot claim a task having status FAILED"
    raw = machine.raw(*words, folder=folder)
    assert (raw["task"]["statusName"], raw["claimable"]) == ("FAILED", False)


def test_claim_for_people(
    machine: Machine, client: Client, idle: IExec, project: Any, golden: Any
) -> None:
    match = buy(client, pool_owner=idle)
    begin(client, match, 0)
    wait(machine, FINAL)
    shown = machine.shown("task", "claim", match.taskids[0], folder=project("requester"))
    golden("task-claim", shown)


def test_a_person_who_does_not_wait(
    machine: Machine, client: Client, idle: IExec, project: Any
) -> None:
    match = buy(client, pool_owner=idle)
    begin(client, match, 0)
    words = ["task", "show", match.taskids[0], "--watch"]
    env = {"TERM": "xterm", "NO_COLOR": "1"}
    with machine.terminal(*words, folder=project("requester"), env=env) as terminal:
        terminal.read("\rACTIVE: workers are computing; ")
        terminal.interrupt()
        status, seen = terminal.end()
    assert status == 1
    assert seen.endswith(
        "failed: Interrupted: the task goes on, only the watching ended; "
        f"watch it again with: iexec-lite task show {match.taskids[0]} --watch\n"
    )


def test_what_is_no_task(machine: Machine, client: Client, idle: IExec, project: Any) -> None:
    folder, dealid = project("requester"), buy(client, pool_owner=idle).dealid
    assert machine.message("task", "show", dealid, folder=folder) == (
        f"No task found for id {dealid} on chain {machine.chain().id}: it is the id of a deal. "
        f"Show it with: iexec-lite deal show {dealid}"
    )
    for wrong in (NOTHING[:-1], accounts.addresses()["requester"], "", "\x1b[2J"):
        message = machine.message("task", "show", wrong, folder=folder)
        assert "taskid" in message
        assert "is not a bytes32 hexstring" in message


# -- download ---------------------------------------------------------------------------------


def test_download(machine: Machine, client: Client, project: Any, golden: Any) -> None:
    taskid, folder = finished(client, params={"iexec_args": "Bob"}), project("requester")
    words = ["task", "show", taskid, "--chain", "sandbox", "--download"]
    for name, file in [
        ([], f"{taskid}.zip"),
        (["r"], "r.zip"),
        (["s.zip"], "s.zip"),
        ([".zip"], ".zip.zip"),
    ]:
        raw = machine.raw(*words, *name, folder=folder)
        assert raw["resultPath"] == str(folder / file)
        assert members(folder / file)["result.txt"].startswith(b"Hello, Bob!")
    done = machine.run(*words, "--force", folder=folder)
    assert done.returncode == 0
    assert "ℹ Downloading the result: 100 %" in done.stderr
    golden("task-show-download", steady(done.stdout))
    assert sorted(path.suffix for path in folder.iterdir()).count(".zip") == 4
    assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def test_files_that_are_there(machine: Machine, client: Client, project: Any) -> None:
    taskid, folder = finished(client), project("requester")
    file = folder / "r.zip"
    file.write_text("precious")
    words = ["task", "show", taskid, "--download", "r"]
    question = f"File {file} already exists, continue and replace?"
    message = machine.message(*words, folder=folder)
    assert message == f"{question} There is nobody to ask: --force says yes"
    for typed, kept in [("n", True), ("y", False)]:
        with machine.terminal(*words, "--watch", folder=folder) as terminal:
            terminal.answer(f"? {question} (Y/n) ", typed)
            status, seen = terminal.end()
        assert status == (1 if kept else 0), seen
        assert ("Operation aborted by user." in seen) is kept
        assert (file.read_bytes() == b"precious") is kept
    file.write_text("old")
    assert machine.raw(*words, "--force", folder=folder)["resultPath"] == str(file)
    assert "result.txt" in members(file)
    (folder / "d.zip").mkdir()
    for name, why in [
        ("d", f"{folder / 'd.zip'} is a folder"),
        ("no/x", f"there is no folder {folder / 'no'}"),
    ]:
        message = machine.message(*words[:-1], name, folder=folder)
        assert message == f"--download: {why}"


def test_the_line_of_a_download(machine: Machine, client: Client, project: Any) -> None:
    taskid, folder = finished(client), project("requester")
    env = {"TERM": "xterm", "NO_COLOR": "1"}
    words = ["task", "show", taskid, "--download"]
    with machine.terminal(*words, folder=folder, env=env) as terminal:
        status, seen = terminal.end()
    assert status == 0
    assert "\rDownloading the result  ██████" in seen
    assert "\x1b" not in seen
    assert f"\r{' ' * 79}\rtask: " in seen


def test_another_result(machine: Machine, client: Client, project: Any) -> None:
    """What the gateway gives is not what the workers agreed on: an error, the file is kept."""
    taskid, folder = finished(client), project("requester")
    store = stored(machine, client, taskid)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, data in members(store).items():
            file.writestr(name, data.replace(b"Hello", b"Gotcha") if "result" in name else data)
    store.write_bytes(target.getvalue())
    words = ["task", "show", taskid, "--download", "bad"]
    message = machine.message(*words, folder=folder)
    assert "bad.zip is not the result the workers agreed on" in message
    assert (folder / "bad.zip").read_bytes() == target.getvalue()
    with zipfile.ZipFile(store, "w") as file:
        file.writestr("result.txt", "no computed.json here")
    shown = machine.shown(*words, "--force", folder=folder)
    assert "It could not be checked: nothing in it tells which part" in shown
    store.unlink()
    message = machine.message(*words[:-1], "gone", folder=folder)
    assert "API call error: 404" in message
    assert not (folder / "gone.zip").exists()


# -- decrypt ----------------------------------------------------------------------------------


def test_decrypt(
    machine: Machine, client: Client, project: Any, golden: Any, keys: tuple[str, str]
) -> None:
    """No wallet is unlocked, nor needed: the key is that of the deal's beneficiary."""
    private, public = keys
    taskid, folder = encrypted(client, public), project("requester")
    (folder / "wallet.json").write_text("nobody reads this")
    words = ["task", "show", taskid, "--download"]
    closed = machine.shown(*words, "closed", folder=folder)
    assert "It is encrypted, so it could not be checked yet: download it with --decrypt" in closed
    assert "iexec_out.zip.aes" in members(folder / "closed.zip")
    message = machine.message(*words, "--decrypt", folder=folder)
    assert message.startswith(
        "Beneficiary secrets folder is missing did you forget to run "
        '"iexec-lite result generate-encryption-keypair"?'
    )
    key = keep_key(folder, private)
    done = machine.run(*words, "open", "--decrypt", folder=folder)
    assert done.returncode == 0, done.stderr
    assert f"ℹ Using beneficiary key {key}\n" in done.stderr
    golden("task-show-decrypt", steady(done.stdout))
    assert members(folder / "open.zip")["result.txt"].startswith(b"Hello, Alice!")
    raw = machine.raw(*words, "raw", "--decrypt", folder=folder)
    assert raw["resultPath"] == str(folder / "raw.zip")
    key.unlink()
    (folder / "wallet.json").unlink()
    message = machine.message(*words, "--decrypt", folder=folder)
    assert message.startswith(f'Failed to load beneficiary key from "{key}": cannot read')
    assert not (folder / f"{taskid}.zip").exists()


def test_which_key(machine: Machine, client: Client, project: Any, keys: tuple[str, str]) -> None:
    """The beneficiary's, that of the wallet where there is none, or the one that is named."""
    private, public = keys
    taskid, folder = encrypted(client, public, "beneficiary"), project("requester")
    words = ["task", "show", taskid, "--download", "--force", "--decrypt"]
    wrong = keep_key(folder, rsa_generate(2048)[0], "requester")
    error = machine.failure(*words, folder=folder)["error"]
    assert error["name"] == "DecryptionError"
    assert error["message"].endswith(
        f": the key was {wrong}, the encrypted result is kept in {folder / taskid}.zip"
    )
    assert "iexec_out.zip.aes" in members(folder / f"{taskid}.zip")
    right = keep_key(folder / "elsewhere", private, "beneficiary")
    place = ["--beneficiary-keystoredir", str(right.parent)]
    machine.raw(*words, *place, folder=folder)
    assert "result.txt" in members(folder / f"{taskid}.zip")
    right.rename(right.parent / "mine.pem")
    machine.raw(*words, *place, "--beneficiary-key-file", "mine.pem", folder=folder)
    assert "result.txt" in members(folder / f"{taskid}.zip")


def test_a_result_that_is_not_encrypted(
    machine: Machine, client: Client, project: Any, keys: tuple[str, str]
) -> None:
    taskid, folder = finished(client), project("requester")
    keep_key(folder, keys[0])
    done = machine.run("task", "show", taskid, "--download", "r", "--decrypt", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "⚠ The result is not encrypted: --decrypt was not needed\n" in done.stderr
    assert "result.txt" in members(folder / "r.zip")


def test_options_without_an_effect(machine: Machine, project: Any) -> None:
    folder = project("requester")
    words = ["task", "show", NOTHING]
    for more, message in [
        (["--decrypt"], "--decrypt is for what is downloaded: give --download too"),
        (
            ["--download", "--beneficiary-key-file", "x"],
            "--beneficiary-key-file is for decryption: give --decrypt too",
        ),
        (
            ["--beneficiary-keystoredir", "x"],
            "--beneficiary-keystoredir is for decryption: give --decrypt too",
        ),
    ]:
        assert machine.message(*words, *more, folder=folder) == message
