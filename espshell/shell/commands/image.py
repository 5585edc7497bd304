"""image info, make, merge and elf, and esptool's names for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.shell.arguments.flash import Pair
from espshell.shell.arguments.image import FileOffsets, FileOrFlash, FlashBytes, OneChip, PassedOn
from espshell.shell.arguments.places import Spot
from espshell.shell.arguments.types import Choice, File, InputFile, Number, Text
from espshell.shell.registry import Option, Param, Registry

if TYPE_CHECKING:
    from espshell.image.merge import Format
    from espshell.ops.flash.settings import FlashSettings
    from espshell.ops.image.build import Made, Merged
    from espshell.ops.image.inspect import ImageInfo
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "Images"

KEEP = "keep"
FLASH_MODES = ("qio", "qout", "dio", "dout")
FORMATS = ("raw", "hex", "uf2")
"""As those who use them have them; they are imported when a command is run, not at every start."""

_CHIP = Option("--chip", "which chip it is for, where that is not said", OneChip())
_SETTINGS = (
    Option("--flash-mode", "written to the header (keep)", Choice(KEEP, *FLASH_MODES), short="-fm"),
    Option("--flash-freq", "written to the header (keep): 40m", Text(), short="-ff"),
    Option("--flash-size", "written to the header (keep): 4MB", Text(), short="-fs"),
)
_INFO_PARAMS = (Param("file", FileOrFlash()),)
_INFO_OPTIONS = (Option("--verify", "of a chip: read all, and check the sums"), _CHIP)
_MAKE_OPTIONS = (
    Option("--segfile", "bytes of a segment", InputFile(), short="-f", many=True),
    Option("--segaddr", "where in memory they belong", Number(), short="-a", many=True),
    Option("--entrypoint", "where the program starts (0)", Number(), short="-e"),
    *_SETTINGS,
)
_MERGE_OPTIONS = (
    Option(
        "--format", "raw, hex or uf2; else by the name of the file", Choice(*FORMATS), into="fmt"
    ),
    Option("--target-offset", "where in flash a raw file is to begin", Number(), short="-t"),
    Option("--pad-to", "fill a raw file up to this size of flash", FlashBytes()),
    *_SETTINGS,
    Option("--chunk-size", "payload of a UF2 block", Number()),
    Option("--no-md5", "no MD5 in UF2 blocks"),
    _CHIP,
)
_THEIR_MERGE_OPTIONS = (
    Option("--output", "the file to be made", File(), short="-o"),
    Option("--format", "raw, hex or uf2", Choice(*FORMATS), short="-f", into="fmt"),
    _MERGE_OPTIONS[1],
    Option("--pad-to-size", _MERGE_OPTIONS[2].help, FlashBytes(), into="pad_to"),
    *_SETTINGS,
    _MERGE_OPTIONS[-3],
    Option("--md5-disable", "no MD5 in UF2 blocks", into="no_md5"),
    _CHIP,
)


def _passed(flag: str, text: str, *choices: str, short: str = "") -> Option:
    kind = PassedOn(flag, *choices)
    return Option(flag, text, kind, short=short, into="options", many=True)


def _passed_flag(flag: str, text: str) -> Option:
    return Option(flag, text, into="options", many=True)


_ELF_OPTIONS = (
    Option("--output", "the image (FILE.bin)", File(), short="-o"),
    _CHIP,
    _passed("--flash-mode", "written to the header", *FLASH_MODES, short="-fm"),
    _passed("--flash-freq", "written to the header", short="-ff"),
    _passed("--flash-size", "written to the header", short="-fs"),
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


@VERBS.add(
    "image-info",
    group=GROUP,
    params=_INFO_PARAMS,
    options=[
        *_INFO_OPTIONS,
        Option("--version", "is accepted: all is shown", Choice("1", "2"), is_accepted=True),
    ],
    alias_of="image info",
)
@VERBS.add("image info", group=GROUP, params=_INFO_PARAMS, options=_INFO_OPTIONS)
def image_info(
    session: Session, file: Path | Spot, *, verify: bool = False, chip: Chip | None = None
) -> ImageInfo:
    """Tell what is in a file, or at a place in flash.

    image info app.bin; image info flash:app0; a file needs no chip.
    Firmware with its header, segments, checksum, digest, description and signatures; partition
    tables, flash images, ELF, Intel HEX, UF2. The offset of a segment is that of its data in the
    file, behind its own header. Of a chip only headers are read; --verify reads all and checks the
    sums. Fails if a sum is wrong.
    """
    from espshell.ops.image.inspect import inspect_file, inspect_flash

    if isinstance(file, Path):
        return inspect_file(file, chip=chip)
    flash = session.flash()
    if not flash.is_readable:
        raise UsageError("in secure download mode nobody can read the flash")
    size = (file.end or flash.size) - file.address
    if verify:
        flash = session.flash(size)
    return inspect_flash(
        flash,
        file.address,
        size,
        source=f"flash:{file.name or hex(file.address)}",
        chip=chip or session.chip.chip,
        verify=verify,
        report=session.output.progress,
    )


@VERBS.add("image make", group=GROUP, params=[Param("out", File())], options=_MAKE_OPTIONS)
def image_make(
    session: Session,
    out: Path,
    *,
    segfile: tuple[Path, ...] = (),
    segaddr: tuple[int, ...] = (),
    entrypoint: int = 0,
    flash_mode: str = KEEP,
    flash_freq: str = KEEP,
    flash_size: str = KEEP,
) -> Made:
    """Make an ESP8266 image of files, as esptool 4 did.

    image make -f text.bin -a 0x40100000 -f data.bin -a 0x3ffe8000 -e 0x40100004 out.bin.
    -f and -a stand in pairs, one for each segment. A segment in flash becomes a file of its own.
    """
    settings = (flash_mode, flash_freq, flash_size)
    return _make(out, segfile, segaddr, entrypoint, settings)


@VERBS.add(
    "make-image",
    group=GROUP,
    params=[Param("out", File())],
    options=_MAKE_OPTIONS,
    alias_of="image make",
)
def make_image(
    session: Session,
    out: Path,
    *,
    segfile: tuple[Path, ...] = (),
    segaddr: tuple[int, ...] = (),
    entrypoint: int = 0,
    flash_mode: str = KEEP,
    flash_freq: str = KEEP,
    flash_size: str = KEEP,
) -> Made:
    """Make an ESP8266 image of files, named as esptool 4 did: OUT0x00000.bin.

    A segment in flash becomes a file of its own, OUT0x10000.bin.
    """
    settings = (flash_mode, flash_freq, flash_size)
    return _make(out, segfile, segaddr, entrypoint, settings, always_ending=True)


def _make(
    out: Path,
    files: tuple[Path, ...],
    addresses: tuple[int, ...],
    entry: int,
    settings: tuple[str, str, str],
    *,
    always_ending: bool = False,
) -> Made:
    from espshell.ops.flash.settings import FlashSettings
    from espshell.ops.image import build

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
        entry=entry,
        settings=FlashSettings(*settings),
        always_ending=always_ending,
    )


@VERBS.add(
    "image merge",
    group=GROUP,
    params=[Param("out", File()), Param("files", FileOffsets())],
    options=_MERGE_OPTIONS,
)
def image_merge(
    session: Session,
    out: Path,
    files: tuple[Pair, ...],
    *,
    fmt: str | None = None,
    target_offset: int = 0,
    pad_to: int | None = None,
    flash_mode: str = KEEP,
    flash_freq: str = KEEP,
    flash_size: str = KEEP,
    chunk_size: int | None = None,
    no_md5: bool = False,
    chip: Chip | None = None,
) -> Merged:
    """Make one file of several, each with its place in flash.

    image merge all.bin boot.bin 0x1000 app.bin 0x10000.
    Raw bytes with FF between them, Intel HEX (.hex) or UF2 (.uf2). Files must not overlap.
    --flash-mode, --flash-freq and --flash-size change the header of the bootloader.
    """
    from espshell.ops.flash.settings import FlashSettings

    return _merge(
        session,
        out,
        files,
        fmt,
        FlashSettings(flash_mode, flash_freq, flash_size),
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
    settings: FlashSettings,
    *,
    chip: Chip | None,
    own_addresses: bool = False,
    **layout: Any,
) -> Merged:
    from espshell.ops.image.build import merge_files

    return merge_files(
        [(path, where.address) for path, where in files],
        out,
        fmt=cast("Format | None", fmt),
        chip=chip,
        connected=_at_hand(session),
        settings=settings,
        own_addresses=own_addresses,
        **layout,
    )


@VERBS.add(
    "merge-bin",
    group=GROUP,
    params=[Param("files", FileOffsets(swapped=True))],
    options=_THEIR_MERGE_OPTIONS,
    alias_of="image merge",
)
def merge_bin(
    session: Session,
    files: tuple[Pair, ...],
    *,
    output: Path | None = None,
    fmt: str = "raw",
    target_offset: int = 0,
    pad_to: int | None = None,
    flash_mode: str = KEEP,
    flash_freq: str = KEEP,
    flash_size: str = KEEP,
    chunk_size: int | None = None,
    no_md5: bool = False,
    chip: Chip | None = None,
) -> Merged:
    """Make one file of several, as esptool does: -o OUT ADDRESS FILE, and again.

    Intel HEX goes to its own addresses.
    """
    if output is None:
        raise UsageError("where to is missing", hint="--output FILE")
    from espshell.ops.flash.settings import FlashSettings

    return _merge(
        session,
        output,
        files,
        fmt,
        FlashSettings(flash_mode, flash_freq, flash_size),
        target_offset=target_offset,
        pad_to=pad_to,
        chunk_size=chunk_size,
        md5=not no_md5,
        chip=chip,
        own_addresses=True,
    )


@VERBS.add(
    "elf2image",
    group=GROUP,
    params=[Param("file", InputFile())],
    options=_ELF_OPTIONS,
    alias_of="image elf",
)
@VERBS.add("image elf", group=GROUP, params=[Param("file", InputFile())], options=_ELF_OPTIONS)
def image_elf(
    session: Session,
    file: Path,
    *,
    output: Path | None = None,
    chip: Chip | None = None,
    options: tuple[str, ...] = (),
) -> Made:
    """Make an image of an ELF file, by running esptool.

    image elf app.elf --chip esp32c3; the image is app.bin then.
    The installed esptool runs; its options are passed on, and what it prints goes to stderr.
    What it has made is then looked at as `image info` does.
    """
    from espshell.ops.image.build import elf_to_image

    found = chip or _at_hand(session)
    if found is None:
        raise UsageError("an ELF file does not say which chip it is for", hint="--chip esp32c3")
    return elf_to_image(file, output, chip=found, options=options, tell=session.output.plain)


def _at_hand(session: Session) -> Chip | None:
    """Return the chip that the command line names, or that is connected."""
    return session.bench.chip or (session.target.chip if session.target else None)
