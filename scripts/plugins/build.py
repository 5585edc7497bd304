#!/usr/bin/env python3
"""Build the handlers of this folder for all architectures, into espshell/loader/plugins/data.

Needs Debian's gcc-riscv64-unknown-elf and gcc-xtensa-lx106.  ``--check`` compares only; the status
is 1 then if the data files are not what comes of the sources, and 3 if compilers of these versions
are not installed.

The compiler for the ESP8266 writes code with register windows, too, and only its assembler does not
know these instructions: they are handed to it as bytes.  Each handler is linked at two places;
words that move with it are noted, as are those where the address of a ROM function belongs.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "espshell/loader/plugins/data/handlers.txt"
SIMULATOR = HERE.parents[1] / "espshell/sim/data/handlers.txt"

HANDLERS = ("words", "stream", "deflate", "find", "crc", "memtest", "call")
FOR_RISCV = ("deflate",)
"""No chip with an Xtensa core has both ``tdefl`` and room for its state."""

ROM = ("spiflash_read", "tdefl_init", "tdefl_compress")
"""Functions by the numbers of ``ROM_WORD``, from 1 on."""

_COMMON = ("-Os", "-ffreestanding", "-fno-tree-loop-distribute-patterns", "-Wall", "-Werror")
_RISCV = ("riscv64-unknown-elf-", ("-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany"))
ARCHITECTURES = {
    "riscv": _RISCV,
    "xtensa": ("xtensa-lx106-elf-", ("-mabi=windowed",)),
    "xtensa-call0": ("xtensa-lx106-elf-", ("-mabi=call0",)),
}

_SCRIPT = """
ENTRY(handler)
SECTIONS {
  . = %d;
  .text : { *(.literal .literal.*) *(.rodata .rodata.*) *(.text .text.*) . = ALIGN(4); }
  /DISCARD/ : { *(.comment) *(.xtensa.info) *(.xt.*) *(.riscv.attributes) *(.eh_frame) }
}
"""
_BASES = (0x4000_0000, 0x4001_0000)
_ROM_WORD = 0xF00D_0000
_WIDTH = 96


@dataclass(frozen=True)
class Built:
    """A handler for an architecture."""

    name: str
    isa: str
    entry: int
    fills: tuple[tuple[int, str], ...]
    """Offsets of words, and what belongs there."""
    code: bytes

    @property
    def lines(self) -> str:
        """Its lines for the host."""
        digits = self.code.hex()
        marks = [f"{at:#x}={what}" for at, what in self.fills]
        rows = [digits[at : at + _WIDTH] for at in range(0, len(digits), _WIDTH)]
        return "\n".join([" ".join([self.name, self.isa, f"{self.entry:#x}", *marks]), *rows])

    @property
    def known(self) -> str:
        """Its line for the simulator: what is the same in every place, from the entry's view."""
        start = max((at + 4 for at, _ in self.fills), default=0)
        digest = hashlib.sha256(self.code[start:]).hexdigest()[:16]
        marks = [f"{at - self.entry}={what}" for at, what in self.fills if what != "base"]
        size = len(self.code) - start
        words = [self.name, self.isa, str(start - self.entry), str(size), digest, *marks]
        return " ".join(words)


def build(name: str, isa: str) -> Built:
    """Compile a handler, and find the words that are different in each place."""
    (entry, first), (_, second) = (_link(name, isa, base) for base in _BASES)
    code, fills = bytearray(first), list[tuple[int, str]]()
    for at in range(0, len(code), 4):
        word, moved = (int.from_bytes(image[at : at + 4], "little") for image in (first, second))
        if word != moved:
            if moved - word != _BASES[1] - _BASES[0]:
                raise SystemExit(f"{name} {isa}: the instruction at {at:#x} moves")
            fills.append((at, "base"))
            code[at : at + 4] = (word - _BASES[0]).to_bytes(4, "little")
        elif 0 < word - _ROM_WORD <= len(ROM):
            fills.append((at, ROM[word - _ROM_WORD - 1]))
    return Built(name, isa, entry - _BASES[0], tuple(fills), bytes(code))


