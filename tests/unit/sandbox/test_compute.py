"""A task from its description to its outcome, with the real app runner and store."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak, rsa_generate
from iexec_lite.net.http import Http
from iexec_lite.protocol import cipher
from iexec_lite.protocol.archive import Archive, decrypt_result
from iexec_lite.protocol.results import archive_digest
from iexec_lite.protocol.rules import V9
from iexec_lite.sandbox.compute import BulkDataset, Compute, Job, Outcome
from iexec_lite.sandbox.inputs import DatasetFile
from iexec_lite.sandbox.runner import SAMPLE_IMAGE, AppMap
from iexec_lite.sandbox.runtime import TODAY
from iexec_lite.sandbox.server import Server
from iexec_lite.sandbox.store import Store
from iexec_lite.sandbox.uploads import Uploads

TASK = "0x" + "ab" * 32
APP = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
DATASET = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OWNER = "0x1563915e194D8CfBA1943570603F7606A3115508"
BUYER = "0x" + "0b" * 20
CALLBACK = "0x99c2268479b93fDe36232351229815DF80837e23"
Run = Callable[..., Outcome]


@dataclass
class Vault:
    """The secrets of an SMS, and the results that enclaves handed in with a token."""

    dataset: str | None = None
    result: str | None = None
    token: str | None = "token"
    handed_in: dict[str, bytes] = field(default_factory=dict)
    app: str | None = None
    mine: dict[str, str] = field(default_factory=dict)

    def dataset_key(self, dataset: str) -> str | None:
        return self.dataset if dataset == DATASET else None

    def result_key(self, beneficiary: str) -> str | None:
        return self.result if beneficiary == OWNER else None

    def storage_token(self, requester: str) -> str | None:
        return self.token if requester == BUYER else None

    def app_secret(self, app: str) -> str | None:
        return self.app if app == APP else None

    def requester_secret(self, requester: str, name: str) -> str | None:
        return self.mine.get(name) if requester == BUYER else None


class Inbox(Uploads):
    """Takes what enclaves hand in. The real proxy, which asks a chain, is in tests/stack."""

    def __init__(self, vault: Vault, http: Http) -> None:
        super().__init__("http://127.0.0.1:1", 1, http)
        self._vault = vault

    def upload(self, taskid: str, archive: Path, token: str, *, digest: str | None = None) -> str:
        assert (taskid, digest) == (TASK, None)
        self._vault.handed_in[token] = archive.read_bytes()
        return ""


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a standard task's archive is left."""
    return tmp_path / "result.zip"


@pytest.fixture
def run(
    tmp_path: Path,
    gateway: Server,
    vault: Vault,
    target: Path,
) -> Iterator[Run]:
    """Run the sample app, or ``code`` as an app; fields of the job by name."""
    yield from _running(tmp_path, gateway, vault, target)


@pytest.fixture
def run_today(tmp_path: Path, gateway: Server, vault: Vault, target: Path) -> Iterator[Run]:
    """Likewise, as a worker of today, for an enclave."""
    yield from _running(tmp_path, gateway, vault, target, rules=V9, runtime=TODAY)


def _running(
    tmp_path: Path, gateway: Server, vault: Vault, target: Path, **generation: Any
) -> Iterator[Run]:
    mapping, http = tmp_path / "apps.json", Http()
    compute = Compute(
        tmp_path / "runs",
        apps=AppMap(mapping),
        gateway=gateway.url,
        secrets=vault,
        uploads=Inbox(vault, http),
        http=http,
        **generation,
    )

    def job(code: str | None = None, **fields: object) -> Outcome:
        if code is not None:
            mapping.write_text(json.dumps({"my/app": [sys.executable, "-c", code]}))
        image = SAMPLE_IMAGE if code is None else "my/app"
        common = {"taskid": TASK, "app": APP, "image": image, "requester": BUYER}
        return compute.run(Job(**{**common, **fields}), target)  # type: ignore[arg-type]

    yield job
    http.close()
    assert not list((tmp_path / "runs").iterdir())  # cleaned up, however it ended


def text_of(archive: Archive, name: str) -> str:
    return archive.read(name, 1 << 20).decode()


def encrypted_dataset(store: Store, text: bytes, key: str, name: str = "d.txt") -> DatasetFile:
    data = cipher.encrypt_dataset(text, key)
    return DatasetFile(name, f"/ipfs/{store.add_bytes(data)}", cipher.checksum(data))


