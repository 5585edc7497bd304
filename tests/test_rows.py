"""A test over rows is as good as one test for each."""

from __future__ import annotations

import pytest

from tests.rows import every


def test_every_row_that_fails_is_named() -> None:
    """All rows are tried, and the message has the name and the reason of each that fails."""
    tried = []

    @every(range(4))
    def odd(row: int) -> None:
        """Even rows fail."""
        tried.append(row)
        assert row % 2, f"{row + 10} is even"

    with pytest.raises(AssertionError, match=r"(?s)^0: 10 is even.*\n2: 12 is even"):
        odd()
    assert tried == [0, 1, 2, 3]
    assert (odd.__name__, odd.__doc__) == ("odd", "Even rows fail.")
