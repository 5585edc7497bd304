"""What stands before the command of a line of esptool's, and what it means for a session.

esptool connects for every command; a session stays connected.  So what such a line says of the
port, the chip and the rate is compared with the session, and what cannot be had at once is said.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

from espshell import chips
from espshell.chips import Chip
from espshell.clock import SystemClock
from espshell.errors import BenchError, DeviceError, NoSync, PortError, UsageError
from espshell.link import ports
from espshell.link.reset import AFTER, BEFORE
from espshell.link.trace import Viewer
from espshell.ops.memory import words
from espshell.records import dataclass, replace
from espshell.shell.arguments.places import PORT
from espshell.shell.arguments.types import (
    BARE_NUMBER,
    GENERATION,
    POSITIVE,
    ArgType,
    chip_named,
    choice,
    offer,
    single_word,
)
from espshell.shell.declaration import Option
from espshell.shell.session import Session
from espshell.shell.settings import Bench

AUTO = "auto"
BEFORE_DEFAULT, AFTER_DEFAULT = "default-reset", "hard-reset"


CHIP_OR_AUTO: ArgType[str, Chip | None] = ArgType(
    "chip",
    single_word(lambda text: AUTO if text.lower() == AUTO else chip_named(text.lower()).name),
    lambda name, scope: chips.by_name(name),
    complete=offer(AUTO, *chips.NAMES),
)
"""A chip by its name in any spelling; None for ``auto``."""


def mode(*modes: str) -> ArgType[str, str]:
    """Take one of a few words, in which underscores are hyphens."""
    base = choice(*modes)
    return replace(base, parse=lambda texts: base.parse([texts[0].replace("_", "-")]))


_PASSES: dict[str, Callable[[ports.PortInfo, str], bool]] = {
    "vid": lambda port, value: int(value) == port.vid,
    "pid": lambda port, value: int(value) == port.pid,
    "name": lambda port, value: value in port.device,
    "serial": lambda port, value: value in port.serial,
}


def _port_filter(text: str) -> str:
    key, mark, value = text.partition("=")
    if key not in _PASSES or not (mark and value):
        raise UsageError(
            f"`{text}` is not a port filter",
            hint="vid=0x303a, pid=0x1001, name=TEXT and serial=TEXT are",
        )
    if key in ("vid", "pid"):
        with contextlib.suppress(ValueError):
            return f"{key}={int(value, 0)}"
        raise UsageError(f"`{value}` is not a number", hint=f"{key}=0x303a")
    return text


PORT_FILTER: ArgType[str, str] = ArgType("port filter", single_word(_port_filter))
"""What a port must have: ``vid=0x303a``, ``pid=``, ``name=``, ``serial=``."""


ChipOrAuto = Annotated[
    Chip | None,
    Option("--chip", "refuse any other chip; auto accepts all", CHIP_OR_AUTO, short="-c"),
]
PortName = Annotated[
    str, Option("--port", "connect to this port, if the session is not connected", PORT, short="-p")
]

VDDSDIO = {"1.8v": 0x8060_0000, "1.9v": 0xFE60_0000, "off": 0x0060_0000}
"""RTC_CNTL.SDIO_CONF for each voltage: XPD_SDIO, DREFH, DREFM and DREFL, SDIO_FORCE, SDIO_PD_EN.

Source: ESP32 Technical Reference Manual, RTC_CNTL_SDIO_CONF_REG; which bits belong to a voltage as
esptool 5.6 writes them.
"""


_BETWEEN_S = 0.1  # between two tries


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The global options of a line; None or empty for those that it does not have."""

    chip: ChipOrAuto = None
    port: PortName = ""
    baud: Annotated[
        int | None, Option("--baud", "change to this baud rate", POSITIVE, short="-b")
    ] = None
    port_filter: Annotated[
        tuple[str, ...],
        Option("--port-filter", "use only ports that match", PORT_FILTER, many=True),
    ] = ()
    before: Annotated[
        str, Option("--before", "how to reset the chip when connecting", mode(*BEFORE))
    ] = ""
    after: Annotated[
        str, Option("--after", "how to leave the chip at the end", mode(*AFTER), short="-a")
    ] = ""
    no_stub: Annotated[
        bool, Option("--no-stub", "do not start the flasher stub for this command")
    ] = False
    stub_version: Annotated[
        int | None, Option("--stub-version", "generation of the flasher stub", GENERATION)
    ] = None
    trace: Annotated[bool, Option("--trace", "show every frame of this command", short="-t")] = (
        False
    )
    verbose: Annotated[
        bool, Option("--verbose", "accepted; results are always shown in full", short="-v")
    ] = False
    silent: Annotated[bool, Option("--silent", "show errors only", short="-s")] = False
    override_vddsdio: Annotated[
        str, Option("--override-vddsdio", "set the flash's voltage (ESP32)", choice(*VDDSDIO))
    ] = ""
    connect_attempts: Annotated[
        int, Option("--connect-attempts", "number of attempts to connect; 0: no limit", BARE_NUMBER)
    ] = 1
    open_port_attempts: Annotated[
        int,
        Option(
            "--open-port-attempts", "number of attempts to open the port; 0: no limit", BARE_NUMBER
        ),
    ] = 1

    def bench(self, bench: Bench) -> Bench:
        """Return the bench with the options of the line."""
        return replace(
            bench,
            port=self.port or bench.port,
            baud=self.baud or bench.baud,
            rate="fixed" if self.baud else bench.rate,
            chip=self.chip or bench.chip,
            before=_mode(self.before, bench.before, BEFORE_DEFAULT),
            after=_mode(self.after, bench.after, AFTER_DEFAULT),
            stub="never" if self.no_stub else bench.stub,
            stub_version=self.stub_version or bench.stub_version,
        )


