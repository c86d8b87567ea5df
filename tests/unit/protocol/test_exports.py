"""Every public name of ``iexec_lite.protocol`` is there, and is what its module has."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from iexec_lite import protocol


@pytest.mark.parametrize("name", protocol.__all__)
def test_name(name: str) -> None:
    vars(protocol).pop(name, None)  # it is looked up at each first use
    found = getattr(protocol, name)
    if isinstance(found, ModuleType):
        assert found is importlib.import_module(f"iexec_lite.protocol.{name}")
    else:
        home = importlib.import_module(f"iexec_lite.protocol.{protocol._HOME[name]}")
        assert found is getattr(home, name)
    assert name in dir(protocol)


def test_no_other_name() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = protocol.nothing
