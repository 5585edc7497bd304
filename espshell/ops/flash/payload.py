"""Files and where in flash they belong, and flash settings in the header of a bootloader.

Intel HEX has addresses of its own.  They are added to the place that was named, so that ``flash:0``
takes them as they are, and a note says so; with ``own_addresses`` they alone count and the place
does not, as with esptool.

Flash settings change only an image that stands where the ROM looks for one, and only in what is
given.  Where nothing can be changed the image stays as it is and a note says why, as esptool does:
`idf.py app-flash` gives the settings of a bootloader that it does not write.  A signed bootloader
stays as it is, too: its signature covers the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.image import firmware, intel_hex, signature
from espshell.records import dataclass, replace
from espshell.span import Span
from espshell.units import hex32, parse_number, size_text

FLASH_MODES = ("qio", "qout", "dio", "dout")
"""Modes by their code in an image's header (ESP-IDF, ``esp_image_spi_mode_t``)."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes for an address in flash; ``name`` is what messages call them."""

    address: int
    data: bytes
    name: str
    limit: int | None = None
    """The end of the partition that was named as their place."""
    notes: tuple[str, ...] = ()
    """What a person should know of them before they are sent."""

    @property
    def size(self) -> int:
        """Bytes in it."""
        return len(self.data)

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + self.size

    @property
    def span(self) -> Span:
        """The bytes of flash that it covers."""
        return Span.of(self.address, self.size)

    def part(self, span: Span) -> bytes:
        """Return the bytes for a part of its place."""
        return self.data[span.offsets(self.address)]


def read_payloads(
    pairs: Sequence[tuple[Path, int]],
    limits: Sequence[int | None] = (),
    *,
    own_addresses: bool = False,
    empty: bool = False,
) -> tuple[Payload, ...]:
    """Read files, each for an address; in the order given.

    limits: of each file, the end of the partition that was named as its place.
    own_addresses: those in Intel HEX are taken as they are.
    empty: an empty file is an image without bytes, and not an error.

    Intel HEX is recognised by its contents, and each of its pieces is an image.  All other files
    are raw bytes.

    Raises: UsageError for a file that is missing, empty or broken, and for files that overlap.
    """
    payloads = tuple(
        payload
        for (path, address), limit in zip_longest(pairs, limits)
        for payload in _read(path, address, limit, own_addresses=own_addresses, empty=empty)
    )
    last: Payload | None = None
    for payload in sorted(payloads, key=lambda payload: payload.address):
        if last is not None and payload.address < last.end and payload.data:
            both = payload.span.intersection(last.span)
            raise UsageError(
                f"{payload.name} overlaps {last.name} in {both}", hint="give two different places"
            )
        if last is None or payload.end > last.end:
            last = payload
    return payloads


def _read(
    path: Path, address: int, limit: int | None, *, own_addresses: bool, empty: bool
) -> Iterator[Payload]:
    data = read_bytes(path)
    if not data:
        if not empty:
            raise UsageError(f"{path} is empty", hint="was it built?")
        yield Payload(address, b"", str(path), limit, (f"{path} is empty: nothing to write",))
        return
    if not intel_hex.is_given(data, path):
        yield Payload(address, data, str(path), limit)
        return
    pieces = intel_hex.read(data, name=str(path))
    if own_addresses:
        address, limit = 0, None
    first, notes = pieces[0][0], tuple[str, ...]()
    if address and first == address:
        raise UsageError(
            f"{path} begins at {hex32(first)} by its own addresses, and would go to "
            f"{hex32(first + address)}",
            hint="flash:0 (mem:0) takes the addresses in the file as they are",
        )
    if address and first:
        notes = (f"{path}: its addresses, from {hex32(first)} on, are added to {hex32(address)}",)
    for offset, piece in pieces:
        yield Payload(address + offset, piece, str(path), limit, notes)
        notes = ()


KEEP = "keep"
"""The word for leaving a setting as it is in the file."""

DETECT = "detect"
"""As a size: that of the connected flash."""

_MEGABITS_OF_MEGABYTE = 8


@dataclass(frozen=True, slots=True)
class FlashSettings:
    """Settings for a header, in the words of esptool's options, or ``keep``."""

    mode: str = KEEP
    frequency: str = KEEP
    size: str = KEEP

    @property
    def given(self) -> dict[str, str]:
        """The settings to be changed, by their names."""
        every = {"mode": self.mode, "frequency": self.frequency, "size": self.size}
        return {name: value for name, value in every.items() if value.lower() != KEEP}


