"""What is installed, and what the package does by itself: locked, listed, and nothing."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from .conftest import ROOT, load

audit, lock, sbom, check_wheel = (
    load(f"tools/{name}.py") for name in ("audit", "lock", "make_sbom", "check_wheel")
)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
ENTRY = re.compile(
    r"([a-z0-9.-]+)==(\S+)( ; [^\\\n]+)? \\\n(    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)


# ---- lock files ----------------------------------------------------------------------------------


def unlocked(text: str) -> list[str]:
    """What in a lock file is not one version of one package with its hashes."""
    rest = ENTRY.sub("", text + "\n" * (not text.endswith("\n")))
    return [line for line in rest.split("\n") if line.strip()]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_version_has_hashes(path: Path) -> None:
    text = path.read_text("utf-8")
    assert unlocked(text) == []
    assert len(ENTRY.findall(text)) >= 1


@pytest.mark.parametrize(
    "planted",
    [
        "requests==2.0\n",
        "requests>=2.0 \\\n    --hash=sha256:" + "a" * 64 + "\n",
        "--index-url https://mirror.example/simple\n",
        "x @ https://mirror.example/x.whl \\\n    --hash=sha256:" + "a" * 64 + "\n",
        "x==1 \\\n    --hash=md5:" + "a" * 32 + "\n",
    ],
)
def test_an_open_end_is_seen(planted: str) -> None:
    good = "".join(f"a==1 \\\n    --hash=sha256:{digit * 64}\n" for digit in "ab")
    assert unlocked(good) == []
    assert unlocked(good + planted) != []


def test_lock_files_are_those_of_their_wishes() -> None:
    wishes = {path.stem for path in (ROOT / "requirements").glob("*.in")} - lock.PARTS
    assert {path.stem for path in LOCKS} == wishes


def unlocked_environments(tox_ini: str, run: str) -> list[str]:
    """Environments that install something by its name, and what .ci/run does so."""
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(tox_ini)
    bad = []
    for name in config.sections():
        for line in config[name].get("deps", "").split("\n"):
            if line.strip() and not re.fullmatch(r"-r requirements/\w+\.txt", line.strip()):
                bad.append(f"{name}: {line.strip()}")
        for line in config[name].get("commands_pre", "").split("\n"):
            if "pip install" in line and "--no-deps" not in line:
                bad.append(f"{name}: {line.strip()}")
    if (
        config["testenv:.pkg"].get("set_env", "")
        != "PIP_CONSTRAINT = {tox_root}/requirements/build.txt"
    ):
        bad.append("what builds the package is not locked")
    installs = [line for line in run.split("\n") if "pip install" in line]
    return bad + [line for line in installs if "--require-hashes -r requirements/" not in line]


def test_environments_install_what_is_locked() -> None:
    tox_ini, run = (ROOT / "tox.ini").read_text("utf-8"), (ROOT / ".ci/run").read_text("utf-8")
    assert unlocked_environments(tox_ini, run) == []
    planted = tox_ini.replace("-r requirements/lint.txt", "ruff").replace("build.txt", "b.x")
    assert len(unlocked_environments(planted, run + "\npip install tox\n")) == 4


# ---- bill of materials ---------------------------------------------------------------------------


def misstated(document: str, setup_cfg: str, locked: str) -> list[str]:
    """What the bill of materials says otherwise than setup.cfg and the lock."""
    bill = json.loads(document)
    listed = {each["bom-ref"]: each for each in bill["components"]}
    top = bill["metadata"]["component"]["bom-ref"]
    graph = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    found = {listed[ref]["name"]: listed[ref]["version"] for ref in graph[top]}
    wanted, packages = sbom.wanted(setup_cfg), sbom.locked(locked)
    bad = sorted(found.keys() ^ wanted.keys())
    for name in wanted.keys() & found.keys():
        floor = wanted[name].removeprefix(">=").strip()
        if _numbers(found[name]) < _numbers(floor):
            bad.append(f"{name} {found[name]} is below {floor}")
    for name, (version, hashes) in packages.items():
        component = listed.get(f"pkg:pypi/{name}@{version}", {})
        if [each["value"] for each in component.get("properties", ())] != hashes:
            bad.append(f"{name} {version}: other files")
    return bad + sorted(each["name"] for each in listed.values() if each["name"] not in packages)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_bill_of_materials() -> None:
    document = sbom.OUT.read_text("utf-8")
    setup_cfg, locked = (ROOT / "setup.cfg").read_text("utf-8"), sbom.LOCK.read_text("utf-8")
    assert misstated(document, setup_cfg, locked) == []
    assert len(sbom.wanted(setup_cfg)) == 5
    assert json.loads(document)["bomFormat"] == "CycloneDX"
    assert all(
        "licenses" in each
        for each in json.loads(document)["components"]
        if "colorama" not in each["name"]
    )
    for planted in (
        (document, setup_cfg.replace("    urllib3 >=", "    requests >="), locked),
        (document, setup_cfg.replace("urllib3 >= 2.0.2", "urllib3 >= 99.0"), locked),
        (document, setup_cfg, locked.replace("--hash=sha256:0", "--hash=sha256:1", 1)),
        (document, setup_cfg, re.sub(r"\nurllib3==\S+", "\nurllib3==1.0", locked)),
    ):
        assert misstated(*planted) != []


# ---- known faults --------------------------------------------------------------------------------


def test_silence_of_the_advisory_service_is_a_failure() -> None:
    good = {"name": "Eth_Hash", "version": "1", "vulns": []}
    names = {"eth-hash", "urllib3"}

    def report(*packages: object) -> str:
        return json.dumps({"dependencies": packages, "fixes": []})

    fine = {"name": "urllib3", "version": "2", "vulns": []}
    assert audit.problems(report(good, fine), names) == []
    skipped = {"name": "urllib3", "skip_reason": "Could not reach the service"}
    faulty = {**fine, "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    for planted in (report(good), report(good, skipped), report(good, faulty), "", "[]", "{}"):
        assert audit.problems(planted, names) != []


# ---- wheel ---------------------------------------------------------------------------------------


def test_wheels_that_differ_are_told_apart(tmp_path: Path) -> None:
    for name, text in (("one", "a"), ("same", "a"), ("other", "b")):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr(zipfile.ZipInfo("x.py"), text)
    assert check_wheel.different(tmp_path / "one", tmp_path / "other") != ["in their order"]
    assert check_wheel.different(tmp_path / "one", tmp_path / "same") == ["in their order"]


def test_what_is_planted_in_a_wheel_is_seen() -> None:
    names = [
        f"iexec_lite/{p.relative_to(ROOT / 'iexec_lite').as_posix()}"
        for p in (ROOT / "iexec_lite").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    ]
    meta = "".join(
        f"Requires-Dist: {name}>=1\n"
        for name in ("eth-hash", "eth-keys", "coincurve", "pycryptodome", "urllib3")
    )
    assert check_wheel.problems(names, meta) == []
    for planted in ("x.pth", "iexec_lite-0.data/scripts/x", "tests/a.py", "iexec_lite/old.py"):
        assert check_wheel.problems([*names, planted], meta) != []
    assert check_wheel.problems(names[1:], meta) != []
    for line in ("requests>=1", "urllib3<3,>=1", "urllib3==1"):
        assert check_wheel.problems(names, meta + f"Requires-Dist: {line}\n") != []


# ---- nothing happens by itself -------------------------------------------------------------------


def install_time_code(root: Path) -> list[str]:
    """What a build or an installation would run of ours: only setuptools, reading setup.cfg."""
    bad = [
        name for name in ("setup.py", "conanfile.py", "hatch_build.py") if (root / name).exists()
    ]
    if 'build-backend = "setuptools.build_meta"\n' not in (root / "pyproject.toml").read_text():
        bad.append("another build backend")
    if re.search(
        r"backend-path|cmdclass|\[tool\.setuptools", (root / "pyproject.toml").read_text()
    ):
        bad.append("a hook of the build in pyproject.toml")
    if re.search(
        r"cmdclass|\bcmd_class|setup_hooks|py_modules|(?m:^scripts\s*=)",
        (root / "setup.cfg").read_text(),
    ):
        bad.append("a hook of the build in setup.cfg")
    return bad


def test_no_install_time_code(tmp_path: Path) -> None:
    assert install_time_code(ROOT) == []
    for name in ("pyproject.toml", "setup.cfg"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "setup.py").write_text("print('hello')\n")
    with (tmp_path / "setup.cfg").open("a") as file:
        file.write("\n[global]\nsetup_hooks = x\n")
    (tmp_path / "pyproject.toml").write_text('[build-system]\nbackend-path = ["."]\n')
    assert len(install_time_code(tmp_path)) == 4


# Hosts that the package may name: those of iExec and of its networks, and examples in texts.
OWN = re.compile(
    r"(?:[\w.-]+\.)?(?:iex\.ec|iexec\.eth|iexecblockchaincomputing\.com|example|invalid|localhost)\Z|127\.0\.0\.1"
)

TEXTS = {"github.com", "no-color.org", "host", "in-process"}  # in hints and documentation only


def hosts(package: Path) -> dict[str, set[str]]:
    """Host → modules that name it in a string."""
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for host in re.findall(r"(?:https?|wss?)://([A-Za-z0-9.-]+\w)", node.value):
                    found.setdefault(host, set()).add(path.relative_to(package).as_posix())
    return found


def strange_hosts(package: Path, known: Iterable[str]) -> list[str]:
    """Hosts outside the tables of networks and faucets: a place that nobody asked to talk to."""
    tables = {"protocol/networks.py", "protocol/faucets.py", "protocol/chains.py"}
    return sorted(
        f"{host} in {path}"
        for host, paths in hosts(package).items()
        for path in paths - tables
        if not OWN.search(host) and host not in TEXTS and host not in known
    )


def test_no_host_that_nobody_asked_for(tmp_path: Path) -> None:
    """No telemetry, no update check: the code names no host to which either could go."""
    tables = {
        h for h, paths in hosts(ROOT / "iexec_lite").items() if any("protocol/" in p for p in paths)
    }
    assert strange_hosts(ROOT / "iexec_lite", tables) == []
    copy = tmp_path / "iexec_lite"
    shutil.copytree(ROOT / "iexec_lite", copy)
    with (copy / "cli" / "output.py").open("a") as file:
        file.write("\nNEWS = 'https://telemetry.example.org/v1'\n")
    assert strange_hosts(copy, tables) == ["telemetry.example.org in cli/output.py"]


QUIET = """
import sys
seen = []
def hook(event, args):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        seen.append((event, str(args[1:])))
sys.addaudithook(hook)
"""
OFFLINE = (
    *(["--version"], ["--help"], ["wallet", "--help"], ["init", "--skip-wallet", "--raw"]),
    *(["app", "init", "--raw"], ["completion", "bash"], ["order", "sign", "--raw"], ["nonsense"]),
)


def sockets_of(words: list[str], folder: Path, more: str = "") -> str:
    code = f"{QUIET}\nfrom iexec_lite.cli import main\n{more}\nmain({words!r})\nprint('SEEN', seen)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "PATH": "",
            "IEXEC_LITE_HOME": str(folder),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("SEEN ")[-1].strip()


def test_commands_that_need_no_network_open_no_socket(tmp_path: Path) -> None:
    """No update check, no telemetry: seen from inside, by what the interpreter reports."""
    for words in OFFLINE:
        assert sockets_of(words, tmp_path) == "[]", words
    planted = (
        "import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('127.0.0.1', 1))"
    )
    assert "connect" in sockets_of(["--version"], tmp_path, planted)
