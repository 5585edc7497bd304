"""Bytes to values and back: SLIP frames, packets, commands and the dialects of loaders.

No I/O and no time here.  The host side and the simulator both stand on this floor.
"""
