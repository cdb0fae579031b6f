"""Our Go snake, asked afterwards what it thinks of positions: built once, run for each game, by no clock."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.bundled_snake import bundled_snake
from pipeline.tuner.snake_source import BUNDLED, digest, working_copy
from schemas.errors import SnakeError
from schemas.ladder import MoveThought
from schemas.outside_text import REASON_LIMIT, line
from schemas.settings import Settings

_CONFIG: Final = "config.yaml"
_LIMIT_S: Final = 600.0


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    move: str
    value: float
    holds: bool
    depth: int
    scored: int


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    move: str
    value: float
    depth: int
    scored: int
    moves: list[_Said]
    error: str = ""


@dataclass(frozen=True, slots=True)
class PositionAnalysis:
    """What it would play, and what comes of each move."""

    chosen: str
    depth: int
    positions: int
    moves: list[MoveThought]


@dataclass(frozen=True, slots=True)
class SnakeAnalyser:
    """The built snake and the weights that it thinks by."""

    binary: Path
    weights: Path
    weights_sha256: str

    def think(self, requests: Sequence[dict[str, Any]], budget: int) -> list[PositionAnalysis]:
        """Return what it thinks of each request, within so many positions for each move.

        Raises:
            SnakeError: it refuses the weights or a request, or does not answer.
        """
        command = [str(self.binary), "-config", str(self.weights), "-think", str(budget)]
        data = b"".join(orjson.dumps(request) + b"\n" for request in requests)
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=_LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise SnakeError(f"our snake has not answered within {_LIMIT_S:g} s", where=str(self.binary)) from error
        except OSError as error:
            raise SnakeError(f"our snake cannot be started: {error.strerror}", where=str(self.binary)) from error
        answers = done.stdout.splitlines()
        if done.returncode or len(answers) != len(requests):
            said = line(done.stderr.strip() or b"it says nothing", REASON_LIMIT)
            raise SnakeError(
                f"our snake does not think: {said}",
                where=str(self.weights),
                remedy="Weights of an older snake: `ouroboros tune update-snake` adds what they lack.",
            )
        return [_thought(answer, str(self.binary)) for answer in answers]


def our_analyser(settings: Settings) -> SnakeAnalyser:
    """Return our snake with its best weights: those of the working copy that the tuner keeps, else the bundled ones.

    Raises:
        SnakeError: it does not build.
        MachineError: no Go toolchain, or no disk.
    """
    binary = bundled_snake(settings.arena_dir)
    own = working_copy(settings) / _CONFIG
    weights = own if own.exists() else BUNDLED / _CONFIG
    return SnakeAnalyser(binary, weights, digest(weights.read_bytes()))


def _thought(answer: bytes, where: str) -> PositionAnalysis:
    try:
        told = _Answer.model_validate_json(answer)
    except ValidationError as error:
        raise SnakeError("our snake's answer cannot be read", where=where) from error
    if told.error:
        raise SnakeError(f"our snake refuses a position: {line(told.error, REASON_LIMIT)}", where=where)
    moves = [
        MoveThought(move=said.move, value=said.value, holds=said.holds, depth=said.depth, positions=said.scored)
        for said in told.moves
    ]
    return PositionAnalysis(told.move, told.depth, told.scored, moves)
