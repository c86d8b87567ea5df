"""``sandbox demo``: a whole confidential purchase, told step by step, in a sandbox of its own.

What a first user should see once: an encrypted dataset, an app and a workerpool get owners and
prices; a requester pays; a worker runs the app on the decrypted data; only the requester can read
the result. Everything is real (contracts, signatures, ciphers, a process that runs) but the
enclave. The sandbox lives in a temporary folder on free ports and ends with the demo, however that
ends. The result key has 2048 bits, as 4096 would cost seconds; the library's own have 4096.
"""

from __future__ import annotations

import contextlib
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..errors import SandboxError
from ..eth.crypto import random_bytes, rsa_generate
from ..eth.signer import KeySigner
from ..protocol import cipher
from ..protocol.archive import decrypt_result_file, read_member
from ..protocol.rules import TEE
from ..protocol.tag import decode_tag, from_mask
from ..protocol.units import format_rlc
from ..sdk.client import IExec
from ..sdk.records import MatchResult
from . import accounts
from .deploy import grant_kyc
from .folders import temporary_folder
from .kinds import Kind
from .processes import terminable
from .progress import Progress
from .runner import SAMPLE_IMAGE
from .stack import Sandbox

__all__ = ["run_demo"]

SECRET = b"name;balance\nalice;1200\nbob;35\n"
APP_PRICE, DATASET_PRICE, POOL_PRICE = "1 RLC", "2 RLC", "10 RLC"
COST, POOL_STAKE = "13 RLC", "3 RLC"  # the prices together; 30 % of the workerpool's
PATIENCE = 60.0  # seconds for the task
RSA_BITS = 2048
# V6 apps for enclaves carry a measurement; the sandbox has no enclave and looks at none of it.
MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py",
    "heapSize": 1073741824,
    "fingerprint": "00" * 32,
}


def run_demo(kind: Kind, progress: Progress) -> bytes:
    """Run the demo; the content of the app's result file. Any step that fails is an IExecError."""
    with (
        terminable(),
        ThreadPoolExecutor(1) as pool,
        temporary_folder("iexec-demo-") as folder,
    ):
        keys = pool.submit(rsa_generate, RSA_BITS)
        progress.step(f"Starting a temporary sandbox ({kind})")
        with Sandbox(
            folder / "sandbox",
            flavour=kind.flavour,
            generation=kind.generation,
            progress=progress,
            report=lambda text: progress.step(f"      worker: {_shortened(text)}"),
        ) as sandbox:
            return _Story(sandbox, progress, keys, folder).tell()


def _shortened(text: str) -> str:
    """Ids and addresses cut to what tells them apart; their full text was told before."""
    return re.sub(r"(0x[0-9a-fA-F]{8})([0-9a-fA-F]{32}|[0-9a-f]{56})\b", r"\1...", text)


