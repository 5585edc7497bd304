"""Flash settings in the header of a bootloader, changed on the way to the chip or into a file.

Only an image that stands where the ROM looks for one is changed, and only in what is given.  Where
nothing can be changed the image stays as it is and a note says why, as esptool does: `idf.py
app-flash` gives the settings of a bootloader that it does not write.

A signed bootloader stays as it is, too: its signature covers the header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.image import firmware, signature
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import FLASH_MODES
from espshell.records import dataclass
from espshell.units import parse_number, size_text

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
    def is_empty(self) -> bool:
        """Whether nothing is to be changed."""
        return not self.given

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
    boot = [
        payload
        for payload in payloads
        if payload.address == chip.bootloader_offset and payload.data
    ]
    if given and not boot:
        notes.append(
            f"flash {text}: no file is for {chip.bootloader_offset:#x}, where the bootloader is; "
            "nothing is changed"
        )
    changed = tuple(
        _changed(payload, codes, text, force=force) if payload in boot and given else payload
        for payload in payloads
    )
    if not notes or not changed:
        return changed
    return (replace(changed[0], notes=(*notes, *changed[0].notes)), *changed[1:])


def _changed(payload: Payload, codes: dict[str, int], text: str, *, force: bool) -> Payload:
    """Return a bootloader with other codes in its header, or as it is with the reason."""
    try:
        data = firmware.patch_header(payload.data, **codes)
        read = firmware.reader(payload.data)
        parsed = firmware.parse_from(read, payload.size, verify=False)
        is_signed = data != payload.data and bool(signature.find(read, parsed, verify=False))
    except UsageError as error:
        note = f"{payload.name}: flash {text} not set: {error.message}"
        return replace(payload, notes=(*payload.notes, note))
    if is_signed and not force:
        note = f"{payload.name}: flash {text} not set: it is signed, and its signature covers that"
        return replace(payload, notes=(*payload.notes, note))
    note = f"{payload.name}: with flash {text} its signature becomes invalid"
    return replace(
        payload,
        data=data,
        name=f"{payload.name} (flash {text})",
        notes=(*payload.notes, note) if is_signed else payload.notes,
    )


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
