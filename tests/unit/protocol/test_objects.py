"""App, dataset, workerpool and category records (chain.md §4.4, §12).

The stored bytes and the texts marked "V6" are what the validators of the JS SDK 6.0.1 gave.
"""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.contracts import REGISTRY
from iexec_lite.protocol.objects import App, Category, Dataset, Workerpool

OWNER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
CHECKSUM = "0x" + "ab" * 32
MEASURE: dict[str, object] = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/é.py",
    "heapSize": 1073741824,
    "fingerprint": "ffff",
}
APP: dict[str, object] = {
    "owner": OWNER.lower(),
    "name": "n",
    "type": "DOCKER",
    "multiaddr": "registry.hub.docker.com/x/y:1",
    "checksum": CHECKSUM.upper().replace("X", "x"),
}
DATASET: dict[str, object] = {key: value for key, value in APP.items() if key != "type"}
WORKERPOOL: dict[str, object] = {"owner": OWNER, "description": "d"}
CATEGORY: dict[str, object] = {"name": "c", "description": "d", "workClockTimeRef": 300}

V6_COMPACT = (
    '{"provider":"SCONE","version":"v5","entrypoint":"python /app/é.py",'
    '"heapSize":1073741824,"fingerprint":"ffff"}'
)


def measured(**changes: object) -> dict[str, object]:
    return {**MEASURE, **changes}


def stored(mrenclave: object) -> object:
    return App.from_dict({**APP, "mrenclave": mrenclave}).packed()[5]


# --- the records ----------------------------------------------------------------------------------


def test_app() -> None:
    app = App.from_dict(APP)
    assert app.to_dict() == {**APP, "owner": OWNER, "checksum": CHECKSUM}
    assert app.packed() == (
        bytes.fromhex(OWNER[2:]),
        "n",
        "DOCKER",
        b"registry.hub.docker.com/x/y:1",
        bytes.fromhex(CHECKSUM[2:]),
        b"",
    )
    assert App(**app.values()) == app == App.from_dict(app.to_dict())


def test_dataset_stores_a_binary_multiaddr() -> None:
    text = "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"
    dataset = Dataset.from_dict({**DATASET, "multiaddr": text, "foo": 1})
    assert dataset.multiaddr == text
    assert dataset.packed()[2] == bytes.fromhex(  # V6
        "a5032212207237a7f4091a74ae95514890fa86a2e8a36037c350ea71c06a34c8cbe25a5057"
    )
    assert "foo" not in dataset.to_dict()


def test_workerpool_and_category() -> None:
    assert Workerpool.from_dict(WORKERPOOL).to_dict() == WORKERPOOL
    category = Category.from_dict({**CATEGORY, "workClockTimeRef": "0300"})
    assert category.to_dict() == CATEGORY
    assert category.packed() == ("c", "d", 300)


@pytest.mark.parametrize(
    ("record", "members"),
    [(App, APP), (Dataset, DATASET), (Workerpool, WORKERPOOL), (Category, CATEGORY)],
)
class TestEveryRecord:
    def test_every_member_is_required(self, record: type, members: dict[str, object]) -> None:
        with pytest.raises(ValidationError) as caught:
            record.from_dict({})
        assert caught.value.errors == tuple(f"{name} is a required field" for name in members)
        for name in members:
            for absent in ({}, {name: None}):
                given = {key: value for key, value in members.items() if key != name} | absent
                with pytest.raises(ValidationError) as caught:
                    record.from_dict(given)
                assert caught.value.errors == (f"{name} is a required field",)

    def test_no_text_is_empty(self, record: type, members: dict[str, object]) -> None:
        for name in {"name", "description"} & set(members):
            with pytest.raises(ValidationError, match=f"{name}: is a required field"):
                record.from_dict({**members, name: ""})
            with pytest.raises(ValidationError, match=f"{name}: is a required field"):
                record(**{**record.from_dict(members).values(), name: ""})

    def test_wrong_kinds(self, record: type, members: dict[str, object]) -> None:
        for name in members:
            for wrong in ([], {}, 1.5, True, "\ud800"):
                with pytest.raises(ValidationError, match=f"^{name}: "):
                    record.from_dict({**members, name: wrong})
        with pytest.raises(ValidationError, match="this must be a `object` type"):
            record.from_dict(5)

    def test_copies(self, record: type, members: dict[str, object]) -> None:
        found = record.from_dict(members)
        assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
        with pytest.raises(AttributeError):
            setattr(found, next(iter(members)), "x")


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("owner", "x", "x is not a valid ethereum address"),
        ("owner", OWNER.replace("E7E3", "e7E3"), "wrong checksum"),
        ("owner", "a.eth", "Unable to resolve ENS a.eth"),
        ("type", "docker", "docker is not a valid type"),
        ("checksum", "0x12", "0x12 is not a bytes32 hexstring"),
        ("multiaddr", 5, "5 is not a valid multiaddr"),
    ],
)
def test_v6_texts(member: str, value: object, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        App.from_dict({**APP, member: value})


def test_category_time() -> None:
    for wrong in ("-1", -1, "1.5", 1 << 256, ""):
        with pytest.raises(ValidationError, match="is not a valid uint256"):
            Category.from_dict({**CATEGORY, "workClockTimeRef": wrong})


# --- multiaddr ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text", "data"),
    [
        ("/ip4/127.0.0.1/tcp/80", "/ip4/127.0.0.1/tcp/80", "047f000001060050"),
        ("", "", ""),  # V6
        (bytes.fromhex("047f000001060050"), "/ip4/127.0.0.1/tcp/80", "047f000001060050"),
        (b"https://x.y/z", "https://x.y/z", b"https://x.y/z".hex()),
        (bytearray(b"x"), "x", "78"),
    ],
)
def test_multiaddr(given: object, text: str, data: str) -> None:
    app = App.from_dict({**APP, "multiaddr": given})
    assert app.multiaddr == text
    assert app.packed()[3] == bytes.fromhex(data)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"/ip4/1.2.3.4"])
