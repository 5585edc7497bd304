"""The driver and the strategy for labgrid, with labgrid's own classes, on a served chip.

labgrid brings a fork of pyserial under another name, which replaces the files of pyserial, so it
has an environment of its own here: made as the README of the example says.  Where labgrid is
installed beside the tests, that one is used.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import espshell
from tests.link.test_rfc2217 import started

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "labgrid"
has_labgrid = importlib.util.find_spec("labgrid") is not None
pytestmark = [] if has_labgrid else [pytest.mark.long]

NETWORK = """      NetworkSerialPort:
        host: 127.0.0.1
        port: 4000
"""
LOCAL = "      RawSerialPort:\n        port: {}\n"


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Run a program to its end; return what it says. Raises: CalledProcessError."""
    words = [str(word) for word in command]
    finished = subprocess.run(
        words, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return finished.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with labgrid and espshell."""
    if has_labgrid:
        return Path(sys.executable)
    folder = tmp_path_factory.mktemp("labgrid") / "venv"
    interpreter = folder / "bin" / "python"
    pip = (interpreter, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(sys.executable, "-m", "venv", folder)
    try:
        run(*pip, "--retries=1", "--timeout=15", "labgrid")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"pip cannot install labgrid: {error.stdout.strip().splitlines()[-1]}")
    run(*pip, ROOT)
    run(*pip, "--force-reinstall", "--no-deps", "pyserial-labgrid")
    return interpreter


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return a folder with the files of the example and a firmware."""
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with espshell.connect("sim://demo") as chip:
        firmware = chip.read("flash:app0", 0x5000)
    (tmp_path / "app.bin").write_bytes(firmware)
    return tmp_path


@pytest.fixture(params=["rfc2217", "local"])
def environment(request: pytest.FixtureRequest, board: Path) -> Iterator[Path]:
    """Serve a chip, and write the environment that has it."""
    path = board / "environment.yaml"
    text = path.read_text()
    assert NETWORK in text
    with ExitStack() as stack:
        serve = ("-m", "espshell", "sim", "demo")
        if request.param == "rfc2217":
            address = started(stack, *serve, "--rfc2217", "127.0.0.1:0")
            resource = NETWORK.replace("4000", address.rpartition(":")[2])
        else:
            resource = LOCAL.format(started(stack, *serve, "--pty"))
            text = text.replace("image: app", "image: app\n        before: no-reset")
        path.write_text(text.replace(NETWORK, resource))
        yield path


def test_strategy_goes_through_its_states(python: Path, environment: Path) -> None:
    """The example's tests pass on a port of the network and on a local one."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--lg-env={environment}")
    try:
        said = run(python, *words, "test_board.py", folder=environment.parent)
    except subprocess.CalledProcessError as error:
        pytest.fail(error.stdout[-3000:])
    assert "4 passed" in said
