import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.triggers import trigger_files
from runner.triggers.read_trigger_file import read_request
from runner.triggers.trigger_files import (
    archive,
    claim_trigger_file,
    finish_claims,
    finish_claims_of_folder,
    reject,
    scan,
    unrecorded,
)
from schemas.automation import FileRequest
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


def test_a_file_is_claimed_read_and_gone_from_the_folder(folder: Path, put: Put, now: datetime) -> None:
    path = put("go.json", '{"max_training_time_hours": 2, "priority": 7, "note": "please", "schedule": "nightly"}')
    found = scan(folder, now)
    (file,) = found.claimed
    assert not path.exists()
    assert file.path.parent == folder / "claimed"
    assert (file.original_name, file.received_at) == ("go.json", now)
    assert file.request is not None
    assert (file.request.priority, file.request.note, file.request.schedule) == (7, "please", "nightly")
    base = TrainingConfiguration(force_retrain=True, max_training_time_hours=9)
    assert file.request.training_over(base) == TrainingConfiguration(force_retrain=True, max_training_time_hours=2)
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
    (file,) = scan(folder, now).claimed
    assert file.request is None
    assert says in file.problem
    lies = reject(file.path, file.problem)
    assert lies.parent == folder / "rejected"
    assert lies.read_text(encoding="utf-8") == content
    assert says in lies.with_name(lies.name + ".reason.txt").read_text(encoding="utf-8")
    assert reject(file.path, file.problem) == lies, "a second time changes nothing"


def test_other_names_and_kinds_are_left_alone(folder: Path, put: Put, now: datetime) -> None:
    for name in (".hidden.json", "a.json.tmp", "a.json.part", "readme.txt", "trigger.yaml"):
        put(name)
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to(put("elsewhere.txt"))
    os.mkfifo(folder / "pipe.json")
    before = sorted(path.name for path in folder.iterdir())
    found = scan(folder, now)
    assert (found.claimed, found.unsettled) == ((), 0)
    assert sorted(path.name for path in folder.iterdir()) == before
    told = {item.name: item.why for item in found.ignored_files}
    assert sorted(told) == ["elsewhere.txt", "folder.json", "link.json", "pipe.json", "readme.txt", "trigger.yaml"]
    assert [told[name].split()[1] for name in ("link.json", "folder.json", "pipe.json")] == [
        "link;",
        "folder;",
        "plain",
    ]
    assert trigger_files.ignored_files(folder, now) == list(found.ignored_files), "doctor says the same"


def test_a_folder_that_was_removed_holds_nothing(tmp_path: Path, now: datetime) -> None:
    assert scan(tmp_path / "triggers", now) == trigger_files.FolderScan(())


def test_a_growing_file_is_left_alone_until_it_settles(folder: Path, put: Put, now: datetime) -> None:
    put("slow.json", '{"note": "half', age_s=1)
    first = scan(folder, now)
    assert (first.claimed, first.unsettled) == ((), 1)
    put("slow.json", '{"note": "whole"}', age_s=0)
    (file,) = scan(folder, now).claimed
    assert file.request == FileRequest(note="whole")
    put("slow.json", '{"note": "half', age_s=1)
    (late,) = scan(folder, now + timedelta(seconds=5)).claimed
    assert late.request is None


def test_a_file_from_the_future_does_not_wait_for_years(folder: Path, put: Put, now: datetime) -> None:
    put("future.json", "nonsense", age_s=-86_400)
    assert len(scan(folder, now).claimed) == 1


def test_too_large_a_file_is_refused_without_reading_it_all(folder: Path, put: Put, now: datetime) -> None:
    put("large.json", '{"note": "' + "x" * 1_200_000 + '"}')
    (file,) = scan(folder, now).claimed
    assert "larger than" in file.problem


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
    (file,) = scan(folder, now).claimed
    assert "Permission denied" in file.problem


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
    (file,) = scan(folder, now).claimed
    lies = archive(file.path, "succeeded: run 3")
    assert lies.with_name(lies.name + ".outcome.txt").read_text(encoding="utf-8") == "succeeded: run 3\n"
    assert archive(file.path, "succeeded: run 3") == lies


