"""``dataset encrypt``, ``result …``, ``dataset prepare-bulk`` and signatures that come back."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from iexec_lite.eth import crypto
from iexec_lite.protocol import cipher, orders
from iexec_lite.protocol.archive import encrypt_result
from iexec_lite.sdk.records import DatasetBulk, SecretPush

from .records import APP, ME, OTHER, POOL, Part
from .test_order_fill import DATASETORDER
from .test_orderbook import published

CHAIN = ("--chain", "bellecour")
OWN = (*CHAIN, "--keystoredir", "ks")
HASH = "0x" + "0a" * 32


# ---- dataset encrypt -----------------------------------------------------------------------------


@pytest.fixture
def folders(run, project: Path) -> Path:
    """A project in which ``dataset init --encrypted`` was run: the folder of the files."""
    run("init", "--skip-wallet")
    done = run("dataset", "init", "--encrypted", *CHAIN)
    original = project / "datasets" / "original"
    assert f"ℹ Put the files to encrypt into {original}\n" in done.err
    assert (project / "datasets" / "encrypted").is_dir()
    assert stat.S_IMODE((project / ".secrets" / "datasets").stat().st_mode) == 0o700
    return original


def test_encrypt(run, folders: Path, project: Path) -> None:
    for name in ("b", "a", "dataset"):
        (folders / name).write_bytes(name.encode() * 1000)
    (folders / "sub").mkdir()
    found = run("dataset", "encrypt")
    assert found.status == 0, found.err
    assert "⚠ Datasets must be single file, skipping sub\n" in found.err
    keys, encrypted = project / ".secrets" / "datasets", project / "datasets" / "encrypted"
    for name in ("a", "b", "dataset"):
        key = (keys / f"{name}.key").read_text()
        data = (encrypted / f"{name}.enc").read_bytes()
        assert cipher.decrypt_dataset(data, key) == name.encode() * 1000
        assert f"ℹ Encrypted {name}, its checksum is 0x" in found.err
        assert f"  encrypted: {encrypted / f'{name}.enc'}\n" in found.out
    assert [line for line in found.out.splitlines() if line in ("a:", "b:", "dataset:")] == [
        *("a:", "b:", "dataset:")
    ]
    assert found.out.endswith(
        "\n\nMake a backup of the keys: without them nobody can read the encrypted files.\n"
        "Next, for each dataset:\n"
        "  1. put the encrypted file where workers can fetch it, for example on IPFS\n"
        '  2. write its address as "multiaddr" and the checksum as "checksum" into the "dataset"\n'
        "     of iexec.json, then: iexec-lite dataset deploy\n"
        "  3. give its key to the workers: iexec-lite dataset push-secret\n"
        "     (the key of dataset; of another with --secret-path FILE)\n"
    )
    # nothing is replaced without a question, and nothing is half done
    before = (encrypted / "a.enc").read_bytes()
    message = run("dataset", "encrypt", "--raw").json["error"]["message"]
    assert message == (
        '"a.key" already exists, replace it with new one? There is nobody to ask: --force says yes'
    )
    document = run("dataset", "encrypt", "--force", "--raw").json
    assert (encrypted / "a.enc").read_bytes() != before
    assert [Path(each["original"]).name for each in document["encryptedFiles"]] == [
        *("a", "b", "dataset")
    ]
    first = document["encryptedFiles"][0]
    assert first == {
        "original": str(folders / "a"),
        "encrypted": str(encrypted / "a.enc"),
        "key": str(keys / "a.key"),
        "checksum": "0x" + crypto.sha256((encrypted / "a.enc").read_bytes()).hex(),
    }
    assert sorted(path.name for path in encrypted.iterdir()) == ["a.enc", "b.enc", "dataset.enc"]


def test_what_is_told_meanwhile(run, folders: Path, project: Path) -> None:
    (folders / "one").write_bytes(b"x" * 2000)
    (folders / "none").write_bytes(b"")
    found = run("dataset", "encrypt")
    sums = {
        name: "0x" + crypto.sha256((project / f"datasets/encrypted/{name}.enc").read_bytes()).hex()
        for name in ("none", "one")
    }
    assert found.err == (
        f"ℹ Encrypted none, its checksum is {sums['none']}\n"
        "ℹ Encrypting one: 100 %  2.0 kB of 2.0 kB\n"
        f"ℹ Encrypted one, its checksum is {sums['one']}\n"
    )
    encrypted, keys = project / "datasets" / "encrypted", project / ".secrets" / "datasets"
    for name in ("none", "one"):
        assert (
            f"{name}:\n  encrypted: {encrypted / name}.enc\n  key:       {keys / name}.key\n"
            f"  checksum:  {sums[name]}\n"
        ) in found.out


def test_folders_of_ones_own(run, project: Path) -> None:
    run("init", "--skip-wallet")
    (project / "k").mkdir(mode=0o755)
    folders = ("--dataset-keystoredir", "k", "--original-dataset-dir", "in/here")
    folders += ("--encrypted-dataset-dir", "out")
    assert run("dataset", "init", "--tee", *folders, *CHAIN).status == 0
    assert stat.S_IMODE((project / "k").stat().st_mode) == 0o755  # it keeps its permissions
    (project / "in" / "here" / "x").write_bytes(b"x")
    document = run("dataset", "encrypt", *folders, "--raw").json
    assert document == {
        "ok": True,
        "encryptedDatasetFolderPath": str(project / "out"),
        "secretPath": str(project / "k"),
        "encryptedFiles": [
            {
                "original": str(project / "in" / "here" / "x"),
                "encrypted": str(project / "out" / "x.enc"),
                "key": str(project / "k" / "x.key"),
                "checksum": document["encryptedFiles"][0]["checksum"],
            }
        ],
    }
    assert (project / "k" / "dataset.key").read_text() == (project / "k" / "x.key").read_text()
    assert run("dataset", "init", *CHAIN).err.count("Put the files") == 0


def test_the_last_key_is_the_one_to_push(run, folders: Path, project: Path) -> None:
    (folders / "only").write_bytes(b"x")
    out = run("dataset", "encrypt").out
    assert "of another with" not in out
    keys = project / ".secrets" / "datasets"
    assert (keys / "dataset.key").read_text() == (keys / "only.key").read_text()
    assert stat.S_IMODE((keys / "dataset.key").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_encrypted(run, folders: Path, project: Path, monkeypatch) -> None:
    for name in ("a", "b"):
        (folders / name).write_bytes(b"x")
    encrypt = cipher.encrypt_dataset_stream

    def failing(source, part, key):
        if Path(source.name).name == "a":
            raise OSError(28, "No space left on device")
        return encrypt(source, part, key)

    monkeypatch.setattr(cipher, "encrypt_dataset_stream", failing)
    found = run("dataset", "encrypt")
    assert found.status == 1
    assert found.err.endswith("✖ Failed to encrypt:\n  - a: No space left on device\n")
    assert found.out.startswith("b:\n")
    names = [path.name for path in (project / "datasets" / "encrypted").iterdir()]
    assert names == ["b.enc"]


def test_where_nothing_can_be_encrypted(run, folders: Path, project: Path) -> None:
    message = run("dataset", "encrypt", "--raw").json["error"]["message"]
    assert message == f'Input folder "{folders}" is empty, nothing to encrypt'
    (folders / "a").write_bytes(b"x")
    words = ("dataset", "encrypt", "--encrypted-dataset-dir")
    message = run(*words, "no", "--raw").json["error"]["message"]
    assert message == (
        "Folders for dataset encryption are missing, did you forget to run "
        '"iexec-lite dataset init --encrypted"?'
    )
    message = run(*words, "datasets/original", "--raw").json["error"]["message"]
    assert message == "keys, original and encrypted datasets must be in different folders"
    (project / "datasets" / "encrypted" / "a.enc").mkdir()
    message = run("dataset", "encrypt", "--raw").json["error"]["message"]
    folder = project / "datasets" / "encrypted" / "a.enc"
    assert message == f"{folder} is a folder: a file is to be written there"


# ---- result --------------------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short keys, because their length is of no interest here."""
    generate = crypto.rsa_generate
    monkeypatch.setattr(crypto, "rsa_generate", lambda: generate(1024))


