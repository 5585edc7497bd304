"""efuse and the space efuse:, on simulated chips: what is shown, hidden, compared and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from espshell.chips import NAMES
from espshell.shell.settings import Bench
from espshell.shell.terminal.complete import candidates
from tests.shell.support import Shell

KEY = "?fuse=4.0:deadbeef"
"""A key in a block that can be read."""


def on(chip: str, options: str = "") -> Shell:
    """Return a session on a simulated chip."""
    shell = Shell()
    shell.session.connect(Bench(port=f"sim://{chip}{options}"))
    return shell


@pytest.mark.parametrize("chip", NAMES)
def test_the_space_is_the_blocks_as_they_are_read(chip: str) -> None:
    """Its first word is the first of block 0, which is burnt here, and never what burns."""
    shell = on(chip, "?fuse=0.0:1230")
    assert shell.type("dump32 efuse:0 4").out.split()[1].endswith("001230")
    assert "Traceback" not in shell.type("efuse").out
    assert shell.type("peek efuse:0x10000").status == 2
    shell.session.close()


def test_fields_in_expressions() -> None:
    """``efuse:NAME`` is a value, also by another name; ``EFUSE.X`` stays the register's field."""
    shell = on("esp32c3", "?fuse=0.2:50040000")
    for text in (
        "efuse:SPI_BOOT_CRYPT_CNT == 1",
        "efuse:spi_boot_crypt_cnt << 1 == 2",
        "(efuse:KEY0_PURPOSE == 0) and efuse:KEY_PURPOSE_1 == 5",
        "EFUSE.RD_REPEAT_DATA1.SPI_BOOT_CRYPT_CNT == efuse:SPI_BOOT_CRYPT_CNT",
    ):
        assert shell.type(f"expect {text}").status == 0, text
    ran = shell.type("expect efuse:SPI_BOOT_CRYPT == 1")
    assert (ran.status, "SPI_BOOT_CRYPT_CNT" in ran.err) == (2, True)
    assert (
        "SPI_BOOT_CRYPT_CNT: on (1 of 3 bits set)"
        in shell.type("peek efuse:SPI_BOOT_CRYPT_CNT").err
    )
    shell.session.close()


def test_a_script_knows_names_of_fuses_before_it_runs() -> None:
    """A name that the chip does not have is found before the first line runs."""
    shell = on("esp32c3")
    assert shell.script("expect efuse:SECURE_VERSION == 0\n").status == 0
    ran = shell.script("echo first\nexpect efuse:NO_SUCH_FUSE == 0\n")
    assert (ran.status, ran.out) == (2, "")
    shell.session.close()


@pytest.mark.parametrize(
    "line",
    ["efuse", "efuse keys", "efuse BLOCK_KEY0", "efuse --keys", "efuse save {}", "efuse diff {}"],
)
def test_no_key_is_shown_unasked(line: str, tmp_path: Path) -> None:
    """A key that can be read is in no output and no file but those of --keys."""
    shell = on("esp32c3", KEY)
    file = tmp_path / "fuses.json"
    shell.type(f"efuse save {file}")
    shown = shell.type(line.format(file)).out + file.read_text()
    assert ("efbeadde" in shown) == ("--keys" in line)
    assert "deadbeef" not in shown
    shell.session.close()


@pytest.mark.parametrize("line", ["dump efuse:BLOCK_KEY0", "dump efuse:0 0x80", "peek efuse:0x70"])
def test_the_space_hides_keys(line: str) -> None:
    """A range with a key is refused, not one of a blank or read-protected block; --force shows."""
    shell = on("esp32c3", KEY)
    ran = shell.type(line)
    assert (ran.status, "BLOCK_KEY0, a key that can be read" in ran.err) == (2, True)
    assert shell.type(f"{line} --force").status == 0
    assert shell.type("expect efuse:BLOCK_KEY0 == 0").status == 2
    shell.session.close()
    for options in ("", f"{KEY}&fuse=0.1:1"):
        shell = on("esp32c3", options)
        assert shell.type(line).status == 0, options
        shell.session.close()


def test_the_space_ends_behind_the_last_block() -> None:
    """A range up to there is read, one of a byte more is refused."""
    shell = on("esp32c3")
    size = shell.session.chip.efuse.size
    assert shell.type(f"dump efuse:{size - 4:#x} 4").status == 0
    ran = shell.type(f"dump efuse:{size - 4:#x} 5")
    assert (ran.status, f"efuse:{size:#x} is past the end" in ran.err) == (2, True)
    shell.session.close()


