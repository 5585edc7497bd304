"""The output of a program that uses the shell's commands and shows nothing."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from espshell.errors import EspError
from espshell.ops.result import Report, Step
from espshell.shell.output import Output

if TYPE_CHECKING:
    from espshell.render.document import Document

_log = logging.getLogger("espshell")


class ProgressFailed(EspError):
    """The function that is told of progress has raised its cause, which ends the operation."""


class QuietOutput(Output):
    """An output that shows nothing: notes go to the logger, progress to a function."""

    def __init__(self, report: Report | None) -> None:
        super().__init__(color="never", stdout=io.StringIO(), stderr=io.StringIO())
        self._report = report

    def write(self, text: str) -> None:
        """Write the text of a result where a line sends it: to a file, a program, a transcript."""
        if self._is_read:
            super().write(text)
            if not self._redirected:
                self._stdout.seek(0)
                self._stdout.truncate()

    def show(self, document: Document, *, paged: bool = True) -> None:
        """Draw a result where a line sends it."""
        if self._is_read:
            super().show(document, paged=paged)

    @property
    def _is_read(self) -> bool:
        return self._redirected or self.transcript is not None or bool(self.records)

    def note(self, text: str) -> None:
        """Tell the logger."""
        _log.info("%s", text)

    def error(self, text: str) -> None:
        """Tell the logger."""
        _log.error("%s", text)

    def plain(self, text: str) -> None:
        """Drop the line of a script: the exception has it."""

    def progress(self, step: Step) -> None:
        """Tell the function that ``connect`` was given."""
        if self._report is None:
            return
        try:
            self._report(step)
        except Exception as error:
            raise ProgressFailed("the function for progress has failed") from error
