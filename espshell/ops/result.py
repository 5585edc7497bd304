"""What every result of an operation can be asked, and how progress of a long one is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from espshell.errors import DeviceError
from espshell.records import dataclass

R = TypeVar("R", bound="Result")


class Result:
    """The base of results: frozen values that answer these questions; most answers are the same.

    A subclass answers with a property, or with a field that has a default.
    """

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether it is as expected: what is not is the device's fault, and exit status 1."""
        return not self.failure

    @property
    def failure(self) -> str:
        """One line on what is not as expected; empty if all is."""
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that a person should read, and that are not part of the value."""
        return ()

    @property
    def interrupted(self) -> bool:
        """Whether a person has ended it by Ctrl-C, and with it a script."""
        return False

    @property
    def last_value(self) -> int | str | None:
        """The value that ``$_`` becomes; None leaves it as it is."""
        return None

    def require_ok(self: R) -> R:
        """Return the result if it is as expected. Raises: DeviceError, with its ``failure``."""
        if not self.ok:
            raise DeviceError(self.failure)
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """How far an action has come, in bytes."""

    action: str
    done: int
    total: int


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Ignore progress."""
