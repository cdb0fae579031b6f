"""A cluster of real raylets on this machine: for each node an address of the loopback network and a state folder."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from go_programs import REPOSITORY

from pipeline.cluster.all_machines import on_all_machines
from pipeline.referee import MatchConditions
from pipeline.tuner.backends import Backend
from pipeline.tuner.backends.inprocess import open_inprocess
from pipeline.tuner.jobs import JobKind, MatchJob, Participant, PlayConditions, SourceKind
from pipeline.tuner.snake_source import SnakeSource
from runner.cluster_ray import end_processes, ray_folder
from schemas.cluster import TOKEN_VARIABLE, cluster_dir, token_path
from schemas.settings import Settings, load

OUROBOROS = Path(sys.executable).with_name("ouroboros")
SOURCE = REPOSITORY / "deploy" / "go-snake"
WEIGHTS = (SOURCE / "config.yaml").read_text()
OTHER = re.sub(r"room_need: [\d.]+", "room_need: 0.4", WEIGHTS)
DEADLINE_S = 300.0
NOTHING_ASKED = {"min_free_memory_gb": 0, "min_free_disk_gb": 0, "max_cpu_usage_percent": 100}


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S, look_s: float = 0.05) -> None:
    """Wait for a condition, looking every `look_s`; fails after a deadline that only a broken program reaches."""
    end_s, pause = time.monotonic() + deadline_s, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, f"never came: {what}"
        pause.wait(look_s)


GUIDE_MASTER = """
# Multi-machine setup
from runner import DistributedTrainingRunner

# Master node
master_runner = DistributedTrainingRunner(node_type='master')
master_runner.start_cluster()
"""
GUIDE_WORKER = """
from runner import DistributedTrainingRunner

# Worker nodes
worker_runner = DistributedTrainingRunner(
    node_type='worker',
    master_address='192.168.1.100:5000'
)
worker_runner.join_cluster()
"""


class Machine:
    """One node: its state folder, and what is typed on it."""

    def __init__(self, name: str, host: str, port: int, **cluster: Any) -> None:
        self.name, self.host, self.port = name, host, port
        self.home = Path(tempfile.mkdtemp(prefix=f"ocl-{name}-"))
        settings = {"name": name, "cores": 1, "answer_interval_s": 0.5, "requirements": NOTHING_ASKED}
        settings |= {"start_timeout_s": DEADLINE_S * 0.8, **cluster}
        (self.home / "settings.json").write_text(
            json.dumps({"cluster": {"address": host, "port": port, **settings}, "guards": {"cpu_window_s": 1}})
        )

    def type(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type `ouroboros cluster ...` here."""
        command = [str(OUROBOROS), "cluster", *words]
        environment = {**os.environ, "OUROBOROS_HOME": str(self.home)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    def must(self, *words: str) -> str:
        """The same, which must succeed."""
        done = self.type(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, script: str, token: str = "") -> None:
        """Run a script here, which ends."""
        environment = {**os.environ, "OUROBOROS_HOME": str(self.home)} | ({TOKEN_VARIABLE: token} if token else {})
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def settings(self) -> Settings:
        return load(self.home / "settings.json").model_copy(update={"home": self.home})

    @property
    def note(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((cluster_dir(self.home) / "node.json").read_text())
        return found

    def processes(self, named: str = "") -> list[psutil.Process]:
        """Of Ray's processes here, those whose name begins so."""
        mark, found = str(ray_folder(self.home)), []
        for process in psutil.process_iter(["cmdline", "name"]):
            if mark in " ".join(process.info["cmdline"] or ()) and process.info["name"].startswith(named):
                found.append(process)
        return found

    def kill(self) -> None:
        """`kill -9` of all that Ray and the players are here; the node process lives, as after a crash of Ray."""
        for process in self.everything():
            with suppress(psutil.Error):
                process.kill()

    def everything(self) -> list[psutil.Process]:
        """The node process, Ray, the players and their snakes."""
        root = psutil.Process(self.note["pid"])
        return root.children(recursive=True)

    def stop(self) -> None:
        """Whatever state it is in."""
        try:
            os.kill(self.note["pid"], signal.SIGTERM)
            until(lambda: not (cluster_dir(self.home) / "node.json").exists(), f"{self.name} ends", 30)
        except (OSError, ValueError, AssertionError):
            pass
        end_processes(ray_folder(self.home))
        shutil.rmtree(ray_folder(self.home), ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


class World:
    """A head and whoever joins it.

    Args:
        guide: by the snippets of the operations guide; else by the commands.
    """

    def __init__(self, *, guide: bool = False) -> None:
        self._guide, self._base = guide, free_ports()
        self.head = Machine("head", "127.0.0.2", self._base)
        self.machines = [self.head]
        self.told: list[str] = []
        if guide:
            self.head.run(GUIDE_MASTER)
        else:
            self.head.must("start")

    def join(self, name: str, **cluster: Any) -> Machine:
        """One machine more."""
        number = len(self.machines)
        machine = Machine(name, f"127.0.0.{2 + number}", self._base + 120 * number, **cluster)
        self.machines.append(machine)
        token, address = token_path(self.head.home), f"{self.head.host}:{self.head.port}"
        if self._guide:
            machine.run(GUIDE_WORKER.replace("192.168.1.100:5000", address), token.read_text())
        else:
            machine.must("join", address, "--token-file", str(token))
        return machine

    def states(self) -> dict[str, str]:
        """Name -> state, as `status` says it."""
        return {node["name"]: node["state"] for node in json.loads(self.head.must("status", "--json"))}

    @contextmanager
    def backend(self, folder: Path) -> Iterator[Backend]:
        """This machine's snake, and every node's."""
        self.told.clear()
        opened = on_all_machines(here(folder), self.head.settings, snake(), self.told.append)
        try:
            yield opened
        finally:
            opened.close()

    def heard(self, words: str) -> bool:
        """Whether the run was told so."""
        return any(words in line for line in self.told)

    def close(self) -> None:
        for machine in reversed(self.machines):
            machine.stop()


def here(folder: Path) -> Backend:
    """The bundled snake in its own process on this machine."""
    tuner = Settings().tuner
    opened = open_inprocess(SOURCE, folder, tuner, lambda: False, _nobody)
    assert not isinstance(opened, str), opened
    return opened


def _nobody(why: str) -> Backend:
    raise AssertionError(f"nobody asked for HTTP: {why}")


def snake() -> SnakeSource:
    """The bundled one, where it stands."""
    return SnakeSource(SOURCE, SOURCE / "config.yaml", None, "{binary} -config {config}")


def job(name: str, games: int, budget: int = 60) -> MatchJob:
    """A duel of two configurations that think briefly and by no clock."""
    people = tuple(Participant(SourceKind.WEIGHTS, text) for text in (WEIGHTS, OTHER))
    overrides = {"search.duel_budget": budget, "search.time_share": 0.0}
    conditions = PlayConditions(MatchConditions(timeout_ms=60_000), overrides)
    return MatchJob(name, JobKind.PROBE, people, (0, 1), tuple(range(1, games // 2 + 1)), conditions)


def free_ports() -> int:
    """The first of some hundred ports that nobody listens on."""
    draw = random.Random(os.getpid() ^ time.monotonic_ns())
    for _ in range(100):
        base = draw.randrange(20_000, 32_000, 10)  # below the ports that connections are given
        if all(_is_free(base + 120 * node + offset) for node in range(3) for offset in (*range(10), 40)):
            return base
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
