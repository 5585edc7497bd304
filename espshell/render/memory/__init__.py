"""Forms of what is done to memory; importing this registers all of them."""

from espshell.render.memory import compare, journal, registers, words

__all__ = ["compare", "journal", "registers", "words"]
