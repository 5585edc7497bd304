"""Patterns that are compiled at first use are those of ``re``."""

from __future__ import annotations

import re

import pytest

from espshell import regex


def test_a_late_pattern_is_that_of_re() -> None:
    """Methods and attributes are those of the compiled pattern; a wrong one fails in use."""
    late, pattern = regex.late(r"(a+)b", re.IGNORECASE), re.compile(r"(a+)b", re.IGNORECASE)
    assert (late.pattern, late.flags, late.groups) == (r"(a+)b", pattern.flags, 1)
    for text in ("AAB", "xab", "ba"):
        for method in ("match", "fullmatch", "search"):
            ours, theirs = getattr(late, method)(text), getattr(pattern, method)(text)
            assert (ours and ours.span(1)) == (theirs and theirs.span(1))
    assert late.sub("-", "xAby") == "x-y"
    assert regex.late(rb"\xdb").split(b"1\xdb2") == [b"1", b"2"]
    wrong = regex.late("(")
    with pytest.raises(re.error):
        wrong.match("")
