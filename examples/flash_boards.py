"""Load a firmware into several boards at the same time, and say what became of each.

python examples/flash_boards.py app.bin sim://esp32c3 "sim://esp32c3?flash=8M"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import espshell

PLACE = "flash:0x10000"


def main(image: str, ports: Sequence[str]) -> int:
    """Load all boards; return 0 if all of them are right, else the worst status."""
    status = dict.fromkeys(ports, espshell.BenchError.exit_status)

    def load(port: str, chip: espshell.ConnectedChip) -> None:
        try:
            chip.load((image, PLACE)).require_ok()
        except espshell.EspError as error:
            status[port] = error.status
            print(f"{port}: {error.one_line()}")
        else:
            status[port] = 0
            print(f"{port}: {chip.mac()} is loaded")

    with espshell.open_all(ports, chip="esp32c3") as chips, ThreadPoolExecutor() as pool:
        list(pool.map(load, chips.keys(), chips.values()))
    for port in ports:
        if port not in chips:
            print(f"{port}: does not answer")
    return max(status.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
