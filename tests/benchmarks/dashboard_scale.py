"""The web process over 1,000,000 executions and 1,000,000 tuning iterations: first view, update, memory.

    python tests/benchmarks/dashboard_scale.py [--executions 1000000] [--iterations 1000000] [--folder DIR] [--keep]

The history is `store_scale`'s; the ledger holds a step with its log line for each iteration, one in 10,000 a promotion.
The process is the real one (`python -m runner.web`), asked over HTTP. Shown are the processor time and wall time of the
first view and the median of later ones, how long a commit takes to reach a listener and the page that it then fetches,
and resident memory at the end, with ten pages listening. The charts are measured too: SVG drawn here from 100,000
points, its bytes and its processor time.
"""

import argparse
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from math import sin
from pathlib import Path

import psutil
from store_scale import NOW, fill

from migrations.upgrade import upgrade
from pipeline.tuner.ledger import Ledger
from runner.store.engine import Store
from runner.web.pages.charts import Chart, Line, draw
from schemas.settings import Settings
from schemas.times import to_text
from schemas.tuning import TunerSettings
from schemas.tuning_run import IterationFacts, TuningState

PAGES = ("/", "/history", "/history?outcome=failed", "/history?outcome=lost", "/history/1000", "/schedules", "/tuner",
         "/strength", "/games", "/training")  # fmt: skip
REPEATS, LISTENERS = 5, 10
_LOOKED_S = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--iterations", type=int, default=1_000_000)
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    home = options.folder or Path(tempfile.mkdtemp(prefix="dashboard_scale_"))
    home.mkdir(parents=True, exist_ok=True)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    try:
        make(home, options.schedules, options.executions, options.iterations)
        with web(home) as (process, port):
            measure(home, process, port)
        charts()
    finally:
        if not options.keep:
            shutil.rmtree(home)


def make(home: Path, schedules: int, executions: int, iterations: int) -> None:
    database = home / "automation_tracking.db"
    if not database.exists():
        store = Store(f"sqlite:///{database}", 60)
        upgrade(store, 3, NOW)
        fill(store, schedules, executions)
        store.checkpoint()
        store.close()
    ledger = home / "nn_training_results" / "ledger.db"
    if not ledger.exists():
        ledger.parent.mkdir(parents=True)
        make_ledger(ledger, iterations)
    print(f"history {database.stat().st_size / 2**20:,.0f} MiB, ledger {ledger.stat().st_size / 2**20:,.0f} MiB")


def make_ledger(path: Path, iterations: int) -> None:
    book = Ledger(path)
    text = "body:\n" + "".join(f"  weight_{number}: {number}.5\n" for number in range(60))
    state = TuningState(campaign="run", seed=1, snake="s", reference=text, champion=text, strategy="spsa",
                        iteration=iterations)  # fmt: skip
    book.begin(state, NOW)
    book.close()
    facts = IterationFacts(
        iteration=1, win_rate=0.51, win_rate_low=0.48, win_rate_high=0.54, win_rate_against="best", best_win_rate=0.55,
        best_win_rate_low=0.52, best_win_rate_high=0.58, best_win_rate_games=400, best_win_rate_against="reference",
        improvement=0.0, improvement_low=0.0, improvement_high=0.0, probe_improvement=None, improved=False,
        decision="rejected", log_likelihood_ratio=-2.3, gate=1, gate_games=240, games=600, failed_games=0, seed=1,
        chapter=1, changed={f"body.weight_{number}": (1.0, 1.5) for number in range(8)}, reason="",
        config_hash="0" * 64,
        best_config_hash="1" * 64, search="spsa", campaign="run",
    )  # fmt: skip
    bodies = {}
    for decision in ("rejected", "accepted"):
        record = facts.model_dump(mode="json") | {"decision": decision}
        body = {"gate": 0, "candidate": "0" * 64, "decision": decision, "gain": 0.01, "ratio": -2.3, "seeds": 120}
        bodies[decision] = json.dumps(body | {"record": record})
    started = json.dumps({"setup": {"settings": TunerSettings().model_dump(mode="json"), "rules": {}}})
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO steps VALUES ('run', 1, ?, 'started', ?, '')", (to_text(NOW), started))
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO steps "
            "SELECT 'run', i + 1, ?, 'judged', replace(CASE WHEN i % 10000 = 0 THEN ? ELSE ? END, '\"gate\": 0', "
            "'\"gate\": ' || i), '' FROM n",
            (iterations, to_text(NOW), bodies["accepted"], bodies["rejected"]),
        )


