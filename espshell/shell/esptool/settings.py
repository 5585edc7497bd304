"""esptool's configuration file: its location, and the settings that have a meaning here.

Source: esptool's manual, "configuration file".
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from espshell import files
from espshell.errors import UsageError
from espshell.records import dataclass

SECTION = "esptool"
NAMES = ("esptool.cfg", "setup.cfg", "tox.ini")
VARIABLE = "ESPTOOL_CFGFILE"

OPTIONS = {
    "connect_attempts": "--connect-attempts",
    "open_port_attempts": "--open-port-attempts",
}
"""Settings with an option."""

BEFORE, AFTER = "custom_reset_sequence", "custom_hard_reset_sequence"
"""Settings with the sequences of default-reset and hard-reset."""

UNUSED = (
    "chip_erase_timeout", "erase_region_timeout_per_mb", "erase_write_timeout_per_mb",
    "max_timeout", "md5_timeout_per_mb", "mem_end_rom_timeout", "reset_delay",
    "serial_write_timeout", "sync_timeout", "timeout", "write_block_attempts",
)  # fmt: skip
"""Settings without a counterpart: timeouts and attempts are decided at run time."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings of a configuration file; empty where it has none."""

    options: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    notes: tuple[str, ...] = ()


def load(environment: Mapping[str, str] = os.environ) -> ConfigFile:
    """Return the settings of the first file that has any."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or ".")
    own = home / ("AppData/Local" if os.name == "nt" else ".config") / SECTION
    paths = [folder / name for folder in (Path(), own, home) for name in NAMES]
    if path_text := environment.get(VARIABLE):
        paths.insert(0, Path(path_text))
    for path in paths:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(files.read_text(path, files.SCRIPT), str(path))
        except (UsageError, configparser.Error):
            continue  # a file of another tool
        if parser.has_section(SECTION):
            return _parsed(path, dict(parser.items(SECTION)))
    return ConfigFile()


def _parsed(path: Path, values: Mapping[str, str]) -> ConfigFile:
    strange = [name for name in values if name not in (*OPTIONS, BEFORE, AFTER, *UNUSED)]
    unused = [name for name in values if name in UNUSED]
    notes = [f"settings of {path} hold"]
    notes += [f"{path}: not used here: {', '.join(unused)}"] * bool(unused)
    notes += [f"{path}: no settings of esptool's: {', '.join(strange)}"] * bool(strange)
    options = tuple(
        word for name in values if name in OPTIONS for word in (OPTIONS[name], values[name])
    )
    return ConfigFile(options, values.get(BEFORE, ""), values.get(AFTER, ""), tuple(notes))
