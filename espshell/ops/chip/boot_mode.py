"""Why a chip is in its loader, and what its pins would give at the next reset, by its straps."""

from __future__ import annotations

from collections.abc import Sequence

from espshell.chips import Chip, Words
from espshell.ops.chip.pin_layout import PinLayout, strap_levels
from espshell.records import dataclass

MODES = {
    "flash": "start from flash",
    "download": "download mode",
    "SDIO": "start from SDIO",
    "invalid": "a combination that no manual defines",
}


@dataclass(frozen=True, slots=True)
class BootMode:
    """How the chip has started, and how it would start now, by its strapping pins."""

    mode: str
    """``flash``, ``download``, another word of the tables, or empty: not known."""
    levels: tuple[tuple[int, int], ...]
    """Pins and levels that decided."""
    next_mode: str
    next_levels: tuple[tuple[int, int], ...]
    is_forced: bool = False
    """Whether a register holds the chip in download mode, whatever the pins say."""

    @property
    def reason(self) -> str:
        """Why the chip is in its loader, in words."""
        if self.is_forced:
            return "download mode: FORCE_DOWNLOAD_BOOT is set"
        if self.mode == "download":
            return f"download mode: at reset {_levels_text(self.levels)}"
        if not self.mode:
            return "the straps do not tell how the chip started"
        pins = _levels_text(self.levels)
        return f"in the loader though {pins} at reset ({MODES[self.mode]}): not by the pins"

    @property
    def prospect(self) -> str:
        """What the pins would give at the next reset, in words."""
        if not self.next_mode:
            return "the pins do not tell how the next reset starts"
        return f"now {_levels_text(self.next_levels)}: {MODES[self.next_mode]} at the next reset"


def _levels_text(levels: Sequence[tuple[int, int]]) -> str:
    words = [f"GPIO{pin} {'high' if level else 'low'}" for pin, level in levels]
    return " and ".join(words)


def boot_words(chip: Chip) -> list[int]:
    """Return the addresses of the words that ``boot_mode`` needs."""
    layout = PinLayout(chip)
    strap, forced = layout.strap(), chip.force_download
    addresses = {layout.place(pin, "in").address for pin in layout.strap_pins}
    return [*addresses, *((strap[0],) if strap else ()), *((forced.address,) if forced else ())]


def boot_mode(chip: Chip, words: Words) -> BootMode:
    """Return how the pins made the chip start, and would now."""
    layout, forced = PinLayout(chip), chip.force_download
    then, now = strap_levels(layout, words), {}
    for pin in layout.strap_pins:
        place = layout.place(pin, "in")
        now[pin.number] = words(place.address) >> place.bit & 1
    return BootMode(
        layout.pins.boot_mode(then),
        layout.pins.deciding(then),
        layout.pins.boot_mode(now),
        layout.pins.deciding(now),
        forced is not None and bool(forced.of(words(forced.address))),
    )
