"""Ten thousand games from a stand-in Arena: processor time, bytes, and the same count after ten kills.

    python tests/benchmarks/arena_sync.py [--games 10000] [--kills 10]

The stand-in lists a hundred games at most, as the real server does; so a hundred more are played before each of a
hundred synchronisations, in one process. Then the same again in another home, where that process is killed with -9 ten
times, at random moments (seeded), and begun anew each time. Pacing is set aside: it would only make both wait.
"""

import argparse
import os
import random
import resource
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from arena_stand_in import MOST_LISTED, TOKEN, StandIn, World

from pipeline.ladder.source import database_of, synchronise
from schemas.ladder import ArenaSettings
from schemas.settings import Settings

KINDS = ("royale", "constrictor", "lost")
"""Of 63, 35 and 35 frames: 45 kB a game on the way."""


def rounds(settings: Settings, server_rounds: Path, games: int) -> None:
    """In a child: synchronise, ask for a hundred games more, until all are here."""
    while True:
        report = synchronise(settings, TOKEN, lambda: datetime.now(UTC))
        assert not report.trouble, report.trouble
        if kept(settings.home) >= games:
            return
        if not report.waiting:
            wanted = server_rounds.with_name("more")
            wanted.touch()
            while wanted.exists():
                time.sleep(0.001)


def kept(home: Path) -> int:
    """Rows of games that are kept."""
    plain = sqlite3.connect(home / "automation_tracking.db")
    (count,) = plain.execute("SELECT count(*) FROM arena_games WHERE state = 'kept'").fetchone()
    plain.close()
    return int(count)


def feed(world: World, lock: threading.Lock, more: Path, games: int, done: threading.Event) -> None:
    """A hundred games more whenever the child asks for them."""
    while not done.is_set():
        if more.exists():
            with lock:
                for _ in range(min(MOST_LISTED, games - len(world.games))):
                    world.add(KINDS[len(world.games) % len(KINDS)])
            more.unlink()
        time.sleep(0.001)


def run(games: int, kills: int, seed: int) -> tuple[float, int, float]:
    """Processor seconds of all lives of the child, deaths, wall seconds."""
    chance, world = random.Random(seed), World()
    with tempfile.TemporaryDirectory() as folder, StandIn(world) as server:
        home = Path(folder)
        arena = ArenaSettings(base_url=server.url, requests_per_s=1000, sync_limit_s=36_000, register_after_games=1000)
        settings = Settings(home=home, arena=arena)
        settings.games_dir.mkdir(parents=True)
        database_of(settings, create=True)
        done = threading.Event()
        threading.Thread(target=feed, args=(world, server.lock, home / "more", games, done), daemon=True).start()
        began, deaths, cpu = time.monotonic(), 0, 0.0
        marks = sorted(chance.uniform(0, games) for _ in range(kills))
        while True:
            child = os.fork()
            if child == 0:
                rounds(settings, home / "rounds", games)
                os._exit(0)
            if deaths < kills:
                while kept(home) < marks[deaths] and len(world.games) <= games:
                    time.sleep(chance.uniform(0, 0.02))
                os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            cpu += used.ru_utime + used.ru_stime
            if deaths == kills:
                assert os.waitstatus_to_exitcode(status) == 0
                break
            deaths += 1
        done.set()
        lines = [line for file in settings.games_dir.glob("*.jsonl") for line in file.open("rb")]
        ids = {line.split(b'"game_id":"')[1][:36] for line in lines}
        size = sum(file.stat().st_size for file in settings.games_dir.glob("*.jsonl"))
        base = (home / "automation_tracking.db").stat().st_size
        plain = sqlite3.connect(home / "automation_tracking.db")
        (requests, read), (results,) = (
            plain.execute("SELECT sum(requests), sum(bytes_read) FROM arena_syncs").fetchone(),
            plain.execute("SELECT count(*) FROM arena_results").fetchone(),
        )
        plain.close()
        print(
            f"{kept(home):,} games kept, {len(lines):,} lines, {len(ids):,} different ids, {results:,} results,"
            f" after {deaths} kills; {size / 1e6:,.1f} MB of lines, {base / 1e6:,.1f} MB of database;"
            f" {requests:,} requests, {read / 1e6:,.0f} MB read (by lives that ended by themselves)"
        )
        assert kept(home) == len(lines) == len(ids) == games
    return cpu, deaths, time.monotonic() - began


def main() -> None:
    """Once undisturbed, once killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=["both", "undisturbed", "killed"], default="both")
    options = parser.parse_args()
    if options.part != "killed":
        load = os.getloadavg()[0]
        cpu, _, wall = run(options.games, 0, options.seed)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"undisturbed: {cpu:.1f} s of processor time, {cpu / options.games * 1000:.2f} ms a game,"
            f" {peak:.0f} MB of memory at most, {wall:.0f} s in all at load {load:.0f}"
        )
    if options.part != "undisturbed":
        cpu, _, wall = run(options.games, options.kills, options.seed)
        print(f"killed {options.kills} times: {cpu:.1f} s of processor time in all lives, {wall:.0f} s in all")


if __name__ == "__main__":
    main()
