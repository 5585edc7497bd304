r"""What goes wrong on a link, by rule and never at random.

    ACTION@request:N[:ARG]    the Nth frame to the chip, counted from 1
    ACTION@reply:N[:ARG]      the Nth frame from it; text between frames does not count
    kill@flash:N              the Nth page that is programmed, or sector, block or chip erased

``N`` may be a range ``N-M``, or ``N+K``: the Nth and every Kth after it.

    drop            the frame is lost
    double          it comes twice
    late:SECONDS    it alone is held back, others pass it
    stall:SECONDS   it is held back, and everything behind it
    flip:BYTE.BIT   one bit of the unescaped frame is wrong
    cut:KEEP        only its first KEEP bytes come, without the closing C0
    noise:TEXT      text comes before it; \r, \n and \xNN are understood
    hang            the chip answers nothing from there on, until it is reset
    reset           the chip resets there, into its application
    garbage         the chip sends meaningless bytes from there on, until it is reset
    panic           the application says that it has crashed, and the chip resets
    brownout        the supply drops, and the chip resets
    bootloop        the chip starts again and again, until it is reset
    unplug          the port is gone from there on
    replug:SECONDS  the port is gone and comes back: it can be opened again after a time
    kill            the chip loses its supply for good; the port stays, but for a chip's own USB.
                    In the middle of a flash operation that is half done
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from espshell.errors import UsageError
from espshell.protocol import slip
from espshell.records import dataclass
from espshell.units import parse_number, parse_seconds

EXAMPLE = "drop@reply:3"

E = TypeVar("E", bound=Enum)


class FaultAction(Enum):
    """What happens to a frame, or to the chip when the frame comes."""

    DROP = "drop"
    DOUBLE = "double"
    LATE = "late"
    STALL = "stall"
    FLIP = "flip"
    CUT = "cut"
    NOISE = "noise"
    HANG = "hang"
    RESET = "reset"
    GARBAGE = "garbage"
    PANIC = "panic"
    BROWNOUT = "brownout"
    BOOTLOOP = "bootloop"
    UNPLUG = "unplug"
    REPLUG = "replug"
    KILL = "kill"


_ON_ONE_FRAME = ("drop", "double", "late", "stall", "flip", "cut", "noise")
ENDINGS = frozenset(action for action in FaultAction if action.value not in _ON_ONE_FRAME)
"""Actions after which nothing is as before; the frame itself is lost."""

_ARGUMENTS = {
    FaultAction.LATE: "seconds, such as 0.5",
    FaultAction.STALL: "seconds, such as 0.5",
    FaultAction.FLIP: "BYTE.BIT, such as 8.0",
    FaultAction.CUT: "a number of bytes",
    FaultAction.NOISE: "a text",
    FaultAction.REPLUG: "seconds, such as 2.5",
}


_ESCAPES = {b"\\r": b"\r", b"\\n": b"\n", b"\\t": b"\t", b"\\\\": b"\\"}


class Direction(Enum):
    """Which way a frame goes, or what else is counted."""

    REQUEST = "request"
    REPLY = "reply"
    FLASH = "flash"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; each action uses only some of the last fields."""

    action: FaultAction
    direction: Direction
    first: int
    last: int | None
    """None: no end."""
    step: int = 1
    seconds: float = 0.0
    byte: int = 0
    bit: int = 0
    keep: int = 0
    text: bytes = b""

    def holds(self, index: int) -> bool:
        """Whether the rule means the frame of this index, counted from 1."""
        in_range = index >= self.first and (self.last is None or index <= self.last)
        return in_range and (index - self.first) % self.step == 0


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of a frame: bytes as they go on the wire, when, and what happens there."""

    data: bytes
    late_s: float = 0.0
    stall_s: float = 0.0
    ending: FaultAction | None = None
    back_s: float = 0.0
    """When the port comes back, if that is the ending."""


def unescaped(text: str) -> bytes:
    r"""Return a text with ``\r``, ``\n``, ``\t``, ``\\`` and ``\xNN`` replaced by their bytes."""

    def byte(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)]) if match[1] else _ESCAPES[match[0]]

    return re.sub(rb"\\x([0-9A-Fa-f]{2})|\\[rnt\\]", byte, text.encode())


def parse(text: str) -> Rule:
    """Return the rule that a text describes.

    Raises: UsageError that names what was expected.
    """
    match = re.fullmatch(r"(\w+)@(\w+):(\d+)(?:([-+])(\d+))?(?::(.*))?", text, re.DOTALL)
    if match is None:
        raise _wrong(text, f"ACTION@request:N or ACTION@reply:N, such as {EXAMPLE}")
    action = _member(FaultAction, match[1], text)
    direction = _member(Direction, match[2], text)
    if direction is Direction.FLASH and (action is not FaultAction.KILL or match[4]):
        raise _wrong(text, "kill@flash:N, nothing else happens in a flash")
    first, other = int(match[3]), int(match[5] or 0)
    if first < 1 or (match[4] == "-" and other < first) or (match[4] == "+" and other < 1):
        raise _wrong(text, "N from 1 on, a range N-M, or N+K with a step from 1 on")
    last = {None: first, "-": other, "+": None}[match[4]]
    rule = Rule(action, direction, first, last, step=other if match[4] == "+" else 1)
    return _with_argument(rule, match[6], text)


class Faults:
    """The rules of one direction, and how many frames have gone there."""

    def __init__(self, rules: Iterable[Rule], direction: Direction) -> None:
        self.rules = tuple(rule for rule in rules if rule.direction is direction)
        self._index = 0

    def apply(self, raw: bytes) -> list[Passage]:
        """Count a frame, given as on the wire; return what becomes of it."""
        self._index += 1
        passages = [Passage(raw)]
        for rule in self.rules:
            if rule.holds(self._index):
                passages = [after for one in passages for after in _apply(rule, one)]
        return passages


class Splitter:
    """Cuts a stream into frames with their C0s and what stands between.

    What waits for its closing C0 is kept, except for an opening C0 alone: a lone C0 is how a host
    ends a frame that was cut.
    """

    def __init__(self) -> None:
        self._held = b""
        self._open = False

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Return the pieces that are complete now, each with whether it is a frame."""
        pieces: list[tuple[bytes, bool]] = []
        while data:
            piece, end, data = data.partition(slip.END)
            if not self._open:
                self._held, self._open = end, bool(end)
                if piece:
                    pieces.append((piece, False))
                continue
            piece += end
            if end and self._held in (b"", slip.END) and piece == end:
                pieces.append((piece, False))  # an empty frame; the next one is open
            else:
                self._held += piece
                if end:
                    pieces.append((self._held, True))
                    self._held, self._open = b"", False
        if self._held == slip.END:
            pieces.append((self._held, False))
            self._held = b""
        return pieces


