"""Whether an image is for a chip: what its header says against what the chip is."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.chips import Chip
from espshell.image.firmware import ExtendedHeader, Firmware, Layout


def chip_objection(name: str, image: Firmware, chip: Chip) -> str:
    """Return why an image cannot be for a chip, or an empty text; ``name`` is the image's."""
    is_old = chip.name == "esp8266"
    if is_old and image.layout is Layout.EXTENDED:
        return f"{name} is an image for an ESP32 or later, not for an ESP8266"
    if not is_old and image.layout is not Layout.EXTENDED:
        return f"{name} is an image for an ESP8266, not for an {chip.title}"
    if image.extended is not None and image.extended.chip_id != chip.id:
        return (
            f"{name} is for another chip: its header says id {image.extended.chip_id}, "
            f"an {chip.title} has {chip.id}"
        )
    return ""


def revision_objection(name: str, head: ExtendedHeader, found: tuple[int, int]) -> Iterator[str]:
    """Yield what an image wants of the revision that is not so; major and minor."""
    have = "v{}.{}".format(*found)
    if head.min_revision is not None and found < head.min_revision:
        want = "v{}.{}".format(*head.min_revision)
        yield f"{name} wants a revision of at least {want}; this chip is {have}"
    if head.max_revision is not None and found > head.max_revision:
        want = "v{}.{}".format(*head.max_revision)
        yield f"{name} wants a revision of at most {want}; this chip is {have}"
