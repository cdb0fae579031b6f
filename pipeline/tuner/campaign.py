"""A campaign on disk: checkpoint, log and the user's weights file, kept in step whatever is killed when.

The order of writes is the whole point. An accepted candidate goes: intent into the checkpoint, weights file, log line,
checkpoint. Whichever of them was the last before a kill, `open` finishes the rest, and repeating it changes nothing.
The weights file is only ever replaced while it holds what this campaign last saw in it.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pipeline.tuner import weights
from pipeline.tuner.checkpoint_store import CheckpointStore
from pipeline.tuner.training_log import TrainingLog
from pipeline.tuner.weights import WeightFile, hash_of
from schemas.campaign import CandidateDecision, Checkpoint, IterationRecord, MeasuredRate, PendingReplacement
from schemas.errors import MachineError
from schemas.files import write_atomic
from schemas.instants import to_text

REFERENCE_NAME = "reference_config.yaml"


class Campaign:
    """The tuner's memory.

    Args:
        folder: the tuner's folder; the caller holds its lock.
        weights_path: the user's weights file.
        opponents: what win rates are measured against; empty: the weights the campaign started from.
        seed: seed of a new campaign; None: one is drawn.
        passing: called with the name of each point at which a kill would be most awkward; tests kill there.
    """

    def __init__(
        self,
        folder: Path,
        weights_path: Path,
        opponents: list[str],
        seed: int | None,
        *,
        tell: Callable[[str], None],
        now: Callable[[], datetime],
        passing: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self._folder, self._path = folder, weights_path.resolve()
        self._opponents, self._seed = opponents, seed
        self._tell, self._now, self._passing = tell, now, passing
        self._store = CheckpointStore(folder, tell, now)
        self._log = TrainingLog(folder, tell)
        self._unsaved = 0
        self.state: Checkpoint

    @property
    def best(self) -> WeightFile:
        """The best configuration so far."""
        return weights.parse(self.state.best_config, str(self._path))

    def open(self) -> None:
        """Resume, or begin afresh; whatever a kill left half done is finished first.

        Raises:
            SnakeError: the weights file is missing or malformed.
            StateError, MachineError: the folder cannot be used.
        """
        for leftover in self._path.parent.glob(f".{self._path.name}.*.tmp"):  # of a write that was killed
            leftover.unlink(missing_ok=True)
        self._log.repair()
        checkpoint = self._store.load()
        if checkpoint is not None and checkpoint.snake != str(self._path):
            self._set_aside(checkpoint)
            checkpoint = None
        if checkpoint is None:
            self._begin()
        else:
            self._resume(checkpoint)
        write_atomic(self._folder / REFERENCE_NAME, self.state.reference_config)
        self.save()

    def _begin(self) -> None:
        best, now = weights.read(self._path), self._now()
        self.state = Checkpoint(
            campaign=f"{now:%Y%m%d_%H%M%S}_{secrets.token_hex(3)}",
            seed=self._seed if self._seed is not None else secrets.randbits(62),
            epoch=1,
            started_at=now,
            updated_at=now,
            snake=str(self._path),
            iteration=0,
            total_games=0,
            accepted=0,
            since_improvement=0,
            consecutive_failures=0,
            best_config=best.text,
            best_hash=best.hash,
            reference_config=best.text,
            opponents=self._opponents,
            best=None,
            measurement_due=True,
            search_state={},
        )
        self._tell(f"Starting fresh with {self._path}: {len(best.weights)} weights, seed {self.state.seed}")

    def _resume(self, checkpoint: Checkpoint) -> None:
        self.state = checkpoint
        self._finish_replacement()
        for record in self._log.records(checkpoint.campaign):
            if record.iteration > self.state.iteration:
                self._count(record)
        self.state = self.state.model_copy(update={"epoch": self.state.epoch + 1, "consecutive_failures": 0})
        self.notice_edit()
        if self.state.opponents != self._opponents:
            self._tell("The opponents have changed: the best configuration is measured anew.")
            self._update(opponents=self._opponents, best=None, measurement_due=True)
        rate = f"best win rate {self.state.best.win_rate:.1%}" if self.state.best else "best win rate not measured yet"
        self._tell(f"✓ Resumed from checkpoint: iteration {self.state.iteration}, {rate}")

    def _finish_replacement(self) -> None:
        pending = self.state.pending
        if pending is None:
            return
        logged = {record.iteration for record in self._log.records(self.state.campaign)}
        present = self._hash_on_disk()
        self._tell(f"Finishing what was interrupted: the accepted candidate of iteration {pending.record.iteration}.")
        if present in (pending.old_hash, None):
            self._write_weights(pending.new_text)
        if pending.record.iteration not in logged:
            self._log.append(pending.record)
        self._take(pending)

    def _take(self, pending: PendingReplacement) -> None:
        self._count(pending.record)
        self._update(
            pending=None,
            best_config=pending.new_text,
            best_hash=hash_of(pending.new_text),
            accepted=self.state.accepted + 1,
        )
        self.save()
        self._passing("checkpoint_saved")

    def notice_edit(self) -> bool:
        """Look whether somebody edited the weights file; if so, go on from the edit, and say so.

        The former best is kept as a file of its own. A missing file is written back.

        Raises:
            SnakeError: the edited file is malformed; it stays as it is.
        """
        present = self._hash_on_disk()
        if present == self.state.best_hash:
            return False
        if present is None:
            self._tell(f"⚠ {self._path} is missing; the best configuration is written back.")
            self._write_weights(self.state.best_config)
            return False
        edited = weights.read(self._path)
        kept = self._keep(self.state.best_config, f"best_before_edit_iteration_{self.state.iteration:06d}")
        self._tell(
            f"⚠ {self._path} was changed by hand. Going on from the edited weights, which are measured anew; "
            f"the former best is kept as {kept}."
        )
        self._update(best_config=edited.text, best_hash=edited.hash, measurement_due=True, search_state={})
        self.save()
        return True

    def measured(self, rate: MeasuredRate) -> None:
        """Note the best configuration's win rate."""
        self._update(best=rate, measurement_due=False, total_games=self.state.total_games + rate.games)
        self.save()

    def rejected(self, record: IterationRecord, checkpoint_interval: int) -> None:
        """Close an iteration that changed nothing; every `checkpoint_interval` of them a checkpoint is saved."""
        self._log.append(record)
        self._passing("line_appended")
        self._count(record)
        self._unsaved += 1
        if self._unsaved >= checkpoint_interval:
            self.save()

    def accepted(self, record: IterationRecord, candidate: WeightFile) -> IterationRecord:
        """Close an iteration whose candidate is the new best; returns the record as logged.

        If the weights file was edited meanwhile, the edit wins: the candidate is set aside and the record says so.
        """
        if self._hash_on_disk() not in (self.state.best_hash, None):
            kept = self._keep(candidate.text, f"candidate_iteration_{record.iteration:06d}")
            self._tell(f"⚠ {self._path} was edited meanwhile: the accepted candidate is kept as {kept}.")
            changes = {"decision": CandidateDecision.CONFLICT, "improved": False, "improvement": 0.0}
            record = record.model_copy(update=changes | {"best_config_hash": self.state.best_hash})
            self.rejected(record, checkpoint_interval=1)
            self.notice_edit()
            return record
        pending = PendingReplacement(old_hash=self.state.best_hash, new_text=candidate.text, record=record)
        self._update(pending=pending)
        self.save()
        self._passing("intent_saved")
        self._write_weights(candidate.text)
        self._passing("weights_replaced")
        self._log.append(record)
        self._passing("line_appended")
        self._take(pending)
        return record

    def save(self) -> None:
        """Write the checkpoint."""
        self._update(updated_at=self._now())
        self._store.save(self.state)
        self._unsaved = 0

    def remember(self, *, search_state: dict[str, list[float]], consecutive_failures: int) -> None:
        """Keep what the search has learned and how many candidates failed in a row for the next checkpoint."""
        self._update(search_state=search_state, consecutive_failures=consecutive_failures)

    def ask_for_measurement(self) -> None:
        """Have the best configuration measured anew before the next iteration."""
        self._update(measurement_due=True)

    def timestamp(self) -> str:
        """The present instant, as log lines carry it."""
        return to_text(self._now())

    def _count(self, record: IterationRecord) -> None:
        """Advance by one iteration; what an accepted candidate changes beyond the counters is `_take`'s."""
        measured = record.seeds.measurement_pairs > 0
        rate = MeasuredRate(
            win_rate=record.best_win_rate,
            low=record.best_win_rate_low,
            high=record.best_win_rate_high,
            games=record.best_win_rate_games,
        )
        self._update(
            iteration=record.iteration,
            total_games=self.state.total_games + record.games,
            since_improvement=0 if record.improved else self.state.since_improvement + 1,
            best=rate if record.improved and measured else self.state.best,
            measurement_due=self.state.measurement_due or (record.improved and not measured),
        )

    def _update(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)

    def _hash_on_disk(self) -> str | None:
        try:
            return hash_of(self._path.read_bytes().decode(errors="surrogateescape"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineError(f"the weights file cannot be read: {error.strerror}", where=str(self._path)) from error

    def _write_weights(self, text: str) -> None:
        try:
            mode = self._path.stat().st_mode & 0o777 if self._path.exists() else 0o644
            write_atomic(self._path, text)
            self._path.chmod(mode)
        except OSError as error:
            raise MachineError(
                f"the weights file cannot be replaced: {error.strerror}",
                where=str(self._path),
                remedy="Free some space or correct its rights and start again: the new weights are in the checkpoint.",
            ) from error

    def _keep(self, text: str, name: str) -> Path:
        path = self._folder / f"{name}.yaml"
        if path.exists() and path.read_text(encoding="utf-8") != text:
            path = self._folder / f"{name}_{hash_of(text)[:8]}.yaml"
        write_atomic(path, text)
        return path

    def _set_aside(self, checkpoint: Checkpoint) -> None:
        path = self._folder / f"checkpoint_{checkpoint.campaign}.json"
        write_atomic(path, checkpoint.model_dump_json(indent=2) + "\n")
        self._tell(
            f"The checkpoint belongs to another snake ({checkpoint.snake}, iteration {checkpoint.iteration}); "
            f"it is kept as {path.name}."
        )
