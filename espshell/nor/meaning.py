"""What the fields of status registers are for, and what can go wrong: a line each.

What a value is called depends on who made the part; only what a source confirms is listed.

Sources: flashrom b946ca13, hackpascal/ufprog 57fc859f, esp-idf 10212290, the incidents that are
named in a row (repository and number), data sheets of W25Q128JV, MX25L3233F, IS25WP128F.
"""

from __future__ import annotations

from typing import NamedTuple

Named = tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
"""By the name of a field: numbers and what they are called."""


class Meaning(NamedTuple):
    """What a field does, and what to fear; a hazard may be empty."""

    text: str
    hazard: str


_LOCKS = "a security register becomes read-only for ever"
_TIMING = "wrong, the ROM reads the flash too early and the board does not boot (esp-idf#8560)"
_LINES = "1 makes WP# and HOLD# data lines; an image that reads by four lines needs it"
_NOT_QUAD = "0 and an image for QIO or QOUT: it boots again and again (meatloaf#59)"

_ROWS: dict[str, Meaning] = {
    "BUSY": Meaning("a write or an erase is going on", ""),
    "WIP": Meaning("a write or an erase is going on", ""),
    "WEL": Meaning("the next write or erase is allowed (06h)", ""),
    "SUS": Meaning("a program or an erase is suspended", ""),
    "SUS1": Meaning("an erase is suspended", "which of SUS1 and SUS2 is which is not verified"),
    "SUS2": Meaning("a program is suspended", "which of SUS1 and SUS2 is which is not verified"),
    "PSUS": Meaning("a program is suspended", ""),
    "ESUS": Meaning("an erase is suspended", ""),
    "PSB": Meaning("a program is suspended", ""),
    "ESB": Meaning("an erase is suspended", ""),
    "P_FAIL": Meaning("the last program failed, also for protection", ""),
    "E_FAIL": Meaning("the last erase failed, also for protection", ""),
    "PROT_E": Meaning("the last write or erase met protection", ""),
    "P_ERR": Meaning("the last program failed", ""),
    "E_ERR": Meaning("the last erase failed", ""),
    "ADS": Meaning("the flash is in 4-byte address mode now", ""),
    "FACTORY_OTP": Meaning("the secured area was locked by the factory", ""),
    "BP": Meaning("how much is protected against program and erase", ""),
    "TB": Meaning("1 counts the protected part from address 0, 0 from the end", ""),
    "TBS": Meaning("1 counts the protected part from address 0, 0 from the end", ""),
    "SEC": Meaning("1 lets BP count sectors of 4 KiB instead of blocks", ""),
    "CMP": Meaning(
        "1 protects what BP leaves free, and the other way round",
        "with BP=0 it protects everything (fpdoom#48)",
    ),
    "EBL": Meaning("size of the block at the boot end (EON)", ""),
    "WPS": Meaning(
        "1 ignores BP; each block has its own lock",
        "all blocks are locked at power-up, and writes fail silently",
    ),
    "WPSEL": Meaning(
        "1 ignores BP; each block has its own lock", "all blocks are locked at power-up"
    ),
    "QE": Meaning(_LINES, _NOT_QUAD),
    "WHDIS": Meaning("1 switches WP# and HOLD# off, so that four lines work without QE", ""),
    "SRP0": Meaning("1 freezes the registers while WP# is low", ""),
    "SRP": Meaning("1 freezes the registers while WP# is low", ""),
    "SRWD": Meaning("1 freezes the registers while WP# is low", ""),
    "SRP1": Meaning(
        "1 freezes the registers until the next power-up",
        "with SRP0=1 it is for ever (esp-idf#7994)",
    ),
    "LB": Meaning("locks the security registers", _LOCKS),
    "LB0": Meaning("locks security register 0", _LOCKS),
    "LB1": Meaning("locks security register 1", _LOCKS),
    "LB2": Meaning("locks security register 2", _LOCKS),
    "LB3": Meaning("locks security register 3", _LOCKS),
    "SPL0": Meaning("locks security sector 0", _LOCKS),
    "SPL1": Meaning("locks security sector 1", _LOCKS),
    "SPL2": Meaning("locks security sector 2", _LOCKS),
    "IRL0": Meaning("locks information row 0", _LOCKS),
    "IRL1": Meaning("locks information row 1", _LOCKS),
    "IRL2": Meaning("locks information row 2", _LOCKS),
    "IRL3": Meaning("locks information row 3", _LOCKS),
    "LDSO": Meaning("locks the secured area", _LOCKS),
    "DRSTDIS": Meaning("1 switches the dedicated RESET# pin off", ""),
    "HRSW": Meaning(
        "1 makes HOLD# a reset input", "a pin that floats then resets the flash at any time"
    ),
    "ADP": Meaning(
        "1 starts in 4-byte address mode",
        "the chip's ROM sends three address bytes and the board is dead (lede-project/source#620)",
    ),
    "DRV": Meaning("how strongly outputs drive", "signal integrity only"),
    "ODS": Meaning("how strongly outputs drive", "signal integrity only"),
    "DC": Meaning("dummy clocks of fast reads", _TIMING),
    "LC": Meaning("latency of fast reads", _TIMING),
    "HFM": Meaning("high frequency mode", _TIMING),
    "HPF": Meaning("high performance mode", _TIMING),
    "BL": Meaning("length of a wrapped burst", ""),
    "BLSE": Meaning("1 switches wrapped bursts on", ""),
    "LPE": Meaning("low power", ""),
}

_UNKNOWN = Meaning("not described", "")

_WINBOND = 0xEF
_VALUES: dict[int, Named] = {
    _WINBOND: (("DRV", ((0, "100%"), (1, "75%"), (2, "50%"), (3, "25%"))),),
}
"""By manufacturer.  The codes of others are not verified."""


def of(name: str) -> Meaning:
    """Return what a field is for."""
    return _ROWS.get(name, _UNKNOWN)


def values(manufacturer: int) -> Named:
    """Return what values of fields are called on parts of a manufacturer."""
    return _VALUES.get(manufacturer, ())
