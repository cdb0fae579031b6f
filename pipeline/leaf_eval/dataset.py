"""ShownPositions to fit to: stored games, replayed by the snake, which shows what its evaluation sees in them."""

import hashlib
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from pipeline.data.positions import held_back
from pipeline.ladder.snake_analysis import SnakeAnalyser
from pipeline.leaf_eval.games import StoredGames
from pipeline.leaf_eval.network import Legend, legend_of
from schemas.errors import DataError, SnakeError
from schemas.outside_text import REASON_LIMIT, line

HELD_BACK: Final = 0.1
"""The share of games that only ever measure; a game's side follows from its id."""
_HEAD: Final = 7
_LIMIT_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class ShownPositions:
    """ShownPositions as one living snake sees them; N rows in each array, those of a game together."""

    game: NDArray[np.int32]
    """Which game, a number into the games' ids."""
    living: NDArray[np.int32]
    outcome: NDArray[np.float32]
    """The snake's share of the point in the end, 0..1; -1 in positions beside the games, which have none."""
    searched: NDArray[np.bool_]
    """Whether a search was made: where only one move was open there is no value."""
    value: NDArray[np.float32]
    """What the search found, in points."""
    own: NDArray[np.float32]
    """The snake's own evaluation of the position, in points."""
    shown: NDArray[np.uint8]
    """What it is shown as, uint8[N, F]."""
    added: NDArray[np.int32]
    """What the learned evaluation that the snake was given adds, in its whole numbers; 0 without one."""

    def __len__(self) -> int:
        return len(self.game)

    @property
    def played(self) -> "ShownPositions":
        """Those of the games themselves."""
        return self.where(self.outcome >= 0)

    def where(self, chosen: NDArray[np.bool_]) -> "ShownPositions":
        """Those for which `chosen`, bool[N], holds."""
        return ShownPositions(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Dataset:
    """ShownPositions to learn from and positions to measure on, of different games."""

    legend: Legend
    training: ShownPositions
    held_out: ShownPositions
    games: int


def read_dataset(games: StoredGames, analyser: SnakeAnalyser, evaluation: Path | None = None) -> Dataset:
    """Let our snake show all positions of the stored games, as it sees them with its weights.

    Args:
        evaluation: a file that the snake is to value the positions by as well.

    Raises:
        DataError: fewer than two games are stored, or the snake refuses one.
        SnakeError: it does not answer.
    """
    files = games.files()
    content = b"".join(file.read_bytes() for file in files)
    ids = [game_id(text) for text in content.splitlines()]
    if len(ids) < 2:
        raise DataError(
            f"{len(ids)} game(s) are stored, too few to learn from", where=str(games.folder),
            remedy="Let the snake play some first: `ouroboros leaf-eval play`.",
        )  # fmt: skip
    legend, positions = parse_shown(_shown(analyser, evaluation, content))
    held = held_back(ids, HELD_BACK)[positions.game]
    return Dataset(legend, positions.where(~held), positions.where(held), len(ids))


def game_id(text: bytes) -> str:
    """The id of a stored game, hexadecimal, from its line: seats, seed and budget name it.

    Raises:
        DataError: the line is no game.
    """
    try:
        game = orjson.loads(text)
        name = f"{game['seats']} {game['seed']} {game['positions']}"
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError("a stored game cannot be read", where=line(text, 80), remedy="Remove its file.") from error
    return hashlib.sha256(name.encode()).hexdigest()


def _shown(analyser: SnakeAnalyser, evaluation: Path | None, content: bytes) -> bytes:
    command = [str(analyser.binary), "-config", str(analyser.weights), "-show-games"]
    command += ["-eval", str(evaluation)] if evaluation else []
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SnakeError(f"our snake does not show its games: {error}", where=str(analyser.binary)) from error
    if done.returncode:
        raise DataError(f"our snake refuses the stored games: {line(done.stderr.strip(), REASON_LIMIT)}")
    return done.stdout


def parse_shown(output: bytes) -> tuple[Legend, ShownPositions]:
    """Read what `-show-games` writes: a line of JSON, then rows of int32, little-endian.

    Raises:
        SnakeError: it is nothing of the kind.
    """
    head, _, body = output.partition(b"\n")
    try:
        told = orjson.loads(head)
        legend = legend_of([(str(name), int(values)) for name, values in told["legend"]])
        rows = np.frombuffer(body, "<i4").reshape(-1, told["columns"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise SnakeError("what our snake shows cannot be read", where=line(head, 80)) from error
    shown = rows[:, _HEAD:]
    if shown.shape[1] != len(legend.values) or (shown < 0).any() or (shown >= np.array(legend.values)).any():
        raise SnakeError("our snake shows numbers that its legend does not have")
    numbers = rows[:, :_HEAD].T
    return legend, ShownPositions(
        game=numbers[0].copy(),
        living=numbers[1].copy(),
        outcome=np.where(numbers[2] < 0, -1, numbers[2] / 1000).astype(np.float32),
        searched=numbers[3] > 0,
        value=numbers[4].astype(np.float32),
        own=numbers[5].astype(np.float32),
        shown=shown.astype(np.uint8),
        added=numbers[6].copy(),
    )
