"""Request params: the signed bytes of the JavaScript SDKs 6.0.1 and 9.0.1, and strict reading."""

from __future__ import annotations

import json

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.params import check_params, create_params, read_params, stringify
from iexec_lite.protocol.rules import V6, V9

PROXY = "https://P.x"
STORED = f'{{"iexec_result_storage_provider":"ipfs","iexec_result_storage_proxy":"{PROXY}"'
CID = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"


def v6(value: object, *, tee: bool = False, callback: bool = False) -> str:
    return create_params(value, rules=V6, tee=tee, callback=callback, result_proxy=PROXY)


def v9(value: object, *, tee: bool = True, callback: bool = False) -> str:
    return create_params(value, rules=V9, tee=tee, callback=callback)


# Recorded from createObjParams and JSON.stringify of iexec 6.0.1
V6_CASES = [
    ({}, STORED + "}"),
    ("hello world", STORED + ',"iexec_args":"hello world"}'),
    ({"iexec_args": "x"}, STORED + ',"iexec_args":"x"}'),
    ('{"iexec_args":"x"}', STORED + ',"iexec_args":"x"}'),
    ({"iexec_args": ""}, STORED + ',"iexec_args":""}'),
    ({"iexec_args": 1e-7}, STORED + ',"iexec_args":"1e-7"}'),
    ({"iexec_args": 1e21}, STORED + ',"iexec_args":"1e+21"}'),
    ({"iexec_args": 1.0}, STORED + ',"iexec_args":"1"}'),
    ({"iexec_args": -0.0}, STORED + ',"iexec_args":"0"}'),
    ({"iexec_args": True}, STORED + ',"iexec_args":"true"}'),
    ({"iexec_input_files": []}, STORED + ',"iexec_input_files":[]}'),
    (
        {"iexec_input_files": '["https://a.b/c"]'},
        STORED + ',"iexec_input_files":["https://a.b/c"]}',
    ),
    ({"iexec_result_encryption": "TRUE"}, STORED + ',"iexec_result_encryption":true}'),
    ({"iexec_result_encryption": 1}, STORED + ',"iexec_result_encryption":true}'),
    ({"iexec_result_encryption": "0"}, STORED + ',"iexec_result_encryption":false}'),
    ({"a": 1}, STORED + "}"),
    ('{"iexec_args":undefined}', STORED + ',"iexec_args":"{\\"iexec_args\\":undefined}"}'),
    ("NaN", STORED + ',"iexec_args":"NaN"}'),
    ("\ufeff{}", STORED + ',"iexec_args":"\ufeff{}"}'),
    ('{"iexec_args":"a\tb"}', STORED + ',"iexec_args":"{\\"iexec_args\\":\\"a\\tb\\"}"}'),
]


@pytest.mark.parametrize(("value", "text"), V6_CASES)
def test_v6_text(value: object, text: str) -> None:
    assert v6(value) == text


WHOLE = {
    "iexec_args": "x",
    "iexec_result_storage_proxy": "q",
    "iexec_result_storage_provider": "ipfs",
}


def test_the_callers_order_is_kept_where_nothing_changes() -> None:
    assert v6(WHOLE) == json.dumps(WHOLE, separators=(",", ":"))
    assert v6({"iexec_args": "x", "iexec_developer_logger": True}, callback=True) == (
        '{"iexec_args":"x","iexec_developer_logger":true}'
    )
    assert v6({"iexec_input_files": ("https://a.b/c",), "iexec_args": ""}, callback=True) == (
        '{"iexec_input_files":["https://a.b/c"],"iexec_args":""}'
    )


@pytest.mark.parametrize("change", [{"zz": 1}, {"iexec_result_encryption": 1}, {"iexec_args": 5}])
def test_any_change_gives_the_order_of_the_sdk(change: dict[str, object]) -> None:
    found = list(json.loads(v6({**WHOLE, **change})))
    assert found == [key for key in V6.params_keys if key in {*WHOLE, *change}]


def test_full_order() -> None:
    value = {
        "iexec_args": 5,
        "iexec_input_files": ["https://a.b/c"],
        "iexec_result_encryption": True,
        "iexec_result_storage_proxy": "p",
        "iexec_result_storage_provider": "ipfs",
        "iexec_developer_logger": "1",
    }
    assert v6(value) == (
        '{"iexec_developer_logger":true,"iexec_result_storage_provider":"ipfs",'
        '"iexec_result_storage_proxy":"p","iexec_result_encryption":true,'
        '"iexec_input_files":["https://a.b/c"],"iexec_args":"5"}'
    )


