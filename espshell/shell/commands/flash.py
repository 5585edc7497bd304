"""load, verify, erase, parts, and esptool's names for what is done to flash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Annotated

from espshell.errors import DeviceError, NoReply, UsageError
from espshell.image import partitions as partition_format
from espshell.ops.chip import info as chip_ops
from espshell.ops.flash import erase as erasing
from espshell.ops.flash import load as ops
from espshell.ops.flash import partitions, payload
from espshell.ops.flash import plan as planning
from espshell.ops.flash import verify as verifying
from espshell.ops.flash import write_job as working
from espshell.ops.memory import words
from espshell.records import dataclass, replace
from espshell.shell.arguments.flash import (
    Pair,
    erasable,
    file_places,
    read_pairs,
    require_one_space,
)
from espshell.shell.arguments.image import HEADER_FREQUENCY, HEADER_MODE, HEADER_SIZE
from espshell.shell.arguments.places import WRITABLE_PLACE, Extent, Location
from espshell.shell.declaration import DRY_RUN, Option, Presentation, Trait
from espshell.shell.esptool.options import CONNECTION
from espshell.shell.registry import Registry
from espshell.shell.session import NOTHING_CHANGED, Session
from espshell.span import Span
from espshell.units import SECTOR, count_text, parse_number, size_text

VERBS = Registry("Flash")

_PATCH = "patch the bootloader's header (keep)"

Force = Annotated[bool, Option("--force", "write even an image this chip cannot boot")]
KeepEdges = Annotated[
    bool, Option("--keep-edges", "keep the other bytes of the first and last sector")
]


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a bootloader is to say instead of what is in its file."""

    flash_mode: Annotated[str, Option("--flash-mode", _PATCH, HEADER_MODE, short="-fm")] = "keep"
    flash_freq: Annotated[str, Option("--flash-freq", _PATCH, HEADER_FREQUENCY, short="-ff")] = (
        "keep"
    )
    flash_size: Annotated[str, Option("--flash-size", _PATCH, HEADER_SIZE, short="-fs")] = "keep"


@VERBS.add("load", options=[DRY_RUN], traits=Trait.PARTITIONS, needs="flash")
def load(
    session: Session,
    files: Annotated[tuple[Pair, ...], file_places(where=WRITABLE_PLACE)],
    *,
    everything: Annotated[bool, Option("--all", "also write sectors that already match")] = False,
    keep_edges: KeepEdges = False,
    header: Header,
    force: Force = False,
    like_esptool: bool = False,
) -> ops.Written | words.Loaded | None:
    """Write files to flash (only the sectors that differ) or to memory.

    load app.bin flash:app0; load boot.bin flash:0x1000 app.bin flash:0x10000; load x.bin mem:DRAM.
    Files are raw binary or Intel HEX; HEX addresses are offsets from the place, so flash:0 uses
    them unchanged. An image that cannot boot there is refused without --force. Only sectors that
    differ are erased and sent; then everything is verified.
    A bootloader's header is written unchanged unless --flash-mode, --flash-freq or --flash-size is
    given. An interrupted load is completed by running it again.

    Example: load app.bin flash:app1
    Example: load data.bin DRAM
    """
    # As esptool does it: Intel HEX goes to its own addresses, an empty file is skipped, and a place
    # inside a sector is written with what else is in it kept; a note says each.
    require_one_space(files)
    images = read_pairs(files, like_esptool=like_esptool)
    if files[0][1].space == "mem":
        _require_ram(session, files, force=force)
        for note in (note for image in images for note in image.notes):
            session.output.note(note)
        return words.load_memory(
            session.chip.memory,
            images,
            verify=session.settings.verify,
            force=force,
            report=session.output.progress,
        )
    images = _with_settings(session, images, header, force=force)
    if not force and header.flash_size.lower() not in (payload.KEEP, payload.DETECT):
        payload.require_size(images, session.chip.chip, header.flash_size)
    if like_esptool and not keep_edges:
        note = "{0.name}: {0.address:#x} is inside a sector; what else is in it is kept"
        images = tuple(
            replace(image, notes=(*image.notes, note.format(image)))
            if image.data and image.address % SECTOR
            else image
            for image in images
        )
        keep_edges = any(image.address % SECTOR for image in images if image.data)
    return _write(session, images, everything=everything, keep_edges=keep_edges, force=force)


