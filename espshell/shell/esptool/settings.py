"""esptool's configuration file: where it is, and which of its settings mean something here.

Source: esptool's manual, "configuration file".
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from espshell import files
from espshell.errors import UsageError

SECTION = "esptool"
NAMES = ("esptool.cfg", "setup.cfg", "tox.ini")
VARIABLE = "ESPTOOL_CFGFILE"

OPTIONS = {
    "connect_attempts": "--connect-attempts",
    "open_port_attempts": "--open-port-attempts",
}
"""Settings that are options."""

BEFORE, AFTER = "custom_reset_sequence", "custom_hard_reset_sequence"
"""Settings that say what default-reset and hard-reset do."""

UNUSED = (
    "chip_erase_timeout",
    "erase_region_timeout_per_mb",
    "erase_write_timeout_per_mb",
    "max_timeout",
    "md5_timeout_per_mb",
    "mem_end_rom_timeout",
    "reset_delay",
    "serial_write_timeout",
    "sync_timeout",
    "timeout",
    "write_block_attempts",
)
"""Settings without a counterpart: how long to wait and how often to try are found out here."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a configuration file says; empty where it says nothing."""

    options: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    notes: tuple[str, ...] = ()


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the first file that has any."""
    for path in _candidates(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(files.read_text(path, files.SCRIPT), str(path))
        except (UsageError, configparser.Error):
            continue  # a file of somebody else's
        if parser.has_section(SECTION):
            return _settings(path, dict(parser.items(SECTION)))
    return Settings()


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    if named := environment.get(VARIABLE):
        yield Path(named)
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or ".")
    own = home / ("AppData/Local" if os.name == "nt" else ".config") / SECTION
    yield from (folder / name for folder in (Path(), own, home) for name in NAMES)


def _settings(path: Path, values: Mapping[str, str]) -> Settings:
    options = {*OPTIONS, BEFORE, AFTER}
    unused = [name for name in values if name in UNUSED]
    strange = [name for name in values if name not in options and name not in UNUSED]
    notes = [f"settings of {path} hold"]
    if unused:
        notes.append(f"{path}: not used here: {', '.join(unused)}")
    if strange:
        notes.append(f"{path}: no settings of esptool's: {', '.join(strange)}")
    given = [(OPTIONS[name], value) for name, value in values.items() if name in OPTIONS]
    return Settings(
        options=tuple(word for pair in given for word in pair),
        before=values.get(BEFORE, ""),
        after=values.get(AFTER, ""),
        notes=tuple(notes),
    )
