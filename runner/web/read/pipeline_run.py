"""The self-play pipeline's run, from `self_play/run.json` and the exported champion's card."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from schemas.times import from_text

_MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class PhaseRun:
    """How far one phase has come."""

    name: str
    spent_s: float
    done: bool
    model_id: str | None
    games: int
    failures: int
    given_up: str | None


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One run, in parts if it must be."""

    run_id: str
    seed: int
    started_at: datetime | None
    phases: tuple[PhaseRun, ...]
    spent_s: float
    games: int
    progress: float
    finished: bool
    last_error: str | None


def read_run(folder: Path) -> PipelineRun | None:
    """The run under way or the last one; None: there is none, or its record cannot be read."""
    tree = _object(folder / "run.json")
    try:
        return PipelineRun(
            run_id=str(tree["run_id"]),
            seed=int(tree["seed"]),
            started_at=from_text(tree["started_at"]) if tree.get("started_at") else None,
            phases=tuple(_phase(phase) for phase in tree["phases"]),
            spent_s=float(tree.get("spent_s", 0)),
            games=int(tree.get("games", 0)),
            progress=float(tree.get("progress", 0)),
            finished=bool(tree.get("finished", False)),
            last_error=tree.get("last_error"),
        )
    except (KeyError, TypeError, ValueError):
        return None


def runs_with_curves(folder: Path) -> list[Path]:
    """Folders of runs, the newest first."""
    try:
        found = [path for path in folder.glob("run_*") if path.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda path: path.name, reverse=True)


def phases_with_curves(run: Path) -> list[str]:
    """Phases of a run that have curves, in the order in which they began."""
    try:
        found = [path for path in run.iterdir() if (path / "curves").is_dir()]
        return [path.name for path in sorted(found, key=lambda path: (path / "curves").stat().st_mtime)]
    except OSError:
        return []


def _phase(tree: Mapping[str, Any]) -> PhaseRun:
    return PhaseRun(
        name=str(tree["name"]),
        spent_s=float(tree.get("spent_s", 0)),
        done=bool(tree.get("done", False)),
        model_id=tree.get("model_id"),
        games=int(tree.get("games", 0)),
        failures=int(tree.get("failures", 0)),
        given_up=tree.get("given_up"),
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as handle:
            tree = orjson.loads(handle.read(_MOST_BYTES))
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}
