"""Connecting, stopped by a signal at each thing that it does: how the chip is left, what is said.

The places are counted on the simulated wire: bytes sent, lines moved, waits.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from espshell import cli
from espshell.clock import VirtualClock
from espshell.shell.session import Session
from espshell.sim.boot import ChipMode
from espshell.sim.wire import Wire

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

WAYS = {
    "ROM": ("--stub", "never"),
    "stub": ("--stub", "always"),
    "baud": ("--baud", "921600"),
    "stub and baud": ("--stub", "always", "--baud", "460800"),
    "best rate": ("--baud", "auto"),
    "soft reset": ("--stub", "always", "--baud", "460800", "--after", "soft-reset"),
    "watchdog": ("--baud", "460800", "--after", "watchdog-reset"),
    "no reset": ("--stub", "always", "--after", "no-reset"),
}

PORTS = ("sim://demo", "sim://esp32", "sim://esp8266", "sim://esp32c3?usb=jtag")
BEFORE = {PORTS[-1]: ("--before", "usb-reset")}

ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

STARTS = {"ROM", "stub and baud", "no reset"}
"""Ways that the quick run goes, on the first port."""


class Places:
    """Counts what happens on the wire; at one place a signal comes."""

    def __init__(self, number: int = 0, at: int = 0) -> None:
        self.count = self.connected = 0
        self.wires: list[Wire] = []
        self._number, self._at = number, at

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Count from now on."""

        def counted(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(owner: Any, *args: Any, **kwargs: Any) -> Any:
                self.wires += [owner] * isinstance(owner, Wire)
                result = method(owner, *args, **kwargs)
                self.count += 1
                if self.count == self._at:
                    signal.raise_signal(self._number)
                return result

            return call

        def connect(*args: Any) -> Any:
            target = before(*args)
            self.connected = self.count
            return target

        before = Session.connect
        patch.setattr(Session, "connect", connect)
        for owner, name in ((Wire, "send"), (Wire, "set_lines"), (VirtualClock, "sleep")):
            patch.setattr(owner, name, counted(getattr(owner, name)))

    def mode(self) -> ChipMode:
        """Return what the chip does after a second."""
        wire = self.wires[-1]
        wire._clock.sleep(1.0)
        wire.settle()
        return wire.mode


def run(places: Places, *words: str) -> int:
    """Run the program while the places count."""
    with pytest.MonkeyPatch.context() as patch:
        places.install(patch)
        return cli.main([*words, "-c", "info"])


@pytest.mark.parametrize(
    ("port", "way"),
    [
        pytest.param(
            port, way, marks=() if port == PORTS[0] and way in STARTS else pytest.mark.long
        )
        for port in PORTS
        for way in WAYS
    ],
)
def test_a_signal_while_connecting(port: str, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The chip is left as --after says, one line says how, and the status names the signal."""
    words, whole = ["-p", port, *WAYS[way], *BEFORE.get(port, ())], Places()
    assert run(whole, *words) == 0, capsys.readouterr().err
    capsys.readouterr()
    steps = [*range(1, min(whole.connected, 60) + 1), *range(61, whole.connected + 1, 29)]
    for place in steps:
        number = list(ENDS)[place % len(ENDS)]
        places = Places(number, place)
        assert run(places, *words) == ENDS[number]
        *_, said, end = capsys.readouterr().err.splitlines()
        assert "Traceback" not in end
        assert said.startswith(f"connecting to {port} was stopped: "), (place, said)
        if place == 1:  # the port is being opened
            assert said.endswith("nothing was changed")
            continue
        assert places.mode() is not ChipMode.RESET, place
        if way == "no reset":
            assert said.endswith("the chip may still be in its loader")
        else:
            assert said.endswith("the chip was reset")
            assert places.mode() is not ChipMode.DOWNLOAD, (place, said)
