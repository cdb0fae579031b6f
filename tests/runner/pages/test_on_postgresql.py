"""The same history on a server: every page and every answer of REST is what it is on SQLite; steering, and a server
that goes away and comes back."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lived_in import HOSTILE, LOST, THOUGHT
from postgresql_server import private_server
from served_site import Served, daemon_of, served, wait_for

from migrations.upgrade import upgrade
from runner.store import move, schedules
from runner.store.engine import Store
from runner.web.read.server_database import ServerDatabase
from schemas.automation import TrainingSchedule
from schemas.errors import BadInputError, SettingsError, StateError

PAGES = (
    "/", "/games", f"/game?id={THOUGHT}", f"/game?id={LOST}", "/tuner", "/strength", "/history",
    "/history?outcome=failed", "/history?trigger=scheduled&since=2026-01-01", "/history/1", "/history/2",
    "/history.csv", "/schedules", "/training",
    "/schedules/nightly", "/steer?verb=trigger", "/new/trigger", "/strength/evaluation/1", "/metrics",
)  # fmt: skip
REST = (
    "status", "executions", "executions?limit=1", "executions?outcome=failed&schedule=nightly", "executions/1",
    "executions/999999", "schedules", "schedules?limit=1", "schedules/nightly", "schedules/nobody", "triggers", "queue",
    "why/nightly", "mail", "models", "evaluations", "evaluations?limit=1", "commands", "commands/1", "tournaments",
    "models/net-2", "next", "arena/ratings", "triggers/nobody",
)  # fmt: skip


def moved(home: Path, url: str) -> None:
    """The history of this folder, on the server."""
    source, target = Store(f"sqlite:///{home / 'automation_tracking.db'}", 30), Store(url, 30)
    move.move(source, target)
    source.close()
    target.close()


@pytest.fixture(scope="module")
def both(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """One folder, served from its file and from a server."""
    homes = [tmp_path_factory.mktemp(name) / "automation" for name in ("file", "server")]
    for home in homes:
        shutil.copytree(lived_in, home)
    with private_server() as server:
        url = server.url(server.new_database())
        made = Store(url, 30)
        upgrade(made, 3, datetime.now(UTC))
        made.close()
        moved(homes[0], url)
        (homes[1] / "automation_tracking.db").unlink()
        with served(homes[0]) as file, served(homes[1], storage={"database_url": url}) as there:
            yield file, there


MOMENT = re.compile(
    r"\d+(\.\d+)?( |&nbsp;)?(s|min|h|%|GB|GiB|MB|MiB|d)\b|\d\d:\d\d(:\d\d)?(\.\d+)?"
    r"|cx=\S+| width=\S+|(seconds|bytes)\S* [-+.\de]+$|[-\d.e]+(?=,|})",
    re.MULTILINE,
)


def plain(site: Served, body: bytes) -> str:
    """Without what differs between two folders and two moments."""
    text = body.decode().replace(str(site.port), "PORT").replace(str(site.settings.home.parent), "HOME")
    text = re.sub(r'csrf.token" (value|content)=\S+', "", text)
    return MOMENT.sub("#", text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_the_same(both: tuple[Served, Served], path: str) -> None:
    file, there = both

    def looks() -> tuple[str, str]:
        here, other = (site.get(path, accept="text/html") for site in both)
        assert (here.status, other.status) == (200, 200)
        return plain(file, here.body), plain(there, other.body)

    for _ in range(5):  # both look at the same machine, each at its own moment
        here, other = looks()
        if other == here:
            break
    assert other == here


@pytest.mark.parametrize("path", REST)
def test_an_answer_of_rest_is_the_same(both: tuple[Served, Served], path: str) -> None:
    file, there = both
    here, other = (site.get(f"/api/v1/{path}") for site in both)
    assert other.status == here.status
    assert plain(there, json.dumps(other.json, indent=1).encode()) == plain(
        file, json.dumps(here.json, indent=1).encode()
    )


def test_a_wish_is_put_to_the_daemon_once_and_answered(postgresql_url: str, tmp_path: Path) -> None:
    """On a server's database of its own: what the others compare must stay as it is."""
    store = Store(postgresql_url, 30)
    now = datetime.now(UTC)
    with store.write() as session:
        schedules.save(session, TrainingSchedule(name="nightly", cron_expression="0 3 * * *"), now, now)
    store.close()
    url = postgresql_url
    with served(tmp_path / "automation", storage={"database_url": url}) as site:
        key = {"Idempotency-Key": "once"}
        assert site.get("/readyz").status == 503
        with daemon_of(site.settings):
            wait_for(lambda: site.get("/readyz").status == 200)
            asked = [site.ask("POST", "/api/v1/pause", {"note": HOSTILE}, key) for _ in range(2)]
            assert [(told.status, told.json["ok"]) for told in asked] == [(200, True)] * 2
            assert asked[0].json["id"] == asked[1].json["id"]
            assert site.get("/api/v1/status").json["paused"] is True
            assert site.ask("POST", "/api/v1/resume", {}).json["ok"] is True
        assert site.get("/api/v1/status").json["running"] is False
        edited = site.ask("POST", "/api/v1/schedules/nightly/pause", {"note": "no daemon lives"})
        assert edited.status == 202


def test_readers_of_a_server(tmp_path: Path) -> None:
    with private_server() as server:
        url = server.url(server.new_database())
        database = ServerDatabase(url)
        assert not database.is_led()
        with pytest.raises(StateError, match="nothing has run here yet"), database.snapshot():
            pass
        with served(tmp_path, storage={"database_url": url}) as site:
            assert "Nothing has run in this state folder yet" in site.get("/", accept="text/html").body.decode()
            made = Store(url, 30)
            upgrade(made, 3, datetime.now(UTC))
            made.close()
            before = database.version()
            with database.writing() as rows:
                row = rows.execute(
                    "INSERT INTO commands (verb, arguments_json, requested_by, requested_at) VALUES (?, ?, ?, ?) "
                    "RETURNING id, verb",
                    ("100 % sure?", "{}", "who", "2026-11-30T00:00:00.000000Z"),
                ).fetchone()
            assert (row["id"], row[1], dict(row)) == (1, "100 % sure?", {"id": 1, "verb": "100 % sure?"})
            with pytest.raises(BadInputError, match="cannot hold this"), database.snapshot() as rows:
                rows.execute("SELECT 1 FROM commands WHERE verb = ?", ("\0",))
            with pytest.raises(StateError, match="read-only transaction"), database.snapshot() as rows:
                rows.execute("DELETE FROM commands")
            with pytest.raises(KeyError), database.writing() as rows:
                rows.execute("DELETE FROM commands")
                raise KeyError
            assert database.version() != before
            server.stop()
            assert database.version() is None
            for path in ("/", "/history", "/api/v1/status", "/readyz"):
                told = site.get(path, accept="text/html")
                assert (told.status, b"the database server" in told.body) == (503, True)
            assert b"ouroboros_database_readable 0" in site.get("/metrics").body
            server.start()
            assert site.get("/api/v1/status").status == 200
            assert len(site.get("/api/v1/commands").json["items"]) == 1
        database.close()


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://u:secret@127.0.0.1/x", "postgresql://127.0.0.1", "postgresql:///x?nothing=1"]
)
def test_an_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(SettingsError) as told:
        ServerDatabase(url)
    assert "secret" not in str(told.value)
