"""eFuses: where they are read, what they are called and what they mean. Read-only, no I/O."""

from espshell.efuse.contents import Contents
from espshell.efuse.table import LATER, THEMES, Block, Fuse, Place, Table, of
from espshell.efuse.verdict import Statement, Tone, verdict

__all__ = [
    "LATER",
    "THEMES",
    "Block",
    "Contents",
    "Fuse",
    "Place",
    "Statement",
    "Table",
    "Tone",
    "of",
    "verdict",
]
