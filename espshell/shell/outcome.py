"""How a command ended."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.errors import EspError


@dataclass(frozen=True, slots=True)
class Shown:
    """A result that has been shown while it was made: a dump, row by row."""

    result: object


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one command ended; ``status`` is what a program would exit with."""

    status: int
    result: object = None
    error: EspError | None = None

    @property
    def bare(self) -> object:
        """The result itself, whether it has been shown or not."""
        return self.result.result if isinstance(self.result, Shown) else self.result
