"""Making files of files: an ESP8266 image of pieces, one file of several, an image of a program.

A file appears whole or not at all, and so do several that belong together.  What was made is looked
at by our own reader before the result is given.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from espshell import chips
from espshell.chips import Chip
from espshell.errors import UsageError, file_error
from espshell.files import (
    new_file,
    open_binary,
    read_bytes,
    real_path,
    require_no_folder,
    write_bytes,
)
from espshell.image import elf, firmware, intel_hex, make, merge
from espshell.image.merge import Format
from espshell.ops.flash.payload import FlashSettings, Payload, read_payloads, with_settings
from espshell.ops.image.inspect import ImageInfo, chip_of, inspect
from espshell.ops.image.objections import FlashMap, objections
from espshell.ops.result import Result
from espshell.units import parse_number

UF2_SUFFIX = ".uf2"

_ESPTOOL = "making an image of an ELF file needs esptool, which is not installed"
_GET_IT = "pip install 'espshell[stub]'"
_TWO_FILES = "a segment is in flash: it becomes a separate file, written to its own offset"

AS_IT_IS = FlashSettings()


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file, or a piece of one, with its place in flash; None if that is not known."""

    name: str
    address: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Made(Result):
    """An image was made: its files, the image itself first, and what our reader says of it."""

    files: tuple[FilePart, ...]
    image: ImageInfo
    notes: tuple[str, ...] = ()

    @property
    def failure(self) -> str:
        """What it finds wrong."""
        return self.image.failure


@dataclass(frozen=True, slots=True)
class Merged(Result):
    """Several files are one now."""

    path: str
    format: Format
    size: int
    parts: tuple[FilePart, ...]
    notes: tuple[str, ...] = ()


def make_image(
    segments: Sequence[tuple[Path, int]],
    out: Path,
    *,
    entry: int = 0,
    settings: FlashSettings = AS_IT_IS,
    always_ending: bool = False,
) -> Made:
    """Make an ESP8266 image of version 1 of files and their addresses, as esptool 4 did.

    With a segment in flash there are two files, for two places in flash; these get the endings
    that esptool 4 gave them: ``out0x00000.bin``.  It gave them to a single file, too, as is done
    with ``always_ending``.

    Raises: UsageError if that cannot be, or a file cannot be read or written.
    """
    require_no_folder(out)
    pieces = [(address, read_bytes(path)) for path, address in segments]
    parts = make.make_v1(pieces, entry)
    _require_other(out, [path for path, _ in segments])
    chip = chips.load("esp8266")
    (first,) = with_settings([Payload(0, parts[0].data, str(out))], chip, settings)
    parts = (replace(parts[0], data=first.data), *parts[1:])
    several = len(parts) > 1
    with_ending = several or always_ending
    paths = [out.with_name(out.name + part.suffix) if with_ending else out for part in parts]
    with contextlib.ExitStack() as stack:
        for path, part in zip(paths, parts, strict=True):
            temporary = stack.enter_context(new_file(path))
            stack.enter_context(open_binary(temporary)).write(part.data)
    return Made(
        tuple(
            FilePart(str(path), part.offset, len(part.data))
            for path, part in zip(paths, parts, strict=True)
        ),
        inspect(parts[0].data, str(paths[0]), chip=chip),
        (_TWO_FILES,) if several else (),
    )


def merge_files(
    files: Sequence[tuple[Path, int]],
    out: Path,
    *,
    fmt: Format | None = None,
    target_offset: int = 0,
    pad_to: int | None = None,
    chip: Chip | None = None,
    connected: Chip | None = None,
    settings: FlashSettings = AS_IT_IS,
    chunk_size: int | None = None,
    md5: bool = True,
    own_addresses: bool = False,
) -> Merged:
    """Make one file of files and their places in flash; Intel HEX among them is taken apart.

    own_addresses: the addresses in Intel HEX are taken as they are.

    ``fmt`` None goes by the name of the file.  The chip, for UF2 and for flash settings, is
    ``chip``, else the one that an image says, else the connected one.

    Raises: UsageError if files overlap, nobody says which chip it is, or as ``image.merge.merge``.
    """
    fmt = fmt or format_of(out)
    images = read_payloads(files, own_addresses=own_addresses, empty=own_addresses)
    _require_other(out, [path for path, _ in files])
    chip = chip or next(filter(None, map(_chip_of, images)), None) or connected
    notes: list[str] = []
    if chip is None and (fmt == "uf2" or settings.given):
        what = "UF2 names" if fmt == "uf2" else "flash settings depend on"
        raise UsageError(f"{what} the chip, and nothing names it", hint="--chip does")
    if chip:
        images = with_settings(images, chip, settings)
        flash_map = FlashMap(chip)
        notes += [text for image in images for text in objections(image, flash_map)]
    notes += [note for image in images for note in image.notes]
    parts = [
        merge.MergePart(image.address, image.data, image.name) for image in images if image.data
    ]
    data = merge.merge(
        parts,
        fmt=fmt,
        target_offset=target_offset,
        pad_to=pad_to,
        family=chip.uf2_family if chip else None,
        chunk_size=chunk_size,
        md5=md5,
    )
    write_bytes(out, data)
    ordered = (FilePart(part.name, part.offset, len(part.data)) for part in merge.ordered(parts))
    return Merged(str(out), fmt, len(data), tuple(ordered), tuple(notes))


