"""Forms of what is done to flash; importing this registers all of them."""

from espshell.render.flash import sfdp, verify, write

__all__ = ["sfdp", "verify", "write"]
