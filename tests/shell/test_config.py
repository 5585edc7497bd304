"""espshell.toml: strict reading, who goes before whom, and whose file is believed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from espshell import cli
from espshell import options as options_module
from espshell.errors import UsageError
from espshell.shell import config
from tests.shell.support import Shell

MINE = """
port = "sim://esp32c3"
baud = 460800
startup = ["echo first"]

[settings]
squeeze = false # rows as they are
flash-size = "4M"

[aliases]
who = "info"
two = "echo a ; echo b"

[profile.s3]
port = "sim://esp32s3"
startup = ["echo of the profile"]
settings.check = true
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of our own, as a person without any configuration."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in config.ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the program without a terminal; return status, output and errors."""
    status = cli.main(arguments)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_file_is_what_would_be_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Port, start-up lines, settings and aliases are there, in this order."""
    (folder / "my.toml").write_text(MINE)
    lines = [f"-c={line}" for line in ("set squeeze", "set flash-size", "baud", "two")]
    status, out, err = run(capsys, "--config", "my.toml", *lines)
    assert (status, err) == (0, "")
    assert out.split("\n") == [
        *("first", "squeeze  off", "flash-size  4 MiB"),
        *("esp32c3  rom on sim://esp32c3 at 460800 baud", "a", "b", ""),
    ]


def test_a_profile_goes_before_key_by_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it leaves out is as in the rest of the file; start-up lines are one key."""
    (folder / "my.toml").write_text(MINE)
    lines = [f"-c={line}" for line in ("set check", "set squeeze", "baud")]
    _, out, _ = run(capsys, "--config", "my.toml", "--profile", "s3", *lines)
    assert out.splitlines() == [
        *("of the profile", "check  on", "squeeze  off"),
        "esp32s3  rom on sim://esp32s3 at 460800 baud",
    ]


