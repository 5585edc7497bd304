"""The verb ``efuse``: what is burnt, what it means, and how two boards differ.  Never burns."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from espshell.device import Target
from espshell.efuse.contents import Contents
from espshell.efuse.table import THEMES, Fuse
from espshell.efuse.verdict import Statement, verdict
from espshell.errors import UsageError
from espshell.ops.chip import info
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.units import number_text

FORMAT = "espshell-efuse-1"
"""What a file of ``efuse save`` calls itself."""

_PATTERN = "*?["


@dataclass(frozen=True, slots=True)
class FuseValue:
    """A field and its value; ``number`` is None where it is a key that is not shown."""

    name: str
    theme: str
    number: int | None
    text: str
    readable: bool
    writable: bool
    meaning: str
    block: int
    bits: str

    @property
    def is_burnt(self) -> bool:
        """Whether a bit of it is set, or may be."""
        return self.number != 0 or not self.readable


@dataclass(frozen=True, slots=True)
class Fuses(Result):
    """What the eFuses mean, and the fields by theme; ``errors`` are the controller's."""

    chip: str
    revision: tuple[int, int]
    verdict: tuple[Statement, ...]
    fields: tuple[FuseValue, ...]
    errors: tuple[str, ...] = ()
    coding: str = ""
    """The coding scheme of an ESP32's blocks."""


@dataclass(frozen=True, slots=True)
class FuseDetail(Result):
    """One field with all that is known of it."""

    value: FuseValue
    aliases: tuple[str, ...]
    protection: str
    """The bits that protect it, in words."""
    values: tuple[str, ...]
    """What its numbers stand for, if that is a list."""

    @property
    def last_value(self) -> int | None:
        """The number."""
        return self.value.number


@dataclass(frozen=True, slots=True)
class FusesSaved(Result):
    """The words were written to a file, but for blocks that hold readable keys."""

    file: str
    blocks: int
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FuseChange:
    """A field that differs; texts are what it means there and here."""

    name: str
    theme: str
    there: str
    here: str


@dataclass(frozen=True, slots=True)
class FuseDiff(Result):
    """How the eFuses differ from those in a file; ``hidden`` blocks were not compared."""

    file: str
    differing: tuple[FuseChange, ...]
    hidden: tuple[str, ...]
    compared: int

    @property
    def failure(self) -> str:
        """How many fields differ."""
        if not self.differing:
            return ""
        return f"{number_text(len(self.differing))} fields differ"


def read(target: Target) -> Contents:
    """Read all eFuses. Raises: UsageError in secure download mode, which reads nothing."""
    if target.loader.dialect.is_secure:
        raise UsageError(
            "the chip is in secure download mode: its eFuses cannot be read",
            hint="`get-security-info` shows what the ROM reports",
        )
    return target.efuse.contents()


def show(target: Target, pattern: str = "", *, keys: bool = False) -> Fuses | FuseDetail:
    """Return a verdict and all fields, those that a pattern selects, or one in detail.

    A pattern has ``*`` or ``?``, or is a part of names; in any case.
    """
    contents = read(target)
    table = contents.table
    fuse = table.find(pattern) if pattern else None
    if fuse is not None:
        write, kind = fuse.protection.write, fuse.meaning.kind.partition(":")
        ends = ["cannot be locked" if write is None else f"bit {write} of WR_DIS ends burning"]
        ends += [f"bit {bit} of RD_DIS ends reading" for bit in fuse.protection.read]
        values = table.values.get(kind[2], ()) if kind[0] == "words" else ()
        value = _value(contents, fuse, keys=keys)
        return FuseDetail(value, fuse.meaning.aliases, ", ".join(ends), values)
    glob = pattern.upper() if set(pattern) & set(_PATTERN) else f"*{pattern.upper()}*"
    chosen = [
        fuse
        for fuse in table.fuses
        for names in [(fuse.name, *fuse.meaning.aliases, fuse.meaning.theme.upper())]
        if any(fnmatch.fnmatchcase(name, glob) for name in names)
    ]
    if not chosen:
        raise UsageError(
            f"no eFuse of the {target.chip.title} is called `{pattern}`", hint="`efuse` lists all"
        )
    revision = target.read_revision()
    scheme = table.find("CODING_SCHEME")
    ordered = sorted(chosen, key=lambda f: THEMES.index(f.meaning.theme))
    return Fuses(
        target.chip.name,
        revision,
        () if pattern else verdict(contents, revision),
        tuple(_value(contents, fuse, keys=keys) for fuse in ordered),
        contents.errors(),
        contents.text(scheme) if scheme and not pattern else "",
    )


