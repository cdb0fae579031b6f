"""Folders of older runs go; the games that a promotion rests on stay."""

from pathlib import Path

from pipeline.orchestrator.pipeline import KEEP_RUNS, SelfPlayTrainingPipeline
from schemas.settings import Settings


def _run(folder: Path, number: int) -> Path:
    run = folder / f"run_{number}"
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
        assert kept == ["run_2/judging/net-2.jsonl"]
        assert [run.exists() for run in runs[:3]] == [False, True, False]
        for run in runs[3:]:
            assert (run / "self_play" / "checkpoints" / "1.json").exists()
            assert len(list((run / "judging").iterdir())) == 2
