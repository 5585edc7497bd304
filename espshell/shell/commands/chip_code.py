"""memtest, call: what runs on the chip itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from espshell.errors import UsageError
from espshell.ops.chip import call as calling
from espshell.ops.memory import memtest as testing
from espshell.shell.arguments.places import ADDRESS, REGION, Extent
from espshell.shell.arguments.types import NUMBERS_OR_NONE, SECONDS
from espshell.shell.commands.flash import NOTHING_DONE
from espshell.shell.commands.memory import Force
from espshell.shell.declaration import DRY_RUN, Option
from espshell.shell.registry import Registry
from espshell.span import Span
from espshell.units import hex32, size_text

if TYPE_CHECKING:
    from espshell.ops.chip.call import Called
    from espshell.ops.memory.memtest import MemoryTested
    from espshell.shell.session import Session

VERBS = Registry()


@VERBS.add("memtest", group="Memory", options=[DRY_RUN], needs="memory")
def memtest(
    session: Session,
    region: Annotated[Extent, REGION],
    *,
    restore: Annotated[bool, Option("--restore", "put back what it held")] = False,
    force: Force = False,
) -> MemoryTested | None:
    """Test RAM: march C-, walking ones, address lines; fails if a bit is wrong.

    memtest 0x3fc98000 0x8000. It is said which addresses and which bits are wrong. What the RAM
    holds is lost, without --restore; what the ROM keeps there, too. The flasher stub tests on the
    chip and cannot test the RAM that it uses; without it the host does, at most 1 KiB.

    Example: memtest DRAM 64
    """
    if region.space != "mem":
        raise UsageError(f"{region.address:#x} is in {region.space}, not in RAM")
    target = session.chip
    testing.require_testable(target.memory, region.address, region.size, force=force)
    where = f"{Span.of(region.address, region.size)} ({size_text(region.size)})"
    if not session.may_destroy(f"overwrite RAM {where} with test patterns"):
        session.output.note(NOTHING_DONE)
        return None
    if region.size > testing.HOST_SIZE:
        start_stub(session)
        testing.require_testable(target.memory, region.address, region.size, force=force)
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
        float | None, Option("--timeout", "how long it may take (3 s)", SECONDS, short="-t")
    ] = None,
    force: Force = False,
) -> Called | None:
    """Call a function on the chip, with up to eight arguments; $_ becomes what it returns.

    call 0x4037c000 1 2. The flasher stub calls it, and is started for that. A function that does
    not return, or does harm, takes the loader with it, so it is asked about first.

    Example: call 0x40000000 1 --dry-run
    """
    target = session.chip
    calling.require_callable(target, address, arguments, force=force)
    words = ", ".join(f"{argument & 0xFFFF_FFFF:#x}" for argument in arguments)
    if not session.may_destroy(f"call {hex32(address)}({words})"):
        session.output.note(NOTHING_DONE)
        return None
    start_stub(session)
    timeout_s = calling.TIMEOUT_S if timeout is None else timeout
    return calling.call(target, address, arguments, timeout_s=timeout_s)


def start_stub(session: Session) -> None:
    """Start the flasher stub for what it alone does, or does well, if it may be."""
    dialect = session.chip.loader.dialect
    if session.bench.stub != "never" and not (dialect.is_stub or session.dry_run):
        session.start_stub()
