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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from go_programs import REPOSITORY

from pipeline.cluster.all_machines import on_all_machines
from pipeline.referee import MatchConditions
from pipeline.tuner.backends import Backend, GameOrder, PlayedGame
from pipeline.tuner.backends.inprocess import open_inprocess
from pipeline.tuner.jobs import JobKind, MatchJob, Participant, PlayConditions, SourceKind
from pipeline.tuner.snake_source import SnakeSource
from runner.cluster_ray import end_processes, ray_folder
from schemas.cluster import PLAYING_NAME, TOKEN_VARIABLE, cluster_dir, token_path
from schemas.settings import Settings, load

OUROBOROS = Path(sys.executable).with_name("ouroboros")
SOURCE = REPOSITORY / "deploy" / "go-snake"
WEIGHTS = (SOURCE / "config.yaml").read_text()
OTHER = re.sub(r"room_need: [\d.]+", "room_need: 0.4", WEIGHTS)
DEADLINE_S = 300.0
TRIES = 3
AS_IF_ALONE = {"RAY_worker_niceness": "0"}
"""Ray's workers yield to everybody else; here that would be the other nodes, on the same processors."""
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
    """One node: its state folder, and what is typed on it.

    Args:
        inside: what stands before a command so that it runs in this machine's network (`network_spaces`).
        settings: further ones of its state folder.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        inside: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        **cluster: Any,
    ) -> None:
        self.name, self.host, self.port, self._inside = name, host, port, inside
        self.home = Path(tempfile.mkdtemp(prefix=f"ocl-{name}-"))
        own = {"name": name, "cores": 1, "answer_interval_s": 0.5, "requirements": NOTHING_ASKED}
        own |= {"start_timeout_s": DEADLINE_S * 0.8, "address": host, "port": port, **cluster}
        (self.home / "settings.json").write_text(
            json.dumps({"cluster": own, "guards": {"cpu_window_s": 1}, **(settings or {})})
        )

    def type(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type `ouroboros cluster ...` here."""
        command = [*self._inside, str(OUROBOROS), "cluster", *words]
        environment = {**os.environ, **AS_IF_ALONE, "OUROBOROS_HOME": str(self.home)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    def must(self, *words: str) -> str:
        """The same, which must succeed."""
        done = self.type(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def comes_up(self, *words: str) -> None:
        """Start or join; once more where Ray gave up waiting for its own parts, as on a machine that is very busy."""
        for _ in range(TRIES):
            done = self.type(*words)
            if done.returncode == 0 or "Ray does not start" not in done.stderr:
                break
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, script: str, token: str = "") -> None:
        """Run a script here, which ends."""
        environment = {**os.environ, **AS_IF_ALONE, "OUROBOROS_HOME": str(self.home)}
        environment |= {TOKEN_VARIABLE: token} if token else {}
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

    def players(self) -> list[psutil.Process]:
        """The actors that play here; Ray calls a process after what it does."""
        return [process for process in self.everything() if name_of(process).startswith("ray::NodeActor")]

    def plays(self) -> bool:
        """Whether an actor has games at this moment."""
        marks = cluster_dir(self.home) / PLAYING_NAME
        return any((marks / str(process.pid)).exists() for process in self.players())

    def kill(self) -> int:
        """`kill -9` of all that Ray and the players are here; the node process lives, as after a crash of Ray. How many
        processes that were."""
        return killed(self.everything())

    def everything(self) -> list[psutil.Process]:
        """The node process, Ray, the players and their snakes."""
        try:
            return psutil.Process(self.note["pid"]).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

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
        host: the head's address.
        settings: further ones of the head's state folder.
    """

    def __init__(
        self, *, guide: bool = False, host: str = "127.0.0.2", settings: Mapping[str, Any] | None = None
    ) -> None:
        self._guide, self._base = guide, free_ports()
        self.head = Machine("head", host, self._base, settings=settings)
        self.machines = [self.head]
        self.told: list[str] = []
        if guide:
            self.head.run(GUIDE_MASTER)
        else:
            self.head.comes_up("start")

    def join(self, name: str, host: str = "", inside: Sequence[str] = (), **cluster: Any) -> Machine:
        """One machine more."""
        number = len(self.machines)
        host = host or f"127.0.0.{2 + number}"
        machine = Machine(name, host, self._base + 120 * number, inside=inside, **cluster)
        self.machines.append(machine)
        token, address = token_path(self.head.home), f"{self.head.host}:{self.head.port}"
        if self._guide:
            machine.run(GUIDE_WORKER.replace("192.168.1.100:5000", address), token.read_text())
        else:
            machine.comes_up("join", address, "--token-file", str(token))
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

    def wait_for(self, backend: Backend, *names: str) -> None:
        """Until these play for it."""
        until(
            lambda: backend.finished(0.05) == [] and all(self.heard(f"{name} plays") for name in names),
            f"{names} play",
        )

    def close(self) -> None:
        for machine in reversed(self.machines):
            machine.stop()


def played_once(backend: Backend, asked: MatchJob, disturb: Callable[[], None]) -> list[str]:
    """The transcripts of all games of a job, in its order, while something happens; each must be told once."""
    games = range(len(asked.games))
    backend.begin([GameOrder(asked, number) for number in games])
    told: list[PlayedGame] = []
    with ThreadPoolExecutor(1) as disturbing:
        happening = disturbing.submit(disturb)
        until(
            lambda: told.extend(backend.finished(0.05)) or (len(told) >= len(games) and happening.done()),
            "all games",
            400,
        )
        happening.result()
    assert sorted(played.number for played in told) == list(games)
    return [played.result.transcript for played in sorted(told, key=lambda played: played.number)]


def name_of(process: psutil.Process) -> str:
    """Its name; "" once it has ended."""
    with suppress(psutil.Error):
        return process.name()
    return ""


def killed(processes: Iterable[psutil.Process]) -> int:
    """`kill -9` of these; how many of them lived until then."""
    count = 0
    for process in processes:
        with suppress(psutil.Error):
            alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
            process.kill()
            count += alive
    return count


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
