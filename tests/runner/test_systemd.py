"""What the service manager hears, on a real socket; and that nothing waits for one who does not listen."""

import socket
from pathlib import Path

import pytest

from runner import systemd
from runner.systemd import ServiceNotifier


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path has 107 bytes at most
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("notify")
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", "notify")
        yield listening


def test_each_is_told_and_a_status_only_when_it_is_news(manager):
    with ServiceNotifier() as notifier:
        notifier.ready()
        notifier.feed()
        notifier.feed()
        notifier.show("monitoring")
        notifier.show("monitoring")
        notifier.stopping()
    told = [manager.recv(4096).decode() for _ in range(4)]
    assert told == ["READY=1", "WATCHDOG=1", "STATUS=monitoring", "STOPPING=1"]


def test_a_manager_that_does_not_read_holds_nothing_up(manager):
    with ServiceNotifier() as notifier:
        for number in range(5000):
            notifier.show(f"turn {number}")
    assert manager.recv(4096) == b"STATUS=turn 0"


def test_without_a_manager_nothing_happens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with ServiceNotifier() as notifier:
        notifier.ready()
        notifier.show("monitoring")


def test_a_long_start_asks_for_more_time_until_it_is_over(manager, monkeypatch):
    monkeypatch.setattr(systemd, "EXTEND_INTERVAL_S", 0.01)
    with ServiceNotifier() as notifier:
        with notifier.extending("bringing the database up to date"):
            told = [manager.recv(4096).decode() for _ in range(4)]
        notifier.ready()
        while (line := manager.recv(4096).decode()) != "READY=1":
            assert line == told[1]
    assert told == ["STATUS=bringing the database up to date", *["EXTEND_TIMEOUT_USEC=120000000"] * 3]


def test_the_unit_lets_a_run_be_killed_for_memory_and_a_start_take_its_time():
    unit = (Path(__file__).parents[2] / "deploy/systemd/ouroboros.service").read_text().splitlines()
    limit = next(line for line in unit if line.startswith("TimeoutStartSec="))
    assert "OOMPolicy=continue" in unit
    # What outlives the daemon keeps its sockets and scratch files.
    assert "KillMode=process" in unit and not any(line.startswith("PrivateTmp=") for line in unit)
    assert float(limit.partition("=")[2]) > systemd.EXTEND_INTERVAL_S
    assert systemd.EXTENSION_S > 2 * systemd.EXTEND_INTERVAL_S  # one that is lost does no harm
