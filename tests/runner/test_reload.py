"""`kill -HUP`: what takes effect at once, what waits for a restart, what is refused."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from runner.guards.cpu import CpuMeter
from runner.service import Service
from runner.store import commands
from runner.store.engine import Store
from schemas.errors import SettingsError
from schemas.settings import Settings


@pytest.fixture
def service(tmp_path: Path):
    with Service(Settings(home=tmp_path), seed_defaults=False) as opened:
        yield opened


def changed(service: Service, **parts: dict[str, object]) -> Settings:
    tree = json.loads(service.settings.model_dump_json())
    for part, fields in parts.items():
        tree[part] |= fields
    return Settings.model_validate(tree)


def test_workers_guards_and_messages_are_taken_at_once(service):
    wanted = changed(
        service,
        workers={"memory_limit_gb": 3, "sample_interval_s": 77},
        guards={"cpu_window_s": 99, "max_celsius": 80},
        notifications={"max_messages_per_hour": 3},
        scheduler={"slots": 4},
    )
    assert service.reload(wanted) == []
    assert service.runtime.settings == wanted
    assert service.runtime.notifier.settings.max_messages_per_hour == 3
    assert service._launcher._settings.memory_limit_gb == 3
    assert service._launcher._sampler._interval_s == 77
    assert service.probe._settings.max_celsius == 80
    assert service.probe.snapshot(datetime.now(UTC)).cpu_usage_percent is None, "the longer window has not passed"


def test_the_users_own_notification_system_stays_and_its_settings_change(service):
    class Own:
        def send_training_completion_notification(self, result: object) -> None:
            pass

    service.use_notification_system(Own())
    service.reload(changed(service, notifications={"emails": ["a@example.com"]}))
    assert service.runtime.notifier.settings.emails == ["a@example.com"]
    assert service.runtime.notifier.channel("custom") is not None
    assert service.runtime.notifier.channel("e-mail") is None


def test_what_is_read_once_is_named(service):
    wanted = changed(
        service,
        storage={"busy_timeout_s": 5},
        logging={"level": "DEBUG", "format": "json", "max_mb": 1, "keep_files": 2},
    )
    named = ["storage.busy_timeout_s", "logging.format", "logging.max_mb", "logging.keep_files"]
    assert service.reload(wanted) == named
    assert service.reload(wanted) == named, "as long as they wait"
    assert service.reload(changed(service, storage={"busy_timeout_s": 60})) == named[1:]


def test_another_folder_or_hours_that_make_no_sense_change_nothing(service, tmp_path):
    before = service.settings
    with pytest.raises(SettingsError, match="Restart it"):
        service.reload(before.model_copy(update={"home": tmp_path / "elsewhere"}))
    with pytest.raises(SettingsError, match="hours"):
        service.reload(changed(service, guards={"allowed_hours": "25-26"}, workers={"memory_limit_gb": 9}))
    assert service.settings == service.runtime.settings == before
    assert service._launcher._settings == before.workers


def test_a_cpu_window_that_grows_is_waited_for(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("".join(f"cpu{number} 0 0 0 0 0 0 0 0 0 0\n" for number in range(1024)))
    meter = CpuMeter(2, 1, stat)
    meter.read(0.0)
    stat.write_text("".join(f"cpu{number} 5 0 0 5 0 0 0 0 0 0\n" for number in range(1024)))
    meter.read(2.0)
    assert meter.percent() == 50
    meter.use(10, 1)
    assert meter.percent() is None
    stat.write_text("".join(f"cpu{number} 10 0 0 10 0 0 0 0 0 0\n" for number in range(1024)))
    meter.read(10.0)
    assert meter.percent() == 50


def test_a_stop_that_an_earlier_daemon_did_not_answer_ends_no_later_one(tmp_path: Path):
    """It hung, was asked to stop, and was killed; what else was asked waits for the next one."""
    store = Store(Settings(home=tmp_path).database_url, 5)
    upgrade(store, 1, datetime.now(UTC))
    asked_at = datetime.now(UTC) - timedelta(minutes=1)
    with store.write() as session:
        stop = commands.enqueue(session, "stop", None, "somebody", asked_at)
        pause = commands.enqueue(session, "pause", None, "somebody", asked_at)
    with Service(Settings(home=tmp_path), seed_defaults=False), store.read() as session:
        stopped, paused = commands.get(session, stop), commands.get(session, pause)
    store.close()
    assert (stopped.ok, stopped.answer[:26]) == (False, "asked of an earlier daemon")
    assert paused.handled_at is None
