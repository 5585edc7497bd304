"""Every error that espshell raises on purpose, split by who must act.

    EspError                      message, hint; carries the exit status
    ├── UsageError          2     the person: what was typed cannot be meant
    ├── DeviceError         1     the chip: it answered, and the answer is not good
    │   ├── Refused         1     its loader refused a command; carries the status code
    │   └── ReadsDiffer     1     two readings of the same place disagree
    ├── BenchError          3     the bench: port, cable, power, wiring
    │   ├── PortError       3     the port cannot be opened, or was lost
    │   │   └── PortStalled 3     it is there, and takes no bytes
    │   ├── NoSync          3     something is there, but no loader answers
    │   └── NoReply         3     a loader that answered before has stopped
    └── ScriptError               any of these in a file, with the place and its own status

A message says what was expected and what came.  Advice goes into ``hint``.
"""

from __future__ import annotations

from typing import ClassVar


class EspError(Exception):
    """The root: something that a person or a script should be told in one line."""

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = self.exit_status
        """What a program that ends with this error exits with."""

    def one_line(self) -> str:
        """Return message and hint as one line."""
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return printable(" ".join(text.split()))


class UsageError(EspError):
    """The line or its arguments are wrong; nothing was sent."""

    exit_status = 2


class DeviceError(EspError):
    """The device answered, and the answer is not what was asked for."""

    exit_status = 1


class Refused(DeviceError):
    """The loader refused a command; ``code`` is its 16-bit status (reason in the low byte)."""

    def __init__(self, message: str, *, code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class ReadsDiffer(DeviceError):
    """Two readings of the same address gave different values."""


class BenchError(EspError):
    """Port, cable, power or wiring; trying again may help."""

    exit_status = 3


class PortError(BenchError):
    """The port could not be opened, or went away."""


class PortStalled(PortError):
    """The port is there, and takes no bytes."""


class NoSync(BenchError):
    """No loader answered on the port."""


class NoReply(BenchError):
    """A loader that was connected has stopped answering."""


class ScriptError(EspError):
    """What happened at a line of a script: ``file:line: command: reason``.

    ``place`` is the file and the line, empty for a line that needs none.
    """

    def __init__(
        self, place: str, error: EspError, *, source: str, command: str | None = None
    ) -> None:
        super().__init__(_joined(place, command, error.message), hint=error.hint)
        self.status = error.status
        self.source = source
        self.command = command
        """The command's name, where the line could be cut into commands."""
        self.reason = _joined(place, error.message)
        """The message for who has the command's name besides."""


def _joined(*parts: str | None) -> str:
    return ": ".join(part for part in parts if part)


def printable(text: str) -> str:
    r"""Return a text in which nothing moves a cursor or changes a terminal: ``\x1b`` for ESC.

    All that is printable stays, and so do line ends and tabs.
    """
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
    return "".join(shown)


def system_reason(error: OSError) -> str:
    """Return the system's word for what happened, as the end of a sentence of ours."""
    text = error.strerror or "the system refuses it"
    return f"{text[:1].lower()}{text[1:]}"


def file_error(verb: str, path: object, error: OSError) -> UsageError:
    """Return ``cannot write PATH: no space left on device`` for what the system refused."""
    return UsageError(f"cannot {verb} {path}: {system_reason(error)}")
