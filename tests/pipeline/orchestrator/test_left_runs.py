"""A run that is left behind: what is said of one that cannot go on, and who may mend it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import folder_lock
from pipeline.orchestrator.pipeline import SelfPlayTrainingPipeline
from pipeline.orchestrator.run_record import RUN_FILE, PhaseRecord, RunRecord, load_run
from schemas.errors import FolderInUseError, SettingsError, StateError
from schemas.settings import Settings
from schemas.training import TrainingConfiguration

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def left(tmp_path: Path) -> Settings:
    """The settings of a state folder with an unfinished run of a phase that they do not know any more."""
    settings = Settings(home=tmp_path)
    settings.pipeline_dir.mkdir(parents=True)
    asked = TrainingConfiguration(target_phases=["mine"], device="cpu")
    phases = [PhaseRecord(name="mine")]
    RunRecord(run_id="run_1", seed=1, started_at=NOON, configuration=asked, phases=phases).save(settings.pipeline_dir)
    return settings


def test_a_run_whose_phase_was_taken_out_of_the_settings_says_so(left: Settings) -> None:
    with pytest.raises(SettingsError, match="no phase is called mine"):
        SelfPlayTrainingPipeline(left).resume_training()
    run = load_run(left.pipeline_dir)
    assert run is not None and not run.finished, "with its phase put back it goes on"


def test_nobody_mends_a_run_that_is_being_trained(left: Settings) -> None:
    """It wrote a record of before over the one of a run under way, and looked through its checkpoints."""
    with folder_lock.held(left.pipeline_dir, "self-play pipeline"), pytest.raises(FolderInUseError):
        SelfPlayTrainingPipeline(left).attempt_recovery()


def test_a_record_that_cannot_be_read_is_not_damaged(left: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was set aside, and the unfinished run with it, for want of a right or of a free file."""
    record = left.pipeline_dir / RUN_FILE
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == record:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(StateError, match="cannot be read: Permission denied"):
        SelfPlayTrainingPipeline(left).attempt_recovery()
    assert record.exists()


def test_a_damaged_record_is_set_aside(left: Settings) -> None:
    (left.pipeline_dir / RUN_FILE).write_text("{")
    assert not SelfPlayTrainingPipeline(left).attempt_recovery()
    assert [path.read_text() for path in left.pipeline_dir.glob(f"damaged-*-{RUN_FILE}")] == ["{"]
