"""The pages of the chips and of flash parts: what the tables have of each."""

from __future__ import annotations

from collections.abc import Iterator

from espshell import chips, pins, registers
from espshell.chips import Chip
from espshell.efuse import table as efuses
from espshell.nor import layout, parts
from espshell.pins import Pin
from espshell.protocol.dialect import Dialect
from espshell.units import size_text
from scripts.markdown import code, prose, table

FOLDER = "reference/chips"


def all_chips() -> Iterator[Chip]:
    """Yield the chips of the tables."""
    for name in chips.NAMES:
        if (chip := chips.by_name(name)) is not None:
            yield chip


def pages() -> dict[str, str]:
    """Return two pages a chip, one on it and one with its registers, a list, and flash parts."""
    texts = {f"{FOLDER}/index.md": _overview()}
    for chip in all_chips():
        texts[f"{FOLDER}/{chip.name}.md"] = page(chip)
        texts[f"{FOLDER}/{chip.name}-registers.md"] = _registers(chip)
    return texts | {"reference/flash-parts.md": _flash_parts()}


def _overview() -> str:
    rows = (
        (
            f"[{chip.title}]({chip.name}.md)",
            chip.isa.name.split("_")[0].capitalize(),
            f"{chip.bootloader_offset:#x}",
            ", ".join(_usb(chip)),
            prose(", ".join(chip.fixed_features)),
        )
        for chip in all_chips()
    )
    head = ("chip", "core", "bootloader at", "own USB", "has")
    return (
        "# Chips\n\nWhat the tables of the program have of each chip. "
        f"Sources stand at the top of each table in `espshell/`.\n\n{table(head, rows)}"
    )


def page(chip: Chip) -> str:
    """Return the page of a chip."""
    sections = {
        "Memory map": _memory(chip),
        "Loader in ROM": table(("what", "value"), _rom(chip)),
        "Flash": table(("what", "value"), _flash(chip)),
        "Pins and straps": _pins(chip),
        "eFuses": _efuses(chip),
        "Peripherals": _peripherals(chip),
        "Oddities": _oddities(chip),
    }
    facts = table(("what", "value"), _facts(chip))
    text = "".join(f"\n## {title}\n\n{body}" for title, body in sections.items())
    return f"# {chip.title}\n\n`sim://{chip.name}` is a simulated one.\n\n{facts}{text}"


def _facts(chip: Chip) -> Iterator[tuple[str, str]]:
    yield "core", chip.isa.value
    yield "has", prose(", ".join(chip.fixed_features))
    yield "packages", prose(", ".join(dict.fromkeys(p.name for p in chip.packages)))
    yield "image id", str(chip.id) if chip.id < 0xFFFF else "none"
    if chip.magic is not None:
        yield "magic word", f"`{chip.magic:#010x}`"
    yield "UF2 family", f"`{chip.uf2_family:#010x}`"
    yield "crystal", " or ".join(map(str, chip.crystals_mhz)) + " MHz"
    yield "own USB", ", ".join(_usb(chip)) or "none"


def _usb(chip: Chip) -> Iterator[str]:
    if chip.usb_serial_jtag:
        yield "USB-Serial/JTAG"
    if chip.usb_otg:
        yield "USB-OTG"


def _memory(chip: Chip) -> str:
    rows = (
        (code(r.name), f"`{r.start:#010x}..{r.end:#010x}`", size_text(r.size), prose(r.note))
        for r in chip.regions
    )
    text = table(("region", "addresses", "size", "what it is"), rows)
    for ram in chip.shared_ram:
        one, other = (f"`{start:#010x}`" for start in (ram.data, ram.instruction))
        text += f"\n{size_text(ram.size)} from {one} and from {other} are the same RAM.\n"
    if chip.read_effects:
        names = ", ".join(code(region.name) for region in chip.read_effects)
        text += f"\nReading changes: {names}. They are read when asked for, and once.\n"
    return text


def _rom(chip: Chip) -> Iterator[tuple[str, str]]:
    rom: Dialect = chip.rom
    yield "commands", ", ".join(code(o.name) for o in sorted(rom.commands, key=lambda o: o.value))
    yield "status at the end of a reply", f"{rom.status_size} bytes"
    yield "blocks", f"{rom.block_size:#x} bytes into RAM, {rom.flash_block_size:#x} into flash"
    yield "digest of flash", {0: "none", 16: "binary", 32: "text"}[rom.digest_size]
    yield "security info", f"{rom.security_info_size} bytes" if rom.security_info_size else "none"
    yield "words of known value", f"{len(chip.markers)} from `{chip.markers[0]:#010x}`"
    names = [name.name for name in chip.stub_names] or [chip.name]
    yield "flasher stub", ", ".join(map(code, names))
    yield "reset by its watchdog", "possible" if chip.watchdog_reset else "not possible"
    yield "download mode by software", "possible" if chip.force_download else "not possible"