@contextmanager
def web(home: Path) -> Iterator[tuple[psutil.Process, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = Settings.model_validate({"home": home, "web": {"port": port}})
    settings.save_to_file(home / "settings.json")
    child = subprocess.Popen([sys.executable, "-m", "runner.web"], env=os.environ | {"OUROBOROS_HOME": str(home)},
                             stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        while get_or_none(port, "/healthz") is None:
            time.sleep(_LOOKED_S)
        yield psutil.Process(child.pid), port
    finally:
        child.terminate()
        child.wait()


def get(port: int, path: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path, headers={"accept": "text/html"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:200])
        return body
    finally:
        connection.close()


def get_or_none(port: int, path: str) -> bytes | None:
    try:
        return get(port, path)
    except OSError:
        return None


def measure(home: Path, process: psutil.Process, port: int) -> None:
    print(f"after start: {megabytes(process):.0f} MB\n{'page':28} first: CPU, wall   later: CPU, wall   bytes")
    for path in PAGES:
        (first_cpu, first_s, size), *later = [timed(process, port, path) for _ in range(1 + REPEATS)]
        cpu, wall = (statistics.median(each[part] for each in later) for part in (0, 1))
        first = f"{1000 * first_cpu:6.0f} {1000 * first_s:6.0f} ms"
        print(f"{path:28} {first}   {1000 * cpu:6.0f} {1000 * wall:6.0f} ms {size:9,}")
    began, cpu = time.perf_counter(), busy(process)
    while b"still being read" in get(port, "/tuner"):
        time.sleep(0.5)
    print(
        f"the ledger's digest was whole {time.perf_counter() - began:.0f} s later, {busy(process) - cpu:.1f} s of CPU"
    )
    print(f"after all pages: {megabytes(process):.0f} MB")
    listen(home, process, port)


def timed(process: psutil.Process, port: int, path: str) -> tuple[float, float, int]:
    cpu, began = busy(process), time.perf_counter()
    size = len(get(port, path))
    return busy(process) - cpu, time.perf_counter() - began, size


def busy(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system


def megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


def listen(home: Path, process: psutil.Process, port: int) -> None:
    """Ten pages listen; each commit is followed to the listener and to the page that it fetches."""
    heard = [threading.Event() for _ in range(LISTENERS)]
    for event in heard:
        threading.Thread(target=hear, args=(port, event), daemon=True).start()
    for event in heard:
        assert event.wait(60)
    told, shown = [], []
    for number in range(REPEATS):
        for event in heard:
            event.clear()
        with closing(sqlite3.connect(home / "automation_tracking.db", timeout=30)) as database, database:
            database.execute("UPDATE totals SET settled = settled + ?", (1 + number,))
        began = time.perf_counter()
        assert all(event.wait(60) for event in heard)
        told.append(time.perf_counter() - began)
        get(port, "/")
        shown.append(time.perf_counter() - began)
    for _ in range(20):
        for path in PAGES:
            get(port, path)
    print(f"a commit is told to {LISTENERS} pages within {max(told):.2f} s, shown within {max(shown):.2f} s")
    print(f"with {LISTENERS} pages listening, after {20 * len(PAGES)} more views: {megabytes(process):.0f} MB")


def hear(port: int, event: threading.Event) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/events", headers={"accept": "text/event-stream"})
    answer = connection.getresponse()
    while line := answer.fp.readline():
        if line.startswith(b"event: changed"):
            event.set()


def charts() -> None:
    points = [(float(x), sin(x / 900) + (x % 17) / 40) for x in range(100_000)]
    began = time.process_time()
    drawn = draw(Chart(title="t", x_name="x", y_name="y", lines=[Line("line", points)]))
    print(
        f"a chart of 100,000 points: {1000 * (time.process_time() - began):.0f} ms of CPU, {len(drawn):,} bytes of SVG"
    )


if __name__ == "__main__":
    main()
