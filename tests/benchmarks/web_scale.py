"""The web process over a large history: first view, each page, update to ten open pages, memory; and what those pages
cost a daemon.

    python tests/benchmarks/web_scale.py                       # makes 1,000,000 executions in a temporary folder
    python tests/benchmarks/web_scale.py --folder F --keep     # F may hold such a database already
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from store_scale import NOW, fill

from migrations.upgrade import upgrade
from runner.store.engine import Store

PORT = 8917
PAGES = ("/", "/history", "/history?outcome=lost", "/history/999999", "/schedules", "/games", "/tuner", "/strength",
         "/api/v1/status", "/api/v1/executions?limit=200", "/metrics")  # fmt: skip
OPEN_PAGES = 10
WATCHED_S = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="web_scale_"))
    try:
        prepare(folder, options.executions)
        views(folder)
        beside_a_daemon(Path(tempfile.mkdtemp(prefix="web_scale_daemon_")))
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def prepare(folder: Path, executions: int) -> None:
    """The database, and a port of our own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "automation_tracking.db"
    store = Store(f"sqlite:///{path}", 60)
    fresh = not path.exists()
    upgrade(store, 1, NOW)
    if fresh:
        fill(store, 1_000, executions)
    store.checkpoint()
    store.close()
    (folder / "settings.json").write_text(json.dumps({"web": {"port": PORT}}))
    print(f"database {path.stat().st_size / 2**20:.0f} MiB, load {os.getloadavg()[0]:.1f}")


def views(folder: Path) -> None:
    """Each page by itself, then ten open ones."""
    with web(folder) as pid:
        print(f"idle: RSS {rss_mb(pid):.1f} MB")
        before_s = cpu_s(pid)
        wall = timed("/")
        print(f"the very first view: {wall:.0f} ms, CPU {1000 * (cpu_s(pid) - before_s):.0f} ms")
        for path in PAGES:
            wall = statistics.median(timed(path) for _ in range(5))
            before_s = cpu_s(pid)
            for _ in range(10):
                timed(path)
            cpu_ms = (cpu_s(pid) - before_s) * 100
            print(f"{path:30} median {wall:5.0f} ms, CPU {cpu_ms:4.0f} ms, RSS {rss_mb(pid):.1f} MB")
        with open_pages() as told:
            waits = [update(folder, told) for _ in range(10)]
            print(
                f"an update reaches {OPEN_PAGES} open pages, each loaded anew, after {statistics.median(waits):.0f} ms"
                f" (most {max(waits):.0f} ms); RSS {rss_mb(pid):.1f} MB"
            )


def beside_a_daemon(folder: Path) -> None:
    """A daemon that has nothing to do, without and with ten open pages, twice, interleaved."""
    (folder / "settings.json").write_text(json.dumps({"web": {"port": PORT}}))
    environment = os.environ | {"OUROBOROS_HOME": str(folder)}
    command = [str(Path(sys.executable).with_name("ouroboros")), "up", "--no-first-run"]
    with subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL) as daemon:
        try:
            listening()
            time.sleep(10)
            for _ in range(2):
                alone = watched(daemon.pid)
                with open_pages():
                    seen = watched(daemon.pid)
                print(f"daemon alone: {alone}; with {OPEN_PAGES} open pages: {seen}")
        finally:
            daemon.send_signal(signal.SIGTERM)
    shutil.rmtree(folder)


def watched(pid: int) -> str:
    before_s, began = cpu_s(pid), time.monotonic()
    time.sleep(WATCHED_S)
    return f"CPU {100 * (cpu_s(pid) - before_s) / (time.monotonic() - began):.2f} %, RSS {rss_mb(pid):.1f} MB"


@contextlib.contextmanager
def web(folder: Path) -> Iterator[int]:
    """The web process as `up` starts it."""
    environment = os.environ | {"OUROBOROS_HOME": str(folder), "MALLOC_ARENA_MAX": "1"}
    with subprocess.Popen([sys.executable, "-m", "runner.web"], env=environment) as process:
        try:
            listening()
            yield process.pid
        finally:
            process.terminate()


@contextlib.contextmanager
def open_pages() -> Iterator[list[int]]:
    """Pages that listen, and load themselves anew at each change; how often each has."""
    told = [0] * OPEN_PAGES
    connections = [HTTPConnection("127.0.0.1", PORT, timeout=120) for _ in told]

    def page(number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            connections[number].request("GET", "/events")
            stream = connections[number].getresponse()
            while line := stream.readline():
                if line.startswith(b"event: changed"):
                    timed("/")
                    told[number] += 1

    threads = [threading.Thread(target=page, args=(number,), daemon=True) for number in range(OPEN_PAGES)]
    for thread in threads:
        thread.start()
    while not all(told):
        time.sleep(0.02)
    yield told
    for connection in connections:
        if connection.sock is not None:
            connection.sock.shutdown(2)
    for thread in threads:
        thread.join()


def update(folder: Path, told: list[int]) -> float:
    """Milliseconds from a commit until every page has been loaded anew."""
    before, began = list(told), time.perf_counter()
    plain = sqlite3.connect(folder / "automation_tracking.db", isolation_level=None)
    plain.execute("UPDATE totals SET duration_s = duration_s + 1")
    plain.close()
    while any(now == then for now, then in zip(told, before, strict=True)):
        time.sleep(0.01)
    return (time.perf_counter() - began) * 1000


def listening() -> None:
    for _ in range(1200):
        with contextlib.suppress(OSError):
            timed("/healthz")
            return
        time.sleep(0.1)
    raise SystemExit("the web process does not answer")


def timed(path: str) -> float:
    """Milliseconds of one request over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=120)
    began = time.perf_counter()
    connection.request("GET", path, headers={"accept": "text/html"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status in {200, 404}, (path, answer.status)
    return (time.perf_counter() - began) * 1000


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
