"""Running recorded cases: every group of every suite, all verdicts, counts as in the manifest.

A test module names its suite in ``SUITE`` and has a test with the argument ``recorded``: it is
parametrised by the groups of the suite and hands ``recorded.run`` a table, group → how we compute
the answer of a case. A group without a line in the table fails, so no case can be left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import IExecError
from iexec_lite.eth.abi import AbiType
from iexec_lite.eth.codec import address_to_bytes, checksum_address, from_hex, to_hex

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
SHOWN = 5  # failing cases in a message; the rest is counted

Case = dict[str, Any]
Compute = Callable[[Case], object]


class Recorded:
    """One group of one suite under one verdict: ``valid``, ``invalid`` or ``skips``."""

    def __init__(self, root: Path, suite: str, verdict: str, group: str, count: int) -> None:
        self.root, self.suite, self.verdict = root, suite, verdict
        self.group, self.count = group, count

    def cases(self) -> list[Case]:
        path = self.root / self.suite / f"{self.verdict}.json"
        cases: list[Case] = json.loads(path.read_text("utf-8"))[self.group]
        assert len(cases) == self.count, f"{path.name} {self.group}: the manifest says {self.count}"
        assert cases, f"{path.name} {self.group}: no case"
        return cases

    def run(self, table: Mapping[str, tuple[Compute, str | None]]) -> None:
        """Compute every case and compare.

        ``table``: group → (compute, key). A valid case must compute what it holds under ``key``
        (None: it is enough that nothing is raised), an invalid one must raise IExecError, a skip
        must do what its ``ours`` says.
        """
        compute, key = table[self.group]
        faults = []
        for number, case in enumerate(self.cases()):
            fault = getattr(self, f"_{self.verdict}")(compute, key, case)
            if fault:
                shown = json.dumps(case, ensure_ascii=True)
                faults.append(f"#{number} {fault}\n    {shown[:1500]}")
        if faults:
            more = f"\n… and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
            head = (
                f"{self.suite}/{self.verdict} {self.group}: {len(faults)} of {self.count} differ\n"
            )
            pytest.fail(head + "\n".join(faults[:SHOWN]) + more, pytrace=False)

    def _valid(self, compute: Compute, key: str | None, case: Case) -> str:
        value, error = attempt(compute, case)
        if error is not None:
            return f"raises {type(error).__name__}: {error}"
        if key is not None and value != case[key]:
            return f"gives {value!r}"
        return ""

    def _invalid(self, compute: Compute, key: str | None, case: Case) -> str:
        value, error = attempt(compute, case)
        if error is None:
            return f"must be refused, gives {value!r}"
        if not isinstance(error, IExecError):
            return f"must raise IExecError, raises {type(error).__name__}: {error}"
        return ""

    def _skips(self, compute: Compute, key: str | None, case: Case) -> str:
        """A difference on purpose must stay exactly the one that is written down."""
        assert case["why"]
        assert "value" in case["js"] or "error" in case["js"]
        ours = case["ours"]
        value, error = attempt(compute, case)
        if error is not None and not isinstance(error, IExecError):
            return f"must raise IExecError, raises {type(error).__name__}: {error}"
        if error is not None:
            return "" if "error" in ours or ours.get("or") == "error" else f"raises {error}"
        if "value" not in ours:
            return f"must be refused, gives {value!r}"
        return "" if value == ours["value"] else f"gives {value!r}"


def attempt(compute: Compute, case: Case) -> tuple[object, Exception | None]:
    try:
        return compute(case), None
    except Exception as error:
        return None, error


def manifest(root: Path = VECTORS) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "MANIFEST.json").read_text("utf-8"))
    return content


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "recorded" not in metafunc.fixturenames:
        return
    suite = metafunc.module.SUITE
    files = manifest()[suite]["files"]
    groups = [
        Recorded(VECTORS, suite, name.removesuffix(".json"), group, count)
        for name, about in files.items()
        for group, count in about["groups"].items()
    ]
    metafunc.parametrize(
        "recorded", groups, ids=[f"{each.verdict}-{each.group}" for each in groups]
    )


class Forms:
    """Between the JSON form of values in the vectors and the one that ``eth`` works on."""

    @staticmethod
    def cases(suite: str, group: str) -> list[Case]:
        """The valid cases of a group, for what they say about the others."""
        content = json.loads((VECTORS / suite / "valid.json").read_text("utf-8"))
        cases: list[Case] = content[group]
        return cases

    @classmethod
    def native(cls, kind: AbiType, value: Any) -> object:
        if kind.kind == "array" and isinstance(value, list):
            assert kind.item is not None
            return tuple(cls.native(kind.item, each) for each in value)
        if kind.kind == "array":
            return value
        if kind.kind == "tuple":
            return cls.row(kind.components, value)
        if kind.kind == "address":
            return address_to_bytes(value)
        if kind.kind in ("uint", "int"):
            return int(value)
        return from_hex(value) if kind.kind in ("bytes", "fixed_bytes") else value

    @classmethod
    def row(cls, kinds: tuple[AbiType, ...], values: Any) -> tuple[object, ...]:
        # an extra or missing value is for the code under test to refuse, not for zip
        known = [cls.native(kind, each) for kind, each in zip(kinds, values, strict=False)]
        return (*known, *values[len(known) :])

    @classmethod
    def plain(cls, kind: AbiType, value: Any) -> object:
        if kind.kind == "array":
            assert kind.item is not None
            return [cls.plain(kind.item, each) for each in value]
        if kind.kind == "tuple":
            return [cls.plain(*each) for each in zip(kind.components, value, strict=True)]
        if kind.kind == "address":
            return checksum_address(value)
        if kind.kind in ("uint", "int"):
            return str(value)
        return to_hex(value) if kind.kind in ("bytes", "fixed_bytes") else value


@pytest.fixture
def forms() -> type[Forms]:
    """Converters between JSON and native values."""
    return Forms


@pytest.fixture
def vectors() -> Path:
    """The folder of the recorded suites."""
    return VECTORS


@pytest.fixture
def recorded_type() -> type[Recorded]:
    """The runner itself, for the test that plants faults."""
    return Recorded
