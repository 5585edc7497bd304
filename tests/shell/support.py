"""A session on a simulated chip, with what it says caught."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from espshell.errors import ScriptError
from espshell.shell import script
from espshell.shell.check import check
from espshell.shell.crash import InternalError
from espshell.shell.output import Output
from espshell.shell.runner import Runner
from espshell.shell.script import Script
from espshell.shell.session import Session
from espshell.shell.settings import Bench

RAM = 0x3FC9_0000
"""An address in the data RAM of the chip that the sessions are connected to."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a line or a script."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects that were printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """A session, and how to talk to it."""

    def __init__(self) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        output = Output(stdout=self._out, stderr=self._err)
        self.session = Session(output, Bench(port="sim://esp32c3"))
        self.runner = Runner(self.session)

    def connect(self, options: str = "") -> Shell:
        """Connect to an ESP32-C3, perhaps with options of the simulator."""
        self.session.connect(Bench(port=f"sim://esp32c3{options}"))
        return self

    def type(self, line: str) -> Ran:
        """Run a line as from the prompt."""
        return self.said(self.runner.run_line(line), may_be_bug=False)

    def script(self, text: str, *arguments: str, name: str = "test.espsh") -> Ran:
        """Check and run a script as the program does with one; an error is its status."""
        try:
            given = Script(name, text, self.session.folder)
            check(self.session, (given, arguments), to_run=True)
            status = self.runner.run_script(given, arguments)
        except ScriptError as error:
            script.report(self.session.output, error)
            status = error.status
        return self.said(status, may_be_bug=False)

    def said(self, status: int, *, may_be_bug: bool = True) -> Ran:
        """Return what was said since the last time; no line that a test runs meets a bug."""
        told = [stream.getvalue() for stream in (self._out, self._err)]
        for stream in (self._out, self._err):
            stream.seek(0)
            stream.truncate()
        assert may_be_bug or status != InternalError.exit_status, told
        return Ran(status, *told)
