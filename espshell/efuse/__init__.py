"""eFuses: where they are read, what they are called and what they mean. Read-only, no I/O."""

from espshell.efuse.contents import Contents
from espshell.efuse.table import Block, Fuse, Place, Table, of

__all__ = ["Block", "Contents", "Fuse", "Place", "Table", "of"]
