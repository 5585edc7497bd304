"""Options of esptool's commands that are refused or need nothing done, each with the reason.

What means something here is declared with the command.
"""

from __future__ import annotations

from espshell.shell.arguments.flash import FLASH_PINS
from espshell.shell.arguments.types import NUMBER, TEXT, choice
from espshell.shell.declaration import Option

_ENCRYPT = (
    "the chip is not asked to encrypt what is written; encrypt on the host "
    "(espsecure encrypt-flash-data) and write that with --force"
)

CONNECTION = Option(
    "--spi-connection",
    "the pins of the flash for this command: SPI, HSPI or CLK,Q,D,HD,CS",
    FLASH_PINS,
    short="-sc",
    setting="spi_connection",
)
"""Every command that touches the flash has it."""

FLASH_TYPE = Option(
    "--flash-type",
    "nor is accepted; nothing else is supported",
    choice("nor"),
    short="-ft",
    is_accepted=True,
)

REACHING = (CONNECTION, FLASH_TYPE)
"""Of commands that reach the flash through the loader."""

WRITING = (
    Option("--encrypt", "is refused: encryption by the chip", refusal=_ENCRYPT),
    Option("--encrypt-files", "is refused, as --encrypt", TEXT, many=True, refusal=_ENCRYPT),
    Option("--ignore-flash-enc-efuse", "is refused, as --encrypt", refusal=_ENCRYPT),
    Option(
        "--diff-with",
        "accepted, not needed: the flash contents are checked",
        TEXT,
        many=True,
        is_accepted=True,
    ),
    Option(
        "--trust-flash-content",
        "accepted, without effect: everything is verified",
        is_accepted=True,
    ),
    Option(
        "--nand-end-address",
        "is refused: NAND flash",
        NUMBER,
        refusal="NAND flash is not supported; leave it out for NOR flash",
    ),
    *REACHING,
)
"""Of write-flash."""

_NO_CHANGE = "accepted, without effect"

HEADER = (
    Option("--flash-mode", _NO_CHANGE, TEXT, short="-fm", is_accepted=True),
    Option("--flash-freq", _NO_CHANGE, TEXT, short="-ff", is_accepted=True),
    Option("--flash-size", _NO_CHANGE, TEXT, short="-fs", is_accepted=True),
)
"""Of commands that read what does not depend on it."""