def test_keys_for_results(run, short, library, wallet: Path, project: Path) -> None:
    found = run("result", "generate-encryption-keypair", "--keystoredir", "ks")
    place = project / ".secrets" / "beneficiary"
    assert found.out == (
        f"Encryption keys of {ME} saved in {place}\n"
        f"private key: {ME}_key\npublic key:  {ME}_key.pub\n"
        "Keep a copy of both: without the private key nobody can read your results\n"
        "Have results encrypted with: iexec-lite result push-encryption-key\n"
    )
    assert found.err == (f"ℹ Generating an encryption key pair for {ME}, this takes seconds\n")
    private, public = ((place / f"{ME}_key{end}").read_text() for end in ("", ".pub"))
    assert stat.S_IMODE((place / f"{ME}_key").stat().st_mode) == 0o600
    words = ("result", "generate-encryption-keypair", "--keystoredir", "ks", "--raw")
    message = run(*words).json["error"]["message"]
    assert message == (
        f'"{ME}_key" already exists, replace it with new one? There is nobody to ask: --force says '
        "yes"
    )
    found = run(*words[:-1])
    assert found.err.startswith(
        f"⚠ Results that were encrypted for {ME}_key cannot be read without it\n✖ "
    )
    assert (place / f"{ME}_key").read_text() == private
    # what was encrypted with the one is read with the other
    (project / "encryptedResults.zip").write_bytes(encrypt_result(b"PKin", public))
    words = ("result", "decrypt", "--keystoredir", "ks")
    out = run(*words).out
    assert out == f"Results successfully decrypted in {project / 'results.zip'}\n"
    assert (project / "results.zip").read_bytes() == b"PKin"
    message = run(*words, "--raw").json["error"]["message"]
    assert message == (
        f"File {project / 'results.zip'} already exists, continue and replace? There is nobody to "
        "ask: --force says yes"
    )
    document = run(*words, "--force", "--raw").json
    assert document == {"ok": True, "resultsPath": str(project / "results.zip")}
    # the keys that are made anew are others, and it is told what that means
    words = ("result", "generate-encryption-keypair", "--keystoredir", "ks", "--force", "--raw")
    assert run(*words).json == {
        "ok": True,
        "secretPath": str(place),
        "privateKeyFile": f"{ME}_key",
        "publicKeyFile": f"{ME}_key.pub",
    }
    assert (place / f"{ME}_key").read_text() != private
    assert run(*words[:-1]).err == (  # what that means, --force has taken note of
        f"ℹ Generating an encryption key pair for {ME}, this takes seconds\n"
    )


