"""The verb ``gpio``: what the pins of the chip do, and pins driven and read through the loader.

A pin is set by masked writes of the registers that make it up, the output last, each journaled and
read back.  What is already as it should be is not written.

Where the registers are stands in ``pin_layout``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from espshell import pins as tables
from espshell.chips import Chip
from espshell.clock import Clock
from espshell.device import Memory
from espshell.errors import UsageError
from espshell.ops.chip.pin_layout import PinLayout, select_bits, strap_levels
from espshell.ops.memory import words
from espshell.ops.memory.words import Poke
from espshell.ops.result import Result
from espshell.pins import Pin
from espshell.protocol.commands import RegisterWrite

FLASH, CONNECTION = ("flash", "psram"), ("uart0", "usb", "otg")
ROLES = {
    "flash": "flash",
    "psram": "PSRAM",
    "module": "some modules:",
    "octal": "octal memory",
    "uart0": "UART0",
    "usb": "USB",
    "otg": "USB-OTG",
    "jtag": "JTAG",
    "xtal": "crystal",
    "vdd": "supply of the flash: VDD_",
}
_OPEN_DRAIN = 2  # bit of PINn


def role_text(kind: str, signal: str) -> str:
    """Return a role of a pin in words: ``flash CLK``."""
    return f"{ROLES[kind]} {signal}".replace("_ ", "_")


@dataclass(frozen=True, slots=True)
class PinState:
    """What a pin does now."""

    pin: Pin
    level: int | None
    """What it reads; None where its input is off."""
    is_output: bool
    driven: int
    """The output that is set, whether it is driven or not."""
    open_drain: bool
    pull: str
    """``up``, ``down``, ``both`` or empty."""
    drive: int | None
    function: str
    """``GPIO``, the name in IO_MUX, or the signal of the matrix."""
    strap: int | None = None
    """Its level at the last reset, where the strapping register has it."""

    @property
    def direction(self) -> str:
        """As in a table: out, in, both or neither."""
        if self.function != "GPIO":
            return "-"
        way = "in/out" if self.level is not None else "out"
        if not self.is_output:
            return "in" if self.level is not None else "off"
        return f"{way} (open drain)" if self.open_drain else way

    @property
    def use(self) -> str:
        """What the chip uses it for."""
        words = [role_text(kind, signal) for kind, signal in self.pin.roles]
        words += ["input only"] * self.pin.input_only
        if self.pin.is_strap:
            words.append("strap" if self.strap is None else f"strap (was {self.strap})")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class PinTable(Result):
    """All pins of the chip; ``details`` says whether one alone was asked for."""

    chip: str
    states: tuple[PinState, ...]
    explains: tuple[str, ...] = ()
    """Of a single pin: what there is to know, line by line."""

    @property
    def last_value(self) -> int | None:
        """The level, if it is one pin."""
        return self.states[0].level if len(self.states) == 1 else None


@dataclass(frozen=True, slots=True)
class PinSet(Result):
    """A pin was set by several writes."""

    before: PinState
    after: PinState
    writes: tuple[Poke, ...]
    pulses: int = 0
    notes: tuple[str, ...] = ()

    @property
    def failure(self) -> str:
        """The first write that does not read back."""
        return next((write.failure for write in self.writes if not write.ok), "")

    @property
    def dry_run(self) -> bool:
        """Whether nothing was sent."""
        return any(write.dry_run for write in self.writes)

    @property
    def last_value(self) -> int | None:
        """The level that the pin reads."""
        return self.after.level


@dataclass(frozen=True, slots=True)
class Setting:
    """What a pin is to be; None leaves it as it is."""

    output: int | None = None
    """The level to drive; None: it becomes an input."""
    pull: str | None = None
    drive: int | None = None
    open_drain: bool = False


def pin_named(chip: Chip, number: int) -> Pin:
    """Return a pin. Raises: UsageError with those that there are."""
    pins = tables.of(chip.name)
    pin = pins.get(number)
    if pin is None:
        raise UsageError(f"an {chip.title} has no GPIO{number}", hint=f"it has {pins.numbers}")
    return pin


def read_pins(memory: Memory, number: int | None = None) -> PinTable:
    """Read the state of all pins, or of one with what there is to know about it.

    Raises: UsageError for a pin that the chip has not.
    """
    layout = PinLayout(memory.chip)
    chosen = layout.pins.pins if number is None else (pin_named(memory.chip, number),)
    words_read = memory.gather([a & ~3 for a in layout.addresses(chosen)])
    states = tuple(_state(layout, pin, words_read) for pin in chosen)
    lines = () if number is None else tuple(_explained(layout, states[0]))
    return PinTable(memory.chip.title, states, lines)


def level(memory: Memory, number: int) -> int:
    """Return the level of a pin.

    Raises: UsageError if there is no such pin, or its input is off.
    """
    state = read_pins(memory, number).states[0]
    if state.level is None:
        raise UsageError(
            f"the input of GPIO{number} is disabled", hint=f"`gpio {number} in` enables it"
        )
    return state.level


def set_pin(
    memory: Memory, number: int, setting: Setting, *, force: bool = False, over_usb: bool = False
) -> PinSet:
    """Drive a pin, or make it an input.

    ``over_usb`` says that the connection is the chip's own USB and not UART0.

    Raises: UsageError for a pin that is not there, can only read, has no such pull, or carries the
    flash or the connection; nothing was sent.
    """
    layout = PinLayout(memory.chip)
    pin = pin_named(memory.chip, number)
    connection = CONNECTION[1:] if over_usb else CONNECTION[:1]
    for kinds, what in ((FLASH, "the flash"), (connection, "the connection")):
        if (signal := pin.role(*kinds)) and not force:
            raise UsageError(f"{pin.name} carries {what} ({signal})", hint="--force sets it anyway")
    if setting.output is not None and pin.input_only:
        raise UsageError(f"GPIO{number} of an {memory.chip.title} can only be an input")
    before = read_pins(memory, number).states[0]
    planned = list(_plan(layout, pin, setting))
    writes = []
    for address, mask, bits in planned:
        if memory.gather([address])[address] & mask != bits:
            done = words.poke(memory, address, [bits], mask=mask, force=force)
            writes.append(done)
            if not done.ok:
                break
    after = read_pins(memory, number).states[0]
    notes = tuple(dict.fromkeys(note for write in writes for note in write.notes))
    held = setting.output is not None and after.level not in (None, setting.output)
    if held and not memory.dry_run and not (setting.open_drain and setting.output):
        notes += (f"GPIO{number} reads {after.level}: something else drives it",)
    return PinSet(before, after, tuple(writes), notes=notes)


def toggled(memory: Memory, number: int) -> int:
    """Return the other level than a pin has: what it drives, or else reads."""
    state = read_pins(memory, number).states[0]
    return 1 - (state.driven if state.is_output else state.level or 0)


def pulse(
    memory: Memory, result: PinSet, count: int, clock: Clock, *, period_s: float = 0.2
) -> PinSet:
    """Give a pin that drives the other level for half a period, some times; blocks meanwhile."""
    place = PinLayout(memory.chip).place(result.after.pin, "out")
    bit = 1 << place.bit
    idle = bit if result.after.driven else 0
    for _ in range(count):
        for value in (bit ^ idle, idle):
            memory.write([RegisterWrite(place.address, value, bit)])
            clock.sleep(period_s / 2)
    return replace(result, pulses=count)


def _plan(layout: PinLayout, pin: Pin, setting: Setting) -> Iterator[tuple[int, int, int]]:
    """Yield address, mask and bits of the writes that set a pin, in their order."""
    out, enable = layout.place(pin, "out"), layout.place(pin, "enable")
    own = layout.registers_of(pin)
    yield from pin.setup
    drives = setting.output is not None
    if drives:
        yield out.address, 1 << out.bit, (setting.output or 0) << out.bit
    else:
        yield enable.address, 1 << enable.bit, 0
    if "pin" in own:
        yield own["pin"].address, 1 << _OPEN_DRAIN, setting.open_drain << _OPEN_DRAIN
    if "select" in own:  # an input, too: else a peripheral may drive it
        low, width, own_enable = select_bits(own["select"])
        mask = (1 << width) - 1 << low | own_enable << 1 | own_enable | own_enable >> 1
        yield own["select"].address, mask, layout.pins.signal << low | own_enable
    yield from _plan_pad(layout, pin, setting)
    if drives:
        yield enable.address, 1 << enable.bit, 1 << enable.bit


def _plan_pad(layout: PinLayout, pin: Pin, setting: Setting) -> Iterator[tuple[int, int, int]]:
    """Yield the writes of a pad and its pulls. Raises: UsageError for what it has not."""
    own, pad = layout.registers_of(pin), layout.pad
    where, up, down = layout.pull_bits(pin)
    pulls = {"pad": (0, 0), "pulls": (0, 0)}
    if setting.pull is not None:
        has_none = not pin.pad or (pin.input_only and not pin.pulls and pin.is_rtc)
        if setting.pull != "none" and (has_none or (setting.pull == "down" and down is None)):
            raise UsageError(f"{pin.name} has no pull-{setting.pull}")
        up_bit, down_bit = 1 << up, 0 if down is None else 1 << down
        bits = {"up": up_bit, "down": down_bit}.get(setting.pull, 0)
        pulls[where] = (up_bit | down_bit, bits)
    if "pad" not in own:
        return
    if "pulls" in own and pulls["pulls"][0]:
        yield (own["pulls"].address, *pulls["pulls"])
    mask, bits = pad.choose(layout.pins.gpio_function(pin))
    mask, bits = mask | pulls["pad"][0], bits | pulls["pad"][1]
    if pad.input_enable is not None:
        mask, bits = mask | 1 << pad.input_enable, bits | 1 << pad.input_enable
    if setting.drive is not None:
        if pad.drive is None:
            raise UsageError(f"the drive strength of {pin.name} cannot be set")
        low, width = pad.drive
        mask, bits = mask | (1 << width) - 1 << low, bits | setting.drive << low
    yield own["pad"].address, mask, bits


def _state(layout: PinLayout, pin: Pin, read: Mapping[int, int]) -> PinState:
    def bit(what: str) -> int:
        place = layout.place(pin, what)
        return read[place.address] >> place.bit & 1

    own = {key: read[register.address] for key, register in layout.registers_of(pin).items()}
    pad, word = layout.pad, own.get("pad", 0)
    reads = pad.input_enable is None or "pad" not in own or bool(word >> pad.input_enable & 1)
    where, up, down = layout.pull_bits(pin) if pin.pad else ("", 0, 0)
    pulls = own.get(where, 0)
    ways = ("up" if pulls >> up & 1 else "", "down" if down and pulls >> down & 1 else "")
    drive = None
    if pad.drive is not None and "pad" in own:
        drive = word >> pad.drive[0] & (1 << pad.drive[1]) - 1
    return PinState(
        pin,
        bit("in") if reads else None,
        bool(bit("enable")),
        bit("out"),
        bool(own.get("pin", 0) >> _OPEN_DRAIN & 1),
        "both" if all(ways) else "".join(ways) if where in own else "",
        drive,
        _function(layout, pin, own),
        strap_levels(layout, read.__getitem__).get(pin.number),
    )


def _function(layout: PinLayout, pin: Pin, own: Mapping[str, int]) -> str:
    """Return what a pin is connected with."""
    if "pad" not in own:
        return "GPIO"
    number = layout.pad.chosen(own["pad"])
    name = pin.functions[number] if number < len(pin.functions) else "-"
    if name != pin.name:
        return name if name != "-" else f"function {number}"
    if "select" not in own:
        return "GPIO"
    low, width, _ = select_bits(layout.registers_of(pin)["select"])
    signal = own["select"] >> low & (1 << width) - 1
    if signal == layout.pins.signal:
        return "GPIO"
    return layout.pins.signals.get(signal, f"signal {signal}")


def _explained(layout: PinLayout, state: PinState) -> Iterator[str]:
    pin = state.pin
    names = [name for name in dict.fromkeys(pin.functions) if name not in ("-", pin.name)]
    if names:
        matrix = ", or any signal of the matrix" if layout.pins.signal else ""
        yield f"can be {', '.join(names)}{matrix}"
    if pin.is_rtc:
        yield "is also a pin of the low-power part"
    if meaning := layout.pins.meanings.get(pin.number):
        yield f"at reset: {meaning}"
    if state.strap is not None:
        yield f"it was {'high' if state.strap else 'low'} at the last reset"
    own = layout.registers_of(pin)
    if "pad" in own:
        yield f"registers: {', '.join(register.full_name for register in own.values())}"