@VERBS.add("verify", needs="memory", traits=Trait.VERDICT)
def verify(
    session: Session,
    files: Annotated[tuple[Pair, ...], file_places()],
    *,
    diff: Annotated[bool, Option("--diff", "show what differs")] = False,
    every_row: Annotated[bool, Option("--all", "show all of it")] = False,
    header: Header,
    like_esptool: bool = False,
) -> Presentation:
    """Compare files with flash by digest.

    --diff shows the differences side by side. The amount of data transferred depends on the size of
    the difference, not of the file. Fails if anything differs.

    Example: verify app.bin flash:app0
    """
    require_one_space(files, only="flash")
    images = read_pairs(files, like_esptool=like_esptool)
    images = _with_settings(session, images, header, force=False)
    for note in (note for image in images for note in image.notes):
        session.output.note(note)
    images = tuple(image for image in images if image.data)
    size = sum(len(image.data) for image in images)
    by_stub = not session.chip.flash.has_digest or (diff and size >= verifying.DIFF_BY_STUB)
    result = verifying.verify(
        session.flash(size if by_stub else 0),
        images,
        diff=diff,
        most=None if every_row else 64,
        chip=session.chip.chip,
        table=lambda: session.connected.known_partitions,
        report=session.output.progress,
    )
    return Presentation(result, every_row=every_row)


@VERBS.add("erase", options=[DRY_RUN], traits=Trait.PARTITIONS, needs="memory")
def erase(
    session: Session,
    region: Annotated[Extent, erasable()],
    *,
    keep_edges: KeepEdges = False,
    everything: Annotated[
        bool, Option("--all", "also erase sectors that are already blank")
    ] = False,
    force: Annotated[
        bool, Option("--force", "erase even with secure boot or flash encryption enabled")
    ] = False,
) -> erasing.Erased | None:
    """Erase flash sectors or the whole flash.

    erase flash:nvs; erase flash:0x9000 0x6000; erase chip. Sectors that are already blank are
    skipped. With secure boot or flash encryption enabled, nothing is erased without --force.

    Example: erase flash:storage 4K
    """
    session.require_permission("erase")
    target, size = session.chip, region.size
    facts = _facts(session)
    planning.plan_erase(region.address, size, facts, keep_edges=keep_edges, force=force)
    what = "the whole chip" if size == target.flash.size else region.name or "flash"
    where = working.ranges_text([Span.of(region.address, size)])
    text = f"erase {what} {where} ({size_text(size)})"
    if not session.may_destroy(text):
        return None
    report = session.output.progress
    session.flash(size)
    job = erasing.prepare(target, region.address, size, facts, everything=everything, report=report)
    with _changing(session, job):
        return erasing.finish(target.flash, job, report)


@VERBS.add("parts", needs="memory")
def list_parts(session: Session) -> partitions.Parts:
    """List the partitions in flash.

    Partition names can be used as places: flash:nvs. The table is read from 0x8000, or as `set
    parttable` says: from another address or a file (binary or CSV).

    Example: parts
    """
    return partitions.parts(
        session.chip, session.connected.partition_table(), session.settings.parttable
    )


@VERBS.add("flash-id", options=[CONNECTION], needs="memory")
def flash_id(session: Session) -> chip_ops.FlashId:
    """Show manufacturer, device ID and size of the flash chip.

    Example: flash-id
    """
    flash = chip_ops.flash_id(session.chip)
    if flash is None:
        raise DeviceError("no flash chip answers", hint="is it connected and powered?")
    return flash


def write_flash(
    session: Session, where: Location, data: bytes, name: str, *, force: bool = False
) -> ops.Written | None:
    """Write bytes anywhere in flash; what else is in the sectors is kept."""
    image = payload.Payload(where.address, data, name, where.end)
    return _write(session, [image], everything=False, keep_edges=True, force=force)


