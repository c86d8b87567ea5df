"""Every public method of the library must be seen to work and to fail, on the real sandbox.

The methods are found by walking the classes behind ``IExec``'s namespaces, so a new one counts from
its first day. What a run saw is written to ``.tox/api-coverage.json``: for each method how its
calls ended (``returned``, ``raised StateError``, ``broke TypeError``) and which requests went out
from within them, as JSON-RPC method names and HTTP paths without ids. A run of the whole folder
fails where a method never returned, or never raised one of our errors. (With pytest-xdist, give it
this folder: ``pytest -n 2 tests/stack``.)
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakKeyDictionary

import pytest

from iexec_lite import IExec, utils
from iexec_lite.errors import IExecError
from iexec_lite.net.http import Http
from iexec_lite.net.in_process import InProcess
from iexec_lite.sdk.results import Results
from iexec_lite.sdk.watch import Watch

Record = dict[str, dict[str, list[str]]]  # method → how it ended → what it sent

# What a method cannot do, and why not.
EXEMPT: dict[tuple[str, str], str] = {
    ("dataset.generate_encryption_key", "raised"): "takes nothing and asks nobody",
}
# What these return asks later: such a request, or failure, is the method's own.
LAZY: dict[type, tuple[str, ...]] = {Watch: ("__next__",), Results: ("read", "save")}
_ID = re.compile(r"0x[0-9a-fA-F]+|\d+|\w{32,}")


def public_methods() -> dict[str, tuple[object, str]]:
    """``order.sign_apporder`` → where it is found: a class or module, and its name there."""
    client = IExec.offline("0x" + "11" * 32, chain=134)
    found: dict[str, tuple[object, str]] = {}
    for space, member in vars(IExec).items():
        if isinstance(member, functools.cached_property):
            kind = type(getattr(client, space))
            for name, _ in inspect.getmembers(kind, inspect.isroutine):
                if not name.startswith("_"):
                    found[f"{space}.{name}"] = kind, name
    for name in utils.__all__:
        if callable(getattr(utils, name)):
            found[f"utils.{name}"] = utils, name
    return found


def lacking(
    record: Mapping[str, Mapping[str, object]],
    methods: Iterable[str],
    exempt: Mapping[tuple[str, str], str] = EXEMPT,
) -> list[str]:
    """What a run did not see, one line each; also exemptions that nobody needs."""
    bad = []
    for name in methods:
        ends = record.get(name, {})
        seen = {end.split()[0] for end in ends}
        for wanted in ("returned", "raised"):
            if (wanted in seen) == ((name, wanted) in exempt):
                what = "exempt, yet it" if wanted in seen else "never"
                bad.append(f"{name}: {what} {wanted}; seen: {', '.join(ends) or 'no call'}")
    bad += [f"{name}: exempt, but not there" for name, _ in exempt if name not in methods]
    return bad


def shape(url: str, body: bytes | None) -> list[str]:
    """What a request asks, without what it asks about."""
    try:
        asked = json.loads(body or b"")
        return [item["method"] for item in (asked if isinstance(asked, list) else [asked])]
    except (ValueError, TypeError, KeyError):
        pass
    parts = urlsplit(url)
    path = "/".join("*" if _ID.fullmatch(part) else part for part in parts.path.split("/"))
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    return [path + ("?" + "&".join(names) if names else "")]


class ApiCoverage:
    """The pytest plugin: watches the calls of one test folder."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._file = config.rootpath / ".tox" / "api-coverage.json"
        self._folder = folder
        self._methods = public_methods()
        self._record: dict[str, dict[str, set[str]]] = {}
        self._owners: WeakKeyDictionary[object, str] = WeakKeyDictionary()
        self._open = threading.local()  # .sent: the requests of the call under way
        self._lock = threading.Lock()
        self._whole: list[bool] = []  # of each process that ran tests: were they all?
        self._left_out = False
        self._bad: list[str] = []
        self._patch = pytest.MonkeyPatch()
        self._instrument()

    # -- watching -----------------------------------------------------------------------------

    def _instrument(self) -> None:
        for name, (owner, attribute) in self._methods.items():
            self._replace(owner, attribute, lambda _, name=name: name)
        for kind, attributes in LAZY.items():
            for attribute in attributes:
                self._replace(kind, attribute, lambda args: self._owners.get(args[0]))
        for transport in (Http, InProcess):
            for attribute in ("request", "stream"):
                if hasattr(transport, attribute):
                    self._overhear(transport, attribute)

    def _replace(
        self, owner: object, attribute: str, name_of: Callable[[tuple[Any, ...]], str | None]
    ) -> None:
        function = getattr(owner, attribute)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            name = name_of(args)
            if name is None or getattr(self._open, "sent", None) is not None:
                return function(*args, **options)  # not called by a user, but from within
            sent: set[str] = set()
            self._open.sent = sent
            end = "returned"
            try:
                result = function(*args, **options)
                if isinstance(result, tuple(LAZY)):
                    self._owners[result] = name
                return result
            except IExecError as error:
                end = f"raised {type(error).__name__}"
                raise
            except StopIteration:
                raise
            except BaseException as error:
                end = f"broke {type(error).__name__}"
                raise
            finally:
                self._open.sent = None
                self._note(name, end, sent)

        self._patch.setattr(owner, attribute, call)

    def _overhear(self, transport: type, attribute: str) -> None:
        function = getattr(transport, attribute)

        @functools.wraps(function)
        def request(http: Any, method: str, url: str, **options: Any) -> Any:
            sent = getattr(self._open, "sent", None)
            if sent is not None:
                for what in shape(url, options.get("body")):
                    sent.add(f"{method} {what}" if what.startswith("/") else what)
            return function(http, method, url, **options)

        self._patch.setattr(transport, attribute, request)

    def _note(self, name: str, end: str, sent: Iterable[str]) -> None:
        with self._lock:
            self._record.setdefault(name, {}).setdefault(end, set()).update(sent)

    # -- pytest -------------------------------------------------------------------------------

    def is_whole(self) -> bool:
        """Whether all tests of the folder were run, so that what is missing is missing."""
        return bool(self._whole) and all(self._whole)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._left_out |= bool(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        files = {item.path for item in session.items}
        parts = any("::" in argument for argument in session.config.args)
        self._whole.append(
            set(self._folder.rglob("test_*.py")) <= files and not parts and not self._left_out
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a process of pytest-xdist saw."""
        whole, record = getattr(node, "workeroutput", {}).get("api", (False, {}))
        self._whole.append(whole)
        for name, ends in record.items():
            for end, sent in ends.items():
                self._note(name, end, sent)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        record: Record = {
            name: {end: sorted(sent) for end, sent in sorted(ends.items())}
            for name, ends in sorted(self._record.items())
        }
        whole = self.is_whole()
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["api"] = whole, record
            return
        if not whole or session.config.option.collectonly:
            return
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(record, indent=1), "utf-8")
        self._bad = [] if exitstatus else lacking(record, self._methods)
        if self._bad:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._bad:
            terminalreporter.section("methods that the tests of this folder do not show")
            for line in self._bad:
                terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        self._patch.undo()
