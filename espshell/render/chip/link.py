"""A link: its figures and what to do about them; the baud rates that were tried."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.ops.chip.link import LinkReport, Throughput
from espshell.ops.chip.rate import RateChosen
from espshell.render.document import Block, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, pick
from espshell.render.view import View
from espshell.units import count_text

_HANG = 2


@form
def link_report(result: LinkReport, view: View) -> Iterator[Block]:
    """Yield the figures, then what to do."""
    rate = f"{result.baud} baud" if result.baud else "no rate"
    place = f"{result.kind} {result.port}" if result.kind else result.port
    errors = f"{result.errors or 'none'} in {count_text(result.exchanges, 'exchange')}"
    latency = ""
    if took := result.latency:
        least, middle, most = (1000 * s for s in (took.least, took.median, took.most))
        latency = f"{middle:.1f} ms ({least:.1f} to {most:.1f})"
    rows = [
        ("link", f"{place}, {rate}, {result.loader}"),
        ("latency", latency),
        ("to chip", _speed(result.up) if result.up else ""),
        ("from chip", _speed(result.down) if result.down else ""),
        ("errors", errors),
    ]
    yield Table(row for row in rows if row[1])
    for text in result.advice or ("nothing to do",):
        yield Text(Styled("- ", "note"), text, hang=_HANG)


@json_form
def link_report_json(result: LinkReport) -> Json:
    """Return all figures: seconds, and bytes a second."""
    names = ("least", "median", "most") if result.latency else ()
    latency: Json = {name: round(getattr(result.latency, name), 6) for name in names}
    return {
        **pick(result, "port", "kind", "baud", "loader"),
        "latency_s": latency or None,
        "up": _speed_json(result.up),
        "down": _speed_json(result.down),
        **pick(result, "exchanges", "errors", "sent", "received", "advice"),
    }


@form
def rate_chosen(result: RateChosen, view: View) -> Iterator[Block]:
    """Yield the rates that were tried, and the one that stays."""
    for step in result.steps:
        verdict = Styled("clean", "ok") if step.ok else Styled(step.reason, "error")
        yield Text(f"{step.baud:>7} baud  ", verdict)
    limit = ", the maximum of its bridge" if result.baud == result.limit else ""
    place = f"  {result.loader} on {result.port} at {result.baud} baud{limit}"
    yield Text(Styled(result.chip, "name"), place)


def _speed(speed: Throughput) -> str:
    possible = f" of {speed.possible / 1000:.1f}" if speed.possible else ""
    return f"{speed.measured / 1000:.1f}{possible} kB/s"


def _speed_json(speed: Throughput | None) -> Json:
    if speed is None:
        return None
    possible = None if speed.possible is None else round(speed.possible)
    return {"measured": round(speed.measured), "possible": possible}
