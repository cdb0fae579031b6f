"""Kept games go by age and by bytes, the oldest first; nothing else that lies there goes."""

import os
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runner import cli, kept_replays
from runner.kept_replays import remove_old
from schemas.service import StorageSettings

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def _keep(folder: Path, name: str, days: float, size: int = 10) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW.timestamp() - days * 86_400,) * 2)
    return path


def test_what_is_too_old_goes_and_files_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "replays"
    assert remove_old(folder, StorageSettings(), NOW).files == 0, "a folder that is not there"
    young, old = _keep(folder, "a.jsonl.gz", 59), _keep(folder, "b.jsonl.gz", 61)
    mine = _keep(folder, "notes.txt", 900)
    outside = _keep(tmp_path / "elsewhere", "c.jsonl.gz", 900)
    (folder / "link.jsonl.gz").symlink_to(outside)
    (folder / "folder.jsonl.gz").mkdir()
    assert remove_old(folder, StorageSettings(), NOW).files == 1
    assert not old.exists()
    assert young.exists()
    assert mine.exists()
    assert outside.exists()
    assert (folder / "folder.jsonl.gz").is_dir()


@given(
    sizes=st.lists(st.integers(0, 900_000), max_size=8),
    limit=st.sampled_from([0, 0.5, 1, 2]),
)
def test_the_newest_that_fit_stay(tmp_path_factory, sizes: list[int], limit: float) -> None:
    folder = tmp_path_factory.mktemp("replays")
    made = [_keep(folder, f"{number}.jsonl.gz", number, size) for number, size in enumerate(sizes)]
    remove_old(folder, StorageSettings(max_replays_mb=limit, keep_replays_days=30), NOW)
    left = [path for path in made if path.exists()]
    assert left == made[: len(left)], "the oldest go first"
    if limit:
        assert sum(sizes[: len(left)]) <= limit * 1e6
        assert len(left) == len(made) or sum(sizes[: len(left) + 1]) > limit * 1e6, "none went that had room"
    else:
        assert left == made


def test_one_that_cannot_be_removed_is_said_and_holds_up_no_other(tmp_path: Path, monkeypatch) -> None:
    first, second = _keep(tmp_path, "a.jsonl.gz", 100), _keep(tmp_path, "b.jsonl.gz", 99)
    real = Path.unlink

    def refusing(path: Path, *, missing_ok: bool = False) -> None:
        if path == first:  # root may remove everything
            raise PermissionError(13, "Permission denied", str(path))
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(kept_replays.Path, "unlink", refusing)
    removed = remove_old(tmp_path, StorageSettings(), NOW)
    assert removed.files == 1
    assert "Permission denied" in removed.problem
    assert str(first) in removed.problem
    assert not second.exists()


def test_pruning_by_hand_clears_them_too(tmp_path: Path, monkeypatch, capsys) -> None:
    home = tmp_path / "automation"
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    assert cli.run(["init"]) == 0
    _keep(home / "data" / "replays", "a.jsonl.gz", 400)
    assert cli.run(["db", "prune"]) == 0
    assert "1 kept games removed" in capsys.readouterr().out
    assert not list((home / "data" / "replays").iterdir())
