"""The fixtures of the pytest plugin, as tests of a board use them."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

ONE = """
    def test_one(esp_chip):
        assert esp_chip.poke("DRAM", 1).ok
    """
ALONE = ("-p", "no:xdist")


@pytest.fixture(autouse=True)
def _own_root(pytester: pytest.Pytester) -> None:
    """Let the folder be a root, or each run looks through all folders above and beside it."""
    pytester.makeini("[pytest]")


def test_fixtures(pytester: pytest.Pytester) -> None:
    """A test gets the chip that it is for, and is skipped on another."""
    pytester.makepyfile(
        """
        import pytest

        def test_default(esp_chip):
            assert esp_chip.name == "esp32c3"

        @pytest.mark.esp_chips("esp32s3", "esp32")
        def test_marked(esp_chip, esp_port):
            assert esp_chip.name == "esp32s3"
            assert esp_port == "sim://esp32s3"
        """
    )
    pytester.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=2)
    other = pytester.runpytest_inprocess("-p", "no:xdist", "--esp-port", "sim://esp32c3")
    other.assert_outcomes(passed=1, skipped=1)


def test_marked_class(pytester: pytest.Pytester) -> None:
    """The marker holds for a class, and a closer one wins; one with a typing error is strict."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.esp_chips("esp32s3")
        class TestS3:
            def test_it(self, esp_chip):
                assert esp_chip.name == "esp32s3"

            @pytest.mark.esp_chips("esp32")
            def test_closer(self, esp_port):
                assert esp_port == "sim://esp32"
        """
    )
    pytester.runpytest_inprocess(*ALONE, "--strict-markers").assert_outcomes(passed=2)


@pytest.mark.parametrize("port", ["/dev/there-is-no-such-port", "no-such://x", "sim://esp9"])
def test_a_board_that_does_not_answer_is_one_line(port: str, pytester: pytest.Pytester) -> None:
    """The error of a test says which port, and why; there is no trace of ours."""
    pytester.makepyfile(ONE)
    result = pytester.runpytest_inprocess(*ALONE, f"--esp-port={port}")
    result.assert_outcomes(errors=1)
    said = result.stdout.str()
    assert f"\n{port}: " in said
    assert "Traceback" not in said
    assert "pytest_plugin.py" not in said


def test_the_port_of_the_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESPSHELL_PORT stands where the option does not, and the head of the report names it."""
    monkeypatch.setenv("ESPSHELL_PORT", "sim://esp32c6")
    pytester.makepyfile("def test_port(esp_port):\n    assert esp_port == 'sim://esp32c6'\n")
    result = pytester.runpytest_inprocess(*ALONE, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["espshell: sim://esp32c6"])


def test_a_failed_test_leaves_the_chip(pytester: pytest.Pytester) -> None:
    """A test that fails or is skipped closes its connection, and the next one connects."""
    pytester.makepyfile(
        """
        import pytest

        def test_fails(esp_chip):
            assert esp_chip.peek("DRAM").last_value == 1

        def test_needs(esp_chip):
            pytest.skip("no harness")

        def test_passes(esp_chip):
            assert esp_chip.info().chip
        """
    )
    result = pytester.runpytest_inprocess(
        *ALONE, "--esp-port=sim://esp32c3", "--esp-baud=auto", "--tb=no"
    )
    result.assert_outcomes(passed=1, failed=1, skipped=1)


@pytest.mark.long
def test_each_worker_has_its_board(pytester: pytest.Pytester) -> None:
    """With pytest-xdist one real board for two workers is refused; simulated ones are shared."""
    pytester.makepyfile(ONE, test_other=ONE)
    refused = pytester.runpytest_inprocess("-n2", "--esp-port=/dev/ttyUSB0")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: 2 workers and 1 of --esp-port: *"])
    shared = pytester.runpytest_subprocess("-n2", "--esp-port=sim://esp32c3")
    shared.assert_outcomes(passed=2)
