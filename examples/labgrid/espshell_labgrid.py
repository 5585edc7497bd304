"""espshell as a driver of labgrid, and a strategy that flashes a board and starts it.

An environment imports it (``imports: [espshell_labgrid.py]``); see ``environment.yaml`` here.  The
driver holds the port open while it is active, so the strategy activates either it or the console.
"""

from __future__ import annotations

import enum
from typing import Any

import attr
from labgrid import step, target_factory
from labgrid.binding import StateError
from labgrid.driver import Driver
from labgrid.protocol import BootstrapProtocol, ResetProtocol
from labgrid.resource import NetworkSerialPort
from labgrid.strategy import Strategy, StrategyError
from labgrid.strategy.common import never_retry
from labgrid.util.proxy import proxymanager

import espshell

optional_text = attr.validators.optional(attr.validators.instance_of(str))


@target_factory.reg_driver
@attr.s(eq=False)
class EspshellDriver(Driver, BootstrapProtocol, ResetProtocol):
    """Hold a chip in its loader, and write, verify and read what it has.

    ``chip`` is the connection, with all verbs of ``espshell.connect``.

    image: the name of the file below ``images`` that ``load`` and ``verify`` take without one.
    place: where it belongs, such as ``flash:0x10000`` or ``flash:app0``.
    chip_name: refuse any other chip, such as ``esp32c3``.
    before, after: how the chip is reset, and how it is left, as ``--before`` and ``--after`` say.
    """

    bindings = {"port": {"SerialPort", "NetworkSerialPort"}}  # noqa: RUF012 - labgrid reads it

    image = attr.ib(default=None, validator=optional_text)
    place = attr.ib(default="flash:app0", validator=attr.validators.instance_of(str))
    chip_name = attr.ib(default=None, validator=optional_text)
    before = attr.ib(default="default-reset", validator=attr.validators.instance_of(str))
    after = attr.ib(default="hard-reset", validator=attr.validators.instance_of(str))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._chip: espshell.ConnectedChip | None = None

    @property
    def url(self) -> str:
        """Return the port as espshell names it, through labgrid's proxy where there is one."""
        if not isinstance(self.port, NetworkSerialPort):
            return str(self.port.port)
        host, port = proxymanager.get_host_and_port(self.port)
        scheme = {"rfc2217": "rfc2217", "raw": "socket"}[self.port.protocol]
        return f"{scheme}://{host}:{port}"

    @property
    def chip(self) -> espshell.ConnectedChip:
        """Return the connected chip. Raises: StateError while the driver is not active."""
        if self._chip is None:
            raise StateError(f"{self.display_name} is not active")
        return self._chip

    def on_activate(self) -> None:
        """Connect."""
        self._chip = espshell.connect(
            self.url, chip=self.chip_name, before=self.before, after=self.after
        )

    def on_deactivate(self) -> None:
        """Leave the chip as ``after`` says, and close the port."""
        chip, self._chip = self._chip, None
        if chip is not None:
            chip.close()

    @Driver.check_active
    @step(args=["filename"])
    def load(self, filename: str | None = None) -> None:
        """Write a file, as far as it differs, and verify it. Raises: EspError."""
        self.chip.load((self._path(filename), self.place)).require_ok()

    @Driver.check_active
    @step(args=["filename"])
    def verify(self, filename: str | None = None) -> None:
        """Compare the flash with a file. Raises: DeviceError if they differ."""
        self.chip.verify((self._path(filename), self.place)).require_ok()

    @Driver.check_active
    @step()
    def reset(self) -> None:
        """Reset the chip into its loader."""
        self.chip.reset()

    @Driver.check_active
    @step(args=["path"])
    def run_script(self, path: str, *arguments: object) -> None:
        """Run a script of the shell. Raises: ScriptError at the first command that fails."""
        self.chip.run_script(path, *arguments)

    @Driver.check_active
    @step(args=["ready"])
    def boot(self, ready: str, timeout_s: float = 10.0) -> str:
        """Start the application, and return what it says until it is ready.

        The loader is left: ``chip`` answers again after the driver was deactivated and activated.
        Raises: DeviceError if it does not say so.
        """
        return self.chip.monitor(until=ready, timeout_s=timeout_s).require_ok().text

    def _path(self, filename: str | None) -> str:
        if filename is not None:
            return filename
        if self.image is None:
            raise ValueError(f"{self.display_name}: no file, and the environment names no image")
        return str(self.target.env.config.get_image_path(self.image))


class Status(enum.Enum):
    """What a board is doing."""

    unknown = 0
    off = 1
    """Nobody talks to it; without power, if the environment has a switch."""
    download = 2
    """It waits in its loader."""
    flashed = 3
    """The image of the environment is in its flash, verified; it waits in its loader."""
    running = 4
    """The application runs, and the console is open, if there is one."""


@target_factory.reg_driver
@attr.s(eq=False)
class EspStrategy(Strategy):
    """Bring a board from its loader to its application.

    ready: what the application says when it is running; without it nobody listens.
    """

    bindings = {  # noqa: RUF012 - labgrid reads it
        "esp": "EspshellDriver",
        "power": {"PowerProtocol", None},
        "console": {"ConsoleProtocol", None},
    }

    ready = attr.ib(default=None, validator=optional_text)
    status = attr.ib(default=Status.unknown)

    @never_retry
    @step(args=["status"])
    def transition(self, status: Status | str, *, step: Any) -> None:
        """Bring the board into a state. Raises: StrategyError."""
        state = status if isinstance(status, Status) else Status[status]
        if state == self.status:
            step.skip("nothing to do")
            return
        if state == Status.unknown:
            raise StrategyError(f"cannot bring a board into {state}")
        getattr(self, f"_to_{state.name}")()
        self.status = state

    def _to_off(self) -> None:
        self.target.deactivate(self.esp)
        if self.console:
            self.target.deactivate(self.console)
        if self.power:
            self.target.activate(self.power)
            self.power.off()

    def _to_download(self) -> None:
        if self.status != Status.flashed:
            self.transition(Status.off)
            if self.power:
                self.power.on()
        self.target.activate(self.esp)

    def _to_flashed(self) -> None:
        self.transition(Status.download)
        self.esp.load()
        self.esp.verify()

    def _to_running(self) -> None:
        self.transition(Status.flashed)
        if self.ready:
            self.esp.boot(self.ready)
        self.target.deactivate(self.esp)  # if nobody listens, this resets it, as `after` says
        if self.console:
            self.target.activate(self.console)
