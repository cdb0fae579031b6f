"""The engine compiled anew with a check of every index: minutes of compiling, so a job of its own (`make checked`)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(1500)
CHILD_S = 1200
CHECKED = os.environ | {"NUMBA_BOUNDSCHECK": "1"}
"""Into a cache of its own."""
BOUNDS = """
import numpy as np
from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import AGGRESSIVE, DEEP, STRONG, TAIL_CHASER, VORONOI
from pipeline.engine.players.mind import make_mind

sizes = ((3, 3, 2), (25, 25, 8), (3, 25, 3), (25, 4, 4), (12, 12, 16), (8, 16, 2), (5, 5, 4), (16, 8, 5))
specs = [GameSpec(w, h, n, ruleset, "standard" if w > 3 or h > 3 else "empty", {"shrinkEveryNTurns": 2})
         for w, h, n in sizes for ruleset in ("standard", "wrapped", "royale", "constrictor")]
batch = Batch(specs)
batch.reset(9)
kinds = np.random.default_rng(1).choice([AGGRESSIVE, TAIL_CHASER, VORONOI, STRONG, DEEP], batch.actions.shape)
kinds = kinds.astype(np.uint8)
mind, observer = make_mind(), Observer(batch.records, 25)
for turn in range(12):
    who = observer.living()
    rows = allocate_observations(len(who[0]), np.uint8, 25)
    rows.symmetries[:] = turn % 8
    observer.observe(*who, rows)
    assert rows.planes.any((1, 2, 3)).all()
    choose_in_batch(mind, batch.records, kinds, batch.actions)
    batch.step()
    batch.drain_outcomes()
print("within bounds")
"""


def test_no_input_leaves_the_arrays() -> None:
    """The fuzz tests again: any index outside raises."""
    tests = Path(__file__).parents[1] / "pipeline/engine/test_engine_fuzz.py"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(tests)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=CHILD_S, env=CHECKED, check=False)
    assert told.returncode == 0, told.stdout[-4000:]


def test_no_player_reaches_outside_its_arrays_on_any_board() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOUNDS], env=CHECKED, capture_output=True, text=True, timeout=CHILD_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "within bounds" in done.stdout
