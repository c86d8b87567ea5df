"""The main job with faults between it and every service: it ends right, or says so and can go on.

The long form (``tox -e faults``) has ten seeds with at least a thousand faults each, on both kinds
of chain; the short form one seed with fewer. What met what is printed and kept in
``.tox/faults.json``.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from iexec_lite import IExec, utils
from iexec_lite.errors import IExecError
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

from . import record
from .job import PEOPLE, Books, Job, Step, attempt, opened
from .proxy import HARMLESS, KINDS, Proxy, Tally, is_write

LONG = os.environ.get("IEXEC_LITE_FAULTS") == "long"
SEEDS = range(1, 11) if LONG else range(1, 2)
FAULTS = 1000 if LONG else 100  # of each seed
ATTEMPTS = 6  # of one step with faults; then one without must end it
SHARE = 0.45  # of the requests of a step that meet a fault
SLOW = {"drip": 0.1, "bomb": 0.2}  # how often, beside others: they cost seconds
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    """A pair of RSA keys, private and public."""
    return rsa_generate(2048)


@pytest.fixture
def books(any_sandbox: Sandbox) -> Iterator[Books]:
    found = Books(any_sandbox)
    yield found
    found.close()


class Drawn:
    """A seeded schedule: the same seed draws the same faults for the same requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._weights = [SLOW.get(kind, 1.0) for kind in KINDS]
        self.calm = True

    def __call__(self, service: str, method: str) -> str | None:
        if self.calm or self._random.random() >= SHARE:
            return None
        return self._random.choices(KINDS, self._weights)[0]