def test_v6_storage() -> None:
    dropbox = {"iexec_result_storage_provider": "dropbox"}
    assert v6(dropbox, tee=True) == '{"iexec_result_storage_provider":"dropbox"}'
    assert v6({"iexec_args": "x"}, callback=True) == '{"iexec_args":"x"}'
    other = {"iexec_result_storage_provider": "s3"}
    assert v6(other, callback=True) == '{"iexec_result_storage_provider":"s3"}'
    ipfs = {"iexec_result_storage_provider": "ipfs"}
    assert v6(ipfs, callback=True) == STORED + "}"
    assert v6("{}", callback=True) == "{}"


# today.md §7, 23–26, and iexec 9.0.1 run on the rest
V9_CASES = [
    ({}, '{"iexec_result_storage_provider":"ipfs"}'),
    (
        {"iexec_args": "x", "iexec_secrets": {"1": "login"}},
        '{"iexec_secrets":{"1":"login"},"iexec_result_storage_provider":"ipfs","iexec_args":"x"}',
    ),
    (
        {
            "iexec_args": 5,
            "bulk_cid": CID,
            "iexec_secrets": {"2": "b", "1": "a"},
            "iexec_result_encryption": True,
            "iexec_input_files": ["https://a.b/c"],
        },
        '{"iexec_secrets":{"1":"a","2":"b"},"iexec_result_storage_provider":"ipfs",'
        f'"iexec_result_encryption":true,"bulk_cid":"{CID}",'
        '"iexec_input_files":["https://a.b/c"],"iexec_args":"5"}',
    ),
    (
        {"iexec_developer_logger": True, "iexec_result_storage_proxy": "p"},
        '{"iexec_result_storage_provider":"ipfs"}',
    ),
    (
        {
            "iexec_args": "x",
            "iexec_secrets": {4294967295: "b", 1: "a", "4294967294": "z", "10": "k"},
            "iexec_result_storage_provider": "ipfs",
        },
        '{"iexec_args":"x","iexec_secrets":{"1":"a","10":"k","4294967294":"z","4294967295":"b"},'
        '"iexec_result_storage_provider":"ipfs"}',
    ),
    (
        {"iexec_input_files": "https://a.b/c,http://localhost"},
        '{"iexec_result_storage_provider":"ipfs",'
        '"iexec_input_files":["https://a.b/c","http://localhost"]}',
    ),
    ({"iexec_result_storage_provider": "dropbox"}, '{"iexec_result_storage_provider":"dropbox"}'),
    (
        {"bulk_cid": "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"},
        '{"iexec_result_storage_provider":"ipfs",'
        '"bulk_cid":"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"}',
    ),
]


@pytest.mark.parametrize(("value", "text"), V9_CASES)
def test_v9_text(value: object, text: str) -> None:
    assert v9(value) == text


@pytest.mark.parametrize("text", ["123", '"abc"', "[]", "null", "true", " 5 "])
def test_json_that_is_no_object_is_arguments(text: str) -> None:
    """V6 refused it with a puzzling message."""
    assert json.loads(v6(text))["iexec_args"] == text
    assert read_params(text) == {"iexec_args": text}


