"""A plain client of `ouroboros-arena/1`: the protocol is tested as its README has it, not as the tuner uses it."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.referee import MatchConditions

Message = dict[str, Any]


class InProcess:
    """A snake's program, started as an arena; a context manager."""

    def __init__(self, binary: Path, *, cores: int | None = None, environment: Mapping[str, str] | None = None) -> None:
        bound = {} if cores is None else {"GOMAXPROCS": str(cores)}
        self._process = subprocess.Popen(
            [binary],
            env={**os.environ, **(environment or {}), **bound, "OUROBOROS_ARENA": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hello = self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        code = self._process.wait(60)
        self._process.stdout.close()
        assert code == 0 or error is not None, f"the arena ended with {code}"

    def send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def read(self) -> Message:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the arena said nothing more; it ended with {self._process.wait(60)}"
        message: Message = json.loads(line)
        return message

    def weigh(self, name: str, text: str) -> None:
        self.send(type="weights", id=name, text=text)
        answer = self.read()
        assert answer == {"type": "weights", "id": name}, answer

    def play(
        self,
        participants: Sequence[str],
        rotations: Sequence[Sequence[int]],
        seeds: Sequence[int],
        conditions: MatchConditions,
    ) -> list[Message]:
        """Play one job and return its games in order."""
        self.send(
            type="job",
            id="job",
            participants=participants,
            rotations=rotations,
            seeds=seeds,
            conditions=conditions_message(conditions),
        )
        games: dict[int, Message] = {}
        while (answer := self.read())["type"] == "game":
            games[answer["game"]] = answer
        assert answer == {"type": "done", "job": "job"}, answer
        assert sorted(games) == list(range(len(seeds) * len(rotations)))
        return [games[number] for number in sorted(games)]


def conditions_message(conditions: MatchConditions) -> Message:
    """The conditions as the protocol has them."""
    numbers = conditions.numbers
    return {
        "width": conditions.width,
        "height": conditions.height,
        "ruleset": conditions.ruleset,
        "map": conditions.map_id,
        "timeout_ms": conditions.timeout_ms,
        "max_turns": conditions.max_turns,
        "numbers": {name: getattr(numbers, name) for name in numbers.__slots__},
    }
