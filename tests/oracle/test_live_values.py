"""Params, tags, amounts, addresses and multiaddresses, live, with input that is often wrong.

Both sides must accept the same and give the same. Where we differ on purpose (``vectors/*/skips``)
the cases are told apart here, by the same reasons.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from iexec_lite.errors import IExecError
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.protocol.columns import parse_address
from iexec_lite.protocol.multiaddr import to_bytes, to_text
from iexec_lite.protocol.params import MAX_INTEGER, check_params, create_params
from iexec_lite.protocol.rules import V6
from iexec_lite.protocol.tag import decode_tag, encode_tag, missing_bits, parse_tag, sum_tags
from iexec_lite.protocol.units import format_eth, format_rlc, parse_eth, parse_rlc

PROXY = "https://v6.result.bellecour.iex.ec"
REFUSED = object()
Compute = Callable[[dict[str, Any]], object]


def compare(
    oracle: Any,
    op: str,
    asked: list[dict[str, Any]],
    compute: Compute,
    *,
    excused: Callable[[dict[str, Any], object], object] = lambda question, answer: False,
    accepted: float = 0.2,
) -> None:
    """Same answers, same refusals; a share of ``accepted`` at least gets past the checks."""
    answers = oracle.answers(op, asked)
    passed = 0
    for question, answer in zip(asked, answers, strict=True):
        theirs = answer.get("value", REFUSED)
        try:
            ours = compute(question)
        except IExecError as error:
            ours, reason = REFUSED, str(error)
        else:
            reason = ""
        if ours != theirs and not excused(question, theirs):
            shown = json.dumps(question)
            raise AssertionError(f"{op} {shown}\n  JavaScript: {answer}\n  ours: {ours} {reason}")
        passed += theirs is not REFUSED
    assert passed >= accepted * len(asked), "too many cases never reach what they are about"


# --- params ---------------------------------------------------------------------------------------

VALUES: dict[str, list[object]] = {
    "iexec_args": ["", "x", 5, 1.5, 1e-7, 1e21, True, None, [], {}, -0.0, 2**53 - 1],
    "iexec_input_files": [
        [],
        ["https://example.org/a"],
        ["http://a.b/c?d=e#f", "ftp://x.y"],
        ["foo"],
        ["https://localhost"],
        [5],
        "https://example.org",
        None,
        ["https://1.2.3.4:99999/é"],
        ["//example.org"],
        ["https://256.1.1.1"],
    ],
    "iexec_result_encryption": [True, False, "true", "FALSE", 1, 0, "1", 2, "yes", None],
    "iexec_result_storage_provider": ["ipfs", "dropbox", "", "other", None, 5],
    "iexec_result_storage_proxy": ["https://p.example", "", "x", None, 5],
    "iexec_developer_logger": [True, False, "true", None, "no"],
    "unknown": ["x", None],
}


def random_params(make: Any) -> dict[str, object]:
    names = make.some(list(VALUES)[:-1], 45) + (["unknown"] if make.chance(10) else [])
    good = make.chance(50)
    params: dict[str, object] = {}
    for name in names:
        params[name] = VALUES[name][0] if good else make.pick(VALUES[name])
        if name == "iexec_args" and make.chance(60):
            params[name] = make.text()
        if name == "iexec_input_files" and make.chance(30):
            params[name] = [make.spoil("https://user@example.org:80/path/a%20b?c=d&e#f")]
    return params


def is_object(text: object) -> bool:
    """Not text that is JSON of another kind, which we take as arguments (chain.md §7.4)."""
    if not isinstance(text, str):
        return True
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return True


def is_rounded(question: dict[str, Any], answer: object) -> bool:
    """An integer beyond 2⁵³, which JavaScript rounds in silence and we refuse."""
    whole = re.compile(r"(?<![\d.])\d{16,}(?![\d.e])")
    found = whole.findall(str(question["params"]))
    return answer is not REFUSED and any(int(digits) > MAX_INTEGER for digits in found)


@pytest.mark.witness("params", by="js")
def test_params(oracle: Any, make: Any) -> None:
    asked = []
    for _ in range(1000):
        params: object = random_params(make)
        if make.chance(40):
            params = make.pick([json.dumps(params), json.dumps(params, ensure_ascii=False)])
            params = make.spoil(params) if make.chance(20) else params
        elif make.chance(10):
            params = make.text()
        case = {"params": params, "tee": make.chance(40), "callback": make.chance(20)}
        asked.append(case if make.chance(10) else {**case, "proxy": PROXY})
    compare(
        oracle,
        "params",
        [each for each in asked if is_object(each["params"])],
        lambda case: create_params(
            case["params"],
            rules=V6,
            tee=case["tee"],
            callback=case["callback"],
            result_proxy=case.get("proxy"),
        ),
        excused=is_rounded,
    )


def test_strict_params(oracle: Any, make: Any) -> None:
    asked = []
    for _ in range(500):
        needed = {"iexec_result_storage_provider": "ipfs", "iexec_result_storage_proxy": PROXY}
        params = {**random_params(make), **(needed if make.chance(60) else {})}
        text = json.dumps(params)
        text = make.spoil(text) if make.chance(10) else text
        asked.append({"params": text, "tee": make.chance(40), "callback": make.chance(20)})

    def check(case: dict[str, Any]) -> object:
        check_params(case["params"], rules=V6, tee=case["tee"], callback=case["callback"])
        return True

    asked = [each for each in asked if is_object(each["params"])]
    compare(oracle, "checkParams", asked, check, excused=is_rounded)


def test_only_rounded_numbers_are_excused() -> None:
    beyond = {"params": '{"iexec_args": 90071992547409910}'}
    assert is_rounded(beyond, "x")
    assert not is_rounded(beyond, REFUSED)
    for text in ("9007199254740991", "1.90071992547409910", "90071992547409910e3", "5"):
        assert not is_rounded({"params": f'{{"iexec_args": {text}}}'}, "x")


# --- tags -----------------------------------------------------------------------------------------

LATER = re.compile("scone|gramine|tdx")  # names of later generations, known on every network


@pytest.mark.witness("tag", by="js")
def test_tags(oracle: Any, make: Any) -> None:
    names = ["tee", "gpu", "", "TEE", "foo", " tee", "toString"]
    lists = [
        [make.pick(names[: make.pick([3, 7])]) for _ in range(make.uint(3))] for _ in range(300)
    ]
    compare(
        oracle, "encodeTag", [{"names": each} for each in lists], lambda c: encode_tag(c["names"])
    )

    tags = [{"tag": make.tag()} for _ in range(400)]
    later = sum(1 << bit for bit in (1, 2, 3))
    compare(
        oracle,
        "decodeTag",
        tags,
        lambda case: decode_tag(case["tag"]),
        excused=lambda case, theirs: int(case["tag"], 16) & later and theirs is REFUSED,
        accepted=0.05,
    )
    sums = [{"tags": [make.tag() for _ in range(make.uint(3))]} for _ in range(300)]
    compare(
        oracle,
        "sumTags",
        sums,
        lambda case: sum_tags(case["tags"]),
        excused=lambda case, theirs: any(int(tag, 16) >> 255 for tag in case["tags"]),
    )
    pairs = [{"tag": make.tag(), "required": make.tag()} for _ in range(300)]
    compare(
        oracle,
        "missingBits",
        pairs,
        lambda case: [bit + 1 for bit in missing_bits(case["tag"], case["required"])],
    )


def test_loose_tags(oracle: Any, make: Any) -> None:
    values: list[object] = []
    for _ in range(500):
        base = make.pick(["tee", "tee,gpu", make.tag(), make.tag().upper(), ""])
        values.append(make.spoil(base) if make.chance(40) else base)
        values.append([make.pick(["tee", "gpu", "", "foo", 5, None]) for _ in range(make.uint(2))])
    compare(
        oracle, "parseTag", [{"value": each} for each in values], lambda c: parse_tag(c["value"])
    )


# --- amounts --------------------------------------------------------------------------------------


def random_number(make: Any) -> str:
    whole = make.pick([str(make.uint(make.pick([4, 40, 255]))), "0", "", "007"])
    digits = "".join(make.pick("0123456789") for _ in range(make.rng.randrange(21)))
    text = make.pick(
        [whole, f"{whole}.{digits}", f"{whole}.", f"-{whole}", f"{whole}e3", f"0x{whole}"]
    )
    return make.spoil(text) if make.chance(15) else text


def mended(case: dict[str, Any], theirs: object) -> bool:
    """What JavaScript accepts and we refuse: nothing, negatives, more words, too much."""
    text = " ".join(map(str, case["value"])) if isinstance(case["value"], list) else case["value"]
    amount = text.split(" ")[0]
    return theirs is not REFUSED and (
        amount in ("", ".")
        or text.startswith("-")
        or text.count(" ") > 1
        or int(str(theirs)) >> 256 > 0
    )


def lost_zero(case: dict[str, Any], theirs: object) -> bool:
    """V6 strips leading zeros first, and then misses the only digit (``0.``)."""
    value = case["value"][0] if isinstance(case["value"], list) else case["value"]
    return theirs is REFUSED and bool(re.fullmatch(r"0+\.( .*)?", str(value)))


@pytest.mark.witness("amount", by="js")
def test_amounts(oracle: Any, make: Any) -> None:
    for op, parse, units in (
        ("parseRlc", parse_rlc, ["RLC", "nRLC"]),
        ("parseEth", parse_eth, ["wei", "kwei", "gwei", "finney", "ether", "eth"]),
    ):
        asked = []
        for _ in range(500):
            unit = make.pick([*units, *units, *units, "rlc", "foo", ""])
            text = random_number(make) + make.pick(
                ["", "", f" {make.pick(units)}", f" {unit}", " x y"]
            )
            asked.append({"value": text, "unit": make.pick(units)})
        compare(
            oracle,
            op,
            asked,
            lambda case, parse=parse: str(parse(case["value"], case["unit"])),
            excused=mended,
        )


def test_loose_amounts(oracle: Any, make: Any) -> None:
    for op, parse, units in (
        ("amount", parse_rlc, ["RLC", "nRLC"]),
        ("wei", parse_eth, ["wei", "ether"]),
    ):
        asked: list[dict[str, Any]] = []
        for _ in range(300):
            number, unit = random_number(make), make.pick([*units, "", "foo"])
            value = make.pick(
                [number, f"{number} {unit}", [number, unit], [number], [number, unit, "x"]]
            )
            asked.append({"value": value, "unit": make.pick(units)})
        asked += [{"value": make.uint(50), "unit": make.pick(units)} for _ in range(50)]
        compare(
            oracle,
            op,
            asked,
            lambda case, parse=parse: str(parse(case["value"], case["unit"])),
            excused=lambda case, theirs: (
                mended(
                    {
                        "value": case["value"]
                        if isinstance(case["value"], list)
                        else str(case["value"])
                    },
                    theirs,
                )
                or lost_zero(case, theirs)
            ),
        )


def test_shown_amounts(oracle: Any, make: Any) -> None:
    numbers = [str(make.uint()) for _ in range(300)] + [f"-{make.uint()}" for _ in range(50)]
    asked = [{"value": make.spoil(each) if make.chance(10) else each} for each in numbers]
    beyond = lambda case, theirs: theirs is not REFUSED and len(case["value"]) > 77  # noqa: E731
    compare(oracle, "formatRlc", asked, lambda case: format_rlc(case["value"]), excused=beyond)
    compare(oracle, "formatEth", asked, lambda case: format_eth(case["value"]), excused=beyond)


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.witness("address", by="js")
def test_addresses(oracle: Any, make: Any) -> None:
    asked = []
    for _ in range(500):
        address = make.address()
        text = make.pick([address, address.lower(), "0x" + address[2:].upper(), address[2:]])
        asked.append({"value": make.spoil(text) if make.chance(40) else text})

    def wrong_case(case: dict[str, Any], theirs: object) -> bool:
        digits = case["value"].removeprefix("0x")
        return theirs is not REFUSED and digits not in (digits.lower(), digits.upper())

    compare(oracle, "address", asked, lambda case: parse_address(case["value"]), excused=wrong_case)


PROTOCOLS = (
    "/ip4/{}.{}.{}.{}",
    "/tcp/{}",
    "/udp/{}{}",
    "/dns4/example.com",
    "/dns/x.y",
    "/https",
    "/ws",
    "/ip6/2001:db8::{}",
    "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
    "/p2p/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    "/unix/a/b",
    "/memory/x",
    "/p2p-circuit",
)


def odd_port(text: str) -> bool:
    """A port that JavaScript bends to fit; we store the text as it is."""
    words = [word for word in text.strip().split("/unix/")[0].split("/") if word]
    ports = [after for before, after in pairwise(words) if before in PORTS]
    return any(not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535 for port in ports)


PORTS = ("tcp", "udp", "dccp", "sctp")


@pytest.mark.witness("multiaddress", by="js")
def test_multiaddresses(oracle: Any, make: Any) -> None:
    texts = []
    for _ in range(600):
        parts = (make.pick(PROTOCOLS) for _ in range(make.rng.randrange(1, 5)))
        text = "".join(part.format(*(make.uint(8) for _ in range(4))) for part in parts)
        text = make.pick([text, text, make.spoil(text), "example.org/image:1.0", make.text()])
        texts.append(text)
    texts = [text for text in texts if text.strip(" /")]
    asked = [{"text": text} for text in texts]
    compare(
        oracle,
        "toMultiaddr",
        asked,
        lambda case: to_hex(to_bytes(case["text"])),
        excused=lambda case, theirs: odd_port(case["text"]),
    )
    stored = [to_bytes(text) for text in texts]
    stored += [data[: make.rng.randrange(len(data) + 1)] for data in stored]
    stored += [make.bytes(make.rng.randrange(20)) for _ in range(200)]

    def as_text(case: dict[str, Any], theirs: object) -> bool:
        data = from_hex(case["data"])
        return all(0x20 <= byte < 0x7F for byte in data)  # of bytes that are text, we show the text

    compare(
        oracle,
        "fromMultiaddr",
        [{"data": to_hex(data)} for data in stored],
        lambda case: to_text(from_hex(case["data"])),
        excused=as_text,
    )