def test_new_keys_after_a_question(run, wallet: Path, project: Path, person, monkeypatch) -> None:
    made = iter([("private 1", "public 1"), ("private 2", "public 2")])
    monkeypatch.setattr(crypto, "rsa_generate", lambda: next(made))
    place = project / "own"
    words = ("result", "generate-encryption-keypair", "--keystoredir", "ks")
    words += ("--beneficiary-keystoredir", "own", "--chain", "nowhere")  # V6 takes it: cli.md §9
    found = run(*words)
    assert found.out.startswith(f"Encryption keys of {ME} saved in {place}\n")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    files = [place / f"{ME}_key", place / f"{ME}_key.pub"]
    assert [stat.S_IMODE(each.stat().st_mode) for each in files] == [0o600, 0o600]
    assert [each.read_text() for each in files] == ["private 1", "public 1"]
    found = run(*words, stdin="n\n")
    assert found.err == (
        f"⚠ Results that were encrypted for {ME}_key cannot be read without it\n"
        f'? "{ME}_key" already exists, replace it with new one? (Y/n) '
        '✖ Command "iexec-lite result generate-encryption-keypair" failed: Operation aborted by '
        f"user. {files[0]} was kept\n"
    )
    assert [each.read_text() for each in files] == ["private 1", "public 1"]
    assert run(*words, stdin="y\n").status == 0
    assert [each.read_text() for each in files] == ["private 2", "public 2"]


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """Private and public PEM; short, because the length is of no interest here."""
    return crypto.rsa_generate(1024)


