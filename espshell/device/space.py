"""What all spaces have in common: ranges of bytes that can be checked and read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Space(Protocol):
    """``mem:`` or ``flash:``, as the verbs that read see it."""

    @property
    def name(self) -> str:
        """The word before the colon."""

    def check(self, address: int, size: int, *, write: bool = False) -> None:
        """Require a range that is there. Raises: UsageError; nothing is sent that could do harm."""

    def chunks(self, address: int, size: int) -> Iterator[bytes]:
        """Yield a range of any alignment in pieces, as they arrive, together exactly ``size``."""

    def read(self, address: int, size: int) -> bytes:
        """Return a range of any alignment."""

    def words(self, address: int, count: int) -> list[int]:
        """Return consecutive words; ``address`` is a multiple of 4."""
