"""A chip, its loader and the link to it: identity, security, connection, rates."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.nor import makers
from espshell.ops.chip.connection import ConnectionInfo, Left
from espshell.ops.chip.info import BootMode, ChipId, FlashId, Info, Mac, Security, SecurityReport
from espshell.ops.chip.link import LinkReport, Throughput
from espshell.ops.chip.rate import RateChosen
from espshell.render.document import Block, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows
from espshell.render.view import View
from espshell.units import count_text, hex32, size_text

json_rows(
    Latency="least~6 median~6 most~6",
    LinkReport=(
        "port kind baud loader latency_s=latency up down exchanges errors sent received advice"
    ),
    Throughput="measured~0 possible~0",
)


@form
def mac(result: Mac, view: View) -> Iterator[Block]:
    """Yield the address."""
    yield Text(Styled(result.mac, "value"))


@form
def chip_id(result: ChipId, view: View) -> Iterator[Block]:
    """Yield the id and the MAC."""
    own = f"none: the {result.chip} has only a MAC"
    number = own if result.chip_id is None else hex32(result.chip_id)
    yield Table([("chip id", number), ("MAC", result.mac)])


@form
def info(result: Info, view: View) -> Iterator[Block]:
    """Yield a row for everything that is known."""
    revision = "revision v{}.{}".format(*result.revision) if result.revision else ""
    flash = f"{_size(result.flash)} (id {result.flash.id:06x})" if result.flash else ""
    rows = [
        ("chip", ", ".join(filter(None, (result.description, revision)))),
        ("features", ", ".join(result.features)),
        ("crystal", f"{result.crystal_mhz} MHz" if result.crystal_mhz else ""),
        ("MAC", result.mac or ""),
        ("EUI-64", result.eui64 or ""),
        ("chip id", hex32(result.sdk_id) if result.sdk_id is not None else ""),
        ("flash", flash),
        ("security", ", ".join(_security(result.security)) if result.security else ""),
        ("boot", result.boot.reason if result.boot else ""),
        ("next reset", result.boot.prospect if result.boot else ""),
        ("fuses", result.boot_fuses or ""),
        ("loader", f"{result.loader} on {result.port} at {result.baud} baud"),
    ]
    yield Table(row for row in rows if row[1])


@json_form
def boot_mode_json(result: BootMode) -> Json:
    """Return modes and the pins that decided."""
    return {
        "mode": result.mode or None,
        "pins": {f"GPIO{pin}": level for pin, level in result.levels},
        "forced": result.is_forced,
        "next": result.next_mode or None,
        "next_pins": {f"GPIO{pin}": level for pin, level in result.next_levels},
    }


@form
def flash(result: FlashId, view: View) -> Iterator[Block]:
    """Yield id, maker and size."""
    maker = makers.name(result.id) or "maker not known"
    yield Text(Styled(f"{result.id:06x}", "value"), f"  {maker}, {_size(result)}")


def _size(flash: FlashId) -> str:
    return size_text(flash.size) if flash.size else "size not known"


@form
def security_report(result: SecurityReport, view: View) -> Iterator[Block]:
    """Yield a row for everything that the chip says of its security."""
    security = result.security
    count = f"{_switch(security.flash_encryption)} (count {security.flash_crypt_count:#x})"
    purposes = (f"key {n}: {text}" for n, text in enumerate(security.key_purposes))
    rows = [
        ("chip id", "" if result.chip_id is None else str(result.chip_id)),
        ("secure boot", _switch(security.secure_boot)),
        ("flash encryption", count),
        ("secure download", _switch(security.secure_download)),
        ("flags", " ".join(security.flags)),
        ("key purposes", ", ".join(purposes)),
    ]
    yield Table(row for row in rows if row[1])


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _security(security: Security) -> Iterator[str]:
    yield f"secure boot {_switch(security.secure_boot)}"
    yield f"flash encryption {_switch(security.flash_encryption)}"
    if security.secure_download:
        yield "secure download mode (no access to memory)"
    if security.flags:
        yield f"flags {' '.join(security.flags)}"


@form
def connection(result: ConnectionInfo, view: View) -> Iterator[Block]:
    """Yield the chip, its loader, and how they are reached."""
    place = f"  {result.loader} on {result.port} at {result.baud} baud"
    yield Text(Styled(result.chip, "name"), place)


@form
def loader_left(result: Left, view: View) -> Iterator[Block]:
    """Yield how the loader was left."""
    yield Text(f"left the loader by {result.how}; the application starts")


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
        yield Text(Styled("- ", "note"), text, hang=2)


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
