"""Verbs that write, erase, compare and describe flash."""
