"""A replay of ours, or the official command's output file, as plain JSON data."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Replay:
    game: dict[str, Any]
    frames: list[dict[str, Any]]
    """Request bodies, turn 0 first."""
    result: dict[str, Any]

    @property
    def moves(self) -> list[str]:
        """Per turn one letter of `udlr` per seat; a dead snake's repeats its last. Only in our own files."""
        return list(self.result["ouroboros"]["moves"])


def read_replay(path: Path) -> Replay:
    raw = path.read_bytes()
    game, *frames, result = map(orjson.loads, (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).splitlines())
    assert "winnerId" in result, f"{path} is cut"
    return Replay(game, frames, result)
