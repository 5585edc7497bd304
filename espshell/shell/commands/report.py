"""report: what this board is, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.shell.arguments.types import FILE
from espshell.shell.registry import Registry
from espshell.shell.session import Session

VERBS = Registry("Chip")


@dataclass(frozen=True, slots=True)
class Reported(Result):
    """A report was written."""

    file: str
    sections: tuple[str, ...]
    missing: tuple[str, ...]
    """Sections for which the board gave no answer."""


@VERBS.add("report", needs="chip")
def report(session: Session, file: Annotated[Path, FILE]) -> Reported:
    """Write a report on this board: HTML, Markdown or JSON, by the file's suffix.

    Contains chip, eFuse summary, flash part, status registers, SFDP, partitions with application
    versions, pins, and the results of the script so far. report board.html; report board.md; report
    board.json. What cannot be read is named in the report and is not a failure; if the board is
    lost, the report is written and the command fails. The option --report FILE of the program
    writes one at the end, also of a script that fails or a board that is lost.

    Example: report board.html
    """
    from espshell.shell import report_page

    report_page.require_format(file)
    result = report_page.write(session, file)
    if result.fault is not None:
        raise result.fault
    names = tuple(section.name for section in result.sections)
    missing = tuple(section.name for section in result.sections if section.error)
    return Reported(str(file), names, missing)
