"""An open serial device of any kind, with the clock that its time is measured by.

pyserial opens devices, ``socket://``, ``rfc2217://`` and ``sim://`` by URL.  Its read timeout is
set once, before opening, and never again: over RFC 2217 each change costs a round of negotiation
(150 ms).  So this file waits by itself: by ``select`` where there is a file descriptor, by the
simulator's virtual clock, else by a short fixed timeout.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import struct
import warnings
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import serial

from espshell.clock import Clock, SystemClock
from espshell.errors import EspError, PortError, PortStalled, UsageError
from espshell.link import ports

try:
    import termios
except ImportError:  # Windows
    _SYSTEM_ERRORS: tuple[type[Exception], ...] = (OSError,)
else:
    _SYSTEM_ERRORS = (OSError, termios.error)  # pyserial lets some of the latter through

# TypeError: pyserial 3.5 on a descriptor that another thread or a hang-up has closed.
# OverflowError: a baud rate that does not fit the system's structures.
_LOST: tuple[type[Exception], ...] = (*_SYSTEM_ERRORS, ValueError, TypeError, OverflowError)

WRITE_TIMEOUT_S = 5.0
"""How long a write waits for a device that accepts no bytes."""

_RTS_WAITS_FOR_DTR = os.name == "nt"
"""``usbser.sys`` of Windows sends the states of both lines only when DTR is set.

Source: esp-pylib, ``serial_reset`` (Apache 2.0); not tried here.
"""

_POLL_S = 0.02
_READ_SIZE = 65536
_LOST_HINT = "plug it in again, then `reconnect`"
_SIMULATORS = "espshell.sim"


class Waiting(Protocol):
    """A device with a clock of its own: the simulator in virtual time."""

    clock: Clock

    def read_within(self, timeout_s: float, size: int) -> bytes:
        """Return the bytes received, at most ``size``; wait for the first until the timeout."""


class Port(Protocol):
    """A port as the floors above use it; ``SerialPort`` and ``ReplayPort`` implement it."""

    url: str
    baud: int
    clock: Clock
    has_lines: bool
    """False for a socket, and once setting DTR or RTS has failed: a pty."""

    def read(self, wait_s: float) -> bytes:
        """Return the bytes received; wait at most ``wait_s`` for the first of them."""

    def write(self, data: bytes) -> None:
        """Write all bytes to the device."""

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert (True) or release (False) control lines; None leaves one as it is."""

    def close(self) -> None:
        """Close the device."""


class SerialPort:
    """Bytes in and out of one device.  Every failure is a ``PortError``."""

    def __init__(self, url: str, device: Any) -> None:
        # Any: pyserial's base class declares neither in_waiting nor the state of the lines.
        self.url = url
        self._device = device
        self._waiting = cast(Waiting, device) if hasattr(device, "read_within") else None
        self.clock: Clock = self._waiting.clock if self._waiting else SystemClock()
        self._fd = _descriptor(device)
        self.has_lines = not self._is_socket()

    def read(self, wait_s: float) -> bytes:
        """Return the bytes received; wait at most ``wait_s`` for the first of them."""
        try:
            if self._waiting is not None:
                return self._waiting.read_within(wait_s, _READ_SIZE)
            if self._fd is None:
                return self._poll(wait_s)
            ready = select.select([self._fd], [], [], wait_s)[0]
            return self._device.read(_READ_SIZE) if ready else b""
        except _LOST as error:
            raise self._failure("reading", error) from error

    def write(self, data: bytes) -> None:
        """Write all bytes to the device."""
        try:
            self._device.write(data)
        except _LOST as error:
            raise self._failure("writing", error) from error

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Assert or release the control lines; both in one step where the system can.

        On a port without control lines this does nothing; ``has_lines`` says so.
        """
        if not self.has_lines:
            return
        try:
            if dtr is None or rts is None or not self._set_both(dtr, rts):
                if rts is not None:
                    self._device.rts = rts
                if dtr is None and _RTS_WAITS_FOR_DTR:
                    dtr = self._device.dtr
                if dtr is not None:
                    self._device.dtr = dtr
        except (OSError, NotImplementedError) as error:
            if getattr(error, "errno", errno.ENOTTY) not in (errno.ENOTTY, errno.EINVAL):
                message = f"lost {self.url} while resetting: {_reason(error)}"
                raise PortError(message, hint=_LOST_HINT, port=self.url) from error
            self.has_lines = False

    @property
    def baud(self) -> int:
        """The baud rate of the host's side."""
        return int(self._device.baudrate)

    @baud.setter
    def baud(self, baud: int) -> None:
        try:
            if baud != self._device.baudrate:
                self._device.baudrate = baud
        except _LOST as error:
            raise self._failure(f"changing to {baud} baud", error) from error

    def close(self) -> None:
        """Close the device; a port that is gone already is not an error."""
        self._fd = None  # the number may soon be another file's
        with contextlib.suppress(OSError, EspError):
            self._device.close()

    def _poll(self, wait_s: float) -> bytes:
        """Read by short blocking reads, where nothing tells when a byte has come.

        Without a wait it returns the bytes received and does not block.
        """
        end = self.clock.now() + wait_s
        while (waiting := self._device.in_waiting) or self.clock.now() < end:
            if data := self._device.read(waiting or 1):
                return bytes(data)
        return b""

    def _set_both(self, dtr: bool, rts: bool) -> bool:
        """Set DTR and RTS in one system call (TIOCMSET), where that exists."""
        if self._fd is None or self._is_socket():
            return False
        import fcntl

        held = struct.unpack("I", fcntl.ioctl(self._fd, termios.TIOCMGET, bytes(4)))[0]
        held &= ~(termios.TIOCM_DTR | termios.TIOCM_RTS)
        held |= (termios.TIOCM_DTR if dtr else 0) | (termios.TIOCM_RTS if rts else 0)
        fcntl.ioctl(self._fd, termios.TIOCMSET, struct.pack("I", held))
        self._device._dtr_state, self._device._rts_state = dtr, rts  # pyserial's own copies
        return True

    def _is_socket(self) -> bool:
        return _scheme(self.url) == "socket"

    def _failure(self, doing: str, error: Exception) -> PortError:
        """Return what went wrong with the device as an error of ours."""
        if isinstance(error, serial.SerialTimeoutException):
            return PortStalled(
                f"{self.url} is open but has accepted no data for {WRITE_TIMEOUT_S:.0f} s",
                hint="nothing reads at the other end, or flow control blocks it; `reconnect` "
                "resets it",
                port=self.url,
            )
        message = f"lost {self.url} while {doing}: {_reason(error)}"
        return PortError(message, hint=_LOST_HINT, port=self.url)


