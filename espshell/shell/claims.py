"""Which board writes which file, where one command line runs on several.

What names are the same on all boards shows before any is started (``check``).  A name from a value
of the chip does not: the first board that writes a file has it, and the next one is refused, so
that nothing is lost in silence.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from espshell import files
from espshell.errors import UsageError
from espshell.shell.settings import PORT_PLACE

FOLDER = "ESPSHELL_CLAIMS"
"""The environment variable with the folder that the programs of all boards share."""

HINT = f"{PORT_PLACE} in the name stands for the board"


def are_kept() -> bool:
    """Return whether other boards run the same lines."""
    return FOLDER in os.environ


def require_own(path: Path, port: str) -> None:
    """Take a file for the board on a port. Raises: UsageError if another board has it."""
    folder = os.environ.get(FOLDER)
    if not folder or is_device(path):
        return
    name = hashlib.sha256(os.fsencode(files.real_path(path))).hexdigest()
    claim = Path(folder, name)
    try:
        with open(claim, "x", encoding="utf-8") as file:
            file.write(port)
    except FileExistsError:
        if (owner := claim.read_text("utf-8")) != port:
            raise UsageError(f"{path}: the board on {owner} has written it", hint=HINT) from None


def is_device(path: Path) -> bool:
    """Return whether a path is none of a file that could be overwritten: a device, a pipe."""
    return files.exists(path) and not files.is_file(path)


def written_behind(pipe: str) -> Iterator[str]:
    """Yield the files that a line of the system's shell writes by redirects and ``tee``.

    Those whose names the shell makes of others (``$x``, ``*``) are not known.
    """
    cutter = shlex.shlex(pipe, punctuation_chars=True)  # with its quotes
    cutter.whitespace_split = True
    try:
        words = list(cutter)
    except ValueError:  # an open quote: the system's shell refuses it
        return
    is_tee = False
    for before, word, behind in zip(["", *words], words, [*words[1:], ""], strict=False):
        if not set(word) - set("|&;()"):
            is_tee = False
        elif set(word) <= set("<>&|") or (word.isdigit() and set(behind) & set("<>")):
            continue
        elif set(before) <= set("<>&|") and set(before) & set("<>"):
            if ">" in before and not word.isdigit() and not set(word) & _EXPANDED:
                yield word.strip("'\"")
        elif is_tee and not word.startswith("-"):
            if not set(word) & _EXPANDED:
                yield word.strip("'\"")
        else:
            is_tee |= os.path.basename(word) == "tee"


_EXPANDED = set("$`*?[")