SUPPORTED = "use supported storage provider ipfs"
V6_FAULTS = [
    ({"iexec_args": []}, "iexec_args must be a `string` type, but the final value was: `[]`."),
    ({"iexec_args": None}, "iexec_args must be a `string` type, but the final value was: `null`."),
    ({"iexec_args": 1 << 53}, "is no number that JavaScript holds exactly: write it as text"),
    ({"iexec_args": float("inf")}, "has no JSON form"),
    (
        {"iexec_input_files": "https://a.b/c"},
        'iexec_input_files must be a `array` type, but the final value was: `"https://a.b/c"`.',
    ),
    ({"iexec_input_files": ["https://a.b", 5]}, "iexec_input_files[1] 5 is not a valid URL"),
    ({"iexec_input_files": [""]}, "iexec_input_files[0]  is not a valid URL"),
    (
        {"iexec_input_files": [None]},
        "iexec_input_files[0] must be a `string` type, but the final value was: `null`.",
    ),
    (
        {"iexec_result_encryption": "yes"},
        'iexec_result_encryption must be a `boolean` type, but the final value was: `"yes"`.',
    ),
    ({"iexec_result_storage_provider": ""}, "iexec_result_storage_provider is a required field"),
    (
        {"iexec_result_storage_provider": "dropbox"},
        f'iexec_result_storage_provider "dropbox" is not supported for non TEE tasks {SUPPORTED}',
    ),
    (
        {"iexec_result_storage_proxy": ""},
        'iexec_result_storage_proxy is required field with "ipfs" storage',
    ),
    (5, "this must be a `object` type, but the final value was: `5`."),
    (None, "this must be a `object` type, but the final value was: `null`."),
    ([], "this must be a `object` type, but the final value was: `[]`."),
]


@pytest.mark.parametrize(("value", "text"), V6_FAULTS)
def test_v6_faults(value: object, text: str) -> None:
    with pytest.raises(ValidationError) as info:
        v6(value)
    assert info.value.message.endswith(text)


def test_v6_tee_provider() -> None:
    with pytest.raises(ValidationError) as info:
        v6({"iexec_result_storage_provider": "s3"}, tee=True)
    assert info.value.message == (
        'iexec_result_storage_provider "s3" is not supported for TEE tasks use one of supported '
        "storage providers (ipfs, dropbox)"
    )


def test_v6_without_a_proxy() -> None:
    with pytest.raises(ValidationError, match='is required field with "ipfs" storage'):
        create_params({}, rules=V6, tee=False, callback=False)


def test_all_faults_at_once() -> None:
    with pytest.raises(ValidationError) as info:
        v6(
            {
                "iexec_args": {},
                "iexec_input_files": ["foo", "https://a.b", "bar"],
                "iexec_result_encryption": "x",
            }
        )
    assert len(info.value.errors) == 4


V9_FAULTS = [
    (
        {"iexec_secrets": {"0": "b"}},
        "iexec_secrets mapping keys must be strictly positive integers",
    ),
    ({"iexec_secrets": {"1": 5}}, "iexec_secrets mapping names must be strings"),
    ({"iexec_secrets": {"1": ""}}, "iexec_secrets mapping names must be strings"),
    (
        {"iexec_secrets": []},
        "iexec_secrets must be a `object` type, but the final value was: `[]`.",
    ),
    ({"iexec_secrets": {1: "a", "1": "b"}}, "two members are named 1"),
    ({"bulk_cid": "foo"}, "foo is not a valid CID (bulk_cid)"),
    ({"bulk_cid": "Qm"}, "Qm is not a valid CID (bulk_cid)"),
    ({"bulk_cid": f"{CID}/x"}, f"{CID}/x is not a valid CID (bulk_cid)"),
    ({"bulk_cid": ""}, " is not a valid CID (bulk_cid)"),
    ({"iexec_input_files": ["ftp://x"]}, 'iexec_input_files[0] "ftp://x" is not a valid URL'),
    ({"iexec_input_files": ""}, 'iexec_input_files[0] "" is not a valid URL'),
    (
        {"iexec_result_storage_provider": "s3"},
        'iexec_result_storage_provider "s3" is not a valid storage provider, use one of the '
        "supported providers (dropbox, ipfs)",
    ),
]


@pytest.mark.parametrize(("value", "text"), V9_FAULTS)
def test_v9_faults(value: object, text: str) -> None:
    with pytest.raises(ValidationError) as info:
        v9(value)
    assert info.value.message.endswith(text)


def test_v9_secrets_need_tee() -> None:
    with pytest.raises(ValidationError, match="iexec_secrets is not supported for non TEE tasks"):
        v9({"iexec_secrets": {"1": "a"}}, tee=False)


# --- reading --------------------------------------------------------------------------------------


def strict(text: str, *, rules: object = V6, callback: bool = False) -> dict[str, object]:
    assert rules in (V6, V9)
    return check_params(text, rules=rules, tee=False, callback=callback)  # type: ignore[arg-type]


def test_strict_reading_takes_what_was_created() -> None:
    for value, text in V6_CASES:
        assert strict(v6(value)) == json.loads(text)
    assert strict('{"iexec_args":"x"}', callback=True) == {"iexec_args": "x"}


