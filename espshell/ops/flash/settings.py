"""Flash settings in the header of a bootloader, changed on the way to the chip.

Only an image that stands where the ROM looks for one is changed, and only what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.image.firmware import patch_header
from espshell.ops.flash.payload import Image
from espshell.ops.flash.plan import FLASH_MODES

KEEP = "keep"
"""The word for leaving a setting as it is in the file."""


def patched(
    images: Sequence[Image],
    chip: Chip,
    *,
    mode: str = KEEP,
    frequency: str = KEEP,
    size: str = KEEP,
) -> tuple[Image, ...]:
    """Return images, that of the bootloader with other flash settings; its name says so.

    Raises: UsageError for a setting that the chip does not have, or if there is no bootloader.
    """
    wanted = {"mode": mode, "frequency": frequency, "size": size}
    told = {name: value for name, value in wanted.items() if value != KEEP}
    if not told:
        return tuple(images)
    codes = {
        "mode": {name: code for code, name in enumerate(FLASH_MODES)},
        "frequency": dict(chip.flash_frequencies),
        "size": {each.name: each.code for each in chip.flash_sizes},
    }
    chosen = {name: _code(chip, name, value, codes[name]) for name, value in told.items()}
    found = [image for image in images if image.address == chip.bootloader_offset]
    if not found:
        raise UsageError(
            f"flash {' and '.join(told)}: none of the files is for {chip.bootloader_offset:#x}, "
            "where the bootloader is"
        )
    text = ", ".join(f"{name} {value}" for name, value in told.items())
    return tuple(
        replace(image, data=patch_header(image.data, **chosen), name=f"{image.name} (flash {text})")
        if image in found
        else image
        for image in images
    )


def _code(chip: Chip, name: str, value: str, codes: dict[str, int]) -> int:
    text = value.lower()
    if name == "size" and text.endswith("m"):
        text += "b"
    code = next((code for known, code in codes.items() if known.lower() == text), None)
    if code is None:
        raise UsageError(
            f"an {chip.title} has no flash {name} `{value}`",
            hint=f"it has {', '.join(codes)}; `{KEEP}` leaves what the file says",
        )
    return code
