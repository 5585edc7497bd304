"""gpio: the pins of the chip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from espshell import pins
from espshell.errors import UsageError
from espshell.ops.chip import gpio as ops
from espshell.records import replace
from espshell.shell.arguments.types import SECONDS, Completed, Scope, choice, number, offer
from espshell.shell.declaration import DRY_RUN, Option
from espshell.shell.registry import Registry
from espshell.shell.session import Session

VERBS = Registry("Chip")

_ACTIONS = {
    "in": "make it an input",
    "out": "drive it: out 1, out 0",
    "toggle": "drive the opposite level",
    "pulse": "drive the opposite level briefly, COUNT times",
    "release": "an input without pulls, unused",
}


def _pins(text: str, scope: Scope) -> Iterable[Completed]:
    for pin in pins.of(scope.chip.name).pins if scope.chip else ():
        yield str(pin.number), ", ".join(ops.role_text(kind, signal) for kind, signal in pin.roles)


PIN = replace(number(0, 255), kind="pin", complete=_pins)
"""The number of a pin."""

ACTION = replace(choice(*_ACTIONS), complete=lambda text, scope: _ACTIONS.items())
VALUE = replace(number(0, 0xFFFF_FFFF), complete=offer("0", "1"))
"""A level, or how many pulses."""

STRENGTH = replace(number(0, 3), complete=offer("0", "1", "2", "3"))
PULL = choice("up", "down", "none")


@VERBS.add("gpio", options=[DRY_RUN], needs="memory")
def gpio(
    session: Session,
    pin: Annotated[int | None, PIN] = None,
    action: Annotated[str, ACTION] = "",
    value: Annotated[int | None, VALUE] = None,
    *,
    pull: Annotated[str | None, Option("--pull", "up, down or none", PULL)] = None,
    drive: Annotated[
        int | None, Option("--drive", "drive strength: 0 to 3, about 5 to 40 mA", STRENGTH)
    ] = None,
    open_drain: Annotated[bool, Option("--open-drain", "drive low only")] = False,
    period: Annotated[float, Option("--period", "length of a pulse (200ms)", SECONDS)] = 0.2,
    force: Annotated[
        bool, Option("--force", "allow pins used by the flash or the connection")
    ] = False,
) -> ops.PinTable | ops.PinSet:
    """Show the pins of the chip, or configure one.

    gpio lists all pins; gpio 8 explains one. gpio 8 out 1; gpio 8 toggle; gpio 8 pulse 5 --period
    100ms; gpio 9 in --pull up; gpio 8 release. In expressions gpio:9 is the level of a pin, as in
    wait gpio:9 == 0. `undo` restores the previous state.

    Example: gpio 9
    Example: gpio 4 out 1
    """
    memory = session.chip.memory
    if pin is None or not action:
        return ops.read_pins(memory, pin)
    if (value is None) != (action not in ("out", "pulse")):
        expected = "0 or 1" if action == "out" else "a count"
        raise UsageError(
            f"`{action}` needs {expected}" if value is None else f"`{action}` takes no number",
            hint=f"gpio {pin} {action}" + (" 1" if value is None else ""),
        )
    output = None  # the level to drive; None for an input
    if action == "out":
        if value not in (0, 1):
            raise UsageError(f"a pin can be 0 or 1, not {value}")
        output = value
    elif action == "toggle":
        output = ops.toggled(memory, pin)
    elif action == "pulse":
        if value is None or value < 1:
            raise UsageError(f"a pin is pulsed at least once, not {value} times")
        output = 1 - ops.toggled(memory, pin)
    setting = ops.Setting(output, "none" if action == "release" else pull, drive, open_drain)
    usb = session.chip.usb
    over_usb = session.chip.over_usb_otg or (usb is not None and usb.is_usb_serial_jtag)
    result = ops.set_pin(memory, pin, setting, force=force, over_usb=over_usb)
    if action == "pulse" and value and result.ok:
        return ops.pulse(memory, result, value, session.clock, period_s=period)
    return result
