"""A tuner in a process of its own that kills itself: `python tuner_victim.py FOLDER SEARCH POINT VISIT ITERATIONS`.

POINT is one of the run's named points, `game` (while games are played) or `never`; the process ends by SIGKILL when it
passes it for the VISIT-th time.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuning_bench import FAST, strength

from pipeline import ContinuousTrainer
from pipeline.tuner.backends.simulated import SimulatedBackend
from schemas.settings import Settings
from schemas.tuning import TunerSettings


class Climber(ContinuousTrainer):
    """Every other candidate is better, the rest are worse."""

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
        config["body"]["strength"] += 0.5 if self.random.random() < 0.5 else -0.3
        return config


def main(folder: str, search: str, point: str, visit: str, iterations: str) -> None:
    visits = int(visit)
    played = os.open(Path(folder) / "played", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def passing(name: str = "game") -> None:
        nonlocal visits
        if name == point:
            visits -= 1
            if visits == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def game() -> None:
        os.write(played, b".")
        passing()

    backend = SimulatedBackend(strength, passing=game, shuffle_seed=os.getpid())
    fields = {"snake_dir": Path(folder) / "snake", "seed": 1, "max_iterations": int(iterations)} | FAST
    kind = ContinuousTrainer if search == "spsa" else Climber
    kind(
        settings=Settings(home=Path(folder) / "home", tuner=TunerSettings.model_validate(fields)),
        backend=lambda *_: backend,
        passing=passing,
        now=lambda: datetime.now(UTC),
        echo=lambda message: sys.stdout.write(message + "\n"),
    ).train()


main(*sys.argv[1:])
