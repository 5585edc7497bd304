"""Flash settings in the header of a bootloader, changed on the way to the chip or into a file.

Only an image that stands where the ROM looks for one is changed, and only in what is given.  Where
nothing can be changed the image stays as it is and a note says why, as esptool does: `idf.py
app-flash` gives the settings of a bootloader that it does not write.

A signed bootloader stays as it is, too: its signature covers the header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.image import firmware, signature
from espshell.ops.flash.payload import Image
from espshell.ops.flash.plan import FLASH_MODES
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
    images: Sequence[Image],
    chip: Chip,
    settings: FlashSettings,
    *,
    flash_size: int | None = None,
    force: bool = False,
) -> tuple[Image, ...]:
    """Return the images, the bootloader among them with other flash settings; its name says so.

    flash_size: bytes of the connected flash, for the size ``detect``.
    force: the settings of a signed bootloader are changed, too.

    Raises: UsageError for a setting that the chip does not have.
    """
    given = settings.given
    notes: list[str] = []
    if given.get("size", "").lower() == DETECT:
        row = next((each for each in chip.flash_sizes if each.size == flash_size), None)
        given |= {"size": row.name} if row else {}
        if row is None:
            del given["size"]
            size = "no flash" if flash_size is None else f"a flash of {size_text(flash_size)}"
            notes.append(f"flash size detect: a header has no code for {size}, it stays as it is")
    codes = {name: _code(chip, name, value) for name, value in given.items()}
    text = ", ".join(f"{name} {value}" for name, value in given.items())
    boot = [image for image in images if image.address == chip.bootloader_offset and image.data]
    if given and not boot:
        notes.append(
            f"flash {text}: no file is for {chip.bootloader_offset:#x}, where the bootloader is; "
            "nothing is changed"
        )
    changed = tuple(
        _changed(image, codes, text, force=force) if image in boot and given else image
        for image in images
    )
    if not notes or not changed:
        return changed
    return (replace(changed[0], notes=(*notes, *changed[0].notes)), *changed[1:])


def _changed(image: Image, codes: dict[str, int], text: str, *, force: bool) -> Image:
    """Return a bootloader with other codes in its header, or as it is with the reason."""
    try:
        data = firmware.patch_header(image.data, **codes)
        is_signed = data != image.data and _is_signed(image.data)
    except UsageError as error:
        note = f"{image.name}: flash {text} not set: {error.message}"
        return replace(image, notes=(*image.notes, note))
    if is_signed and not force:
        note = f"{image.name}: flash {text} not set: it is signed, and its signature covers that"
        return replace(image, notes=(*image.notes, note))
    note = f"{image.name}: with flash {text} its signature is no longer right"
    return replace(
        image,
        data=data,
        name=f"{image.name} (flash {text})",
        notes=(*image.notes, note) if is_signed else image.notes,
    )


def _is_signed(data: bytes) -> bool:
    read = firmware.reader(data)
    found = firmware.parse_from(read, len(data), verify=False)
    return bool(signature.find(read, found, verify=False))


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
            hint=f"it has {', '.join(codes)}; `{KEEP}` leaves what the file says",
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