@pytest.mark.parametrize(
    ("arguments", "environment", "chip"),
    [
        ((), {}, "esp32c3"),
        ((), {"ESPSHELL_PORT": "sim://esp32h2"}, "esp32h2"),
        (("--profile", "s3"), {"ESPSHELL_PORT": "sim://esp32h2"}, "esp32s3"),
        (("--profile", "s3", "-p", "sim://esp32"), {"ESPSHELL_PORT": "sim://esp32h2"}, "esp32"),
    ],
)
def test_what_is_nearer_goes_before(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    chip: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command line, the profile that it names, the environment, the file."""
    (folder / "my.toml").write_text(MINE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _, out, _ = run(capsys, "--config", "my.toml", *arguments, "--json", "-c", "baud")
    assert json.loads(out.splitlines()[-1])["value"]["chip"] == chip


def test_the_example_of_the_documentation(folder: Path) -> None:
    """The file in docs/reference/configuration.md is read as it stands there."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
    (folder / "my.toml").write_text(page.read_text().split("```toml\n")[1].split("```")[0])
    loaded = config.load(file=Path("my.toml"), profile="bench")
    assert loaded.options["port"] == "rfc2217://bench-7:4000"
    assert set(loaded.options) | {"after", "stub"} == set(config._OPTIONS)
    assert loaded.startup is not None
    assert loaded.startup.text == ""


def test_the_folder_goes_before_the_person(folder: Path) -> None:
    """Both files are read, and each key is taken from the nearer one that has it."""
    mine = config.user_file()
    mine.parent.mkdir(parents=True)
    mine.write_text(
        'baud = 9600\nchip = "esp32"\n[aliases]\na = "info"\nb = "info"\n'
        "[settings]\nverify = false\ncheck = true"
    )
    (folder / "espshell.toml").write_text(
        'baud = 19200\n[aliases]\nb = "map"\n[settings]\ncheck = false'
    )
    loaded = config.load(ask=lambda _: True)
    assert loaded.options == {"baud": "19200", "chip": "esp32"}
    assert [(name, line.text) for name, line in loaded.aliases.items()] == (
        [("a", "info"), ("b", "map")]
    )
    assert {name: entry.text for name, entry in loaded.settings.items()} == {
        "verify": "off",
        "check": "off",
    }


WRONG = [
    ("port = 5", 'my.toml: port: expected a text such as "/dev/ttyUSB0" or "usb:SERIAL", not 5'),
    ('port = ""', 'not ""'),
    ("ports = 1", "my.toml: ports: there is no such key; did you mean `port`?"),
    ('baud = "fast"', "my.toml: baud: expected a rate such as 460800"),
    ("baud = true", "baud: expected a rate such as 460800, or auto, not true"),
    ("baud = -1", "baud: expected a rate such as 460800, or auto, not `-1`"),
    ('baud = "9600 "', "baud: expected a rate such as 460800, or auto, not `9600 `"),
    ("baud = 1.5", "baud: expected"),
    ("baud = 2024-01-01", "baud: expected"),
    ('chip = "esp99"', "my.toml: chip: `esp99` is not a known chip"),
    ('before = "later"', "my.toml: before: expected default-reset"),
    ('after = "never"', "my.toml: after: expected hard-reset"),
    ('stub = "maybe"', "my.toml: stub: expected auto, always, never"),
    ("elf = []", "my.toml: elf: expected the name of a file"),
    ('startup = "sr"', 'my.toml: startup: expected a list of lines such as ["sr"], not "sr"'),
    ("startup = [1]", "startup: expected a list of lines"),
    ("settings = 1", "my.toml: settings: expected a table [settings], not 1"),
    ("settings.chek = true", "my.toml: settings.chek: there is no such setting; did you mean"),
    ("settings.dry-run = true", "settings.dry-run: there is no such setting"),
    ('settings.check = "on"', 'settings.check: expected true or false, not "on"'),
    ("settings.color = false", "settings.color: expected a text as `set` takes it"),
    ('settings.color = "red"', "settings.color: expected auto, always or never"),
    ('settings.flash-size = "5"', "my.toml: settings.flash-size: `5` is not a size of a flash"),
    ("[settings]\ncheck = {}", "settings.check: expected true or false"),
    ("aliases = []", "my.toml: aliases: expected a table"),
    ("aliases.a = 1", "my.toml: aliases.a: expected a line of the shell, not 1"),
    ('aliases.a = "nonsense"', "my.toml: aliases.a: "),
    ("aliases.a" + ".a" * 3000 + " = 1", "aliases.a: expected a line of the shell, not something"),
    ('aliases.a = "' + "\\\\n" * 100 + '"', "my.toml: aliases.a: "),
    ('aliases."a b" = "info"', "aliases.a b: expected a name"),
    ("profile = 1", "my.toml: profile: expected a table [profile]"),
    ("profile.x = 1", "my.toml: profile.x: expected a table [profile.x]"),
    ("[profile.x]\nbaud = 0", "my.toml: profile.x.baud: expected"),
    ("[profile.x.profile.y]", "my.toml: profile.x.profile: expected profiles cannot be nested"),
    ("[profile.x]\nsettings.chek = true", "my.toml: profile.x.settings.chek: there is no such"),
    ("port", "my.toml is not TOML: "),
    ("a = 1\na = 2", "my.toml is not TOML: "),
    ("a = " + "[" * 5000, "my.toml is nested too deeply"),
    ("a = '\xff'", "my.toml is not text (UTF-8): byte 5 is wrong"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text[:20] for text, _ in WRONG])
def test_what_is_wrong_is_one_line(
    text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the file and the line or key, and what is expected; the status is 2."""
    (folder / "my.toml").write_bytes(text.encode("latin-1"))
    status, out, err = run(capsys, "--config", "my.toml", "-c", "echo not run")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


VALUES = st.recursive(
    st.booleans()
    | st.integers(-5, 500_000)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["esp32c3", "auto", "info", "4M", "usb:1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=3,
)
KEYS = st.sampled_from([*config._OPTIONS, *config._BARE, "check", "flash-size", "x"])


@settings(max_examples=15)
@given(st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=4))
def test_any_values_are_taken_or_refused(values: dict[str, object]) -> None:
    """Whatever stands in a file, it is a configuration or an error of one line."""
    data = tomlkit.dumps(values).encode("utf-8", "replace")
    path, line = Path("my.toml"), "my.toml"
    try:
        config._sections(path, config._parsed(path, data))
    except UsageError as error:
        line = error.one_line()
    assert line.startswith("my.toml")
    assert "\n" not in line


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The person has asked for it, so going on without it would be wrong."""
    status, _, err = run(capsys, "--config", name, "-c", "echo not run")
    assert (status, err.count("\n")) == (2, 1)
    assert f"cannot read {name}" in err


def test_a_profile_that_nobody_has(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says which there are."""
    (folder / "my.toml").write_text(MINE)
    status, _, err = run(capsys, "--config", "my.toml", "--profile", "s2", "-c", "echo")
    assert (status, err) == (
        2,
        "espshell: there is no profile `s2` in my.toml; profiles: s3\n",
    )


def test_scripts_read_nothing_unless_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the file of the folder nor the person's changes what a line of -c does."""
    mine = config.user_file()
    mine.parent.mkdir(parents=True)
    for path in (mine, folder / "espshell.toml"):
        path.write_text("this is not TOML")
    assert run(capsys, "-c", "set squeeze") == (0, "squeeze  on\n", "")


def ask(answer: str, monkeypatch: pytest.MonkeyPatch) -> tuple[config.Config | None, str]:
    """Start at a terminal with an answer; return what is used and what was said."""
    monkeypatch.setattr("builtins.input", lambda _: answer)
    shell = Shell()
    loaded = config.load(ask=partial(config.agree, shell.session.output))
    return loaded, shell.said(0).err


STRANGE = """
port = "sim://esp32c3?flash-file=written"
startup = ["!touch written", "echo x | touch written", "echo x > written"]
aliases.info = "echo x > written"
elf = "written"
"""


def test_a_strangers_file_does_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its values are shown, and nothing of them is used before a person has agreed."""
    (folder / "espshell.toml").write_text(STRANGE)
    loaded, said = ask("n", monkeypatch)
    assert loaded == config.Config()
    assert 'startup = ["!touch written", "echo x | touch written", "echo x > written"]' in said
    assert 'aliases.info = "echo x > written"' in said
    assert not (folder / "written").exists()


def test_what_was_agreed_to_is_not_asked_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that has changed since, or lies elsewhere, is a new one."""
    file = folder / "espshell.toml"
    file.write_text(STRANGE)
    assert ask("yes", monkeypatch)[0] not in (None, config.Config())
    loaded, said = ask("n", monkeypatch)
    assert (loaded is not None and loaded.options["elf"], said) == ("written", "")
    file.write_text(STRANGE + "# changed")
    assert "has changed" in ask("n", monkeypatch)[1]
    other = folder / "other"
    other.mkdir()
    (other / "espshell.toml").write_text(STRANGE)
    monkeypatch.chdir(other)
    assert "is new" in ask("n", monkeypatch)[1]


def test_a_path_agrees_to_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose name has the line of another file in it does not smuggle that one in."""
    evil = folder / "evil" / "espshell.toml"
    place = os.fsencode(os.path.realpath(evil))
    digest = hashlib.sha256(place + b"\0" + STRANGE.encode()).hexdigest()
    for file in (folder / f"x\n{digest}" / "espshell.toml", evil):
        file.parent.mkdir()
        file.write_text(STRANGE)
        monkeypatch.chdir(file.parent)
        assert "is new" in ask("n" if file == evil else "yes", monkeypatch)[1]


def test_nobody_can_be_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that asks for a profile fails; --config is an agreement by itself."""
    (folder / "espshell.toml").write_text(MINE)
    status, out, err = run(capsys, "--profile", "s3", "-c", "echo not run")
    assert (status, out) == (2, "")
    assert "`--config espshell.toml` uses it" in err
    arguments = ("--config", "espshell.toml", "--profile", "s3", "-c", "echo run")
    assert run(capsys, *arguments)[1].endswith("run\n")


def test_values_do_not_speak_to_the_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stranger has written is shown in printable characters."""
    (folder / "espshell.toml").write_text('aliases.a = "echo \\u001b[2J \\u202e \\u007f"')
    assert "\\u001b[2J \\u202e \\u007f" in ask("n", monkeypatch)[1]
    (folder / "espshell.toml").write_text('[profile."a\\nuse it? [y/N] "]\nbaud = 1')
    assert 'profile."a\\nuse it? [y/N] ".baud = 1' in ask("n", monkeypatch)[1]


def test_a_link_that_leads_nowhere(folder: Path) -> None:
    """A file of the folder that cannot be read is an error as any other."""
    (folder / "espshell.toml").symlink_to("nowhere")
    with pytest.raises(UsageError) as raised:
        config.load(ask=lambda _: True)
    assert raised.value.message.startswith("cannot read espshell.toml")


@pytest.mark.parametrize(
    "text", ["", "# mine\nport = 'sim://esp32' # here\n[settings]\nsqueeze = false\n"]
)
def test_settings_are_saved(text: str, offline: Shell, folder: Path) -> None:
    """They are read back as they were; comments and other keys stay."""
    mine = config.user_file()
    if text:
        mine.parent.mkdir(parents=True)
        mine.write_text(text)
    (folder / "table.csv").write_text("nvs,data,nvs,0x9000,0x6000\n")
    for line in ("set check on --save", "set flash-size 2M", "set parttable table.csv"):
        assert offline.type(line).status == 0
    assert offline.type("set --save").err == f"saved in {mine}\n"
    saved = {name: entry.text for name, entry in config.load().settings.items()}
    table = str(folder / "table.csv")
    squeeze = {"squeeze": "on"} if text else {}
    assert saved == {"check": "on", "flash-size": "2048k", "parttable": table, **squeeze}
    assert all(part in mine.read_text() for part in ("# mine", "# here") if text)


@pytest.mark.parametrize(
    "text",
    [
        "settings.check = true\nbaud = 9600",
        "settings = {check = true}\n[profile.x]\nbaud = 1",
        "[profile.x.settings]\ncheck = true",
        "\ufeffbaud = 1\r\n[settings]\r\ncheck = true\r\n[profile.x]",
    ],
)
def test_every_way_to_write_a_table_is_saved_into(text: str) -> None:
    """The rest of the file means what it meant."""
    mine = config.user_file()
    mine.parent.mkdir(parents=True)
    mine.write_text(text, newline="")
    before = config._sections(mine, config._parsed(mine, mine.read_bytes()))
    config.save({"check": False, "color": "never"})
    after = config._sections(mine, config._parsed(mine, mine.read_bytes()))
    assert after[""].settings["check"].text == "off"
    assert after[""].options == {**before[""].options, "color": "never"}
    assert {**after, "": None} == {**before, "": None}


def test_a_file_that_is_wrong_is_not_saved_into(offline: Shell) -> None:
    """It stays as it is, and the error says where it is wrong."""
    mine = config.user_file()
    mine.parent.mkdir(parents=True)
    mine.write_text("ports = 1")
    ran = offline.type("set check on --save")
    assert ran.status == 2
    assert f"{mine}: ports: there is no such key" in ran.err
    assert mine.read_text() == "ports = 1"


def test_dry_run_is_never_saved(offline: Shell) -> None:
    """Whether writes are sent is said at every start."""
    assert offline.type("set dry-run on --save").status == 2
    assert not offline.session.dry_run


def test_the_command_line_decides_on_colour(folder: Path) -> None:
    """The setting is the default of the option."""
    (folder / "my.toml").write_text('settings.color = "always"')
    loaded = config.load(file=Path("my.toml"))
    assert (loaded.options, loaded.settings) == ({"color": "always"}, {})
    assert options_module.parsed(["--color", "never"], loaded.options).color == "never"


def test_files_are_beside_the_configuration(folder: Path) -> None:
    """A relative name is relative to the file that has it, wherever the shell starts."""
    other = folder / "board"
    other.mkdir()
    (other / "my.toml").write_text(
        'baud = "auto"\nelf = "app.elf"\nsettings.parttable = "table.csv"'
    )
    loaded = config.load(file=Path("board/my.toml"))
    assert loaded.options["baud"] == "auto"
    assert loaded.options["elf"] == str(Path("board/app.elf"))
    assert loaded.settings["parttable"].text == str(Path("board/table.csv"))


def test_one_file_in_both_places_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the configuration directory itself the file is the person's own."""

    def refuse(_: Sequence[str]) -> bool:
        raise AssertionError("a person was asked")

    mine = config.user_file()
    mine.parent.mkdir(parents=True)
    mine.write_text("baud = 9600")
    monkeypatch.chdir(mine.parent)
    assert config.load(ask=refuse).options == {"baud": "9600"}


def test_every_option_is_one_of_the_program() -> None:
    """The keys of a file are names of the command line's options."""
    options = vars(options_module.parsed([]))
    assert set(config._OPTIONS) <= set(options)
    with pytest.raises(UsageError):
        config.load(profile="none")