def _require_ram(session: Session, files: Sequence[Pair], *, force: bool) -> None:
    """Refuse a bare number that could be meant for flash. Raises: UsageError with its form."""
    for _, where in files:
        if not force and session.chip.chip.region_at(where.address) is None:
            raise UsageError(
                f"{where.address:#x} is outside the memory map",
                hint=f"in flash it is flash:{where.address:#x}",
            )


def require_possible(session: Session, files: Sequence[Pair], *, force: bool) -> None:
    """Check that files can be written as esptool does, before anything is erased for them.

    Raises: UsageError.
    """
    require_one_space(files, only="flash")
    facts = _facts(session)
    images = read_pairs(files, like_esptool=True)
    planning.plan_write(images, facts, keep_edges=True, force=force)


def _facts(session: Session) -> planning.Facts:
    """Gather what a plan must know of the chip, its flash and its partitions."""
    where = parse_number(session.settings.parttable)
    return ops.facts_of(
        session.chip,
        protected=session.connected.protected(),
        table=lambda: session.connected.known_partitions,
        table_offset=partition_format.OFFSET if where is None else where,
    )


def _write(
    session: Session,
    images: Sequence[payload.Payload],
    *,
    everything: bool,
    keep_edges: bool,
    force: bool,
) -> ops.Written | None:
    """Plan, compare, ask, write; whatever stops it, say which sectors are in which state."""
    session.require_permission("writing flash")
    target = session.chip
    facts = _facts(session)
    plan = planning.plan_write(images, facts, keep_edges=keep_edges, force=force)
    if not plan.payloads:
        for warning in plan.warnings:
            session.output.note(warning)
        return None
    session.flash(plan.size)
    report = session.output.progress
    work = ops.compare(target, plan, everything=everything, report=report)
    session.output.finished()
    if work.segments:
        if session.ask is not None:
            for warning in (*work.notes, *plan.warnings):
                session.output.note(warning)
        changed = f"{work.sectors} of {count_text(work.plan.sectors, 'sector')}"
        where = working.ranges_text([segment.span for segment in work.segments])
        time = f"{max(1, work.seconds):.0f} s at most"
        if not session.may_destroy(f"erase and write {changed} ({where}), {time}"):
            return None
    result = _carried_out(session, plan, work, everything=everything)
    return replace(result, notes=()) if work.segments and session.ask else result


def _carried_out(
    session: Session, plan: planning.Plan, work: working.WriteJob, *, everything: bool
) -> ops.Written:
    """Write; if the link fails at a rate that the shell has raised, go on at the old one.

    Not if a digest has failed before: then it is for a person to see.
    """
    session.raise_rate(work.size)
    report = session.output.progress
    while True:
        try:
            with _changing(session, work):
                return ops.write(session.chip.flash, work, report)
        except (DeviceError, NoReply):
            if any(segment.tries > 1 for segment in work.segments) or not session.lower_rate():
                raise
        strays = work.strays
        work = ops.compare(session.chip, plan, everything=everything, report=report)
        work.strays.extend(strays)


@contextlib.contextmanager
def _changing(session: Session, work: working.WriteJob) -> Iterator[None]:
    """Whatever stops what is done meanwhile, say which sectors are in which state."""
    session.output.finished()
    session.is_unchanged = False
    session.connected.forget_partitions(segment.span for segment in work.segments)
    try:
        yield
    except BaseException:
        session.output.finished()
        session.output.note(work.state() or NOTHING_CHANGED)
        raise


def _with_settings(
    session: Session, images: Sequence[payload.Payload], header: Header, *, force: bool
) -> tuple[payload.Payload, ...]:
    """Return the images, the bootloader with other settings; ``detect`` is the flash's size."""
    settings = payload.FlashSettings(header.flash_mode, header.flash_freq, header.flash_size)
    if not settings.given:
        return tuple(images)
    target = session.chip
    size = target.flash.size if settings.size.lower() == payload.DETECT else None
    return payload.with_settings(images, target.chip, settings, flash_size=size, force=force)
