"""Settings that a parser takes and a daemon could not bear: refused when they are read, with the field's path."""

import json
from pathlib import Path

import pytest

from runner.liveness import ping_heartbeat_url
from runner.notify.channels import DeliveryError
from runner.store.engine import Store
from schemas.bounds import out_of_bounds
from schemas.errors import SettingsError
from schemas.settings import Settings, load


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("storage.keep_decisions_days", 1e300, "3,650 days are the most"),
        ("notifications.give_up_after_hours", 1e300, "87,600 hours are the most"),
        ("notifications.smtp.timeout_s", 1e300, "seconds are the most"),
        ("logging.max_mb", 1e308, "MB are the most"),
        ("workers.memory_limit_gb", 1e308, "GB are the most"),
        ("workers.sample_interval_s", 1e-300, "leave time for nothing else"),
        ("storage.backup_interval_hours", 1e-300, "leave time for nothing else"),
        ("scheduler.max_queue_length", 10**30, "the largest number that can be kept"),
        ("workers.cpu_affinity", [0, 10**30], "cpu_affinity.1: more than"),
    ],
)
def test_a_value_that_fails_only_later_is_refused_when_it_is_read(
    tmp_path: Path, field: str, value: object, says: str
) -> None:
    tree = value
    for name in reversed(field.split(".")):
        tree = {name: tree}
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(tree))
    with pytest.raises(SettingsError, match=says) as caught:
        load(path)
    assert field in str(caught.value)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5000])
def test_a_number_beyond_all_numbers_is_no_json(tmp_path: Path, number: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(f'{{"scheduler": {{"poll_interval_s": {number}}}}}')
    with pytest.raises(SettingsError, match="no valid JSON") as caught:
        load(path)
    assert "sys." not in str(caught.value), "what a Python programmer could do about it"


def test_toml_may_begin_with_a_byte_order_mark_and_may_hold_no_nul(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("\ufeff[scheduler]\nslots = 2\n", encoding="utf-8")
    assert load(path).scheduler.slots == 2
    path.write_text('[notifications.smtp]\npassword_file = "a\\u0000b"\n')
    with pytest.raises(SettingsError, match=r"notifications\.smtp\.password_file: no text may hold a NUL"):
        load(path)


def test_the_defaults_are_within_bounds() -> None:
    assert list(out_of_bounds(Settings())) == []


def test_a_database_url_with_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="no database URL"):
        Store("postgresql://snake:secret@here:port/x", 5)


@pytest.mark.parametrize(
    "url", ["http://[", "http://a..b/", "http://x y/", "http://\n/", "file:///etc/passwd", "http://", "http://u:p@[::/"]
)
def test_a_heartbeat_url_of_any_kind_costs_one_ping(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"notifications\.heartbeat_url") as caught:
        ping_heartbeat_url(url)
    assert str(caught.value).isprintable()
    assert "u:p" not in str(caught.value)


def test_settings_of_0_1_name_the_heartbeat_url_as_they_did(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"notifications": {"dead_man_url": "https://hc.example/x", "dead_man_interval_s": 60}}')
    told = load(file).notifications
    assert (told.heartbeat_url, told.heartbeat_interval_s) == ("https://hc.example/x", 60)
    file.write_text(
        '{"notifications": {"dead_man_url": "https://hc.example/x", "heartbeat_url": "https://hc.example/y"}}'
    )
    with pytest.raises(SettingsError, match=r"notifications\.dead_man_url"):
        load(file)
