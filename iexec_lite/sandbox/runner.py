"""One run of an app: its command, its environment, its time limit (worker.md §1).

On chain an app is an image name; here ``AppMap`` says which command stands for it: a JSON file
``{"<app address or image name>": ["program", "argument", …]}``, or the sample app that comes with
the sandbox, for its own image and those that ``app init`` fills in. An argument list, never a
shell: arguments are public and come from strangers. The app runs as the user, without isolation:
map only commands that you would run yourself. Nothing of our environment reaches the app but
``PATH`` (and what Windows needs to start programs).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SandboxError
from ..eth.codec import address_to_bytes
from ..protocol import templates
from .folders import read_json
from .runtime import PAST, Runtime

__all__ = ["SAMPLE_IMAGE", "AppError", "AppMap", "Command", "Ran", "environment", "run"]

# Where the sample app claims to come from: the multiaddr to deploy it with.
SAMPLE_IMAGE = "docker.io/iexec-lite/sandbox-sample:1.0.0"
# And what `app init` of the command lines (V6's too) fills in, so that it runs as it is.
_TEMPLATES = tuple(
    str(app["multiaddr"])
    for each in (templates.V6, templates.TODAY)
    for app in (each.app, each.tee_app)
)
SAMPLE = Path(__file__).parent / "sample_app" / "app.py"

STOP_GRACE = 10.0  # seconds between SIGTERM and SIGKILL, as Docker's
MAX_LOG = 64 * 1024 * 1024  # bytes of stdout, and of stderr
POLL = 0.02


@dataclass(frozen=True, slots=True)
class Command:
    """What to run for an app: the beginning of its argument list, and where."""

    argv: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Ran:
    """What an app wrote, and its exit status: None where it had to be stopped."""

    stdout: bytes
    stderr: bytes
    status: int | None


class AppError(SandboxError):
    """An app that ended with another status than 0, or not in time; ``ran`` is what it wrote."""

    def __init__(self, message: str, ran: Ran) -> None:
        super().__init__(message)
        self.ran = ran


class AppMap:
    """Commands by app address or image name, read anew for each task."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def find(self, address: str, image: str) -> Command | None:
        """The command of an app; its address counts before its image name."""
        entries = self._entries()
        for key in (address.lower(), image):
            if key in entries:
                return entries[key]
        return Command((sys.executable, str(SAMPLE)), SAMPLE.parent) if _is_sample(image) else None

    def _entries(self) -> dict[str, Command]:
        if self._path is None:
            return {}
        result = {}
        for name, argv in (read_json(self._path) or {}).items():
            words = argv if isinstance(argv, list) else []
            if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
                raise SandboxError(f"{self._path}: {name!r} must be a list of words, program first")
            with contextlib.suppress(ValueError):  # an image name is no address
                name = "0x" + address_to_bytes(name).hex()  # noqa: PLW2901
            result[name] = Command(tuple(words), self._path.parent)
        return result


def _is_sample(image: str) -> bool:
    known = (SAMPLE_IMAGE, *_TEMPLATES)
    return image in known or f"docker.io/{image}" in known


def environment(
    *,
    taskid: str,
    folder_in: Path,
    folder_out: Path,
    dataset: str = "",
    dataset_name: str = "",
    bot_size: int = 1,
    bot_first: int = 0,
    index: int = 0,
    input_files: Sequence[str] = (),
    dealid: str = "",
    runtime: Runtime = PAST,
) -> dict[str, str]:
    """The variables of the app runtime contract, as workers set them (worker.md §1.1).

    ``dataset`` is its address in lower case, empty without one; ``index`` is absolute.
    """
    dataset = dataset or runtime.no_dataset
    result = {
        "IEXEC_TASK_ID": taskid,
        "IEXEC_IN": os.fspath(folder_in),
        "IEXEC_OUT": os.fspath(folder_out),
        "IEXEC_DATASET_ADDRESS": dataset,
        "IEXEC_DATASET_FILENAME": runtime.dataset_name(dataset_name, dataset),
        "IEXEC_BOT_SIZE": str(bot_size),
        "IEXEC_BOT_FIRST_INDEX": str(bot_first),
        "IEXEC_BOT_TASK_INDEX": str(index),
        "IEXEC_INPUT_FILES_NUMBER": str(len(input_files)),
    }
    if runtime.knows_deal:
        result |= {"IEXEC_DEAL_ID": dealid, "IEXEC_TASK_INDEX": str(index)}
    if runtime.folder_always or input_files:
        result["IEXEC_INPUT_FILES_FOLDER"] = os.fspath(folder_in)
    for number, name in enumerate(input_files, 1):
        result[f"IEXEC_INPUT_FILE_NAME_{number}"] = name
    return result


def run(
    command: Command,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    room: Path,
    limit: float,
    stopped: Callable[[], bool] = bool,
) -> Ran:
    """Run the app to its end; what it wrote.

    ``room`` is the task's private folder, ``limit`` seconds. AppError where the app exits with
    another status than 0 or takes too long; SandboxError where it cannot be started, floods stdout
    or stderr, or when ``stopped()`` (retryable). Whatever it left running is ended.
    """
    home = room / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.fspath(home), "LANG": "C.UTF-8"}
    for name in ("SYSTEMROOT", "PATHEXT", "COMSPEC") if os.name == "nt" else ():
        env[name] = os.environ.get(name, "")
    env |= variables
    argv = [_program(command), *command.argv[1:], *arguments]
    logs = (room / "stdout", room / "stderr")
    with logs[0].open("wb") as stdout, logs[1].open("wb") as stderr:
        try:
            process = subprocess.Popen(  # noqa: S603  # the user's own command, no shell
                argv,
                cwd=command.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=os.name == "posix",
            )
        except (OSError, ValueError) as error:
            raise SandboxError(f"the app cannot be started: {error}", cause=error) from error
        try:
            in_time = _wait(process, logs, limit, stopped)
        finally:
            _end(process)
    _check_size(logs)  # it may have written fast and ended between two looks
    ran = Ran(logs[0].read_bytes(), logs[1].read_bytes(), process.returncode if in_time else None)
    if not in_time:
        raise AppError(f"the app did not end within {limit:.0f} seconds (its category)", ran)
    if ran.status != 0:
        words = ran.stderr[-500:].decode("utf-8", "replace").strip()
        raise AppError(
            f"the app ended with status {ran.status}" + (f": {words}" if words else ""), ran
        )
    return ran


def _program(command: Command) -> str:
    """The program's path: a relative one with a folder is meant from the mapping file."""
    name = command.argv[0]
    if os.path.dirname(name):
        return os.fspath(command.folder / name)
    return shutil.which(name) or name


def _wait(
    process: subprocess.Popen[bytes],
    logs: Sequence[Path],
    limit: float,
    stopped: Callable[[], bool],
) -> bool:
    """Wait for the end of the app; False where it does not come in time."""
    end = time.monotonic() + limit
    while process.poll() is None:
        if time.monotonic() > end:
            return False
        if stopped():
            raise SandboxError("the app was ended, as the sandbox stops", retryable=True)
        _check_size(logs)
        time.sleep(POLL)
    return True


def _check_size(logs: Sequence[Path]) -> None:
    for log in logs:
        if log.stat().st_size > MAX_LOG:
            raise SandboxError(f"the app wrote more than {MAX_LOG} bytes to {log.name}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the app and whatever it started: a container would end with it."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_GRACE)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(OSError):  # nobody is left
        if os.name == "posix":
            # Its own session: the group id is its pid, and stays taken while a member lives.
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.terminate()
