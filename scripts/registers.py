"""Write ``espshell/registers/data`` from a folder of Espressif's SVD files.

    python scripts/registers.py FOLDER [OUTPUT]

Takes facts only: names, addresses, bits, access, values after reset, names of values.  The format
is explained at the top of what is written and read by ``espshell/registers/table.py``.  Where the
files come from stands in ``ORIGINS``; what is wrong in them is corrected here, with a source.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

OUTPUT = Path(__file__).parents[1] / "espshell" / "registers" / "data"
WORD = 4
LEAST_RUN = 3
"""Fields or registers from which a numbered row of them is written as one."""

HEADER = """\
# Registers of the {title}, made by scripts/registers.py; not edited by hand.
# Source: {source}.
# {licence}. Facts only: names, places, access.
#
# PERIPHERAL ADDRESS SIZE [= PERIPHERAL whose registers it has]
#  REGISTER OFFSET[+STEP] ACCESS RESET FIELD...        numbers are hexadecimal, bits decimal
# FIELD: NAME=BIT or NAME=HIGH:LOW, with (VALUE:NAME,...) and /ACCESS if not that of the register
# X{{2..5}}Y stands for X2Y to X5Y, STEP apart; bits are those of the first, the others follow it.
# ~ in a field stands for the name of its register. Access: r, w or rw.
# @REGISTER: the same fields as that one of this peripheral. *_W1TS and *_W1TC are always w.
"""

SETS_OR_CLEARS = re.compile(r"_W1T[SC]$")
"""Registers in which ones set or clear bits of another: write-only in all manuals (ESP32 TRM v5.2,
"GPIO_OUT_W1TS_REG": WO; cited from memory), also where the SVD says otherwise (ESP32, one of the
ESP32-C2).
"""

LEFT_OUT = {
    "esp32s2": (("SPI0", "SPI1"), "they are wrong there"),
    "esp32p4": (("CLIC",), "they are a core's own, outside of the memory map"),
}
"""Peripherals to leave out, and why.  The SVD of the ESP32-S2 gives the flash controller the layout
of the general SPI controllers (W0 at 0x98; ESP-IDF's ``spi_mem_reg.h`` and esptool 5.6 have 0x58).
"""

ORIGINS = {
    "esp32c5": "esp32c5 of https://github.com/esp-rs/esp-pacs (Espressif's base file)",
    "esp32c61": "esp32c61 of https://github.com/esp-rs/esp-pacs (Espressif's base file)",
    "esp32p4": "esp32p4 of https://github.com/esp-rs/esp-pacs; clusters of registers are missing",
    "esp8266": "esp8266.svd of https://github.com/cmsis-svd/cmsis-svd-data (Espressif-Community)",
}
"""Where a file comes from; the others are of https://github.com/espressif/svd."""

LICENCES = {
    "esp32p4": "Copyright esp-rs and Espressif Systems; MIT or Apache-2.0",
    "esp8266": "Copyright esp-rs and Espressif Systems; MIT",
}
"""Where the file itself does not say it."""

NO_FIELD = "REGISTER"
"""How the file of the ESP8266 calls all bits of a register whose fields it does not know."""

SPI_WORDS = re.compile(r"W(\d+)")
SPI_W0 = 0x40
"""The file of the ESP8266 has W1 to W15 of its SPI controllers 0x20 apart, a slip of bits for
bytes: 4 is right (ESP8266_RTOS_SDK, ``spi_struct.h``: ``data_buf[16]`` at 0x40).
"""

SWAPPED_VALUES = ("DRIVER", "SOURCE")
"""Fields of GPIO_PINn whose two values the file of the ESP8266 has the wrong way round: 1 is open
drain, and 1 is sigma-delta (ESP8266_RTOS_SDK, ``gpio_struct.h`` and ``eagle_soc.h``).
"""

ACCESS = {"read-only": "r", "write-only": "w", "read-write": "rw"}


@dataclass(frozen=True)
class Field:
    """A field; ``values`` are pairs of number and name, ``access`` is r, w or rw."""

    name: str
    low: int
    width: int
    access: str
    values: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Register:
    """A register, or a row of them if there are ``numbers``; ``{}`` is then in its name."""

    name: str
    offset: int
    access: str
    reset: int
    fields: tuple[Field, ...]
    numbers: tuple[int, int] = (0, 0)
    step: int = 0


def main(arguments: Sequence[str]) -> int:
    """Convert every SVD file of a folder; say how large the results are."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(__doc__)
        return 2
    output = Path(arguments[1]) if arguments[1:] else OUTPUT
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(arguments[0]).glob("*.svd")):
        text = table(path)
        (output / f"{path.stem}.txt").write_text(text, "utf-8", newline="\n")
        sys.stdout.write(f"{path.stem}: {len(text)} bytes\n")
    return 0


def table(path: Path) -> str:
    """Return the table of one chip."""
    device = ElementTree.parse(path).getroot()
    title = _text(device, "name").upper().replace("-", "")
    official = f"{path.stem}.svd of https://github.com/espressif/svd"
    head = HEADER.format(
        title=re.sub(r"^ESP32(?=\w)", "ESP32-", title),
        source=" ".join((ORIGINS.get(path.stem, official), *_version(device))),
        licence=LICENCES.get(path.stem) or f"{_copyright(device)}; Apache-2.0",
    )
    correct = CORRECTIONS.get(path.stem, _as_it_is)
    left_out, why = LEFT_OUT.get(path.stem, ((), ""))
    if left_out:
        head += f"# Left out, because {why}: {', '.join(left_out)}.\n"
    found = {_text(each, "name"): each for each in device.iter("peripheral")}
    written: dict[str, str] = {}
    kept = [each for name, each in found.items() if name not in left_out]
    lines = [line for each in kept for line in _peripheral(each, found, written, correct)]
    return head + "".join(f"{line}\n" for line in lines)


def _version(device: Element) -> Iterator[str]:
    if version := _text(device, "version"):
        yield f"(version {version})"


def _copyright(device: Element) -> str:
    return _text(device, "licenseText").strip().splitlines()[0]


Correction = Callable[[str, Register], Register]
"""Takes the name of the peripheral and one of its registers."""


def _as_it_is(peripheral: str, register: Register) -> Register:
    return register


def _of_esp32c5(peripheral: str, register: Register) -> Register:
    """Move CPU_INTR_FROM_CPU_3 from 0x9b to 0x9c, as the ESP32-C61 has it in the same core."""
    is_wrong = (peripheral, register.offset) == ("INTPRI", 0x9B)
    return replace(register, offset=0x9C) if is_wrong else register


def _of_esp32p4(peripheral: str, register: Register) -> Register:
    """Return a register of the GPIO matrix as ESP-IDF names it; inputs count from 1 on.

    Source: ``gpio_reg.h`` (GPIO_FUNC1_IN_SEL_CFG_REG is at 0x15c, and the signals begin with 1).
    """
    match = re.fullmatch(r"FUNC_(IN|OUT)_SEL_CFG{}", register.name)
    if peripheral != "GPIO" or match is None:
        return register
    first = int(match[1] == "IN")
    numbers = (first, first + register.numbers[1])
    return replace(register, name=f"FUNC{{}}_{match[1]}_SEL_CFG", numbers=numbers)


def _of_esp8266(peripheral: str, register: Register) -> Register:
    """Return a register as the SDK has it, without the name of its peripheral in front."""
    prefix = re.sub(r"\d+$", "", peripheral)

    def inner(name: str) -> str:
        return re.sub(rf"^({prefix}_?)+(?=[A-Z])", "", name)

    fields = [replace(f, name=inner(f.name)) for f in register.fields if f.name != NO_FIELD]
    name, offset = inner(register.name), register.offset
    if peripheral == "GPIO" and name.startswith("PIN"):
        fields = [replace(f, name=f.name.replace(f"{name}_", "")) for f in fields]
        fields = [_swapped(f) if f.name in SWAPPED_VALUES else f for f in fields]
    if prefix == "SPI" and (match := SPI_WORDS.fullmatch(name)):
        offset = SPI_W0 + 4 * int(match[1])
    return replace(register, name=name, offset=offset, fields=tuple(fields))


def _swapped(field: Field) -> Field:
    return replace(field, values=tuple(sorted((1 - value, name) for value, name in field.values)))


CORRECTIONS: dict[str, Correction] = {
    "esp32c5": _of_esp32c5,
    "esp32p4": _of_esp32p4,
    "esp8266": _of_esp8266,
}


def _peripheral(
    element: Element,
    known: dict[str, Element],
    models: dict[str, str],
    correct: Correction,
) -> Iterator[str]:
    """Yield the lines of a peripheral; ``models`` is which one has the registers of which."""
    name, base = _text(element, "name"), _number(_text(element, "baseAddress"))
    origin = element.get("derivedFrom") or name
    registers = list(_registers(known[origin], correct))
    size = max((_last(each) + 4 for each in registers), default=0)
    head = f"{name} {base:08x} {size:x}"
    model = models.setdefault(origin, name)
    if model != name:
        yield f"{head} = {model}"
        return
    yield head
    written: dict[str, str] = {}
    for register in _in_rows(registers):
        yield " " + _line(register, written)


def _line(register: Register, written: dict[str, str]) -> str:
    fields = " ".join(_fields(register))
    same = written.setdefault(fields, register.name)
    if same != register.name and len(fields) > len(same):
        fields = "@" + same
    elif "{}" in register.name:
        del written[fields]  # a row is not referred to: its name is several
    name = _numbered(register.name, register.numbers)
    step = f"+{register.step:x}" if register.step else ""
    where = f"{name} {register.offset:x}{step} {register.access} {register.reset:x}"
    return f"{where} {fields}".rstrip()


def _registers(peripheral: Element, correct: Correction) -> Iterator[Register]:
    """Yield the registers by offset; one that comes twice under a name only the first time.

    A row that has no numbers in the file goes on behind single registers of its name (ESP32-P4:
    CONFIG0 and CONFIG%s, which is CONFIG1 to CONFIG4; ESP-IDF, ``lp_wdt_reg.h``).
    """
    where = _text(peripheral, "name")
    found = [correct(where, _register(each)) for each in peripheral.iter("register")]
    seen: set[str] = set()
    for register in sorted(found, key=lambda r: r.offset):
        while register.step and next(_names(register)) in seen:
            first, last = register.numbers
            register = replace(register, numbers=(first + 1, last + 1))
        names = set(_names(register))
        if names & seen or register.offset % WORD:
            reason = "comes twice" if names & seen else f"is at {register.offset:#x}"
            sys.stderr.write(f"{where}: {register.name} {reason} and is left out\n")
            continue
        seen |= names
        yield register


def _register(element: Element) -> Register:
    fields = tuple(sorted(_unique(_elements(element)), key=lambda f: (f.low, f.name)))
    if SETS_OR_CLEARS.search(_text(element, "name")):
        fields = tuple(replace(field, access="w") for field in fields)
    given = ACCESS[_text(element, "access") or "read-write"]
    access = {letter for field in fields for letter in field.access} or set(given)
    name, numbers = _text(element, "name").replace("[%s]", "_%s"), (0, 0)
    step, count = 0, _number(_text(element, "dim") or "0")
    if count:
        first = int((_text(element, "dimIndex") or "0").split("-")[0])
        step = _number(_text(element, "dimIncrement"))
        if step < WORD:  # the file counts bytes, where the bus has words
            count, step = count * step // WORD, WORD
        numbers = (first, first + count - 1)
        name = name.replace("%s", "{}")
    return Register(
        name.upper(),
        _number(_text(element, "addressOffset")),
        "".join(letter for letter in "rw" if letter in access),
        _number(_text(element, "resetValue") or "0"),
        fields,
        numbers,
        step,
    )


def _elements(register: Element) -> Iterator[Field]:
    """Yield the fields of a register, rows of them one by one."""
    given = _text(register, "access") or "read-write"
    for element in register.iter("field"):
        low = _number(_text(element, "bitOffset"))
        field = Field(
            _text(element, "name").upper(),
            low,
            _number(_text(element, "bitWidth")),
            ACCESS[_text(element, "access") or given],
            _values(element, register),
        )
        count = _number(_text(element, "dim") or "0")
        step = _number(_text(element, "dimIncrement") or "0")
        first = int((_text(element, "dimIndex") or "0").split("-")[0])
        for i in range(count):
            name = field.name.replace("%S", str(first + i))
            yield replace(field, name=name, low=low + i * step)
        if not count:
            yield field


def _values(field: Element, register: Element) -> tuple[tuple[int, str], ...]:
    given = field.find("enumeratedValues")
    if given is None:
        return ()
    model = given.get("derivedFrom")
    if model:
        field = next(f for f in register.iter("field") if _text(f, "name") == model)
    values = [(_text(v, "value"), _text(v, "name")) for v in field.iter("enumeratedValue")]
    return tuple(sorted((_number(value), name.upper()) for value, name in values))


def _unique(fields: Iterable[Field]) -> list[Field]:
    """Return fields with different names: one that comes twice gets its lowest bit behind it."""
    seen: dict[str, Field] = {}
    for field in fields:
        if field.name in seen:
            field = replace(field, name=f"{field.name}_{field.low}")
        seen[field.name] = field
    return list(seen.values())


def _in_rows(registers: Sequence[Register]) -> Iterator[Register]:
    """Yield registers; those that differ in a number and in their place alone as one row."""
    left = list(registers)
    while left:
        first = left.pop(0)
        row = _longest_row(first, left) if not first.step else [first]
        if len(row) < LEAST_RUN:
            yield first
            continue
        at, number = _changed(first.name, row[1].name) or (0, 0)
        end = at + len(str(number))
        yield replace(
            first,
            name=f"{first.name[:at]}{{}}{first.name[end:]}",
            numbers=(number, number + len(row) - 1),
            step=row[1].offset - first.offset,
        )
        del left[: len(row) - 1]


def _longest_row(first: Register, behind: Sequence[Register]) -> list[Register]:
    row = [first]
    for register in behind:
        before, step = row[-1], register.offset - row[-1].offset
        alike = replace(register, name=first.name, offset=first.offset) == first
        place = _changed(before.name, register.name)
        goes_on = len(row) == 1 or (
            place is not None
            and step == row[1].offset - first.offset
            and place[0] == (_changed(first.name, row[1].name) or (-1, 0))[0]
        )
        if not (alike and place and step > 0 and goes_on):
            break
        row.append(register)
    return row


def _fields(register: Register) -> Iterator[str]:
    left = list(register.fields)
    while left:
        row = _field_row(left)
        first = row[0]
        name = first.name
        if len(row) > 1:
            at, number = _changed(name, row[1].name) or (0, 0)
            end = at + len(str(number))
            name = _numbered(f"{name[:at]}{{}}{name[end:]}", (number, number + len(row) - 1))
        high = first.low + first.width - 1
        bits = f"{high}:{first.low}" if first.width > 1 else f"{first.low}"
        values = ",".join(f"{value}:{called}" for value, called in first.values)
        access = "" if first.access == register.access else f"/{first.access}"
        if not register.step:
            name = name.replace(register.name, "~")
        yield f"{name}={bits}" + (f"({values})" if values else "") + access
        del left[: len(row)]


def _field_row(fields: Sequence[Field]) -> Sequence[Field]:
    """Return the fields at the front that differ in a number alone and adjoin each other."""
    first, count = fields[0], 1
    start = None
    for before, field in pairwise(fields):
        place = _changed(before.name, field.name)
        alike = replace(field, name=first.name, low=first.low) == first
        if not (place and alike and field.low == before.low + first.width):
            break
        if start not in (None, place[0]):
            break
        start, count = place[0], count + 1
    return fields[: count if count >= LEAST_RUN else 1]


def _changed(before: str, after: str) -> tuple[int, int] | None:
    """Return place and first number where two names differ by one in one number, else None."""
    for match in re.finditer(r"0|[1-9]\d*", before):
        number = int(match[0])
        if f"{before[: match.start()]}{number + 1}{before[match.end() :]}" == after:
            return match.start(), number
    return None


def _numbered(name: str, numbers: tuple[int, int]) -> str:
    return name.replace("{}", f"{{{numbers[0]}..{numbers[1]}}}")


def _names(register: Register) -> Iterator[str]:
    first, last = register.numbers
    yield from (register.name.replace("{}", str(n)) for n in range(first, last + 1))


def _last(register: Register) -> int:
    return register.offset + register.step * (register.numbers[1] - register.numbers[0])


def _text(element: Element, tag: str) -> str:
    return element.findtext(tag) or ""


def _number(text: str) -> int:
    return int(text, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
