import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.triggers import drops
from runner.triggers.drop_text import read_drop
from runner.triggers.drops import archive, claim_trigger_file, finish_claims, reject, scan, unrecorded
from schemas.automation import Drop
from schemas.training import TrainingConfiguration

Put = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "triggers"
    made.mkdir()
    return made


@pytest.fixture
def put(folder: Path, now: datetime) -> Put:
    """A file written `age_s` seconds ago."""

    def make(name: str, content: str = "{}", age_s: float = 60, where: Path | None = None) -> Path:
        path = (where or folder) / name
        path.write_text(content, encoding="utf-8")
        os.utime(path, (now.timestamp(), now.timestamp() - age_s))
        return path

    return make


def test_a_drop_is_claimed_read_and_gone_from_the_folder(folder: Path, put: Put, now: datetime) -> None:
    path = put("go.json", '{"max_training_time_hours": 2, "priority": 7, "note": "please", "schedule": "nightly"}')
    found = scan(folder, now)
    (drop,) = found.claimed
    assert not path.exists()
    assert drop.path.parent == folder / "claimed"
    assert (drop.original_name, drop.received_at) == ("go.json", now)
    assert drop.request is not None
    assert (drop.request.priority, drop.request.note, drop.request.schedule) == (7, "please", "nightly")
    base = TrainingConfiguration(force_retrain=True, max_training_time_hours=9)
    assert drop.request.training_over(base) == TrainingConfiguration(force_retrain=True, max_training_time_hours=2)
    assert (found.unsettled, found.more) == (0, False)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no valid JSON"),
        ("[]", "a JSON object is needed"),
        ('{"max_hours": 2}', "max_hours"),
        ('{"priority": 5000}', "priority"),
        ('{"note": "x"', "no valid JSON"),
        ('{"progress_callback": "print"}', "progress_callback"),
        ('{"a":' * 100_000, "no valid JSON"),
    ],
)
def test_a_malformed_drop_is_claimed_with_its_problem(
    folder: Path, put: Put, now: datetime, content: str, says: str
) -> None:
    put("bad.json", content)
    (drop,) = scan(folder, now).claimed
    assert drop.request is None
    assert says in drop.problem
    lies = reject(drop.path, drop.problem)
    assert lies.parent == folder / "rejected"
    assert lies.read_text(encoding="utf-8") == content
    assert says in lies.with_name(lies.name + ".reason.txt").read_text(encoding="utf-8")
    assert reject(drop.path, drop.problem) == lies, "a second time changes nothing"


def test_other_names_and_kinds_are_left_alone(folder: Path, put: Put, now: datetime) -> None:
    for name in (".hidden.json", "a.json.tmp", "a.json.part", "readme.txt", "trigger.yaml"):
        put(name)
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to(put("elsewhere.txt"))
    os.mkfifo(folder / "pipe.json")
    before = sorted(path.name for path in folder.iterdir())
    assert scan(folder, now) == drops.DropScan((), 0, False)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_folder_that_was_removed_holds_nothing(tmp_path: Path, now: datetime) -> None:
    assert scan(tmp_path / "triggers", now) == drops.DropScan((), 0, False)


def test_a_growing_file_is_left_alone_until_it_settles(folder: Path, put: Put, now: datetime) -> None:
    put("slow.json", '{"note": "half', age_s=1)
    first = scan(folder, now)
    assert (first.claimed, first.unsettled) == ((), 1)
    put("slow.json", '{"note": "whole"}', age_s=0)
    (drop,) = scan(folder, now).claimed
    assert drop.request == Drop(note="whole")
    put("slow.json", '{"note": "half', age_s=1)
    (late,) = scan(folder, now + timedelta(seconds=5)).claimed
    assert late.request is None


def test_a_file_from_the_future_does_not_wait_for_years(folder: Path, put: Put, now: datetime) -> None:
    put("future.json", "nonsense", age_s=-86_400)
    assert len(scan(folder, now).claimed) == 1


def test_too_large_a_file_is_refused_without_reading_it_all(folder: Path, put: Put, now: datetime) -> None:
    put("large.json", '{"note": "' + "x" * 1_200_000 + '"}')
    (drop,) = scan(folder, now).claimed
    assert "larger than" in drop.problem


