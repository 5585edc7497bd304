"""The eFuses of one chip, read from the text in ``data``.

A file a chip, and one for P4 from revision 3.0 on.  Its lines are

    block NUMBER OFFSET WORDS [wBIT] [rBIT,...]   where the block is read, from the start of the
                                                  controller, and the bits of WR_DIS and RD_DIS
                                                  that protect it
    NAME BLOCK:FIRST:WIDTH[+...] [wBIT] [rBIT]    a field, its lowest bits first; protected as its
                                                  block, unless it says otherwise
    repeat-errors OFFSET...                       bits of block 0 whose copies disagree
    errors BLOCK OFFSET LOW                       three bits that count errors and one for failure
    decode-status OFFSET WIDTH                    ESP32: bits of blocks whose coding is damaged

What the names mean, for all chips, stands in ``data/names.txt``, where its format is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from espshell import tables
from espshell.records import dataclass

Revision = tuple[int, int]

THEMES = (
    "security", "keys", "boot", "jtag", "usb", "power", "flash", "identity", "functions",
    "calibration", "protection",
)  # fmt: skip
"""Groups of fields, in the order in which they are shown."""

LATER = {"esp32p4": (((3, 0), "esp32p4_v3.0"),)}
"""First revisions of tables that follow on that of the chip's name, and their files."""

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Place:
    """Neighbouring bits of a block, counted from bit 0 of its first word."""

    block: int
    first: int
    width: int


@dataclass(frozen=True, slots=True)
class Protection:
    """Bits of WR_DIS and RD_DIS; a fuse is protected if its bit, or one of several, is set."""

    write: int | None = None
    read: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it is read: ``offset`` (bytes) from the start of the controller, and words."""

    number: int
    offset: int
    words: int
    protection: Protection = Protection()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name stands for; ``kind`` says how its value is put into words."""

    theme: str
    kind: str
    text: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fuse:
    """A field: its bits, lowest first, what protects it, and what it means."""

    name: str
    places: tuple[Place, ...]
    protection: Protection
    meaning: Meaning

    @property
    def width(self) -> int:
        """Bits."""
        return sum(place.width for place in self.places)

    @property
    def block(self) -> int:
        """The block that it is in."""
        return self.places[0].block

    @property
    def bits(self) -> str:
        """As in manuals: ``116``, ``82..84``; parts joined by a plus sign."""
        return "+".join(
            str(p.first) if p.width == 1 else f"{p.first}..{p.first + p.width - 1}"
            for p in self.places
        )


@dataclass(frozen=True, slots=True)
class ErrorField:
    """Where the controller counts errors of a block (3 bits from ``low``), and says it failed."""

    block: int
    offset: int
    low: int


@dataclass(frozen=True, slots=True)
class Table:
    """The eFuses of a chip.  Names are taken in any case; offsets count from the controller."""

    chip: str
    blocks: tuple[Block, ...]
    fuses: tuple[Fuse, ...]
    names: Mapping[str, Fuse]
    """All fields by their names, and by other names of the same."""
    errors: tuple[ErrorField, ...]
    repeat_errors: tuple[int, ...]
    decode_status: tuple[int, int] | None
    values: Mapping[str, tuple[str, ...]]
    """Texts of the kinds ``words:LIST``, by list."""

    def find(self, name: str) -> Fuse | None:
        """Return the field of a name or of another name of the same fuse, or None."""
        return self.names.get(name.upper().replace(".", "_"))

    def first(self, *names: str) -> Fuse | None:
        """Return the first of some fields that the chip has, or None."""
        return next((fuse for name in names if (fuse := self.find(name))), None)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Every word that must be read, errors included."""
        words = [b.offset + 4 * n for b in self.blocks for n in range(b.words)]
        words += [*self.repeat_errors, *(error.offset for error in self.errors)]
        words += [self.decode_status[0]] if self.decode_status else []
        return tuple(dict.fromkeys(words))


@cache
def of(chip: str, revision: Revision | None = None) -> Table:
    """Return the table of a chip; a revision selects among several. Raises: KeyError."""
    later = LATER.get(chip, ())
    file = next((name for since, name in later if (revision or (0, 0)) >= since), chip)
    try:
        lines = [line.split() for line in tables.rows(__package__, file)]
    except FileNotFoundError:
        raise KeyError(file) from None
    meanings, values = _names()
    rows: dict[str, list[list[str]]] = {}
    for line in lines:
        rows.setdefault(line[0] if line[0].islower() else "", []).append(line)
    blocks = tuple(
        Block(int(number), int(offset, 16), int(words), _protection(bits, Protection()))
        for _, number, offset, words, *bits in rows["block"]
    )
    protections = {block.number: block.protection for block in blocks if block.number}
    status = rows.get("decode-status")
    fuses = tuple(_fuse(line, chip, meanings, protections) for line in rows[""])
    names = {alias: fuse for fuse in fuses for alias in fuse.meaning.aliases}
    return Table(
        chip,
        blocks,
        fuses,
        names | {fuse.name: fuse for fuse in fuses},
        tuple(ErrorField(int(b), int(o, 16), int(low)) for _, b, o, low in rows.get("errors", ())),
        tuple(int(o, 16) for line in rows.get("repeat-errors", ()) for o in line[1:]),
        (int(status[0][1], 16), int(status[0][2])) if status else None,
        {
            name.partition("@")[0]: texts
            for name, texts in sorted(values.items())
            if "@" not in name or name.endswith(f"@{chip}")
        },
    )


def _fuse(
    line: list[str], chip: str, meanings: dict[str, Meaning], blocks: dict[int, Protection]
) -> Fuse:
    name, text, *bits = line
    places = tuple(Place(*map(int, part.split(":"))) for part in text.split("+"))
    inherited = blocks.get(places[0].block, Protection())
    return Fuse(name, places, _protection(bits, inherited), _meaning(name, chip, meanings))


def _protection(words: list[str], inherited: Protection) -> Protection:
    write, read = inherited.write, inherited.read
    for word in words:
        if word[0] == "w":
            write = int(word[1:])
        else:
            read = tuple(int(bit) for bit in word[1:].split(","))
    return Protection(write, read)


def _meaning(name: str, chip: str, meanings: dict[str, Meaning]) -> Meaning:
    if exact := meanings.get(f"{name}@{chip}") or meanings.get(name):
        return exact
    patterns = ((pattern.partition(_ANY), meaning) for pattern, meaning in meanings.items())
    return next(
        meaning
        for (start, star, end), meaning in patterns
        if star and name.startswith(start) and name.endswith(end)
    )


@cache
def _names() -> tuple[dict[str, Meaning], dict[str, tuple[str, ...]]]:
    """Return the meanings by name or pattern, and the lists of values."""
    meanings: dict[str, Meaning] = {}
    values: dict[str, tuple[str, ...]] = {}
    for line in tables.rows(__package__, "names"):
        head, *columns = (column.strip() for column in line.split("|"))
        if head.startswith("values "):
            values[head.split()[1]] = tuple(text.partition(" ")[2] for text in columns)
            continue
        name, _, others = head.partition("=")
        theme, kind, text = columns
        aliases = tuple(filter(None, others.split(",")))
        meanings[name] = Meaning(theme, kind, text, aliases)
    return meanings, values