def test_sample_app(run: Run, store: Store, target: Path) -> None:
    dataset = DatasetFile("d.txt", f"/ipfs/{store.add_bytes(b'first line')}", "")
    dataset = DatasetFile(dataset.name, dataset.location, cipher.checksum(b"first line"))
    urls = [f"/ipfs/{store.add_bytes(b'an input')}"]
    outcome = run(
        params={"iexec_args": "Alice 'and Bob'", "iexec_input_files": urls},
        dataset=DATASET,
        dataset_file=dataset,
        bot_size=5,
        bot_first=2,
        index=4,
    )
    with Archive(target) as archive:
        text = text_of(archive, "result.txt")
        assert sorted(member.name for member in archive.members) == [
            "computed.json",
            "result.txt",
            "stdout.txt",
        ]
        assert text_of(archive, "stdout.txt") == "wrote result.txt\n"
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)
    assert text.splitlines()[:2] == ["Hello, Alice and Bob!", "This is task 3 of 5."]
    assert "d.txt: 10 bytes, 2 words, begins with 'first line'" in text
    assert "8 bytes, 2 words, begins with 'an input'" in text
    assert outcome.callback == b""


def test_tee_task_with_encrypted_result(run: Run, store: Store, vault: Vault, target: Path) -> None:
    private, public = rsa_generate(1024)
    vault.dataset = key = cipher.generate_encryption_key()
    vault.result = base64.b64encode(public.encode()).decode()
    outcome = run(
        tee=True,
        beneficiary=OWNER,
        params={"iexec_result_encryption": True},
        dataset=DATASET,
        dataset_file=encrypted_dataset(store, b"my secret", key),
    )
    handed_in = vault.handed_in["token"]
    assert not target.exists()
    with Archive(handed_in) as outer:
        assert sorted(member.name for member in outer.members) == [
            "aes-key.rsa",
            "iexec_out.zip.aes",
        ]
    with Archive(decrypt_result(handed_in, private)) as archive:
        assert "begins with 'my secret'" in text_of(archive, "result.txt")
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)


@pytest.mark.parametrize("tee", [False, True])
def test_callback(run: Run, vault: Vault, target: Path, tee: bool) -> None:
    vault.token = None  # nobody hands in anything
    code = (
        "import json,os;"
        "json.dump({'callback-data':'0x2a'}, open(os.environ['IEXEC_OUT']+'/computed.json','w'))"
    )
    outcome = run(code, callback=CALLBACK, tee=tee)
    assert outcome.callback == b"\x2a"
    assert outcome.digest == keccak(b"\x2a")
    assert not target.exists()
    assert vault.handed_in == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"params": {"iexec_result_encryption": True}}, "TASK_DESCRIPTION_INVALID"),
        ({"params": {"iexec_result_encryption": True}, "tee": True}, "no result encryption key"),
        ({"params": {"iexec_result_storage_provider": "dropbox"}, "tee": True}, "dropbox"),
        (
            {"requester": OWNER, "tee": True},
            f"no storage token is in the SMS for requester {OWNER}",
        ),
        ({"params": {"iexec_args": "it's"}}, "unbalanced"),
        ({"callback": CALLBACK}, "no callback-data"),
    ],
)
def test_refusals(run: Run, fields: dict[str, object], words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        run(beneficiary=OWNER, **fields)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa_generate(1024)[1], "base64 of the whole PEM"),
        ("bm8ga2V5", "cannot be encrypted"),
        ("w6k=", "base64 of the whole PEM"),
    ],
)
def test_a_result_key_that_workers_cannot_use(run: Run, vault: Vault, key: str, words: str) -> None:
    vault.result = key
    with pytest.raises(SandboxError, match=words):
        run(beneficiary=OWNER, tee=True, params={"iexec_result_encryption": True})
    assert vault.handed_in == {}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit(3)", "status 3"),
        ("pass", "wrote no computed"),
        ("import time; time.sleep(30)", "within 1 seconds"),
        (
            "import json,os,sys;o=os.environ['IEXEC_OUT'];open(o+'/r','w').close();"
            "json.dump({'deterministic-output-path':o+'/r'}, open(o+'/computed.json','w'));"
            "sys.exit(1)",
            "status 1",
        ),
    ],
)
def test_an_app_that_fails_contributes_nothing(run: Run, code: str, words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        run(code, limit=1)


def test_missing_data_becomes_an_error_result(run: Run, store: Store, target: Path) -> None:
    bad = DatasetFile("d", f"/ipfs/{store.add_bytes(b'x')}", "0x" + "11" * 32)
    outcome = run(dataset=DATASET, dataset_file=bad)
    with Archive(target) as archive:
        assert text_of(archive, "error.txt") == (
            "[IEXEC] Error occurred while computing the task "
            "[error:DATA_DOWNLOAD_FAILED, cause:DATASET_FILE_BAD_CHECKSUM]"
        )
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)
    assert "on chain it is" in outcome.trouble
    outcome = run(image="unknown/app")
    assert "add it to apps.json" in outcome.trouble
    with Archive(target) as archive:
        assert "APP_DOWNLOAD_FAILED, cause:APP_IMAGE_DOWNLOAD_FAILED" in text_of(
            archive, "error.txt"
        )