def test_an_unreadable_file_is_refused_with_the_reason(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("secret.json")
    real = Path.open

    def refuse(path: Path, *args: object, **kwargs: object) -> object:
        if path.name.endswith("secret.json"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    (drop,) = scan(folder, now).claimed
    assert "Permission denied" in drop.problem


def test_what_no_row_tells_of_is_found_again(folder: Path, put: Put, now: datetime) -> None:
    put("a.json", '{"note": "a"}')
    put("b.json", '{"note": "b"}')
    first, second = scan(folder, now).claimed
    assert unrecorded(folder, {first.path}) == [second]
    assert unrecorded(folder, set()) == [first, second]
    archive(first.path, "succeeded: run 3")
    assert unrecorded(folder, set()) == [second]


def test_unrecorded_without_any_claim(folder: Path) -> None:
    assert unrecorded(folder, set()) == []


def test_an_archived_drop_has_its_outcome_beside_it(folder: Path, put: Put, now: datetime) -> None:
    put("a.json")
    (drop,) = scan(folder, now).claimed
    lies = archive(drop.path, "succeeded: run 3")
    assert lies.with_name(lies.name + ".outcome.txt").read_text(encoding="utf-8") == "succeeded: run 3\n"
    assert archive(drop.path, "succeeded: run 3") == lies


@pytest.mark.parametrize("point", ["text written", "moved"])
def test_a_kill_while_moving_on_is_repaired_by_doing_it_again(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    put("a.json", '{"note": "a"}')
    (drop,) = scan(folder, now).claimed

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if point == "text written":
            patch.setattr(Path, "replace", die)
        else:
            patch.setattr(drops, "fsync_folder", die)
        with pytest.raises(KeyboardInterrupt):
            archive(drop.path, "done")
    lies = archive(drop.path, "done")
    assert read_drop(lies.read_bytes(), is_json=True) == Drop(note="a")
    assert lies.with_name(lies.name + ".outcome.txt").exists()
    assert not drop.path.exists()


@pytest.mark.parametrize(
    ("content", "request_made"),
    [
        ("", Drop()),
        ("  \n", Drop()),
        ("nightly\n", Drop(schedule="nightly")),
        ('{"emergency": true}', Drop(emergency=True)),
        ("two words", None),
    ],
)
def test_a_trigger_file_may_be_empty_name_a_schedule_or_carry_json(
    folder: Path, put: Put, now: datetime, tmp_path: Path, content: str, request_made: Drop | None
) -> None:
    path = put("trigger_training.txt", content, where=tmp_path)
    drop = claim_trigger_file(path, folder, now)
    assert drop is not None
    assert drop.request == request_made
    assert bool(drop.problem) == (request_made is None)
    assert not path.exists()
    assert claim_trigger_file(path, folder, now) is None


def test_a_trigger_file_just_written_waits_a_moment(folder: Path, put: Put, now: datetime, tmp_path: Path) -> None:
    path = put("trigger_training.txt", "night", age_s=0.2, where=tmp_path)
    assert claim_trigger_file(path, folder, now) is None
    assert claim_trigger_file(path, folder, now + timedelta(seconds=1)) is not None


def across_file_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)


def test_a_trigger_file_on_another_file_system(
    folder: Path, put: Put, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    across_file_systems(monkeypatch)
    path = put("trigger_training.txt", "nightly", where=tmp_path)
    drop = claim_trigger_file(path, folder, now)
    assert drop is not None
    assert drop.request == Drop(schedule="nightly")
    assert [entry.name for entry in tmp_path.iterdir()] == ["triggers"]


@pytest.mark.parametrize("copied", [False, True])
def test_a_kill_between_two_file_systems_neither_loses_nor_doubles(
    folder: Path, put: Put, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    across_file_systems(monkeypatch)
    path = put("trigger_training.txt", "nightly", where=tmp_path)

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die) if copied else patch.setattr(drops, "write_atomic", die)
        with pytest.raises(KeyboardInterrupt):
            claim_trigger_file(path, folder, now)
    assert len(unrecorded(folder, set())) == copied
    if copied:  # the next daemon may even have archived it before
        archive(unrecorded(folder, set())[0].path, "done")
    finish_claims(path, folder)
    assert len(unrecorded(folder, set())) == (not copied)
    assert [entry.name for entry in tmp_path.iterdir()] == ["triggers"]


def test_ten_thousand_drops_at_once_lose_none(folder: Path, now: datetime) -> None:
    for number in range(10_000):
        (folder / f"{number:05}.json").write_text(json.dumps({"note": str(number)}), encoding="utf-8")
    taken: list[str] = []
    later = datetime.now(UTC) + timedelta(minutes=5)
    while True:
        found = scan(folder, later, 3000)
        assert len(found.claimed) <= 3000
        taken += [drop.request.note for drop in found.claimed if drop.request is not None]
        if not found.more:
            break
    assert taken == [str(number) for number in range(10_000)]
    assert len(unrecorded(folder, set())) == 10_000
