"""One chip's pins, read from a text; the format is explained at the top of every file in ``data``.

Where their registers are stands in ``registers``, under the names that all chips share.
"""

from __future__ import annotations

from collections.abc import Mapping

from espshell import regex
from espshell.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """One bit of a register."""

    address: int
    bit: int


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin and what it can be."""

    number: int
    functions: tuple[str, ...]
    """By their number in IO_MUX; ``-`` is none."""
    input_only: bool = False
    is_rtc: bool = False
    """Whether the low-power part of the chip can use it."""
    is_strap: bool = False
    roles: tuple[tuple[str, str], ...] = ()
    """What the chip uses it for, and as which signal: ``flash`` and ``CLK``."""
    pad: str = ""
    """Its register in IO_MUX; empty: it is none of that."""
    pulls: str = ""
    """Register and prefix of the fields RUE and RDE where IO_MUX has no pulls for it."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Its bits ``out``, ``enable`` and ``in`` where these are not in the banks."""
    setup: tuple[tuple[int, int, int], ...] = ()
    """Address, mask and bits of what makes it GPIO where it is not in IO_MUX."""

    @property
    def name(self) -> str:
        """As printed: ``GPIO8``."""
        return f"GPIO{self.number}"

    def role(self, *kinds: str) -> str:
        """Return the signal of the first role of some kinds; empty without one."""
        return next((signal for kind, signal in self.roles if kind in kinds), "")


Rule = tuple[tuple[tuple[int, int], ...], str]
"""Levels of pins, and how the chip starts with these."""


@dataclass(frozen=True)
class Pins:
    """The pins of a chip."""

    function: int
    """The number in IO_MUX that makes most pads GPIO."""
    signal: int
    """GPIO_OUT in the matrix; 0 where there is none."""
    straps: tuple[int | None, ...]
    """The pins of the strapping register, from bit 0."""
    rules: tuple[Rule, ...]
    meanings: Mapping[int, str]
    """What a strapping pin decides."""
    pins: tuple[Pin, ...]
    signals: Mapping[int, str]
    """Outputs of the matrix by their number."""

    @classmethod
    def from_text(cls, text: str) -> Pins:
        """Return the pins of a table."""
        function = signal = 0
        straps: tuple[int | None, ...] = ()
        rules: list[Rule] = []
        meanings: dict[int, str] = {}
        pins: list[Pin] = []
        signals: dict[int, str] = {}
        for line in text.splitlines():
            match line.split():
                case [] | ["#", *_] | ["#"]:
                    pass
                case ["gpio", first, second]:
                    function, signal = int(first), int(second)
                case ["signals", start, *names]:
                    every = [name for text in names for name in _numbered(text)]
                    signals.update(enumerate(every, int(start)))
                case ["strap", *numbers]:
                    straps = tuple(None if n == "-" else int(n) for n in numbers)
                case ["boot", *levels, mode]:
                    pairs = (level.split("=") for level in levels)
                    rules.append((tuple((int(pin), int(level)) for pin, level in pairs), mode))
                case ["means", pin, *words]:
                    meanings[int(pin)] = " ".join(words)
                case [number, functions, *uses]:
                    pins.append(_pin(int(number), functions, uses))
        return cls(function, signal, straps, tuple(rules), meanings, tuple(pins), signals)

    def get(self, number: int) -> Pin | None:
        """Return the pin of a number, None if there is none."""
        return next((pin for pin in self.pins if pin.number == number), None)

    @property
    def numbers(self) -> str:
        """All numbers, as ranges: ``0..21, 26..48``."""
        ranges: list[list[int]] = []
        for pin in self.pins:
            if ranges and pin.number == ranges[-1][-1] + 1:
                ranges[-1][1:] = [pin.number]
            else:
                ranges.append([pin.number])
        return ", ".join("..".join(map(str, ends)) for ends in ranges)

    def gpio_function(self, pin: Pin) -> int:
        """Return the function of a pad that makes it GPIO."""
        own = [i for i, name in enumerate(pin.functions) if name == pin.name]
        return self.function if self.function in own or not own else own[0]

    def boot_mode(self, levels: Mapping[int, int]) -> str:
        """Return how the chip starts with levels of its pins; empty where they do not tell."""
        for conditions, mode in self.rules:
            if all(levels.get(pin) == level for pin, level in conditions):
                return mode
        return ""

    def deciding(self, levels: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
        """Return the pins and levels that decided how the chip starts."""
        rules = (c for c, _ in self.rules if all(levels.get(pin) == level for pin, level in c))
        return next(rules, ())


_ROW = regex.late(r"(.*)\{(\d+)\.\.(\d+)\}(.*)")


def _numbered(text: str) -> list[str]:
    """Return the names that one with ``{0..7}`` in it stands for."""
    match = _ROW.fullmatch(text)
    if match is None:
        return [text]
    return [f"{match[1]}{n}{match[4]}" for n in range(int(match[2]), int(match[3]) + 1)]


_SETUP = regex.late(r"set=([0-9a-f]+)\.([0-9a-f]+)\.([0-9a-f]+)")
_PLACE = regex.late(r"(out|enable|in)=([0-9a-f]+)\.(\d+)")


def _pin(number: int, functions: str, uses: list[str]) -> Pin:
    name = f"GPIO{number}"
    names = (name, name) if functions == "." else tuple(functions.split(","))
    flags = {use for use in uses if use.isalpha()}
    values = dict(use.split("=", 1) for use in uses if "=" in use)
    places = {m[1]: Place(int(m[2], 16), int(m[3])) for m in map(_PLACE.fullmatch, uses) if m}
    return Pin(
        number,
        () if functions == "-" else names,
        input_only="in" in flags,
        is_rtc="rtc" in flags,
        is_strap="strap" in flags,
        roles=tuple(
            (kind, signal) for kind, _, signal in (u.partition(":") for u in uses) if signal
        ),
        pad="" if functions == "-" else values.get("pad", name),
        pulls=values.get("pulls", ""),
        places=places,
        setup=tuple(
            (int(m[1], 16), int(m[2], 16), int(m[3], 16)) for m in map(_SETUP.fullmatch, uses) if m
        ),
    )
