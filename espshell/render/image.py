"""What is in images, and what was made of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from espshell import chips
from espshell.image.common import decoded
from espshell.image.description import AppDescription, BootloaderDescription
from espshell.image.firmware import ExtendedHeader, Firmware
from espshell.image.recognise import FileKind
from espshell.ops.image.build import Made, Merged
from espshell.ops.image.inspect import FirmwareInfo, ImageInfo, SegmentInfo
from espshell.render.document import Block, Cell, Indented, Part, Styled, Table, Text
from espshell.render.document import line as styled_line
from espshell.render.flash.write import parts
from espshell.render.forms import Json, form, json_form, json_rows, pick
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32, size_text

_NO_PIN = 0xEE
_DRIVES = ("CLK", "Q", "D", "CS", "HD", "WP")
_SHORT = 16  # hexadecimal digits of a digest that are shown

Row = tuple[str, Cell]


json_rows(
    FilePart="name address size",
    Made="files image",
    Merged="path format size parts",
    Sum="stored ok",
)


@form
def image_info(result: ImageInfo, view: View) -> Iterator[Block]:
    """Yield what it is, and what it says of itself or holds."""
    yield Text(Styled(result.source, "name"), f"  {_summary(result)}")
    if result.firmware:
        yield from _firmware(result.firmware)
    elif result.table:
        yield from parts(result.table, view)
    elif result.machine:
        entry = "" if result.entry is None else hex32(result.entry)
        yield Table([("machine", result.machine), ("entry", entry)])
    elif result.families:
        yield Table([("family", ", ".join(result.families))])
    yield _segments(result.segments)
    for inner in result.contents:
        yield from _content(inner, view, alone=len(result.contents) == 1)
    yield from _problems(result)


@json_form
def image_info_json(result: ImageInfo) -> Json:
    """Return what it is, and what that kind of image has."""
    values = pick(result, "source kind size offset problems firmware! table!")
    if result.kind is FileKind.ELF:
        values |= pick(result, "machine entry")
    if result.kind is FileKind.UF2:
        values |= pick(result, "families")
    if result.kind in (FileKind.ELF, FileKind.INTEL_HEX, FileKind.UF2):
        values |= pick(result, "segments")
    if result.kind in (FileKind.FLASH, FileKind.INTEL_HEX, FileKind.UF2):
        values |= pick(result, "contents")
    return values


@form
def image_files(result: Made, view: View) -> Iterator[Block]:
    """Yield the files, if there are several, and what is in the image."""
    if len(result.files) > 1:
        yield Table(
            (
                file.name,
                size_text(file.size),
                "" if file.address is None else f"flash:{file.address:#x}",
            )
            for file in result.files
        )
        yield Text()
    yield from image_info(result.image, view)


@form
def merged(result: Merged, view: View) -> Iterator[Block]:
    """Yield where each file lies, and what was made of them."""
    yield Table((str(Span.of(p.address or 0, p.size)), p.name) for p in result.parts)
    files = count_text(len(result.parts), "file")
    size = f"  {result.format}, {size_text(result.size)} of {files}"
    yield Text(Styled(result.path, "name"), size)


def _summary(info: ImageInfo) -> str:
    what = info.kind.value
    if info.firmware and info.kind is FileKind.FIRMWARE:
        chip = chips.by_name(info.firmware.chip) if info.firmware.chip else None
        what = f"firmware image for {chip.title if chip else 'an unknown chip'}"
    return f"{what}, {size_text(info.size)}" if info.size else what


def _content(info: ImageInfo, view: View, *, alone: bool) -> Iterator[Block]:
    """Yield one thing of a flash image: a line, and what it says of itself; all of it if alone."""
    yield Text(Styled(hex32(info.offset), "address"), f"  {_summary(info)}")
    inside: list[Block] = []
    if info.firmware and alone:
        inside += _firmware(info.firmware)
    elif info.firmware:
        rows = [*_description_rows(info.firmware), *_sum_rows(info.firmware.firmware)]
        inside.append(Table(rows))
    inside += [*(parts(info.table, view) if info.table else ()), *_problems(info)]
    yield Indented(4, *inside)


def _problems(info: ImageInfo) -> Iterator[Block]:
    return (Text(Styled(text, "error")) for text in info.problems)


def _firmware(info: FirmwareInfo) -> Iterator[Block]:
    """Yield what its headers, sums, description and signatures say; and its segments."""
    image, end = info.firmware, info.firmware.end
    rows = [*_header_rows(info), *_sum_rows(image), *_description_rows(info)]
    words = {True: "whole", False: "damaged, or not of this image", None: "not checked"}
    for number, block in enumerate(info.signatures):
        key = f", key {block.key_digest.hex()[:_SHORT]}..." if block.key_digest else ""
        place = f"secure boot {block.version}, {block.scheme}, at {block.offset:#x}{key}, "
        state = Styled(words[block.ok], "error" if block.ok is False else "note")
        rows.append((f"signature {number}", styled_line(place, state)))
    if image.trailing and not info.signatures and image.blank_after is not None:
        kind = "blank" if image.blank_after else "not part of it"
        rows.append(("behind it", f"{size_text(image.trailing)} from {end:#x} on, {kind}"))
    yield Table(rows)
    yield _segments(info.segments)


def _header_rows(info: FirmwareInfo) -> Iterator[Row]:
    head, extended = info.firmware.header, info.firmware.extended
    mode = info.mode.upper() or f"mode {head.mode:#04x}"
    size = info.flash_size or f"size {head.size_code:#04x}"
    frequency = " or ".join(info.frequencies) or f"frequency {head.frequency_code:#03x}"
    yield "flash", f"{mode}, {size}, {frequency}"
    yield "entry", hex32(head.entry)
    if extended is None:
        return
    yield "chip id", f"{extended.chip_id}" + ("" if info.chip else " (not known)")
    least, most = (
        "v{}.{}".format(*revision) if revision else "any"
        for revision in (extended.min_revision, extended.max_revision)
    )
    revisions = least if least == most else f"{least} to {most}"
    yield "revision", f"{revisions} (legacy byte {extended.min_revision_legacy})"
    yield "WP pin", "none" if extended.wp_pin == _NO_PIN else f"{extended.wp_pin}"
    if any(extended.drives):
        pins = zip(_DRIVES, extended.drives, strict=True)
        yield "drives", " ".join(f"{name}={drive}" for name, drive in pins)


def _sum_rows(image: Firmware) -> Iterator[Row]:
    words: dict[bool | None, Part]
    words = {True: Styled("ok", "ok"), False: Styled("wrong", "error"), None: "not checked"}
    for name, part in (
        ("checksum", image.checksum),
        ("SHA-256", image.digest),
        ("CRC-32", image.crc),
    ):
        if part:
            digits = part.stored.hex()
            short = f"{digits[:_SHORT]}{'...' * (len(digits) > _SHORT)} "
            yield name, styled_line(short, words[part.ok])


def _description_rows(info: FirmwareInfo) -> Iterator[Row]:
    match info.description:
        case AppDescription() as app:
            yield "app", _safe(f"{app.name} {app.version}")
            yield "built", _safe(f"{app.date} {app.time} with ESP-IDF {app.idf}")
            if any(app.elf_sha256):
                yield "ELF", app.elf_sha256.hex()
            if app.secure_version:
                yield "secure version", str(app.secure_version)
        case BootloaderDescription() as boot:
            yield "bootloader", f"version {boot.version}"
            yield "built", _safe(f"{boot.date_time} with ESP-IDF {boot.idf}")


def _segments(pieces: Iterable[SegmentInfo]) -> Block:
    return Table(
        (
            str(Span.of(piece.address, piece.size + piece.zeroed)),
            size_text(piece.size) + (f" + {size_text(piece.zeroed)} of 0" if piece.zeroed else ""),
            piece.memory,
            piece.flags or ("" if piece.offset is None else f"at {piece.offset:#x}"),
        )
        for piece in pieces
    )


@json_form
def firmware_json(result: FirmwareInfo) -> Json:
    """Return the fields of its headers, its segments, sums, description and signatures."""
    image, description = result.firmware, result.description
    kind = "app" if isinstance(description, AppDescription) else "bootloader"
    return {
        **pick(image, "layout"),
        **pick(result, "chip? entry=firmware.header.entry flash_mode=mode? flash_size?"),
        **pick(result, "flash_freq=frequencies end=firmware.end trailing=firmware.trailing"),
        **pick(result, "extended=firmware.extended segments"),
        **pick(image, "checksum digest crc"),
        "description": None
        if description is None
        else {"kind": kind, **pick(description, *(f.name for f in fields(description)))},
        "signatures": [
            {**pick(block, *(f.name for f in fields(block))), "ok": block.ok}
            for block in result.signatures
        ],
    }


@json_form
def extended_json(result: ExtendedHeader) -> Json:
    """Return the fields of an extended header, drives by the names of pins."""
    drives: dict[str, Json] = dict(zip(_DRIVES, result.drives, strict=True))
    revisions = pick(result, "min_revision? max_revision? min_revision_legacy hash_appended")
    return {**pick(result, "chip_id wp_pin"), "drives": drives, **revisions}


def _safe(text: str) -> str:
    """Return text of a file that cannot speak to the terminal."""
    return decoded(text.encode("utf-8", "backslashreplace"))
