"""A task from its description to its outcome, with the real app runner and store."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak, rsa_generate
from iexec_lite.protocol import cipher
from iexec_lite.protocol.archive import Archive, decrypt_result
from iexec_lite.protocol.results import archive_digest, parse_location
from iexec_lite.sandbox.compute import Compute, Job, Outcome
from iexec_lite.sandbox.inputs import DatasetFile
from iexec_lite.sandbox.runner import SAMPLE_IMAGE, AppMap
from iexec_lite.sandbox.store import Gateway, Store
from iexec_lite.sandbox.vault import Vault

TASK = "0x" + "ab" * 32
APP = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
DATASET = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OWNER = "0x1563915e194D8CfBA1943570603F7606A3115508"
CALLBACK = "0x99c2268479b93fDe36232351229815DF80837e23"
Run = Callable[..., Outcome]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secrets")


@pytest.fixture
def run(tmp_path: Path, store: Store, gateway: Gateway, vault: Vault) -> Run:
    """Run the sample app, or ``code`` as an app; fields of the job by name."""
    mapping = tmp_path / "apps.json"
    compute = Compute(
        tmp_path / "runs",
        apps=AppMap(mapping),
        store=store,
        gateway=gateway.url,
        vault=vault,
    )

    def job(code: str | None = None, **fields: object) -> Outcome:
        if code is not None:
            mapping.write_text(json.dumps({"my/app": [sys.executable, "-c", code]}))
        image = SAMPLE_IMAGE if code is None else "my/app"
        outcome = compute.run(Job(**{"taskid": TASK, "app": APP, "image": image, **fields}))  # type: ignore[arg-type]
        return outcome

    yield job
    assert not list((tmp_path / "runs").iterdir())  # cleaned up, however it ended


def stored(store: Store, outcome: Outcome) -> bytes:
    found = parse_location(outcome.results)
    assert found["storage"] == "ipfs"
    path = store.path(str(found["location"]).removeprefix("/ipfs/"))
    assert path is not None
    return path.read_bytes()


def text_of(archive: Archive, name: str) -> str:
    return archive.read(name, 1 << 20).decode()


def encrypted_dataset(store: Store, text: bytes, key: str, name: str = "d.txt") -> DatasetFile:
    data = cipher.encrypt_dataset(text, key)
    return DatasetFile(name, f"/ipfs/{store.add_bytes(data)}", cipher.checksum(data))


def test_sample_app(run: Run, store: Store) -> None:
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
    with Archive(stored(store, outcome)) as archive:
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


def test_tee_task_with_encrypted_result(run: Run, store: Store, vault: Vault) -> None:
    key = cipher.generate_encryption_key()
    private, public = rsa_generate(1024)
    vault.put_dataset_key(DATASET, key)
    vault.put_result_key(OWNER, public)
    outcome = run(
        tee=True,
        beneficiary=OWNER,
        params={"iexec_result_encryption": True},
        dataset=DATASET,
        dataset_file=encrypted_dataset(store, b"my secret", key),
    )
    with Archive(stored(store, outcome)) as outer:
        assert sorted(member.name for member in outer.members) == [
            "aes-key.rsa",
            "iexec_out.zip.aes",
        ]
    with Archive(decrypt_result(stored(store, outcome), private)) as archive:
        assert "begins with 'my secret'" in text_of(archive, "result.txt")
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)


def test_callback(run: Run) -> None:
    code = (
        "import json,os;"
        "json.dump({'callback-data':'0x2a'}, open(os.environ['IEXEC_OUT']+'/computed.json','w'))"
    )
    outcome = run(code, callback=CALLBACK)
    assert outcome.callback == b"\x2a"
    assert outcome.digest == keccak(b"\x2a")
    expected = f'{{ "storage": "ethereum", "location": "{CALLBACK.lower()}" }}'
    assert outcome.results == expected.encode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"params": {"iexec_result_encryption": True}}, "TASK_DESCRIPTION_INVALID"),
        ({"params": {"iexec_result_encryption": True}, "tee": True}, "no result encryption key"),
        ({"params": {"iexec_result_storage_provider": "dropbox"}, "tee": True}, "dropbox"),
        ({"params": {"iexec_args": "it's"}}, "unbalanced"),
        ({"callback": CALLBACK}, "no callback-data"),
    ],
)
def test_refusals(run: Run, fields: dict[str, object], words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        run(beneficiary=OWNER, **fields)


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


def test_missing_data_becomes_an_error_result(run: Run, store: Store) -> None:
    bad = DatasetFile("d", f"/ipfs/{store.add_bytes(b'x')}", "0x" + "11" * 32)
    outcome = run(dataset=DATASET, dataset_file=bad)
    with Archive(stored(store, outcome)) as archive:
        assert text_of(archive, "error.txt") == (
            "[IEXEC] Error occurred while computing the task "
            "[error:DATA_DOWNLOAD_FAILED, cause:DATASET_FILE_BAD_CHECKSUM]"
        )
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)
    assert "on chain it is" in outcome.trouble
    outcome = run(image="unknown/app")
    assert "add it to apps.json" in outcome.trouble
    with Archive(stored(store, outcome)) as archive:
        assert "APP_DOWNLOAD_FAILED, cause:APP_IMAGE_DOWNLOAD_FAILED" in text_of(
            archive, "error.txt"
        )


@pytest.mark.parametrize("fields", [{"tee": True}, {"callback": CALLBACK}])
def test_missing_data_of_a_tee_or_callback_task(
    run: Run, store: Store, vault: Vault, fields: dict[str, object]
) -> None:
    vault.put_dataset_key(DATASET, cipher.generate_encryption_key())
    bad = DatasetFile("d", f"/ipfs/{store.add_bytes(b'x')}", "0x" + "11" * 32)
    with pytest.raises(SandboxError, match="DATASET_FILE_BAD_CHECKSUM"):
        run(dataset=DATASET, dataset_file=bad, **fields)


def test_tee_dataset_without_its_key(run: Run, store: Store) -> None:
    dataset = encrypted_dataset(store, b"x", cipher.generate_encryption_key())
    with pytest.raises(SandboxError, match="PRE_COMPUTE_GET_DATASET_SECRET_FAILED"):
        run(tee=True, dataset=DATASET, dataset_file=dataset)


def test_a_nameless_dataset_counts_as_none(run: Run, store: Store) -> None:
    code = (
        "import json,os;o=os.environ['IEXEC_OUT'];"
        "open(o+'/r','w').write(repr([os.environ['IEXEC_DATASET_ADDRESS'],"
        "os.environ['IEXEC_DATASET_FILENAME'], os.listdir(os.environ['IEXEC_IN'])]));"
        "json.dump({'deterministic-output-path':'/iexec_out/r'}, open(o+'/computed.json','w'))"
    )
    outcome = run(code, dataset=DATASET, dataset_file=DatasetFile("", "/ipfs/x", "0x"))
    with Archive(stored(store, outcome)) as archive:
        assert text_of(archive, "r") == repr([DATASET.lower(), "", []])


def test_a_dataset_name_that_no_file_can_have(run: Run, store: Store) -> None:
    data = DatasetFile("n" * 300, f"/ipfs/{store.add_bytes(b'x')}", cipher.checksum(b"x"))
    with Archive(stored(store, run(dataset=DATASET, dataset_file=data))) as archive:
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


def test_stdout_is_part_of_a_whole_folder(run: Run, store: Store) -> None:
    code = (
        "import json,os;print('said');"
        "json.dump({'deterministic-output-path':os.environ['IEXEC_OUT']},"
        "open(os.environ['IEXEC_OUT']+'/computed.json','w'))"
    )
    outcome = run(code)
    with Archive(stored(store, outcome)) as archive:
        assert text_of(archive, "stdout.txt") == "said\n"
        assert archive_digest(archive, callback=False) == to_hex(outcome.digest)
