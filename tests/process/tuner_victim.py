"""A tuner in a process of its own that kills itself: `python tuner_victim.py HOME SNAKE POINT VISIT MAX_ITERATIONS`.

POINT is one of the campaign's named points, `game` (in the middle of a game) or `never`; the process ends by SIGKILL
when it passes it for the VISIT-th time.
"""

import importlib.util
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import ContinuousTrainer
from schemas.settings import Settings
from schemas.tuning import TunerSettings

_PATH = Path(__file__).parents[1] / "pipeline" / "tuner" / "simulated_arena.py"
_SPEC = importlib.util.spec_from_file_location("simulated_arena", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
simulated_arena = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(simulated_arena)


class Climber(ContinuousTrainer):
    """Every other candidate is better, the rest are worse."""

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
        better = self._campaign.state.iteration % 2 == 0
        config["body"]["strength"] += 0.3 if better else -0.3
        return config


def main(home: str, snake: str, point: str, visit: str, iterations: str) -> None:
    visits = int(visit)

    def passing(name: str) -> None:
        nonlocal visits
        if name == point:
            visits -= 1
            if visits == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    arena = simulated_arena.SimulatedArena(before_round=lambda _seed: passing("game"))
    tuner = TunerSettings(
        snake_dir=Path(snake),
        seed=1,
        max_iterations=int(iterations),
        measure_games=20,
        target_improvement=0.2,
        checkpoint_interval=10,
    )
    Climber(
        settings=Settings(home=Path(home), tuner=tuner),
        arena=lambda _source: arena,
        passing=passing,
        now=lambda: datetime.now(UTC),
        echo=lambda message: sys.stdout.write(message + "\n"),
    ).train()


main(*sys.argv[1:])
