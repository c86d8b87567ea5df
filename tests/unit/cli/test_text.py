"""What values look like to a person."""

from __future__ import annotations

from argparse import Namespace

import pytest

from iexec_lite.cli import flags, text
from iexec_lite.errors import ConfigurationError, ValidationError
from iexec_lite.protocol.rules import V6, V9


def test_amounts_and_tags() -> None:
    assert text.rlc(1_500_000_000) == "1.5 RLC"
    assert text.rlc(0) == "0.0 RLC"
    assert text.tag_names("0x" + "00" * 31 + "01", V6) == "tee"
    assert text.tag_names("0x" + "00" * 30 + "0109", V9) == "tee, tdx, gpu"
    assert text.tag_names("0x" + "00" * 32, V6) == "none"
    assert text.tag_names("0x80" + "00" * 31, V6) == "256"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (59.9, "59 seconds"), (60, "1 minute"),
     (3599, "59 minutes"), (3600, "1 hour"), (7199, "1 hour"), (-7200, "2 hours"),
     (86399, "23 hours"), (86400, "1 day"), (86400 * 3, "3 days")],
)  # fmt: skip
def test_duration(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words


def test_stamps_of_others() -> None:
    for value in ("1970-01-01T00:01:40Z", "1970-01-01T00:01:40", "1970-01-01T01:01:40.5+01:00"):
        assert text.stamp(value, 40) == "1970-01-01 00:01:40 UTC (in 1 minute)"
    assert text.stamp("yesterday", 40) == "yesterday"


def test_moment() -> None:
    assert text.moment(1_700_000_000, 1_700_000_090) == "2023-11-14 22:13:20 UTC (1 minute ago)"
    assert text.moment(1_700_000_000, 1_699_990_000) == "2023-11-14 22:13:20 UTC (in 2 hours)"
    assert text.moment(10**20, 0) == f"{10**20} seconds after 1970"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"),
     (5 * 10**9, "5.0 GB"), (10**15, "1000.0 TB")],
)  # fmt: skip
def test_size(count: int, words: str) -> None:
    assert text.size(count) == words


ROWS = [
    {"price": "0.5 RLC", "tasks": 10, "tag": "", "app": "0xab"},
    {"price": "12.0 RLC", "tasks": 1000, "tag": "", "app": "0xcdef"},
]


def test_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert text.table(ROWS) == (
        "   price  tasks  app\n 0.5 RLC     10  0xab\n12.0 RLC   1000  0xcdef"
    )
    assert text.table([]) == ""
    assert text.table([{"at": "2026-11-28", "a": "0x1"}]) == "at          a\n2026-11-28  0x1"
    monkeypatch.setenv("COLUMNS", "20")
    assert text.table(ROWS).split("\n\n")[0] == "price: 0.5 RLC\ntasks: 10\napp:   0xab"
    monkeypatch.delenv("COLUMNS")
    assert text.table(ROWS).count("\n") == 2  # a pipe takes any line


def test_a_table_of_what_others_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": "日本", "n": 1}, {"name": "x\ny", "n": -20}, {"name": "", "n": ""}]
    assert text.table(rows) == "name      n\n日本      1\nx\\x0ay  -20\n"
    monkeypatch.setenv("COLUMNS", "11")  # exactly as wide
    assert text.table(rows).splitlines()[0] == "name      n"
    monkeypatch.setenv("COLUMNS", "10")
    assert text.table(rows).splitlines()[0] == "name: 日本"


def test_addresses_and_distances() -> None:
    assert text.address("0x" + "00" * 20) == "none"
    assert text.address("0x" + "ab" * 20) == "0x" + "ab" * 20
    assert (text.away(100, 40), text.away(40, 100)) == ("in 1 minute", "1 minute ago")
    assert (text.away(41, 40), text.away(40, 40)) == ("in 1 second", "0 seconds ago")
    assert text.away(41, 40.5) == "0 seconds ago"


def test_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert text.bars([("a", 1), ("b", 2), ("c", 0)]) == f"a  {'█' * 30} 1\nb  {'█' * 60} 2\nc   0"
    monkeypatch.setenv("COLUMNS", "30")
    shown = text.bars([("0.5 RLC", 2), ("12.0 RLC", 10**30), ("20.0 RLC", 0)]).splitlines()
    assert shown[0].startswith(" 0.5 RLC  █ 2")
    assert shown[1].count("█") == 8
    assert shown[2] == "20.0 RLC   0"
    assert text.bars([]) == ""
    monkeypatch.setattr(text.terminal, "carries", lambda *_: False)
    assert text.bars([("日本", 1), ("abc", 2)]).splitlines() == [
        "日本  ########## 1",
        " abc  ##################### 2",
    ]


def test_send_options() -> None:
    assert flags.send_options(Namespace()) == {}
    found = flags.send_options(Namespace(gas_price="1.1 gwei", confirms="3"))
    assert found == {"gas_price": 1_100_000_000, "confirms": 3}
    faults = [
        ("0", "confirms must be greater than or equal to 1"),
        ("x", "confirms must be a `number` type, got x"),
        ("-1", "confirms must be a `number` type, got -1"),
        ("\u0663", "confirms must be a `number` type, got \u0663"),
        ("9" * 41, f"confirms must be a `number` type, got {'9' * 40}"),
    ]
    for confirms, message in faults:
        with pytest.raises(ConfigurationError) as caught:
            flags.send_options(Namespace(gas_price=None, confirms=confirms))
        assert str(caught.value) == message
    assert flags.send_options(Namespace(confirms="1")) == {"confirms": 1}
    assert flags.whole_number("9" * 40, "x") == int("9" * 40)
    with pytest.raises(ValidationError, match="is not a valid amount"):
        flags.send_options(Namespace(gas_price="1 gwei x", confirms=None))
    assert flags.amount("5", "RLC") == "5 RLC"
    assert flags.amount("5 nRLC", "RLC") == "5 nRLC"
