"""efuse: what is burnt into the chip, read-only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from espshell import files
from espshell.efuse import table
from espshell.ops.chip import efuse as ops
from espshell.ops.chip import info
from espshell.records import replace
from espshell.shell.arguments.types import FILE, INPUT_FILE, TEXT, Completed, Scope
from espshell.shell.declaration import Option, Trait
from espshell.shell.registry import Registry
from espshell.shell.session import Session

VERBS = Registry("Chip")

Keys = Annotated[bool, Option("--keys", "also show keys that can be read")]


def _complete(text: str, scope: Scope) -> Iterable[Completed]:
    """Return the names of fields and what they mean; none without a chip."""
    names = scope.space("efuse").names(text) if scope.chip else ()
    fuses = table.of(scope.chip.name) if scope.chip else None
    for name in names:
        fuse = fuses.find(name) if fuses else None
        yield name, fuse.meaning.text if fuse else ""


FIELD = replace(TEXT, kind="eFuse", complete=_complete, label="PATTERN")
"""The name of a field, a part of names, or a pattern."""


@VERBS.add("efuse", needs="chip", traits=Trait.WORDS_TOO)
def efuse(
    session: Session, pattern: Annotated[str, FIELD] = "", *, keys: Keys = False
) -> ops.Fuses | ops.FuseDetail | info.SecurityReport:
    """Show the eFuses and what they allow and forbid; never burns any.

    Without a pattern: a summary first (flashing, firmware, JTAG, USB, rollback, flash supply, keys,
    and what is one step from irreversible), then all fields by theme with value, r (readable), w
    (can be burnt) and meaning. `efuse *USB*`, `efuse jtag` (a theme) and `efuse PURPOSE` show a
    selection, `efuse SECURE_VERSION` one field in detail. In expressions `efuse:SECURE_VERSION` is
    the field's value. Readable keys are shown with --keys only. To burn eFuses use espefuse.

    Example: efuse *USB*
    """
    report = ops.secure_report(session.chip)
    if report is not None:
        session.output.note(
            "secure download mode: no eFuse can be read; this is what the ROM reports"
        )
        return report
    return ops.show(session.chip, pattern, keys=keys)


@VERBS.add("efuse save", needs="memory")
def save(session: Session, file: Annotated[Path, FILE], *, keys: Keys = False) -> ops.FusesSaved:
    """Save the words of all blocks to a JSON file for `efuse diff`.

    Blocks with a readable key are included with --keys only.

    Example: efuse save efuses.json
    """
    contents, saved = ops.words(session.chip, keys=keys)
    files.write_bytes(file, (json.dumps(contents, indent=2) + "\n").encode())
    return replace(saved, file=str(file))


@VERBS.add("efuse diff", needs="memory")
def diff(session: Session, file: Annotated[Path, INPUT_FILE]) -> ops.FuseDiff:
    """Compare with a file of `efuse save`, for instance of another board.

    Status 1 if anything differs; two chips always differ at least in their MAC.

    Example: efuse save efuses.json; efuse diff efuses.json
    """
    try:
        saved = files.parse_json(files.read_bytes(file, files.JSON))
    except ValueError:
        saved = None
    return ops.compare(session.chip, str(file), saved)
