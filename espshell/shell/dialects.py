"""Commands of U-Boot and gdb: what they are called here, and an alias pack for each.

Sources: the manual pages of U-Boot's ``md`` and ``mw`` (docs.u-boot.org), and "Examining Memory"
of gdb's manual.  Lengths stay bytes, and numbers stay as they are written here.
"""

from __future__ import annotations

from collections.abc import Mapping

from espshell import regex

_WIDTHS = {"": 32, ".b": 8, ".w": 16, ".l": 32, ".q": 64}
_POKES = {end: width for end, width in _WIDTHS.items() if width <= 32}

PACKS: Mapping[str, Mapping[str, str]] = {
    "off": {},
    "uboot": {
        **{f"md{end}": f"dump{width}" for end, width in _WIDTHS.items()},
        **{f"mw{end}": f"poke{width}" for end, width in _POKES.items()},
    },
    "gdb": {"p": "print", **{f"p/{form}": f"print/{form}" for form in "xdtc"}, "x": "x/1xw"},
}
"""What each name stands for; ``x/16xw`` is taken apart by ``examined``."""

_EXAMINE = regex.late(r"x/(\d*)([xduotac]?)([bhwg]?)")
_UNITS = {"b": 8, "h": 16, "w": 32, "g": 64, "": 32}


def examined(name: str, rest: str) -> str | None:
    """Return the line that gdb's ``x/16xw ADDRESS`` is, a hexdump; None if it is no such command.

    >>> examined("x/16xw", "0x3fc90000")
    'dump32 0x3fc90000 64'
    """
    match = _EXAMINE.fullmatch(name)
    if match is None:
        return None
    width = _UNITS[match[3]]
    return f"dump{width} {rest or 'ADDRESS'} {int(match[1] or 1) * width // 8}"


def hint(name: str) -> str:
    """Return what an unknown command is called here, if another tool has it; else nothing."""
    for pack, names in PACKS.items():
        if name in names or (pack == "gdb" and _EXAMINE.fullmatch(name)):
            ours = examined(names.get(name, name), "") or f"{names[name]} {_REST[name[:2]]}"
            return f"here it is `{ours}`; `set aliases {pack}` understands `{name}`"
    return ""


_REST = {"md": "ADDRESS BYTES", "mw": "ADDRESS VALUE", "p": "EXPRESSION", "p/": "EXPRESSION"}
