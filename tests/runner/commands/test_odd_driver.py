"""`ouroboros up` and `doctor` on a machine whose NVIDIA driver never returns."""

import signal

import pytest
from made_up_driver import MadeUpDriver, compiled

from tests.runner.commands.conftest import Terminals, until


@pytest.fixture
def driver(tmp_path, monkeypatch) -> MadeUpDriver:
    compiled(tmp_path)
    made_up = MadeUpDriver(tmp_path)
    for name, value in made_up.environment.items():
        monkeypatch.setenv(name, value)
    return made_up


def test_a_driver_that_hangs_keeps_nothing_from_being_ready_told_and_stopped(alone: Terminals, driver: MadeUpDriver):
    driver.does("hang init")
    alone.up()
    assert "hardware  the NVIDIA driver does not answer" in alone.shown()
    assert "worker    tuner. The GPU's driver does not answer, so the Go-weight tuner" in alone.shown()
    told = alone.ouroboros("doctor")
    assert told.code != 0
    (machine,) = (line for line in told.out.splitlines() if line.startswith("FAIL machine"))
    assert "GPU silent (the NVIDIA driver does not answer" in machine
    assert "ok   worker    tuner." in told.out
    until(lambda: "continuous_learning waits:" in alone.shown(), alone.shown)
    assert alone.signalled(signal.SIGTERM) == 0, alone.shown()
