"""memtest, call: what runs on the chip itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from espshell.errors import UsageError
from espshell.ops.chip import call as calling
from espshell.ops.memory import memtest as testing
from espshell.shell.arguments.places import ADDRESS, REGION, Extent
from espshell.shell.arguments.types import NUMBERS_OR_NONE, SECONDS
from espshell.shell.commands.memory import Force
from espshell.shell.declaration import DRY_RUN, Option, Trait
from espshell.shell.registry import Registry
from espshell.shell.session import NOTHING_CHANGED, Session
from espshell.span import Span
from espshell.units import hex32, size_text

if TYPE_CHECKING:
    from espshell.ops.chip.call import Called
    from espshell.ops.memory.memtest import MemoryTested

VERBS = Registry()


@VERBS.add("memtest", group="Memory", options=[DRY_RUN], needs="memory", traits=Trait.VERDICT)
def memtest(
    session: Session,
    region: Annotated[Extent, REGION],
    *,
    restore: Annotated[bool, Option("--restore", "restore the contents afterwards")] = False,
    force: Force = False,
) -> MemoryTested | None:
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
        session.output.note(NOTHING_CHANGED)
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


@VERBS.add("call", group="Programs", options=[DRY_RUN], needs="memory")
def call(
    session: Session,
    address: Annotated[int, ADDRESS],
    arguments: Annotated[tuple[int, ...], NUMBERS_OR_NONE] = (),
    *,
    timeout: Annotated[
        float | None, Option("--timeout", "time the function may take (3 s)", SECONDS, short="-t")
    ] = None,
    force: Force = False,
) -> Called | None:
    """Call a function on the chip with up to eight arguments; $_ is its return value.

    call 0x4037c000 1 2. The flasher stub makes the call and is started for it. A function that does
    not return or corrupts memory takes the stub down with it, so you are asked first.

    Example: call 0x40000000 1 --dry-run
    """
    target = session.chip
    calling.require_callable(target, address, arguments, force=force)
    words = ", ".join(f"{argument & 0xFFFF_FFFF:#x}" for argument in arguments)
    if not session.may_destroy(f"call {hex32(address)}({words})"):
        session.output.note(NOTHING_CHANGED)
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