def test_a_result_in_the_place_of_another_file(
    run, project: Path, person, keys: tuple[str, str]
) -> None:
    (project / "k").write_text(keys[0])
    (project / "in.zip").write_bytes(encrypt_result(b"PKin", keys[1]))
    target = project / "out.zip"
    target.write_text("old")
    words = ("result", "decrypt", "in.zip", "--decrypted-results-path", "out.zip")
    words += ("--beneficiary-keystoredir", ".", "--beneficiary-key-file", "k")
    words += ("--chain", "nowhere")  # as V6 takes it: cli.md §9
    failed = '✖ Command "iexec-lite result decrypt" failed: Operation aborted by user. '
    assert run(*words, stdin="n\n").err.endswith(
        f"? File {target} already exists, continue and replace? (Y/n) {failed}{target} was kept\n"
    )
    assert target.read_text() == "old"
    assert run(*words, stdin="y\n").status == 0
    assert target.read_bytes() == b"PKin"
    target.unlink()
    target.symlink_to("nowhere")  # that is a file that exists, too
    assert run(*words, stdin="n\n").status == 1
    assert target.is_symlink()


def test_a_public_key_of_any_other_place(run, library, wallet: Path, project: Path) -> None:
    library.result = Part(check_result_encryption_key_exists=False)
    words = ("result", "push-encryption-key", *OWN, "--secret-path")
    message = run(*words, "no.pub", "--raw").json["error"]["message"]
    assert message == "cannot read no.pub: No such file or directory"
    (project / "big.pub").write_text("x" * (64 * 1024 + 1))
    message = run(*words, "big.pub", "--raw").json["error"]["message"]
    assert message == "big.pub is larger than 65536 bytes: refused"
    assert library.result.calls == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("no.zip",), 'No encrypted results at "no.zip": give the path of the archive'),
        (
            ("in.zip", "--decrypted-results-path", "keys"),
            '"{}/keys" cannot be written: it is a folder, or in none',
        ),
        (
            ("in.zip", "--decrypted-results-path", "no/out"),
            '"{}/no/out" cannot be written: it is a folder, or in none',
        ),
        (
            ("in.zip", "--decrypted-results-path", "in.zip"),
            '"{}/in.zip" is the encrypted archive: give another file',
        ),
    ],
)
def test_results_that_cannot_be_decrypted(
    run, project: Path, words: tuple[str, ...], message: str
) -> None:
    (project / "keys").mkdir()
    (project / "keys" / "k").write_text("PEM")
    (project / "in.zip").write_bytes(b"PK")
    key = ("--beneficiary-keystoredir", "keys", "--beneficiary-key-file", "k", "--force")
    found = run("result", "decrypt", *words, *key, "--raw").json["error"]["message"]
    assert found == message.format(project)
    message = run("result", "decrypt", "in.zip", *key[:3], "no", "--raw").json["error"]["message"]
    assert message == (
        f'Failed to load beneficiary encryption key from "{project}/keys/no": cannot read '
        f"{project}/keys/no: "
        "No such file or directory"
    )