def format_of(path: Path) -> Format:
    """Return the format that the name of a file stands for."""
    suffix = path.suffix.lower()
    if suffix in intel_hex.SUFFIXES:
        return "hex"
    return "uf2" if suffix == UF2_SUFFIX else "raw"


def elf_to_image(
    path: Path,
    out: Path | None = None,
    *,
    chip: Chip,
    options: Sequence[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Made:
    """Make an image of a program by esptool's ``elf2image``, run as a program of its own.

    ``out`` is named as esptool does it unless given: the file with the ending ``.bin``; for an
    ESP8266 ``app.elf-0x00000.bin`` and ``app.elf-0x10000.bin``, of version 2 ``app-0x10000.bin``.
    ``options`` are passed on; ``tell`` gets each line that esptool prints.

    Raises: UsageError if esptool is not installed, fails, or makes what our reader cannot read;
    then nothing was written.
    """
    import shutil
    import tempfile

    if not read_bytes(path).startswith(elf.MAGIC):
        raise UsageError(f"{path} is not an ELF file")
    # Of an ESP8266 image esptool alone knows how many files there will be, and their places.
    theirs = out is None and chip.name == "esp8266"
    out = out or path.with_suffix(".bin")
    _require_other(out, [path])
    require_no_folder(out)
    real = real_path(out)
    try:
        with tempfile.TemporaryDirectory(prefix=".espshell.", dir=real.parent) as folder:
            within = Path(folder)
            if theirs:  # on a copy, beside which esptool puts its images
                copy = Path(shutil.copyfile(path, within / path.name))
                _run_esptool(chip, copy, None, options, tell)
                copy.unlink()
            else:
                _run_esptool(chip, path, within / real.name, options, tell)
            images = sorted(within.iterdir())
            if not images:
                raise UsageError(f"esptool did not create an image of {path}")
            endings = [file.name.removeprefix(real.name) for file in images]
            names = [
                file.name if theirs else out.name + end
                for file, end in zip(images, endings, strict=True)
            ]
            paths = [out.with_name(name) for name in names]
            image = inspect(read_bytes(images[0]), str(paths[0]), chip=chip)
            for file in images:
                file.replace(real.with_name(file.name))
    except OSError as error:
        raise file_error("write", out, error) from error
    return Made(
        tuple(
            FilePart(str(file), parse_number(offset), file.stat().st_size)
            for file, ending in zip(paths, endings, strict=True)
            for offset in [ending.removesuffix(".bin").rpartition("-")[2]]
        ),
        image,
    )


def _run_esptool(
    chip: Chip, path: Path, out: Path | None, options: Sequence[str], tell: Callable[[str], None]
) -> None:
    from importlib import metadata

    try:
        package = metadata.distribution("esptool")
    except metadata.PackageNotFoundError as error:
        raise UsageError(_ESPTOOL, hint=_GET_IT) from error
    where = ["--output", str(out)] if out else []
    words = ["--chip", chip.name, "elf2image", *where, *options, str(real_path(path))]
    done = subprocess.run(
        [sys.executable, "-m", "esptool", *words],
        # Python looks here first: a script named esptool.py beside ours would be found otherwise.
        cwd=str(package.locate_file("")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines() if line.strip()]
    for line in lines:
        tell(line)
    if done.returncode:
        raise UsageError(f"esptool could not make an image of {path}", hint="see its message above")


def _require_other(out: Path, files: Sequence[Path]) -> None:
    """Check that no file that is read is the one to be written. Raises: UsageError."""
    if real_path(out) in map(real_path, files):
        raise UsageError(f"{out} would be overwritten by the output", hint="another name")


def _chip_of(image: Payload) -> Chip | None:
    """Return the chip that an image is for, if it says so."""
    with contextlib.suppress(UsageError):
        return chip_of(
            firmware.parse_from(firmware.reader(image.data), len(image.data), verify=False)
        )
    return None
