"""The command line of the program: its options, its scripts and its exit status.

espshell [options] [-c LINE]... [SCRIPT [ARG...]]    a shell, or the given lines and script
espshell sim CHIP [--pty | --tcp HOST:PORT | --rfc2217 HOST:PORT]          serve a simulated chip
espshell check SCRIPT...                             parse without a device
espshell compare PORT1 PORT2 [REGION]                where the flash of two boards differs
espshell ports                                       list the serial ports
espshell esptool ARGS...                             like esptool, with its arguments and status
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from espshell import board_programs, boards, regex, signals, subcommands
from espshell.errors import BenchError, EspError, ScriptError, UsageError, file_error, printable
from espshell.files import SCRIPT, path_of, read_stream, require_folder, require_no_folder
from espshell.link import ports, reset, trace
from espshell.ops.chip import info
from espshell.options import STREAM, command_hint, parsed
from espshell.records import replace
from espshell.shell import config, junit, report_page, script
from espshell.shell.arguments.types import chip_named, did_you_mean
from espshell.shell.check import check, require_own_files
from espshell.shell.commands import shell
from espshell.shell.crash import STOPPING, Interrupted, as_error
from espshell.shell.esptool import front
from espshell.shell.output import Output
from espshell.shell.runner import Runner
from espshell.shell.script import Given, Script
from espshell.shell.session import Quit, Session
from espshell.shell.settings import Bench
from espshell.shell.terminal import greeting, repl
from espshell.shell.transcript import Log

if TYPE_CHECKING:
    from espshell.shell.config import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _prepare_streams()
    try:
        with signals.as_exceptions():
            return _main(arguments)
    except BrokenPipeError:  # the reader of our output has closed it and needs no more
        return Interrupted.exit_status
    except STOPPING as stop:
        error = as_error(stop)
        with contextlib.suppress(OSError):
            print(f"espshell: {printable(error.with_link())}", file=sys.stderr)  # noqa: T201
        return error.status
    finally:
        _leave_streams()


def _main(arguments: list[str]) -> int:
    commands = {
        "sim": subcommands.simulate,
        "check": subcommands.check_scripts,
        "compare": lambda words: _main(subcommands.comparison(words)),
        "ports": subcommands.list_ports,
    }
    if arguments and (command := commands.get(arguments[0])):
        return command(arguments[1:])
    if arguments[:1] == ["esptool"]:
        return front.run(arguments[1:])
    try:
        several = boards.requested(arguments)
        options = parsed(several.arguments if several else arguments)
        loaded = _configuration(options)
        if not several:
            options = _options(arguments, loaded.options if loaded else {})
    except EspError as error:
        Runner(Session(Output(as_json="--json" in arguments))).refuse(error)
        raise
    return _run_on_boards(several, options, loaded) if several else _run(options, loaded)


def _options(arguments: list[str], defaults: Mapping[str, str]) -> argparse.Namespace:
    """Return the options, with ``{port}`` in them replaced by the port. Raises: UsageError."""
    options = parsed(arguments, defaults)
    bench = Bench(port=options.port or "")
    words = [bench.placed(word) for word in arguments]
    return options if words == arguments else parsed(words, defaults)


def _configuration(options: argparse.Namespace) -> Config | None:
    """Return what configuration files say; None where no person types and none is asked for."""
    typed = not (options.command or options.script) and _is_terminal()
    if not (typed or options.config or options.profile):
        return None
    ask = partial(config.agree, Output(color=options.color)) if typed else None
    return config.load(file=options.config, profile=options.profile, ask=ask)


def _run_on_boards(
    request: boards.Request, options: argparse.Namespace, loaded: Config | None
) -> int:
    """Run the lines on several boards. Raises: UsageError where a prompt was to follow."""
    has_lines = bool(options.script or options.command)
    if options.interactive or not (has_lines or not sys.stdin.isatty()):
        hint = "several boards need a SCRIPT or -c LINE"
        raise UsageError("the prompt works with one board", hint=hint)
    output = Output(as_json=options.json, color=options.color)
    session = Session(output)
    try:
        if loaded and (loaded.settings or loaded.aliases):
            shell.configure(session, loaded)
        scripts = _scripts(options)
        first = [(loaded.startup, ())] if loaded and loaded.startup else []
        require_own_files(session, *first, *scripts)
    except EspError as error:
        Runner(session).refuse(error)
        script.report(output, error)
        return error.status
    given = next((text.text for text, _ in scripts if text.name == _INPUT), "")
    return board_programs.run(request, given.encode())


def _prepare_streams() -> None:
    """Replace closed streams by empty ones; write ? for characters that a terminal cannot show."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _leave_streams() -> None:
    """Flush the output; after a failure, which was reported, keep Python from a second report."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(options: argparse.Namespace, loaded: Config | None) -> int:
    """Run all lines; return the worst status, also of the records of the run."""
    output = Output(as_json=options.json, color=options.color)
    return max(_run_lines(output, options, loaded), output.record_status)


def _run_lines(output: Output, options: argparse.Namespace, loaded: Config | None) -> int:
    session = Session(output, assume_yes=options.yes, keep_going=options.keep_going)
    session.dry_run = options.dry_run
    runner = Runner(session)
    with contextlib.closing(session), contextlib.ExitStack() as stack:
        try:
            if loaded and (loaded.settings or loaded.aliases):
                shell.configure(session, loaded)
            _open_records(runner, options, stack)
            scripts, first = _prepared(session, options, loaded)
        except STOPPING as stop:
            error = as_error(stop)
            runner.refuse(error)
            script.report(output, error)
            session.verdicts.append(("start", error.status, error.one_line()))
            if runner.report is not None:
                runner.report.refuse(error)
            return error.status
        try:
            _run_scripts(runner, scripts)
            if options.interactive or not scripts:
                return _type(session, first)
        except Quit as leaving:
            return session.worst if leaving.status is None else leaving.status
        return session.worst


def _open_records(runner: Runner, options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    """Open what the run is to be written to, closed with the stack. Raises: UsageError."""
    session = runner.session
    if options.junit:
        require_folder(options.junit)
        require_no_folder(options.junit)
        runner.report = junit.Report(options.junit)
        stack.callback(_write_record, session.output, runner.report.write)
    if options.report:
        report_page.require_format(options.report)
        require_folder(options.report)
        stack.push(partial(_write_report, session, options.report))
    if options.log:
        session.output.records.append(log := Log(options.log))
        stack.callback(session.output.end_record, log)
    session.watch(_tap(options.trace, session.output))
    session.log_to(options.transcript)


def _write_report(
    session: Session,
    path: Path,
    _kind: type[BaseException] | None,
    stop: BaseException | None,
    _trace: TracebackType | None,
) -> None:
    """Write what the board is; one whose run was ended from outside is asked nothing."""
    stopped = as_error(stop).one_line() if stop else ""
    _write_record(session.output, partial(report_page.write, session, path, stopped))


def _write_record(output: Output, write: Callable[[], object]) -> None:
    """Write what is written at the end; a failure hides neither another one nor the worst."""
    try:
        write()
    except EspError as error:
        output.record_failed(f"espshell: {error.with_link()}")


def _prepared(
    session: Session, options: argparse.Namespace, loaded: Config | None
) -> tuple[list[Given], Script | None]:
    """Read and check what is to run, and connect if it needs a chip.

    Returns the scripts, and the lines that come before the first that is typed. Raises: EspError.
    """
    session.bench = _bench(options)
    if options.elf:
        from espshell.ops.memory.symbols import load_symbols

        session.symbols = load_symbols(options.elf)
    if options.svd:
        from espshell.ops.memory.registers import load_svd

        session.svd = load_svd(options.svd)
    scripts = _scripts(options)
    first = loaded.startup if loaded else None
    if scripts and first:
        scripts, first = [(first, []), *scripts], None
    needs = check(session, *scripts, to_run=True)
    if needs.chip and _has_port(session):
        session.connect(session.bench)
        if options.report:  # it names the board, also one that is lost
            with contextlib.suppress(EspError):
                session.identity = info.info(session.chip)
        if needs.names:
            check(session, *scripts, to_run=True)
    return scripts, first


def _bench(options: argparse.Namespace) -> Bench:
    reset.plan(options.before)  # raises for an unknown mode
    bench = Bench(
        port=options.port,
        chip=chip_named(options.chip) if options.chip else None,
        before=options.before,
        after=options.after,
        stub=options.stub,
        stub_dir=options.stub_dir,
        stub_version=options.stub_version,
    )
    return bench.at_rate(options.baud) if options.baud else bench


def _tap(target: str | None, output: Output) -> trace.Viewer | trace.Recorder | None:
    if target is None:
        return None
    if target == STREAM:
        return trace.Viewer(sys.stderr.write)
    return trace.Recorder(path_of(target), output.record_failed)


def _scripts(options: argparse.Namespace) -> list[Given]:
    """Return the scripts to run, in order: the lines of -c, the script, piped input."""
    scripts: list[Given] = [(Script("", line), []) for line in options.command]
    if options.script and options.script != STREAM:
        scripts.append((_read(options.script, options.arguments), options.arguments))
    reads_on = options.interactive or not scripts
    if options.script == STREAM or (reads_on and not _is_terminal()):
        scripts.append((Script(_INPUT, _standard_input()), options.arguments))
    return scripts


_INPUT = "<stdin>"


def _standard_input() -> str:
    """Return the script that is piped in. Raises: UsageError."""
    try:
        return read_stream(sys.stdin.buffer, "standard input", SCRIPT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not text (UTF-8)") from error
    except OSError as error:
        raise file_error("read", "standard input", error) from error


def _read(name: str, arguments: Sequence[str]) -> Script:
    """Read a script. Raises: UsageError; a port or a command in its place gets a hint."""
    if _PORTS.match(name):
        raise UsageError(f"{name} is a port, not a script", hint=f"-p {name} connects to it")
    try:
        return script.read(path_of(name))
    except UsageError as error:
        near = did_you_mean(name, ("sim", "check", "compare", "ports", "esptool"))
        hint = command_hint(name, arguments) or near
        raise UsageError(error.message, hint=hint) from error


_PORTS = regex.late(r"/dev/(tty|cu\.|pts/|serial/|rfcomm)|[\w+]+://|usb:|COM\d+$", re.IGNORECASE)


def _has_port(session: Session) -> bool:
    """Return whether there is a port; the only likely board of the machine becomes the port.

    Raises: BenchError if there are several.
    """
    if session.bench.port:
        return True
    likely = [port for port in ports.list_ports() if port.is_likely]
    if len(likely) > 1:
        names = ", ".join(port.device for port in likely)
        raise BenchError(f"there are several boards: {names}", hint="choose one with --port")
    for port in likely:
        session.bench = replace(session.bench, port=port.device)
        session.output.note(f"taking {port.device}, the only board ({port.kind})")
    return bool(likely)


def _run_scripts(runner: Runner, scripts: list[Given]) -> None:
    """Run scripts until one fails, or all; the session keeps the worst status."""
    for text, arguments in scripts:
        try:
            runner.run_script(text, arguments)
        except ScriptError as error:
            script.report(runner.session.output, error)
            return


def _is_terminal() -> bool:
    """Return whether a person can type and read."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _type(session: Session, first: Script | None) -> int:
    """Let a person type lines after start-up lines, unless input or output is piped."""
    if not _is_terminal():
        return session.worst
    session.interactive = True
    terminal = greeting.greet(session)
    return repl.run(session, first, terminal)
