"""``iexec-lite order sign --stdin``: any number of orders, a line of JSON in, a line of JSON out.

A line that is refused gives a line too, ``{"line": 7, "error": {…}}``: so the lines of both sides
belong together by their number, and what was cut off goes on where it ended (``--resume``). Lines
are written as they are done. Nothing is contacted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from ..errors import ConfigurationError, IExecError
from . import orders, output, project, prompts, wallets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    Signed = Generator[str | IExecError, None, None]
    Sign = Callable[..., Signed]  # lines, and how many processes

__all__ = ["refuse_stream_options", "sign_stream"]

MAX_LINE = 128 * 1024  # bytes; the library refuses what is longer
MAX_SHOWN = 10  # refused lines that are told at the end; all of them are in the output
BOM = b"\xef\xbb\xbf"  # what some programs of Windows write first


def refuse_stream_options(options: argparse.Namespace) -> None:
    """The options of ``--stdin`` mean nothing without it."""
    for name in ("jobs", "output", "resume", "stop_on_error"):
        if getattr(options, name) not in (None, False):
            raise ConfigurationError(f"--{name.replace('_', '-')} goes with --stdin")


def sign_stream(options: argparse.Namespace) -> output.Result:
    """Sign the orders of standard input; the result tells how many, and what was refused."""
    from ..sdk.client import IExec

    kind = _kind(options)
    if options.resume and options.output is None:
        raise ConfigurationError("--resume goes on with a file: name it with --output")
    if options.raw and options.output is None:
        raise ConfigurationError("with --raw, standard output is not for orders: give --output")
    if options.password_file == "-":  # noqa: S105
        raise ConfigurationError("standard input holds the orders: read the password from a file")
    chain = project.selected_chain(options).chain
    wallet = wallets.require(options)
    lines = _lines(_bytes(sys.stdin))
    # The wallet is unlocked now, not in the middle of the work.
    with ExitStack() as stack, IExec(chain=chain, signer=wallet.signer) as client:

        def sign(given: Iterable[bytes], jobs: int = 1) -> Signed:
            return client.order.sign_lines(kind, given, jobs=jobs)

        if options.output is None:
            return _sign_all(lines, sign, _bytes(sys.stdout), 0, options)
        file = stack.enter_context(_opened(Path(options.output), options))
        done = _skip_done(file, lines, sign, kind) if options.resume else 0
        return _sign_all(lines, sign, file, done, options)


def _kind(options: argparse.Namespace) -> str:
    chosen = [name for name in orders.RESOURCES if getattr(options, name)]
    if len(chosen) != 1:
        kinds = ", ".join(f"--{name}" for name in orders.RESOURCES)
        raise ConfigurationError(f"say of which one kind the orders are: {kinds}")
    return f"{chosen[0]}order"


def _bytes(stream: TextIO) -> BinaryIO:
    """The bytes below a text stream: JSON is UTF-8, whatever the system's encoding."""
    stream.flush()
    return stream.buffer


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream; of one that is too long no more than shows that."""
    first = True
    while line := stream.readline(MAX_LINE + 1):
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(MAX_LINE)):
            pass
        yield line.removeprefix(BOM) if first else line
        first = False


def _opened(path: Path, options: argparse.Namespace) -> BinaryIO:
    """The file for the signed orders, at whose end is written. One that exists is not lost."""
    if options.resume:
        return path.open("r+b" if path.exists() else "w+b")
    if os.path.lexists(path) and not prompts.confirm(
        f'"{path}" already exists, replace it? (--resume goes on with it)', options
    ):
        raise IExecError(f"Operation aborted by user. {path} was kept")
    return path.open("wb")


def _skip_done(file: BinaryIO, lines: Iterator[bytes], sign: Sign, kind: str) -> int:
    """How many lines are done: those are passed over, and half a line at the end is cut off."""
    done, end, last, given = 0, 0, b"", b""
    for line in file:
        if line.endswith(b"\n"):
            done, end, last = done + 1, end + len(line), line
        elif not _may_be_ours(line, kind):
            raise ConfigurationError(
                f"--resume: the end of {file.name} is no part of a signed {kind}: "
                "name the file that this command has written"
            )
    for count in range(done):
        found = next(lines, None)
        if found is None:
            raise ConfigurationError(f"--resume: {done} lines are done, but {count} were given")
        given = found
    if done and _meaning(last) != _meaning(next(sign([given]))):
        raise ConfigurationError(
            f"--resume: line {done} of the output is not what line {done} of the input gives: "
            "give the same input, order kind, wallet and chain"
        )
    file.seek(end)
    file.truncate()
    return done


def _may_be_ours(half: bytes, kind: str) -> bool:
    """Whether a line that we write begins like this: something else is not ours to cut off."""
    from ..protocol.orders import ORDER_KINDS

    first = next(name for name, _ in ORDER_KINDS[kind].fields())  # an address, in every kind
    heads = b'{"line": ', f'{{"{first}":"0x'.encode()
    return any(half.startswith(head[: len(half)]) for head in heads)


def _meaning(line: bytes | str | IExecError) -> object:
    """An order without what signing draws; of a refused one nothing."""
    if isinstance(line, IExecError):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict):
        return line
    if found.keys() == {"line", "error"}:
        return None
    return {name: value for name, value in found.items() if name not in ("salt", "sign")}


def _sign_all(
    lines: Iterator[bytes], sign: Sign, file: BinaryIO, done: int, options: argparse.Namespace
) -> output.Result:
    """Write a line for each line that is left."""
    number, refused = done, 0
    failures = []
    resume = " (--resume goes on from there)" if options.output else ""
    jobs = 1 if options.jobs is None else options.jobs
    with closing(sign(lines, jobs)) as found:
        try:
            for each in found:
                if isinstance(each, IExecError):
                    text = f"line {number + 1}: {each.message}"
                    if options.stop_on_error:
                        raise IExecError(f"stopped at {text}{resume}", cause=each)
                    refused += 1
                    if refused <= MAX_SHOWN:
                        failures.append(text)
                    line = json.dumps({"line": number + 1, "error": each.to_dict()})
                else:
                    line = each
                file.write(line.encode() + b"\n")
                file.flush()
                number += 1
        except KeyboardInterrupt:
            raise IExecError(f"Interrupted{resume}") from None
    if refused > MAX_SHOWN:
        failures.append(f"and {refused - MAX_SHOWN} more")
    signed = number - done - refused
    output.info(f"{signed} signed" + (f", {done} before" if done else ""), options)
    return output.Result(
        payload={"signed": signed, "refused": refused, "before": done},
        failures=failures,
        title=f"{refused} refused",
    )
