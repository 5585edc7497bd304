"""The commands, a module a group; each is a thin face of an operation.

A module runs when one of its commands is first looked up; ``INDEX`` says which one that is.
"""

from __future__ import annotations

from espshell.shell.registry import COMMANDS

INDEX = """
memory: peek, peek8, peek16, peek32, poke, poke8, poke16, poke32, dump, dump8, dump16, dump32
memory: dump64, fill, fill8, fill16, fill32, save, read-mem, write-mem, dump-mem
values: print, print/x, print/d, print/t, print/c
flash: load, verify, erase, parts, flash-id
esptool: write-flash, verify-flash, read-flash, erase-region, erase-flash
image: image info, image-info, image make, make-image, image merge, merge-bin, image elf
image: elf2image
spi: spi, read-flash-sfdp, read-flash-status, write-flash-status
status: sr, sr show, sr bits, sr set, sr edit, sr protect, sr unprotect, sr ranges, sr save
status: sr restore, sfdp, sr sfdp
search: copy, find, find8, find16, find32, diff, hash
journal: snap, journal, undo
watch: wait, repeat, watch
chip: connect, disconnect, reconnect, ports, stub, info, read-mac, chip-id, map, reset, run, baud
chip: link, trace
efuse: efuse, efuse save, efuse diff
gpio: gpio
ram: loadram, load-ram, monitor, syms, memtest, call
compare: compare
registers: reg, regs, svd
report: report
pasted: esptool, espefuse, espsecure, get-security-info, version
script: let, expect, need, fails, echo, sleep, source, if, for, else, end
topics: help, ?
shell: set, alias, history, log, quit, exit, !, cd
"""
"""The names that each module declares, in the order in which help shows them."""

VERBS = COMMANDS
"""Every command there is."""

for _row in INDEX.split("\n"):
    _module, _, _names = _row.partition(": ")
    VERBS.expect(f"{__name__}.{_module}", filter(None, _names.split(", ")))
