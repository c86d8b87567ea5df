"""The main job, from an encrypted file to a decrypted result, in steps that can be given again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iexec_lite import Chain, IExec
from iexec_lite.errors import IExecError, MarketCallError, StateError
from iexec_lite.protocol.archive import decrypt_result_file, read_member
from iexec_lite.protocol.contracts import EVENTS, HUB
from iexec_lite.protocol.rules import TEE
from iexec_lite.protocol.tag import decode_tag, from_mask
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.demo import MEASUREMENT
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.journal import FileJournal

SELLERS = {"app": "app-provider", "dataset": "dataset-provider", "workerpool": "workerpool-owner"}
PEOPLE = accounts.addresses()
PRICES = {"app": 100, "dataset": 200, "workerpool": 1000}
SECRET = b"name;balance\nalice;1200\n"
PATIENCE = 1.0  # seconds for one request
HURRY = 25  # pauses of the library are this much shorter


@contextmanager
def opened(chain: Chain, name: str, journal: Path, *, timeout: float = PATIENCE) -> Iterator[IExec]:
    """A client as a new process would build it, in a hurry."""
    kept = FileJournal(journal)
    client = IExec(chain, accounts.signer(name), timeout=timeout, journal=kept)
    context = client._context
    for options in (context._http_options, context._send_options):
        options["sleep"] = lambda seconds: time.sleep(seconds / HURRY)  # type: ignore[index]
    context._send_options |= {"timeout": 20.0, "patience": 3.0}  # type: ignore[operator]
    try:
        yield client
    finally:
        client.close()
        kept.close()


class Books:
    """What is true, asked of the sandbox itself: money, things, deals."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.client = IExec(sandbox.chain)
        hub = sandbox.deployment.hub
        kitty = str(self.client._context.read(hub, HUB.kitty_address))
        self._everybody = [*PEOPLE.values(), kitty]

    def close(self) -> None:
        self.client.close()

    def money(self) -> int:
        """The RLC of all accounts together, in nRLC."""
        total = 0
        for address in self._everybody:
            held = self.client.account.check_balance(address)
            total += held.stake + held.locked + self.client.wallet.check_balances(address).nrlc
        return total

    def stake(self, name: str) -> int:
        held = self.client.account.check_balance(PEOPLE[name])
        return held.stake + held.locked

    def count(self, kind: str) -> int:
        return int(getattr(self.client, kind)._count_user(PEOPLE[SELLERS[kind]]))

    def deals(self) -> list[str]:
        """Every deal there ever was."""
        hub = self.sandbox.deployment.hub
        query = {"fromBlock": "0x0", "address": hub, "topics": [EVENTS.OrdersMatched.topic]}
        logs = self.sandbox.node.rpc.request("eth_getLogs", (query,))
        return [str(event["dealid"]) for event in EVENTS.OrdersMatched.find(logs, hub)]

    def state(self) -> dict[str, int]:
        """All that must grow by one, or by an amount, with one job."""
        found = {kind: self.count(kind) for kind in SELLERS}
        found["deals"] = len(self.deals())
        for name in ("requester", "workerpool-owner"):
            found[name] = self.stake(name)
        return found


Step = Callable[[Any], None]


