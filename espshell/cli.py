"""The outer command line: what to connect to, what to run, and the exit status.

espshell [options] [-c LINE]... [SCRIPT [ARG...]]    a shell, or what is given
espshell sim CHIP [--pty | --tcp HOST:PORT | --rfc2217 HOST:PORT]          serve a simulated chip
espshell check SCRIPT...                             parse without a device
espshell ports                                       list the serial ports
espshell esptool ARGS...                             as esptool, with its arguments and status
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from espshell import __version__, signals
from espshell.device.target import SYNC_BAUD
from espshell.errors import BenchError, EspError, ScriptError, UsageError, file_error, printable
from espshell.files import SCRIPT, path_of, read_stream
from espshell.link import ports, reset
from espshell.link.reset import AFTER, BEFORE
from espshell.link.trace import Recorder, Viewer
from espshell.shell import script
from espshell.shell.arguments.types import chip_named, did_you_mean
from espshell.shell.check import check
from espshell.shell.crash import STOPPING, as_error
from espshell.shell.output import Output
from espshell.shell.registry import COMMANDS
from espshell.shell.runner import Runner
from espshell.shell.script import Given, Script
from espshell.shell.session import INTERRUPTED, Bench, Quit, Session
from espshell.units import parse_number

if TYPE_CHECKING:
    from espshell.ops.memory.symbols import Symbols

SCREEN = "-"
"""Standard input as a script; standard error as the file of ``--trace``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _prepare_streams()
    try:
        with signals.as_exceptions():
            return _main(arguments)
    except BrokenPipeError:  # whoever read our output has left; the rest of the work is not wanted
        return INTERRUPTED
    except STOPPING as stop:
        error = as_error(stop)
        _tell(error.one_line())
        return error.status
    finally:
        _leave_streams()


def _main(arguments: list[str]) -> int:
    commands = {"sim": _simulate, "check": _check, "ports": _list_ports, "esptool": _esptool}
    if arguments and (command := commands.get(arguments[0])):
        return command(arguments[1:])
    try:
        options = _parsed(arguments)
    except UsageError as error:
        Runner(Session(Output(as_json="--json" in arguments))).refuse(error)
        raise
    return _run(options)


def _prepare_streams() -> None:
    """Replace streams that are closed by empty ones, and write what a terminal cannot show as ?."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _leave_streams() -> None:
    """Write what is left; if that fails, it has been told, and Python shall not tell it again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"espshell: {printable(text)}", file=sys.stderr)  # noqa: T201


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line with a status, like all others."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(prog, description=description, epilog=epilog, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong as a usage error."""
        raise UsageError(message, hint="`espshell --help` shows the options")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="espshell",
        description="An interactive shell for the serial bootloader of Espressif chips.",
        epilog="espshell sim CHIP serves a simulated chip; espshell check SCRIPT parses one; "
        "espshell ports lists the serial ports.",
    )
    add = parser.add_argument
    add(
        "script",
        nargs="?",
        metavar="SCRIPT",
        help="a file of commands (.espsh); - for standard input",
    )
    add("arguments", nargs="*", metavar="ARG", help="its $1 to $9; behind -- they may begin with -")
    add(
        "-p",
        "--port",
        action=_Once,
        default=os.environ.get("ESPSHELL_PORT", ""),
        help="device or URL",
    )
    add(
        "-b",
        "--baud",
        action=_Once,
        default=os.environ.get("ESPSHELL_BAUD", str(SYNC_BAUD)),
        help="rate",
    )
    add("--chip", action=_Once, help="refuse any other chip")
    add("--before", default="default-reset", help=f"how to reset it: {', '.join(BEFORE)}")
    add("--after", choices=AFTER, default="hard-reset", help="how to leave the chip")
    add("--stub", choices=("auto", "always", "never"), default="auto", help="the flasher stub")
    add("--stub-dir", type=path_of, default=_folder_of_stubs(), help="where the stub's files are")
    add("--stub-version", type=int, choices=(1, 2), help="which generation of stubs")
    add("-c", "--command", action="append", default=[], metavar="LINE", help="run a line")
    add("-i", "--interactive", action="store_true", help="stay after -c and SCRIPT")
    add("--yes", action="store_true", help="confirm what is destructive")
    add("--keep-going", action="store_true", help="run all lines, exit with the worst status")
    add("--dry-run", action="store_true", help="show what would be written, send nothing")
    add("--json", action="store_true", help="one JSON object a command")
    add("--transcript", type=path_of, metavar="FILE", help="write commands and what came of them")
    add("--trace", metavar="[=FILE]", help="show every frame, or record them in a file")
    add("--color", choices=("auto", "always", "never"), default="auto", help="when to colour")
    add("--elf", type=path_of, metavar="FILE", help="names of a program for its addresses")
    add("--version", action="version", version=f"espshell {__version__}")
    return parser