class Once:
    """A schedule of one fault: for the next write, whatever it is."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.met: list[tuple[str, str]] = []

    def __call__(self, service: str, method: str) -> str | None:
        if not is_write(service, method) or (service, method) in self.met:
            return None
        self.met.append((service, method))
        return self.kind


def keep(name: str, tally: Tally, **more: object) -> None:
    """Print a tally, and write it beside those of other tests."""
    record.keep(name, {"faults": tally.faults, **more, "table": tally.table()})
    print(f"\n{name}: {tally.faults} faults in {sum(tally.requests.values())} requests")
    for row, cells in tally.table().items():
        print(f"  {row:<40} " + ", ".join(f"{kind} {n}" for kind, n in cells.items()))


def persevere(step: Step, job: Job, drawn: Drawn, errors: Counter[str]) -> None:
    """Try a step among faults until it works; at last it must without."""
    drawn.calm = False
    try:
        for _ in range(ATTEMPTS):
            error = attempt(step, job)
            if error is None:
                return
            errors[type(error).__name__] += 1
    finally:
        drawn.calm = True
    final = attempt(step, job)
    assert final is None, final


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("any_sandbox", ["token", "native"] if LONG else ["native"], indirect=True)
def test_the_main_job_among_faults(
    any_sandbox: Sandbox, books: Books, keys: tuple[str, str], seed: int, tmp_path: Path
) -> None:
    drawn, errors, jobs = Drawn(seed), Counter[str](), 0
    wanted = FAULTS // 2 if LONG else FAULTS  # half of it on each kind of chain
    with Proxy(any_sandbox.chain, drawn) as proxy:
        while proxy.tally.faults < wanted:
            job = Job(any_sandbox, proxy.chain, tmp_path, f"{seed}-{next(NUMBERS)}", keys)
            before, money = books.state(), books.money()
            for step in job.steps:
                persevere(step, job, drawn, errors)
                assert books.money() == money
            proxy.deliver()
            job.check(books, before, money)
            jobs += 1
    assert proxy.tally.faults >= wanted
    assert errors, "faults that nobody notices are none"
    name = f"campaign {any_sandbox.kind} {seed}"
    keep(name, proxy.tally, seed=seed, jobs=jobs, errors=dict(errors))


def test_every_write_meets_every_fault(
    native_sandbox: Sandbox, keys: tuple[str, str], tmp_path: Path
) -> None:
    """Enumerated: each write of each step, with each kind of fault; then the step again."""
    books = Books(native_sandbox)
    tally = Tally()
    errors: Counter[str] = Counter()
    for kind in KINDS:
        native_sandbox.reset_services()  # a secret is set once, then replaced
        with Proxy(native_sandbox.chain) as proxy:
            proxy.tally = tally
            job = Job(native_sandbox, proxy.chain, tmp_path, f"{kind}-{next(NUMBERS)}", keys)
            before, money = books.state(), books.money()
            for step in job.steps:
                proxy.schedule = Once(kind)
                for _ in range(4):  # a step with several writes may fail at each in turn
                    error = attempt(step, job)
                    if error is None:
                        break
                    assert kind not in HARMLESS, error
                    errors[f"{kind}: {type(error).__name__}"] += 1
                assert error is None, (kind, error)
            proxy.deliver()
            job.check(books, before, money)
    books.close()
    keep("every write", tally, errors=dict(errors))
    assert tally.empty() == []


def test_every_upload_meets_every_fault(today: Sandbox, tmp_path: Path) -> None:
    """Files for a bulk of datasets: uploaded whole, to the address that follows from them."""
    tally, errors = Tally(), Counter[str]()
    owner = PEOPLE["dataset-provider"]
    with opened(today.chain, "dataset-provider", tmp_path) as client:
        entry = {"owner": owner, "name": "one", "multiaddr": "/ipfs/x", "checksum": "0x" + "0" * 64}
        dataset = client.dataset.deploy_dataset(entry).address
        order = client.order.create_datasetorder(
            dataset, volume=utils.DATASET_INFINITE_VOLUME, tag=["tee", "tdx"]
        )
        signed = client.order.sign_datasetorder(order, preflight_check=False)
        wanted = client.order.prepare_dataset_bulk([signed], preflight_check=False)
    for kind in KINDS:
        shutil.rmtree(today.store.folder)
        today.store.folder.mkdir()
        with Proxy(today.chain, Once(kind)) as proxy:
            proxy.tally = tally
            with opened(proxy.chain, "dataset-provider", tmp_path) as client:
                try:
                    found = client.order.prepare_dataset_bulk([signed], preflight_check=False)
                except IExecError as error:
                    errors[f"{kind}: {type(error).__name__}"] += 1
                    found = client.order.prepare_dataset_bulk([signed], preflight_check=False)
            assert found == wanted
            assert today.store.path(found.cid) is not None
            proxy.deliver()
    keep("every upload", tally, errors=dict(errors))
    assert tally.empty() == []


# --- the guards themselves ------------------------------------------------------------------------


def test_a_proxy_that_injects_nothing_is_noticed(sandbox: Sandbox) -> None:
    with Proxy(sandbox.chain) as proxy, IExec(proxy.chain) as client:
        assert client.hub.count_category() == 5
    assert proxy.tally.requests["chain", "eth_call"]
    assert proxy.tally.faults == 0
    proxy.tally.requests["sms", "PUT /sms/secrets/web2"] = 1
    assert len(proxy.tally.empty()) == len(KINDS)


def test_an_empty_cell_is_noticed() -> None:
    tally = Tally()
    tally.requests["market", "GET /market/deals"] = 3
    assert tally.empty() == []  # only writes must have met everything
    tally.requests["market", "POST /market/apporders"] = 3
    for kind in KINDS:
        tally.cells["market", "POST /market/apporders", kind] = 1
    assert tally.empty() == []
    del tally.cells["market", "POST /market/apporders", "late"]
    assert tally.empty() == ["market POST /market/apporders: late"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in HARMLESS])
def test_each_fault_is_felt(sandbox: Sandbox, kind: str) -> None:
    """With this fault at each request nothing works, and the error is one of ours."""
    with Proxy(sandbox.chain, lambda *_: kind) as proxy:
        with IExec(proxy.chain, timeout=0.3) as client, pytest.raises(IExecError):
            client.hub.count_category()
        assert {cell[2] for cell in proxy.tally.cells} == {kind}


def test_what_is_late_arrives(sandbox: Sandbox) -> None:
    kinds = iter(["late"])
    requester = accounts.addresses()["requester"]

    def once(_: str, method: str) -> str | None:
        return next(kinds, None) if method == "eth_sendRawTransaction" else None

    with (
        Proxy(sandbox.chain, once) as proxy,
        IExec(proxy.chain, accounts.signer("requester")) as client,
    ):
        client.account.deposit(5)  # the same bytes twice, of which the first come last
        proxy.deliver()
        assert client.account.check_balance(requester).stake == 5
    assert proxy.tally.cells["chain", "eth_sendRawTransaction", "late"] == 1