def test_the_key_for_results_at_the_sms(run, library, wallet: Path, project: Path) -> None:
    pushed = SecretPush(is_pushed=True, is_updated=False)
    library.result = Part(
        check_result_encryption_key_exists=False, push_result_encryption_key=pushed
    )
    words = ("result", "push-encryption-key", *OWN)
    message = run(*words, "--raw").json["error"]["message"]
    default = project / ".secrets" / "beneficiary" / f"{ME}_key.pub"
    assert message == (
        f"No encryption key at {default}: did you forget to run "
        '"iexec-lite result generate-encryption-keypair"?'
    )
    default.parent.mkdir(parents=True)
    default.write_text("PEM")
    assert run(*words).out == f"Encryption key of {ME} pushed on chain bellecour\n"
    assert library.result.calls == [
        ("check_result_encryption_key_exists", ME),
        ("push_result_encryption_key", "PEM", {"force_update": False}),
    ]
    (project / "own.pub").write_text("own")
    library.result.answers |= {
        "check_result_encryption_key_exists": True,
        "push_result_encryption_key": SecretPush(is_pushed=True, is_updated=True),
    }
    words += ("--secret-path", "own.pub")
    message = run(*words, "--raw").json["error"]["message"]
    assert message == (
        f'Secret "iexec-result-encryption-public-key" already exists for {ME}: replace it with '
        "--force-update"
    )
    assert (
        run(*words, "--force-update").out == f"Encryption key of {ME} updated on chain bellecour\n"
    )
    assert library.result.calls[-1] == (
        *("push_result_encryption_key", "own"),
        {"force_update": True},
    )
    document = run(*words, "--force-update", "--raw").json
    assert document == {"ok": True, "isPushed": True, "isUpdated": True}


@pytest.mark.parametrize(("known", "word"), [(True, "Encryption"), (False, "No encryption")])
def test_whether_there_is_a_key_for_results(run, library, wallet, known: bool, word: str) -> None:
    library.result = Part(check_result_encryption_key_exists=known)
    words = ("result", "check-encryption-key")
    assert run(*words, *OWN).out == f"{word} key found for address {ME}\n"
    assert run(*words, OTHER, *CHAIN).out == f"{word} key found for address {OTHER}\n"
    document = run(*words, OTHER, *CHAIN, "--raw").json
    assert document == {"ok": True, "isEncryptionKeySet": known}


# ---- prepare-bulk --------------------------------------------------------------------------------


def test_prepare_bulk(run, library, project: Path) -> None:
    library.order = Part(prepare_dataset_bulk=DatasetBulk(cid="bafy", volume=2))
    datasetorder = orders.SignedDatasetorder.from_dict(DATASETORDER)
    library.orderbook = Part(fetch_datasetorder=published(datasetorder))
    words = ("dataset", "prepare-bulk")
    message = run(*words, *CHAIN, "--raw").json["error"]["message"]
    assert message == "Missing orders.json: give hashes of datasetorders or files with them"
    (project / "orders.json").write_text(json.dumps({"134": {"datasetorder": DATASETORDER}}))
    found = run(*words, *CHAIN)
    assert found.err == "ℹ 1 datasetorder\n"
    assert found.out == (
        "bulk_cid: bafy\ntasks:    2\ndatasets: 1\n\n"
        "Ask for them with a request without dataset, for example:\n"
        '  iexec-lite app request-execution APP --volume 2 --params \'{"bulk_cid": "bafy"}\'\n'
    )
    usual = {"max_dataset_per_task": 100, "copy_to": [], "preflight_check": True}
    nobody = dict.fromkeys(("app", "workerpool", "requester"))
    name = "prepare_dataset_bulk"
    assert library.order.calls == [(name, [DATASETORDER], {**usual, **nobody})]
    (project / "list.json").write_text(json.dumps([{"order": DATASETORDER}, DATASETORDER]))
    (project / "shown.json").write_text(json.dumps({"datasetorder": {"order": DATASETORDER}}))
    more = ("--max-dataset-per-task", "7", "--copy-to", "https://a", "--copy-to", "https://b")
    more += ("--app", APP, "--workerpool", POOL, "--requester", ME, "--skip-preflight-check")
    found = run(*words, "list.json", "shown.json", HASH, *more, *CHAIN)
    assert found.err == (
        f"ℹ Fetching datasetorder {HASH} from iexec marketplace\nℹ 4 datasetorders\n"
    )
    _, asked, options = library.order.calls[1]
    assert asked == [DATASETORDER, DATASETORDER, DATASETORDER, datasetorder]
    assert options == {
        **{"max_dataset_per_task": 7, "copy_to": ["https://a", "https://b"]},
        **{"preflight_check": False, "app": APP, "workerpool": POOL, "requester": ME},
    }
    document = run(*words, HASH, *CHAIN, "--raw").json
    assert document == {"ok": True, "cid": "bafy", "volume": 2}