class _Story:
    """The chapters, in order. Each says what happens, with addresses and prices."""

    def __init__(
        self, sandbox: Sandbox, progress: Progress, keys: Future[tuple[str, str]], folder: Path
    ) -> None:
        self._sandbox = sandbox
        self._progress = progress
        self._keys = keys
        self._folder = folder
        self._rules = sandbox.kind.rules
        self._tag = decode_tag(from_mask(self._rules.deal_tag or TEE), self._rules)
        self._chapter = 0
        self._open = contextlib.ExitStack()

    def tell(self) -> bytes:
        """All of it."""
        with self._open:
            self._introduce()
            self._fund()
            self._provide_dataset()
            self._provide_app()
            self._provide_workerpool()
            self._hand_over_keys()
            self._deposit()
            match = self._buy()
            self._watch(match)
            result = self._collect(match)
            self._settle()
        return result

    def _say(self, title: str, *lines: str) -> None:
        self._chapter += 1
        self._progress.step(f"{self._chapter:>2}. {title}")
        for line in lines:
            self._progress.step(f"      {line}")

    def _client(self, signer: KeySigner) -> IExec:
        return self._open.enter_context(IExec(self._sandbox.chain, signer))

    # -- chapters -----------------------------------------------------------------------------

    def _introduce(self) -> None:
        chain = self._sandbox.chain
        self._say(
            "A private chain with the iExec contracts runs on this machine",
            f"chain {chain.id} ({self._sandbox.kind}), node {chain.host}",
            f"hub {chain.hub}",
            f"services {self._sandbox.server.url}",
        )
        self._admin = self._client(accounts.signer("admin"))
        self._app_provider = self._client(accounts.signer("app-provider"))
        self._dataset_provider = self._client(accounts.signer("dataset-provider"))
        self._pool_owner = self._client(accounts.signer("workerpool-owner"))

    def _fund(self) -> None:
        signer = KeySigner.from_key(random_bytes(32))
        self._requester = self._client(signer)
        lines = [f"requester {signer.address}"]
        if not self._sandbox.chain.native:
            self._admin.wallet.send_eth("1 ether", signer.address)
            lines.append("gets 1 ether to pay for gas")
        if self._sandbox.chain.enterprise:
            grant_kyc(self._sandbox.node.rpc, self._sandbox.chain, signer.address)
            lines.append("gets a KYC, to hold eRLC")
        self._admin.wallet.send_rlc("20 RLC", signer.address)
        self._say("A new requester gets money", *lines, "gets 20 RLC to spend")

    def _provide_dataset(self) -> None:
        client = self._dataset_provider
        self._dataset_key = client.dataset.generate_encryption_key()
        encrypted = client.dataset.encrypt(SECRET, self._dataset_key)
        cid = self._sandbox.store.add_bytes(encrypted)
        found = client.dataset.deploy_dataset(
            {
                "owner": client.wallet.get_address(),
                "name": "balances.csv",
                "multiaddr": f"/ipfs/{cid}",
                "checksum": client.dataset.compute_encrypted_file_checksum(encrypted),
            }
        )
        self._dataset = found.address
        self._say(
            "The dataset provider encrypts a file, stores it and registers it",
            f"{len(SECRET)} bytes, encrypted {len(encrypted)}",
            f"stored as /ipfs/{cid}",
            f"dataset {self._dataset}, price {DATASET_PRICE}",
        )

    def _provide_app(self) -> None:
        client = self._app_provider
        app: dict[str, object] = {
            "owner": client.wallet.get_address(),
            "name": "sandbox-sample",
            "type": "DOCKER",
            "multiaddr": SAMPLE_IMAGE,
            "checksum": "0x" + "00" * 32,
        }
        if self._rules.app_mrenclave:
            app["mrenclave"] = MEASUREMENT
        found = client.app.deploy_app(app)
        self._app = found.address
        self._say(
            "The app provider registers an app",
            f"image {SAMPLE_IMAGE}",
            "(in a sandbox: a local command)",
            f"app {self._app}, price {APP_PRICE}",
        )

    def _provide_workerpool(self) -> None:
        client = self._pool_owner
        found = client.workerpool.deploy_workerpool(
            {"owner": client.wallet.get_address(), "description": "sandbox demo pool"}
        )
        self._pool = found.address
        self._say(
            "The workerpool's owner registers it", f"workerpool {self._pool}, price {POOL_PRICE}"
        )

    def _hand_over_keys(self) -> None:
        self._private_key, public_key = self._keys.result()
        self._dataset_provider.dataset.push_dataset_secret(self._dataset, self._dataset_key)
        self._requester.result.push_result_encryption_key(public_key)
        lines = [
            "the dataset's key, for the worker alone",
            f"the requester's public RSA key ({RSA_BITS} bits), to encrypt the result",
        ]
        if "ipfs" in self._rules.token_providers:
            storage = self._requester.storage
            storage.push_storage_token(storage.default_storage_login())
            lines.append("the requester's token of the result proxy, to hand the result in")
        if self._rules.sms_app_path:
            self._app_provider.app.push_app_secret(self._app, "of the app's owner")
            self._requester.secrets.push_requester_secret("my-login", "of the requester")
            lines.append("a secret of the app's owner, which the app reads")
            lines.append("a secret of the requester, which the app reads too")
        count = {3: "Three", 4: "Four"}[len(lines)]
        self._say(f"{count} secrets go to the SMS, each signed by its owner", *lines)

    def _deposit(self) -> None:
        self._requester.account.deposit(COST)
        self._pool_owner.account.deposit(POOL_STAKE)
        self._say(
            "Money goes to the hub",
            f"the requester deposits {COST}, the prices together",
            f"the workerpool's owner deposits {POOL_STAKE}, lost if the work is not done",
        )
        self._before = self._stakes()

    def _buy(self) -> MatchResult:
        app, dataset = self._app_provider.order, self._dataset_provider.order
        pool, request = self._pool_owner.order, self._requester.order
        params: dict[str, object] = {"iexec_args": "Alice", "iexec_result_encryption": True}
        if self._rules.sms_requester_path:
            params["iexec_secrets"] = {"1": "my-login"}
        apporder = app.sign_apporder(
            app.create_apporder(app=self._app, appprice=APP_PRICE, tag=self._tag)
        )
        datasetorder = dataset.sign_datasetorder(
            dataset.create_datasetorder(
                dataset=self._dataset, datasetprice=DATASET_PRICE, tag=self._tag
            )
        )
        poolorder = pool.sign_workerpoolorder(
            pool.create_workerpoolorder(
                workerpool=self._pool, workerpoolprice=POOL_PRICE, category=0, tag=self._tag
            )
        )
        requestorder = request.sign_requestorder(
            request.create_requestorder(
                app=self._app,
                category=0,
                dataset=self._dataset,
                workerpool=self._pool,
                appmaxprice=APP_PRICE,
                datasetmaxprice=DATASET_PRICE,
                workerpoolmaxprice=POOL_PRICE,
                tag=self._tag,
                params=params,
            )
        )
        match = request.match_orders(
            apporder=apporder,
            datasetorder=datasetorder,
            workerpoolorder=poolorder,
            requestorder=requestorder,
        )
        self._say(
            "Four people sign four orders; together they are a deal",
            "three offer: app, dataset and workerpool order",
            "one asks: the request order, for a TEE task with an encrypted result",
            f"tags of all four: {', '.join(self._tag)}",
            f"deal {match.dealid}",
            f"{match.volume} task for {COST}",
        )
        return match

    def _watch(self, match: MatchResult) -> None:
        taskid = match.taskids[0]
        self._say("A worker does the task", f"task {taskid}")
        watch = self._requester.task.obs_task(taskid, dealid=match.dealid, patience=PATIENCE)
        stop, failed = threading.Event(), list[Exception]()

        def do() -> None:
            try:
                self._sandbox.work(stop)
            except Exception as error:
                failed.append(error)
            finally:
                watch.close()

        work = threading.Thread(target=do, daemon=True)
        alarm = threading.Timer(PATIENCE, watch.close)
        alarm.daemon = True  # else it would hold up the exit of a demo that was interrupted
        try:
            work.start()
            alarm.start()
            states = [update.task.status_name for update in watch]
        finally:
            stop.set()
            alarm.cancel()
        work.join()
        if failed:
            raise failed[0]
        self._progress.step(f"      the requester saw: {', '.join(states)}")
        if states[-1:] != ["COMPLETED"]:
            raise SandboxError(f"the task did not complete within {PATIENCE:.0f} seconds")

    def _collect(self, match: MatchResult) -> bytes:
        results = self._requester.task.fetch_results(match.taskids[0])
        encrypted, plain = self._folder / "result.zip.encrypted", self._folder / "result.zip"
        results.save(encrypted)
        decrypt_result_file(encrypted, plain, self._private_key)
        if not results.check(plain):
            raise SandboxError("the result could not be checked against the chain")
        text = read_member(plain, "result.txt", 1 << 20)
        size = encrypted.stat().st_size
        self._say(
            "The requester downloads the result and decrypts it",
            f"{size} bytes from {results.location}",
            f"sha256 {cipher.checksum(encrypted)}",
            "its content is what the workers agreed on (digest on chain)",
            "result.txt says:",
            *(f"  | {_shortened(line)}" for line in text.decode("utf-8", "replace").splitlines()),
        )
        return text

    def _settle(self) -> None:
        after = self._stakes()
        lines = [
            f"{name}: {'+' if change >= 0 else ''}{format_rlc(change)} RLC"
            for name, change in ((name, after[name] - self._before[name]) for name in after)
        ]
        self._say("Everybody has been paid, on the hub", *lines)

    def _stakes(self) -> dict[str, int]:
        """What everybody has on the hub, free and locked, in nRLC."""
        addresses = {**accounts.addresses(), "requester": self._requester.wallet.get_address()}
        names = ("requester", "app-provider", "dataset-provider", "workerpool-owner", "worker-1")
        found = {name: self._admin.account.check_balance(addresses[name]) for name in names}
        return {name: balance.stake + balance.locked for name, balance in found.items()}
