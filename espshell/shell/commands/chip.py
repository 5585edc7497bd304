"""connect, info, map, reset and what else concerns the chip as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espshell.chips import Chip, Region
from espshell.link import ports
from espshell.link import reset as reset_lines
from espshell.link.ports import PortInfo
from espshell.link.reset import AFTER, BEFORE
from espshell.link.trace import Recorder, Viewer
from espshell.ops.chip import connection
from espshell.ops.chip import info as ops
from espshell.ops.chip import link as link_ops
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.shell import recovery
from espshell.shell.arguments.places import ADDRESS, PORT
from espshell.shell.arguments.types import (
    ANY_PATH,
    CHIPS,
    FILE,
    GENERATION,
    RATE_OR_AUTO,
    TEXT,
    checked,
    choice,
    complete_files,
    offer,
)
from espshell.shell.declaration import Option, Trait
from espshell.shell.registry import Registry

if TYPE_CHECKING:
    from espshell.ops.chip.rate import RateChosen
    from espshell.shell.session import Session

VERBS = Registry("Chip")


@dataclass(frozen=True, slots=True)
class Map(Result):
    """Regions of a chip's address space."""

    chip: str
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Ports(Result):
    """The serial ports of this machine."""

    ports: tuple[PortInfo, ...]


@dataclass(frozen=True, slots=True)
class Stub(Result):
    """When the stub is started, and whether it runs now, with the handler for bulk reads."""

    when: str
    running: bool | None
    """None where no chip is connected."""
    bulk_read: bool = False


RESET_MODE = replace(checked(TEXT, reset_lines.plan), kind="mode", complete=offer(*BEFORE))
"""A mode of ``--before``, or a sequence of one's own."""


@VERBS.add("connect", traits=Trait.PARTITIONS | Trait.CHIP)
def connect(
    session: Session,
    port: Annotated[str, PORT] = "",
    *,
    baud: Annotated[
        int | str | None, Option("--baud", "baud rate once connected, or auto", RATE_OR_AUTO)
    ] = None,
    chip: Annotated[tuple[Chip, ...], Option("--chip", "refuse any other chip", CHIPS)] = (),
    before: Annotated[
        str,
        Option("--before", "how to reset into the bootloader: " + ", ".join(BEFORE), RESET_MODE),
    ] = "",
    after: Annotated[
        str, Option("--after", "how to leave the chip: " + ", ".join(AFTER), choice(*AFTER))
    ] = "",
) -> connection.ConnectionInfo:
    """Reset a chip into its bootloader and stay connected.

    Without PORT, connect to the last one again.

    Example: connect sim://demo
    """
    bench = session.bench
    target_bench = replace(
        bench,
        port=port or bench.port,
        chip=chip[0] if chip else bench.chip,
        before=before or bench.before,
        after=after or bench.after,
    )
    if baud is not None:
        target_bench = target_bench.at_rate(baud)
    return connection.describe(session.connect(target_bench))


@VERBS.add("disconnect")
def disconnect(session: Session) -> None:
    """Leave the chip as --after says and close the port.

    Example: disconnect
    """
    session.disconnect()


@VERBS.add("reconnect", traits=Trait.PARTITIONS)
def reconnect(session: Session) -> connection.ConnectionInfo:
    """Connect again to a chip that was lost, and to its stub if that still runs.

    Cached data is dropped; the interrupted command is not run again.

    Example: reconnect
    """
    return connection.describe(recovery.reconnect(session))


@VERBS.add("ports")
def list_ports(session: Session) -> Ports:
    """List the serial ports of this computer, likely boards first.

    Example: ports
    """
    return Ports(ports.list_ports())


@VERBS.add("stub")
def stub(
    session: Session,
    when: Annotated[str, choice("auto", "always", "never")] = "",
    *,
    folder: Annotated[Path | None, Option("--dir", "folder with the stub files", ANY_PATH)] = None,
    version: Annotated[
        int | None, Option("--version", "stub generation: 1 or 2", GENERATION)
    ] = None,
) -> Stub:
    """Choose when the flasher stub is started: auto, always or never.

    auto (the default): when a command benefits from it. always: now and after every connect.
    Without the stub RAM stays untouched and everything the ROM can do works; with it long reads are
    faster.

    Example: stub never
    """
    bench = session.bench
    session.bench = replace(
        bench,
        stub=when or bench.stub,
        stub_dir=folder or bench.stub_dir,
        stub_version=version or bench.stub_version,
    )
    target = session.target
    if when == "always" and target is not None and not target.loader.dialect.is_stub:
        session.start_stub()
    if target is None:
        return Stub(session.bench.stub, running=None)
    loader = target.loader
    return Stub(session.bench.stub, loader.dialect.is_stub, loader.has_bulk_read)


