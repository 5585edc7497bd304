"""A connected session that runs lines of the shell for a program."""

from __future__ import annotations

import os
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TypeVar, overload

from espshell.api.words import line
from espshell.device import Target
from espshell.ops.result import Result
from espshell.shell import check, lines, script
from espshell.shell.quiet_output import ProgressFailed
from espshell.shell.runner import Runner
from espshell.shell.session import Session

C = TypeVar("C", bound="ChipConnection")
R = TypeVar("R", bound=Result)
S = TypeVar("S", bound=Result)


class ChipConnection:
    """The connection to a chip, on which lines of the shell run, one at a time."""

    def __init__(self, session: Session) -> None:
        self.session = session
        """The state behind it: settings, journal, connection."""
        self._runner = Runner(session)
        self._turn = RLock()  # threads take turns

    def __repr__(self) -> str:
        target = self.session.target
        where = f"{target.chip.name} on {target.link.port.url}" if target else "closed"
        return f"<{type(self).__name__} {where}>"

    def __enter__(self: C) -> C:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the chip and close the port; closed already, it stays so."""
        with self._turn:
            self.session.close()

    @property
    def target(self) -> Target:
        """The chip's facts, loader and spaces, for the operations of the library.

        Raises: BenchError once it is closed.
        """
        return self.session.chip

    @property
    def name(self) -> str:
        """The chip, such as ``esp32c3``."""
        return self.target.chip.name

    def run(self, text: str) -> Result | None:
        """Run a line of the shell; return the result of its last command. Raises: EspError."""
        result: Result | None = None
        with self._turn:
            for command in lines.parse(self.session, text):
                outcome = self._runner.run(command)
                result = outcome.bare
                if outcome.error is not None and result is None and not command.ignore_failure:
                    # What a program's own function has raised, or else the error itself.
                    own = isinstance(outcome.error, ProgressFailed) and outcome.error.__cause__
                    raise own or outcome.error
        return result

    def run_script(self, path: str | os.PathLike[str], *arguments: object) -> int:
        """Check all of a script and run it; return 0, or the worst status if it keeps going.

        Raises: ScriptError, with file and line, at the first line that is wrong or fails.
        """
        text, words = script.read(Path(path)), [str(argument) for argument in arguments]
        with self._turn:
            check.check(self.session, (text, words), to_run=True)
            return self._runner.run_script(text, words)

    @overload
    def _call(self, kind: type[R], name: str, *words: object, **options: object) -> R: ...

    @overload
    def _call(
        self, kind: tuple[type[R], type[S]], name: str, *words: object, **options: object
    ) -> R | S: ...

    def _call(
        self,
        kind: type[Result] | tuple[type[Result], ...],
        name: str,
        *words: object,
        **options: object,
    ) -> Result:
        """Run a command with options and arguments; return its result, which is of that kind."""
        result = self.run(line(name, words, options))
        if not isinstance(result, kind):
            raise TypeError(f"`{name}` returned an unexpected {type(result).__name__}")
        return result
