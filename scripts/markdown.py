"""Pieces of Markdown, for the pages that are generated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`]*`)")


def slug(text: str) -> str:
    """Return a heading as it stands in an address."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def prose(text: str) -> str:
    """Return a text of the program with what Markdown would take for markup escaped."""
    plain = {ord(mark): f"\\{mark}" for mark in "*_<[]|"}
    pieces = enumerate(_CODE.split(text.replace("``", "`")))
    return "".join(piece if n % 2 else piece.translate(plain) for n, piece in pieces)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell or ' ' for cell in row)} |\n" for row in lines)


def code(text: str) -> str:
    """Return a text as code; a bar in it is none of a table, as Python-Markdown takes it."""
    return f"`{text}`"
