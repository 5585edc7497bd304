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
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from espshell import __version__, files
from espshell.device import Target
from espshell.errors import EspError, printable
from espshell.ops.chip import info
from espshell.records import dataclass, field

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
    properties: dict[str, str] = field(
        default_factory=lambda: {"espshell": __version__, "python": platform.python_version()}
    )
    began: float = field(default_factory=time.time)
    failures: int = 0
    """Cases that have failed, those that may included."""
    _named: Counter[tuple[str, str]] = field(default_factory=Counter)

    def describe(self, target: Target) -> None:
        """Note which board it is, once: chip, MAC, port, loader."""
        if "chip" in self.properties:
            return
        self.properties |= {
            "chip": target.chip.name,
            "port": target.link.port.url,
            "loader": target.loader.dialect.name,
        }
        with contextlib.suppress(EspError):  # a chip in secure download mode does not tell
            self.properties["mac"] = info.mac(target).mac

    def refuse(self, error: EspError) -> None:
        """Note what kept the run from beginning."""
        self.add(Case("espshell", "start"), error)

    def add(self, case: Case, error: EspError | None) -> None:
        """Note a line that has been run, and how it has failed."""
        if error is not None:
            case.status, case.message = error.status, error.one_line()
        self.failures += bool(case.status)
        self._named[case.suite, case.name] += 1
        if (count := self._named[case.suite, case.name]) > 1:
            case.name += f" ({count})"  # in a loop; readers take a name for one case
        self.cases.append(case)

    def write(self) -> None:
        """Write the file, whole or not at all. Raises: UsageError."""
        with files.new_file(self.path) as temporary:
            temporary.write_text(self.document(), encoding="utf-8")

    def document(self) -> str:
        """Return all of it as XML."""
        root = Element("testsuites", {"name": "espshell"})
        for name in dict.fromkeys(case.suite for case in self.cases) or ("espshell",):
            cases = [case for case in self.cases if case.suite == name]
            root.append(self._suite(name, cases))
        indent(root)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, "unicode")}\n'

    def _suite(self, name: str, cases: list[Case]) -> Element:
        judged = [case for case in cases if not case.is_ignored]
        suite = Element(
            "testsuite",
            {
                "name": _text(name),
                "tests": str(len(cases)),
                "failures": str(sum(case.status == _FAILURE for case in judged)),
                "errors": str(sum(case.status > _FAILURE for case in judged)),
                "skipped": str(len(cases) - len(judged)),
                "time": f"{sum(case.seconds for case in cases):.3f}",
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
        {"classname": _text(case.suite), "name": _text(case.name), "time": f"{case.seconds:.3f}"},
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
