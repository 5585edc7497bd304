"""image info, make, merge and elf, and esptool's names for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

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
    from espshell.shell.session import Session

VERBS = Registry("Images")

KEEP = "keep"
FLASH_MODES = ("qio", "qout", "dio", "dout")
FORMATS = ("raw", "hex", "uf2")
"""As those who use them have them; they are imported when a command is run, not at every start."""


def _passed(flag: str, text: str, *choices: str, short: str = "") -> Option:
    return Option(flag, text, passed_on(flag, *choices), short=short, many=True)


def _passed_flag(flag: str, text: str) -> Option:
    return Option(flag, text, many=True)


ImageChip = Annotated[
    Chip | None, Option("--chip", "target chip, if the file does not name it", CHIP)
]
TargetOffset = Annotated[
    int,
    Option("--target-offset", "flash offset at which the raw file starts", BARE_NUMBER, short="-t"),
]
ChunkSize = Annotated[
    int | None, Option("--chunk-size", "payload bytes per UF2 block", BARE_NUMBER)
]
_HEADER = "written to the header"
_PASSED_ON = (
    _passed("--flash-mode", _HEADER, *FLASH_MODES, short="-fm"),
    _passed("--flash-freq", _HEADER, *(name for name, _ in FLASH_FREQUENCIES), short="-ff"),
    _passed("--flash-size", _HEADER, *(size.name for size in FLASH_SIZES), short="-fs"),
    _passed("--version", "of an ESP8266 image", "1", "2", "3", short="-e"),
    _passed("--min-rev", "minimum minor revision (old style)", short="-r"),
    _passed("--min-rev-full", "minimum chip revision, major * 100 + minor"),
    _passed("--max-rev-full", "maximum chip revision, major * 100 + minor"),
    _passed_flag("--secure-pad", "pad for secure boot v1"),
    _passed_flag("--secure-pad-v2", "pad for secure boot v2"),
    _passed("--elf-sha256-offset", "offset at which to store the ELF file's SHA-256"),
    _passed_flag("--dont-append-digest", "do not append a SHA-256 digest"),
    _passed_flag("--use-segments", "use ELF segments instead of sections"),
    _passed("--flash-mmu-page-size", "page size of the flash MMU", "64KB", "32KB", "16KB", "8KB"),
    _passed("--pad-to-size", "pad to a multiple of this size"),
    _passed_flag("--ram-only-header", "put only RAM segments into the header"),
)
"""Options of esptool's elf2image, which runs with them."""


