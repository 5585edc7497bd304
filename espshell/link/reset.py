"""How DTR and RTS reset a chip: sequences as data, and the one function that plays them.

On the usual board DTR drives IO0 and RTS drives EN, both inverted: an asserted line pulls its pin
low, and the two-transistor circuit makes "both asserted" the same as "neither".

Source: ESP-IDF and esptool manuals, "boot mode selection" and "custom reset sequence"; the timing
is that of the Apache-licensed esp-pylib.
"""

from __future__ import annotations

import contextlib

from espshell import regex
from espshell.errors import PortError, UsageError
from espshell.link.port import Port
from espshell.records import dataclass


@dataclass(frozen=True, slots=True)
class Lines:
    """Set control lines; None leaves one as it is. True asserts, which pulls the pin low."""

    dtr: bool | None = None
    rts: bool | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the lines unchanged for a time."""

    seconds: float


Sequence = tuple[Lines | Wait, ...]

_STEP = regex.late(
    r"(?P<line>[DR])(?P<state>[01])|U(?P<dtr>[01]),(?P<rts>[01])|W(?P<seconds>[\d.]+)"
)


def parse(text: str) -> Sequence:
    """Return a sequence written as in esptool's configuration: ``D0|R1|W0.1|D1|R0|W0.05|D0``.

    D and R set DTR and RTS (1 asserts), U1,0 sets both in one step, W waits for seconds.

    Raises: UsageError with the step that is wrong.
    """
    steps: list[Lines | Wait] = []
    for step in filter(None, (part.strip().replace(" ", "") for part in text.split("|"))):
        match = _STEP.fullmatch(step.upper())
        if match is None or step.count(".") > 1 or step.upper() == "W.":
            raise UsageError(
                f"expected a step of a reset sequence such as D0, R1, U1,0 or W0.1, not `{step}`"
            )
        if match["seconds"]:
            steps.append(Wait(float(match["seconds"])))
        elif match["dtr"]:
            steps.append(Lines(dtr=match["dtr"] == "1", rts=match["rts"] == "1"))
        elif match["line"] == "D":
            steps.append(Lines(dtr=match["state"] == "1"))
        else:
            steps.append(Lines(rts=match["state"] == "1"))
    return tuple(steps)


CLASSIC = parse("D0|R1|W0.1|D1|R0|W0.05|D0")
"""Line after line: works with every driver."""

TIGHT = parse("U0,0|U1,1|U0,1|W0.1|U1,0|W0.05|U0,0|D0")
"""Both lines in one step: no moment in between in which the chip could boot."""

USB_JTAG = parse("R0|D0|W0.1|D1|R0|W0.1|R1|D0|R1|W0.1|D0|R0")
"""For the USB-JTAG/serial peripheral, to which the state (1, 1) in between is not a reset."""

HARD_RESET = parse("R1|W0.1|R0")
"""Out of the loader, into the application."""


def slower(sequence: Sequence, seconds: float) -> Sequence:
    """Return the sequence with its last wait made longer, for boards with a large capacitor."""
    last = max(i for i, step in enumerate(sequence) if isinstance(step, Wait))
    return tuple(
        Wait(step.seconds + seconds) if i == last and isinstance(step, Wait) else step
        for i, step in enumerate(sequence)
    )


BEFORE: dict[str, tuple[Sequence, ...]] = {
    "default-reset": (TIGHT, slower(TIGHT, 0.5), CLASSIC, slower(CLASSIC, 0.5)),
    "usb-reset": (USB_JTAG,),
    "no-reset": (),
    "no-reset-no-sync": (),
}
"""The sequences of each ``--before``, tried one after another."""


def plan(
    before: str, *, usb_serial_jtag: bool = False, one_line_at_a_time: bool = False
) -> tuple[Sequence, ...]:
    """Return the sequences to try for a ``--before``: a mode, or a custom sequence.

    A chip's own USB port needs another sequence than a bridge; over RFC 2217 both lines cannot be
    set in one step.

    Raises: UsageError if it is neither.
    """
    if "|" in before:
        return (parse(before),)
    if before == "default-reset" and usb_serial_jtag:
        return (USB_JTAG,)
    if before == "default-reset" and one_line_at_a_time:
        return (CLASSIC, slower(CLASSIC, 0.5))
    if before not in BEFORE:
        modes = ", ".join(BEFORE)
        raise UsageError(f"expected {modes} or a sequence such as D0|R1|W0.1, not `{before}`")
    return BEFORE[before]


AFTER = ("hard-reset", "soft-reset", "watchdog-reset", "no-reset", "no-reset-stub")
"""The values of ``--after``."""


RELEASE = Lines(dtr=False, rts=False)
"""EN and IO0 high: the chip runs, and its next reset leads into the application."""


def play(port: Port, sequence: Sequence) -> bool:
    """Play a sequence; return whether the port has control lines.

    One that is stopped in its middle does not hold the chip in reset, or IO0 low.
    """
    try:
        for step in sequence:
            if isinstance(step, Wait):
                port.clock.sleep(step.seconds)
            else:
                port.set_lines(dtr=step.dtr, rts=step.rts)
            if not port.has_lines:
                return False
    except BaseException:
        with contextlib.suppress(PortError):
            port.set_lines(dtr=RELEASE.dtr, rts=RELEASE.rts)
        raise
    return True
