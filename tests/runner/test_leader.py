"""One daemon leads a server's database: locks, terms and fences, on a real server."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from postgresql_server import PrivateServer, private_server

from runner.leader import LOOK_S, SILENT_S, LeaderLock, LeaderState, daemon_is_running, leader_and_stand_bys
from runner.store import games, heartbeat
from runner.store.engine import Store
from schemas.errors import DatabaseAwayError, DatabaseBusyError, LeadershipLostError, SettingsError, StateError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMIT_S = 60.0

LEADS = """
import sys
from runner.leader import LeaderLock
from runner.store.engine import Store
with LeaderLock(Store(sys.argv[1], 5), lambda words: print(words, flush=True)):
    print("leads", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def store(postgresql_url: str) -> Iterator[Store]:
    opened = Store(postgresql_url, 5)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def mortal() -> Iterator[PrivateServer]:
    """A server that tests of this file may stop."""
    with private_server() as server:
        yield server


def until(condition: object, what: str) -> None:
    end_s = time.monotonic() + LIMIT_S
    pause = threading.Event()
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end_s, f"never came: {what}"
        pause.wait(0.02)


def other_daemon(store: Store) -> subprocess.Popen[str]:
    url = store.url.render_as_string()
    return subprocess.Popen(
        [sys.executable, "-c", LEADS, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_one_leads_and_the_next_in_line_follows_its_end_and_its_death(store: Store, tmp_path: Path) -> None:
    assert not daemon_is_running(tmp_path, store)
    with LeaderLock(store, None) as lead:
        assert lead.state is LeaderState.HELD
        assert daemon_is_running(tmp_path, store)
        refused = LeaderLock(store, None)
        with pytest.raises(StateError, match="another daemon leads this database: "):
            refused.__enter__()
        second = other_daemon(store)
        assert "another daemon leads" in line_of(second)
        leader, (stand_by,) = leader_and_stand_bys(store)
        assert stand_by.endswith(f":{second.pid}")
        assert leader != stand_by
    assert line_of(second) == "leads"
    third = other_daemon(store)
    assert f":{second.pid}" in line_of(third)
    second.kill()
    assert line_of(third) == "leads"
    for process in (second, third):
        process.communicate(timeout=LIMIT_S)
    until(lambda: not daemon_is_running(tmp_path, store), "the end of the lead")


def test_after_a_good_end_nobody_leads_even_before_the_server_sees_the_connection_end(
    store: Store, tmp_path: Path
) -> None:
    lead = LeaderLock(store, None)
    with patch.object(lead, "_drop"):
        with lead:
            pass
        assert not daemon_is_running(tmp_path, store)
    lead._drop()


def test_a_leader_that_hangs_is_put_out_and_finds_that_out_before_it_does_anything(store: Store) -> None:
    first = other_daemon(store)
    assert line_of(first) == "leads"
    first.send_signal(signal.SIGSTOP)
    with patch("runner.leader._log.warning") as warned, LeaderLock(store, lambda _words: None) as lead:
        _, who, silent_s = warned.call_args.args
        assert f":{first.pid} " in who and silent_s > SILENT_S
        assert lead.state is LeaderState.HELD
        first.send_signal(signal.SIGCONT)
        until(lambda: leader_and_stand_bys(store)[1] == [], "the end of the other's connection")
        assert lead.state is LeaderState.HELD
    first.communicate(timeout=LIMIT_S)


def test_between_two_looks_it_waits_and_who_cannot_wait_lets_all_go(tmp_path: Path) -> None:
    told: list[str] = []

    def stand_by(words: str) -> None:
        told.append(words)
        if len(told) == 3:
            raise InterruptedError

    lead = LeaderLock(Store(f"sqlite:///{tmp_path / 'a.db'}", 5), stand_by)
    with (
        patch.object(lead, "_attempt", lambda: StateError("taken")),
        patch.object(lead, "_drop") as dropped,
        patch("runner.leader.time.sleep") as slept,
        pytest.raises(InterruptedError),
    ):
        lead.__enter__()
    assert [call.args for call in slept.call_args_list] == [(LOOK_S,)] * 2
    dropped.assert_called_once_with()


def test_a_file_has_no_leader_and_no_stand_bys(tmp_path: Path) -> None:
    assert leader_and_stand_bys(Store(f"sqlite:///{tmp_path / 'a.db'}", 5)) == ("", [])


def test_what_a_deposed_leader_still_writes_is_refused(store: Store) -> None:
    def lead(pid: int, now: datetime) -> None:
        with store.write() as session:
            heartbeat.started(session, pid=pid, host="here", boot_id="b", version="1", now=now)

    lead(1, NOW)
    with store.read() as session:
        me = heartbeat.get(session)
    assert me is not None
    old = Store(store.url.render_as_string(), 5)
    old.fence = heartbeat.leader_fence(me)
    with old.write() as session:
        games.advance(session, Path("/g"), 1, 0, 1, NOW)
    lead(1, NOW + timedelta(seconds=1))  # another process of the same number
    with pytest.raises(LeadershipLostError, match="another daemon has taken the lead"), old.write() as session:
        games.advance(session, Path("/g"), 1, 0, 1, NOW)
    with store.read() as session:
        assert games.total(session) == 1
    old.close()


@pytest.mark.parametrize("led_meanwhile", [False, True])
def test_a_server_that_was_killed_is_led_again_unless_another_led_meanwhile(
    mortal: PrivateServer, led_meanwhile: bool
) -> None:
    store = Store(mortal.url(mortal.new_database()), 5)
    with LeaderLock(store, None) as lead:
        asked: list[bool] = []

        def still_ours() -> bool:
            asked.append(True)
            return not led_meanwhile

        lead.still_ours = still_ours
        mortal.kill()
        until(lambda: lead.state is LeaderState.AWAY, "that the server is missed")
        with pytest.raises(DatabaseAwayError, match="is away"), store.look():
            pytest.fail("connected")
        until(lambda: "away" in lead.trouble, "the reason in words")
        mortal.start()
        wanted = LeaderState.LOST if led_meanwhile else LeaderState.HELD
        until(lambda: lead.state is wanted, wanted.value)
        assert asked == [True]
    store.close()


def test_a_server_that_answers_nothing_is_given_up(mortal: PrivateServer) -> None:
    store = Store(mortal.url(mortal.new_database()), 5)
    with LeaderLock(store, None) as lead:
        mortal.suspend()
        try:
            until(lambda: lead.state is LeaderState.AWAY, "that it does not answer")
        finally:
            mortal.resume()
        until(lambda: lead.state is LeaderState.HELD, "its answer")
    store.close()


def test_each_statement_has_a_deadline(store: Store) -> None:
    hasty = Store(store.url.render_as_string(), 0.2)
    with store.write():
        with pytest.raises(DatabaseBusyError, match=r"held by another process for more than 0\.2 s"), hasty.write():
            pytest.fail("two writers at once")
        with hasty.read() as session:
            assert games.total(session) == 0
    with pytest.raises(DatabaseBusyError, match="statement timeout"), hasty.read() as session:
        session.connection().exec_driver_sql("SET LOCAL statement_timeout = 50")
        session.connection().exec_driver_sql("SELECT pg_sleep(60)")
    hasty.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"database": "nosuch"}, 'database "nosuch" does not exist.*createdb'),
        ({"username": "nosuch"}, 'role "nosuch" does not exist.*createuser'),
        ({"port": 1}, "is away: .*refused.*pg_isready"),
    ],
)
def test_what_is_wrong_with_the_url_is_said(store: Store, change: dict[str, object], words: str) -> None:
    wrong = Store(store.url.set(**change).render_as_string(), 5)  # type: ignore[arg-type]
    with pytest.raises(StateError, match=words), wrong.look():
        pytest.fail("connected")
    with pytest.raises(StateError, match=words):
        LeaderLock(wrong, None).__enter__()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://u:secret@h/d", "a password does not belong"),
        ("postgresql+psycopg://u@h", "names no database"),
        ("mysql://u@h/d", "mysql is not supported"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_telling_its_password(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        Store(url, 5)
    assert "secret" not in str(caught.value)
