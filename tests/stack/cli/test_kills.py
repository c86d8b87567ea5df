"""Commands that are killed at each of their writes and sends, or whose disk is full there.

The process kills itself (SIGKILL) at the n-th of its *points*: a file opened to be written, named,
linked or removed, an entry of the journal before and after it is on the disk, a request before and
after it has left. The same command again must end with exactly one of what was wanted, and no file
is ever seen half. Where the killed process had told its result already nobody would give it again.
A write that fails instead is a clear error, after which the same command does it. The long form
(``tox -e faults``) visits every point, the short one a sample.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from iexec_lite import IExec
from iexec_lite.protocol.cipher import decrypt_dataset
from iexec_lite.sandbox import accounts

from ..faults import record
from .conftest import Project, edit
from .machine import Machine
from .test_run import Shop, deploy, sell

SANDBOX = ("--flavour", "native")
LONG = os.environ.get("IEXEC_LITE_FAULTS") == "long"
SAMPLE = {"kill": 2, "fail": 1}  # points of each command in the short form
SENDS = ("send", "sent", "journal: committed")
PEOPLE = accounts.addresses()

KILLER = """
import errno, os, signal, socket, sqlite3, sys, time

_at = int(os.environ.get("KILL_AT", "0"))
_log = os.open(os.environ["KILL_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_count = 0

def point(what):
    global _count
    _count += 1
    os.write(_log, (what + chr(10)).encode())
    if _count == _at and os.environ["KILL_HOW"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if _count == _at and what not in ("send", "sent", "journal: committed"):
        if what.startswith("journal"):
            raise sqlite3.OperationalError("database or disk is full")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

def hook(event, args):
    if event == "open":
        if isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            if str(args[0]) != os.devnull:
                point(f"open {os.path.basename(str(args[0]))}")
    elif event in ("os.rename", "os.link", "os.remove", "os.mkdir", "os.chmod"):
        point(event)

class Connection(sqlite3.Connection):
    def execute(self, sql, *args):
        if sql.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            point("journal: " + sql.split()[0])
        return super().execute(sql, *args)

    def executemany(self, sql, *args):
        point("journal: many")
        return super().executemany(sql, *args)

    def __exit__(self, *args):
        changed = self.in_transaction
        if changed:
            point("journal: commit")
        done = super().__exit__(*args)
        if changed:
            point("journal: committed")
        return done

connect = sqlite3.connect
sqlite3.connect = lambda *args, **options: connect(*args, factory=Connection, **options)

send = socket.socket.sendall

def sendall(self, data, *args):
    point("send")
    send(self, data, *args)
    time.sleep(0.02)  # it arrives
    point("sent")

socket.socket.sendall = sendall
fsync = os.fsync

def synced(fd):
    point("fsync")
    fsync(fd)

os.fsync = synced
sys.addaudithook(hook)
"""


@dataclass
class Victim:
    """A command, what is true before it, and what must be true after it was given twice."""

    words: list[str]
    folder: Path
    done: Callable[[], object]  # raises where it is not done exactly once
    whole: tuple[str, ...] = ()  # JSON files that may never be half
    told: str = ""  # what its result says
    already: str = ""  # how a service refuses what it did


@dataclass
class Killing:
    """Runs victims; ``make(n)`` makes a new one, with nothing of it done."""

    machine: Machine
    path: Path

    def run(
        self, victim: Victim, at: int, how: str = "kill"
    ) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        log = self.path / "points"
        log.unlink(missing_ok=True)
        env = {"KILL_AT": str(at), "KILL_HOW": how, "KILL_LOG": str(log)}
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        done = self.machine.run(*victim.words, folder=victim.folder, path=str(self.path), env=env)
        return done, log.read_text().splitlines()

    def all(self, name: str, make: Callable[[str], Victim]) -> None:
        victim = make("whole")
        done, points = self.run(victim, 0)
        assert done.returncode == 0, done.stderr
        victim.done()
        writes = [n for n, what in enumerate(points, 1) if what not in SENDS]
        every = {"kill": list(range(1, len(points) + 1)), "fail": writes}
        for how, points_of in every.items():
            numbers = random.Random(name).sample(points_of, len(points_of))
            met: list[str] = []
            for number in numbers:
                what = self._again(name, make, number, how)
                met += [what] if what else []
                if not LONG and len(met) == SAMPLE[how]:
                    break
            keep(f"{name}: {how}", len(points_of), met)

    def _again(self, name: str, make: Callable[[str], Victim], number: int, how: str) -> str:
        """A fault at this point, and the command again; what the point was."""
        victim = make(f"{how}-{number}")
        done, seen = self.run(victim, number, how)
        where = f"{name}, {how} at point {number}: {seen[-1]}"
        if len(seen) < number:  # this time it needed fewer, say polls
            assert done.returncode == 0, where
            victim.done()
            return ""
        if how == "kill":
            assert done.returncode == -signal.SIGKILL, (where, done.stderr)
        elif done.returncode:
            assert "✖ " in done.stderr, where
            assert "internal error" not in done.stderr, (where, done.stderr)
        for file in victim.whole:
            if (victim.folder / file).exists():
                json.loads((victim.folder / file).read_text())
        if done.returncode and not (victim.told and victim.told in done.stdout):
            again = self.machine.run(*victim.words, folder=victim.folder)
            refused = victim.already and victim.already in again.stderr
            assert again.returncode == 0 or refused, (where, again.stderr)
        try:
            victim.done()
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        return seen[number - 1]


def keep(name: str, points: int, met: list[str]) -> None:
    assert met or not points
    record.keep(name, {"points": points, "met": len(met), "at": dict(Counter(met))})
    print(f"\n{name} at {len(met)} of {points} points")


@pytest.fixture
def killing(machine: Machine, tmp_path: Path) -> Killing:
    path = tmp_path / "kill"
    path.mkdir()
    (path / "sitecustomize.py").write_text(KILLER)
    return Killing(machine, path)


@pytest.fixture
def shop(machine: Machine, project: Project, client: Callable[[str], IExec]) -> Shop:
    """An app and a pool with many cheap orders, and a requester with money."""
    provider, owner, requester = map(client, ("app-provider", "workerpool-owner", "requester"))
    app, pool = deploy(provider, "app"), deploy(owner, "workerpool")
    owner.account.deposit(10_000)
    requester.account.deposit(10_000)
    sell(provider, "app", app, appprice=1, volume=500)
    sell(owner, "workerpool", pool, workerpoolprice=1, category=0, volume=500, apprestrict=app)
    if not requester.storage.check_storage_token_exists(PEOPLE["requester"]):
        requester.storage.push_storage_token(requester.storage.default_storage_login())
    return Shop(app, pool, project("requester"), machine, client)


def test_app_run(killing: Killing, shop: Shop) -> None:
    def make(number: str) -> Victim:
        before = len(shop.deals())

        def done() -> None:
            assert len(shop.deals()) == before + 1

        words = ["app", "run", shop.app, "--args", number, "--force"]
        return Victim(words, shop.folder, done, told="Deal submitted with dealid 0x")

    killing.all("app run", make)


def test_account_deposit(
    killing: Killing, project: Project, client: Callable[[str], IExec]
) -> None:
    folder, account = project("requester"), client("requester").account
    amounts = itertools.count(5)  # what one died over after it was told is no other's

    def make(number: str) -> Victim:
        amount, before = next(amounts), account.check_balance(PEOPLE["requester"]).stake

        def done() -> None:
            assert account.check_balance(PEOPLE["requester"]).stake == before + amount

        return Victim(["account", "deposit", str(amount)], folder, done, told="Deposited ")

    killing.all("account deposit", make)


def test_app_deploy(killing: Killing, project: Project, client: Callable[[str], IExec]) -> None:
    folder, apps = project("app-provider"), client("app-provider").app
    killing.machine.raw("app", "init", folder=folder)
    entry = json.loads((folder / "iexec.json").read_text())["app"]
    deployed = folder / "deployed.json"

    def make(number: str) -> Victim:
        before = apps.count_user_apps(PEOPLE["app-provider"])
        edit(folder, "iexec.json", app={**entry, "name": f"killed at {number}"})
        deployed.write_text('{"kept": {"by": "hand"}}')

        def done() -> None:
            assert apps.count_user_apps(PEOPLE["app-provider"]) == before + 1
            content = json.loads(deployed.read_text())
            assert content["kept"] == {"by": "hand"}
            [address] = content["app"].values()
            assert apps.show_app(address).properties["appName"] == f"killed at {number}"

        words = ["app", "deploy"]
        return Victim(words, folder, done, whole=("deployed.json",), told="Deployed new app")

    killing.all("app deploy", make)


@pytest.fixture
def seller(killing: Killing, project: Project, client: Callable[[str], IExec]) -> Path:
    """The project of somebody with an app and an order for it that is not signed."""
    folder = project("app-provider")
    killing.machine.raw("app", "init", folder=folder)
    provider = client("app-provider")
    edit(folder, "deployed.json", app={str(provider.chain.id): deploy(provider, "app")})
    killing.machine.raw("order", "init", "--app", folder=folder)
    return folder


def test_order_sign(killing: Killing, seller: Path) -> None:
    def make(number: str) -> Victim:
        (seller / "orders.json").write_text('{"4": {"datasetorder": {"kept": true}}}')

        def done() -> None:
            orders = json.loads((seller / "orders.json").read_text())
            assert orders.pop("4") == {"datasetorder": {"kept": True}}
            [signed] = orders.values()
            assert len(signed["apporder"]["sign"]) == 132

        return Victim(["order", "sign", "--app"], seller, done, whole=("orders.json",))

    killing.all("order sign", make)


def test_order_publish(killing: Killing, seller: Path, client: Callable[[str], IExec]) -> None:
    provider = client("app-provider")
    content = json.loads((seller / "deployed.json").read_text())
    [app] = content["app"].values()

    def make(number: str) -> Victim:
        listed = provider.orderbook.fetch_app_orderbook(app=app).count
        killing.machine.raw("order", "sign", "--app", folder=seller)

        def done() -> None:
            assert provider.orderbook.fetch_app_orderbook(app=app).count == listed + 1

        words = ["order", "publish", "--app", "--force"]
        already = "order already published"
        return Victim(words, seller, done, told="published with orderHash", already=already)

    killing.all("order publish", make)


def test_dataset_encrypt(killing: Killing, project: Project) -> None:
    folder = project("dataset-provider")
    killing.machine.raw("dataset", "init", "--encrypted", folder=folder)
    original, encrypted = (folder / "datasets" / name for name in ("original", "encrypted"))
    keys = folder / ".secrets" / "datasets"
    contents = {"a.csv": b"a,b\n" * 50_000, "b.txt": b"b"}

    def make(number: str) -> Victim:
        for old in (*original.iterdir(), *encrypted.iterdir(), *keys.iterdir()):
            old.unlink()
        for name, content in contents.items():
            (original / name).write_bytes(content)

        def done() -> None:
            for name, content in contents.items():
                key = (keys / f"{name}.key").read_text().strip()
                assert len(base64.b64decode(key)) == 32
                assert decrypt_dataset((encrypted / f"{name}.enc").read_bytes(), key) == content

        return Victim(["dataset", "encrypt", "--force"], folder, done)

    killing.all("dataset encrypt", make)


def test_task_download(killing: Killing, shop: Shop) -> None:
    bought = killing.machine.raw("app", "run", shop.app, "--force", "--watch", folder=shop.folder)
    [task] = bought["tasks"]
    whole: list[bytes] = []

    def make(number: str) -> Victim:
        file = shop.folder / f"{number}.zip"

        def done() -> None:
            whole.append(file.read_bytes())
            assert whole[0] == whole[-1]
            assert whole[0].startswith(b"PK")

        words = ["task", "show", task["taskid"], "--download", str(file), "--force"]
        return Victim(words, shop.folder, done, told=f"{number}.zip")

    killing.all("task show --download", make)


# --- two of the same, on purpose ------------------------------------------------------------------


def test_two_equal_sends_on_purpose(
    killing: Killing, project: Project, client: Callable[[str], IExec]
) -> None:
    """Beside one of unknown outcome ``--new`` is another; without, it is the same one."""
    folder, account = project("requester"), client("requester").account
    before = account.check_balance(PEOPLE["requester"]).stake
    victim = Victim(["account", "deposit", "7"], folder, lambda: None)
    _, points = killing.run(victim, 0)
    committed = [n for n, what in enumerate(points, 1) if what == "journal: committed"]
    done, _ = killing.run(victim, committed[0] + 2)  # the entry is written, the request has left
    assert done.returncode == -signal.SIGKILL
    new = killing.machine.raw(*victim.words, "--new", folder=folder)
    assert account.check_balance(PEOPLE["requester"]).stake in (before + 14, before + 21)
    resumed = killing.machine.raw(*victim.words, folder=folder)
    assert resumed["txHash"] != new["txHash"]
    assert account.check_balance(PEOPLE["requester"]).stake == before + 21
    killing.machine.raw(*victim.words, folder=folder)
    assert account.check_balance(PEOPLE["requester"]).stake == before + 28


def test_many_processes_and_threads_send_at_once(
    machine: Machine, project: Project, client: Callable[[str], IExec]
) -> None:
    """With one key: each gets a nonce of its own, and every deposit counts."""
    folder, requester = project("requester"), client("requester")
    before = requester.account.check_balance(PEOPLE["requester"]).stake
    rpc = requester._context.rpc
    asked = "eth_getTransactionCount", (PEOPLE["requester"], "latest")
    nonce = int(rpc.request(*asked), 16)
    with ThreadPoolExecutor(12) as pool:
        words = ["account", "deposit", "--raw"]
        processes = [
            # two of each: beside a live one, a second is a second
            pool.submit(machine.run, *words, str(number // 2 + 1), folder=folder)
            for number in range(6)
        ]
        threads = [pool.submit(requester.account.deposit, 100 + n) for n in range(6)]
        ended = [process.result() for process in processes]
        hashes = [thread.result().tx_hash for thread in threads]
    assert [each.returncode for each in ended] == [0] * 6, [each.stderr for each in ended]
    hashes += [json.loads(each.stdout)["txHash"] for each in ended]
    assert len(set(hashes)) == 12
    stake = requester.account.check_balance(PEOPLE["requester"]).stake
    assert stake == before + 2 * (1 + 2 + 3) + sum(range(100, 106))
    assert int(rpc.request(*asked), 16) == nonce + 12
