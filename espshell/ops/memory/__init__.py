"""Verbs on the address space and on ranges of bytes in any space."""
