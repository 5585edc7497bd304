"""load, verify, erase, parts, and esptool's names for what is done to flash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.errors import UsageError
from espshell.ops import chip as chip_ops
from espshell.ops import flash as ops
from espshell.ops.diff import Span as Range
from espshell.ops.flash import Erased, Work, Written
from espshell.ops.images import Image, read_images
from espshell.ops.load import Loaded, load_memory
from espshell.ops.partitions import Parts, parts
from espshell.ops.patch import patched
from espshell.ops.plan import plan_erase, plan_write
from espshell.ops.save import Saved, part_of, save
from espshell.ops.verify import verify as verify_images
from espshell.shell import place
from espshell.shell.argtypes import (
    ArgType,
    File,
    Place,
    Region,
    Scope,
    Span,
    Spot,
    Text,
)
from espshell.shell.registry import Option, Param, Registry
from espshell.units import count_text, hex32, size_text

if TYPE_CHECKING:
    from espshell.ops.chip import Flash
    from espshell.shell.display import Shown
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "Flash"

NOTHING_DONE = "nothing was changed"

_FORCE = Option("--force", "write also what this chip cannot boot")
_KEEP_EDGES = Option("--keep-edges", "keep what else is in the first and last sector")
_HEADER = (
    Option("--flash-mode", "patch the bootloader's header (keep)", Text(), short="-fm"),
    Option("--flash-freq", "patch the bootloader's header (keep)", Text(), short="-ff"),
    Option("--flash-size", "patch the bootloader's header (keep)", Text(), short="-fs"),
)

Pair = tuple[Path, Spot]
Pairs = tuple[tuple[Path, place.Place], ...]


class FilePlaces(ArgType[Pairs, tuple[Pair, ...]]):
    """Files and the places where they belong: ``FILE PLACE``, again and again.

    ``swapped`` is esptool's order, in which a bare number is an address in flash.
    """

    raw = True
    least = 2
    most = 999

    def __init__(self, *, swapped: bool = False) -> None:
        self._swapped = swapped
        self.label = "ADDRESS FILE..." if swapped else "FILE PLACE..."

    def parse(self, texts: Sequence[str]) -> Pairs:
        """Parse pairs. Raises: UsageError if one lacks its half."""
        if len(texts) % 2:
            raise UsageError(f"`{texts[-1]}` is alone", hint=f"in pairs: {self.label}")
        pairs = []
        for first, second in zip(texts[::2], texts[1::2], strict=True):
            name, where = (second, first) if self._swapped else (first, second)
            if self._swapped and ":" not in where:
                where = f"flash:{where}"
            pairs.append((File().parse([_plain(name)]), Place().parse([where])))
        return tuple(pairs)

    def value(self, parsed: Pairs, scope: Scope) -> tuple[Pair, ...]:
        """Evaluate the places."""
        return tuple((file, Place().value(where, scope)) for file, where in parsed)

    def names(self, parsed: Pairs) -> tuple[str, ...]:
        """Return the names that the places use."""
        return tuple(name for _, where in parsed for name in Place().names(where))

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete files and places."""
        return (*File().complete(text, scope), *Place().complete(text, scope))


