"""Write the golden observations anew; do it only when the encoder's meaning changes, and then its id does too."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engine import layout
from pipeline.engine.game import Game
from pipeline.engine.game_spec import CLI_DEFAULTS
from pipeline.engine.observe import DEAD_ROW, FOLLOW_FACING, Observer, allocate_observations
from pipeline.engine.planes import CHANNELS, CONTEXT, ENCODER_ID, FEATURES, PLANES
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import AGGRESSIVE
from pipeline.engine.players.mind import make_mind

FILE = Path(__file__).with_name("positions.jsonl.gz")
CASES = (
    (11, 11, 2, "standard", "standard", {}),
    (11, 11, 4, "standard", "standard", {"minimumFood": 3, "foodSpawnChance": 40}),
    (11, 11, 8, "standard", "standard", {}),
    (7, 7, 2, "standard", "standard", {}),
    (9, 5, 3, "standard", "standard", {}),
    (11, 11, 4, "royale", "standard", {"shrinkEveryNTurns": 4}),
    (11, 11, 2, "standard", "royale", {"shrinkEveryNTurns": 5, "damagePerTurn": -7}),
    (11, 11, 3, "wrapped", "standard", {}),
    (8, 6, 4, "wrapped", "standard", {"foodSpawnChance": 60}),
    (11, 11, 4, "constrictor", "empty", {}),
    (7, 7, 2, "wrapped_constrictor", "empty", {}),
    (7, 11, 1, "solo", "standard", {}),
    (3, 3, 1, "solo", "standard", {}),
)
POSITIONS_PER_CASE = 24


def rows_of(game: Game, symmetry: int) -> list[dict[str, Any]]:
    """Return the encoded rows of all living snakes."""
    seats = np.arange(len(game.snake_ids), dtype=np.int64)
    out = allocate_observations(len(seats))
    out.symmetries[:] = symmetry
    Observer(game.records).observe(np.zeros_like(seats), seats, out)
    return [
        {"snake": int(i), "symmetry": int(out.symmetries[i]), "planes": out.planes[i].tobytes().hex(),
         "features": out.features[i].tobytes().hex(), "context": out.context[i].tobytes().hex()}
        for i in seats if out.symmetries[i] != DEAD_ROW
    ]  # fmt: skip


def positions() -> list[dict[str, Any]]:
    """Return the corpus: every case played by aggressive snakes, every second turn kept."""
    found, mind = [], make_mind()
    for number, (width, height, snakes, ruleset, map_id, changes) in enumerate(CASES):
        settings = {**CLI_DEFAULTS._asdict(), **changes}
        names = [f"s{i}" for i in range(snakes)]
        kept, seed = 0, 1000 * number
        while kept < POSITIONS_PER_CASE:
            game = Game.new(width, height, names, ruleset, map_id, changes, seed)
            seed += 1
            while kept < POSITIONS_PER_CASE and not game.is_over() and game.turn < 40:
                if game.turn % 2 == 0:
                    # Read back from plain data, as any other encoder has to.
                    state = game.to_state()
                    again = Game.from_state(state, ruleset, settings, snakes == 1, map_id=map_id)
                    symmetry = FOLLOW_FACING if kept % 9 == 8 else kept % 9
                    found.append({"ruleset": ruleset, "map": map_id, "settings": settings, "solo": snakes == 1,
                                  "state": state, "symmetry": symmetry, "rows": rows_of(again, symmetry)})  # fmt: skip
                    kept += 1
                moves = np.zeros(snakes, np.uint8)
                choose_moves(mind, game.records.game(0), np.full(snakes, AGGRESSIVE, np.uint8), moves)
                game.step({name: layout.MOVE_WORDS[moves[i]] for i, name in enumerate(names)})
    return found


def main() -> None:
    head = {"encoder_id": ENCODER_ID, "channels": CHANNELS, "features": [s.name for s in FEATURES],
            "context": [s.name for s in CONTEXT],
            "scales": {"planes": [s.scale for s in PLANES], "features": [s.scale for s in FEATURES],
                       "context": [s.scale for s in CONTEXT]}}  # fmt: skip
    lines = [head, *positions()]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    FILE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