def _flash(chip: Chip) -> Iterator[tuple[str, str]]:
    yield "bootloader", f"at `{chip.bootloader_offset:#x}`"
    yield "controller", f"SPI1 at `{chip.spi.base:#010x}`, {4 * chip.spi.w_words} bytes of data"
    yield "sizes in headers", ", ".join(size.name for size in chip.flash_sizes)
    yield "clocks in headers", ", ".join(name for name, _ in chip.flash_frequencies)
    yield "addresses past 16 MiB", "by the stub" if chip.flash_32bit else "no"
    chosen = ", ".join(map(str, chip.custom_spi_pins))
    yield "pins that can be chosen", f"GPIO {chosen}" if chosen else "none"


def _pins(chip: Chip) -> str:
    table_of = pins.of(chip.name)
    rows = (
        (
            pin.name,
            ", ".join(dict.fromkeys(f for f in pin.functions if f != "-")),
            ", ".join(_uses(pin)),
            prose(table_of.meanings.get(pin.number, "")),
        )
        for pin in table_of.pins
    )
    modes = (
        (" ".join(f"GPIO{number}={level}" for number, level in levels) or "otherwise", mode)
        for levels, mode in table_of.rules
    )
    return (
        f"{table(('pin', 'functions', 'used for', 'at reset'), rows)}\n"
        f"How it starts, by the levels at reset; the first row that holds counts:\n\n"
        f"{table(('levels', 'starts from'), modes)}"
    )


def _uses(pin: Pin) -> Iterator[str]:
    yield from (f"{kind} {signal}".strip() for kind, signal in pin.roles)
    if pin.is_strap:
        yield "strap"
    if pin.input_only:
        yield "input only"


def _efuses(chip: Chip) -> str:
    text = "`efuse` shows them; nothing here burns any.\n"
    for since, file in [((0, 0), chip.name), *efuses.LATER.get(chip.name, ())]:
        fuses = efuses.of(chip.name, since)
        if file != chip.name:
            text += f"\nFrom revision {since[0]}.{since[1]} on:\n"
        rows = (
            (code(f.name), f"{f.block}: {f.bits}", f.meaning.theme, prose(f.meaning.text))
            for f in fuses.fuses
        )
        text += f"\n{table(('field', 'block: bits', 'theme', 'meaning'), rows)}"
    return text


def _peripherals(chip: Chip) -> str:
    known = registers.of(chip.name)
    if known is None:
        return "No table.\n"
    rows = (
        (
            f"[{item.name}]({chip.name}-registers.md#{item.name.lower()})",
            f"`{item.address:#010x}`",
            str(len(known.names(item.name))),
        )
        for item in known.peripherals
    )
    return table(("peripheral", "address", "registers"), rows)


def _registers(chip: Chip) -> str:
    """Return the names of all registers, by peripheral; a register that is many is one row."""
    text = f"# Registers of the {chip.title}\n\n`?UART0.CONF0` explains one, its fields too.\n"
    known = registers.of(chip.name)
    for item in known.peripherals if known else ():
        names = ", ".join(map(code, known.names(item.name) if known else ()))
        text += f"\n## {item.name}\n\nAt `{item.address:#010x}`: {names}.\n"
    return text


def _oddities(chip: Chip) -> str:
    rows = ((code(quirk.name), prose(quirk.value)) for quirk in chip.quirks)
    return table(("name", "what it does"), rows) if chip.quirks else "None known.\n"


def _flash_parts() -> str:
    rows = [
        (
            code(f"{part.jedec_id:06x}"),
            ", ".join(part.names),
            size_text(part.size) if part.size else "",
            f"[{part.layout.name}](#{part.layout.name})",
            part.volatile.value,
            part.confidence,
            prose(part.note),
        )
        for part in parts.rows()
    ]
    head = ("id", "names", "size", "layout", "50h", "confidence", "remark")
    return (
        f"# Flash parts\n\n{len(rows)} rows. An id is not a part: several have the same one, and "
        "SFDP tells some of them apart.\n"
        "`layout` is the bits of its status registers, below (`sr bits` shows those of the part "
        "that is connected); `50h` is whether they can be changed until the power goes; confidence "
        "A is two independent sources, B one, C inferred or disputed. Sources stand in "
        f"`espshell/nor/data/parts.txt`.\n\n{table(head, rows)}\n# Layouts of status registers\n"
        "\nBit 7 stands first. Behind a name: ro is set by the flash, otp can be set once for ever,"
        " lock locks the registers, danger can keep a board from booting; - is reserved.\n"
        + "".join(map(_layout, layout.names()))
    )


def _layout(name: str) -> str:
    rows = (
        (
            register.name,
            f"{register.read_opcode:02x}h",
            *(
                f"{bit.name} {bit.kind.value}".replace("- -", "-").strip()
                for bit in reversed(register.bits)
            ),
        )
        for register in layout.of(name).registers
    )
    return f"\n## {name}\n\n{table(('register', 'read by', *'76543210'), rows)}"
