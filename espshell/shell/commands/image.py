"""image info, make, merge and elf, and esptool's names for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from espshell.chips import Chip
from espshell.chips.common import FLASH_FREQUENCIES, FLASH_SIZES
from espshell.errors import UsageError
from espshell.ops.flash import payload as settings_module
from espshell.ops.image import build, inspect
from espshell.records import dataclass
from espshell.shell.arguments.flash import Pair
from espshell.shell.arguments.image import (
    FILE_OR_FLASH,
    FLASH_BYTES,
    HEADER_FREQUENCY,
    HEADER_SIZE,
    file_offsets,
    passed_on,
)
from espshell.shell.arguments.places import Location
from espshell.shell.arguments.types import BARE_NUMBER, CHIP, FILE, INPUT_FILE, NUMBER, choice
from espshell.shell.declaration import Option
from espshell.shell.registry import Registry

if TYPE_CHECKING:
    from espshell.image.merge import Format
    from espshell.ops.flash.payload import FlashSettings
    from espshell.ops.image.build import Made, Merged
    from espshell.ops.image.inspect import ImageInfo
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "Images"

KEEP = "keep"
FLASH_MODES = ("qio", "qout", "dio", "dout")
FORMATS = ("raw", "hex", "uf2")
"""As those who use them have them; they are imported when a command is run, not at every start."""


def _passed(flag: str, text: str, *choices: str, short: str = "") -> Option:
    return Option(flag, text, passed_on(flag, *choices), short=short, many=True)


def _passed_flag(flag: str, text: str) -> Option:
    return Option(flag, text, many=True)


ImageChip = Annotated[
    Chip | None, Option("--chip", "which chip it is for, where that is not said", CHIP)
]
TargetOffset = Annotated[
    int, Option("--target-offset", "where in flash a raw file is to begin", BARE_NUMBER, short="-t")
]
ChunkSize = Annotated[int | None, Option("--chunk-size", "payload of a UF2 block", BARE_NUMBER)]
_HEADER = "written to the header"
_PASSED_ON = (
    _passed("--flash-mode", _HEADER, *FLASH_MODES, short="-fm"),
    _passed("--flash-freq", _HEADER, *(name for name, _ in FLASH_FREQUENCIES), short="-ff"),
    _passed("--flash-size", _HEADER, *(size.name for size in FLASH_SIZES), short="-fs"),
    _passed("--version", "of an ESP8266 image", "1", "2", "3", short="-e"),
    _passed("--min-rev", "least minor revision, as once", short="-r"),
    _passed("--min-rev-full", "least revision of the chip, major * 100 + minor"),
    _passed("--max-rev-full", "largest revision of the chip"),
    _passed_flag("--secure-pad", "fill up for secure boot version 1"),
    _passed_flag("--secure-pad-v2", "fill up for secure boot version 2"),
    _passed("--elf-sha256-offset", "where the SHA-256 of the ELF file goes"),
    _passed_flag("--dont-append-digest", "no SHA-256 at the end"),
    _passed_flag("--use-segments", "segments of the ELF file, not sections"),
    _passed("--flash-mmu-page-size", "of the cache", "64KB", "32KB", "16KB", "8KB"),
    _passed("--pad-to-size", "fill up to a multiple of this"),
    _passed_flag("--ram-only-header", "a header that names RAM segments only"),
)
"""Options of esptool's elf2image, which runs with them."""


