"""One test over the rows of a table, where a test of its own for each would cost more than it does.

pytest needs a millisecond and more for a test; what looks at a row needs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Row = TypeVar("Row")


def every(
    rows: Iterable[Row], name: Callable[[Row], object] = str
) -> Callable[[Callable[[Row], None]], Callable[[], None]]:
    """Run a test for each row; it fails with the name and the message of every row that does."""
    table = tuple(rows)
    assert table

    def decorated(test: Callable[[Row], None]) -> Callable[[], None]:
        def run() -> None:
            failures = []
            for row in table:
                try:
                    test(row)
                except AssertionError as error:
                    failures.append(f"{name(row)}: {error}")
            assert not failures, "\n".join(failures)

        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        return run

    return decorated
