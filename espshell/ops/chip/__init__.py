"""Verbs on the chip and on the connection to it."""
