"""``registry validate``: iexec.json, logo and deployed.json (cli.md §8.14)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli.registry import image_size
from iexec_lite.errors import ValidationError

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
BASE = {
    "description": "é" * 150,
    "license": "MIT",
    "author": "?",
    "social": {"website": "?", "github": "?"},
    "logo": "logo.png",
}


def png(width: int = 180, height: int = 180) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"


def gif(width: int = 180, height: int = 180) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0"


def jpeg(width: int = 180, height: int = 180) -> bytes:
    """With a comment, filling, and tables before the frame: none of them is a frame."""
    tables = b"\xff\xfe\0\x06\xff\xc0\1\2" + b"\xff\xff\xff\xdb\0\x03\1" + b"\xff\xc4\0\x03\1"
    frame = b"\xff\xc2\0\x11\x08" + struct.pack(">HH", height, width) + b"\x03"
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + tables + frame + bytes(9)


@pytest.fixture
def files(run: Any, project: Path) -> Any:
    """``files("app", member=…)``: a folder that passes, but for these members of iexec.json."""

    def make(kind: str, **changes: object) -> None:
        run("init", "--skip-wallet", "--raw")
        flags = ["--tee"] if kind == "app" else []
        run(kind, "init", *flags, "--raw")
        content = {**json.loads(Path("iexec.json").read_text("utf-8")), **BASE, **changes}
        if kind == "workerpool":
            del content["license"], content["author"]
        content = {name: value for name, value in content.items() if value is not None}
        Path("iexec.json").write_text(json.dumps(content))
        Path("logo.png").write_bytes(png())
        Path("deployed.json").write_text(json.dumps({kind: {"5": ADDRESS}}))

    return make


@pytest.mark.parametrize("kind", ["app", "dataset", "workerpool"])
def test_a_project_that_is_ready(run: Any, files: Any, kind: str) -> None:
    """Also a TEE app, whose enclave V6 took for a fault."""
    files(kind)
    document = run("registry", "validate", kind, "--raw").json
    assert document == {"ok": True, "validated": ["iexec.json", "logo.png", "deployed.json"]}
    done = run("registry", "validate", kind)
    assert done.status == 0
    registry = {"app": "dapps", "dataset": "datasets", "workerpool": "pools"}[kind]
    assert done.out == (
        f"{kind} description is valid. You can now submit it to the {kind} registry: "
        f"https://github.com/iExecBlockchainComputing/iexec-{registry}-registry\n"
    )


def test_all_that_is_wrong_is_told(run: Any, files: Any) -> None:
    files("app", app={"owner": "x"}, order={}, description="short", social=None, buyConf={})
    Path("logo.png").write_bytes(gif(20, 30))
    Path("deployed.json").write_text('{"dataset": {}}')
    document = run("registry", "validate", "app", "--raw").json
    assert list(document) == ["ok", "validated", "fail"]
    assert document["validated"] == []
    assert document["fail"] == [
        "iexec.json: description: must be 150 to 2000 characters long, it has 5",
        "iexec.json: social is a required field",
        "iexec.json: app: owner: x is not a valid ethereum address",
        *(
            f"iexec.json: app: {name} is a required field"
            for name in ("name", "type", "multiaddr", "checksum")
        ),
        "iexec.json: buyConf: params is a required field",
        "iexec.json: this field has unspecified keys: order",
        "logo.png: logo.png dimensions should be 180px by 180px, NOT 20 by 30",
        "logo.png: Extension mismatch: gif =/= png",
        'deployed.json: Missing app field. You should run "iexec-lite app deploy"',
    ]
    plain = run("registry", "validate", "app")
    assert (plain.status, plain.out) == (1, "")
    assert plain.err.startswith("✖ Invalid files:\n  - iexec.json: description")


SHORT = "description: must be 150 to 2000 characters long, it has"


@pytest.mark.parametrize(
    ("kind", "changes", "fault"),
    [
        (
            "app",
            {"buyConf": {"params": {"x": 1}}},
            "buyConf: params: this field has unspecified keys: x",
        ),
        (
            "app",
            {"buyConf": {"params": {"x": 1, "iexec_args": 5, "y": 2}}},
            "buyConf: params: iexec_args: must be text",
        ),
        (
            "app",
            {"buyConf": {"params": {}, "trust": "-1"}},
            "buyConf: trust: -1 is not a valid uint256",
        ),
        (
            "app",
            {"buyConf": {"params": {}, "tag": "tee"}},
            "buyConf: tag: tee is not a bytes32 hexstring",
        ),
        (
            "app",
            {"buyConf": {"params": {}, "callback": "x"}},
            "buyConf: callback: x is not a valid ethereum address",
        ),
        ("app", {"type": 5}, "type: must be text"),
        ("app", {"repo": 5}, "repo: must be text"),
        ("app", {"author": None}, "author is a required field"),
        ("app", {"social": {"website": 5}}, "social: website: must be text"),
        ("app", {"categories": "x"}, "this field has unspecified keys: categories"),
        ("app", {"description": "x" * 149}, f"{SHORT} 149"),
        ("app", {"description": 5}, "description: must be text"),
        ("dataset", {"categories": 5}, "categories: must be text"),
        ("dataset", {"dapps": [5]}, "dapps: must be an object"),
        ("dataset", {"dapps": [{"addresses": {}}]}, "dapps: name is a required field"),
        (
            "dataset",
            {"dapps": [{"name": "x", "addresses": {"5": ADDRESS}, "buyConf": {"trust": "1"}}]},
            "dapps: buyConf: params is a required field",
        ),
        ("workerpool", {"a": 1, "b": 2}, "this field has unspecified keys: a, b"),
        ("app", {"buyConf": []}, "buyConf: must be an object"),
        ("app", {"social": {"github": 5}}, "social: github: must be text"),
        ("app", {"license": ""}, "license is a required field"),
        ("app", {"description": "x" * 2001}, f"{SHORT} 2001"),
        ("dataset", {"dapps": {}}, "dapps: must be an array"),
        ("dataset", {"dapps": [{"name": "x"}]}, "dapps: addresses is a required field"),
        (
            "dataset",
            {"dapps": [{"name": "x", "addresses": {"5": "y"}}]},
            "dapps: addresses: y is not a valid ethereum address",
        ),
        ("dataset", {"app": {}}, "this field has unspecified keys: app"),
        (
            "workerpool",
            {"workerpool": "mine"},
            "workerpool: this must be a `object` type, but the final value was: `mine`",
        ),
    ],
)
def test_faults_of_iexec_json(
    run: Any, files: Any, kind: str, changes: dict[str, object], fault: str
) -> None:
    files(kind, **changes)
    document = run("registry", "validate", kind, "--raw").json
    assert document["validated"] == ["logo.png", "deployed.json"]
    assert f"iexec.json: {fault}" in document["fail"]


def test_a_chain_that_is_none(run: Any, files: Any) -> None:
    files("dataset", dapps=[{"name": "x", "addresses": {"x": ADDRESS}}])
    [fault] = run("registry", "validate", "dataset", "--raw").json["fail"]
    assert fault.startswith("iexec.json: dapps: addresses: ")


@pytest.mark.parametrize("length", [150, 2000])
def test_descriptions_at_their_ends(run: Any, files: Any, length: int) -> None:
    more = {"repo": "r", "type": "t", "categories": "c"}
    files("dataset", description="x" * length, **more)
    assert run("registry", "validate", "dataset", "--raw").json["ok"] is True


NO_IMAGE = "not an image whose size can be read: give a PNG, JPEG or GIF file"


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("logo.png", None, 'Missing "logo.png" logo image file'),
        ("logo.png", b"", NO_IMAGE),
        ("logo.png", b"<svg/>", NO_IMAGE),
        ("logo.jpg", b"\xff\xd8" + b"\xff\xe0\0\0" * 9, NO_IMAGE),
        (
            "logo.jpg",
            jpeg(180, 20),
            "logo.jpg dimensions should be 180px by 180px, NOT 180 by 20",
        ),
        ("logo.png", png(179), "logo.png dimensions should be 180px by 180px, NOT 179 by 180"),
        ("logo", png(), "Extension mismatch: png =/= "),
        ("logo.jpg", gif(), "Extension mismatch: gif =/= jpg"),
        ("logo.png", jpeg(), "Extension mismatch: jpg =/= png"),
    ],
)
def test_faults_of_the_logo(
    run: Any, files: Any, name: str, data: bytes | None, fault: str
) -> None:
    files("app", logo=name)
    Path("logo.png").unlink()
    if data is not None:
        Path(name).write_bytes(data)
    document = run("registry", "validate", "app", "--raw").json
    assert document["validated"] == ["iexec.json", "deployed.json"]
    assert document["fail"] == [f"{name}: {fault}"]


@pytest.mark.parametrize(
    ("name", "data"), [("a.JPEG", jpeg()), ("b.jpg", jpeg()), ("c.gif", gif())]
)
def test_other_images(run: Any, files: Any, name: str, data: bytes) -> None:
    files("app", logo=name)
    Path(name).write_bytes(data)
    assert run("registry", "validate", "app", "--raw").json["validated"][1] == name


def test_a_logo_that_is_none(run: Any, files: Any) -> None:
    for logo in (None, "", 5, ["x"]):
        files("app", logo=logo)
        failed = run("registry", "validate", "app", "--raw").json
        assert [text for text in failed["fail"] if "logo" in text] == failed["fail"]
        assert len(failed["fail"]) == 1
    files("app", logo=".")
    assert "cannot read ." in run("registry", "validate", "app", "--raw").json["fail"][0]


def test_sizes_of_images() -> None:
    assert image_size(png(1, 70000)) == ("png", 1, 70000)
    assert image_size(gif(258, 3)) == ("gif", 258, 3)
    assert image_size(jpeg(258, 3)) == ("jpg", 258, 3)
    assert image_size(b"GIF87a" + gif(3, 4)[6:10] + b"\xff\xff") == ("gif", 3, 4)
    for wrong in (b"\xff\xd8\xff\xe0\0\2x", b"\xff\xd8x", b"\xff\xd8\xff\xd0\0\2"):
        frame = jpeg()[-20:]  # which would be one, if it stood elsewhere
        with pytest.raises(ValidationError, match=NO_IMAGE):
            image_size(wrong + b"\0" + frame)
    for data, least in ((png(), 24), (gif(), 10), (jpeg(), len(jpeg()) - 10)):
        for end in range(least):
            with pytest.raises(ValidationError, match=f"^{NO_IMAGE}$"):
                image_size(data[:end])
        assert image_size(data[:least])[1:] == (180, 180)
    for marker in range(0xC0, 0xD0):
        frame = bytes((0xFF, 0xD8, 0xFF, marker)) + b"\0\x11\x08\0\1\0\2" + bytes(20)
        if marker in (0xC4, 0xC8, 0xCC):  # tables, and what is reserved: no frames
            with pytest.raises(ValidationError, match=NO_IMAGE):
                image_size(frame)
        else:
            assert image_size(frame) == ("jpg", 2, 1)


def test_what_is_validated(run: Any, project: Path) -> None:
    message = run("registry", "validate", "foo", "--raw").json["error"]["message"]
    assert message == 'Unknown object "foo". Must be one of [app,workerpool,dataset]'
    message = run("registry", "validate", "x" * 41, "--raw").json["error"]["message"]
    assert message.startswith(f'Unknown object "{"x" * 40}".')
    message = run("registry", "validate", "app", "--raw").json["error"]["message"]
    assert message == 'Missing "iexec.json" file, did you forget to run "iexec-lite init"?'
