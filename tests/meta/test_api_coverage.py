"""The judge of the stack run sees what is missing, and its session fails: planted violations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, load

PLUGIN = ROOT / "tests" / "stack" / "api_coverage.py"


@pytest.fixture(scope="module")
def coverage() -> Any:
    return load("tests/stack/api_coverage.py")


BOTH: dict[str, object] = {"returned": [], "raised StateError": []}


@pytest.mark.parametrize(
    ("record", "exempt", "found"),
    [
        ({"a.b": BOTH}, {}, []),
        ({}, {}, ["a.b: never returned; seen: no call", "a.b: never raised; seen: no call"]),
        ({"a.b": {"returned": []}}, {}, ["a.b: never raised; seen: returned"]),
        (
            {"a.b": {"returned": [], "broke KeyError": []}},
            {},
            ["a.b: never raised; seen: returned, broke KeyError"],
        ),
        ({"a.b": {"raised StateError": []}}, {}, ["a.b: never returned; seen: raised StateError"]),
        ({"a.b": {"returned": []}}, {("a.b", "raised"): "cannot"}, []),
        (
            {"a.b": BOTH},
            {("a.b", "raised"): "cannot", ("a.gone", "raised"): "cannot"},
            [
                "a.b: exempt, yet it raised; seen: returned, raised StateError",
                "a.gone: exempt, but not there",
            ],
        ),
    ],
)
def test_judge(coverage: Any, record: Any, exempt: Any, found: list[str]) -> None:
    assert coverage.lacking(record, ["a.b"], exempt) == found


def test_all_methods_are_walked(coverage: Any) -> None:
    methods = coverage.public_methods()
    assert len(methods) > 100
    inherited = {"order.publish_apporder", "order.sign_apporder"}
    assert {*inherited, "wallet.send_rlc", "hub.show_category", "utils.parse_rlc"} <= set(methods)
    assert not {name for name in methods if "._" in name}
    assert all(coverage.EXEMPT.values())


def test_a_record_holds_no_id(coverage: Any) -> None:
    shape = coverage.shape
    url = "https://user:key@x/a/0x12ab/7/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ?b=1&a="
    assert shape(url, b"secret") == ["/a/*/*/*?a&b"]
    assert shape("https://x/key", b'[{"method":"eth_call"},{"method":"eth_chainId"}]') == [
        "eth_call",
        "eth_chainId",
    ]
    assert shape("https://x/y", b'{"a":1}') == ["/y"]


TESTS = """
import pytest
from iexec_lite import IExec, utils
from iexec_lite.errors import IExecError

@pytest.mark.parametrize("text", ["1", "x"])
def test_one(text):
    try:
        utils.parse_rlc(text)
    except IExecError:
        pass

def test_two():
    iexec = IExec(lambda method, params: "0x1")
    iexec.hub.get_hub_address()
"""


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_run_that_shows_too_little_fails(processes: str, tmp_path: Path) -> None:
    """The whole folder is judged; a part of it is not."""
    (tmp_path / "setup.cfg").write_text("[tool:pytest]\n")
    (tmp_path / "api_coverage.py").write_bytes(PLUGIN.read_bytes())
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\nfrom api_coverage import ApiCoverage\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(ApiCoverage(config, Path(__file__).parent))\n"
    )
    (tmp_path / "test_x.py").write_text(TESTS)

    def run(*options: str) -> tuple[int, str]:
        found = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", processes, *options],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return found.returncode, found.stdout

    status, text = run()
    assert status == 1
    assert "order.match_orders: never returned; seen: no call" in text
    assert "hub.get_hub_address: never raised; seen: returned" in text
    assert "utils.parse_rlc" not in text
    record = (tmp_path / ".tox" / "api-coverage.json").read_text()
    assert '"raised ValidationError"' in record
    assert '"eth_chainId"' in record
    assert run("-k", "one")[0] == 0
    assert run("test_x.py::test_two")[0] == 0
