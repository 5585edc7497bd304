"""Registers from an SVD file of a person's own, read at run time.

Files come from strangers: ``svd_tree`` parses them within limits, and what a row or cluster stands
for is counted here before it is written out.

Source: CMSIS-SVD 1.3.9 (Arm), "SVD Description Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from xml.etree.ElementTree import Element

from espshell.errors import UsageError, printable
from espshell.registers.svd_tree import MOST_DEPTH, Reader
from espshell.registers.table import Access, BitField, Peripheral, Register, Registers
from espshell.units import WORD, count_text

MOST_REGISTERS = 50_000
COUNTED = 20_000
"""Registers up to which those that are left out are counted."""
MOST_MODELS = 16

_ITEMS = ("register", "cluster")
_ACCESS = {
    "read-only": Access.READ,
    "write-only": Access.WRITE,
    "writeOnce": Access.WRITE,
    "read-write": Access.BOTH,
    "read-writeOnce": Access.BOTH,
}
_NUMBER = re.compile(r"\+?(0[xX][0-9a-fA-F]+|(?:#|0b)[01]+|\d+)([kmgtKMGT]?)")
_RESET = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[1-9]\d{0,18}|0")
_RANGE = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*\]")
_MEANING, _PLACE = 120, 80  # characters of one
_MOST_WORD = 1 << 32


@dataclass(frozen=True, slots=True)
class SvdFile:
    """What a file describes; ``left_out`` counts registers that are not aligned words."""

    device: str
    registers: Registers
    count: int
    left_out: int


def read(data: bytes) -> SvdFile:
    """Return the registers that an SVD file describes.

    Raises: UsageError where it is not an SVD file, lacks a part, or is more than the limits allow.
    """
    device = Reader().read(data)
    if device.tag != "device" or device.find("peripherals/peripheral") is None:
        raise UsageError("not an SVD file: expected <device> with <peripherals> in it")
    tree = _Tree(device)
    sheets: dict[str, _Sheet] = {}
    listed: list[Peripheral] = []
    count = 0
    for element in device.iterfind("peripherals/peripheral"):
        sheet = _Sheet(tree, element)
        name, base = identifier(sheet.item.require("name")), sheet.item.number("baseAddress")
        size = tree.measure(element, (name,))
        count += size.count
        if count > MOST_REGISTERS:
            raise UsageError(f"it has more than {count_text(MOST_REGISTERS, 'register')}")
        if name in sheets or not 0 <= base <= _MOST_WORD - size.end:
            raise UsageError(f"peripheral {name} is defined twice or ends beyond 32 bits")
        sheets[name] = sheet
        listed.append(Peripheral(name, base, size.end))
    left_out = sum(sheet.left_out for sheet in sheets.values()) if count <= COUNTED else 0
    title = printable(device.findtext("name") or "?")
    return SvdFile(title, Registers(listed, sheets), count - left_out, left_out)


def identifier(text: str) -> str:
    """Return a name as it can be typed in an expression: letters, digits and underscores."""
    name = re.sub(r"[^A-Z0-9]+", "_", re.sub(r"\[(\w+)\]", r"_\1", text).upper()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name or "_"


# Elements ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Size:
    """Registers of an element, and the offset of the end of the last from its start."""

    count: int
    end: int


@dataclass(frozen=True)
class _Item:
    """An element and those that it derives from, the nearest first; ``path`` is for messages."""

    chain: tuple[Element, ...]
    path: tuple[str, ...]

    def text(self, tag: str) -> str:
        """Return the text of a part, its own or else one that it inherits; empty without one."""
        texts = (element.findtext(tag) for element in self.chain)
        return next((text.strip() for text in texts if text is not None), "")

    def require(self, tag: str) -> str:
        """Return the text of a part. Raises: UsageError where there is none."""
        text = self.text(tag)
        if not text:
            where = _where(self.path)
            raise UsageError(f"{self.chain[0].tag} {where} has no <{tag}>")
        return text

    def number(self, tag: str, default: int | None = None) -> int:
        """Return the number of a part. Raises: UsageError where there is none."""
        text = self.text(tag)
        if not text and default is not None:
            return default
        match = _NUMBER.fullmatch(self.require(tag))
        if match is None or len(match[1]) > 40:
            where = _where(self.path)
            raise UsageError(f"{where}: <{tag}> `{printable(text[:40])}` is not a number")
        scale = " kmgt".index(match[2].lower() or " ")
        digits = match[1].lower().replace("#", "0b")
        return int(digits, 0 if digits.startswith(("0x", "0b")) else 10) << 10 * scale

    @property
    def meaning(self) -> str:
        """Its description as one line."""
        line = " ".join(self.text("description").split())
        return line if len(line) <= _MEANING else line[: _MEANING - 1].rstrip() + "…"

    def indices(self) -> list[str]:
        """Return what ``%s`` stands for, one text after the other; one alone without a row.

        Raises: UsageError for a row of more registers than a file may have.
        """
        if not self.text("dim"):
            return [""]
        count, given = self.number("dim"), self.text("dimIndex")
        if not 0 < count <= MOST_REGISTERS:
            raise UsageError(f"{_where(self.path)}: a row of {count}")
        first, dash, last = given.partition("-")
        if dash and first.isdigit():
            return [str(int(first) + i) for i in range(count)]
        if dash and len(first) == len(last) == 1:
            return [chr(ord(first) + i) for i in range(count)]
        names = [name.strip() for name in given.split(",")] if given else []
        return names if len(names) == count else [str(i) for i in range(count)]


class _Tree:
    """The elements by their path, and what each of them derives from."""

    def __init__(self, device: Element) -> None:
        self.device = device
        self._by_path: dict[tuple[str, ...], Element] = {}
        self._scopes: dict[Element, tuple[str, ...]] = {}
        self._sizes: dict[Element, _Size | None] = {}
        for element in device.iterfind("peripherals/peripheral"):
            self._index(element, ())

    def _index(self, element: Element, scope: tuple[str, ...]) -> None:
        path = (*scope, (element.findtext("name") or "").strip())
        self._by_path.setdefault(path, element)
        self._scopes[element] = scope
        inner = (*element.iterfind("fields/field"), *element.iterfind("enumeratedValues"))
        for child in (*_children(element), *inner):
            self._index(child, path)

    def item(self, element: Element, path: tuple[str, ...]) -> _Item:
        """Return an element with what it derives from. Raises: UsageError for a circle."""
        chain = [element]
        while model := chain[-1].get("derivedFrom"):
            scope = self._scopes[chain[-1]]  # the nearest that has the name counts
            paths = ((*scope[:end], *model.split(".")) for end in range(len(scope), -1, -1))
            origin = next((self._by_path[path] for path in paths if path in self._by_path), None)
            if origin is None or origin in chain:
                where = _where(path)
                why = "something that does not exist" if origin is None else "itself"
                raise UsageError(f"{where} derives from {why}: `{printable(model[:60])}`")
            chain.append(origin)
            if len(chain) > MOST_MODELS:
                raise UsageError(f"{_where(path)} derives through more than {MOST_MODELS} others")
        return _Item(tuple(chain), path)

    def children(self, item: _Item) -> list[tuple[Element, tuple[str, ...]]]:
        """Return registers and clusters of an item: its own, and those that it inherits."""
        named: dict[str, tuple[Element, tuple[str, ...]]] = {}
        for element in item.chain:
            for child in _children(element):
                name = (child.findtext("name") or "").strip()
                named.setdefault(name, (child, (*item.path, name)))
        return list(named.values())

    def measure(self, element: Element, path: tuple[str, ...]) -> _Size:
        """Count the registers of a peripheral, cluster or register, and find its end.

        Raises: UsageError where something derives from itself, or lacks a part.
        """
        if len(path) > MOST_DEPTH:
            raise UsageError(f"{_where(path)} nests more than {MOST_DEPTH} deep")
        if element in self._sizes:
            size = self._sizes[element]
            if size is None:
                raise UsageError(f"{_where(path)} derives from itself")
            return size
        self._sizes[element] = None
        item = self.item(element, path)
        if item.chain[1:] and element.find("dim") is None and not any(_children(element)):
            size = self.measure(item.chain[1], path)  # it is all the same
            self._sizes[element] = size
            return size
        if element.tag == "register":
            one = _Size(1, WORD)
        else:
            one = _Size(0, 0)
            for child, inner in self.children(item):
                size = self.measure(child, inner)
                offset = self.item(child, inner).number("addressOffset")
                one = _Size(one.count + size.count, max(one.end, offset + size.end))
        if element.tag == "cluster" and not one.count:
            one = _Size(1, one.end)  # a flood of empty ones is one, too
        count = len(item.indices())
        step = item.number("dimIncrement") if count > 1 else 0
        size = _Size(one.count * count, one.end + step * (count - 1))
        if size.count > MOST_REGISTERS:
            raise UsageError(f"it has more than {count_text(MOST_REGISTERS, 'register')}")
        self._sizes[element] = size
        return size


def _children(element: Element) -> Iterator[Element]:
    inside = element if element.tag == "cluster" else element.iterfind("registers/*")
    return (child for child in inside if child.tag in _ITEMS)


# Registers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """A register of a peripheral: its offset, its element, and what goes on from outside."""

    offset: int
    item: _Item
    defaults: Mapping[str, str]
    index: str


class _Sheet:
    """The registers of a peripheral, written out when one of them is looked up."""

    def __init__(self, tree: _Tree, element: Element) -> None:
        self._tree = tree
        self.item = tree.item(element, ((element.findtext("name") or "").strip(),))

    @cached_property
    def places(self) -> dict[str, _Place]:
        """The registers by name, by offset; of two of one name the second gets its offset."""
        named: dict[str, _Place] = {}
        outside = {tag: self._tree.device.findtext(tag) or "" for tag in _INHERITED}
        rows = self._rows(self.item, "", 0, outside)
        for name, place in sorted(rows, key=lambda row: row[1].offset):
            named[name if name not in named else f"{name}_{place.offset:X}"] = place
        return named

    @cached_property
    def names(self) -> dict[str, int]:
        """Their names and offsets: those of 32 bits at multiples of four."""
        return {
            name: place.offset
            for name, place in self.places.items()
            for size in [place.item.text("size") or place.defaults["size"]]
            if place.offset % WORD == 0 and size.lower() in ("", "32", "0x20")
        }

    @property
    def left_out(self) -> int:
        """Registers that are not aligned words."""
        return len(self.places) - len(self.names)

    def register(self, peripheral: Peripheral, name: str) -> Register:
        """Return the register of a name."""
        place = self.places[name]
        text = place.item.text("access") or place.defaults["access"]
        access = _ACCESS.get(text, Access.BOTH)
        fields = sorted(self._fields(place, access), key=lambda field: field.low)
        accesses = {field.access for field in fields} or {access}
        reads, writes = (
            any(getattr(a, what) for a in accesses) for what in ("readable", "writable")
        )
        own = Access.BOTH if reads and writes else Access.READ if reads else Access.WRITE
        text = place.defaults["resetValue"]
        default = int(text, 0) if _RESET.fullmatch(text) else 0
        reset = place.item.number("resetValue", default)
        return Register(
            peripheral.name,
            name,
            peripheral.address + place.offset,
            own,
            reset & _MOST_WORD - 1,
            tuple(fields),
            place.item.meaning.replace("%s", place.index),
            bool(place.item.text("readAction")),
        )

    def _rows(
        self, item: _Item, prefix: str, base: int, outside: Mapping[str, str]
    ) -> Iterator[tuple[str, _Place]]:
        """Yield the registers below an item, rows of them one by one."""
        defaults = {tag: item.text(tag) or outside[tag] for tag in _INHERITED}
        for element, path in self._tree.children(item):
            child = self._tree.item(element, path)
            offset = base + child.number("addressOffset")
            step = child.number("dimIncrement", 0)
            for i, index in enumerate(child.indices()):
                name = identifier(prefix + child.require("name").replace("%s", index))
                if element.tag == "cluster":
                    yield from self._rows(child, f"{name}_", offset + i * step, defaults)
                else:
                    yield name, _Place(offset + i * step, child, defaults, index)

    def _fields(self, place: _Place, access: Access) -> Iterator[BitField]:
        names: set[str] = set()
        for element in (f for e in place.item.chain for f in e.iterfind("fields/field")):
            path = (*place.item.path, (element.findtext("name") or "").strip())
            item = self._tree.item(element, path)
            field = self._field(item, access)
            step = item.number("dimIncrement", 0)
            for i, index in enumerate(item.indices()):
                name = identifier(item.require("name").replace("%s", index))
                one = replace(field, name=name, low=field.low + i * step)
                if name not in names and one.high < 32:
                    names.add(name)
                    yield one

    def _field(self, item: _Item, access: Access) -> BitField:
        low, width = _bits(item)
        values = list(self._values(item))
        return BitField(
            item.path[-1],
            low,
            width,
            _ACCESS.get(item.text("access"), access),
            tuple((number, name) for number, name, _ in values),
            item.meaning,
            tuple((number, meaning) for number, _, meaning in values if meaning),
        )

    def _values(self, field: _Item) -> Iterator[tuple[int, str, str]]:
        """Yield number, name and meaning of the values of a field that are numbers."""
        for element in (v for e in field.chain for v in e.iterfind("enumeratedValues")):
            name = (element.findtext("name") or "").strip()
            values = self._tree.item(element, (*field.path, name))
            for origin in values.chain:
                for value in origin.iter("enumeratedValue"):
                    item = _Item((value,), (*field.path, "value"))
                    if _NUMBER.fullmatch(item.text("value")):
                        title = identifier(item.require("name"))
                        yield item.number("value"), title, item.meaning


def _where(path: tuple[str, ...]) -> str:
    """Return the place of an element for a message."""
    return printable(".".join(path)[:_PLACE])


_INHERITED = ("access", "size", "resetValue")


def _bits(item: _Item) -> tuple[int, int]:
    """Return lowest bit and width, in whichever of three ways they are written.

    Raises: UsageError if they are none of 32 bits.
    """
    if match := _RANGE.fullmatch(item.text("bitRange")):
        low, high = int(match[2]), int(match[1])
    elif item.text("lsb"):
        low, high = item.number("lsb"), item.number("msb")
    else:
        low = item.number("bitOffset")
        high = low + item.number("bitWidth", 1) - 1
    if not 0 <= low <= high < 64:
        raise UsageError(f"{_where(item.path)}: not a bit range of a register: {high}:{low}")
    return low, high - low + 1
