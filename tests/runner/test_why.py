"""`ouroboros why`: of schedules, and of triggers with what their runs became."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from migrations.upgrade import upgrade
from runner import schedule_service
from runner.commands.why import why
from runner.store import occurrences, queue, schedules, triggers
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from schemas.automation import TrainingSchedule, create_default_triggers
from schemas.errors import ScheduleError

NIGHTLY = TrainingSchedule(name="nightly", cron_expression="0 2 * * *")
DATA = create_default_triggers()[0].model_copy(update={"schedule": "nightly"})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("OUROBOROS_HOME", str(tmp_path))
    opened = Store(f"sqlite:///{tmp_path / 'automation_tracking.db'}", busy_timeout_s=30)
    upgrade(opened, keep_backups=3, now=datetime.now(UTC))
    yield opened
    opened.close()


@pytest.fixture
def ask() -> Callable[[str], str]:
    def told(name: str) -> str:
        return CliRunner().invoke(why, [name], catch_exceptions=False).output

    return told


def test_a_trigger_is_explained_by_its_looks_its_cooldown_and_its_runs(store: Store, ask: Callable[[str], str]) -> None:
    now = datetime.now(UTC)
    schedule_service.save_trigger(store, DATA, now)
    assert "check_new_data_threshold" in ask(DATA.name)
    with store.write() as session:
        triggers.checked(session, DATA.name, "5001 of 5000 new games", now - timedelta(hours=1), fired=True)
        theirs = NewOccurrence(NIGHTLY, now - timedelta(hours=1), trigger_name=DATA.name)
        number = queue.record(session, theirs, now, 10).occurrence_id
        queue.defer(session, number, "2.0 GiB of memory are free", now)
        queue.record(session, NewOccurrence(NIGHTLY, now), now, 10)
    said = ask(DATA.name)
    assert f"The trigger {DATA.name} is active" in said
    assert "in its cooldown until" in said
    assert "5001 of 5000 new games" in said
    assert said.count("nightly, due") == 1
    assert "2.0 GiB of memory are free" in said
    with store.write() as session:
        triggers.pause(session, DATA.name, "moving house", now)
        assert [item.occurrence_id for item in occurrences.recent_of_trigger(session, DATA.name, 9)] == [number]
    assert "is paused: moving house" in ask(DATA.name)


def test_a_schedule_is_explained_and_an_unknown_name_refused(store: Store, ask: Callable[[str], str]) -> None:
    now = datetime.now(UTC)
    with store.write() as session:
        schedule_service.save_schedule(session, NIGHTLY, now)
        schedules.pause(session, "nightly", "holidays", now)
    assert "nightly is paused: holidays; it fires next at" in ask("nightly")
    with pytest.raises(ScheduleError, match="nothing of that name ever fell due"):
        ask("nosuch")
