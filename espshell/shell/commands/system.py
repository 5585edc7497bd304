"""! and cd: the system around the shell, for a person; scripts only where it is allowed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from espshell.errors import UsageError, system_reason
from espshell.files import path_of
from espshell.records import replace
from espshell.shell.arguments.types import (
    ANY_PATH,
    TEXT,
    Completed,
    Offer,
    Scope,
    complete_files,
)
from espshell.shell.declaration import Trait
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.units import parse_number

VERBS = Registry()

GROUP = "Shell"


def _folders(text: str, scope: Scope) -> Iterable[Completed]:
    offers = (offer for offer in complete_files(text, scope) if isinstance(offer, Offer))
    return (offer for offer in offers if offer.text.endswith("/"))


FOLDER = replace(ANY_PATH, complete=_folders)


@VERBS.add("!", group=GROUP, traits=Trait.ONCE)
def run_system(session: Session, command: Annotated[str, TEXT]) -> None:
    """Run a system command: !ls -l.

    The rest of the line belongs to it. In scripts only after `set shell on`.

    Example: !ls -l
    """
    _require_permission(session, "!")
    session.output.finished()
    status = subprocess.run(command, shell=True).returncode
    if status:
        raise UsageError(f"`{command}` ended with status {status}")


@VERBS.add("cd", group=GROUP, traits=Trait.ONCE)
def change_folder(session: Session, folder: Annotated[Path | None, FOLDER] = None) -> None:
    """Change the working folder; without FOLDER, to your home folder.

    In scripts only after `set shell on`.

    Example: cd ..
    """
    _require_permission(session, "cd")
    settings = session.settings
    if parse_number(settings.parttable) is None:
        settings.parttable = str(path_of(settings.parttable).absolute())
    try:
        os.chdir(folder or Path.home())
    except OSError as error:
        raise UsageError(f"cannot go to {folder}: {system_reason(error)}") from error
    session.output.note(str(Path.cwd()))


def _require_permission(session: Session, name: str) -> None:
    if not (session.interactive or session.settings.shell):
        raise UsageError(
            f"`{name}` works at the prompt, not in scripts", hint="`set shell on` allows it"
        )
