"""Which boards a command line is for, if for several; ``board_programs`` runs it on them."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence

from espshell.errors import BenchError, UsageError
from espshell.link.ports import PortInfo, list_ports
from espshell.records import dataclass
from espshell.shell.settings import PORT_PLACE

PORT, SELECTION, LIKELY = ("-p", "--port"), "--ports", "--all-likely"

_WRITTEN = ("--transcript", "--trace", "--junit", "--log", "--report")
"""Options with a file that is written: one for all would be overwritten by each."""

_SELECTORS = ("serial", "vid", "pid", "product", "location", "kind", "device")


@dataclass(frozen=True, slots=True)
class Request:
    """Which boards, and the command line that each gets, without its port."""

    ports: tuple[str, ...]
    arguments: tuple[str, ...]


def requested(arguments: Sequence[str]) -> Request | None:
    """Return what is to run on several boards; None if the command line is for one.

    Raises: UsageError, BenchError if a selection fits no port.
    """
    ports: list[str] = []
    selected: list[str] = []
    others: list[str] = []
    is_several = False
    remaining = iter(arguments)
    for argument in remaining:
        name, has_value, value = argument.partition("=")
        if argument == "--":
            others += [argument, *remaining]
        elif argument in ("-c", "--command"):
            others += [argument, *_value(remaining)]
        elif name in (*PORT, SELECTION):
            text = value if has_value else next(iter(_value(remaining)), "")
            if name == SELECTION:
                selected += _selected(text)
            else:
                ports.append(text)
            is_several |= name == SELECTION
        elif argument == LIKELY:
            is_several = True
            selected += _selected("")
        else:
            others.append(argument)
    if len(ports) < 2 and not is_several:
        return None
    ports = _distinct(ports, selected)
    _require_own_files(others)
    return Request(tuple(ports), tuple(others))


def _distinct(named: Sequence[str], selected: Sequence[str]) -> list[str]:
    """Return each device once. Raises: UsageError for one that is named twice, also by a link."""
    by_device: dict[str, str] = {}
    for port in named:
        device = os.path.realpath(port) if port.startswith("/") else port
        if device in by_device:
            text = f"{port} is named twice" if by_device[device] == port else None
            raise UsageError(
                text or f"{by_device[device]} and {port} are one device",
                hint="each board needs its own port",
            )
        by_device[device] = port
    for port in selected:
        by_device.setdefault(os.path.realpath(port) if port.startswith("/") else port, port)
    return list(by_device.values())


def _value(remaining: Iterator[str]) -> list[str]:
    return [value for value in (next(remaining, None),) if value is not None]


def _selected(text: str) -> list[str]:
    """Return the likely ports whose USB descriptors fit ``serial=A5*,kind=CP210x``.

    Raises: UsageError for another selector; BenchError if no port matches.
    """
    selectors = [part.partition("=")[::2] for part in text.split(",") if part]
    for name, _ in selectors:
        if name not in _SELECTORS:
            names = ", ".join(_SELECTORS)
            raise UsageError(f"{SELECTION} knows no `{name}`", hint=f"it knows {names}")
    fits = [p.device for p in list_ports() if p.is_likely and _fits(p, selectors)]
    if not fits:
        raise BenchError(
            f"no port matches {text!r}" if text else "there is no likely board",
            hint="`espshell ports` lists the ports",
        )
    return fits


def _fits(port: PortInfo, selectors: Sequence[Sequence[str]]) -> bool:
    held = {name: getattr(port, name) for name in _SELECTORS}
    held["vid"], _, held["pid"] = port.ids.partition(":")
    return all(fnmatch.fnmatchcase(str(held[n]).lower(), v.lower()) for n, v in selectors)


def _require_own_files(arguments: Sequence[str]) -> None:
    """Require a file of its own for each board. Raises: UsageError."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument == "--":
            return
        name, has_value, value = argument.partition("=")
        if name == "--trace" and not has_value:  # to the screen
            continue
        if name in _WRITTEN and PORT_PLACE not in (value if has_value else following):
            written = argument if has_value else f"{argument} {following}"
            raise UsageError(
                f"{written}: several boards would write the same file",
                hint=f"{PORT_PLACE} in the name stands for the board",
            )
