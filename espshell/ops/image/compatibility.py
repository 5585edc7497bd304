"""Whether an image is for a chip and its revision, by its header."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.chips import Chip
from espshell.image.firmware import ExtendedHeader, Firmware, ImageLayout

_UNSET = 0xFFFF


def chip_objection(name: str, image: Firmware, chip: Chip) -> str:
    """Return why an image cannot be for a chip, or an empty text; ``name`` is the image's."""
    is_old = chip.name == "esp8266"
    if is_old and image.layout is ImageLayout.EXTENDED:
        return f"{name} is an image for an ESP32 or later, not for an ESP8266"
    if not is_old and image.layout is not ImageLayout.EXTENDED:
        return f"{name} is an image for an ESP8266, not for an {chip.title}"
    if image.extended is not None and image.extended.chip_id != chip.id:
        return (
            f"{name} is for another chip: its header says id {image.extended.chip_id}, "
            f"an {chip.title} has {chip.id}"
        )
    return ""


def revision_objections(
    name: str, head: ExtendedHeader, chip: Chip, revision: tuple[int, int]
) -> Iterator[str]:
    """Yield the bounds of an image's header that a revision (major and minor) does not keep.

    The byte from before there were minor revisions counts where the newer fields are not set: a
    major revision, on an ESP32-C3 a minor one.

    Source: which fields count is ESP-IDF's ``bootloader_common_check_chip_validity`` as esptool
    5.6 decides it; observed.
    """
    text = "v{}.{}".format(*revision)
    only_legacy = head.min_revision_full == 0 and head.min_revision_legacy != 0
    if head.max_revision_full == 0 or (head.max_revision_full == _UNSET and only_legacy):
        part, number = ("minor ", revision[1]) if chip.name == "esp32c3" else ("", revision[0])
        if number < head.min_revision_legacy:
            yield (
                f"{name} needs at least {part}revision {head.min_revision_legacy}; "
                f"this chip is {text}"
            )
        return
    if head.min_revision is not None and revision < head.min_revision:
        least = "v{}.{}".format(*head.min_revision)
        yield f"{name} needs a revision of at least {least}; this chip is {text}"
    if head.max_revision is not None and revision > head.max_revision:
        most = "v{}.{}".format(*head.max_revision)
        yield f"{name} needs a revision of at most {most}; this chip is {text}"