def test_numbers_that_are_none(run, library) -> None:
    options = {
        ("dataset", "prepare-bulk", *CHAIN): "--max-dataset-per-task",
        ("orderbook", "workerpool", *CHAIN): "--page-size",
    }
    library.orderbook = Part(fetch_workerpool_orderbook=None)
    for words, option in options.items():
        for number in ("x", "1.5", "-1", "1" * 41):
            message = run(*words, f"{option}={number}", "--raw").json["error"]["message"]
            assert message == f"{option} must be a `number` type, got {number[:40]}"


@pytest.mark.parametrize(
    ("word", "text", "message"),
    [
        ("gone.json", None, "gone.json is neither a file nor 0x and 64 hex digits"),
        ("g" * 81, None, f"{'g' * 80} is neither a file nor 0x and 64 hex digits"),
        ("f", "7", "f: no datasetorder in it, or something else beside"),
        ("f", '{"datasetorder": {"order": 1}}', "f: no datasetorder in it, or something else"),
        ("0x12", None, 'Invalid datasetorder hash: "0x12" is not 0x and 64 hex digits'),
        ("f", "[{}]", "f: no datasetorder in it, or something else beside"),
        ("f", '{"apporder": {}}', "f: no datasetorder in it, or something else beside"),
        ("f", '[{"dataset": 1}, 7]', "f: no datasetorder in it, or something else beside"),
        ("f", "{", "f is not JSON: "),
    ],
)
def test_what_is_no_dataset_order(
    run, library, project: Path, word: str, text: str | None, message: str
) -> None:
    if text is not None:
        (project / word).write_text(text)
    found = run("dataset", "prepare-bulk", word, *CHAIN, "--raw").json["error"]["message"]
    assert found.startswith(message)


# ---- export, sign elsewhere, import --------------------------------------------------------------


def test_an_order_is_signed_on_another_device(run, library, wallet: Path, project: Path) -> None:
    (project / "iexec.json").write_text(
        json.dumps({"order": {"apporder": {"app": APP, "appprice": "1 RLC"}}})
    )
    words = ("order", "export", "--app", "--offline", *CHAIN)
    (failure,) = run(*words, "--raw").json["fail"]
    assert failure == "apporder: give --address: offline nobody knows who the owner is"
    found = run(*words, "--address", ME)
    assert found.out == (
        f"apporder.request.json is to be signed by {ME}\n"
        "Carry it to the device with that key, and there: iexec-lite order sign-request FILE\n"
    )
    assert found.err == "ℹ Using chain bellecour [chainId: 134]\n"
    message = run(*words, "--address", ME, "--output-dir", "no", "--raw").json["error"]["message"]
    assert message == "--output-dir: no is no folder"
    found = run(
        "order",
        "sign-request",
        "apporder.request.json",
        "--keystoredir",
        "ks",
        "--force",
        "--password",
        "x",
    )
    assert found.out == f"Signed by {ME}: carry back apporder.signed.json\n"
    found = run("order", "import-signature", "apporder.signed.json", *CHAIN)
    assert found.out == "apporder imported and saved in orders.json\n"
    assert found.err == "ℹ Using chain bellecour [chainId: 134]\n"
    stored = json.loads((project / "orders.json").read_text())["134"]["apporder"]
    document = run("order", "import-signature", "apporder.signed.json", *CHAIN, "--raw").json
    assert document == {"ok": True, "apporder": stored}
    assert stored["app"] == APP
    order = orders.SignedApporder.from_dict(stored)
    hub = orders.domain(134, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f")
    orders.verify_order(order, hub, ME)
