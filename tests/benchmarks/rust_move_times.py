"""How long the Rust snake takes for a move as it is deployed, by its own clock: move after move over HTTP.

Usage: python tests/benchmarks/rust_move_times.py [moves, default 10000] [time-out in ms, default 500]

Requests are those of games that heuristics play, two and four snakes on 11x11 and three on 7x7. Prints milliseconds as
the client sees them, how many were over the time-out, and the most memory that the server ever held.
"""

import http.client
import os
import re
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from played_requests import STANDARD_CASES, played
from rust_programs import build_rust_snake

from pipeline.referee.snake_process import SnakeCommand, SnakeProcess, running_snakes

POSITIONS = 600


def requests(timeout_ms: int) -> list[bytes]:
    """Bodies of `/move`, in the order of their games."""
    asked = list(played(STANDARD_CASES, POSITIONS // len(STANDARD_CASES), seed=500))
    for each in asked:
        each.request["game"]["timeout"] = timeout_ms
    return [each.to_line().encode() for each in asked]


def move_ms(connection: http.client.HTTPConnection, body: bytes) -> float:
    """One move, from the first byte sent to the last one read."""
    began = time.perf_counter()
    connection.request("POST", "/move", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    words = answer.read()
    took_ms = 1000 * (time.perf_counter() - began)
    assert answer.status == 200 and b'"move"' in words, words
    return took_ms


def main() -> None:
    moves = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    timeout_ms = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    bodies = requests(timeout_ms)
    with tempfile.TemporaryDirectory(prefix="ouroboros-bench-") as scratch:
        command = SnakeCommand((str(build_rust_snake()), "--without-model", "--host", "127.0.0.1", "--port", "{port}"))
        snake = SnakeProcess("rust-snake", command, Path(scratch) / "rust.log")
        with running_snakes([snake]):
            host, _, port = snake.url.removeprefix("http://").rstrip("/").partition(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=30)
            took = np.array([move_ms(connection, body) for body in islice(cycle(bodies), moves)])
            status = Path(f"/proc/{snake.pids()[-1]}/status").read_text()
    middle, late, most = np.percentile(took, [50, 99, 100])
    memory = re.search(r"VmHWM:\s+(\d+)", status)
    assert memory is not None
    over = int((took > timeout_ms).sum())
    print(f"{moves} moves at {timeout_ms} ms, load {os.getloadavg()[0]:.1f}: p50 {middle:.1f}, p99 {late:.1f}, "
          f"most {most:.1f} ms, {over} over the time-out; memory {int(memory[1]) / 1024:.1f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
