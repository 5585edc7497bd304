"""What is in images, and what was made of files, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from espshell import chips
from espshell.image.description import AppDescription, BootloaderDescription
from espshell.image.firmware import ExtendedHeader, Firmware, Sum
from espshell.image.recognise import FileKind
from espshell.image.signature import Signature
from espshell.image.text import decoded
from espshell.ops.image.build import FilePart, Made, Merged
from espshell.ops.image.inspect import FirmwareInfo, ImageInfo, SegmentInfo
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.units import count_text, hex32, size_text

_NO_PIN = 0xEE
_DRIVES = ("CLK", "Q", "D", "CS", "HD", "WP")
_SHORT = 16  # hexadecimal digits of a digest that are shown

Row = tuple[str, str]


@render.register
def _(result: ImageInfo, *, color: bool = False) -> list[str]:
    lines = [f"{paint(result.source, 'name', color=color)}  {_summary(result)}"]
    if result.firmware:
        lines += _firmware_lines(result.firmware, color)
    elif result.table:
        lines += render(result.table, color=color)
    elif result.machine:
        lines += table([("machine", result.machine), ("entry", _hex(result.entry))], color=color)
    elif result.families:
        lines += table([("family", ", ".join(result.families))], color=color)
    lines += _segments(result.segments, color)
    for each in result.contents:
        lines += _content_lines(each, color, alone=len(result.contents) == 1)
    return [*lines, *(paint(text, "error", color=color) for text in result.problems)]


@to_json.register
def _(result: ImageInfo) -> Json:
    found: dict[str, Json] = {
        "source": result.source,
        "kind": result.kind.value,
        "size": result.size,
        "offset": result.offset,
        "problems": list(result.problems),
    }
    if result.firmware:
        found["firmware"] = _firmware_json(result.firmware)
    if result.table:
        found["table"] = to_json(result.table)
    if result.kind is FileKind.ELF:
        found |= {"machine": result.machine, "entry": result.entry}
    if result.kind is FileKind.UF2:
        found["families"] = list(result.families)
    if result.kind in (FileKind.ELF, FileKind.INTEL_HEX, FileKind.UF2):
        found["segments"] = [to_json(each) for each in result.segments]
    if result.kind in (FileKind.FLASH, FileKind.INTEL_HEX, FileKind.UF2):
        found["contents"] = [to_json(each) for each in result.contents]
    return found


@render.register
def _(result: Made, *, color: bool = False) -> list[str]:
    rows = [
        (
            each.name,
            size_text(each.size),
            "" if each.address is None else f"flash:{each.address:#x}",
        )
        for each in result.files
    ]
    files = [*table(rows, color=color), ""] if len(rows) > 1 else []
    return [*files, *render(result.image, color=color)]


@to_json.register
def _(result: Made) -> Json:
    return {"files": [_part_json(each) for each in result.files], "image": to_json(result.image)}


@render.register
def _(result: Merged, *, color: bool = False) -> list[str]:
    rows = [
        (f"{hex32(each.address or 0)}..{hex32((each.address or 0) + each.size)}", each.name)
        for each in result.parts
    ]
    path = paint(result.path, "name", color=color)
    files = count_text(len(result.parts), "file")
    told = f"{path}  {result.format}, {size_text(result.size)} of {files}"
    return [*table(rows, color=color), told]


@to_json.register
def _(result: Merged) -> Json:
    return {
        "path": result.path,
        "format": result.format,
        "size": result.size,
        "parts": [_part_json(each) for each in result.parts],
    }


def _part_json(part: FilePart) -> Json:
    return {"name": part.name, "address": part.address, "size": part.size}


def _summary(info: ImageInfo) -> str:
    what = info.kind.value
    if info.firmware and info.kind is FileKind.FIRMWARE:
        chip = chips.by_name(info.firmware.chip) if info.firmware.chip else None
        what = f"firmware image for {chip.title if chip else 'an unknown chip'}"
    return f"{what}, {size_text(info.size)}" if info.size else what


def _content_lines(info: ImageInfo, color: bool, *, alone: bool) -> list[str]:
    """Return one thing of a flash image: a line, and what it says of itself; all of it if alone."""
    address = paint(hex32(info.offset), "address", color=color)
    lines = [f"{address}  {_summary(info)}"]
    if info.firmware and alone:
        lines += ["    " + line for line in _firmware_lines(info.firmware, color)]
    elif info.firmware:
        rows = [*_description_rows(info.firmware), *_sum_rows(info.firmware.firmware, color)]
        lines += ["    " + line for line in table(rows, color=color)]
    if info.table:
        lines += ["    " + line for line in render(info.table, color=color)]
    return [*lines, *(paint(f"    {text}", "error", color=color) for text in info.problems)]


def _firmware_lines(info: FirmwareInfo, color: bool) -> list[str]:
    told, end = info.firmware, info.firmware.end
    rows = [*_header_rows(info), *_sum_rows(told, color), *_description_rows(info)]
    rows += [
        (f"signature {number}", _signature(each, color))
        for number, each in enumerate(info.signatures)
    ]
    if told.trailing and not info.signatures and told.blank_after is not None:
        kind = "blank" if told.blank_after else "not part of it"
        rows.append(("behind it", f"{size_text(told.trailing)} from {end:#x} on, {kind}"))
    return [*table(rows, color=color), *_segments(info.segments, color)]


def _header_rows(info: FirmwareInfo) -> Iterator[Row]:
    head = info.firmware.header
    mode = info.mode.upper() or f"mode {head.mode:#04x}"
    size = info.flash_size or f"size {head.size_code:#04x}"
    frequency = " or ".join(info.frequencies) or f"frequency {head.frequency_code:#03x}"
    yield "flash", f"{mode}, {size}, {frequency}"
    yield "entry", hex32(head.entry)
    if info.firmware.extended:
        yield from _extended_rows(info.firmware.extended, info.chip)


def _extended_rows(head: ExtendedHeader, chip: str) -> Iterator[Row]:
    yield "chip id", f"{head.chip_id}" + ("" if chip else " (not known)")
    yield "revision", f"{_revisions(head)} (legacy byte {head.min_revision_legacy})"
    yield "WP pin", "none" if head.wp_pin == _NO_PIN else f"{head.wp_pin}"
    if any(head.drives):
        pins = zip(_DRIVES, head.drives, strict=True)
        yield "drives", " ".join(f"{name}={drive}" for name, drive in pins)


def _revisions(head: ExtendedHeader) -> str:
    least = "v{}.{}".format(*head.min_revision) if head.min_revision else "any"
    most = "v{}.{}".format(*head.max_revision) if head.max_revision else "any"
    return least if least == most else f"{least} to {most}"


def _sum_rows(told: Firmware, color: bool) -> Iterator[Row]:
    yield "checksum", _sum(told.checksum, color)
    if told.digest:
        yield "SHA-256", _sum(told.digest, color)
    if told.crc:
        yield "CRC-32", _sum(told.crc, color)


def _sum(each: Sum, color: bool) -> str:
    shown = each.stored.hex()
    return f"{shown[:_SHORT]}{'...' * (len(shown) > _SHORT)} {_judged(each.ok, color)}"


def _judged(ok: bool | None, color: bool) -> str:
    if ok is None:
        return "not checked"
    return paint("ok" if ok else "wrong", "ok" if ok else "error", color=color)


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


def _signature(block: Signature, color: bool) -> str:
    key = f", key {block.key_digest.hex()[:_SHORT]}..." if block.key_digest else ""
    words = {True: "whole", False: "damaged, or not of this image", None: "not checked"}
    told = paint(words[block.ok], "error" if block.ok is False else "note", color=color)
    return f"secure boot {block.version}, {block.scheme}, at {block.offset:#x}{key}, {told}"


def _segments(pieces: tuple[SegmentInfo, ...], color: bool) -> list[str]:
    rows = [
        (
            f"{hex32(each.address)}..{hex32(each.address + each.size + each.zeroed)}",
            size_text(each.size) + (f" + {size_text(each.zeroed)} of 0" if each.zeroed else ""),
            each.memory,
            each.flags or ("" if each.offset is None else f"at {each.offset:#x}"),
        )
        for each in pieces
    ]
    return table(rows, color=color) if rows else []


def _firmware_json(info: FirmwareInfo) -> Json:
    told, head = info.firmware, info.firmware.header
    return {
        "layout": told.layout.value,
        "chip": info.chip or None,
        "entry": head.entry,
        "flash_mode": info.mode or None,
        "flash_size": info.flash_size or None,
        "flash_freq": list(info.frequencies),
        "end": told.end,
        "trailing": told.trailing,
        "extended": _extended_json(told.extended) if told.extended else None,
        "segments": [to_json(each) for each in info.segments],
        "checksum": _sum_json(told.checksum),
        "digest": _sum_json(told.digest),
        "crc": _sum_json(told.crc),
        "description": _description_json(info),
        "signatures": [{**dict(_fields(each)), "ok": each.ok} for each in info.signatures],
    }


def _fields(value: Signature) -> Iterator[tuple[str, Json]]:
    found = to_json(value)
    assert isinstance(found, dict)
    yield from found.items()


def _extended_json(head: ExtendedHeader) -> Json:
    return {
        "chip_id": head.chip_id,
        "wp_pin": head.wp_pin,
        "drives": dict(zip(_DRIVES, head.drives, strict=True)),
        "min_revision": list(head.min_revision) if head.min_revision else None,
        "max_revision": list(head.max_revision) if head.max_revision else None,
        "min_revision_legacy": head.min_revision_legacy,
        "hash_appended": head.hash_appended,
    }


def _sum_json(each: Sum | None) -> Json:
    return {"stored": each.stored.hex(), "ok": each.ok} if each else None


def _description_json(info: FirmwareInfo) -> Json:
    if info.description is None:
        return None
    kind = "app" if isinstance(info.description, AppDescription) else "bootloader"
    found = to_json(info.description)
    return {"kind": kind, **found} if isinstance(found, dict) else found


def _safe(text: str) -> str:
    """Return text of a file that cannot speak to the terminal."""
    return decoded(text.encode("utf-8", "backslashreplace"))


def _hex(value: int | None) -> str:
    return "" if value is None else hex32(value)