@VERBS.add(
    "image-info",
    group=GROUP,
    options=[Option("--version", "is accepted: all is shown", choice("1", "2"), is_accepted=True)],
    alias_of="image info",
)
@VERBS.add("image info", group=GROUP)
def image_info(
    session: Session,
    file: Annotated[Path | Location, FILE_OR_FLASH],
    *,
    verify: Annotated[bool, Option("--verify", "of a chip: read all, and check the sums")] = False,
    chip: ImageChip = None,
) -> ImageInfo:
    """Tell what is in a file, or at a place in flash.

    image info app.bin; image info flash:app0; a file needs no chip.
    Firmware with its header, segments, checksum, digest, description and signatures; partition
    tables, flash images, ELF, Intel HEX, UF2. The offset of a segment is that of its data in the
    file, behind its own header. Of a chip only headers are read; --verify reads all and checks the
    sums. Fails if a sum is wrong.

    Example: image info app.bin
    Example: image info flash:app1 --verify
    """
    if isinstance(file, Path):
        return inspect.inspect_file(file, chip=chip)
    flash = session.flash()
    if not flash.is_readable:
        raise UsageError("in secure download mode nobody can read the flash")
    size = (file.end or flash.size) - file.address
    if verify:
        flash = session.flash(size)
    return inspect.inspect_flash(
        flash,
        file.address,
        size,
        source=f"flash:{file.name or hex(file.address)}",
        chip=chip or session.chip.chip,
        verify=verify,
        report=session.output.progress,
    )