def _wrong(text: str, expected: str) -> UsageError:
    return UsageError(f"fault {text!r}: expected {expected}")


def _member(kind: type[E], name: str, text: str) -> E:
    names = [member.value for member in kind]
    if name not in names:
        raise _wrong(text, f"one of {', '.join(names)}, not {name!r}")
    return kind(name)


def _with_argument(rule: Rule, argument: str | None, text: str) -> Rule:
    expected = _ARGUMENTS.get(rule.action)
    if expected is None:
        if argument is not None:
            raise _wrong(text, f"no argument after {rule.action.value}")
        return rule
    complete = None if not argument else _parse_argument(rule, argument)
    if complete is None:
        raise _wrong(text, f"{expected}, after the number and a colon")
    return complete


def _parse_argument(rule: Rule, text: str) -> Rule | None:
    if rule.action is FaultAction.FLIP:
        match = re.fullmatch(r"(\d+)\.([0-7])", text)
        return match and replace(rule, byte=int(match[1]), bit=int(match[2]))
    if rule.action is FaultAction.CUT:
        keep = parse_number(text)
        return None if keep is None else replace(rule, keep=keep)
    if rule.action is FaultAction.NOISE:
        return replace(rule, text=unescaped(text))
    seconds = parse_seconds(text)
    return None if seconds is None else replace(rule, seconds=seconds)


def _apply(rule: Rule, passage: Passage) -> list[Passage]:
    action, data = rule.action, passage.data
    if passage.ending is not None:
        return [passage]
    if action in ENDINGS:
        return [replace(passage, data=b"", ending=action, back_s=rule.seconds)]
    if action is FaultAction.DROP:
        return []
    if action is FaultAction.DOUBLE:
        return [passage, passage]
    if action is FaultAction.LATE:
        return [replace(passage, late_s=passage.late_s + rule.seconds)]
    if action is FaultAction.STALL:
        return [replace(passage, stall_s=passage.stall_s + rule.seconds)]
    if action is FaultAction.CUT:
        return [replace(passage, data=data.rstrip(slip.END)[: rule.keep])]
    if action is FaultAction.NOISE:
        return [replace(passage, data=rule.text + data)]
    return [replace(passage, data=_flip(data, rule.byte, rule.bit))]


def _flip(raw: bytes, byte: int, bit: int) -> bytes:
    body = raw.strip(slip.END)
    frame = bytearray(slip.unescape(body) or b"")
    if byte >= len(frame):
        return raw
    frame[byte] ^= 1 << bit
    before, after = raw.split(body, 1)
    return before + slip.escape(bytes(frame)) + after
