"""Forms of what is done to flash; importing this registers all of them."""

from espshell.render.flash import compare, sfdp, verify, write

__all__ = ["compare", "sfdp", "verify", "write"]
