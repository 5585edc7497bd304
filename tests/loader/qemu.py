"""Running a handler for an Xtensa core in ``qemu-xtensa``."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from espshell.chips import Chip
from espshell.loader.plugins import install
from scripts.plugins import build

IS_HERE = all(map(shutil.which, ("qemu-xtensa", "xtensa-lx106-elf-gcc")))

CODE_AT, MEMORY_AT, MEMORY = 0x2010_0000, 0x1FFC_0000, 8192
FLASH = b"".join(struct.pack("<I", at * 2654435761 & 0xFFFFFFFF) for at in range(0, 0x1_0000, 4))

_SCRIPT = """
ENTRY(_start)
handler = %d;
PHDRS { memory PT_LOAD FLAGS(7); variables PT_LOAD FLAGS(6); handler PT_LOAD FLAGS(5);
        code PT_LOAD FLAGS(5); }
SECTIONS {
  .memory 0x1ffc0000 : { *(.memory) } : memory
  .bss 0x1ffd0000 : { *(.bss .bss.*) } : variables
  .handler 0x20100000 : { *(.handler) } : handler
  .text 0x20200000 : { *(.literal .literal.*) *(.rodata .rodata.*) *(.text .text.*) } : code
  /DISCARD/ : { *(.comment) *(.xtensa.info) *(.xt.*) *(.eh_frame) }
}
"""


@dataclass(frozen=True)
class Ran:
    """What has come of a request."""

    status: int
    value: int
    data: bytes
    frames: tuple[bytes, ...]
    memory: bytes


@cache
def program(name: str, chip: Chip) -> Path:
    """Return a program that runs a handler as it would be uploaded."""
    handler = install.handler(name, chip)
    assert handler is not None
    code = handler.placed(CODE_AT, {"spiflash_read": symbol_of(chip.isa.value)})
    assert code is not None
    assembly, target = (_folder() / f"{name}-{chip.name}{end}" for end in (".s", ""))
    words = ", ".join(map(hex, struct.unpack(f"<{len(code) // 4}I", code)))
    assembly.write_text(f'.section .handler, "ax"\n.word {words}\n')
    _run("xtensa-lx106-elf-as", assembly, "-o", f"{target}.o")
    script = _SCRIPT % (CODE_AT + handler.entry)
    build.link([_harness(chip.isa.value), Path(f"{target}.o")], chip.isa.value, script, target)
    return target


def symbol_of(isa: str, name: str = "rom_read") -> int:
    """Return the address of a function of the harness."""
    target = _folder() / f"plain-{isa}"
    build.link([_harness(isa)], isa, _SCRIPT % CODE_AT, target)
    rows = (line.split() for line in _run("xtensa-lx106-elf-nm", target).splitlines())
    return next(int(row[0], 16) for row in rows if row[-1] == name)


@cache
def _harness(isa: str) -> Path:
    folder = _folder() / isa
    folder.mkdir()
    return build.compiled(build.HERE / "harness.c", isa, folder)


@cache
def _directory() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


def _folder() -> Path:
    return Path(_directory().name)


def _run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    return done.stdout


def run(name: str, chip: Chip, opcode: int, payload: bytes, memory: bytes) -> Ran:
    """Run a handler once, with the memory at ``MEMORY_AT``."""
    cpu = "dc233c" if chip.isa.value == "xtensa" else "lx106"
    done = subprocess.run(
        ["qemu-xtensa", "-cpu", cpu, program(name, chip)],
        input=struct.pack("<II", opcode, len(payload)) + payload + memory.ljust(MEMORY, b"\0"),
        capture_output=True,
        check=True,
        timeout=60,
    )
    out = done.stdout
    status, value, data, size = struct.unpack_from("<iI64sH", out)
    frames, at = [], 80
    while (count := struct.unpack_from("<i", out, at)[0]) >= 0:
        frames.append(out[at + 4 : at + 4 + count])
        at += 4 + count
    return Ran(status, value, data[:size], tuple(frames), out[at + 4 :])
