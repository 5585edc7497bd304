"""One step of the baud rate: try it, prove it with data both ways, go back if it is not clean.

The chips set no limit here: the UART of each takes 4.5 Mbaud and more (data sheets, "UART"), and
what a divider misses of a rate stays below 3 %.  Bridges and cables do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from espshell.device import Target
from espshell.device.target import SYNC_BAUD
from espshell.errors import DeviceError, NoReply, UsageError
from espshell.loader import trial
from espshell.loader.dialogue import Gone
from espshell.ops.result import Result

RATES = (230_400, 460_800, 921_600, 1_500_000, 2_000_000, 3_000_000)
"""The steps of ``baud auto``."""

UNKNOWN_LIMIT = 921_600
"""The fastest rate that is tried unasked where the limit of the bridge is not known."""

_TRIES = 4


@dataclass(frozen=True, slots=True)
class RateStep:
    """A rate that was tried; ``reason`` says why it is not clean."""

    baud: int
    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RateChosen(Result):
    """The highest rate that is clean, and all that were tried.

    ``limit`` is that of the bridge, None where it is not known.
    """

    chip: str
    loader: str
    port: str
    baud: int
    steps: tuple[RateStep, ...]
    limit: int | None = None

    @property
    def slowest_failure(self) -> int | None:
        """The rate that was not clean, if there was one."""
        return next((step.baud for step in self.steps if not step.ok), None)


def require_rate_change(target: Target) -> None:
    """Require a port on which there is a rate to change. Raises: UsageError."""
    if target.link.port.url.lower().startswith("socket://"):
        raise UsageError(
            "a raw socket cannot change the rate at its other end", hint="rfc2217:// can"
        )
    if not target.has_rate:
        raise UsageError(
            f"{target.link.port.url} is the chip's own USB, which has no baud rate",
            hint="it always runs at full speed",
        )


def climb(
    target: Target, *, most: int | None = None, regain: Callable[[int], Target]
) -> RateChosen:
    """Go up by steps as long as they are clean, within the bridge's limit and ``most``.

    ``regain`` resets a chip whose loader is lost and returns it at a rate.

    Raises: UsageError where there is no rate; NoReply or what ``regain`` raises.
    """
    require_rate_change(target)
    steps: list[RateStep] = []
    limits = [limit for limit in (target.bridge.max_baud if target.bridge else 0, most) if limit]
    fastest = min(limits, default=RATES[-1])
    for baud in (rate for rate in RATES if target.link.port.baud < rate <= fastest):
        before = target.link.port.baud
        try:
            steps.append(step_up(target, baud))
        except NoReply:
            target = regain(before)
            steps.append(RateStep(baud, ok=False, reason="the loader was lost and had to be reset"))
        if not steps[-1].ok:
            break
    port, bridge = target.link.port, target.bridge
    return RateChosen(
        chip=target.chip.name,
        loader=target.loader.dialect.name,
        port=port.url,
        baud=port.baud,
        steps=tuple(steps),
        limit=bridge.max_baud or None if bridge else None,
    )


def slower(baud: int) -> int:
    """Return the rate to go back to: half of the steps, in the end that of the first contact."""
    steps = [SYNC_BAUD, *(rate for rate in RATES if SYNC_BAUD < rate < baud)]
    return steps[len(steps) // 2] if len(steps) > 1 else SYNC_BAUD


def step_up(target: Target, baud: int) -> RateStep:
    """Change to a rate and prove it; go back to the one before if it is not clean.

    Raises: NoReply if the loader is lost: then only a reset brings it back.
    """
    old = target.link.port.baud
    try:
        target.change_baud(baud)
    except DeviceError:
        return RateStep(baud, ok=False, reason="no answer")
    result = trial.run(target.loader, target.security, until_failure=True)
    if not result.failures:
        return RateStep(baud, ok=True)
    go_back(target, old)
    return RateStep(baud, ok=False, reason=f"block {result.blocks} of a trial was damaged")


def go_back(target: Target, baud: int) -> None:
    """Change to a rate over a link on which requests get lost.

    Raises: NoReply if the loader is lost.
    """
    for _ in range(_TRIES):
        try:
            target.change_baud(baud)
            return
        except Gone:
            raise
        except (DeviceError, NoReply):
            continue
    raise NoReply(
        f"the loader does not return to {baud} baud", hint="`reconnect` resets it into the loader"
    )