class _Once(argparse.Action):
    """An option that is given at most once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store the value. Raises: UsageError for a second one."""
        if self.dest in vars(namespace).setdefault("given", set()):
            raise UsageError(f"{option_string} is given twice", hint="one board at a time")
        namespace.given.add(self.dest)
        setattr(namespace, self.dest, values)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options. Raises: UsageError; for a command in the place of a script, with -c."""
    words = _joined(arguments)
    try:
        return _parser().parse_intermixed_args(words)
    except UsageError as error:
        hints = filter(None, (_command_hint(word, ["..."]) for word in words))
        raise UsageError(error.message, hint=next(hints, error.hint)) from error


def _command_hint(word: str, rest: Sequence[str]) -> str:
    """Return how to run a command that stands where a script was expected; empty if it is none."""
    if not word or word.startswith("-") or not (COMMANDS.get(word) or COMMANDS.family(word)):
        return ""
    return f"`{word}` is a command: -c '{' '.join((word, *rest))}' runs it"


def _folder_of_stubs() -> Path | None:
    folder = os.environ.get("ESPSHELL_STUB_DIR")
    return path_of(folder) if folder else None


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join -c to its line, which may begin with a dash, and a lone --trace to its target."""
    joined: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            return [*joined, argument, *left]
        if argument in ("-c", "--command"):
            line = next(left, None)
            joined.append(argument if line is None else f"--command={line}")
        else:
            joined.append(f"--trace={SCREEN}" if argument == "--trace" else argument)
    return joined


def _run(options: argparse.Namespace) -> int:
    output = Output(as_json=options.json, color=options.color)
    session = Session(
        output,
        assume_yes=options.yes,
        keep_going=options.keep_going,
        dry_run=options.dry_run,
    )
    runner = Runner(session)
    with contextlib.closing(session):
        try:
            session.bench = _bench(options)
            session.watch(_tap(options.trace, output))
            session.log_to(options.transcript)
            if options.elf:
                session.symbols = _symbols(options.elf)
            scripts = _scripts(options)
            _check_and_connect(session, scripts)
        except STOPPING as stop:
            error = as_error(stop)
            runner.refuse(error)
            script.report(output, error)
            return error.status
        try:
            _run_scripts(runner, scripts)
            if options.interactive or not scripts:
                return _type(session)
        except Quit as leaving:
            return session.worst if leaving.status is None else leaving.status
        return session.worst


def _symbols(path: Path) -> Symbols:
    from espshell.ops.memory.symbols import load_symbols

    return load_symbols(path)


def _bench(options: argparse.Namespace) -> Bench:
    baud = parse_number(options.baud)
    if not baud:
        raise UsageError(f"`{options.baud}` is no baud rate", hint="115200 and 921600 are")
    reset.plan(options.before)  # raises if there is no such mode
    return Bench(
        port=options.port,
        baud=baud,
        chip=chip_named(options.chip) if options.chip else None,
        before=options.before,
        after=options.after,
        stub=options.stub,
        stub_dir=options.stub_dir,
        stub_version=options.stub_version,
    )


def _tap(trace: str | None, output: Output) -> Viewer | Recorder | None:
    if trace is None:
        return None
    return Viewer(sys.stderr.write) if trace == SCREEN else Recorder(path_of(trace), output.error)


def _scripts(options: argparse.Namespace) -> list[Given]:
    """Return what is to be run, in order: the lines of -c, the script, piped input."""
    found: list[Given] = [(Script("", line), []) for line in options.command]
    if options.script and options.script != SCREEN:
        found.append((_read(options.script, options.arguments), options.arguments))
    is_typed = sys.stdin.isatty() and sys.stdout.isatty()
    reads_on = options.interactive or not found
    if options.script == SCREEN or (reads_on and not is_typed):
        found.append((Script("<stdin>", _standard_input()), options.arguments))
    return found


