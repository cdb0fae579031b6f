"""kill -9 at fifty random moments of tuning runs: the champion and the ledger of a run that nobody disturbed."""

import random
import sqlite3
from pathlib import Path

import pytest
from test_tuner_kills import outcome, run

KILLS, SHARES = 50, 5


def counted(folder: Path) -> int:
    book = sqlite3.connect(folder / "home" / "nn_training_results" / "ledger.db")
    (games,) = book.execute("SELECT SUM(games_played) FROM runs").fetchone()
    book.close()
    return int(games)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", range(SHARES))
def test_fifty_random_kills(tmp_path: Path, share: int) -> None:
    chance = random.Random(20261129 + share)
    undisturbed = tmp_path / "undisturbed"
    assert run(undisturbed, "spsa", "never", 1).returncode == 0
    kills = lost = runs = 0
    while kills < KILLS // SHARES:
        folder = tmp_path / f"run_{runs}"
        runs += 1
        while True:
            point = chance.choice(["game", "game", "before_step", "step_committed"])
            ended = run(folder, "spsa", point, chance.randint(1, 400 if point == "game" else 40))
            if ended.returncode == 0:
                break
            kills += 1
        assert outcome(folder) == outcome(undisturbed)
        lost += (folder / "played").stat().st_size - counted(folder)
    print(f"{kills} kills in {runs} runs: {lost / kills:.1f} games lost per kill")