def field(target: Target, name: str) -> int | None:
    """Return the number of a field, None for an unknown name; nothing else is read.

    Raises: UsageError for a field that is read-protected, or a key.
    """
    space = target.efuse
    fuse = space.table.find(name)
    if fuse is None:
        return None
    contents = read(target)
    if not contents.is_readable(fuse):
        raise UsageError(f"{fuse.name} is read-protected")
    if contents.is_key(fuse):
        raise UsageError(f"{fuse.name} is a key", hint="`efuse --keys` shows it")
    return contents.number(fuse)


def words(target: Target, *, keys: bool = False) -> tuple[dict[str, object], FusesSaved]:
    """Return the contents of a file for ``diff``, and what to say of it (without its name)."""
    contents = read(target)
    hidden = [] if keys else _key_blocks(contents)
    blocks = {
        str(block.number): None
        if block.number in {fuse.block for fuse in hidden}
        else [f"{word:#010x}" for word in contents.block(block.number)]
        for block in contents.table.blocks
    }
    file: dict[str, object] = {
        "format": FORMAT,
        "chip": target.chip.name,
        "revision": list(target.read_revision()),
        "blocks": blocks,
    }
    names = tuple(fuse.name for fuse in hidden)
    return file, FusesSaved("", len(blocks) - len(names), names)


def compare(target: Target, file: str, saved: object) -> FuseDiff:
    """Return how a board differs from a file. Raises: UsageError for a file of something else."""
    here = read(target)
    there, missing = _from_file(here, file, saved, target.chip.name)
    hidden = {fuse.block for fuse in _key_blocks(here)} | missing
    fuses = [f for f in here.table.fuses if f.block not in hidden]
    changes = (
        FuseChange(f.name, f.meaning.theme, there.text(f, keys=True), here.text(f, keys=True))
        for f in fuses
        if there.number(f) != here.number(f)
    )
    names = (f.name for f in here.table.fuses if f.meaning.kind == "key" and f.block in hidden)
    return FuseDiff(file, tuple(changes), tuple(names), len(fuses))


def secure_report(target: Target) -> info.SecurityReport | None:
    """Return what the ROM tells where the eFuses cannot be read; None where they can."""
    return info.security_report(target) if target.loader.dialect.is_secure else None


def _from_file(here: Contents, file: str, saved: object, chip: str) -> tuple[Contents, set[int]]:
    """Return the contents of a file, and the numbers of blocks that it leaves out."""
    if not isinstance(saved, Mapping) or saved.get("format") != FORMAT:
        raise UsageError(f"{file} is not a file of `efuse save`")
    if saved.get("chip") != chip:
        raise UsageError(f"{file} is of an {saved.get('chip')}, and this is an {chip}")
    given = saved.get("blocks")
    words, missing = dict.fromkeys(here.table.offsets, 0), set()
    for block in here.table.blocks:
        values = given.get(str(block.number)) if isinstance(given, Mapping) else None
        if values is None:
            missing.add(block.number)
            continue
        numbers = _numbers(values)
        if numbers is None or len(numbers) != block.words:
            raise UsageError(f"{file}: block {block.number} is not {block.words} words in hex")
        words.update((block.offset + 4 * n, number) for n, number in enumerate(numbers))
    return Contents(here.table, words, here.purposes), missing


def _numbers(values: object) -> list[int] | None:
    if not isinstance(values, Sequence) or not all(isinstance(v, str) for v in values):
        return None
    try:
        numbers = [int(value, 16) for value in values]
    except ValueError:
        return None
    return numbers if all(0 <= number < 1 << 32 for number in numbers) else None


def _key_blocks(contents: Contents) -> list[Fuse]:
    """Return the fields that are whole blocks with a key that can be read."""
    firsts: dict[int, Fuse] = {}
    for fuse in contents.table.fuses:
        if contents.is_key(fuse):
            firsts.setdefault(fuse.block, fuse)
    return list(firsts.values())


def _value(contents: Contents, fuse: Fuse, *, keys: bool) -> FuseValue:
    readable = contents.is_readable(fuse)
    shown = keys or not contents.is_key(fuse)
    return FuseValue(
        fuse.name,
        fuse.meaning.theme,
        contents.number(fuse) if shown and readable else None,
        contents.text(fuse, keys=keys),
        readable,
        contents.is_writable(fuse),
        fuse.meaning.text,
        fuse.block,
        fuse.bits,
    )
