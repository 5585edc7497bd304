"""The text of a script (.espsh), its arguments, and the location of an error in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from espshell import files
from espshell.errors import EspError, ScriptError, UsageError
from espshell.records import dataclass, field
from espshell.shell.language.grammar import Command
from espshell.shell.output import Output

MAX_DEPTH = 20
"""The deepest nesting of scripts that source each other."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text; the files that it sources are relative to ``folder``.

    ``name`` is empty for a line of ``-c``, whose errors need no location.
    """

    name: str
    text: str
    folder: Path = field(default_factory=Path)


Given = tuple[Script, Sequence[str]]
"""A script and its arguments."""


def read(path: Path) -> Script:
    """Read a script. Raises: UsageError as ``files.read_text``."""
    return Script(str(path), files.read_text(path, files.SCRIPT), path.parent)


def report(output: Output, error: EspError) -> None:
    """Show an error with its location in one line, and below it the line of the script."""
    if not isinstance(error, ScriptError):
        output.error(f"espshell: {error.with_link()}")
        return
    output.error(error.with_link())
    if error.source:
        output.plain(f"    {error.source}")


def located(
    script: Script, number: int, error: EspError, *, line: str, command: Command | None = None
) -> ScriptError:
    """Return an error with its location, which one from a sourced script already has."""
    if isinstance(error, ScriptError):
        return error
    name = command.name.raw if command else None
    error.column = error.column or (command.column if command else 1)
    if not script.name:
        return ScriptError("" if name else "-c", error, source="", command=name)
    return ScriptError(f"{script.name}:{number}", error, source=line.strip(), command=name)


def too_deep(script: Script) -> UsageError:
    """Return the error of a script that sources itself."""
    return UsageError(
        f"{script.name} sources itself", hint=f"files source each other at most {MAX_DEPTH} deep"
    )


def argument_variables(arguments: Sequence[str]) -> dict[str, str]:
    """Return arguments as the variables ``$1`` and so on."""
    return {str(i): text for i, text in enumerate(arguments, 1)}


def without_arguments(variables: dict[str, str]) -> dict[str, str]:
    """Return all variables but ``$1`` and so on, and the values of the prompt (``$~1``)."""
    return {k: value for k, value in variables.items() if not k.lstrip("~").isdigit()}
