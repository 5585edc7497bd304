"""The verdicts of a run as JUnit XML, which CI servers and test managers read.

A script is a suite.  Each line that judges the chip (``expect``, ``verify``, ``wait``, ``fails``,
``memtest``, ``need``) is a case, and so is any other line that fails: a finding about the chip is a
failure, everything else an error.  What the line has printed is attached.

Source: the schema of the Jenkins xUnit plugin, as pytest writes it.
"""

from __future__ import annotations

import contextlib
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from espshell import __version__, files
from espshell.device import Target
from espshell.errors import EspError, printable
from espshell.ops.chip import info

_FAILURE = 1
"""The exit status of a finding about the chip."""


@dataclass
class Case:
    """One line that was run; ``status`` is its exit status."""

    suite: str
    name: str
    seconds: float = 0.0
    status: int = 0
    message: str = ""
    output: str = ""
    is_ignored: bool = False
    """Whether the script says that it may fail."""


@dataclass
class Report:
    """What a run has found so far."""

    path: Path
    cases: list[Case] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    def describe(self, target: Target) -> None:
        """Note which board it is, once: chip, MAC, port, loader."""
        if self.properties:
            return
        self.properties = {
            "chip": target.chip.name,
            "port": target.link.port.url,
            "loader": target.loader.dialect.name,
            "espshell": __version__,
            "python": platform.python_version(),
        }
        with contextlib.suppress(EspError):  # a chip in secure download mode does not tell
            self.properties["mac"] = info.mac(target).mac

    def refuse(self, error: EspError) -> None:
        """Note what kept the run from beginning."""
        case = Case("espshell", "start", status=error.status, message=error.one_line())
        self.cases.append(case)

    def write(self) -> None:
        """Write the file, whole or not at all. Raises: UsageError."""
        root = Element("testsuites", {"name": "espshell"})
        for name in dict.fromkeys(case.suite for case in self.cases) or ("espshell",):
            cases = [case for case in self.cases if case.suite == name]
            root.append(self._suite(name, cases))
        indent(root)
        with files.new_file(self.path) as temporary:
            ElementTree(root).write(temporary, "utf-8", xml_declaration=True)

    def _suite(self, name: str, cases: list[Case]) -> Element:
        judged = [case for case in cases if not case.is_ignored]
        suite = Element(
            "testsuite",
            {
                "name": name,
                "tests": str(len(cases)),
                "failures": str(sum(case.status == _FAILURE for case in judged)),
                "errors": str(sum(case.status > _FAILURE for case in judged)),
                "skipped": str(len(cases) - len(judged)),
                "time": f"{sum(case.seconds for case in cases):.6f}",
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.began)),
                "hostname": platform.node(),
            },
        )
        properties = SubElement(suite, "properties")
        for key, value in self.properties.items():
            SubElement(properties, "property", {"name": key, "value": _text(value)})
        suite.extend(_element(case) for case in cases)
        return suite


def _element(case: Case) -> Element:
    element = Element(
        "testcase",
        {"classname": _text(case.suite), "name": _text(case.name), "time": f"{case.seconds:.6f}"},
    )
    if case.status:
        kind = "failure" if case.status == _FAILURE else "error"
        kind = "skipped" if case.is_ignored else kind
        attributes = {"message": _text(case.message)}
        if kind != "skipped":
            attributes["type"] = f"status {case.status}"
        SubElement(element, kind, attributes).text = _text(case.message)
    if case.output:
        SubElement(element, "system-out").text = _text(case.output)
    return element


def _text(text: str) -> str:
    r"""Return a text that XML can hold: ``\x1b`` for ESC."""
    return printable(text)
