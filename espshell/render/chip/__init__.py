"""Forms of what a chip says of itself, and runs; importing this registers all of them."""

from espshell.render.chip import efuse, gpio, info, ram

__all__ = ["efuse", "gpio", "info", "ram"]