def _standard_input() -> str:
    try:
        return read_stream(sys.stdin.buffer, "standard input", SCRIPT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not text (UTF-8)") from error
    except OSError as error:
        raise file_error("read", "standard input", error) from error


def _read(name: str, arguments: Sequence[str]) -> Script:
    """Read a script. Raises: UsageError, with what a port or a command would need."""
    if _PORTS.match(name):
        raise UsageError(f"{name} is a port, and no script", hint=f"-p {name} connects to it")
    try:
        return script.read(path_of(name))
    except UsageError as error:
        near = did_you_mean(name, ("sim", "check", "ports", "esptool"))
        hint = _command_hint(name, arguments) or near
        raise UsageError(error.message, hint=hint) from error


_PORTS = re.compile(r"/dev/(tty|cu\.|pts/|serial/|rfcomm)|[\w+]+://|COM\d+$", re.IGNORECASE)


def _check_and_connect(session: Session, scripts: list[Given]) -> None:
    """Check everything; connect if that needs a chip, and check the names, too."""
    if check(session, *scripts, to_run=True) and _has_port(session):
        session.connect(session.bench)
        check(session, *scripts, to_run=True)


def _has_port(session: Session) -> bool:
    """Say whether a port is known; the only likely board of the machine is one.

    Raises: BenchError if there are several, and nobody to ask.
    """
    if session.bench.port:
        return True
    likely = [port for port in ports.list_ports() if port.is_likely]
    if len(likely) > 1:
        names = ", ".join(port.device for port in likely)
        raise BenchError(f"there are several boards: {names}", hint="say which with --port")
    for port in likely:
        session.bench = replace(session.bench, port=port.device)
        session.output.note(f"taking {port.device}, the only board ({port.kind})")
    return bool(likely)


def _run_scripts(runner: Runner, scripts: list[Given]) -> None:
    """Run scripts until one fails, or all; the worst status is left in the session."""
    for text, arguments in scripts:
        try:
            runner.run_script(text, arguments)
        except ScriptError as error:
            script.report(runner.session.output, error)
            return


def _type(session: Session) -> int:
    """Let a person type; after piped input there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return session.worst
    from espshell.shell.terminal import repl

    session.interactive = True
    return repl.run(session)


def _check(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="espshell check", description="Parse scripts without a device.")
    parser.add_argument("scripts", nargs="+", metavar="SCRIPT")
    session = Session(Output())
    worst = 0
    for name in parser.parse_args(arguments).scripts:
        try:
            check(session, (script.read(path_of(name)), ["0"] * 9))
        except EspError as error:
            script.report(session.output, error)
            worst = max(worst, error.status)
    return worst


def _esptool(arguments: Sequence[str]) -> int:
    from espshell.shell.esptool import front

    return front.run(arguments)


def _list_ports(arguments: Sequence[str]) -> int:
    parser = _Parser("espshell ports", "List the serial ports, likely boards first.")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    options = parser.parse_args(arguments)
    return Runner(Session(Output(as_json=options.json))).run_line("ports")


def _simulate(arguments: Sequence[str]) -> int:
    from espshell.sim import serve, url

    parser = _Parser(prog="espshell sim", description="Serve a simulated chip in real time.")
    add = parser.add_argument
    add("chip", metavar="CHIP", help="such as esp32c3, also with options: 'esp32c3?flash=8M'")
    place = parser.add_mutually_exclusive_group().add_argument
    place("--pty", action="store_true", help="on a pseudo-terminal (the default)")
    place("--tcp", metavar="HOST:PORT", help="on a TCP port, for socket://; loopback if no HOST")
    place("--rfc2217", metavar="HOST:PORT", help="likewise, for rfc2217://: with resets and rates")
    add("--flash-file", type=path_of, help="contents of the flash, read and written")
    add("--fault", action="append", default=[], metavar="RULE", help="such as drop@reply:37")
    options = parser.parse_args(arguments)
    chip = options.chip if "://" in options.chip else f"{url.SCHEME}{options.chip}"
    chip = url.with_faults(chip, options.fault)
    if options.tcp:
        host, port = _address(options.tcp)
        serve.serve_tcp(chip, host, port, _announce, flash_file=options.flash_file)
    elif options.rfc2217:
        host, port = _address(options.rfc2217)
        serve.serve_rfc2217(chip, host, port, _announce, flash_file=options.flash_file)
    else:
        serve.serve_pty(chip, _announce, flash_file=options.flash_file)
    return 0


def _announce(name: str) -> None:
    print(name, flush=True)  # noqa: T201


def _address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``PORT``; loopback by default."""
    host, _, port = text.rpartition(":")
    host, bracketed = host.removeprefix("[").removesuffix("]"), host[:1] + host[-1:] == "[]"
    if not port.isdecimal() or int(port) > 65535 or bracketed != (":" in host):
        hint = "127.0.0.1:5555, [::1]:5555, or 0 for any port"
        raise UsageError(f"`{text}` is no HOST:PORT", hint=hint)
    return host or "127.0.0.1", int(port)