def test_multiaddr_bytes_are_never_changed(data: bytes) -> None:
    with pytest.raises(ValidationError, match="multiaddr: bytes without a text"):
        App.from_dict({**APP, "multiaddr": data})


def test_any_bytes_on_chain_can_be_read() -> None:
    column = dict(Dataset.fields())["multiaddr"]
    assert column.unpack(b"\xff") == "\ufffd"
    assert dict(App.fields())["mrenclave"].unpack(b"\xff") == "\ufffd"


# --- mrenclave ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (MEASURE, V6_COMPACT),
        (json.dumps(MEASURE, indent=2, ensure_ascii=False), None),  # as given
        (V6_COMPACT.encode(), V6_COMPACT),
        (measured(heapSize="007"), V6_COMPACT.replace("1073741824", '"007"')),
        (measured(heapSize=0), V6_COMPACT.replace("1073741824", "0")),
        (measured(heapSize=2**53 - 2), V6_COMPACT.replace("1073741824", "9007199254740990")),
        (measured(version="\ud800"), V6_COMPACT.replace('"v5"', '"\\ud800"')),
        (
            measured(version='a"\\\1\u2028\x7f/'),
            V6_COMPACT.replace("v5", 'a\\"\\\\\\u0001\u2028\x7f/'),
        ),
        ("", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_stored_bytes_are_those_of_v6(given: object, expected: str | None) -> None:
    text = given if expected is None else expected
    assert isinstance(text, str)
    assert stored(given) == text.encode()


def test_stored_in_the_callers_order() -> None:
    given = dict(reversed(MEASURE.items()))
    expected = (
        '{"fingerprint":"ffff","heapSize":1073741824,"entrypoint":"python /app/é.py",'
        '"version":"v5","provider":"SCONE"}'
    )
    assert stored(given) == expected.encode()
    shown = App.from_dict({**APP, "mrenclave": given}).to_dict()["mrenclave"]
    assert isinstance(shown, dict)
    assert list(shown.items()) == list(given.items())


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({}, [f"{key} is a required field" for key in MEASURE]),
        (measured(provider=""), ["provider is a required field"]),
        (measured(provider=5), ["provider must be text"]),
        (measured(heapSize=""), ["heapSize is a required field"]),
        (measured(foo=1), ['Unknown key "foo" in mrenclave']),
        *(
            (measured(heapSize=wrong), ["heapSize must be greater than or equal to 0"])
            for wrong in (-1, 1.5, True, [1], "1.5", "٣", 2**53 - 1, 10**5000)
        ),
        (measured(version=None, foo=1), ["version is a required field", "Unknown key"]),
        *((wrong, ["it is a JSON object"]) for wrong in (5, [], "foo", "null", '{"a":NaN}')),
        ("[" * 100_000, ["it is a JSON object"]),
        (V6_COMPACT.encode("latin-1"), ["it is not UTF-8"]),
    ],
)
def test_bad_mrenclave(given: object, texts: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        stored(given)
    assert caught.value.message.startswith("mrenclave: is not a valid mrenclave: ")
    assert caught.value.message.count(";") == len(texts) - 1
    for text in texts:
        assert text in caught.value.message


def test_mrenclave_text_with_a_lone_surrogate() -> None:
    with pytest.raises(ValidationError, match="lone surrogate"):
        stored(V6_COMPACT.replace("v5", "\ud800"))


# --- calldata -------------------------------------------------------------------------------------


def test_fields_are_the_arguments_of_the_registries() -> None:
    app = App.from_dict({**APP, "mrenclave": MEASURE})
    data = REGISTRY.createApp.encode_raw(*app.packed())
    assert data[:4].hex() == "3f7868ff"
    row = REGISTRY.createApp.decode_input(data)
    assert row[:3] == (OWNER, "n", "DOCKER")
    assert row[5] == V6_COMPACT.encode()
    dataset = Dataset.from_dict(DATASET)
    assert REGISTRY.createDataset.encode_raw(*dataset.packed())[:4].hex() == "3354bcdb"
    pool = Workerpool.from_dict(WORKERPOOL)
    assert REGISTRY.createWorkerpool.encode_raw(*pool.packed())[:4].hex() == "e40238f4"
    with pytest.raises(ValidationError):  # the order of the fields matters
        REGISTRY.createApp.encode_raw(*reversed(app.packed()))