def _mode(option: str, before: str, default: str) -> str:
    """Return the option, or the value before; the default keeps a custom sequence."""
    return before if option in ("", default) and "|" in before else option or before


@contextlib.contextmanager
def applied(session: Session, line: GlobalOptions, *, needs_chip: bool) -> Iterator[None]:
    """Apply the global options of a line to the session while its command runs.

    Port, rate and the way to leave the chip stay in force; the stub and the trace are for this line
    only, and so are all options of a command that needs no chip.

    Raises: UsageError for another chip, or for another port if the person refuses it.
    """
    kept, tap = session.bench, session.tap
    with contextlib.ExitStack() as stack:
        if line.silent:
            stack.enter_context(session.output.silenced())
        if line.trace and tap is None:
            session.watch(Viewer(session.output.stderr.write))
            stack.callback(session.watch, None)
        try:
            if needs_chip:
                _reach(session, line)
            else:
                session.bench = line.bench(session.bench)
            yield
        finally:
            there = session.bench if needs_chip else kept
            session.bench = replace(there, stub=kept.stub, stub_version=kept.stub_version)


def _reach(session: Session, line: GlobalOptions) -> None:
    """Connect with the options of a line, or compare them with the present connection."""
    target = session.target
    if target is not None and (not line.port or session.bench.is_on(line.port)):
        if line.chip not in (None, target.chip):
            assert line.chip is not None
            raise UsageError(
                f"this is an {target.chip.title}, not an {line.chip.title}",
                hint="--chip auto takes what is there",
            )
        session.bench = line.bench(session.bench)
        if line.no_stub and target.loader.dialect.is_stub:
            session.output.note("the flasher stub runs already; `reset` leaves it")
        if line.before or line.after:
            session.output.note(
                "the session stays connected: --before and --after apply when it connects or leaves"
            )
        if line.baud and line.baud != target.link.port.baud:
            _change_baud(session, line.baud)
    else:
        if target is not None:
            _ask_to_move(session, line.port)
        _connect(session, line)
    if line.override_vddsdio:
        _set_voltage(session, line.override_vddsdio)


def _connect(session: Session, line: GlobalOptions) -> None:
    bench = line.bench(session.bench)
    if not bench.port:
        bench = replace(bench, port=choose_port(line.port_filter))
        session.output.note(f"taking {bench.port}")
    for attempt in itertools.count(1):
        try:
            session.connect(bench)
        except (NoSync, PortError) as error:
            is_open = isinstance(error, NoSync)
            if attempt == max(line.connect_attempts if is_open else line.open_port_attempts, 0):
                raise
            SystemClock().sleep(_BETWEEN_S)
        else:
            return


def _ask_to_move(session: Session, port: str) -> None:
    """Ask whether to leave one port for another. Raises: UsageError if not."""
    there = session.bench.port
    if session.ask is not None and session.ask(f"leave {there} and connect to {port}?"):
        return
    if session.ask is None and session.assume_yes:
        session.output.note(f"leaving {there} for {port}")
        return
    raise UsageError(
        f"the session is on {there}, and this line is for {port}", hint=f"`connect {port}` first"
    )


def _change_baud(session: Session, baud: int) -> None:
    """Change the rate; if the loader cannot, note that it stays."""
    try:
        session.change_baud(baud)
    except UsageError as error:
        there = session.chip.link.port.baud
        session.bench = replace(session.bench, baud=there)
        session.output.note(f"the baud rate stays {there}: {error.message}")


def _set_voltage(session: Session, voltage: str) -> None:
    chip = session.chip.chip
    if chip.name != "esp32":
        raise UsageError(f"--override-vddsdio is for an ESP32; this is an {chip.title}")
    register = session.scope.place("RTC_CNTL.SDIO_CONF")
    assert register is not None
    result = words.poke(session.chip.memory, register.start, [VDDSDIO[voltage]])
    if not result.ok:
        raise DeviceError(result.failure)
    for change in result.changes:
        session.journal.add(f"--override-vddsdio {voltage}", change)
    session.output.note(f"VDDSDIO: {voltage}")


def choose_port(filters: Sequence[str] = ()) -> str:
    """Return the only likely port that passes the filters.

    Filters of one kind are alternatives; of several kinds one of each must pass.

    Raises: PortError if there is none; BenchError if there are several.
    """
    kinds: dict[str, list[str]] = {}
    for text in filters:
        key, _, value = text.partition("=")
        kinds.setdefault(key, []).append(value)
    matching = [
        port
        for port in ports.list_ports()
        if (filters or port.is_likely)
        and all(any(_PASSES[key](port, v) for v in values) for key, values in kinds.items())
    ]
    if len(matching) > 1:
        names = ", ".join(port.device for port in matching)
        raise BenchError(f"there are several boards: {names}", hint="choose one with --port")
    if not matching:
        raise PortError("no serial port with a board was found", hint="choose one with --port")
    return matching[0].device
