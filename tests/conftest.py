"""What holds for all tests: a slow machine is no reason to fail, and a run can be repeated.

A shell starts what it puts into the background with SIGINT ignored, and ``nohup`` does so with
SIGHUP; programs inherit that, and the tests that send one would wait for ever.  So they are given
their defaults here.

``pytest --hypothesis-profile=explore`` looks for examples that have not been tried; the quick run
tries fewer than ``scripts/test --all``.

A sweep (one fault at every frame, every bit of a request) takes some of its cases in the quick run
and all of them with ``scripts/test --all``: the fixture ``stride`` says how far apart they are.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "espshell", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", settings.get_profile("espshell"), max_examples=30)
settings.register_profile("explore", deadline=None)
settings.load_profile("espshell")

signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector of garbage away from the tests: they are many, and they stay."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples in the quick run, unless a profile is asked for."""
    if config.option.markexpr and not config.getoption("--hypothesis-profile"):
        settings.load_profile("quick")


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the person's configuration and last port out of the tests, and the tests out of them."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        os.environ[name] = str(tmp_path_factory.mktemp(name))


@pytest.fixture
def stride(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Return how many cases of a sweep a step is: four times the argument, one with ``--all``."""
    is_quick = bool(request.config.option.markexpr)
    return lambda quick: 4 * quick if is_quick else 1