def _link(name: str, isa: str, base: int) -> tuple[int, bytes]:
    """Return the entry and the bytes of a handler that lies at an address."""
    with tempfile.TemporaryDirectory() as folder:
        elf, binary = Path(folder, "elf"), Path(folder, "binary")
        link([compiled(HERE / f"{name}.c", isa, Path(folder))], isa, _SCRIPT % base, elf)
        _run(f"{ARCHITECTURES[isa][0]}objcopy", "-O", "binary", "-j", ".text", elf, binary)
        return struct.unpack_from("<I", elf.read_bytes(), 24)[0], binary.read_bytes()


def version(isa: str) -> str:
    """Return the compiler for an architecture and its version, or only its name without one."""
    name = f"{ARCHITECTURES[isa][0]}gcc"
    if shutil.which(name) is None:
        return name
    command = [name, "-dumpfullversion"]
    return f"{name} {subprocess.run(command, capture_output=True, text=True).stdout.strip()}"


def compiled(source: Path, isa: str, folder: Path, *flags: str) -> Path:
    """Compile a source file; return the object file."""
    prefix, own = ARCHITECTURES[isa]
    assembly, built = folder / f"{source.stem}.s", folder / f"{source.stem}.o"
    _run(f"{prefix}gcc", *own, *_COMMON, *flags, "-S", source, "-o", assembly)
    assembly.write_text("\n".join(map(_as_bytes, assembly.read_text().split("\n"))))
    _run(
        f"{prefix}as",
        *(own[:2] if isa == "riscv" else ("--no-target-align",)),
        assembly,
        "-o",
        built,
    )
    return built


def link(objects: list[Path], isa: str, script: str, target: Path) -> None:
    """Link object files as a linker script says."""
    path = target.with_suffix(".ld")
    path.write_text(script)
    emulation = ("-m", "elf32lriscv") if isa == "riscv" else ()
    flags = ("--no-warn-rwx-segments", "--no-relax", "-T", path)
    _run(f"{ARCHITECTURES[isa][0]}ld", *emulation, *flags, *objects, "-o", target)


def _as_bytes(line: str) -> str:
    """Return a line of assembly, with an instruction for windows as its bytes."""
    words = re.split(r"[\s,]+", line.strip())
    if words[0] == "entry":
        code = int(words[2], 0) // 8 << 12 | _register(words[1]) << 8 | 0x36
    elif words[0] == "callx8":
        code = _register(words[1]) << 8 | 0xE0
    elif words[0] == "call8":
        return f"\tmovi a8, {words[1]}\n{_as_bytes('callx8 a8')}"
    elif words[0] in ("retw", "retw.n"):
        return "\t.byte 0x1d, 0xf0"
    elif words[0] in ("call4", "call12", "callx4", "callx12", "movsp", "rotw"):
        raise SystemExit(f"no bytes for: {line.strip()}")
    else:
        return line
    return "\t.byte " + ", ".join(f"{code >> shift & 0xFF:#04x}" for shift in (0, 8, 16))


def _register(name: str) -> int:
    return 1 if name == "sp" else int(name.removeprefix("a"))


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def main() -> int:
    """Write the data files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    versions = "# Compilers: " + ", ".join(dict.fromkeys(map(version, ARCHITECTURES)))
    if check and versions not in TARGET.read_text():
        return 3
    handlers = [
        build(name, isa)
        for name in HANDLERS
        for isa in ARCHITECTURES
        if isa == "riscv" or name not in FOR_RISCV
    ]
    by = "written by scripts/plugins/build.py from the C beside it"
    texts = {
        TARGET: [
            f"# Machine code of the handlers; {by}.",
            versions,
            "# NAME ARCHITECTURE ENTRY [OFFSET=WHAT TO FILL IN]..., then the code in hex.",
            *(handler.lines for handler in handlers),
        ],
        SIMULATOR: [
            f"# How handlers are recognised; {by}. Offsets are from the entry.",
            "# NAME ARCHITECTURE START SIZE DIGEST [OFFSET=FUNCTION]...",
            *(handler.known for handler in handlers if handler.isa != "riscv"),
        ],
    }
    different = 0
    for path, lines in texts.items():
        text = "\n".join(lines) + "\n"
        if check:
            different |= path.read_text() != text
        else:
            path.write_text(text)
    return different


if __name__ == "__main__":
    sys.exit(main())
