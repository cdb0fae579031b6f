"""Folders of older runs go; the games that a promotion rests on stay."""

import shutil
from pathlib import Path

import pytest

from pipeline.orchestrator import pipeline as orchestrator
from pipeline.orchestrator.pipeline import KEEP_RUNS, SelfPlayTrainingPipeline
from schemas.settings import Settings


def _run(folder: Path, number: int) -> Path:
    run = folder / f"run_20261130_12000{number}_00ff"
    for name in ("judging", "self_play/checkpoints"):
        (run / name).mkdir(parents=True)
    for model in (f"net-{number}", f"other-{number}"):
        (run / "judging" / f"{model}.jsonl").write_text("{}\n")
    (run / "self_play" / "checkpoints" / "1.json").write_text("{}")
    return run


def test_journals_of_promoted_networks_outlive_their_run_s_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    pipeline = SelfPlayTrainingPipeline(settings)
    runs = [_run(settings.pipeline_dir, number) for number in range(1, KEEP_RUNS + 4)]
    for _ in range(2):  # once more changes nothing: what is left of an old run counts as none of the last ones
        pipeline._prune(runs[-1].name, {"net-2", "net-9"})
        kept = sorted(path.relative_to(settings.pipeline_dir).as_posix()
                      for run in runs[:3] for path in run.rglob("*") if path.is_file())  # fmt: skip
        assert kept == ["run_20261130_120002_00ff/judging/net-2.jsonl"]
        assert [run.exists() for run in runs[:3]] == [False, True, False]
        for run in runs[3:]:
            assert (run / "self_play" / "checkpoints" / "1.json").exists()
            assert len(list((run / "judging").iterdir())) == 2


def test_what_is_somebody_s_own_stays(tmp_path: Path) -> None:
    """Whatever began with run_ was taken for an older run; one that was moved away and linked ended the run as well."""
    settings = Settings(home=tmp_path)
    runs = [_run(settings.pipeline_dir, number) for number in range(1, KEEP_RUNS + 3)]
    kept = runs[0].rename(settings.pipeline_dir / "run_before_the_new_network")
    moved = runs[1].rename(tmp_path / "another disk")
    runs[1].symlink_to(moved)
    SelfPlayTrainingPipeline(settings)._prune(runs[-1].name, set())
    for folder in (kept, moved):
        assert (folder / "self_play" / "checkpoints" / "1.json").exists()


def test_a_folder_that_cannot_be_removed_is_told_and_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one `sudo ouroboros train` no run came to its end any more."""
    settings, told = Settings(home=tmp_path), list[str]()
    runs = [_run(settings.pipeline_dir, number) for number in range(1, KEEP_RUNS + 3)]
    removed = shutil.rmtree

    def refusing(path: Path) -> None:
        if runs[0] in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        removed(path)

    monkeypatch.setattr(orchestrator.shutil, "rmtree", refusing)
    SelfPlayTrainingPipeline(settings, echo=told.append)._prune(runs[-1].name, set())
    assert not runs[1].exists()
    assert len(told) == 1 and f"Permission denied ({runs[0]}" in told[0]
