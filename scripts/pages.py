#!/usr/bin/env python3
"""Run the examples of pages: what stands in ``console`` blocks is typed, and its output compared.

    scripts/pages.py docs/howto/qe.md           compare
    scripts/pages.py --fill docs/howto/qe.md    write the real output into the page

A line ``espshell> LINE`` is typed at the prompt of one session for the whole page, a line
``$ espshell ARGUMENTS`` is a program of its own; both run in one folder.  ``$ echo $?`` is the
status of the program before.  What stands below is the expected output, errors included;
``...`` in it stands for anything, also for whole lines.  A question is answered with y.
It is what a person sees on a terminal of 80 columns, in colours that a page has not;
tests/test_pages_typed.py types the same in a real one.

Comments of the page, which no reader sees, say what differs from a demo board:

    <!-- port: sim://esp32c3?flash=W25Q32JV -->    what the session is connected to
    <!-- long -->                                  the page takes seconds: `scripts/test --all`
    <!-- fresh -->                                 each block begins with a board and a folder anew

A block with a title, as ``toml title="bench.toml"``, is written into the folder first.
This is no more than doctest's comparison around the program; sybil would bring the parsing of
Markdown, which is two expressions here, and could not fill in what is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyte

from espshell import cli
from espshell.shell.output import Output
from espshell.shell.runner import Runner
from espshell.shell.session import Quit, Session
from espshell.shell.settings import Bench
from espshell.sim import protocol_sim

DOCS = Path(__file__).parent.parent / "docs"
COLUMNS, LINES = 80, 24
"""Of the terminal that a page shows."""
PROMPT, SHELL, STATUS = "espshell> ", "$ espshell ", "$ echo $?"

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"<!-- port: (\S+) -->")
_FRESH = "<!-- fresh -->"
_COMPARE = doctest.OutputChecker().check_output


@dataclass(frozen=True)
class Example:
    """A typed line, and what is expected to come of it."""

    line: str
    expected: str

    def accepts(self, output: str) -> bool:
        """Return whether an output is the expected one."""
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE * ("..." in self.expected)
        return _COMPARE(self.expected, output, flags)

    def __str__(self) -> str:
        return f"{self.line}\n{self.expected}"


def is_typed(row: str) -> bool:
    """Return whether a row of a block is typed and no output."""
    return row.startswith((PROMPT, SHELL)) or row == STATUS


def examples(block: str) -> Iterator[Example]:
    """Yield the examples of a block; what stands before the first typed line is none."""
    example: Example | None = None
    for row in block.splitlines():
        if is_typed(row):
            if example:
                yield example
            example = Example(row, "")
        elif example:
            example = replace(example, expected=f"{example.expected}{row}\n")
    if example:
        yield example


class _Screen(io.StringIO):
    """A terminal, for whom output is folded and coloured."""

    def isatty(self) -> bool:
        """Return True: it is one."""
        return True


class Page:
    """A page in Markdown, and the session that its lines are typed into."""

    def __init__(
        self, text: str, port: str = "sim://demo", prepare: Callable[[Path], None] | None = None
    ) -> None:
        self.text = text
        self._prepare = prepare
        """Writes more files into the folder."""
        match = _PORT.search(text)
        self.port = match[1] if match else port
        self._session: Session | None = None
        self._out = _Screen()
        self.status = 0
        """The exit status of the last line."""

    @property
    def blocks(self) -> list[str]:
        """The blocks that are run."""
        return [block for block in _BLOCK.findall(self.text) if any(examples(block))]

    def filled(self) -> str:
        """Return the text with the real output below each line; what is right stays."""

        def run(match: re.Match[str]) -> str:
            self._begin_block()
            done = [(example, self.run(example)) for example in examples(match[1])]
            rows = (str(e) if e.accepts(out) else f"{e.line}\n{out}" for e, out in done)
            return "```console\n" + "".join(rows) + "```" if done else match[0]

        with self.prepared():
            return _BLOCK.sub(run, self.text)

    def differences(self) -> Iterator[tuple[Example, str]]:
        """Yield each example whose output is another one, with that."""
        with self.prepared():
            for block in self.blocks:
                self._begin_block()
                for example in examples(block):
                    if not example.accepts(output := self.run(example)):
                        yield example, output

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Stand in a folder with the files of the page; close the session in the end."""
        before, environment = Path.cwd(), dict(os.environ)
        kept = dict(protocol_sim._kept)  # noqa: SLF001 - boards of others stay as they are
        with tempfile.TemporaryDirectory() as folder:
            self._write_files(Path(folder))
            os.chdir(folder)
            os.environ.update(COLUMNS=str(COLUMNS), LINES=str(LINES), TERM="xterm-256color")
            os.environ.update(XDG_CONFIG_HOME=folder, XDG_STATE_HOME=folder, XDG_DATA_HOME=folder)
            try:
                yield
            finally:
                if self._session:
                    self._session.close()
                os.chdir(before)
                os.environ.clear()
                os.environ.update(environment)
                protocol_sim._kept.clear()  # noqa: SLF001
                protocol_sim._kept.update(kept)  # noqa: SLF001

    def _write_files(self, folder: Path) -> None:
        for name, contents in _FILE.findall(self.text):
            (folder / name).write_text(contents)
        if self._prepare:
            self._prepare(folder)

    def _begin_block(self) -> None:
        """Leave the board and what lies in the folder behind, where the page says so."""
        if _FRESH in self.text and self._session:
            self._session.close()
            self._session = None
            self._write_files(Path.cwd())

    def run(self, example: Example) -> str:
        """Return what a line says."""
        if example.line == STATUS:
            return f"{self.status}\n"
        if example.line.startswith(SHELL):
            return self._program(example.line[len(SHELL) :])
        session = self.session
        self._out.seek(0)
        self._out.truncate()
        with contextlib.suppress(Quit):
            self.status = Runner(session).run_line(example.line[len(PROMPT) :])
        return _plain(self._out.getvalue())

    @property
    def session(self) -> Session:
        """The session of the page, connected to its board."""
        if self._session is None:
            output = Output(stdout=self._out, stderr=self._out, color="always")
            self._session = Session(output, Bench(port=self.port))
            self._session.interactive = True
            self._session.ask = self._agree
            self._session.settings.shell = True  # as at the prompt
            protocol_sim._kept.clear()  # noqa: SLF001 - a board that nobody has touched
            self._session.connect(Bench(port=self.port))
        return self._session

    def _agree(self, question: str) -> bool:
        output = Output(stdout=self._out, stderr=self._out)
        self._out.write(f"{output.question(question)}y\n")
        return True

    def _program(self, arguments: str) -> str:
        """Run the program with boards of its own, as a process has them."""
        out = _Screen()
        boards = dict(protocol_sim._kept)  # noqa: SLF001
        protocol_sim._kept.clear()  # noqa: SLF001
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                self.status = cli.main(shlex.split(arguments))
            except SystemExit as leaving:
                self.status = int(leaving.code or 0)
        protocol_sim._kept.clear()  # noqa: SLF001
        protocol_sim._kept.update(boards)  # noqa: SLF001
        return _plain(out.getvalue())


def _plain(output: str) -> str:
    """Return what stays of an output on a terminal, without blanks at the ends of lines.

    It is one without a right edge: what the program does not fold itself stays one line.
    """
    lines = output.replace("\n", "\r\n")
    screen = pyte.Screen(max(map(len, lines.split("\n"))) + 1, output.count("\n") + 1)
    pyte.Stream(screen).feed(lines)
    return "".join(f"{row.rstrip()}\n" for row in screen.display[: screen.cursor.y])


def main() -> int:
    """Compare pages, or fill them; return the exit status."""
    parser = argparse.ArgumentParser(description="Run the examples of pages.")
    parser.add_argument("--fill", action="store_true", help="write the real output into the page")
    parser.add_argument("pages", nargs="*", type=Path, default=sorted(DOCS.rglob("*.md")))
    options = parser.parse_args()
    worst = 0
    for path in (page.resolve() for page in options.pages):
        page = Page(path.read_text("utf-8"))
        if options.fill:
            path.write_text(page.filled(), "utf-8")
            continue
        for example, output in page.differences():
            worst = 1
            sys.stdout.write(f"{path.name}: {example}but got:\n{output}\n")
    return worst


if __name__ == "__main__":
    sys.exit(main())
