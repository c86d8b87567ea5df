"""The blocks of docs/tutorials.md, in order, on one sandbox, as in one terminal.

Each block is a process of its own; variables, functions and the folder are handed on to the next
one. The word after ``sh`` is the folder, and so the role, in which a block must end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from iexec_lite.protocol.chains import ChainFile, node_urls

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorials.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+) ?([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HANDED_ON = """
set -a; test ! -e "$STATE" || . "$STATE"
{body}
{{ export -p; declare -f; }} > "$STATE"; pwd
"""


@dataclass
class Terminal:
    """One person's terminal; ``folder`` is where it is now."""

    folder: Path
    env: dict[str, str]

    def run(self, body: str) -> str:
        """What a block prints; an AssertionError with its stderr where a command fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", HANDED_ON.format(body=body)],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
        *printed, folder = done.stdout.splitlines()
        self.folder = Path(folder)
        return "\n".join(printed)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """That of a newcomer: no sandbox, no wallet."""
    cache = os.environ.get("IEXEC_LITE_CACHE") or str(Path.home() / ".cache" / "iexec_lite")
    env = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "IEXEC_LITE_HOME": str(tmp_path / "data"),
        "IEXEC_LITE_CACHE": cache,
        "STATE": str(tmp_path / "state"),
        "COLUMNS": "200",  # tables are tables
    }
    yield Terminal(tmp_path, env)
    subprocess.run(["iexec-lite", "sandbox", "down"], env=env, capture_output=True, check=False)


@pytest.mark.shows_secrets("the password that the text chooses, for play money")
def test_the_tutorials(terminal: Terminal) -> None:
    told: dict[str, str] = {}
    for language, role, body in BLOCK.findall(PAGE):
        if language != "sh":
            continue
        printed = terminal.run(body)
        assert terminal.folder.name == (role or "iexec-tutorials"), body
        told[role] = told.get(role, "") + printed + "\n"
    assert set(told) == {
        *("", "first-project", "app-developer", "dataset-provider", "workerpool-owner"),
        *("requester", "online"),
    }
    assert re.search(r"^RLC: +100\.0$", told["first-project"], re.MULTILINE)
    assert told["first-project"].endswith("\n90.0\n")
    for text in ("0.5 RLC", "Successfully unpublished"):
        assert text in told["app-developer"] + told["requester"]
    assert "not yet" in told["app-developer"]
    assert "\nIS ANYBODY THERE\n" in told["app-developer"]
    assert re.search(r"task 0x\w{64} is completed$", told["app-developer"], re.MULTILINE)
    assert "Secret found for dataset" in told["dataset-provider"]
    assert re.search(r"^ +2\.0 RLC +100 ", told["dataset-provider"], re.MULTILINE)
    assert re.search(r"^ +6\.0 RLC +1 ", told["workerpool-owner"], re.MULTILINE)
    assert "1 task successfully purchased" in told["workerpool-owner"]
    assert re.findall(r"^total: +(.*)", told["workerpool-owner"], re.MULTILINE) == ["3.5 RLC"]
    bought = told["requester"]
    assert re.findall(r"^total: +(.*)", bought, re.MULTILINE) == ["5.5 RLC", "13.0 RLC"]
    assert bought.count(" COMPLETED ") == 2
    assert bought.count("\nHello, Alice!\n") == 2
    assert "Dataset balances.csv: 31 bytes, 3 words" in bought
    assert "Results successfully decrypted" in bought
    assert re.search(r"^ +0\.8 RLC +1000000 ", told["online"], re.MULTILINE)


def test_the_chain_file() -> None:
    """What the page shows of chain.json can be used."""
    (shown,) = [body for language, _, body in BLOCK.findall(PAGE) if language == "json"]
    file = ChainFile.from_dict(json.loads(shown))
    own, ethereum = file.select(), file.select("mainnet")
    assert node_urls(str(own.chain.host), own.providers) == (("https://my-node.example.org",), 1)
    urls, quorum = node_urls(str(ethereum.chain.host), ethereum.providers)
    assert (len(urls), quorum) == (2, 2)


def test_a_broken_block_is_seen(terminal: Terminal) -> None:
    assert terminal.run("X=1\nget() { echo $X; }\nmkdir a && cd a") == ""
    assert terminal.run("get") == "1"
    assert terminal.folder.name == "a"
    with pytest.raises(AssertionError, match="No such file"):
        terminal.run("cat nothing | cat\necho goes on")
    ((language, role, body),) = BLOCK.findall("```sh online\niexec-lite wallet shw\n```\n")
    assert (language, role) == ("sh", "online")
    with pytest.raises(AssertionError, match="unknown command 'shw'"):
        terminal.run(body)
