"""`arena.sync` of the daemon: off without a token, a process of its own, ended with the daemon, told when it fails."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from arena_stand_in import TOKEN, StandIn, World, drip, status
from forked import forked

from migrations.upgrade import upgrade
from runner.arena_sync import OFF_LOOK_S, ArenaSync
from runner.clock import SystemClock
from runner.flow.runtime import Runtime
from runner.notify.channels import CustomChannel
from runner.notify.dispatcher import Notifier
from runner.store import heartbeat
from runner.store.engine import Store
from runner.triggers.games_folder import count_new_games
from schemas.ladder import ArenaSettings
from schemas.settings import Settings

DEADLINE_S = 120.0


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(World()) as standing_in:
        yield standing_in


@pytest.fixture
def runtime(tmp_path: Path, server: StandIn) -> Iterator[Runtime]:
    arena = ArenaSettings(base_url=server.url, requests_per_s=1000, explain_losses=0, sync_minutes=15)
    settings = Settings(home=tmp_path, arena=arena)
    settings.games_dir.mkdir(parents=True)
    store = Store(settings.database_url, 30)
    upgrade(store, 1, datetime.now(UTC))
    yield Runtime(settings, store, SystemClock(), Notifier([CustomChannel(object())], settings.notifications))
    store.close()


def log_in(runtime: Runtime) -> None:
    runtime.settings.arena_dir.mkdir(exist_ok=True)
    (runtime.settings.arena_dir / "token").write_text(TOKEN)
    (runtime.settings.arena_dir / "token").chmod(0o600)


def wait_for(condition: Callable[[], object], what: str) -> None:
    end_s, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, f"never came: {what}"
        pause.wait(0.02)


def trouble_of(runtime: Runtime) -> str:
    with runtime.store.read() as session:
        return next((loop.last_error or "" for loop in heartbeat.loops(session) if loop.name == "arena.sync"), "")


def test_it_is_off_until_there_is_a_token_and_a_start_comes_first(runtime: Runtime, server: StandIn) -> None:
    work = ArenaSync(runtime)
    assert work.turn() == 20
    assert work.turn() == OFF_LOOK_S
    log_in(runtime)
    runtime.settings = runtime.settings.model_copy(
        update={"arena": runtime.settings.arena.model_copy(update={"sync_minutes": 0})}
    )
    assert work.turn() == OFF_LOOK_S
    assert server.world.asked == []


def test_ladder_games_become_production_games_and_a_refused_token_is_told(runtime: Runtime, server: StandIn) -> None:
    for kind in ("duel", "lost"):
        server.world.add(kind)
    log_in(runtime)
    work = ArenaSync(runtime, first_after_s=0)
    assert work.turn() == 900
    assert count_new_games(runtime.store, runtime.settings.games_dir, datetime.now(UTC)) == 2
    assert trouble_of(runtime) == ""
    server.world.fail("/api/snakes", status(401, "Invalid or revoked token"))
    assert work.turn() == 900
    assert "refuses the token" in trouble_of(runtime)
    assert runtime.store.path is not None
    with sqlite3.connect(runtime.store.path) as plain:
        (payload,) = plain.execute("SELECT payload_json FROM outbox").fetchone()
    plain.close()
    assert "the Arena refuses the token" in payload
    assert TOKEN not in payload


def test_an_arena_that_hangs_holds_up_one_thread_which_ends_with_the_daemon(runtime: Runtime, server: StandIn) -> None:
    log_in(runtime)
    server.world.fail("/api/snakes", drip)
    work = ArenaSync(runtime, first_after_s=0)
    thread = threading.Thread(target=work.turn)
    thread.start()
    wait_for(lambda: server.world.asked, "the first request")
    process = work._process
    assert process is not None
    work.close()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert process.returncode == -9
    assert work.turn() == OFF_LOOK_S, "closed for good"


def test_a_child_ends_when_its_daemon_does(runtime: Runtime, server: StandIn) -> None:
    log_in(runtime)
    server.world.fail("/api/snakes", drip)
    work = ArenaSync(runtime, first_after_s=0)
    child = forked(work.turn)
    wait_for(lambda: server.world.asked, "the first request")
    (of_it,) = (Path("/proc") / str(child) / "task" / str(child) / "children").read_text().split()
    os.kill(child, 9)
    os.waitpid(child, 0)
    wait_for(lambda: not _lives(int(of_it)), "the end of the child's child")


def _lives(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
