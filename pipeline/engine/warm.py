"""Compile everything once, so that later processes load it from disk: `python -m pipeline.engine.warm`."""

import sys
import time
from collections.abc import Callable

import numpy as np

from pipeline.engine.batch import Batch
from pipeline.engine.compile_cache import CACHE_FOLDER
from pipeline.engine.game import Game
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.engine.players.choose import choose_in_batch, choose_moves
from pipeline.engine.players.kinds import STRONG, VORONOI
from pipeline.engine.players.match import GameConditions, fresh_seeds, play_games
from pipeline.engine.players.mind import make_mind


def warm_single_games() -> None:
    """Compile set-up, rules, maps and reading back for single games."""
    game = Game.new(7, 7, ["a", "b"], settings={"foodSpawnChance": 100}, seed=1)
    game.step({"a": "up", "b": "up"})
    state = game.to_state()
    game = Game.from_state(state)
    game.step({"a": "up", "b": "left"}, food=[], hazards=[[0, 0]])
    game.to_state()
    Game.from_state(state).step({})


def warm_batches() -> None:
    """Compile the loops over batches."""
    batch = Batch.uniform(2, GameSpec(7, 7, 2))
    batch.reset(1)
    batch.play_random(2)
    batch.drain_outcomes()
    batch.load_records(*batch.records[:3])


def warm_kernels() -> None:
    """Compile the kernels of the usual boards: about two minutes, for machines that play games without end."""
    for side in (7, 11, 19):
        for snakes in (1, 2, 3, 4):
            for ruleset in ("standard", "royale", "wrapped"):
                Batch([GameSpec(side, side, snakes, ruleset)]).compile_kernel()


def warm_players() -> None:
    """Compile the players: for whole games, for batches and for single moves."""
    play_games(np.full((1, 2), STRONG, np.uint8), fresh_seeds(1, 1), GameConditions(7, 7, most_turns=2))
    batch = Batch.uniform(1, GameSpec(7, 7, 2))
    batch.reset(1)
    kinds = np.full((1, 2), VORONOI, np.uint8)
    choose_in_batch(make_mind(), batch.records, kinds, batch.actions)
    choose_moves(make_mind(), batch.records.game(0), kinds[0], batch.actions[0])


def warm_observations() -> None:
    """Compile the encoder in its two forms."""
    batch = Batch.uniform(1, GameSpec(7, 7, 2))
    batch.reset(1)
    observer = Observer(batch.records)
    for dtype in (np.uint8, np.float32):
        observer.observe(*observer.living(), allocate_observations(2, dtype))


STEPS: dict[str, Callable[[], None]] = {
    "games": warm_single_games,
    "batches": warm_batches,
    "players": warm_players,
    "observations": warm_observations,
}
ASKED_FOR: dict[str, Callable[[], None]] = {"kernels": warm_kernels}
"""Steps that run only where they are named."""


def main(wanted: list[str]) -> None:
    """Compile step by step, a line each: those of `wanted`, or all of STEPS. The tuner needs `games` only."""
    known = STEPS | ASKED_FOR
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"error: no step {', '.join(unknown)}; there are {', '.join(known)}")
    steps = wanted or list(STEPS)
    for number, name in enumerate(steps, start=1):
        begun = time.monotonic()
        known[name]()
        took_s = time.monotonic() - begun
        sys.stdout.write(f"engine [{number}/{len(steps)}] {name} ready in {took_s:.1f} s\n")
        sys.stdout.flush()
    sys.stdout.write(f"compiled code lies in {CACHE_FOLDER}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
