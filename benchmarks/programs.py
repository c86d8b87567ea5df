"""Rows of whole processes: how long they take to start, and how much memory and disk they need."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from iexec_lite.sdk.files import create_private
from tests.node import node_program, npm_folder

from .measure import ROOT, Contestant, Row, Take, process, python
from .signing import CHAIN, KEY

PACKAGE = ROOT / "iexec_lite"
SIGNED = f"""
from iexec_lite import IExec
order = IExec.offline("{KEY}", chain={CHAIN}).order
order.sign_apporder(order.create_apporder("0x" + "12" * 20)).to_dict()
"""
LEAST_SIGNED = """
import coincurve
from Crypto.Hash import keccak
digest = keccak.new(digest_bits=256, data=b"order").digest()
coincurve.PrivateKey(b"1" * 32).sign_recoverable(digest, hasher=None)
"""
ASKED = """
import sys
from iexec_lite import IExec
IExec(sys.argv[1], chain={chain}).network.get_block_time()
"""
LEAST_ASKED = """
import sys, json, urllib3
call = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
urllib3.PoolManager().request("POST", sys.argv[1], body=json.dumps(call).encode()).data
"""
# The modules of the offline signer, and of the library without command line and sandbox.
SHARED = ("__init__.py", "errors.py", "frozen.py", "log.py", "eth", "protocol")
PARTS = {
    "offline signer": SHARED,
    "library": (*SHARED, "utils.py", "net", "sdk"),
    "all": ("",),
}


def _wall(*command: str) -> Take:
    return lambda _: process(*command).wall * 1000


def _code(code: str, *arguments: str) -> Take:
    return lambda _: python(code, *arguments).wall * 1000


def _peak(*command: str, cwd: Path | None = None) -> Take:
    return lambda _: process(*command, cwd=cwd).peak


def _imports(names: Iterable[str]) -> list[Contestant]:
    return [
        Contestant(f"import {name}", _code(f"import {name}"), at_most=5)
        for name in names
        if importlib.util.find_spec(name) is not None
    ]


def _iexec() -> list[str] | None:
    """The command line of iexec 6."""
    folder, node = npm_folder(), node_program()
    if folder is None or node is None:
        return None
    return [node, str(folder / "iexec" / "dist" / "cli" / "cmd" / "iexec.js")]


def rows(folder: Path, url: str) -> list[Row]:
    """The rows of this module; ``url`` is the node to ask."""
    ours = (sys.executable, "-m", "iexec_lite")
    project = folder / "project"
    project.mkdir()
    create_private(project / "wallet.json", json.dumps({"privateKey": KEY}))
    chain = {"id": str(CHAIN), "host": url}
    chains = {"default": "bellecour", "chains": {"bellecour": chain}}
    (project / "chain.json").write_text(json.dumps(chains))
    (project / "iexec.json").write_text(
        json.dumps({"order": {"apporder": {"app": "0x" + "12" * 20}}})
    )
    js = _iexec()
    version = [Contestant("iexec 6", _wall(*js, "--version"), at_most=5)] if js else []
    memory = [Contestant("iexec 6", _peak(*js, "--version"), at_most=1)] if js else []
    nothing, argparse = Contestant("python -c pass", _code("pass")), _code("import argparse")
    sign = ("order", "sign", "--app", "--offline", "--raw")
    least = Contestant("floor", lambda _: python("pass").peak, at_most=5)
    accounts = _imports(["eth_account"])
    return [
        Row(
            "version", "iexec-lite --version", "ms",
            [Contestant("ours", _wall(*ours, "--version")), *version, nothing,
             Contestant("floor", argparse)],
            target=25, share=1 / 11, share_of="iexec 6", lower=True,
            note="the floor is python with argparse",
        ),
        Row(
            "import", "import iexec_lite", "ms",
            [Contestant("ours", _code("import iexec_lite")), *accounts, *_imports(["web3"]),
             Contestant("floor", _code("pass"))],
            target=20, share=1 / 25, share_of="import eth_account", lower=True,
        ),
        Row(
            "signature", "process start to first offline signature", "ms",
            [Contestant("ours", _code(SIGNED)), Contestant("floor", _code(LEAST_SIGNED))],
            target=70, lower=True,
        ),
        Row(
            "answer", "process start to first answer of a node", "ms",
            [Contestant("ours", _code(ASKED.format(chain=CHAIN), url)),
             Contestant("floor", _code(LEAST_ASKED, url))],
            target=110, lower=True,
        ),
        Row(
            "offline memory", "peak memory of order sign --offline", "MB",
            [Contestant("ours", _peak(*ours, *sign, cwd=project), at_most=5), *memory, least],
            target=30, lower=True, note="iexec 6: --version",
        ),
        Row(
            "online memory", "peak memory of wallet show with a node", "MB",
            [Contestant("ours", _peak(*ours, "wallet", "show", "--raw", cwd=project), at_most=5),
             *memory, least],
            target=40, lower=True, note="iexec 6: --version",
        ),
    ]  # fmt: skip


def sizes() -> dict[str, float]:
    """Megabytes of the source of each part, of its docstrings and comments, and of what npm has."""
    found = {}
    for name, parts in PARTS.items():
        paths = [PACKAGE / part for part in parts]
        files = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
        kept = [f for f in files if f.is_file() and "__pycache__" not in f.parts]
        found[name] = sum(f.stat().st_size for f in kept) / 1e6
    found["of it docstrings"] = sum(map(_docstrings, PACKAGE.rglob("*.py"))) / 1e6
    return found


def _docstrings(path: Path) -> int:
    """Bytes of the docstrings of a module."""
    import ast

    tree = ast.parse(path.read_bytes())
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = (node for node in ast.walk(tree) if isinstance(node, kinds))
    texts = (ast.get_docstring(node, clean=False) for node in documented)
    return sum(len(text.encode()) for text in texts if text)