@VERBS.add(
    "image-info",
    options=[
        Option("--version", "accepted: everything is shown", choice("1", "2"), is_accepted=True)
    ],
    alias_of="image info",
)
@VERBS.add("image info")
def image_info(
    session: Session,
    file: Annotated[Path | Location, FILE_OR_FLASH],
    *,
    verify: Annotated[
        bool, Option("--verify", "in flash: read everything and check the sums")
    ] = False,
    chip: ImageChip = None,
) -> inspect.ImageInfo:
    """Describe an image in a file or in flash.

    image info app.bin; image info flash:app0; a file needs no chip. Handles firmware (header,
    segments, checksum, digest, description, signatures), partition tables, flash images, ELF, Intel
    HEX and UF2. A segment's offset is that of its data, after the segment header. From flash only
    headers are read; --verify reads everything and checks checksum and digest. Fails if one of them
    is wrong.

    Example: image info app.bin
    Example: image info flash:app1 --verify
    """
    if isinstance(file, Path):
        return inspect.inspect_file(file, chip=chip)
    flash = session.flash()
    if not flash.is_readable:
        raise UsageError("in secure download mode the flash cannot be read")
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
        str, Option("--flash-mode", f"{_HEADER} (keep)", choice(KEEP, *FLASH_MODES), short="-fm")
    ] = KEEP
    flash_freq: Annotated[
        str, Option("--flash-freq", f"{_HEADER} (keep): 40m", HEADER_FREQUENCY, short="-ff")
    ] = KEEP
    flash_size: Annotated[
        str, Option("--flash-size", f"{_HEADER} (keep): 4MB", HEADER_SIZE, short="-fs")
    ] = KEEP

    @property
    def settings(self) -> settings_module.FlashSettings:
        """The same for the operation."""
        return settings_module.FlashSettings(self.flash_mode, self.flash_freq, self.flash_size)


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of an image, and its entry."""

    segfile: Annotated[
        tuple[Path, ...],
        Option("--segfile", "file with the data of a segment", INPUT_FILE, short="-f", many=True),
    ] = ()
    segaddr: Annotated[
        tuple[int, ...],
        Option("--segaddr", "load address of the segment", NUMBER, short="-a", many=True),
    ] = ()
    entrypoint: Annotated[
        int, Option("--entrypoint", "entry point of the program (0)", NUMBER, short="-e")
    ] = 0


@VERBS.add("image make")
def image_make(
    session: Session,
    out: Annotated[Path, FILE],
    *,
    segments: Segments,
    header: Header,
    like_esptool: bool = False,
) -> build.Made:
    """Build an ESP8266 image from segment files, as esptool 4 did.

    image make -f text.bin -a 0x40100000 -f data.bin -a 0x3ffe8000 -e 0x40100004 out.bin.
    Give one -f and one -a per segment. A segment in flash becomes a separate file.

    Example: image make -f data.bin -a 0x40100000 esp8266.bin
    """
    files, addresses = segments.segfile, segments.segaddr
    if len(files) != len(addresses) or not files:
        raise UsageError(
            f"there are {len(files)} of -f and {len(addresses)} of -a, expected one of each "
            "per segment"
            if files or addresses
            else "no segments given",
            hint="-f FILE -a ADDRESS, once per segment",
        )
    return build.make_image(
        list(zip(files, addresses, strict=True)),
        out,
        entry=segments.entrypoint,
        settings=header.settings,
        always_ending=like_esptool,
    )


@VERBS.add("make-image", alias_of="image make")
def make_image(
    session: Session, out: Annotated[Path, FILE], *, segments: Segments, header: Header
) -> build.Made:
    """Make an ESP8266 image of files, named as esptool 4 did: OUT0x00000.bin.

    A segment in flash becomes a file of its own, OUT0x10000.bin.

    Example: make-image -f data.bin -a 0x40100000 esp8266
    """
    return image_make(session, out, segments=segments, header=header, like_esptool=True)


@VERBS.add("image merge")
def image_merge(
    session: Session,
    out: Annotated[Path, FILE],
    files: Annotated[tuple[Pair, ...], file_offsets()],
    *,
    fmt: Annotated[
        str | None, Option("--format", "raw, hex or uf2 (by the file's suffix)", choice(*FORMATS))
    ] = None,
    target_offset: TargetOffset = 0,
    pad_to: Annotated[
        int | None, Option("--pad-to", "pad the raw file to this flash size", FLASH_BYTES)
    ] = None,
    header: Header,
    chunk_size: ChunkSize = None,
    no_md5: Annotated[bool, Option("--no-md5", "leave the MD5 out of UF2 blocks")] = False,
    chip: ImageChip = None,
    like_esptool: bool = False,
) -> build.Merged:
    """Merge several files, each at its flash offset, into one.

    image merge all.bin boot.bin 0x1000 app.bin 0x10000.
    The output is raw binary padded with FF, Intel HEX (.hex) or UF2 (.uf2). Files must not overlap.
    --flash-mode, --flash-freq and --flash-size patch the bootloader's header.

    Example: image merge all.bin boot.bin 0 app.bin 0x10000 --chip esp32c3
    """
    return build.merge_files(
        [(path, where.address) for path, where in files],
        out,
        fmt=cast("Format | None", fmt),
        chip=chip,
        connected=_at_hand(session),
        settings=header.settings,
        target_offset=target_offset,
        pad_to=pad_to,
        chunk_size=chunk_size,
        md5=not no_md5,
        own_addresses=like_esptool,
    )


@VERBS.add("merge-bin", alias_of="image merge")
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
        int | None, Option("--pad-to-size", "pad the raw file to this flash size", FLASH_BYTES)
    ] = None,
    header: Header,
    chunk_size: ChunkSize = None,
    no_md5: Annotated[bool, Option("--md5-disable", "leave the MD5 out of UF2 blocks")] = False,
    chip: ImageChip = None,
) -> build.Merged:
    """Make one file of several, as esptool does: -o OUT ADDRESS FILE, and again.

    Intel HEX goes to its own addresses.

    Example: merge-bin -o all.bin --chip esp32c3 0x0 boot.bin 0x10000 app.bin
    """
    if output is None:
        raise UsageError("the destination is missing", hint="--output FILE")
    return image_merge(
        session,
        output,
        files,
        fmt=fmt,
        target_offset=target_offset,
        pad_to=pad_to,
        header=header,
        chunk_size=chunk_size,
        no_md5=no_md5,
        chip=chip,
        like_esptool=True,
    )


@VERBS.add("image elf", aliases=["elf2image"])
def image_elf(
    session: Session,
    file: Annotated[Path, INPUT_FILE],
    *,
    output: Annotated[
        Path | None, Option("--output", "the image (FILE.bin)", FILE, short="-o")
    ] = None,
    chip: ImageChip = None,
    options: Annotated[tuple[str, ...], _PASSED_ON] = (),
) -> build.Made:
    """Convert an ELF file to an image by running esptool.

    image elf app.elf --chip esp32c3; writes app.bin. Runs the installed esptool and passes its
    options on; its output goes to stderr. The result is then described as by `image info`.

    Example: image elf program.elf --chip esp32c3 -o converted.bin
    """
    target = chip or _at_hand(session)
    if target is None:
        raise UsageError("an ELF file does not give the target chip", hint="--chip esp32c3")
    return build.elf_to_image(file, output, chip=target, options=options, tell=session.output.plain)


def _at_hand(session: Session) -> Chip | None:
    """Return the chip that the command line names, or that is connected."""
    return session.bench.chip or (session.target.chip if session.target else None)
