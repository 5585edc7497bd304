"""loadram, monitor, syms, memtest, call: programs in RAM, and what else runs on the chip."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from espshell import files
from espshell.device.target import SYNC_BAUD, require_rate
from espshell.errors import UsageError
from espshell.link.port import Port, open_port
from espshell.ops.chip import call as calling
from espshell.ops.chip import connection
from espshell.ops.chip import loadram as loadram_module
from espshell.ops.memory import memtest as testing
from espshell.ops.memory import symbols
from espshell.records import replace
from espshell.render import render
from espshell.render.chip import ram
from espshell.render.document import Document
from espshell.shell.arguments.places import ADDRESS, REGION, Extent
from espshell.shell.arguments.types import (
    INPUT_FILE,
    NUMBER,
    NUMBERS_OR_NONE,
    RATES,
    SECONDS,
    TEXT,
    complete_files,
    mapped,
    offer,
)
from espshell.shell.commands.memory import Force
from espshell.shell.declaration import DRY_RUN, Option, Trait
from espshell.shell.outcome import Presentation, shown
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.shell.terminal import monitor
from espshell.span import Span
from espshell.units import hex32, size_text

VERBS = Registry("Programs")

GONE = "the loader has stopped; `reconnect` resets the chip into it again"

FILE_OR_PATTERN = replace(
    TEXT, kind="file or pattern", complete=complete_files, label="FILE|PATTERN"
)
"""The name of a file, or a pattern of names."""


RATE = replace(mapped(NUMBER, require_rate), complete=offer("74880", *RATES))
"""A baud rate that a chip can have."""

Until = Annotated[
    str, Option("--until", "stop at this output; fail if it does not come within 10 s", TEXT)
]
Timeout = Annotated[float | None, Option("--timeout", "stop after this time", SECONDS, short="-t")]


@VERBS.add("loadram", aliases=["load-ram"], options=[DRY_RUN], needs="memory")
def loadram(
    session: Session,
    file: Annotated[Path, INPUT_FILE],
    *,
    no_run: Annotated[bool, Option("--no-run", "load only; stay in the bootloader")] = False,
    no_monitor: Annotated[bool, Option("--no-monitor", "do not show the program's output")] = False,
    baud: Annotated[
        int | None,
        Option("--monitor-baud", "baud rate of the program's output (the loader's)", RATE),
    ] = None,
    until: Until = "",
    timeout: Timeout = None,
    check: Annotated[bool, Option("--check", "read back before starting it")] = False,
    force: Annotated[
        bool,
        Option("--force", "load even an image that is damaged or for another chip or revision"),
    ] = False,
) -> loadram_module.RamLoaded | Presentation:
    """Load a program into RAM, start it and show its output.

    FILE is an image with RAM segments (.bin or Intel HEX) or an ELF file. Every segment is checked
    against the chip's RAM and the running stub before anything is sent. Ctrl-C stops the output.
    `load FILE mem:ADDRESS` writes raw bytes to RAM. In a script: loadram x.bin --until "ready"
    --timeout 5.

    Example: loadram --no-run program.bin
    """
    wish = monitor.Wish(until, timeout, baud)
    if wish.is_bounded and (no_run or no_monitor):
        raise UsageError("--until and --timeout need a program that is started and monitored")
    target = session.chip
    plan = loadram_module.plan_ram(target, file, run=not no_run, force=force)
    if plan.clash is not None:  # who lies where; the refusal follows
        notes = session.output.notes_view
        session.output.aside(Document(lambda view: ram.picture(plan.pieces, view), notes))
    by_stub = target.loader.dialect.is_stub
    with session.changing("RAM may hold a part of the program"):
        result = loadram_module.load_ram(
            target,
            plan,
            run=not no_run,
            verify=check or (by_stub and session.settings.verify),
            report=session.output.progress,
        )
    if not result.started:
        return result
    listens = not no_monitor and (wish.is_bounded or monitor.is_live(session))
    if not (listens or no_monitor):
        session.output.note("its output is not shown; --until TEXT or --timeout S shows it")
    return _followed(session, result, wish if listens else None)


@VERBS.add("monitor")
def monitor_command(
    session: Session,
    *,
    run: Annotated[
        bool, Option("--run", "start the application first; shows its boot log")
    ] = False,
    baud: Annotated[int, Option("--baud", "baud rate of the output (115200)", RATE)] = SYNC_BAUD,
    until: Until = "",
    timeout: Timeout = None,
) -> Presentation:
    """Show the application's output until Ctrl-C.

    After `run` the port is opened without a reset; `monitor --run` starts the application itself
    and shows the boot log, too. In a script: monitor --run --until "ready" -t 5.

    Example: monitor --run --timeout 100ms
    """
    wish = monitor.Wish(until, timeout, baud)
    monitor.require_end(session, wish)
    with _line(session, baud, run=run) as port:
        heard = monitor.follow(session, port, wish)
    return shown(monitor.without_expected_reset(heard) if run else heard)


@VERBS.add("syms", traits=Trait.SYMBOLS)
def syms(session: Session, what: Annotated[str, FILE_OR_PATTERN] = "") -> symbols.SymbolList:
    """Load the symbols of an ELF file, or list loaded symbols.

    syms build/app.elf, then syms *counter*. Symbols are addresses in every expression: peek
    app_main, dump some_buffer, expect [g_counter] == 3. Registers and regions take precedence. An
    existing file is loaded; write ./NAME to force that. Without arguments, shows what is loaded.

    Example: syms program.elf
    """
    path = files.path_of(what) if what else Path()
    pattern = what
    if what and (files.is_file(path) or what.startswith((".", "/", "~")) or what.endswith(".elf")):
        session.symbols, pattern = symbols.load_symbols(path), ""
    if session.symbols is None:
        raise UsageError("no symbols are loaded", hint="`syms FILE.elf`, or start with --elf FILE")
    listed = symbols.list_symbols(session.symbols, pattern)
    note = session.symbols.mismatch(session.target.chip) if session.target else ""
    return replace(listed, notes=(*listed.notes, note)) if note else listed


def _followed(
    session: Session, result: loadram_module.RamLoaded, wish: monitor.Wish | None
) -> Presentation:
    """Listen to a program that was started, and find out whether the loader is still there."""
    target, output = session.chip, session.output
    port, rate = target.link.port, target.link.port.baud
    output.show(render(result, output.view))
    returned = False
    try:
        if wish is not None:
            heard = monitor.follow(session, port, wish, target.link.noise)
            result = replace(result, monitored=heard, notes=(*result.notes, *heard.notes))
            port.baud = rate
        returned = loadram_module.has_returned(target)
    finally:
        if not returned:
            session.disconnect(after="no-reset")
    note = "the program has returned: the stub still runs" if returned else GONE
    return shown(replace(result, returned=returned or None, notes=(*result.notes, note)))


@contextlib.contextmanager
def _line(session: Session, baud: int, *, run: bool) -> Iterator[Port]:
    """Give the port on which the application speaks, started first if wanted."""
    target = session.target
    if target is not None:
        if not run:
            raise UsageError(
                "the loader is running and sends nothing by itself",
                hint="`monitor --run` starts the application and shows its output",
            )
        try:
            connection.run_application(target)
            target.link.port.baud = baud
            yield target.link.port
        finally:
            session.disconnect(after="no-reset")
        return
    if run:
        session.connect(session.bench)
        with _line(session, baud, run=run) as port:
            yield port
        return
    if not session.bench.port:
        raise UsageError("there is no port to connect to", hint="start with --port")
    port = open_port(session.bench.port, baud)
    try:
        yield port
    finally:
        port.close()


@VERBS.add("memtest", group="Memory", options=[DRY_RUN], needs="memory", traits=Trait.VERDICT)
def memtest(
    session: Session,
    region: Annotated[Extent, REGION],
    *,
    restore: Annotated[bool, Option("--restore", "restore the contents afterwards")] = False,
    force: Force = False,
) -> testing.MemoryTested | None:
    """Test RAM: march C-, walking ones, address lines; fails if a bit is wrong.

    memtest 0x3fc98000 0x8000. Reports the faulty addresses and bits. The contents of the RAM are
    lost unless --restore is given, including what the ROM keeps there. The flasher stub runs the
    test on the chip and cannot test the RAM it occupies; without the stub the host tests at most 1
    KiB.

    Example: memtest DRAM 64
    """
    if region.space != "mem":
        raise UsageError(f"{region.address:#x} is in {region.space}, not in RAM")
    target = session.chip
    testing.require_testable(target.memory, region.address, region.size, force=force)
    where = f"{Span.of(region.address, region.size)} ({size_text(region.size)})"
    if not session.may_destroy(f"overwrite RAM {where} with test patterns"):
        return None
    if region.size > testing.HOST_SIZE:
        start_stub(session)
        testing.require_testable(target.memory, region.address, region.size, force=force)
    session.is_unchanged = False
    try:
        return testing.examine(
            target.memory,
            region.address,
            region.size,
            restore=restore,
            report=session.output.progress,
        )
    except UsageError:  # refused before anything was written
        raise
    except BaseException:
        session.output.finished()
        session.output.note(f"RAM {where} holds test patterns now")
        raise


@VERBS.add("call", options=[DRY_RUN], needs="memory")
def call(
    session: Session,
    address: Annotated[int, ADDRESS],
    arguments: Annotated[tuple[int, ...], NUMBERS_OR_NONE] = (),
    *,
    timeout: Annotated[
        float | None, Option("--timeout", "time the function may take (3 s)", SECONDS, short="-t")
    ] = None,
    force: Force = False,
) -> calling.Called | None:
    """Call a function on the chip with up to eight arguments; $_ is its return value.

    call 0x4037c000 1 2. The flasher stub makes the call and is started for it. A function that does
    not return or corrupts memory takes the stub down with it, so you are asked first.

    Example: call 0x40000000 1 --dry-run
    """
    target = session.chip
    calling.require_callable(target, address, arguments, force=force)
    words = ", ".join(f"{argument & 0xFFFF_FFFF:#x}" for argument in arguments)
    if not session.may_destroy(f"call {hex32(address)}({words})"):
        return None
    start_stub(session)
    session.is_unchanged = False
    timeout_s = calling.TIMEOUT_S if timeout is None else timeout
    return calling.call(target, address, arguments, timeout_s=timeout_s)


def start_stub(session: Session) -> None:
    """Start the flasher stub for what it alone does, or does well, if it may be."""
    dialect = session.chip.loader.dialect
    if session.bench.stub != "never" and not (dialect.is_stub or session.dry_run):
        session.start_stub()