class Job:
    """One customer's day. ``at(name)`` opens a client; what is known is kept between attempts."""

    def __init__(
        self, sandbox: Sandbox, chain: Chain, folder: Path, number: str, keys: tuple[str, str]
    ) -> None:
        self.sandbox, self.chain, self.folder, self.number = sandbox, chain, folder, number
        self.private, self.public = keys
        rules = sandbox.kind.rules
        self.tag = decode_tag(from_mask(rules.deal_tag or TEE), rules)
        self.goods: dict[str, str] = {}
        self.orders: dict[str, Any] = {}
        self.dealid = ""
        with IExec.offline(accounts.signer("dataset-provider"), chain=sandbox.chain) as local:
            self.key = local.dataset.generate_encryption_key()
            self.encrypted = local.dataset.encrypt(SECRET, self.key)
            self.checksum = local.dataset.compute_encrypted_file_checksum(self.encrypted)
        self.cid = sandbox.store.add_bytes(self.encrypted)

    def at(self, name: str) -> Any:
        return opened(self.chain, name, self.folder / "journal")

    @property
    def steps(self) -> list[Step]:
        """In order."""
        kinds = list(SELLERS)
        return [
            *(lambda job, kind=kind: job.deploy(kind) for kind in kinds),
            Job.push_dataset_key,
            *(Job.push_result_key, Job.push_result_key),  # set, then replaced
            *(Job.push_token, Job.push_token),
            Job.deposit_price,
            Job.deposit_stake,
            *(lambda job, kind=kind: job.publish(kind) for kind in kinds),
            Job.publish_and_take_back,
            Job.run,
            Job.work,
            Job.collect,
            Job.cancel,
        ]

    # -- steps ----------------------------------------------------------------------------------

    def deploy(self, kind: str) -> None:
        owner, name = PEOPLE[SELLERS[kind]], f"{kind} {self.number}"
        entry: dict[str, object] = {"owner": owner, "name": name}
        if kind == "app":
            entry |= {"type": "DOCKER", "multiaddr": SAMPLE_IMAGE, "checksum": "0x" + "00" * 32}
            if self.sandbox.kind.rules.app_mrenclave:
                entry["mrenclave"] = MEASUREMENT
        elif kind == "dataset":
            entry |= {"multiaddr": f"/ipfs/{self.cid}", "checksum": self.checksum}
        else:
            entry = {"owner": owner, "description": name}
        with self.at(SELLERS[kind]) as client:
            try:
                made = getattr(getattr(client, kind), f"deploy_{kind}")(entry).address
            except StateError as error:  # by an earlier attempt: the error says where
                made = error.details.get("address")
                if not made:
                    raise
            self.goods[kind] = str(made)

    def push_dataset_key(self) -> None:
        with self.at("dataset-provider") as client:
            if not client.dataset.check_dataset_secret_exists(self.goods["dataset"]):
                client.dataset.push_dataset_secret(self.goods["dataset"], self.key)

    def push_result_key(self) -> None:
        with self.at("requester") as client:
            client.result.push_result_encryption_key(self.public, force_update=True)

    def push_token(self) -> None:
        with self.at("requester") as client:
            token = client.storage.default_storage_login()
            client.storage.push_storage_token(token, force_update=True)

    def deposit_price(self) -> None:
        with self.at("requester") as client:
            client.account.deposit(sum(PRICES.values()))

    def deposit_stake(self) -> None:
        with self.at("workerpool-owner") as client:
            client.account.deposit(PRICES["workerpool"])

    def _signed(self, client: IExec, kind: str) -> Any:
        if kind not in self.orders:
            fields: dict[str, Any] = {kind: self.goods.get(kind), f"{kind}price": PRICES.get(kind)}
            if kind == "workerpool":
                fields["category"] = 0
            if kind == "request":
                fields = {"app": self.goods["app"], "category": 0, "appmaxprice": PRICES["app"]}
            order = getattr(client.order, f"create_{kind}order")(tag=self.tag, **fields)
            options = {"check_request": False} if kind == "request" else {}
            self.orders[kind] = getattr(client.order, f"sign_{kind}order")(order, **options)
        return self.orders[kind]

    def publish(self, kind: str) -> None:
        name = SELLERS.get(kind, "requester")
        with self.at(name) as client:
            order = self._signed(client, kind)
            order_hash = getattr(client.order, f"hash_{kind}order")(order)
            options = {"check_request": False} if kind == "request" else {}
            if self._shown(client, kind, order_hash):
                return
            try:
                getattr(client.order, f"publish_{kind}order")(order, **options)
            except MarketCallError as error:  # an earlier one came late
                if error.details.get("error") != "order already published":
                    raise

    def _shown(self, client: IExec, kind: str, order_hash: str) -> bool:
        try:
            found = getattr(client.orderbook, f"fetch_{kind}order")(order_hash)
        except MarketCallError as error:
            if "not found" not in str(error.details.get("error")):
                raise
            return False
        return bool(found.status == "open")

    def publish_and_take_back(self) -> None:
        if not self.orders.get("request taken back"):
            self.publish("request")
            self.orders["request published"] = True
        with self.at("requester") as client:
            order_hash = client.order.hash_requestorder(self.orders["request"])
            if self._shown(client, "request", order_hash):
                self.orders["request taken back"] = True
                client.order.unpublish_requestorder(order_hash)

    def run(self) -> None:
        with self.at("requester") as client:
            bought = client.app.run(
                self.goods["app"],
                dataset=self.goods["dataset"],
                workerpool=self.goods["workerpool"],
                category=0,
                tag=self.tag,
                params={"iexec_args": f"job {self.number}", "iexec_result_encryption": True},
            )
        self.dealid, self.task = bought.dealid, next(iter(bought.taskids.values()))

    def work(self) -> None:
        """The worker has no faults here; watching has."""
        heard: list[str] = []
        self.sandbox.worker._report = heard.append
        while self.sandbox.worker.run_once():
            pass
        with IExec(self.sandbox.chain) as direct:
            assert direct.task.show(self.task).status_name == "COMPLETED", heard
        with self.at("requester") as client:
            watch = client.task.obs_task(self.task, dealid=self.dealid, patience=3)
            last = ""
            for update in watch:
                last = update.task.status_name
            assert last == "COMPLETED", last

    def collect(self) -> None:
        encrypted, plain = (self.folder / f"{self.number}{end}" for end in (".enc", ".zip"))
        with self.at("requester") as client:
            results = client.task.fetch_results(self.task)
            results.save(encrypted, overwrite=True)
            decrypt_result_file(encrypted, plain, self.private)
            assert results.check(plain)
        text = read_member(plain, "result.txt", 1 << 20).decode()
        assert f"Hello, job {self.number}!" in text
        assert "name;balance" in text

    def cancel(self) -> None:
        """An order that nobody was shown."""
        with self.at("app-provider") as client:
            if "spare" not in self.orders:
                spare = client.order.create_apporder(self.goods["app"])
                self.orders["spare"] = client.order.sign_apporder(spare)
            try:
                client.order.cancel_apporder(self.orders["spare"])
            except StateError as error:  # an earlier attempt did
                if "already canceled" not in error.message:
                    raise

    # -- after ----------------------------------------------------------------------------------

    def check(self, books: Books, before: dict[str, int], money: int) -> None:
        """Everything is there, once, and nobody has lost or won anything but prices."""
        grown = {name: count - before[name] for name, count in books.state().items()}
        price = sum(PRICES.values())
        worker_share = PRICES["workerpool"] - (grown["workerpool-owner"] - PRICES["workerpool"])
        assert 0 <= worker_share <= PRICES["workerpool"]
        assert {**grown, "workerpool-owner": 0} == {
            **dict.fromkeys(SELLERS, 1), "deals": 1, "requester": 0, "workerpool-owner": 0,
        }, (grown, price)  # fmt: skip
        assert books.money() == money
        deal = books.client.deal.show(self.dealid)
        assert (deal.app.pointer, deal.dataset.pointer) == (
            self.goods["app"],
            self.goods["dataset"],
        )
        for kind in SELLERS:
            shown = getattr(getattr(books.client, kind), f"show_{kind}")(self.goods[kind])
            assert shown.properties["owner"] == PEOPLE[SELLERS[kind]]
            listed = getattr(books.client.orderbook, f"fetch_{kind}_orderbook")(
                **{kind: self.goods[kind]}
            )
            assert listed.count == 0  # bought or cancelled, and never there twice
        assert self.sandbox.store.path(self.cid) is not None
        left = [path.name for path in self.folder.rglob("*") if path.suffix in (".part", ".tmp")]
        assert left == []


def attempt(step: Step, job: Job) -> IExecError | None:
    """One go at a step: None, or the clear error it ended with. Anything else is a bug."""
    try:
        step(job)
    except IExecError as error:
        unclear = [word for word in ("Traceback", "object at 0x") if word in error.message]
        if unclear or not error.message:
            raise AssertionError(f"no clear error: {error!r}") from error
        return error
    return None
