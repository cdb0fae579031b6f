"""Which run a start goes on with: the one that `checkpoint.json` names, an old campaign taken over, or a new one."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.tuner.guide_files import CHECKPOINT_NAME, GuideFiles
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.weights_on_disk import WeightsOnDisk
from schemas.errors import StateError
from schemas.tuning_run import MeasuredRate, TuningState

VERSION = 2


class _Pending(BaseModel):
    old_hash: str
    new_text: str
    record: dict[str, Any]


class _Known(BaseModel):
    """What any version's checkpoint says that a run can be begun from."""

    model_config = ConfigDict(extra="ignore")

    campaign: str
    seed: int
    snake: str
    iteration: int
    total_games: int
    accepted: int
    since_improvement: int
    best_config: str
    reference_config: str
    best: MeasuredRate | None
    pending: _Pending | None = None


@dataclass
class RunOpener:
    """Finds or begins the run.

    Args:
        seed: of a new run; None: one is drawn.
        strategy: of a new run.
    """

    folder: Path
    ledger: Ledger
    disk: WeightsOnDisk
    files: GuideFiles
    seed: int | None
    strategy: str
    tell: Callable[[str], None]
    now: Callable[[], datetime]

    def open(self) -> TuningState:
        """The state to go on from.

        Raises:
            SnakeError: the weights file is missing or malformed.
            StateError: the checkpoint is of a newer version, or the ledger cannot be used.
        """
        path = self.folder / CHECKPOINT_NAME
        if not path.exists():
            return self._begin()
        text = path.read_text(encoding="utf-8", errors="replace")
        _refuse_newer(text, path)
        try:
            known = _Known.model_validate_json(text)
        except ValidationError:
            return self._without_checkpoint(path)
        if known.snake != str(self.disk.path):
            self._set_aside(path, known)
            mine = self._newest_of_mine()
            return self._resumed(mine) if mine else self._begin()
        if known.campaign in self.ledger.runs():
            return self._resumed(self.ledger.state(known.campaign))
        return self._taken_over(known)

    def _begin(self) -> TuningState:
        text, now = self.disk.read(), self.now()
        state = TuningState(
            campaign=f"{now.astimezone(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}",
            seed=self.seed if self.seed is not None else secrets.randbits(62),
            snake=str(self.disk.path),
            reference=text.text,
            champion=text.text,
            strategy=self.strategy,
            screen_due=True,
        )
        self.ledger.begin(state, now)
        self.tell(f"Starting fresh with {self.disk.path}: {len(text.weights)} weights, seed {state.seed}")
        return state

    def _resumed(self, state: TuningState) -> TuningState:
        rate = f"best win rate {state.best.win_rate:.1%}" if state.best else "best win rate not measured yet"
        self.tell(f"✓ Resumed from checkpoint: iteration {state.iteration}, {rate}")
        return state

    def _without_checkpoint(self, path: Path) -> TuningState:
        aside = path.with_name(f"{CHECKPOINT_NAME}.corrupt-{self.now():%Y%m%d_%H%M%S_%f}")
        path.rename(aside)
        mine = self._newest_of_mine()
        if mine is None:
            self.tell(f"⚠ {CHECKPOINT_NAME} is damaged; it is kept as {aside.name}. Nothing is known: starting afresh.")
            return self._begin()
        self.tell(f"⚠ {CHECKPOINT_NAME} is damaged; it is kept as {aside.name}. Going on from the ledger.")
        return self._resumed(mine)

    def _newest_of_mine(self) -> TuningState | None:
        states = map(self.ledger.state, self.ledger.runs())
        return next((state for state in states if state.snake == str(self.disk.path)), None)

    def _taken_over(self, known: _Known) -> TuningState:
        """A campaign of an earlier version (or one whose ledger is gone), as far as its checkpoint and log say."""
        champion, iteration, accepted = known.best_config, known.iteration, known.accepted
        if known.pending is not None:
            champion, accepted = known.pending.new_text, accepted + 1
            iteration = int(known.pending.record.get("iteration", iteration + 1))
            if self.disk.hash() in (known.pending.old_hash, None):
                self.disk.replace(champion)
            if self.files.last_iteration(known.campaign) < iteration:
                self.files.append_line(json.dumps(known.pending.record))
        iteration = max(iteration, self.files.last_iteration(known.campaign))
        state = TuningState(
            campaign=known.campaign,
            seed=known.seed,
            snake=known.snake,
            reference=known.reference_config,
            champion=champion,
            strategy=self.strategy,
            screen_due=True,
            iteration=iteration,
            total_games=known.total_games,
            games_at_iteration=known.total_games,
            accepted=accepted,
            since_improvement=known.since_improvement + max(0, iteration - known.iteration),
            best=known.best if known.pending is None else None,
            measurement_due=known.best is None or known.pending is not None,
        )
        self.ledger.begin(state, self.now())
        self.tell(f"The campaign {known.campaign} of an earlier version was taken over into the ledger.")
        return self._resumed(state)

    def _set_aside(self, path: Path, known: _Known) -> None:
        aside = path.with_name(f"checkpoint_{known.campaign}.json")
        path.rename(aside)
        self.tell(
            f"The checkpoint belongs to another snake ({known.snake}, iteration {known.iteration}); "
            f"it is kept as {aside.name}."
        )


def _refuse_newer(text: str, path: Path) -> None:
    try:
        version = json.loads(text)["version"]
    except (ValueError, KeyError, TypeError):
        return
    if isinstance(version, int) and version > VERSION:
        raise StateError(
            f"the checkpoint is of version {version}, this program knows {VERSION}",
            where=str(path),
            remedy="Use the newer program, or move the file away to start afresh.",
        )
