"""The verb ``expect``: a claim about the device, with both sides as they were found."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.ops.result import Result


@dataclass(frozen=True, slots=True)
class Expectation(Result):
    """Whether an expression was true.

    ``left``, ``operator`` and ``right`` are None where it is not one comparison; ``value`` is the
    expression's own.
    """

    expression: str
    value: int
    left: int | None = None
    operator: str | None = None
    right: int | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    """What to keep in mind about what was read for it."""

    @property
    def ok(self) -> bool:
        """Whether it was true."""
        return self.value != 0

    @property
    def failure(self) -> str:
        """Both sides, in hexadecimal and decimal."""
        prefix = f"{self.message}: " if self.message else ""
        if self.left is None or self.right is None:
            return f"{prefix}`{self.expression}` is {self.value:#x}"
        return (
            f"{prefix}`{self.expression}` is false: left is {self.left:#x} ({self.left}), "
            f"right is {self.right:#x} ({self.right})"
        )