def test_two_boards(tmp_path: Path) -> None:
    """What differs between a board and the file of another is said field by field."""
    file = tmp_path / "a.json"
    shell = on("esp32c3")
    assert shell.type(f"efuse save {file}").status == 0
    assert shell.type(f"efuse diff {file}").status == 0
    shell.session.connect(Bench(port="sim://esp32c3?mac=24:6f:28:a1:b2:c3&fuse=0.2:40000"))
    shell.session.output.as_json = True
    ran = shell.type(f"efuse diff {file}")
    value = ran.objects[0]["value"]
    assert ran.status == 1
    assert [each["name"] for each in value["differing"]] == ["SPI_BOOT_CRYPT_CNT", "MAC"]
    assert value["differing"][1]["here"] == "24:6f:28:a1:b2:c3"
    shell.session.close()


def test_what_is_not_compared(tmp_path: Path) -> None:
    """Neither a block that the file leaves out, nor one that holds a key here."""
    file = tmp_path / "a.json"
    shell = on("esp32c3")
    shell.type(f"efuse save {file} --keys")
    saved = json.loads(file.read_text())
    del saved["blocks"]["1"]
    file.write_text(json.dumps(saved))
    shell.session.connect(Bench(port=f"sim://esp32c3{KEY}&mac=24:6f:28:a1:b2:c3"))
    shell.session.output.as_json = True
    value = shell.type(f"efuse diff {file}").objects[0]["value"]
    assert "BLOCK_KEY0" in value["not_compared"]
    assert not {"MAC", "BLOCK_KEY0"} & {each["name"] for each in value["differing"]}
    assert "efbeadde" not in json.dumps(value)
    shell.session.close()


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ("{}", "is not a file of `efuse save`"),
        ("[1]", "is not a file of `efuse save`"),
        ("no JSON", "is not a file of `efuse save`"),
        ("\udcff\udcfe", "is not a file of `efuse save`"),
        ('{"format": "espshell-efuse-1", "chip": "esp32"}', "is of an esp32"),
        (
            '{"format": "espshell-efuse-1", "chip": "esp32c3", "blocks": {"0": ["x"]}}',
            "block 0 is not 6 words in hex",
        ),
        (
            '{"format": "espshell-efuse-1", "chip": "esp32c3", "blocks": {"0": '
            '["0", "0", "0", "0", "0", "0x1_0000_0000"]}}',
            "block 0 is not 6 words in hex",
        ),
        (
            '{"format": "espshell-efuse-1", "chip": "esp32c3", "blocks": {"0": [1, 2]}}',
            "block 0 is not 6 words in hex",
        ),
    ],
)
def test_files_of_something_else(tmp_path: Path, contents: str, said: str) -> None:
    """A file that is none of ours, or of another chip, is one line."""
    file = tmp_path / "x.json"
    file.write_bytes(contents.encode(errors="surrogateescape"))
    ran = on("esp32c3").type(f"efuse diff {file}")
    assert (ran.status, said in ran.err, ran.err.count("\n")) == (2, True, 1)


def test_secure_download_mode() -> None:
    """Where no eFuse can be read, what the ROM tells is shown; the rest says why not."""
    shell = on("esp32c3", "?sdm=1&crypt=1")
    ran = shell.type("efuse")
    assert ran.status == 0
    assert "flash encryption  on" in ran.out
    assert "secure download mode" in ran.err
    assert "secure download mode" in shell.type("efuse save x").err
    shell.session.close()


def test_json() -> None:
    """Numbers are numbers, by name, and the verdict is a list."""
    shell = on("esp32", "?fuse=0.6:1")
    shell.session.output.as_json = True
    value = shell.type("efuse").objects[0]["value"]
    assert value["fields"]["CODING_SCHEME"] == {
        "value": 1, "text": "3/4: 192 bits", "theme": "functions", "block": 0, "bits": "192..193",
        "readable": True, "writable": True,
    }  # fmt: skip
    assert {"subject": "plain firmware", "state": "open"}.items() <= value["verdict"][1].items()
    assert json.dumps(shell.type("efuse CODING_SCHEME").objects[0]["value"]["value"]) == "1"
    shell.session.close()


def test_unknown_names() -> None:
    """A pattern without a match, and burning, are refused in one line."""
    shell = on("esp32c3")
    for line in ("efuse nosuch", "efuse burn SPI_BOOT_CRYPT_CNT", "poke efuse:0 1", "map efuse:0"):
        ran = shell.type(line)
        assert (ran.status, ran.err.count("\n")) == (2, 1), line
    shell.session.close()


def test_completions() -> None:
    """Fields are offered with what they mean, behind the second words."""
    shell = on("esp32c3")
    found = {c.text: c.about for c in candidates(shell.session, "efuse ")}
    assert list(found)[:2] == ["save", "diff"]
    assert found["SECURE_BOOT_EN"] == "only signed code runs"
    assert "SECURE_BOOT_EN" in {c.text for c in candidates(shell.session, "peek efuse:SECURE_B")}
    assert [c.text for c in candidates(shell.session, "efuse SECURE_BOOT_EN --")] == ["--keys"]
    shell.session.close()
