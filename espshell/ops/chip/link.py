"""The verb ``link``: how long a round trip takes, how many bytes get through, and what to do.

Measured are single round trips, a long block to the chip, and reads of words whose values are
known, in both directions at once.  What to do about it is a pure function of the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from espshell.device import Target
from espshell.device.target import SYNC_BAUD
from espshell.files import real_path
from espshell.link.ports import Bridge, remedy
from espshell.loader import trial
from espshell.loader.trial import Exchange
from espshell.ops.chip.rate import RATES
from espshell.ops.result import Result
from espshell.records import dataclass, replace

ROUND_TRIPS = 24

_TIMER_S = (11e-3, 22e-3)
"""Round trips, without the wire, that a latency timer of 16 ms makes."""

_SLOW_S = 5e-3
_IRREGULAR = 3  # times the median, for the slowest
_POOR = 0.6  # of what rate and latency allow


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of a round trip, without the time of its bytes on the wire."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """Bytes a second in one direction; ``possible`` is what rate and latency allow.

    ``possible`` is None where there is no rate.
    """

    measured: float
    possible: float | None

    @property
    def is_poor(self) -> bool:
        """Whether something else than rate and latency holds it back."""
        return self.possible is not None and self.measured < _POOR * self.possible


@dataclass(frozen=True, slots=True)
class LinkReport(Result):
    """Figures of a link at its present rate.

    ``up`` and ``down`` are to and from the chip; None where it was not measured.
    """

    port: str
    kind: str
    """What carries the bytes: a bridge by name, ``USB-JTAG/serial``, or empty if not known."""
    baud: int | None
    """None where there is no rate: the chip's own USB."""
    loader: str
    latency: Latency | None
    """None if no round trip came to an end."""
    up: Throughput | None
    down: Throughput | None
    exchanges: int
    errors: int
    """Exchanges that were lost or damaged."""
    sent: int
    received: int
    advice: tuple[str, ...] = ()

    @property
    def failure(self) -> str:
        """How many exchanges failed."""
        if not self.errors:
            return ""
        rate = f" at {self.baud} baud" if self.baud else ""
        return f"{self.errors} of {self.exchanges} exchanges were lost or damaged{rate}"


def measure(target: Target) -> LinkReport:
    """Measure the link at its present rate; nothing on the chip changes.

    Raises: NoReply if the loader stops answering.
    """
    loader, link = target.loader, target.link
    sent, received = link.bytes_sent, link.bytes_received
    trips = list(trial.round_trips(loader, ROUND_TRIPS))
    uploads = () if loader.dialect.is_secure else (trial.upload(loader),)
    words = trial.run(loader, target.security, reads_only=True)
    lost = ROUND_TRIPS - len(trips) + uploads.count(None)
    wire = link.port.baud / 10 if target.has_rate else None
    waits = [  # beyond the bytes on the wire
        max(0.0, t.seconds - (t.sent + t.received) / wire if wire else t.seconds) for t in trips
    ]
    latency = Latency(min(waits), sorted(waits)[len(waits) // 2], max(waits)) if waits else None
    wait_s = latency.median if latency else 0.0
    in_turns = words.sent if not loader.dialect.pipeline_bytes else 0  # on the wire alone
    report = LinkReport(
        port=link.port.url,
        kind=target.bridge.name if target.bridge else target.usb.kind if target.usb else "",
        baud=link.port.baud if target.has_rate else None,
        loader=loader.dialect.name,
        latency=latency,
        up=next((_throughput(e, e.sent, e.sent, wire, wait_s) for e in uploads if e), None),
        down=None
        if words.failures
        else _throughput(
            words, words.received, words.received + in_turns, wire, words.waits * wait_s
        ),
        exchanges=ROUND_TRIPS + len(uploads) + words.blocks,
        errors=lost + words.failures,
        sent=link.bytes_sent - sent,
        received=link.bytes_received - received,
    )
    return replace(report, advice=tuple(advise(report, target.bridge)))


def advise(report: LinkReport, bridge: Bridge | None) -> Iterator[str]:
    """Yield what to do about a link, the most urgent first; nothing if it is as it should be."""
    baud, latency = report.baud, report.latency
    if report.errors:
        lower = [rate for rate in (SYNC_BAUD, *RATES) if baud and rate < baud]
        slower = f", or a lower rate: `baud {lower[-1]}`" if lower else ""
        yield f"errors: try {remedy(report.port).damages}{slower}"
    if bridge and bridge.max_baud and baud and baud > bridge.max_baud:
        yield f"{baud} baud is above the maximum of a {bridge.name}: {bridge.max_baud}"
    if latency is not None:
        yield from _advise_on_latency(latency, bridge, report.port)
    for way, speed in (("to", report.up), ("from", report.down)):
        if speed and speed.is_poor:
            share = f"{speed.measured / 1000:.1f} of {(speed.possible or 0) / 1000:.1f} kB/s"
            yield f"only {share} get {way} the chip: the bridge or hub is slower than the baud rate"
    may_rise = bridge is None or not bridge.max_baud or bridge.max_baud > SYNC_BAUD
    if may_rise and baud == SYNC_BAUD and not report.errors:
        yield "`baud auto` finds the highest rate without errors"


def _advise_on_latency(latency: Latency, bridge: Bridge | None, port: str) -> Iterator[str]:
    has_timer = bridge is None or bridge.has_latency_timer
    if _TIMER_S[0] <= latency.median <= _TIMER_S[1] and has_timer:
        name = real_path(Path(port)).name if port.startswith("/dev/") else "ttyUSB0"
        yield (
            "answers come 16 ms late: this is the latency timer of an FTDI bridge; on Linux"
            f" `echo 1 | sudo tee /sys/bus/usb-serial/devices/{name}/latency_timer`"
            " sets it to 1 ms until the bridge is plugged in again"
        )
    elif latency.median > _SLOW_S:
        yield (
            f"a round trip waits {1000 * latency.median:.1f} ms: a hub, a network or a virtual"
            " machine is in between"
        )
    if latency.most > _IRREGULAR * latency.median and latency.most - latency.median > _SLOW_S:
        yield (
            f"round trips wait from {1000 * latency.least:.1f} to {1000 * latency.most:.1f} "
            "ms: a shared hub or a busy computer; try a port of the computer itself"
        )


def _throughput(
    exchange: Exchange, size: int, on_wire: int, wire: float | None, wait_s: float
) -> Throughput:
    """Return how fast ``size`` bytes went, where so many bytes in turns had to."""
    measured = size / exchange.seconds
    return Throughput(measured, max(measured, size / (on_wire / wire + wait_s)) if wire else None)
