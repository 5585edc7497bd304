"""Forms of status registers and their changes; importing this registers all of them."""

from espshell.render.status import change, registers

__all__ = ["change", "registers"]
