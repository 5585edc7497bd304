"""The manual in a real terminal: typed character by character, it shows what its pages show."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("termios")

from scripts.pages import _FILE, COLUMNS, PROMPT, Example, Page, examples
from scripts.terminal import Terminal

pytestmark = [
    pytest.mark.long,
    # Python since 3.12 warns of a fork where threads are; the child is another program at once.
    pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning"),
]

ROOT = Path(__file__).parent.parent
SESSIONS = [
    path
    for folder in ("tutorial", "howto", "explanation", "reference")
    for path in sorted((ROOT / "docs" / folder).glob("*.md"))
    if Page(path.read_text("utf-8")).blocks
]


class Reader:
    """Somebody who follows a page with two terminals: one for the session, one for the shell."""

    def __init__(self, text: str, folder: Path) -> None:
        self._folder = folder
        self._port = Page(text).port
        self._session: Terminal | None = None
        self._shell: Terminal | None = None
        for name, contents in _FILE.findall(text):
            (folder / name).write_text(contents)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        for terminal in (self._session, self._shell):
            if terminal:
                terminal.child.close(force=True)

    def type(self, line: str) -> list[str]:
        """Type a line where it belongs; return what the terminal shows below it."""
        if line.startswith(PROMPT):
            if self._session is None:
                self._session = self._opened(sys.executable, "-m", "espshell", "-p", self._port)
            return self._session.run(line[len(PROMPT) :])
        if self._shell is None:
            self._shell = self._opened("sh")
        return self._shell.run(line[len("$ ") :])

    def _opened(self, *command: str) -> Terminal:
        terminal = Terminal(list(command), self._folder, columns=COLUMNS, rows=24)
        terminal.wait_prompt()
        return terminal


def is_shown(example: Example, rows: list[str]) -> bool:
    """Return whether a terminal shows what a page shows; it breaks a row at its right edge."""
    if "..." in example.expected:
        return _joined(example).accepts("".join(rows).replace(" ", ""))
    return rows == [
        row[at : at + COLUMNS].rstrip()
        for row in example.expected.splitlines()
        for at in range(0, max(len(row), 1), COLUMNS)
    ]


def _joined(example: Example) -> Example:
    """Return it without any blanks, which are not the same where rows are broken."""
    return Example(example.line, re.sub(r"\s", "", example.expected))


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_page_in_a_real_terminal(path: Path, tmp_path: Path) -> None:
    """Line for line, the screen of 80 by 24 shows what stands on the page."""
    text = path.read_text("utf-8")
    differences = []
    with Reader(text, tmp_path) as reader:
        for block in Page(text).blocks:
            for example in examples(block):
                rows = reader.type(example.line)
                if not is_shown(example, rows):
                    differences.append(f"{example}but the screen has:\n" + "\n".join(rows))
    assert not differences, "\n\n".join(differences)
