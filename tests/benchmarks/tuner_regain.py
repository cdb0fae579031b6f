"""How much the tuner regains: `python tests/benchmarks/tuner_regain.py FOLDER --search spsa --games 1000 10000`.

The bundled snake's weights are spoiled, how much is measured, and a tuner that knows only the spoiled ones plays so
many real games. What it has come to is measured against the shipped weights on fresh paired games, after each number.
"""

import argparse
import shutil
import sys
import time
from math import log10
from pathlib import Path

from pipeline.evaluation.intervals import measure_pairs
from pipeline.referee.schedule import MatchConditions
from pipeline.stopping import Stopping
from pipeline.tuner import weights
from pipeline.tuner.backends import GameOrder
from pipeline.tuner.backends.choice import choose
from pipeline.tuner.continuous import ContinuousTrainer
from pipeline.tuner.jobs import (
    GameResult,
    JobFailure,
    JobKind,
    JobResult,
    MatchJob,
    Participant,
    PlayConditions,
    SourceKind,
)
from pipeline.tuner.snake_source import BUNDLED, SnakeSource
from schemas.model import PipelineState
from schemas.settings import Settings
from schemas.tuning import TunerSettings

SPOILED = {
    "space.area_duel": 3.0,
    "space.room_shortage": 5.0,
    "trap.duel_shortage": 4.0,
    "space.opponent_area_duel": 0.1,
    "food.hunger": 400.0,
    "food.hunger_curve": 0.7,
    "length.behind_duel": 10.0,
    "length.ahead_duel": 5.0,
}
MILDLY = {
    "space.area_duel": 12.0,
    "space.room_shortage": 20.0,
    "trap.duel_shortage": 10.0,
    "space.opponent_area_duel": 0.3,
    "food.hunger": 260.0,
    "food.hunger_curve": 1.2,
    "length.behind_duel": 30.0,
    "length.ahead_duel": 15.0,
}
COUNTED = {"search.time_share": 0.0, "search.duel_budget": 40}


def elo(rate: float) -> float:
    return 400 * log10(rate / (1 - rate)) if 0 < rate < 1 else float("nan")


def measured(source: SnakeSource, settings: Settings, text: str, shipped: str, games: int, seed: int) -> str:
    """The text against the shipped one, in words."""
    backend = choose(settings, source, lambda: False)
    seeds = tuple(seed * 1_000_003 + number for number in range(1, games // 2 + 1))
    people = (Participant(SourceKind.WEIGHTS, text), Participant(SourceKind.WEIGHTS, shipped))
    conditions = PlayConditions(MatchConditions(timeout_ms=5000), COUNTED)
    job = MatchJob(f"measure-{seed}", JobKind.MEASUREMENT, people, (0, 1), seeds, conditions)
    orders = [GameOrder(job, number) for number in range(len(job.games))]
    found: dict[int, GameResult] = {}
    begun = 0
    while len(found) < len(orders):
        room = backend.capacity - (begun - len(found))
        backend.begin(orders[begun : begun + room])
        begun = min(begun + room, len(orders))
        for played in backend.finished(1.0):
            assert not isinstance(played.result, JobFailure), played.result
            found[played.number] = played.result
    backend.close()
    result = JobResult(job.id, tuple(found[number] for number in range(len(orders))))
    rate = measure_pairs(result.seed_scores(0))
    return (
        f"{rate.win_rate:.1%} [{rate.low:.1%}, {rate.high:.1%}] of {rate.games} games, "
        f"{elo(rate.win_rate):+.0f} Elo [{elo(rate.low):+.0f}, {elo(rate.high):+.0f}]"
    )


class Counter:
    """Ends a run after so many games."""

    def __init__(self, most: int) -> None:
        self._most, self._games = most, 0

    def see(self, state: PipelineState) -> None:
        self._games = state.total_games_processed

    def reached(self) -> bool:
        return self._games >= self._most


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("--search", default="spsa")
    options.add_argument("--games", type=int, nargs="+", default=[1000, 10000])
    options.add_argument("--measure", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--mildly", action="store_true", help="spoil less")
    options.add_argument("--screen", action=argparse.BooleanOptionalAction, default=True)
    given = options.parse_args()
    given.folder.mkdir(parents=True)
    snake = Path(shutil.copytree(BUNDLED, given.folder / "snake"))
    shipped = (snake / "config.yaml").read_text()
    spoiled = weights.overridden(weights.parse(shipped, "shipped"), MILDLY if given.mildly else SPOILED).text
    (snake / "config.yaml").write_text(spoiled)
    tuner = TunerSettings(
        snake_dir=snake,
        seed=given.seed,
        search=given.search,
        screen=given.screen,
        run_command="{binary} -config {config}",
        probe_conditions=COUNTED,
        gate_conditions=COUNTED,
        timeout_ms=5000,
    )
    settings = Settings(home=given.folder / "home", tuner=tuner)
    settings.tuner_dir.mkdir(parents=True)
    source = SnakeSource(snake, snake / "config.yaml", snake / "weight_spec.yaml", tuner.run_command)
    rate = measured(source, settings, spoiled, shipped, given.measure, 77)
    say(f"{given.search}, seed {given.seed}, screen {given.screen}; spoiled: {rate}")
    played = 0
    for most in given.games:
        started = time.monotonic()
        counter = Counter(most - played)
        summary = ContinuousTrainer(
            settings=settings, stopping=Stopping(counter.reached), report=counter.see, echo=lambda _m: None
        ).train()
        played += summary.games
        seconds = time.monotonic() - started
        text = (snake / "config.yaml").read_text()
        say(
            f"after {played} games ({summary.games / seconds:.1f}/s, {summary.tuning.accepted} promotions): "
            f"{measured(source, settings, text, shipped, given.measure, 1000 + most)}"
        )


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


main()