def with_settings(
    payloads: Sequence[Payload],
    chip: Chip,
    settings: FlashSettings,
    *,
    flash_size: int | None = None,
    force: bool = False,
) -> tuple[Payload, ...]:
    """Return the images, the bootloader among them with other flash settings; its name says so.

    flash_size: bytes of the connected flash, for the size ``detect``.
    force: the settings of a signed bootloader are changed, too.

    Raises: UsageError for a setting that the chip does not have.
    """
    given = settings.given
    notes: list[str] = []
    if given.get("size", "").lower() == DETECT:
        row = next((item for item in chip.flash_sizes if item.size == flash_size), None)
        given |= {"size": row.name} if row else {}
        if row is None:
            del given["size"]
            size = "no flash" if flash_size is None else f"a flash of {size_text(flash_size)}"
            notes.append(f"flash size detect: a header has no code for {size}, it stays unchanged")
    codes = {name: _code(chip, name, value) for name, value in given.items()}
    text = ", ".join(f"{name} {value}" for name, value in given.items())
    changed = [
        _changed(payload, codes, text, force=force)
        if given and payload.data and payload.address == chip.bootloader_offset
        else payload
        for payload in payloads
    ]
    if given and not any(p.data and p.address == chip.bootloader_offset for p in payloads):
        notes.append(
            f"flash {text}: no file is for {chip.bootloader_offset:#x}, where the bootloader is; "
            "nothing is changed"
        )
    if notes and changed:
        changed[0] = replace(changed[0], notes=(*notes, *changed[0].notes))
    return tuple(changed)


def require_size(payloads: Sequence[Payload], chip: Chip, name: str) -> None:
    """Check that all bytes are within the flash size that a header is given. Raises: UsageError."""
    code = _code(chip, "size", name)
    size = next(row.size for row in chip.flash_sizes if row.code == code)
    for payload in payloads:
        if payload.data and payload.end > size:
            raise UsageError(
                f"{payload.name} ends at {payload.end:#x}, beyond the {size_text(size)} that "
                "--flash-size gives",
                hint="give a larger --flash-size or a lower address; --force writes it anyway",
            )


def _changed(payload: Payload, codes: dict[str, int], text: str, *, force: bool) -> Payload:
    """Return a bootloader with other codes in its header, or as it is with the reason."""
    reason, data = "", payload.data
    try:
        data = firmware.patch_header(data, **codes)
        read = firmware.reader(payload.data)
        parsed = firmware.parse_from(read, payload.size, verify=False)
        is_signed = data != payload.data and bool(signature.find(read, parsed, verify=False))
        if is_signed and not force:
            reason = "it is signed, and its signature covers that"
    except UsageError as error:
        reason, is_signed = error.message, False
    if reason:
        note = f"{payload.name}: flash {text} not set: {reason}"
        return replace(payload, notes=(*payload.notes, note))
    note = f"{payload.name}: with flash {text} its signature becomes invalid"
    notes = (*payload.notes, note) if is_signed else payload.notes
    return replace(payload, data=data, name=f"{payload.name} (flash {text})", notes=notes)


def _code(chip: Chip, name: str, value: str) -> int:
    """Return the code of a setting. Raises: UsageError with those that the chip has."""
    codes = {
        "mode": {mode: code for code, mode in enumerate(FLASH_MODES)},
        "frequency": dict(chip.flash_frequencies),
        "size": {row.name: row.code for row in chip.flash_sizes},
    }[name]
    if name == "size":
        refuse_megabits(value)
    words = {value.lower(), f"{value}b".lower() if value.endswith("M") else ""}
    code = next((code for word, code in codes.items() if word.lower() in words), None)
    if code is None:
        raise UsageError(
            f"an {chip.title} has no flash {name} `{value}`",
            hint=f"it has {', '.join(codes)}; `{KEEP}` keeps the file's value",
        )
    return code


def refuse_megabits(value: str) -> None:
    """Refuse a size in the megabits of old manuals, ``32m`` or ``32m-c1``. Raises: UsageError."""
    head, dash, layout = value.partition("-")
    megabits = parse_number(head[:-1]) if head.endswith("m") else None
    if not megabits:
        return
    whole, rest = divmod(megabits, _MEGABITS_OF_MEGABYTE)
    size = f"{megabits * 128}KB" if rest else f"{whole}MB"
    raise UsageError(
        f"`{value}` is a size in megabits, as in old manuals",
        hint=f"{size}{dash}{layout} is the same in bytes; {megabits} megabytes are {megabits}MB",
    )