@pytest.mark.parametrize("fields", [{"tee": True}, {"callback": CALLBACK}])
def test_missing_data_of_a_tee_or_callback_task(
    run: Run, store: Store, vault: Vault, fields: dict[str, object]
) -> None:
    vault.dataset = cipher.generate_encryption_key()
    bad = DatasetFile("d", f"/ipfs/{store.add_bytes(b'x')}", "0x" + "11" * 32)
    with pytest.raises(SandboxError, match="DATASET_FILE_BAD_CHECKSUM"):
        run(dataset=DATASET, dataset_file=bad, **fields)


def test_tee_dataset_without_its_key(run: Run, store: Store) -> None:
    dataset = encrypted_dataset(store, b"x", cipher.generate_encryption_key())
    with pytest.raises(SandboxError, match="PRE_COMPUTE_GET_DATASET_SECRET_FAILED"):
        run(tee=True, dataset=DATASET, dataset_file=dataset)


def test_a_nameless_dataset_counts_as_none(run: Run, store: Store, target: Path) -> None:
    code = (
        "import json,os;o=os.environ['IEXEC_OUT'];"
        "open(o+'/r','w').write(repr([os.environ['IEXEC_DATASET_ADDRESS'],"
        "os.environ['IEXEC_DATASET_FILENAME'], os.listdir(os.environ['IEXEC_IN'])]));"
        "json.dump({'deterministic-output-path':'/iexec_out/r'}, open(o+'/computed.json','w'))"
    )
    run(code, dataset=DATASET, dataset_file=DatasetFile("", "/ipfs/x", "0x"))
    with Archive(target) as archive:
        assert text_of(archive, "r") == repr([DATASET.lower(), "", []])


def test_a_dataset_name_that_no_file_can_have(run: Run, store: Store, target: Path) -> None:
    data = DatasetFile("n" * 300, f"/ipfs/{store.add_bytes(b'x')}", cipher.checksum(b"x"))
    run(dataset=DATASET, dataset_file=data)
    with Archive(target) as archive:
        assert "DATASET_FILE_DOWNLOAD_FAILED" in text_of(archive, "error.txt")


@pytest.mark.parametrize(
    "path", ["/iexec_out/" + "n" * 300, "/iexec_out/\ud800", "/iexec_out/../x", "relative"]
)
def test_paths_that_lead_nowhere(run: Run, path: str) -> None:
    code = (
        "import os;open(os.environ['IEXEC_OUT']+'/computed.json','w').write("
        f"{json.dumps({'deterministic-output-path': path})!r})"
    )
    with pytest.raises(SandboxError):
        run(code)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_no_archive_can_hold(run: Run) -> None:
    code = (
        "import os;o=os.environb[b'IEXEC_OUT'];open(o+b'/\\xff','w').close();"
        "open(o+b'/computed.json','w').write('{\"deterministic-output-path\":\"/iexec_out\"}')"
    )
    with pytest.raises(SandboxError, match="cannot be packed"):
        run(code)


def test_stdout_is_part_of_a_whole_folder(run: Run, store: Store, target: Path) -> None:
    code = (
        "import json,os;print('said');"
        "json.dump({'deterministic-output-path':os.environ['IEXEC_OUT']},"
        "open(os.environ['IEXEC_OUT']+'/computed.json','w'))"
    )
    outcome = run(code)
    with Archive(target) as archive:
        assert text_of(archive, "stdout.txt") == "said\n"
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)


# --- as today's workers ---------------------------------------------------------------------------

SHOW = (
    "import json,os,sys; o=os.environ['IEXEC_OUT']; i=os.environ['IEXEC_IN'];"
    "names=sorted(os.listdir(i)); texts={n: open(i+'/'+n).read() for n in names};"
    "json.dump([dict(os.environ), texts, sys.argv[1:]], open(o+'/r.json','w'));"
    "json.dump({'deterministic-output-path': o+'/r.json'}, open(o+'/computed.json','w'));"
)


def shown(target: Path) -> Any:
    """Environment, input files and arguments of the app."""
    with Archive(target) as archive:
        return json.loads(text_of(archive, "r.json"))


def test_a_dataset_is_called_by_its_address(
    run_today: Run, store: Store, vault: Vault, target: Path
) -> None:
    vault.dataset = cipher.generate_encryption_key()
    file = encrypted_dataset(store, b"secret", vault.dataset, name="any/name")
    run_today(SHOW, tee=True, dataset=DATASET, dataset_file=file, dealid="0xdea1")
    seen, texts, _ = shown(target)
    assert texts == {DATASET.lower(): "secret"}
    assert seen["IEXEC_DATASET_FILENAME"] == seen["IEXEC_DATASET_ADDRESS"] == DATASET.lower()
    assert seen["IEXEC_DEAL_ID"] == "0xdea1"
    assert "IEXEC_INPUT_FILES_FOLDER" not in seen
    assert vault.handed_in == {}  # no proxy, no token