@dataclass(frozen=True, slots=True)
class Header:
    """What is written to the header of an image or of a bootloader."""

    flash_mode: Annotated[
        str,
        Option("--flash-mode", f"{_HEADER} (keep)", choice(KEEP, *FLASH_MODES), short="-fm"),
    ] = KEEP
    flash_freq: Annotated[
        str, Option("--flash-freq", f"{_HEADER} (keep): 40m", HEADER_FREQUENCY, short="-ff")
    ] = KEEP
    flash_size: Annotated[
        str, Option("--flash-size", f"{_HEADER} (keep): 4MB", HEADER_SIZE, short="-fs")
    ] = KEEP

    @property
    def settings(self) -> FlashSettings:
        """The same for the operation."""
        return settings_module.FlashSettings(self.flash_mode, self.flash_freq, self.flash_size)


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of an image, and its entry."""

    segfile: Annotated[
        tuple[Path, ...],
        Option("--segfile", "bytes of a segment", INPUT_FILE, short="-f", many=True),
    ] = ()
    segaddr: Annotated[
        tuple[int, ...],
        Option("--segaddr", "where in memory they belong", NUMBER, short="-a", many=True),
    ] = ()
    entrypoint: Annotated[
        int, Option("--entrypoint", "where the program starts (0)", NUMBER, short="-e")
    ] = 0


@VERBS.add("image make", group=GROUP)
def image_make(
    session: Session, out: Annotated[Path, FILE], *, segments: Segments, header: Header
) -> Made:
    """Make an ESP8266 image of files, as esptool 4 did.

    image make -f text.bin -a 0x40100000 -f data.bin -a 0x3ffe8000 -e 0x40100004 out.bin.
    -f and -a stand in pairs, one for each segment. A segment in flash becomes a file of its own.

    Example: image make -f data.bin -a 0x40100000 esp8266.bin
    """
    return _make(out, segments, header)


@VERBS.add("make-image", group=GROUP, alias_of="image make")
def make_image(
    session: Session, out: Annotated[Path, FILE], *, segments: Segments, header: Header
) -> Made:
    """Make an ESP8266 image of files, named as esptool 4 did: OUT0x00000.bin.

    A segment in flash becomes a file of its own, OUT0x10000.bin.

    Example: make-image -f data.bin -a 0x40100000 esp8266
    """
    return _make(out, segments, header, always_ending=True)


def _make(out: Path, segments: Segments, header: Header, *, always_ending: bool = False) -> Made:
    files, addresses = segments.segfile, segments.segaddr
    if len(files) != len(addresses) or not files:
        raise UsageError(
            f"there are {len(files)} of -f and {len(addresses)} of -a, expected as many of both"
            if files or addresses
            else "there are no segments to make an image of",
            hint="-f FILE -a ADDRESS, as often as there are segments",
        )
    return build.make_image(
        list(zip(files, addresses, strict=True)),
        out,
        entry=segments.entrypoint,
        settings=header.settings,
        always_ending=always_ending,
    )


@VERBS.add("image merge", group=GROUP)
def image_merge(
    session: Session,
    out: Annotated[Path, FILE],
    files: Annotated[tuple[Pair, ...], file_offsets()],
    *,
    fmt: Annotated[
        str | None,
        Option("--format", "raw, hex or uf2; else by the name of the file", choice(*FORMATS)),
    ] = None,
    target_offset: TargetOffset = 0,
    pad_to: Annotated[
        int | None, Option("--pad-to", "fill a raw file up to this size of flash", FLASH_BYTES)
    ] = None,
    header: Header,
    chunk_size: ChunkSize = None,
    no_md5: Annotated[bool, Option("--no-md5", "no MD5 in UF2 blocks")] = False,
    chip: ImageChip = None,
) -> Merged:
    """Make one file of several, each with its place in flash.

    image merge all.bin boot.bin 0x1000 app.bin 0x10000.
    Raw bytes with FF between them, Intel HEX (.hex) or UF2 (.uf2). Files must not overlap.
    --flash-mode, --flash-freq and --flash-size change the header of the bootloader.

    Example: image merge all.bin boot.bin 0 app.bin 0x10000 --chip esp32c3
    """
    return _merge(
        session,
        out,
        files,
        fmt,
        header,
        target_offset=target_offset,
        pad_to=pad_to,
        chunk_size=chunk_size,
        md5=not no_md5,
        chip=chip,
    )


def _merge(
    session: Session,
    out: Path,
    files: tuple[Pair, ...],
    fmt: str | None,
    header: Header,
    *,
    chip: Chip | None,
    own_addresses: bool = False,
    **layout: Any,
) -> Merged:
    return build.merge_files(
        [(path, where.address) for path, where in files],
        out,
        fmt=cast("Format | None", fmt),
        chip=chip,
        connected=_at_hand(session),
        settings=header.settings,
        own_addresses=own_addresses,
        **layout,
    )


@VERBS.add("merge-bin", group=GROUP, alias_of="image merge")
def merge_bin(
    session: Session,
    files: Annotated[tuple[Pair, ...], file_offsets(swapped=True)],
    *,
    output: Annotated[
        Path | None, Option("--output", "the file to be made", FILE, short="-o")
    ] = None,
    fmt: Annotated[
        str, Option("--format", "raw, hex or uf2", choice(*FORMATS), short="-f")
    ] = "raw",
    target_offset: TargetOffset = 0,
    pad_to: Annotated[
        int | None, Option("--pad-to-size", "fill a raw file up to this size of flash", FLASH_BYTES)
    ] = None,
    header: Header,
    chunk_size: ChunkSize = None,
    no_md5: Annotated[bool, Option("--md5-disable", "no MD5 in UF2 blocks")] = False,
    chip: ImageChip = None,
) -> Merged:
    """Make one file of several, as esptool does: -o OUT ADDRESS FILE, and again.

    Intel HEX goes to its own addresses.

    Example: merge-bin -o all.bin --chip esp32c3 0x0 boot.bin 0x10000 app.bin
    """
    if output is None:
        raise UsageError("where to is missing", hint="--output FILE")

    return _merge(
        session,
        output,
        files,
        fmt,
        header,
        target_offset=target_offset,
        pad_to=pad_to,
        chunk_size=chunk_size,
        md5=not no_md5,
        chip=chip,
        own_addresses=True,
    )


@VERBS.add("image elf", group=GROUP, aliases=["elf2image"])
def image_elf(
    session: Session,
    file: Annotated[Path, INPUT_FILE],
    *,
    output: Annotated[
        Path | None, Option("--output", "the image (FILE.bin)", FILE, short="-o")
    ] = None,
    chip: ImageChip = None,
    options: Annotated[tuple[str, ...], _PASSED_ON] = (),
) -> Made:
    """Make an image of an ELF file, by running esptool.

    image elf app.elf --chip esp32c3; the image is app.bin then.
    The installed esptool runs; its options are passed on, and what it prints goes to stderr.
    What it has made is then looked at as `image info` does.

    Example: image elf program.elf --chip esp32c3 -o converted.bin
    """
    target = chip or _at_hand(session)
    if target is None:
        raise UsageError("an ELF file does not say which chip it is for", hint="--chip esp32c3")
    return build.elf_to_image(file, output, chip=target, options=options, tell=session.output.plain)


def _at_hand(session: Session) -> Chip | None:
    """Return the chip that the command line names, or that is connected."""
    return session.bench.chip or (session.target.chip if session.target else None)
