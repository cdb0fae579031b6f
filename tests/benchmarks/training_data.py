"""From heuristics to positions: games played, stored, read and encoded per second, and what Python costs on the way."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.game_making import games_from
from pipeline.data.positions import Positions, positions_of
from pipeline.data.scan import scan
from pipeline.data.store import GameStore
from pipeline.engine.players.kinds import STRONG, VORONOI
from pipeline.engine.players.match import GameConditions, fresh_seeds, play_games
from pipeline.simulator.competitor import heuristic
from pipeline.simulator.matches import play_matches

GAMES = 256


def timed(work: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """Return this process's own seconds, the best of `rounds`, and what came of the last."""
    best, result = float("inf"), None
    for _ in range(rounds):
        result = None  # its memory is taken again: first touching pages costs more than encoding
        started = time.process_time()
        result = work()
        best = min(best, time.process_time() - started)
    return best, result


def play(snakes: int, tapes: bool) -> Any:
    seatings = np.zeros((GAMES, snakes), np.uint8)
    conditions = GameConditions(snakes=snakes)
    return play_matches([heuristic("voronoi")], seatings, fresh_seeds(snakes, GAMES), conditions, tapes=tapes)


def main() -> None:
    play(2, True)
    play_games(np.full((2, 2), VORONOI, np.uint8), fresh_seeds(1, 2), GameConditions())
    finished = []
    for snakes in (2, 4):
        seats = np.full((GAMES, snakes), VORONOI, np.uint8)
        arena_s, done = timed(lambda snakes=snakes: play(snakes, True), 1)  # type: ignore[misc]
        loop_s, _ = timed(lambda s=seats, n=snakes: play_games(s, fresh_seeds(n, GAMES), GameConditions(snakes=n)), 1)  # type: ignore[misc]
        print(f"{snakes} snakes: arena with tapes {GAMES / arena_s:.0f} games/s, "
              f"compiled loop without {GAMES / loop_s:.0f}: {arena_s / loop_s:.2f} times its time")  # fmt: skip
        finished.append(done)
    games = [game for done in finished for game in games_from(done, ["heuristic:voronoi"], "x", datetime.now(UTC))]
    size = sum(len(game.tape) for game in games) / len(games)
    tapes = [game.tape for game in games]
    seconds, facts = timed(lambda: scan(tapes))
    print(f"scanned {facts.turns.sum() / seconds / 1e6:.2f} M turns/s, {len(games) / seconds:.0f} games/s; "
          f"a tape takes {size:.0f} bytes")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        store = GameStore(Path(folder))
        added_s, _ = timed(lambda: store.add(games), 1)
        read_s, _ = timed(store.read)
        on_disk = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
        print(f"stored {len(games) / added_s:.0f} games/s, read {len(games) / read_s:.0f} games/s, "
              f"{on_disk / len(games):.0f} bytes a game")  # fmt: skip
    for about, options in (("all", {}), ("every 4th", {"every": 4}), ("winners", {"seats": "winner"})):
        seconds, made = timed(lambda options=options: positions_of(games, **options))  # type: ignore[misc]
        told(about, made, seconds)
    seconds, made = timed(lambda: positions_of(games[:64], teacher=STRONG, every=4))
    told("every 4th, labelled by the strong heuristic", made, seconds)


def told(about: str, made: Positions, seconds: float) -> None:
    print(f"positions ({about}): {len(made)}, {len(made) / seconds / 1e6:.2f} M/s of one core's own time")


if __name__ == "__main__":
    main()
