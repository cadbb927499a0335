"""`waspada COMMAND ...`: finds the command's module, runs it, and says what went wrong in one sentence.

A command is a module `waspada/<command>.py` with two functions: `add(subparsers)` makes its argument parser,
`run(args) -> int` does the work and returns 0 (done) or 1 (it ran and the answer is no). Unusable arguments or input
exit with 2: raise `simulator.errors.InputError("one sentence")`. Every command has `--json`: its last line of output is
one JSON object, `{"error": "..."}` when there is no answer.
"""

import argparse
import contextlib
import errno
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from simulator.errors import InputError
from waspada import __version__

COMMANDS = (
    "demo",
    "simulate",
    "backtest",
    "station",
    "hardware",
    "gateway",
    "order",
    "enrol",
    "flash",
    "console",
    "update",
    "bench",
)

DONE, UNUSABLE, INTERRUPTED, PIPE_CLOSED = 0, 2, 130, 141


class Parser(argparse.ArgumentParser):
    """Raises where argparse would print two lines and exit, so that `main` answers every error in the same way."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (try `{self.prog} --help`)")


class CommandParser(Parser):
    """A command's parser: it has `--json` without asking for it, and may say more about it.

    What it does not know it refuses itself: its own help lists what is allowed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"conflict_handler": "resolve", **options})
        self.add_argument("--json", action="store_true", help="one JSON object as the last line of output")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


def parser(commands: Sequence[str] = COMMANDS) -> Parser:
    """The parser for these commands; only their modules are imported."""
    made = Parser(prog="waspada", description="Flood-gauge stations: simulated, flashed, gathered.")
    made.add_argument("--version", action="version", version=f"waspada {__version__}")
    subparsers = made.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=CommandParser)
    for name in commands:
        _module(name).add(subparsers)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    _somewhere_to_write()
    as_json = "--json" in argv
    named: Sequence[str] = COMMANDS
    if argv and argv[0] in (*COMMANDS, "--version"):
        named = tuple(name for name in COMMANDS if name == argv[0])
    try:
        with _ended_as_by_ctrl_c():
            args = parser(named).parse_args(argv)
            code = int(_module(args.command).run(args))
            sys.stdout.flush()
            return code
    except InputError as error:
        return _say(str(error), as_json, UNUSABLE)
    except KeyboardInterrupt:
        return _say("interrupted", as_json, INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`waspada ... | head`).
        _output_to_nowhere()
        return PIPE_CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _output_to_nowhere()
        return _say(
            f"{error.filename or 'the output'}: no space left there; make room and give the command again",
            False,
            UNUSABLE,
        )
    except Exception as error:
        if as_json:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        raise


def _somewhere_to_write() -> None:
    """Where the caller closed standard output or error (`>&-`) Python has none at all: the exit code is still an answer."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _output_to_nowhere() -> None:
    """Python flushes stdout once more at exit: what is left then has somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP are KeyboardInterrupt too: children are ended, temporary folders removed. What is ignored (nohup) stays so."""
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _module(command: str) -> Any:
    return importlib.import_module("waspada." + command)


def _say(sentence: str, as_json: bool, code: int) -> int:
    print(f"waspada: {sentence}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": sentence}), flush=True)
    return code
