"""How anvil is started, where the real one cannot be made to do it wrong in time."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.node import Node

BUSY = """\
#!{python}
import pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--config-out") + 1]).parent
number = 0
while True:
    (folder / str(number)).touch()
    number += 1
"""


@pytest.mark.skipif(os.name != "posix", reason="a script as a program is POSIX")
def test_who_still_writes_is_stopped_before_the_folder_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary, temporary = tmp_path / "anvil", tmp_path / "tmp"
    temporary.mkdir()
    binary.write_text(BUSY.format(python=sys.executable))
    binary.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    node = Node(binary, kind_of("token", 5))

    def interrupted() -> None:
        while not list(temporary.glob("*/*")):
            assert node.alive
            time.sleep(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        node.start(meanwhile=interrupted)
    assert not node.alive
    assert list(temporary.iterdir()) == []
