"""esptool's names for what is done to flash, with its order of arguments and its options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espshell.shell.arguments.flash import Pair, erasable, file_places
from espshell.shell.arguments.image import FLASH_SIZE
from espshell.shell.arguments.places import Extent
from espshell.shell.arguments.types import FILE
from espshell.shell.commands.flash import Force, Header, erase, load, require_possible, verify
from espshell.shell.commands.memory import save_region
from espshell.shell.declaration import DRY_RUN, Option, Trait
from espshell.shell.esptool import options
from espshell.shell.outcome import Presentation
from espshell.shell.registry import Registry

if TYPE_CHECKING:
    from espshell.ops.flash.erase import Erased
    from espshell.ops.flash.load import Written
    from espshell.ops.memory.save import Saved
    from espshell.ops.memory.words import Loaded
    from espshell.shell.session import Session

VERBS = Registry("Flash")


@VERBS.add(
    "write-flash",
    options=[DRY_RUN, *options.WRITING],
    needs="flash",
    alias_of="load",
    traits=Trait.PARTITIONS,
)
def write_flash_files(
    session: Session,
    files: Annotated[tuple[Pair, ...], file_places(swapped=True)],
    *,
    erase_all: Annotated[
        bool, Option("--erase-all", "erase the whole chip first", short="-e")
    ] = False,
    compress: Annotated[bool, Option("--compress", "always done by the stub", short="-z")] = False,
    no_compress: Annotated[
        bool, Option("--no-compress", "accepted, without effect", short="-u")
    ] = False,
    no_progress: Annotated[
        bool, Option("--no-progress", "accepted, without effect", short="-p")
    ] = False,
    skip_flashed: Annotated[bool, Option("--skip-flashed", "is always done", short="-s")] = False,
    header: Header,
    force: Force = False,
) -> Written | Loaded | Erased | None:
    """Write files to flash, as esptool does; but only what differs, and verified.

    Example: write-flash 0x110000 app.bin
    """
    if erase_all:
        require_possible(session, files, force=force)
        erased = erase_flash(session, force=force)
        if erased is None or not erased.ok:
            return erased
        if erased.dry_run:
            session.output.note("dry run: the whole chip would be erased first")
    return load(session, files, header=header, force=force, like_esptool=True)


@VERBS.add("verify-flash", options=options.REACHING, needs="memory", alias_of="verify")
def verify_flash(
    session: Session,
    files: Annotated[tuple[Pair, ...], file_places(swapped=True)],
    *,
    diff: Annotated[bool, Option("--diff", "show what differs", short="-d")] = False,
    every_row: Annotated[bool, Option("--all", "show all of it")] = False,
    header: Header,
) -> Presentation:
    """Compare files with flash, as esptool does.

    Example: verify-flash 0x10000 app.bin
    """
    return verify(session, files, diff=diff, every_row=every_row, header=header, like_esptool=True)


@VERBS.add(
    "read-flash",
    options=[
        Option(
            "--no-progress",
            "accepted: progress is shown on terminals only",
            short="-p",
            is_accepted=True,
        ),
        Option(
            "--flash-size",
            "size of the flash, for this command",
            FLASH_SIZE,
            short="-fs",
            setting="flash_size",
        ),
        *options.REACHING,
    ],
    needs="memory",
    alias_of="save",
)
def read_flash(
    session: Session, region: Annotated[Extent, erasable(bare=True)], file: Annotated[Path, FILE]
) -> Saved:
    """Read flash into a file, as esptool does: ADDRESS SIZE FILE, or ADDRESS ALL FILE.

    Example: read-flash 0x9000 0x5000 nvs.bin
    """
    return save_region(session, region, file)


@VERBS.add(
    "erase-region",
    options=[DRY_RUN, *options.REACHING],
    needs="memory",
    alias_of="erase",
    traits=Trait.PARTITIONS,
)
def erase_region(
    session: Session, region: Annotated[Extent, erasable(bare=True)], *, force: Force = False
) -> Erased | None:
    """Erase a region of flash, as esptool does: ADDRESS SIZE, or ADDRESS ALL.

    Example: erase-region 0x210000 0x1000
    """
    return erase(session, region, force=force)


@VERBS.add(
    "erase-flash",
    options=[DRY_RUN, *options.REACHING],
    needs="memory",
    alias_of="erase",
    traits=Trait.PARTITIONS,
)
def erase_flash(session: Session, *, force: Force = False) -> Erased | None:
    """Erase the whole chip, as esptool does.

    Example: sr unprotect; erase-flash
    """
    return erase(session, Extent(0, session.chip.flash.size, "", "flash"), force=force)
