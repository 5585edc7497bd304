"""esptool's names for what is done to flash, with its order of arguments and its options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from espshell.shell.arguments.flash import Erasable, FilePlaces, Pair
from espshell.shell.arguments.image import FlashSize
from espshell.shell.arguments.places import Span
from espshell.shell.arguments.types import File
from espshell.shell.commands.flash import (
    FORCE,
    GROUP,
    HEADER,
    erase,
    load_files,
    require_possible,
    verify_files,
)
from espshell.shell.commands.memory import save_region
from espshell.shell.esptool import options
from espshell.shell.later import Later
from espshell.shell.outcome import Presentation
from espshell.shell.registry import DRY_RUN, Option, Param, Registry, Trait

if TYPE_CHECKING:
    from espshell.ops.flash import settings as patch
    from espshell.ops.flash.erase import Erased
    from espshell.ops.flash.load import Written
    from espshell.ops.memory.load import Loaded
    from espshell.ops.memory.save import Saved
    from espshell.shell.session import Session
else:
    patch = Later("espshell.ops.flash.settings")

VERBS = Registry()


@VERBS.add(
    "write-flash",
    group=GROUP,
    params=[Param("files", FilePlaces(swapped=True))],
    options=[
        Option("--erase-all", "erase the whole chip first", short="-e"),
        Option("--compress", "is always done with the stub", short="-z"),
        Option("--no-compress", "is accepted, and changes nothing", short="-u"),
        Option("--no-progress", "is accepted, and changes nothing", short="-p"),
        Option("--skip-flashed", "is always done", short="-s"),
        *HEADER,
        FORCE,
        DRY_RUN,
        *options.WRITING,
    ],
    needs="flash",
    alias_of="load",
    traits=Trait.PARTITIONS,
)
def write_flash_files(
    session: Session,
    files: tuple[Pair, ...],
    *,
    erase_all: bool = False,
    compress: bool = False,
    no_compress: bool = False,
    no_progress: bool = False,
    skip_flashed: bool = False,
    flash_mode: str = "keep",
    flash_freq: str = "keep",
    flash_size: str = "keep",
    force: bool = False,
) -> Written | Loaded | Erased | None:
    """Write files to flash, as esptool does; but only what differs, and verified."""
    if erase_all:
        require_possible(session, files, force=force)
        erased = erase_flash(session, force=force)
        if erased is None or not erased.ok:
            return erased
        if erased.dry_run:
            session.output.note("dry run: the whole chip would be erased first")
    settings = patch.FlashSettings(flash_mode, flash_freq, flash_size)
    return load_files(session, files, settings, force=force, like_esptool=True)


@VERBS.add(
    "verify-flash",
    group=GROUP,
    params=[Param("files", FilePlaces(swapped=True))],
    options=[
        Option("--diff", "show what differs", short="-d"),
        Option("--all", "show all of it", into="every_row"),
        *HEADER,
        *options.REACHING,
    ],
    needs="memory",
    alias_of="verify",
)
def verify_flash(
    session: Session,
    files: tuple[Pair, ...],
    *,
    diff: bool = False,
    every_row: bool = False,
    flash_mode: str = "keep",
    flash_freq: str = "keep",
    flash_size: str = "keep",
) -> Presentation:
    """Compare files with flash, as esptool does."""
    settings = patch.FlashSettings(flash_mode, flash_freq, flash_size)
    return verify_files(session, files, settings, diff=diff, every_row=every_row, like_esptool=True)


@VERBS.add(
    "read-flash",
    group=GROUP,
    params=[
        Param("region", Erasable(bare=True)),
        Param("file", File()),
    ],
    options=[
        Option(
            "--no-progress", "is accepted: progress is for terminals", short="-p", is_accepted=True
        ),
        Option(
            "--flash-size",
            "what the flash has, for this command",
            FlashSize(),
            short="-fs",
            setting="flash_size",
        ),
        *options.REACHING,
    ],
    needs="memory",
    alias_of="save",
)
def read_flash(session: Session, region: Span, file: Path) -> Saved:
    """Read flash into a file, as esptool does: ADDRESS SIZE FILE, or ADDRESS ALL FILE."""
    return save_region(session, region, file)


@VERBS.add(
    "erase-region",
    group=GROUP,
    params=[Param("region", Erasable(bare=True))],
    options=[FORCE, DRY_RUN, *options.REACHING],
    needs="memory",
    alias_of="erase",
    traits=Trait.PARTITIONS,
)
def erase_region(session: Session, region: Span, *, force: bool = False) -> Erased | None:
    """Erase a region of flash, as esptool does: ADDRESS SIZE, or ADDRESS ALL."""
    return erase(session, region, force=force)


@VERBS.add(
    "erase-flash",
    group=GROUP,
    options=[FORCE, DRY_RUN, *options.REACHING],
    needs="memory",
    alias_of="erase",
    traits=Trait.PARTITIONS,
)
def erase_flash(session: Session, *, force: bool = False) -> Erased | None:
    """Erase the whole chip, as esptool does."""
    return erase(session, Span(0, session.chip.flash.size, "", "flash"), force=force)
