"""Start the firmware of a board, and wait until it says that it is ready.

python examples/boot_test.py sim://demo entry
"""

from __future__ import annotations

import sys

import espshell


def main(port: str, text: str) -> int:
    """Check what the board would start, start it, listen; return the exit status."""
    with espshell.connect(port) as chip:
        for row in chip.partitions().require_ok().table.partitions:
            print(f"{row.name:10} {row.offset:#010x}  {row.type_name}")
        heard = chip.monitor(until=text, timeout_s=10)
    print(heard.text)
    if not heard.ok:
        print(heard.failure)
    return 0 if heard.ok else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except espshell.EspError as error:
        print(error.one_line())
        sys.exit(error.status)
