"""Two daemons of one PostgreSQL database, killed and hung at random moments, and the server killed too: every
occurrence ran once, whoever led; the other leads within ten seconds."""

import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import daemon_pair
import pytest
from daemon_audit import audit
from daemon_world import DATABASE_VARIABLE
from postgresql_server import PrivateServer, private_server
from test_daemon_server_kills import upgraded

from runner.leader import leader_and_stand_bys
from runner.store.engine import Store
from schemas.errors import StateError
from schemas.times import from_text

SCRIPT = Path(__file__).parents[1] / "process" / "daemon_pair.py"
LIMIT_S = 60.0
TAKES_OVER_S = 10.0
KINDS = ("killed", "killed", "killed", "hung", "server")


class Pair:
    """Two daemons that are started again whenever one ends by a kill."""

    def __init__(self, base: Path, url: str) -> None:
        self.homes = [base / "a", base / "b"]
        self.clock = base / "simulated_now"
        self.store = Store(url, 5)
        self.running = [self._begun(home) for home in self.homes]

    def _begun(self, home: Path) -> subprocess.Popen[bytes]:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "told.txt").open("ab") as told:
            command = [sys.executable, str(SCRIPT), str(home), str(self.clock)]
            return subprocess.Popen(command, stdout=told, stderr=told)

    def leader(self) -> int | None:
        """Which of the two leads; None: neither just now."""
        try:
            name, _ = leader_and_stand_bys(self.store)
        except StateError:
            return None
        pids = [process.pid for process in self.running]
        pid = int(name.rpartition(":")[2] or 0)
        return pids.index(pid) if pid in pids else None

    def both_are_there(self) -> bool:
        try:
            name, waiting = leader_and_stand_bys(self.store)
        except StateError:
            return False
        return bool(name) and len(waiting) == 1

    def begin_again(self, number: int) -> None:
        self.running[number].wait()
        self.running[number] = self._begun(self.homes[number])

    def ended(self) -> bool:
        return all(process.poll() == 0 for process in self.running)


def until(condition: object, what: str, limit_s: float = LIMIT_S) -> float:
    """How long it took."""
    began_s = time.monotonic()
    pause = threading.Event()
    while not condition():  # type: ignore[operator]
        assert time.monotonic() - began_s < limit_s, f"never came: {what}"
        pause.wait(0.01)
    return time.monotonic() - began_s


def strike(pair: Pair, server: PrivateServer, kind: str) -> float | None:
    """One misfortune of the leader, or of the server; how long until the other led."""
    number = pair.leader()
    if number is None:
        return None
    struck = pair.running[number]
    if kind == "server":
        server.kill()
        server.start()
        return None
    if kind == "hung":
        struck.send_signal(signal.SIGSTOP)
    else:
        struck.kill()
    took_s = until(lambda: pair.leader() == 1 - number or pair.ended(), f"the other's lead after one was {kind}")
    if kind == "hung":
        struck.send_signal(signal.SIGCONT)
    else:
        pair.begin_again(number)
    return took_s


@pytest.mark.timeout(3600)
def test_fifty_misfortunes_of_two_daemons_and_their_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    misfortunes(tmp_path, monkeypatch, strikes=50)


def misfortunes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strikes: int) -> dict[str, object]:
    """Strike again and again, let the rest be lived in peace, and audit all of it."""
    dice = random.Random(strikes)
    took_s: dict[str, list[float]] = {"killed": [], "hung": []}
    with private_server() as server:
        url = upgraded(server)
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        pair = Pair(tmp_path, url)
        for number in range(strikes):
            until(pair.both_are_there, "a leader and one that stands by")
            threading.Event().wait(dice.uniform(0.0, 2.0))
            kind = KINDS[number % len(KINDS)]
            found_s = strike(pair, server, kind)
            if found_s is not None:
                took_s[kind].append(found_s)
        (tmp_path / daemon_pair.ENOUGH).touch()
        until(pair.ended, "the end of both", 300)
        pair.store.close()
        end = from_text(pair.clock.read_text())
        counted: dict[str, object] = dict(
            audit(pair.homes[0], daemon_pair.CRONS, daemon_pair.START, end, others=[pair.homes[1]])
        )
    for kind, all_s in took_s.items():
        assert all_s, f"the leader was never {kind}"
        counted[kind] = f"{len(all_s)} times, median {statistics.median(all_s):.1f} s, longest {max(all_s):.1f} s"
        assert max(all_s) < TAKES_OVER_S
    print(counted)
    return counted
