"""Running an app's command: environment, arguments, limits (worker.md §1)."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.protocol.templates import TODAY, V6
from iexec_lite.sandbox import runner
from iexec_lite.sandbox.runner import SAMPLE_IMAGE, AppMap, Command, Ran, environment, run

TASK = "0x" + "ab" * 32
APP = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"


def python(code: str, folder: Path) -> Command:
    return Command((sys.executable, "-c", code), folder)


def test_environment_without_anything() -> None:
    found = environment(taskid=TASK, folder_in=Path("/i"), folder_out=Path("/o"))
    assert found == {
        "IEXEC_TASK_ID": TASK,
        "IEXEC_IN": os.fspath(Path("/i")),
        "IEXEC_OUT": os.fspath(Path("/o")),
        "IEXEC_DATASET_ADDRESS": "",
        "IEXEC_DATASET_FILENAME": "",
        "IEXEC_BOT_SIZE": "1",
        "IEXEC_BOT_FIRST_INDEX": "0",
        "IEXEC_BOT_TASK_INDEX": "0",
        "IEXEC_INPUT_FILES_NUMBER": "0",
        "IEXEC_INPUT_FILES_FOLDER": os.fspath(Path("/i")),
    }


def test_environment_with_everything() -> None:
    found = environment(
        taskid=TASK,
        folder_in=Path("/i"),
        folder_out=Path("/o"),
        dataset=APP.lower(),
        dataset_name="data.csv",
        bot_size=10,
        bot_first=3,
        index=5,
        input_files=["a", "b?v=2"],
    )
    assert found["IEXEC_DATASET_ADDRESS"] == APP.lower()
    assert found["IEXEC_DATASET_FILENAME"] == "data.csv"
    assert found["IEXEC_BOT_SIZE"] == "10"
    assert found["IEXEC_BOT_FIRST_INDEX"] == "3"
    assert found["IEXEC_BOT_TASK_INDEX"] == "5"
    assert found["IEXEC_INPUT_FILES_NUMBER"] == "2"
    assert found["IEXEC_INPUT_FILE_NAME_1"] == "a"
    assert found["IEXEC_INPUT_FILE_NAME_2"] == "b?v=2"


def test_the_app_sees_what_it_should_and_no_more(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "hidden")
    code = "import json,os,sys; print(json.dumps([dict(os.environ), sys.argv[1:], os.getcwd()]))"
    arguments = ["a b", "$HOME", "; exit 3", "'q'"]
    ran = run(python(code, room), arguments, {"IEXEC_IN": "x"}, room=room, limit=30)
    seen, argv, folder = json.loads(ran.stdout)
    assert argv == arguments
    assert Path(folder) == room.resolve()
    seen.pop("LC_CTYPE", None)  # Python's own
    expected = {"PATH", "HOME", "LANG", "IEXEC_IN"}
    assert set(seen) - {"SYSTEMROOT", "PATHEXT", "COMSPEC"} == expected
    assert Path(seen["HOME"]) == room / "home"


def test_a_failing_app(room: Path) -> None:
    command = python("import sys; print('out'); sys.exit('what went wrong')", room)
    with pytest.raises(SandboxError, match="status 1: what went wrong"):
        run(command, [], {}, room=room, limit=30)


def test_a_missing_program(room: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be started"):
        run(Command(("./no-such-program",), room), [], {}, room=room, limit=30)


@pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")
def test_the_time_limit_ends_the_app_and_its_children(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STOP_GRACE", 0.2)
    code = (
        "import signal,subprocess,sys,time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child=subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)']);"
        "open('pid','w').write(str(child.pid)); time.sleep(60)"
    )
    start = time.monotonic()
    with pytest.raises(SandboxError, match="did not end within 1 seconds"):
        run(python(code, room), [], {}, room=room, limit=1)
    assert time.monotonic() - start < 10
    assert_gone(int((room / "pid").read_text()))


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_what_an_app_leaves_running_is_ended(room: Path) -> None:
    code = (
        "import subprocess,sys;"
        "child=subprocess.Popen([sys.executable,'-c','import time; time.sleep(60)']);"
        "print(child.pid)"
    )
    assert_gone(int(run(python(code, room), [], {}, room=room, limit=30).stdout))


def assert_gone(pid: int) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return  # dead, but its parent has not looked yet
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")


def test_too_much_stdout(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_LOG", 1000)
    monkeypatch.setattr(runner, "STOP_GRACE", 0.2)
    for stream in ("stdout", "stderr"):
        code = f"import sys\nwhile True: sys.{stream}.write('x' * 100); sys.{stream}.flush()"
        with pytest.raises(SandboxError, match=f"more than 1000 bytes to {stream}"):
            run(python(code, room), [], {}, room=room, limit=30)
    monkeypatch.setattr(runner, "POLL", 2)  # it has ended before we look
    with pytest.raises(SandboxError, match="more than 1000 bytes to stdout"):
        run(python("print('x' * 2000)", room), [], {}, room=room, limit=30)


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_it_ends_when_the_sandbox_stops(room: Path) -> None:
    command = python(
        "import os,time; open('pid','w').write(str(os.getpid())); time.sleep(60)", room
    )
    with pytest.raises(SandboxError, match="as the sandbox stops") as caught:
        run(command, [], {}, room=room, limit=60, stopped=(room / "pid").exists)
    assert caught.value.retryable
    assert_gone(int((room / "pid").read_text()))


# -- which command -----------------------------------------------------------------------------


def test_mapping(tmp_path: Path) -> None:
    path = tmp_path / "apps.json"
    apps = AppMap(path)
    assert apps.find(APP, "x/y:1") is None
    path.write_text(json.dumps({APP: ["./a", "1"], "x/y:1": ["b"], SAMPLE_IMAGE: ["mine"]}))
    assert apps.find(APP, "x/y:1") == Command(("./a", "1"), tmp_path)
    assert apps.find("0x" + "00" * 20, "x/y:1") == Command(("b",), tmp_path)
    assert apps.find("0x" + "00" * 20, SAMPLE_IMAGE) == Command(("mine",), tmp_path)
    assert apps.find("0x" + "00" * 20, "other") is None


def test_the_sample_app_needs_no_mapping() -> None:
    """It stands for what ``app init`` fills in too; another version of that is another app."""
    found = AppMap().find(APP, SAMPLE_IMAGE)
    assert found is not None
    assert Path(found.argv[1]).is_file()
    for template in (V6.app, V6.tee_app, TODAY.app):
        assert AppMap().find(APP, str(template["multiaddr"])) == found
        assert AppMap().find(APP, f"{template['multiaddr']}1") is None


@pytest.mark.parametrize("entry", ["echo hi", [], [1], ["a\0"], {"command": "x"}, None])
def test_bad_mappings(tmp_path: Path, entry: object) -> None:
    (tmp_path / "apps.json").write_text(json.dumps({"x/y": entry}))
    with pytest.raises(SandboxError, match="list of words"):
        AppMap(tmp_path / "apps.json").find(APP, "x/y")


def test_relative_programs_belong_to_the_mapping_file(room: Path) -> None:
    script = room / "tool"
    script.write_text(f"#!{sys.executable}\nimport sys; print(sys.argv[1:])\n")
    script.chmod(0o755)
    ran = run(Command(("./tool", "a"), room), ["b"], {}, room=room, limit=30)
    assert ran == Ran(b"['a', 'b']\n", b"", 0)
