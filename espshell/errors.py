"""Every error that espshell raises on purpose, divided by who must act.

    EspError                      message, hint; carries the exit status
    ├── UsageError          2     the person: a command line or a script is wrong
    ├── DeviceError         1     the chip: it replied, and the reply reports or shows a fault
    │   ├── Refused         1     its loader refused a command; carries the status code
    │   └── ReadsDiffer     1     two readings of the same place disagree
    ├── BenchError          3     the bench: port, cable, power, wiring
    │   ├── PortError       3     the port cannot be opened, or was lost
    │   │   └── PortStalled 3     it is there, and accepts no bytes
    │   ├── NoSync          3     the port opens, but no loader replies
    │   └── NoReply         3     a loader that replied before has stopped
    └── ScriptError               any of these in a file, with the place and its own status

A message says what was expected and what came instead.  Advice is in ``hint``.
"""

from __future__ import annotations

from typing import ClassVar

from espshell import messages


class EspError(Exception):
    """The root of all errors; one line explains each to a person or a script."""

    exit_status: ClassVar[int] = 1

    def __init__(
        self, message: str, *, hint: str = "", status: int | None = None, column: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = self.exit_status if status is None else status
        """The exit status of a program that ends with this error."""
        self.column = column
        """Where in its line the fault is, from 1; 0 where that is not known."""

    @property
    def slug(self) -> str:
        """The section of the manual, and of ``help``, that explains it: ``no-sync``."""
        return messages.slug_of(self.message, self.status)

    def one_line(self) -> str:
        """Return message and hint as one line, safe for a terminal."""
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return printable(" ".join(text.split()))

    def with_link(self) -> str:
        """Return the line with the command that explains it, if one says more than the hint."""
        return "; ".join(filter(None, (self.one_line(), messages.link(self.slug))))


class UsageError(EspError):
    """The command line or its arguments are wrong; nothing was sent."""

    exit_status = 2


class DeviceError(EspError):
    """The device replied, and the reply reports or shows a fault."""

    exit_status = 1


class Refused(DeviceError):
    """The loader refused a command; ``code`` is its 16-bit status (reason in the low byte)."""

    def __init__(self, message: str, *, code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class ReadsDiffer(DeviceError):
    """Two reads of the same address gave different values."""


class BenchError(EspError):
    """Port, cable, power or wiring; trying again may help."""

    exit_status = 3


class PortError(BenchError):
    """The port could not be opened, or was lost; ``port`` is its URL, where the error has one."""

    def __init__(self, message: str, *, hint: str = "", port: str = "") -> None:
        super().__init__(message, hint=hint)
        self.port = port


class PortStalled(PortError):
    """The port is there, and accepts no bytes."""


class NoSync(BenchError):
    """No loader replied on the port."""


class NoReply(BenchError):
    """A connected loader has stopped replying."""


class ScriptError(EspError):
    """An error at a line of a script: ``file:line: command: reason``.

    ``place`` is the file and the line; it may be empty.
    """

    def __init__(
        self, place: str, error: EspError, *, source: str, command: str | None = None
    ) -> None:
        message = _joined(place, command, error.message)
        super().__init__(message, hint=error.hint, status=error.status)
        self.source = source
        self.place = place
        self.column = error.column
        self.command = command
        """The command's name, if the line could be parsed."""
        self.reason = _joined(place, error.message)
        """The message without the command's name."""

    def at_column(self) -> str:
        """Return the error in one line, as compilers write it: ``file:line:column: message``."""
        return self.one_line().replace(self.place, f"{self.place}:{self.column or 1}", 1)


def _joined(*parts: str | None) -> str:
    return ": ".join(part for part in parts if part)


def printable(text: str) -> str:
    r"""Return a text that is safe on a terminal: ``\x1b`` for ESC; line ends and tabs stay."""
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
    return "".join(shown)


def system_reason(error: OSError) -> str:
    """Return the system's reason in lower case, to end a sentence with."""
    text = error.strerror or "the system refused it"
    return f"{text[:1].lower()}{text[1:]}"


def file_error(verb: str, path: object, error: OSError) -> UsageError:
    """Return the error ``cannot write PATH: no space left on device``."""
    return UsageError(f"cannot {verb} {path}: {system_reason(error)}")
