"""What dumps have shown, by address, so that the next one marks what has changed since."""

from __future__ import annotations

from espshell.span import Span

_PAGE = 1024
_MOST_PAGES = 1024


class Dumps:
    """Bytes that were shown, wherever the dump began; of very many the oldest are forgotten."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, int], list[int | None]] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def recall(self, space: str, address: int, size: int) -> list[int | None] | None:
        """Return what each byte was, None for one that was not shown; None if none was."""
        span = Span.of(address, size)
        if not any((space, page) in self._pages for page in _pages(span)):
            return None
        blank = [None] * _PAGE
        cells: list[int | None] = []
        for page in _pages(span):
            cells += self._pages.get((space, page), blank)
        start = address % _PAGE
        return cells[start : start + size]

    def keep(self, space: str, address: int, data: bytes) -> None:
        """Keep what was shown."""
        for page in _pages(Span.of(address, len(data))):
            bytes_of_page = self._pages.pop((space, page), None) or [None] * _PAGE
            self._pages[space, page] = bytes_of_page  # the newest is the last
            start = max(address, page * _PAGE)
            end = min(address + len(data), (page + 1) * _PAGE)
            piece = data[start - address : end - address]
            bytes_of_page[start - page * _PAGE : end - page * _PAGE] = piece
        while len(self._pages) > _MOST_PAGES:
            del self._pages[next(iter(self._pages))]


def _pages(span: Span) -> range:
    return range(span.start // _PAGE, (span.end - 1) // _PAGE + 1)
