"""A game kept as a file that known viewers and importers read: the official command's `-o` form, gzip-compressed.

JSON lines: the `game` object; one request body per turn from 0 to the last (addressed to seat 0); last the result
`{winnerId, winnerName, isDraw}`. What that form does not hold (seed, seats, moves, deaths, failures) stands in the
result line under `ouroboros`, which readers of the official form skip as an unknown field. With the seed and the
moves the engine plays the game again without any snake.
"""

import gzip
from pathlib import Path
from typing import Any

import orjson

from pipeline.referee.game import Recording
from pipeline.referee.outcome import Ending, GameOutcome
from schemas.errors import MachineError
from schemas.files import write_atomic

MOVE_LETTERS = b"udlr"
COMPRESSION = 6


def write_replay(folder: Path, outcome: GameOutcome, recording: Recording, names: tuple[str, ...]) -> Path:
    """Write one game, whole or not at all; return the file, named by pair and game id.

    Raises:
        MachineError: the folder cannot be written, or the disk is full.
    """
    path = folder / f"{outcome.spec.pair:06d}-{outcome.spec.game_id}.jsonl.gz"
    lines = [recording.game, *recording.frames, orjson.dumps(_result(outcome, recording, names)), b""]
    # mtime 0: the same game gives the same bytes.
    content = gzip.compress(b"\n".join(lines), COMPRESSION, mtime=0)
    try:
        write_atomic(path, content)
    except OSError as error:
        raise MachineError(
            f"the replay cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Make room, or choose another folder.",
        ) from error
    return path


def _result(outcome: GameOutcome, recording: Recording, names: tuple[str, ...]) -> dict[str, Any]:
    winner = outcome.winner
    return {
        "winnerId": "" if winner is None else recording.snake_ids[winner],
        "winnerName": "" if winner is None else names[winner],
        "isDraw": outcome.ending is Ending.DRAW,
        "ouroboros": {
            "seed": outcome.spec.seed,
            "pair": outcome.spec.pair,
            "ending": outcome.ending,
            "turns": outcome.turns,
            "moves": [bytes(MOVE_LETTERS[move] for move in turn).decode() for turn in recording.moves],
            "snakes": [
                {
                    "id": recording.snake_ids[seat],
                    "name": names[seat],
                    "contestant": snake.contestant,
                    "cause": snake.cause,
                    "by": "" if snake.killer is None else recording.snake_ids[snake.killer],
                    "on": snake.died_on_turn,
                    "failures": {kind.value: count for kind, count in snake.failures.items()},
                    "ignoredFailures": snake.ignored_failures,
                }
                for seat, snake in enumerate(outcome.snakes)
            ],
        },
    }
