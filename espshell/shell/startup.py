"""From ``espshell.toml`` to the options of a start: whether it is read, and who agrees to it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.shell import config
from espshell.shell.output import Output

if TYPE_CHECKING:
    from espshell.shell.config import Config


def configuration(output: Output, *, file: Path | None, profile: str, typed: bool) -> Config | None:
    """Return what configuration files say; None where no person types and none is asked for.

    Raises: UsageError as ``config.load``.
    """

    def ask(values: Sequence[str]) -> bool:
        name = config.FILE_NAME
        output.note(f"{name} in this folder is new, or has changed since you agreed to it:")
        for value in values:
            output.plain(f"    {value}")
        with contextlib.suppress(EOFError):
            if input("use it? [y/N] ").strip().lower() in ("y", "yes"):
                return True
        output.note(f"{name} is not used")
        return False

    if not (typed or file or profile):
        return None
    return config.load(file=file, profile=profile, ask=ask if typed else None)
