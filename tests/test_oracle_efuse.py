"""Our decoding of eFuses beside `espefuse summary --format json`, field by field.

The examiner runs in this process, with a file of words in the place of a chip (its ``--virt``), so
that hundreds of states cost seconds; a few go to the served simulator, as over a cable.  Words that
a person reads are compared by what they say: espefuse's "Enable" is our "on".
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from espshell.efuse import Contents, Fuse
from tests.efuse.support import CHIPS, Words, contents_of, random_state

pytest.importorskip("espefuse")

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the examiner leaves its file open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STATES = int(os.environ.get("EFUSE_STATES", "60"))
"""Random states of each chip; 300 have been compared, which takes minutes."""

SIZES = {"esp32": 0x120}
"""Bytes of the examiner's file; 0x200 for the others."""

TYPICAL: dict[str, Words] = {
    "esp32": {0x00: 0x0010_0000, 0x04: 0x28A1_B2C3, 0x08: 0x00F1_246F, 0x0C: 0x8000_6200, 0x18: 4},
    "esp32c2": {0x30: 0x0000_0480, 0x40: 0x8DC2_D3E4, 0x44: 0x0450_083A},
}
"""A chip as it is sold, encrypting flash; of the others the words below."""

_TYPICAL = {0x2C: 0x0080_0100, 0x30: 1, 0x34: 0x0404_0000, 0x38: 0x0010_0000, 0x44: 0xA1B4_C5D6,
            0x48: 0x7CDF}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Any:
    """Let the examiner take its tables apart once, not for each state."""
    import yaml

    read, known = yaml.safe_load, {}

    def safe_load(source: Any) -> Any:
        text = source if isinstance(source, str) else source.read()
        if text not in known:
            known[text] = pickle.dumps(read(text))
        return pickle.loads(known[text])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "safe_load", safe_load)
        yield


def summary(chip: str, words: Words, folder: Path) -> dict[str, dict[str, Any]]:
    """Return what espefuse makes of some words."""
    from espefuse import init_commands

    file, out = folder / "fuses.bin", folder / "summary.json"
    size = SIZES.get(chip, 0x200)
    data = b"".join(words.get(at, 0).to_bytes(4, "little") for at in range(0, size, 4))
    file.write_bytes(data[::-1])
    with (
        contextlib.redirect_stdout(io.StringIO()),
        out.open("w") as stream,
        init_commands(chip=chip, virt=True, virt_efuse_file=str(file)) as commands,
    ):
        commands.summary(format="json", file=stream)
    return json.loads(out.read_text())  # type: ignore[no-any-return]


def differences(theirs: dict[str, dict[str, Any]], ours: Contents) -> list[str]:
    """Return how two readings of the same words differ, in the fields that both know."""
    found = []
    for name, field in theirs.items():
        fuse = ours.table.find(name)
        if fuse is None or (ours.table.chip, name) == ("esp32", "WAFER_VERSION_MAJOR"):
            continue
        number = ours.number(fuse) & (1 << field["bit_len"]) - 1
        if field["efuse_type"].startswith("bytes"):
            number = int.from_bytes(ours.data(fuse), "big")
        if int(field["raw_value"], 16) != number and not _is_part(fuse, field):
            found.append(f"{name}: {field['raw_value']}, ours {number:#x}")
        if field["readable"] != ours.is_readable(fuse):
            found.append(f"{name}: readable {field['readable']}")
        if field["writeable"] != ours.is_writable(fuse) and len(fuse.places) == 1:
            found.append(f"{name}: writable {field['writeable']}")
        if not _same_words(field["value"], fuse, ours, (1 << field["bit_len"]) - 1):
            found.append(f"{name}: {field['value']}, ours {ours.text(fuse, keys=True)}")
    return found


def _is_part(fuse: Fuse, field: dict[str, Any]) -> bool:
    """Return whether espefuse has raw bits that are not those of its value."""
    return fuse.name == "MAC_EUI64" or field["bit_len"] < fuse.width


def _same_words(value: Any, fuse: Fuse, ours: Contents, mask: int) -> bool:
    kind = fuse.meaning.kind.partition(":")[0]
    text = ours.text(fuse, keys=True)
    if not ours.is_readable(fuse):
        return True
    match kind:
        case "purpose":
            name = str(value)
            return name.startswith(_NO_PURPOSE) or _PURPOSES.get(name, name) == text
        case "count" if value in ("Enable", "Disable"):
            return text.startswith("on" if value == "Enable" else "off")
        case "mac" | "mac_first":
            return str(value) == f"{text} (OK)"
        case "crc" | "crc_first":
            return str(value)[:17] == text[:17] and ("OK" in str(value)) == (": right" in text)
        case "signed" | "twos" | "pad" if isinstance(value, int | float):
            return math.isclose(value, ours.value(fuse), abs_tol=1e-9)
        case "key" | "bytes":
            return bytes.fromhex(str(value).replace(" ", "")) == ours.data(fuse)
        case "flag" if isinstance(value, bool):
            return value == (text == "yes")
    return not isinstance(value, int | float) or int(value) == ours.number(fuse) & mask


_PURPOSES = {"USER": "USER/EMPTY", "ECDSA_KEY_P256": "ECDSA_KEY"}
"""What espefuse calls purposes that we call otherwise."""

_NO_PURPOSE = ("FORBIDDEN_STATE", "CUSTOM_", "RESERVED")
"""What it says of numbers that it does not know, or that our table of the ROM's answers names."""


@pytest.mark.parametrize("chip", CHIPS)
def test_espefuse_decodes_random_fuses_alike(chip: str, tmp_path: Path) -> None:
    """Every field that both know has the same value, protection and meaning, in all states."""
    for seed in range(STATES):
        words = random_state(chip, seed)
        if chip == "esp32p4" and seed % 2:
            words[0x4C] = words[0x4C] & ~0x0080_0030 | 0x30  # of revision 3
        if chip == "esp32" and words[0x18] & 3 == 2:
            words[0x18] ^= 1  # espefuse gives up at coding scheme 2
        wrong = differences(summary(chip, words, tmp_path), contents_of(chip, words))
        assert not wrong, f"state {seed}: {wrong}"
