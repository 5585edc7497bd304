"""Running a handler for an Xtensa core in ``qemu-xtensa``."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType

from espshell.chips import Chip
from espshell.loader.plugins import catalogue

PLUGINS = Path(__file__).parents[2] / "scripts" / "plugins"
IS_HERE = all(map(shutil.which, ("qemu-xtensa", "xtensa-lx106-elf-gcc")))

CODE_AT, MEMORY_AT, MEMORY = 0x2010_0000, 0x1FFC_0000, 8192
FLASH = b"".join(struct.pack("<I", at * 2654435761 & 0xFFFFFFFF) for at in range(0, 0x1_0000, 4))

_SCRIPT = """
ENTRY(_start)
SECTIONS {
  .memory 0x1ffc0000 : { *(.memory) }
  .bss 0x1ffd0000 : { *(.bss .bss.*) }
  .data 0x1ffe0000 : { *(.data .data.*) }
  .handler 0x20100000 : { *(.handler) }
  .text 0x20200000 : { *(.literal .literal.*) *(.rodata .rodata.*) *(.text .text.*) }
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
def build() -> ModuleType:
    """Return the build script as a module."""
    loader = SourceFileLoader("build_plugins", str(PLUGINS / "build"))
    spec = importlib.util.spec_from_loader("build_plugins", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["build_plugins"] = module
    loader.exec_module(module)
    return module


@cache
def program(name: str, chip: Chip) -> Path:
    """Return a program that runs a handler as it would be uploaded."""
    handler = catalogue.handler(name, chip)
    assert handler is not None
    isa, folder = chip.isa.value, Path(mkdtemp())
    code = handler.placed(CODE_AT, {"spiflash_read": symbol_of(isa)})
    assert code is not None
    assembly = folder / "handler.s"
    words = ", ".join(map(hex, struct.unpack(f"<{len(code) // 4}I", code)))
    assembly.write_text(f'.section .handler, "ax"\n.word {words}\n')
    subprocess.run(["xtensa-lx106-elf-as", assembly, "-o", folder / "handler.o"], check=True)
    define = f"-DHANDLER={CODE_AT + handler.entry:#x}"
    harness = build().compiled(PLUGINS / "harness.c", isa, folder, define)
    build().link([harness, folder / "handler.o"], isa, _SCRIPT, folder / "program")
    return folder / "program"


def symbol_of(isa: str, name: str = "rom_read") -> int:
    """Return the address of a function of the harness."""
    folder = Path(mkdtemp())
    harness = build().compiled(PLUGINS / "harness.c", isa, folder, "-DHANDLER=0x20100000")
    build().link([harness], isa, _SCRIPT, folder / "program")
    listing = subprocess.run(
        ["xtensa-lx106-elf-nm", folder / "program"], check=True, capture_output=True, text=True
    ).stdout
    return next(
        int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {name}")
    )


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
