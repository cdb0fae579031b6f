"""What is typed, set, logged or found in a row: shown harmlessly, refused in words, and nothing is hidden by it."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from migrations.upgrade import upgrade
from runner import cli, logs
from runner.commands import output
from runner.commands.progress import ProgressLine, say
from runner.store import history, queue, triggers
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import RunnerStatus, TrainingSchedule, TriggerCondition
from schemas.errors import SettingsError
from schemas.model import PipelineState
from schemas.outside_text import REASON_LIMIT
from schemas.service import LoggingSettings
from schemas.settings import get_config, load

NIGHTLY = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")
RAW = "\x1b]0;owned\x07 \u202e \x9b2J"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    monkeypatch.setattr(output.console, "width", output.PLAIN_WIDTH)
    opened = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", 5)
    upgrade(opened, 1, datetime.now(UTC))
    yield opened
    opened.close()


def a_run(store: Store, folder: Path) -> int:
    now = datetime.now(UTC) - timedelta(days=1)
    with store.write() as session:
        occurrence = queue.record(session, NewOccurrence(NIGHTLY, now), now, 10).occurrence_id
        number = queue.begin(
            session, occurrence, now, worker="tuner", worker_reason="", seed=1, run_dir=lambda run: folder / str(run)
        )
    assert number is not None
    return number


@pytest.mark.parametrize(
    "command", [("why",), ("schedules", "show"), ("schedules", "pause"), ("trigger",), ("cancel",)]
)
def test_an_argument_that_is_no_text_is_refused_in_words(store: Store, capsys, command: tuple[str, ...]) -> None:
    assert cli.run([*command, os.fsdecode(b"n\xff\x1b[31m")]) == 2
    assert capsys.readouterr().err == "error: this argument is not UTF-8 text (n\\xff\\x1b[31m).\n"


def test_a_file_whose_name_is_no_text_is_read_all_the_same(store: Store, capsys, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"nightly\xff.json")
    file.write_text(NIGHTLY.model_dump_json())
    assert cli.run(["schedules", "add", str(file)]) == 0
    file.write_text("[]")
    assert cli.run(["schedules", "add", str(file)]) == 2
    assert "nightly\\xff.json" in capsys.readouterr().err


def test_a_note_is_kept_without_what_steers_a_terminal(store: Store, capsys) -> None:
    with store.write() as session:
        from runner import schedule_service

        schedule_service.save_schedule(session, NIGHTLY, datetime.now(UTC))
    assert cli.run(["schedules", "pause", "nightly", "--note", RAW]) == 0
    assert cli.run(["why", "nightly"]) == 0
    out = capsys.readouterr().out
    assert "is paused: \\x1b]0;owned\\x07 \\u202e \\x9b2J" in out
    assert not set(out) & set(RAW.replace("owned", "").replace(" ", "").replace("]0;", "").replace("2J", ""))


def test_a_trigger_s_note_is_kept_so_too_and_at_a_stated_length(store: Store) -> None:
    with store.write() as session:
        triggers.save(
            session,
            TriggerCondition(name="data", trigger_type="data_driven", condition_function="m:f"),
            datetime.now(UTC),
        )
    assert cli.run(["triggers", "pause", "data", "--note", RAW + "x" * 100_000]) == 0
    with store.read() as session:
        note = triggers.get(session, "data").paused_note
    assert note.startswith("\\x1b]0;owned\\x07 \\u202e \\x9b2J")
    assert len(note) <= REASON_LIMIT


@pytest.mark.parametrize("command", [("history",), ("why", "nightly"), ("status",)])
def test_rows_of_an_older_version_are_shown_harmlessly_and_short(
    store: Store, capsys, tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = a_run(store, tmp_path / "runs")
    long = RAW + "x" * 100_000
    for statement in (
        "UPDATE occurrence_rows SET reason = :text",
        "UPDATE execution_rows SET error_message = :text, status = 'failed', completed_at = started_at WHERE id = :id",
    ):
        with store.write() as session:
            session.execute(text(statement), {"text": long, "id": number} if ":id" in statement else {"text": long})
    with capsys.disabled(), monkeypatch.context() as patch:
        shown = io.StringIO()
        patch.setattr(output.console, "_file", shown)
        patch.setattr(sys, "stdout", shown)
        assert cli.run(list(command)) == 0
    out = shown.getvalue()
    assert not set(out) & set("\x1b\x07\u202e\x9b")
    assert len(out) < 8_000
    assert "characters left out" in out
    if command == ("history",):
        assert f"runs/{number}/worker.log" in "".join(out.split())


@pytest.mark.parametrize(
    "damage", ["pipeline_state_changes_json = '{'", "resource_usage_changes_json = '3'", "identity_json = '[]'"]
)
def test_a_row_that_cannot_be_read_says_so_and_hides_no_other(store: Store, tmp_path: Path, damage: str) -> None:
    numbers = [a_run(store, tmp_path / "runs") for _ in range(3)]
    with store.write() as session:
        session.execute(text(f"UPDATE execution_rows SET {damage} WHERE id = {numbers[1]}"))
    with store.read() as session:
        found = {record.execution_id: record for record in history.recent(session, 10)}
        assert sorted(found) == numbers
        assert len(history.unfinished(session)) == 3
        assert "this row cannot be read" in found[numbers[1]].state.operation_details
        assert found[numbers[0]].state.operation_details == ""


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("settings.json", b'{"logging": {"level": "INFO", "level": "DEBUG"}}', "the name 'level' stands twice"),
        ("settings.json", b'{"scheduler": {"poll_interval_s": NaN}}', "NaN is no number of JSON"),
        ("settings.json", b"[" * 100_000, "nested over 100 deep"),
        ("settings.json", b'{"\\ud800\\u001b[31m": 1}', r"\\ud800\\x1b\[31m"),
        ("settings.json", b'{"home": "\xff"}', "not UTF-8 text: byte 10 is 0xff"),
        ("settings.json", b" " * 5_000_000, "larger than 4,000,000 bytes"),
        ("settings.toml", b"a = " + b"[" * 100_000, "malformed settings"),
        ("settings.toml", b"a = \xff", "malformed settings"),
    ],
)
def test_settings_that_cannot_be_read_in_one_way_only_are_refused(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        load(tmp_path / name)


def test_a_state_folder_whose_path_is_no_text_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch
) -> None:
    home = tmp_path / os.fsdecode(b"state\xff")
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    with pytest.raises(SettingsError, match=r"not UTF-8.*state\\xff"):
        get_config()
    done = subprocess.run(
        [sys.executable, "-m", "runner.cli", "status"], check=False, capture_output=True, timeout=60, cwd=tmp_path
    )
    assert b"Traceback" not in done.stderr
    assert not home.exists()


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_quotes_nothing_raw(tmp_path: Path, form: str) -> None:
    path = logs.start_logging(tmp_path, LoggingSettings(format=form), datetime.now(UTC))
    try:
        logging.getLogger("ouroboros.test").warning("the file %s\nsays", f"{RAW}\udcff" + "x" * 100_000)
    finally:
        logs.stop_logging()
    written = path.read_bytes().decode("utf-8")
    assert not set(written) & set("\x1b\x07\u202e\x9b")
    if form == "text":
        assert "\\x1b]0;owned\\x07 \\u202e \\x9b2J\\xff" in written
        assert len(written) < 21_000
    else:
        assert json.loads(written)["message"].startswith("the file ")


def test_what_looks_like_markup_in_a_state_is_shown_as_it_is(store: Store, capsys, tmp_path: Path, monkeypatch) -> None:
    """`[/x]` closes no tag of ours: it ended `status`, and in the progress line the step that watches runs."""
    number = a_run(store, tmp_path / "runs")
    state = PipelineState(current_phase="[/x] [red]", operation_details="[/never opened] [link=x]")
    with store.write() as session:
        history.progress(session, number, state, datetime.now(UTC))
    with store.read() as session:
        (record,) = history.recent(session, 1)
    shown = io.StringIO()
    monkeypatch.setattr(output.console, "_file", shown)
    assert cli.run(["status"]) == 0
    ProgressLine().tell(record, state)
    assert shown.getvalue().count("[/x] [red]") == 2
    assert shown.getvalue().count("[/never opened] [link=x]") == 2


class Gone:
    """A terminal that was closed, or a file on a full disk."""

    encoding = "utf-8"

    def __init__(self, error: OSError) -> None:
        self._error = error

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), BrokenPipeError()])
def test_a_daemon_whose_output_nobody_takes_goes_on(monkeypatch, error):
    monkeypatch.setattr(output.console, "_file", Gone(error))
    with ProgressLine() as progress:
        progress.show_idle(RunnerStatus.MONITORING)
        progress.show_idle(RunnerStatus.PAUSED)
    say("Stopped in good order")
    assert progress.text == ""