def open_port(url: str, baud: int) -> SerialPort:
    """Open a device, ``usb:SERIAL`` or URL.

    Raises: PortError if it does not exist, is in use or may not be used; UsageError for a URL of
    another kind; BenchError if no device has the serial number.
    """
    url = ports.device_of(url)
    if _SIMULATORS not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(_SIMULATORS)
    try:
        _check_place(url)
        scheme = _scheme(url)
        can_wait = scheme == "sim" or (os.name == "posix" and scheme in ("", "socket"))
        if scheme == "rfc2217":  # pyserial 3.5 names its thread by calls that Python deprecates
            warnings.filterwarnings(
                "ignore", category=DeprecationWarning, module=r"serial\.rfc2217"
            )
        device = serial.serial_for_url(url, do_not_open=True)
        device.baudrate = baud
        device.timeout = 0 if can_wait else _POLL_S
        if scheme != "rfc2217":  # pyserial does not implement it there
            device.write_timeout = WRITE_TIMEOUT_S
        if os.name == "posix" and "://" not in url:
            device.exclusive = True
        device.open()
    except EspError:
        raise
    except (ValueError, OverflowError) as error:
        raise UsageError(f"cannot open `{url}`: {_reason(error)}", hint=_URL_HINT) from error
    except _SYSTEM_ERRORS as error:
        reason = _reason(error)
        hint = next((hint for words, hint in _OPEN_HINTS.items() if words in reason), "")
        raise PortError(f"cannot open {url}: {reason}", hint=hint, port=url) from error
    return SerialPort(url, device)


_URL_HINT = (
    "a port is a device such as /dev/ttyUSB0 or COM3, usb:SERIAL, socket://, rfc2217://"
    " or sim://CHIP"
)


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else ""


def _check_place(url: str) -> None:
    """Require a network URL with host and port, and a path that can be one. Raises: ValueError."""
    if "\0" in url:
        raise ValueError("it contains a NUL")
    if _scheme(url) not in ("socket", "rfc2217"):
        return
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname and parts.port)
    except ValueError:
        is_complete = False
    if not is_complete:
        raise ValueError("expected a host and a port up to 65535: socket://HOST:PORT")


def _descriptor(device: Any) -> int | None:
    if os.name != "posix" or device.timeout != 0:
        return None
    try:
        return int(device.fileno())
    except (OSError, AttributeError):
        return None


_WORDS = {
    errno.EAGAIN: "in use by another program",  # pyserial's exclusive lock
    errno.EBUSY: "in use by another program",
    errno.ENOTTY: "it is not a serial port",
}


def _reason(error: Exception) -> str:
    """Return the system's reason, without the words that pyserial puts around it."""
    source: BaseException = error
    if isinstance(error, serial.SerialException) and isinstance(error.__context__, _SYSTEM_ERRORS):
        source = error.__context__
    number, *rest = source.args or ("",)
    text = str(rest[0] if rest else number)
    if "readiness to read" in text:
        text = "it was unplugged, or its other end was closed"
    return _WORDS.get(number) or f"{text[:1].lower()}{text[1:]}".replace("\n", " ")


_OPEN_HINTS = {
    "permission": "does this user have permission? (on Linux: group dialout)",
    "no such file": "is it plugged in, and is the name right?",
    "in use": "close the other program first",
}
"""Advice on a port that cannot be opened, by words of the reason."""