def test_secrets_are_for_enclaves_alone(run_today: Run, vault: Vault, target: Path) -> None:
    vault.app, vault.mine = "app's", {"a": "A"}
    params = {"iexec_secrets": {"1": "a", "2": "a", "3": "unknown", "0": "a", "x": "a", "=": "a"}}
    for tee, expected in (
        (False, {}),
        (
            True,
            {
                "IEXEC_APP_DEVELOPER_SECRET": "app's",
                "IEXEC_APP_DEVELOPER_SECRET_1": "app's",
                "IEXEC_REQUESTER_SECRET_1": "A",
                "IEXEC_REQUESTER_SECRET_2": "A",
            },
        ),
    ):
        run_today(SHOW, tee=tee, params=params)
        seen = shown(target)[0]
        assert {name: seen[name] for name in seen if "SECRET" in name} == expected


def test_many_datasets(run_today: Run, store: Store, vault: Vault, target: Path) -> None:
    vault.dataset = cipher.generate_encryption_key()
    file = encrypted_dataset(store, b"one", vault.dataset, name="")
    bulk = [BulkDataset(OWNER, None), BulkDataset(DATASET, file)]
    run_today(SHOW, tee=True, bulk=bulk, params={"bulk_cid": "Qm"})
    seen, texts, _ = shown(target)
    assert texts == {DATASET: "one"}
    assert seen["IEXEC_BULK_SLICE_SIZE"] == "2"
    assert (seen["IEXEC_DATASET_1_FILENAME"], seen["IEXEC_DATASET_2_FILENAME"]) == (OWNER, DATASET)
    run_today(SHOW, tee=True, bulk=None, params={"bulk_cid": "Qm"})  # a slice nobody can read
    assert shown(target)[0]["IEXEC_BULK_SLICE_SIZE"] == "0"
    vault.dataset = None
    with pytest.raises(SandboxError, match="PRE_COMPUTE_GET_DATASET_SECRET_FAILED"):
        run_today(SHOW, tee=True, bulk=bulk, params={"bulk_cid": "Qm"})


def test_a_result_of_an_app_that_fails(run_today: Run, target: Path) -> None:
    run_today(SHOW + "print('out'); sys.exit('why')", tee=True)
    with Archive(target) as archive:
        assert text_of(archive, "stdout.txt") == "out\n"
        assert text_of(archive, "stderr.txt") == "why\n"
    with pytest.raises(SandboxError, match="status 3"):
        run_today("import sys; sys.exit(3)", tee=True)


def test_names_of_result_files(run_today: Run, target: Path) -> None:
    code = f"{SHOW} open(o+'/'+'x'*LENGTH,'w').close()"
    assert run_today(code.replace("LENGTH", "31"), tee=True)
    with pytest.raises(SandboxError, match="POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME"):
        run_today(code.replace("LENGTH", "32"), tee=True)


def test_arguments_and_inputs_as_today(run_today: Run, store: Store, target: Path) -> None:
    urls = [f"/ipfs/{store.add_bytes(b'an input')}"]
    params = {"iexec_args": "it\\'s 'a b'", "iexec_input_files": urls}
    run_today(SHOW, tee=True, params=params)
    seen, texts, arguments = shown(target)
    assert arguments == ["it\\'s", "a b"]
    assert texts == {TODAY.input_name(urls[0]): "an input"}
    assert len(seen["IEXEC_INPUT_FILE_NAME_1"]) == 66


@pytest.mark.parametrize(
    ("root", "index", "expected"),
    [
        (["SLICE"], 0, [{"dataset": "x"}]),
        (["SLICE"], 1, None),
        (["SLICE"], -1, None),
        (["QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"], 0, None),
        ([5], 0, None),
        ({"0": "SLICE"}, 0, None),
        (b"no JSON", 0, None),
        (["ODD"], 0, None),
    ],
)
def test_slices(
    tmp_path: Path,
    gateway: Server,
    vault: Vault,
    store: Store,
    root: Any,
    index: int,
    expected: object,
) -> None:
    slices = {"SLICE": [{"dataset": "x"}], "ODD": ["x"]}
    text = root if isinstance(root, bytes) else json.dumps(root).encode()
    for name, content in slices.items():
        cid = store.add_bytes(json.dumps(content).encode())
        text = text.replace(name.encode(), cid.encode())
    with Http() as http:
        compute = Compute(
            tmp_path,
            apps=AppMap(),
            gateway=gateway.url,
            secrets=vault,
            uploads=Inbox(vault, http),
            http=http,
        )
        assert compute.slice_of(store.add_bytes(text), index) == expected