@VERBS.add("info", needs="chip")
def info(session: Session) -> ops.Info:
    """Show chip, revision, features, crystal, MAC and security state.

    Example: info
    """
    return ops.info(session.chip)


@VERBS.add("read-mac", needs="memory")
def read_mac(session: Session) -> ops.Mac:
    """Read the base MAC address from eFuse.

    Example: read-mac
    """
    return ops.mac(session.chip)


@VERBS.add("chip-id", needs="memory")
def chip_id(session: Session) -> ops.ChipId:
    """Read the chip ID and the MAC.

    Only the ESP8266 has a chip ID; other chips are told apart by their MAC.

    Example: chip-id
    """
    return ops.chip_id(session.chip)


@VERBS.add("map", needs="chip")
def memory_map(session: Session, place: Annotated[int | None, ADDRESS] = None) -> Map:
    """List the memory regions, or show the one at an address.

    Example: map DRAM
    """
    chip = session.chip.chip
    if place is None:
        return Map(chip.name, chip.regions)
    region = chip.region_at(place)
    if region is None:
        session.chip.memory.check(place, 1)  # says what is next to it
    return Map(chip.name, (region,) if region else ())


@VERBS.add("reset", needs="chip")
def reset(
    session: Session, into: Annotated[str, choice("boot", "run")] = "boot"
) -> connection.ConnectionInfo | connection.Left:
    """Reset into the bootloader, or into the application (run).

    Example: reset
    """
    if into == "run":
        return run(session)
    before = session.bench.before
    if not before.endswith("-reset") or before == "no-reset":
        before = "default-reset"
    kept = session.bench
    result = connection.describe(session.connect(replace(kept, before=before)))
    session.bench = kept
    return result


@VERBS.add("run", needs="chip")
def run(session: Session) -> connection.Left:
    """Start the application; `connect` returns to the bootloader.

    Example: run
    """
    result = connection.run_application(session.chip)
    session.disconnect(after="no-reset")
    return result


@VERBS.add("baud", needs="chip")
def baud(
    session: Session, rate: Annotated[int | str | None, RATE_OR_AUTO] = None
) -> connection.ConnectionInfo | RateChosen:
    """Show the baud rate, or change it at both ends.

    The new rate is checked by a read; if that fails, both ends return to the old one.
    baud auto tries 230400, 460800, 921600, 1500000, 2000000 and 3000000 upwards from the present
    rate, as far as the bridge supports, and keeps the highest at which data arrives intact in both
    directions. If the chip is lost on the way, it is reset into the bootloader.

    Example: baud 460800
    """
    if rate is None:
        return connection.describe(session.chip)
    result = session.climb() if isinstance(rate, str) else session.change_baud(rate)
    session.connected.rate_raised = False
    session.bench = session.bench.at_rate(result.baud)
    return result


@VERBS.add("link", needs="chip")
def link(session: Session) -> link_ops.LinkReport:
    """Measure the serial link and advise on it.

    Shows round-trip time, throughput in both directions and lost or damaged exchanges, any of which
    is a failure (status 1). Nothing on the chip changes.
    link; baud auto; link.

    Example: link
    """
    return link_ops.measure(session.chip)


TRACE_TARGET = replace(
    FILE,
    complete=lambda text, scope: (
        ("on", "show every frame"),
        ("off", "stop"),
        *complete_files(text, scope),
    ),
    outputs=lambda path: () if str(path) in ("on", "off") else (path,),
)


@VERBS.add("trace")
def trace(session: Session, where: Annotated[Path, TRACE_TARGET] = Path("on")) -> None:
    """Show every frame on the wire, or record them in a file.

    trace on, trace FILE, trace off. A recording is played back with --port replay://FILE.

    Example: trace off
    """
    if str(where) == "off":
        session.watch(None)
    elif str(where) == "on":
        session.watch(Viewer(session.output.stderr.write))
    else:
        session.watch(Recorder(where, session.output.record_failed))
