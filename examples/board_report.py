"""Say what a board is and whether its flash can be trusted.

python examples/board_report.py sim://esp32c3
"""

from __future__ import annotations

import sys

import espshell


def main(port: str) -> int:
    """Print the chip, its flash, and whether a sector reads back what was written."""
    with espshell.connect(port) as chip:
        info, size = chip.info(), chip.flash_id().size
        if size is None:
            raise espshell.DeviceError("the flash does not say how large it is")
        print(f"{info.chip}, MAC {chip.mac()}, {size >> 20} MiB of flash")
        last = size - 0x1000
        before = chip.read(f"flash:{last:#x}", 0x1000)
        try:
            pattern = bytes(range(256)) * 16
            is_good = chip.write(f"flash:{last:#x}", pattern).ok
        finally:
            chip.write(f"flash:{last:#x}", before)
    print("the last sector is good" if is_good else "the last sector does not keep its bytes")
    return 0 if is_good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except espshell.EspError as error:
        sys.exit(f"{error.one_line()}")
