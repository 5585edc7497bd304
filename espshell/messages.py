"""The sections of the manual that explain what espshell says when something is wrong.

``data/messages.md`` is a page of the manual as it stands.  A section's heading is its slug; the
indented lines at its top are the sentences that it explains, with … for what changes.  Sections
below the second heading of the page are about lines and files, whose hints say enough.
"""

from __future__ import annotations

import pkgutil
import re
from functools import cache
from typing import NamedTuple

ANY = "…"
"""Stands for what changes in a sentence."""

_LEAST = 6
"""Characters that a sentence must have beside what changes, to be recognised by them."""

_GENERAL = {1: "device", 2: "usage", 3: "bench", 70: "bug"}
"""The sections of what no sentence explains, by exit status."""
_STOPPED = "stopped"


class Section(NamedTuple):
    """Sentences, and what is behind them."""

    slug: str
    sentences: tuple[str, ...]
    text: str
    """In Markdown."""
    is_trouble: bool
    """Whether it says more than the hints of its sentences."""

    @property
    def plain(self) -> str:
        """The sentences and the text, as topics of help are written."""
        rows = [f"  {line.replace(ANY, '...')}\n" for line in self.sentences]
        text = re.sub(r"```\w*\n(.*?)```", _indented, self.text, flags=re.DOTALL)
        return "".join([*rows, "\n" * bool(rows), text])


def _indented(block: re.Match[str]) -> str:
    return re.sub("^(?=.)", "  ", block[1], flags=re.MULTILINE)


def page() -> str:
    """Return the page, in Markdown."""
    return (pkgutil.get_data("espshell", "data/messages.md") or b"").decode()


@cache
def sections() -> dict[str, Section]:
    """Return the sections by their slugs, in the order of the page."""
    pieces = re.split(r"^## (\S+)\n", page(), flags=re.MULTILINE)
    parsed, is_trouble = {}, True
    for slug, body in zip(pieces[1::2], pieces[2::2], strict=True):
        body, *heading = re.split(r"^# .*\n", body, maxsplit=1, flags=re.MULTILINE)
        match = re.match(r"\n((?:    .*\n)*)", body)
        sentences = match[1] if match else ""
        lines = tuple(line.strip() for line in sentences.splitlines())
        text = body[len(sentences) :].strip()
        parsed[slug] = Section(slug, lines, f"{text}\n", is_trouble)
        is_trouble = is_trouble and not heading
    return parsed


def slug_of(message: str, status: int) -> str:
    """Return the slug of the section that explains a message: that of its closest sentence."""
    best, most = _GENERAL.get(status, _STOPPED), _LEAST - 1
    for section in sections().values():
        for sentence in section.sentences:
            pieces = sentence.split(ANY)
            size = sum(map(len, pieces))
            if size > most and all(piece in message for piece in pieces):
                pattern = ".*".join(map(re.escape, pieces))
                if re.fullmatch(f"(?:.*: )?{pattern}", message, re.DOTALL):
                    best, most = section.slug, size
    return best


def troubles() -> tuple[str, ...]:
    """Return the slugs of the sections that say more than hints."""
    return tuple(slug for slug, section in sections().items() if section.is_trouble)


def link(slug: str) -> str:
    """Return the advice to read a section; empty where it says no more than the hints do."""
    return f"`help {slug}` says more" if slug in troubles() else ""
