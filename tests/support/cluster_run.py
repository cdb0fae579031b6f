"""A tuner's run that a daemon launched, on every machine of a cluster, with its history on PostgreSQL: whatever of it
may be killed, and what must be left of it."""

import json
import os
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from cluster_world import NOTHING_ASKED, OUROBOROS, Machine, World, killed, until
from postgresql_server import PrivateServer

from pipeline.tuner import ledger

BRIEFLY = {"search.time_share": 0.0, "search.duel_budget": 60, "timeout_ms": 60_000}
TUNER: dict[str, Any] = {
    "seed": 7,
    "games": 12,
    "baseline_games": 12,
    "max_games": 24,
    "measure_games": 12,
    "questions_in_flight": 12,
    "width": 7,
    "height": 7,
    "max_turns": 100,
    "screen": False,
    "interactions": False,
    "parallel_games": 1,
    "probe_conditions": BRIEFLY,
    "gate_conditions": BRIEFLY,
}
SCHEDULE = {
    "name": "tuning",
    "cron_expression": "0 0 1 1 *",
    "worker": "tuner",
    "resource_requirements": NOTHING_ASKED,
    "max_retries": 100,
    "retry_backoff_s": 0.2,
    "retry_backoff_max_s": 0.5,
}
_SEATS = 2
BACK_S = 400.0
"""A head that was killed, and its nodes after it, are back sooner."""


def head_settings(database_url: str) -> dict[str, Any]:
    """Of the head's state folder, in which the daemon lives too."""
    return {"tuner": TUNER, "storage": {"database_url": database_url}, "scheduler": {"poll_interval_s": 0.2}}


class ClusterRun:
    """See the module's text. `strike` kills one part of it."""

    def __init__(self, world: World, server: PrivateServer, database: str, dice: random.Random) -> None:
        self._world, self._server, self._database, self._dice = world, server, database, dice
        self._home = world.head.home
        self.type("init")
        for name in [each["name"] for each in json.loads(self.type("schedules", "list", "--json"))]:
            self.type("schedules", "remove", name)
        (self._home / "tuning.json").write_text(json.dumps(SCHEDULE))
        self.type("schedules", "add", str(self._home / "tuning.json"))
        self._begin()
        self.type("trigger", "tuning")
        until(self.run_pid, "the run")

    def type(self, *words: str) -> str:
        """Type `ouroboros ...` beside the daemon, which must succeed."""
        done = subprocess.run(
            [str(OUROBOROS), *words], env=self._environment(), capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def strike(self, what: str) -> int:
        """Kill it once it is there, and while it is at work; how many processes that were."""
        return int(getattr(self, f"_strike_{what}")())

    def run_pid(self) -> int:
        """Of the run under way; 0: none is."""
        found = self._ask(
            "SELECT identity_json FROM executions WHERE completed_at IS NULL AND identity_json IS NOT NULL"
        )
        pid = int(json.loads(found[0][0])["pid"]) if found else 0
        return pid if pid and psutil.pid_exists(pid) else 0

    def attempts(self) -> list[tuple[Any, ...]]:
        """Number and state of every execution, in order."""
        return self._ask("SELECT attempt, status FROM executions ORDER BY attempt")

    def occurrences(self) -> list[tuple[Any, ...]]:
        """All that was asked for."""
        return self._ask("SELECT state FROM occurrences")

    def end(self) -> None:
        """In good order: the run saves its work, then the daemon ends."""
        self.type("cancel", "tuning")
        until(lambda: not self._ask("SELECT 1 FROM executions WHERE completed_at IS NULL"), "the run's end", BACK_S)
        self.close()

    def close(self) -> None:
        """End the daemon, whatever state it is in."""
        self._daemon.send_signal(signal.SIGTERM)
        try:
            self._daemon.wait(120)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()

    def _begin(self) -> None:
        with (self._home / "told.txt").open("ab") as told:
            command = [str(OUROBOROS), "up", "--no-first-run", "--no-web"]
            self._daemon = subprocess.Popen(command, env=self._environment(), stdout=told, stderr=told)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "OUROBOROS_HOME": str(self._home)}

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        return self._server.ask(statement, self._database)

    def _one_that_plays(self) -> Machine:
        nodes = self._world.machines[1:]
        until(lambda: any(node.plays() for node in nodes), "a node plays", BACK_S)
        return self._dice.choice([node for node in nodes if node.plays()] or nodes)

    def _strike_node(self) -> int:
        return self._one_that_plays().kill()

    def _strike_actor(self) -> int:
        return killed(self._one_that_plays().players())

    def _strike_head(self) -> int:
        until(lambda: self._world.head.processes("gcs_server"), "a head", BACK_S)
        return self._world.head.kill()

    def _strike_bridge(self) -> int:
        until(self._bridges, "a bridge", BACK_S)
        return killed(self._bridges())

    def _strike_run(self) -> int:
        until(self.run_pid, "a run", BACK_S)
        return killed([psutil.Process(self.run_pid())])

    def _strike_daemon(self) -> int:
        hit = killed([psutil.Process(self._daemon.pid)])
        self._daemon.wait()
        self._begin()
        return hit

    def _strike_server(self) -> int:
        hit = len(psutil.Process(self._server.pid).children()) + 1
        self._server.kill()
        self._server.start()
        return hit

    def _bridges(self) -> list[psutil.Process]:
        address = f"{self._world.head.host}:{self._world.head.port}"
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "pipeline.cluster.bridge_child" in words and address in words:
                found.append(process)
        return found


class Decided:
    """What a ledger says: steps without clocks, names and starts, and every counted game."""

    def __init__(self, home: Path) -> None:
        book = sqlite3.connect(home / "nn_training_results" / ledger.NAME)
        steps = book.execute("SELECT kind, body FROM steps WHERE kind <> 'started' ORDER BY serial").fetchall()
        rows = book.execute(
            "SELECT g.job, g.number, g.seed, g.rotation, g.scores, g.turns, g.died_on, g.transcript FROM games g "
            "JOIN jobs j ON j.run = g.run AND j.job = g.job WHERE j.closed_by IS NOT NULL"
        ).fetchall()
        jobs = book.execute("SELECT job, seeds FROM jobs WHERE closed_by IS NOT NULL").fetchall()
        (self.played,) = book.execute("SELECT SUM(games_played) FROM runs").fetchone()
        book.close()
        self.steps = [_without_names(kind, json.loads(body)) for kind, body in steps]
        self.games = {(job, number): rest for job, number, *rest in rows}
        wanted = {job: _SEATS * len(json.loads(seeds)) for job, seeds in jobs}
        found = Counter(job for job, _ in self.games)
        self.twice = len(rows) - len(self.games)
        """Games that were counted twice."""
        self.lost = sum((Counter(wanted) - found).values())
        """Games of jobs that were counted without them."""


def _without_names(kind: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    body.get("record", {}).pop("campaign", None)
    return kind, body
