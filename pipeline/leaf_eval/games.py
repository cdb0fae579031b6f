"""The searching snake's games against itself, stored one a line: its moves, from which every position comes again."""

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.ladder.snake_analysis import SnakeAnalyser
from pipeline.stopping import Stopping
from schemas.cgroup import usable_processors
from schemas.errors import SnakeError
from schemas.files import write_atomic
from schemas.outside_text import REASON_LIMIT, line

_LIMIT_S: Final = 3600.0
_POLL_S: Final = 0.1
_GAP: Final = "-"
_NAMED: Final = re.compile(r"(\d+)-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class GamePlan:
    """How games are played.

    `seats`: snakes in each. `positions`: budget of every move. `stray`: share of moves that are any open one, so that
    snakes come into positions that they would avoid. `batch`: games of a file, what a kill can lose at most.
    """

    seats: int
    positions: int
    stray: float
    batch: int


DUELS: Final = GamePlan(seats=2, positions=400, stray=0.04, batch=50)
CROWDS: Final = GamePlan(seats=4, positions=250, stray=0.04, batch=50)


@dataclass(frozen=True, slots=True)
class StoredGames:
    """The folder of games: files `SEATS-FIRST-COUNT.jsonl` of the seeds from FIRST on."""

    folder: Path

    def files(self) -> list[Path]:
        """The files, in the order of their names."""
        return sorted(self.folder.glob("*.jsonl"))

    def next_seed(self, seats: int) -> int:
        """The first seed of which no game with so many seats is stored."""
        named = [found for file in self.files() if (found := _NAMED.fullmatch(file.stem))]
        return max(
            (int(first) + int(count) for of, first, count in map(re.Match.groups, named) if int(of) == seats), default=1
        )

    def add(self, plan: GamePlan, first: int, content: bytes) -> None:
        """Store the games of the seeds from `first` on, one a line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / f"{plan.seats}{_GAP}{first:09d}{_GAP}{plan.batch}.jsonl", content)


def play_games(
    store: StoredGames,
    analyser: SnakeAnalyser,
    games: int,
    stopping: Stopping,
    tell: Callable[[str], None],
    plans: Sequence[GamePlan] = (DUELS, CROWDS),
) -> int:
    """Play and store about `games` more games by the plans in turn; return how many came of it.

    They are played on every core but one, by the snake's budgets, no clock. Stopped, whole files stay; the next call
    goes on with the seeds that follow.

    Raises:
        SnakeError: the snake does not play.
    """
    batches = max(1, round(games / sum(plan.batch for plan in plans)))
    seeds = {plan.seats: store.next_seed(plan.seats) for plan in plans}
    jobs = [(plan, seeds[plan.seats] + k * plan.batch) for k in range(batches) for plan in plans]
    played = 0
    with ThreadPoolExecutor(max(1, usable_processors() - 1)) as pool:
        running = [pool.submit(_play_batch, store, analyser, plan, first, stopping) for plan, first in jobs]
        for done in running:
            played += done.result()
            tell(f"{played} of {sum(plan.batch for plan, _ in jobs)} games")
    return played


def _play_batch(store: StoredGames, analyser: SnakeAnalyser, plan: GamePlan, first: int, stopping: Stopping) -> int:
    if stopping.requested:
        return 0
    command = [
        str(analyser.binary),
        "-config",
        str(analyser.weights),
        "-self-play",
        str(plan.batch),
        "-seed",
        str(first),
    ]
    command += ["-seats", str(plan.seats), "-positions", str(plan.positions), "-stray", str(plan.stray)]
    with tempfile.TemporaryFile() as games, tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=games, stderr=said)
        except OSError as error:
            raise SnakeError(f"our snake cannot be started: {error.strerror}", where=str(analyser.binary)) from error
        if not _wait(process, stopping):
            return 0
        if process.returncode:
            said.seek(0)
            why = line(said.read().strip(), REASON_LIMIT)
            raise SnakeError(f"our snake does not play: {why}", where=str(analyser.weights))
        games.seek(0)
        store.add(plan, first, games.read())
    return plan.batch


def _wait(process: "subprocess.Popen[bytes]", stopping: Stopping) -> bool:
    """False where the games were given up; nothing of them runs on then."""
    try:
        while not stopping.overdue():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
                return True
        return False
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