@pytest.mark.parametrize("text", ["not json", "[1]", "5", "null", ""])
def test_strict_reading_says_what_bare_text_is(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        strict(text)
    first, second = caught.value.errors
    assert first.startswith("params is not the JSON of an object")
    assert second == "iexec_result_storage_provider is a required field"
    assert strict(text, callback=True) == {"iexec_args": text}  # as workers take it


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, "iexec_result_storage_provider is a required field"),
        (
            {"iexec_result_storage_provider": "ipfs"},
            'iexec_result_storage_proxy is required field with "ipfs" storage',
        ),
        ({**WHOLE, "zz": 1, "yy": 2}, 'Unknown key "zz, yy" in params'),
        ({**WHOLE, "iexec_args": 5}, "iexec_args must be a `string` type"),
        ({**WHOLE, "iexec_result_encryption": "true"}, "must be a `boolean` type"),
        ({**WHOLE, "iexec_input_files": "https://a.b"}, "must be a `array` type"),
        ({**WHOLE, "iexec_secrets": {}}, 'Unknown key "iexec_secrets" in params'),
    ],
)
def test_strict_reading_casts_and_fills_nothing(members: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError) as info:
        strict(json.dumps(members))
    assert text in info.value.message


def test_v9_tolerates_retired_members() -> None:
    """9.0.1 refused request orders that V6 had signed."""
    members = {**WHOLE, "iexec_developer_logger": True}
    assert strict(json.dumps(members), rules=V9) == members
    with pytest.raises(ValidationError, match='Unknown key "zz" in params'):
        strict(json.dumps({**members, "zz": 1}), rules=V9)


def test_lenient_reading_never_fails() -> None:
    for text in ("", "x", "[" * 100_000, '{"a":' + "1" * 5000 + "}", "\ud800", "{"):
        assert isinstance(read_params(text), dict)
    assert read_params('{"a":1}') == {"a": 1}


# --- JSON text ------------------------------------------------------------------------------------

JAVASCRIPT = [  # recorded from JSON.stringify of node 20
    (None, "null"),
    (True, "true"),
    (5, "5"),
    (-5, "-5"),
    (2**53 - 1, "9007199254740991"),
    (0.1, "0.1"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (1.5e-7, "1.5e-7"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (1.5e300, "1.5e+300"),
    (123456789012345680000.0, "123456789012345680000"),
    (5e-324, "5e-324"),
    (-1.5, "-1.5"),
    (100.0, "100"),
    ("é\u2028\u007f😀", '"é\u2028\u007f😀"'),
    ('\b\f\n\r\t\x01\x1f"\\/', '"\\b\\f\\n\\r\\t\\u0001\\u001f\\"\\\\/"'),
    ("\ud800x\udfff", '"\\ud800x\\udfff"'),
    ("\ud83d\ude00", '"😀"'),
    ({"b": 1, "10": 2, "9": 3, "a": 4}, '{"9":3,"10":2,"b":1,"a":4}'),
    (
        {"01": 1, "-1": 2, "0": 3, "4294967295": 4, "1.5": 5},
        '{"0":3,"01":1,"-1":2,"4294967295":4,"1.5":5}',
    ),
    ([1, [], {}], "[1,[],{}]"),
]


@pytest.mark.parametrize(("value", "text"), JAVASCRIPT)
def test_stringify(value: object, text: str) -> None:
    assert stringify(value) == text


@pytest.mark.parametrize("kind", [dict, list])
def test_stringify_nests_up_to_a_bound(kind: type) -> None:
    def nested(levels: int) -> object:
        value: object = 1
        for _ in range(levels):
            value = {"a": value} if kind is dict else [value]
        return value

    assert json.loads(stringify(nested(64))) == nested(64)
    with pytest.raises(ValidationError, match="nested deeper than 64"):
        stringify(nested(65))


def test_stringify_refuses_what_has_no_json() -> None:
    deep: list[object] = []
    for _ in range(1000):
        deep = [deep]
    for value in (deep, b"x", object(), float("nan"), 1 << 53, {None: 1}, {1.5: 1}, {True: 1}):
        with pytest.raises(ValidationError):
            stringify(value)