class Erasable(ArgType["place.Region | str", Span]):
    """A region of flash, or ``chip`` for all of it; ``bare``: a number is an address in flash."""

    raw = True
    most = 2
    label = "REGION|chip"

    def __init__(self, *, bare: bool = False) -> None:
        self._bare = bare

    def parse(self, texts: Sequence[str]) -> place.Region | str:
        """Parse it. Raises: UsageError for a place that is not in flash."""
        words = list(texts)
        if [word.lower() for word in words] in (["chip"], ["all"]):
            return "chip"
        if self._bare and ":" not in words[0]:
            words[0] = f"flash:{words[0]}"
        if self._bare and len(words) == 2 and words[1].lower() == "all":
            words = [f"{words[0]}..end"]
        region = Region().parse(words)
        if region.place.space != "flash":
            raise UsageError(
                f"`{texts[0]}` is not in flash, and nothing else can be erased",
                hint=f"flash:{_plain(texts[0])}, or `chip`",
            )
        return region

    def value(self, parsed: place.Region | str, scope: Scope) -> Span:
        """Evaluate it."""
        if isinstance(parsed, str):
            return Region().value(Region().parse(["flash:all"]), scope)
        return Region().value(parsed, scope)

    def names(self, parsed: place.Region | str) -> tuple[str, ...]:
        """Return the names it uses."""
        return () if isinstance(parsed, str) else Region().names(parsed)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names of partitions."""
        return (*Region().complete(text, scope), "chip")


@VERBS.add(
    "load",
    group=GROUP,
    params=[Param("files", FilePlaces())],
    options=[
        Option("--all", "send also what does not differ", into="everything"),
        _KEEP_EDGES,
        *_HEADER,
        _FORCE,
    ],
    needs="flash",
)
def load(
    session: Session,
    files: tuple[Pair, ...],
    *,
    everything: bool = False,
    keep_edges: bool = False,
    flash_mode: str = "keep",
    flash_freq: str = "keep",
    flash_size: str = "keep",
    force: bool = False,
) -> Written | Loaded | None:
    """Write files to flash, as far as they differ, or to memory.

    load app.bin flash:app0; load boot.bin flash:0x1000 app.bin flash:0x10000; load x.bin mem:DRAM.
    Raw bytes or Intel HEX. Only the sectors that differ are erased and sent; then all is verified.
    The header of a bootloader is written as it is, unless --flash-mode, --flash-freq or
    --flash-size is given. What is stopped half-way is finished by running it again.
    """
    _see_one_space(files)
    if files[0][1].space == "mem":
        return load_memory(
            session.chip.memory, _images(files), force=force, report=session.output.progress
        )
    images = patched(
        _images(files), session.chip.chip, mode=flash_mode, frequency=flash_freq, size=flash_size
    )
    limit = _limit(files)
    return _write(session, images, limit, everything=everything, keep_edges=keep_edges, force=force)


@VERBS.add(
    "verify",
    group=GROUP,
    params=[Param("files", FilePlaces())],
    options=[
        Option("--diff", "show what differs"),
        Option("--all", "show all of it", into="every_row"),
        *_HEADER,
    ],
    needs="memory",
)
def verify(
    session: Session,
    files: tuple[Pair, ...],
    *,
    diff: bool = False,
    every_row: bool = False,
    flash_mode: str = "keep",
    flash_freq: str = "keep",
    flash_size: str = "keep",
) -> Shown:
    """Compare files with flash by digest.

    --diff shows what differs, side by side. The wire cost follows the size of the difference, not
    of the file. Fails if anything differs.
    """
    from espshell.render.verify import verify_lines
    from espshell.shell.display import Shown

    _see_one_space(files, only="flash")
    images = patched(
        _images(files), session.chip.chip, mode=flash_mode, frequency=flash_freq, size=flash_size
    )
    result = verify_images(
        session.flash(),
        images,
        diff=diff,
        most=None if every_row else 64,
        chip=session.chip.chip,
        table=session.known_partitions,
        report=session.output.progress,
    )
    output = session.output
    if not output.as_json:
        output.lines(
            verify_lines(result, every_row=every_row, width=output.width, color=output.color)
        )
    return Shown(result)


@VERBS.add(
    "erase",
    group=GROUP,
    params=[Param("region", Erasable())],
    options=[_KEEP_EDGES, Option("--all", "erase also what is blank", into="everything")],
    needs="memory",
)
def erase(
    session: Session, region: Span, *, keep_edges: bool = False, everything: bool = False
) -> Erased | None:
    """Erase sectors of flash, or the whole chip.

    erase flash:nvs; erase flash:0x9000 0x6000; erase chip. What is blank already is left alone.
    """
    session.see_may_destroy("erase")
    target = session.chip
    size = region.size
    session.flash(size)
    facts = ops.facts_of(target, protected=session.protected())
    plan_erase(region.address, size, facts, keep_edges=keep_edges)
    end = region.address + size
    what = "the whole chip" if size == target.flash.size else f"{region.name} " * bool(region.name)
    text = (
        f"erase {what.strip() or 'flash'} {hex32(region.address)}..{hex32(end)} ({size_text(size)})"
    )
    if not session.may_destroy(text):
        session.output.note(NOTHING_DONE)
        return None
    session.forget_partitions([(region.address, size)])
    return ops.erase(
        target,
        region.address,
        size,
        keep_edges=keep_edges,
        everything=everything,
        protected=facts.protected,
        report=session.output.progress,
    )


@VERBS.add("parts", group=GROUP, needs="memory")
def list_parts(session: Session) -> Parts:
    """List the partitions of the flash.

    Their names are places: flash:nvs. The table is read from 0x8000, or from where `set parttable`
    says: another address, or a file (binary or CSV).
    """
    return parts(session.chip, session.partition_table(), session.settings.parttable)


@VERBS.add("flash-id", group=GROUP, needs="memory")
def flash_id(session: Session) -> Flash:
    """Tell manufacturer, id and size of the flash chip."""
    found = chip_ops.flash_id(session.chip)
    if found is None:
        raise UsageError("no flash chip answers", hint="is it connected and powered?")
    return found


@VERBS.add(
    "write-flash",
    group=GROUP,
    params=[Param("files", FilePlaces(swapped=True))],
    options=[
        Option("--erase-all", "erase the whole chip first", short="-e"),
        Option("--compress", "is always done with the stub", short="-z"),
        Option("--no-compress", "is accepted, and changes nothing", short="-u"),
        Option("--no-progress", "is accepted, and changes nothing", short="-p"),
        Option("--skip-flashed", "is always done", short="-s"),
        *_HEADER,
        _FORCE,
    ],
    needs="flash",
    alias_of="load",
)
def write_flash_files(
    session: Session,
    files: tuple[Pair, ...],
    *,
    erase_all: bool = False,
    compress: bool = False,
    no_compress: bool = False,
    no_progress: bool = False,
    skip_flashed: bool = False,
    flash_mode: str = "keep",
    flash_freq: str = "keep",
    flash_size: str = "keep",
    force: bool = False,
) -> Written | Loaded | None:
    """Write files to flash, as esptool does; but only what differs, and verified."""
    if erase_all:
        size = session.chip.flash.size
        if erase(session, Span(0, size, "", "flash")) is None:
            return None
    return load(
        session,
        files,
        flash_mode=flash_mode,
        flash_freq=flash_freq,
        flash_size=flash_size,
        force=force,
    )


@VERBS.add(
    "verify-flash",
    group=GROUP,
    params=[Param("files", FilePlaces(swapped=True))],
    options=[
        Option("--diff", "show what differs", short="-d"),
        Option("--all", "show all of it", into="every_row"),
        *_HEADER,
    ],
    needs="memory",
    alias_of="verify",
)
def verify_flash(
    session: Session,
    files: tuple[Pair, ...],
    *,
    diff: bool = False,
    every_row: bool = False,
    flash_mode: str = "keep",
    flash_freq: str = "keep",
    flash_size: str = "keep",
) -> Shown:
    """Compare files with flash, as esptool does."""
    return verify(
        session,
        files,
        diff=diff,
        every_row=every_row,
        flash_mode=flash_mode,
        flash_freq=flash_freq,
        flash_size=flash_size,
    )


@VERBS.add(
    "read-flash",
    group=GROUP,
    params=[
        Param("region", Erasable(bare=True)),
        Param("file", File()),
    ],
    options=[Option("--no-progress", "is accepted, and changes nothing", short="-p")],
    needs="memory",
    alias_of="save",
)
def read_flash(session: Session, region: Span, file: Path, *, no_progress: bool = False) -> Saved:
    """Read flash into a file, as esptool does: ADDRESS SIZE FILE, or ADDRESS ALL FILE."""
    return save_flash(session, region, file)


@VERBS.add(
    "erase-region",
    group=GROUP,
    params=[Param("region", Erasable(bare=True))],
    options=[_FORCE],
    needs="memory",
    alias_of="erase",
)
def erase_region(session: Session, region: Span, *, force: bool = False) -> Erased | None:
    """Erase a region of flash, as esptool does: ADDRESS SIZE, or ADDRESS ALL."""
    return erase(session, region)


@VERBS.add("erase-flash", group=GROUP, options=[_FORCE], needs="memory", alias_of="erase")
def erase_flash(session: Session, *, force: bool = False) -> Erased | None:
    """Erase the whole chip, as esptool does."""
    return erase(session, Span(0, session.chip.flash.size, "", "flash"))


def write_flash(session: Session, where: Spot, data: bytes, name: str) -> Written | None:
    """Write bytes anywhere in flash; what else is in the sectors is kept."""
    image = Image(where.address, data, name)
    return _write(session, [image], None, everything=False, keep_edges=True, force=True)


def save_flash(session: Session, region: Span, file: Path, *, resume: bool = False) -> Saved:
    """Save a range of flash; if it is stopped, say how to go on."""
    try:
        return save(
            session.flash(region.size),
            region.address,
            region.size,
            file,
            resume=resume,
            check=session.settings.check,
            report=session.output.progress,
        )
    except KeyboardInterrupt:
        part = part_of(file)
        if part.exists():
            held = size_text(part.stat().st_size)
            session.output.note(f"{part.name} holds the first {held}; --resume goes on with it")
        raise


def _write(
    session: Session,
    images: Sequence[Image],
    limit: Range | None,
    *,
    everything: bool,
    keep_edges: bool,
    force: bool,
) -> Written | None:
    """Plan, compare, ask, write; whatever stops it, say which sectors are in which state."""
    session.see_may_destroy("writing flash")
    target = session.chip
    facts = ops.facts_of(target, protected=session.protected())
    plan = plan_write(images, facts, keep_edges=keep_edges, force=force, limit=limit)
    session.flash(plan.size)
    report = session.output.progress
    work = ops.compare(target, plan, everything=everything, report=report)
    session.output.finished()
    if work.segments:
        if session.ask is not None:
            for warning in plan.warnings:
                session.output.note(warning)
        if not session.may_destroy(_question(work)):
            session.output.note(NOTHING_DONE)
            return None
    try:
        result = ops.write(target.flash, work, report)
    except BaseException:
        session.output.finished()
        session.output.note(work.state())
        raise
    session.forget_partitions([(s.address, s.size) for s in work.segments])
    return result


def _question(work: Work) -> str:
    plan = work.plan
    changed = f"{work.sectors} of {count_text(plan.sectors, 'sector')}"
    where = ops.ranges_text([Range(s.address, s.size) for s in work.segments])
    return f"erase and write {changed} ({where}), about {work.seconds:.0f} s"


def _images(files: Sequence[Pair]) -> tuple[Image, ...]:
    return read_images([(path, where.address) for path, where in files])


def _limit(files: Sequence[Pair]) -> Range | None:
    """Return the partition that was named as the place, if it was one."""
    where = files[0][1]
    if len(files) > 1 or where.end is None:
        return None
    return Range(where.address, where.end - where.address)


def _see_one_space(files: Sequence[Pair], only: str = "") -> None:
    spaces = {where.space for _, where in files}
    if len(spaces) > 1:
        raise UsageError("some of the files are for memory and some for flash")
    if only and spaces != {only}:
        raise UsageError("files are compared with flash only; `diff FILE REGION` with memory")


def _plain(text: str) -> str:
    from espshell.shell.operands import unquoted

    return unquoted(text)