@pytest.mark.parametrize("point", ["text written", "moved"])
def test_a_kill_while_moving_on_is_repaired_by_doing_it_again(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    put("a.json", '{"note": "a"}')
    (file,) = scan(folder, now).claimed

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if point == "text written":
            patch.setattr(Path, "replace", die)
        else:
            patch.setattr(trigger_files, "fsync_folder", die)
        with pytest.raises(KeyboardInterrupt):
            archive(file.path, "done")
    lies = archive(file.path, "done")
    assert read_request(lies.read_bytes(), is_json=True) == FileRequest(note="a")
    assert lies.with_name(lies.name + ".outcome.txt").exists()
    assert not file.path.exists()


@pytest.mark.parametrize(
    ("content", "request_made"),
    [
        ("", FileRequest()),
        ("  \n", FileRequest()),
        ("nightly\n", FileRequest(schedule="nightly")),
        ('{"emergency": true}', FileRequest(emergency=True)),
        ("two words", None),
    ],
)
def test_a_trigger_file_may_be_empty_name_a_schedule_or_carry_json(
    folder: Path, put: Put, now: datetime, tmp_path: Path, content: str, request_made: FileRequest | None
) -> None:
    path = put("trigger_training.txt", content, where=tmp_path)
    file = claim_trigger_file(path, folder, now)
    assert file is not None
    assert file.request == request_made
    assert bool(file.problem) == (request_made is None)
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
    file = claim_trigger_file(path, folder, now)
    assert file is not None
    assert file.request == FileRequest(schedule="nightly")
    assert [entry.name for entry in tmp_path.iterdir()] == ["triggers"]


def test_a_full_disk_between_two_file_systems_leaves_the_file_where_it_lay(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    across_file_systems(monkeypatch)
    path = put("a.json", "{}")

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(trigger_files, "write_atomic", full)
        found = scan(folder, now)
    assert (found.claimed, path.read_text()) == ((), "{}")
    assert found.failure is not None
    assert [file.original_name for file in scan(folder, now).claimed] == ["a.json"]


def test_a_file_on_its_way_between_two_file_systems_at_a_kill_is_taken_up_at_the_next_start(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    across_file_systems(monkeypatch)
    put("a.json", "{}")

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trigger_files, "write_atomic", die)
        with pytest.raises(KeyboardInterrupt):
            scan(folder, now)
    finish_claims_of_folder(folder)
    assert [file.original_name for file in unrecorded(folder, set())] == ["a.json"]


def test_a_large_file_is_not_carried_between_two_file_systems(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    across_file_systems(monkeypatch)
    large, small = put("a.json", "x" * 1_000_001), put("b.json", "{}")
    found = scan(folder, now)
    assert [file.original_name for file in found.claimed] == ["b.json"]
    assert "larger than 1,000,000 bytes" in found.ignored_files[0].why
    assert (large.exists(), small.exists()) == (True, False)


def test_a_name_that_only_looks_claimed_stops_no_other(folder: Path, put: Put, now: datetime) -> None:
    put("a.json", "{}")
    (claimed,) = scan(folder, now).claimed
    claimed.path.with_name(f"20261399T256199.000000Z-{'0' * 32}-b.json").touch()
    assert [file.original_name for file in unrecorded(folder, set())] == ["a.json"]


@pytest.mark.parametrize("copied", [False, True])
def test_a_kill_between_two_file_systems_neither_loses_nor_doubles(
    folder: Path, put: Put, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    across_file_systems(monkeypatch)
    path = put("trigger_training.txt", "nightly", where=tmp_path)

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die) if copied else patch.setattr(trigger_files, "write_atomic", die)
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
        taken += [file.request.note for file in found.claimed if file.request is not None]
        if not found.more:
            break
    assert taken == [str(number) for number in range(10_000)]
    assert len(unrecorded(folder, set())) == 10_000


ODD_NAMES = [
    b"bad\xff.json",
    b"two\nlines.json",
    b"\x1b[31mred\x07.json",
    b"\xe2\x80\xaegnp.json",  # right-to-left override
    b"n" * 175 + b".json",
    b"n" * 250 + b".json",
    "ü".encode() * 125 + b".json",
    b"\xff" * 200 + b".json",
    b"'; DROP TABLE drops;--.json",
    b"back\\slash.json",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_of_any_name_is_claimed_recordable_and_moved_on(folder: Path, now: datetime, name: bytes) -> None:
    path = os.fsencode(folder) + b"/" + name
    Path(os.fsdecode(path)).write_text('{"note": "me"}', encoding="utf-8")
    later = datetime.now(UTC) + timedelta(minutes=5)
    found = scan(folder, later)
    assert found.ignored_files == ()
    (file,) = found.claimed
    assert file.request == FileRequest(note="me")
    for text in (file.original_name, str(file.path)):
        assert text.encode() and text.isprintable()
    (again,) = unrecorded(folder, set())
    assert (again.path, again.request) == (file.path, file.request)
    assert archive(file.path, "done").exists()


def test_files_claimed_by_an_older_version_under_names_no_database_takes_are_found(folder: Path, now: datetime) -> None:
    claimed = folder / "claimed"
    claimed.mkdir()
    for number, name in enumerate((b"bad\xff.json", b"n" * 150 + b".json", b"a\nb.json")):
        old = f"20261121T120000.000000Z-{number:032x}-".encode()
        Path(os.fsdecode(os.fsencode(claimed) + b"/" + old + name)).write_text("{}", encoding="utf-8")
    found = unrecorded(folder, set())
    assert [file.request for file in found] == [FileRequest()] * 3
    for file in found:
        assert str(file.path).encode() and str(file.path).isprintable()
        assert reject(file.path, "because").exists()


def test_a_file_that_cannot_be_moved_stops_no_other(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.json")
    put("b.json")
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name == "a.json":
            raise PermissionError(errno.EPERM, "Operation not permitted")  # immutable, say
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    found = scan(folder, now)
    assert [file.original_name for file in found.claimed] == ["b.json"]
    assert [str(item) for item in found.ignored_files] == [
        "a.json: it cannot be moved into claimed/: Operation not permitted"
    ]


def test_a_full_disk_keeps_what_was_claimed_before_and_is_told(
    folder: Path, put: Put, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.json")
    put("b.json")
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name == "b.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    found = scan(folder, now)
    assert [file.original_name for file in found.claimed] == ["a.json"]
    assert found.failure is not None
    assert found.failure.errno == errno.ENOSPC


@pytest.mark.parametrize("name", ["slow.json", "trigger_training.txt"])
def test_a_file_held_open_by_its_writer_is_waited_for_however_long(folder: Path, now: datetime, name: str) -> None:
    """Written in pieces with long pauses by one open handle; a reader beside it does not matter."""
    later = datetime.now(UTC) + timedelta(hours=1)
    path = folder / name
    take = (lambda: scan(folder, later).claimed) if name.endswith(".json") else lambda: claimed_by_name(path, later)
    with path.open("w", encoding="utf-8") as writer, path.open(encoding="utf-8"):
        writer.write('{"note": ')
        writer.flush()
        assert take() == ()
        if name.endswith(".json"):
            assert [str(item) for item in trigger_files.ignored_files(folder, later)] == [
                "slow.json: a program still has it open for writing; it is taken once that closes it"
            ]
        writer.write('"whole"}')
    (file,) = take()
    assert file.request == FileRequest(note="whole")


def claimed_by_name(path: Path, now: datetime) -> tuple[trigger_files.ClaimedFile, ...]:
    file = claim_trigger_file(path, path.parent, now)
    return () if file is None else (file,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"note": "\xff"}', "not UTF-8 text: byte 10 is 0xff"),
        (b'{"note": "a", "note": "b"}', "the name 'note' stands twice in one object"),
        (b'{"max_training_time_hours": NaN}', "NaN is no number of JSON"),
        (b'{"max_training_time_hours": 1e999}', "1e999 is too large a number"),
        (b"[" * 200 + b"]" * 200, "nested over 100 deep"),
        (b'{"priority": ' + b"1" * 5000 + b"}", "no valid JSON"),
        (b'{"\\u001b[31m": 1}', r"\x1b[31m"),
        (b'{"\\ud800": 1}', r"\ud800"),
    ],
)
def test_json_that_readers_take_differently_is_refused_in_words_that_can_be_kept(
    folder: Path, put: Put, now: datetime, content: bytes, says: str
) -> None:
    put("odd.json").write_bytes(content)
    os.utime(folder / "odd.json", (now.timestamp(), now.timestamp() - 60))
    (file,) = scan(folder, now).claimed
    assert file.request is None
    assert says in file.problem
    assert file.problem.encode() and file.problem.isprintable() and len(file.problem) <= 2000


def test_a_lone_surrogate_in_a_note_is_kept_as_what_it_is(folder: Path, put: Put, now: datetime) -> None:
    put("odd.json", '{"note": "\\ud800\\u0000"}')
    (file,) = scan(folder, now).claimed
    assert file.request == FileRequest(note=r"\ud800\x00")
    assert file.request.model_dump_json()
