"""How a command ended."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.errors import EspError


@dataclass(frozen=True, slots=True)
class Shown:
    """A result that has been shown already, such as a dump row by row."""

    result: object


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one command; ``status`` is the exit status that it means."""

    status: int
    result: object = None
    error: EspError | None = None

    @property
    def bare(self) -> object:
        """The result, without the mark that it has been shown."""
        return self.result.result if isinstance(self.result, Shown) else self.result
