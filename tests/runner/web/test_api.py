"""The REST interface over a real database: what it lists, what it changes, and what both leave in the rows."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from served_site import MEASURED, Served, daemon_of, served, wait_for

from runner import cli

NEW = {"name": "extra", "cron_expression": "0 4 * * *", "timezone": "Europe/Berlin"}


def row(home: Path, statement: str, *values: object) -> Any:
    with closing(sqlite3.connect(home / "automation_tracking.db")) as plain:
        return plain.execute(statement, values).fetchone()


def walk(site: Served, path: str) -> list[Any]:
    """All items of a listing, page by page."""
    items: list[Any] = []
    cursor = ""
    for _ in range(100):
        page = site.get(f"{path}&cursor={cursor}" if cursor else path).json
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = page["next"]
    raise AssertionError("the pages have no end")


def test_status_tells_what_the_rows_hold(reading: Served) -> None:
    told = reading.get("/api/v1/status").json
    assert (told["status"], told["running"], told["queue_depth"]) == ("idle", False, 1)
    assert [run["schedule"] for run in told["current"]] == ["nightly"]
    assert told["statistics"]["total_executions"] == 4
    assert told["statistics"]["failure_rate"] == pytest.approx(1 / 3)
    assert told["queued"][0]["schedule"] == "continuous_learning"
    assert told["next_fires"]


def test_listings_page_by_page_are_the_whole(reading: Served) -> None:
    whole = reading.get("/api/v1/executions").json["items"]
    assert [run["status"] for run in whole] == ["starting", "cancelled", "failed", "succeeded"]
    assert walk(reading, "/api/v1/executions?limit=1") == whole
    schedules = reading.get("/api/v1/schedules").json["items"]
    assert [item["name"] for item in schedules] == [
        "continuous_learning", "daily_full_training", "nightly", "weekly_comprehensive_training",
    ]  # fmt: skip
    assert walk(reading, "/api/v1/schedules?limit=2") == schedules
    assert len(walk(reading, "/api/v1/triggers?limit=1")) == 3
    assert walk(reading, "/api/v1/queue?limit=1") == reading.get("/api/v1/queue").json["items"]


def test_filters(reading: Served) -> None:
    failed = reading.get("/api/v1/executions?outcome=failed&schedule=nightly&trigger=scheduled").json["items"]
    assert [run["error"] for run in failed] == ["it died"]
    since = failed[0]["started_at"].replace("+00:00", "Z")
    assert len(reading.get(f"/api/v1/executions?since={since}").json["items"]) == 3
    assert len(reading.get(f"/api/v1/executions?until={since}").json["items"]) == 1


def test_one_execution_and_its_log(reading: Served) -> None:
    folder = reading.settings.runs_dir / "00000001"
    told = reading.get("/api/v1/executions/1").json
    assert told["run"]["state"]["best_win_rate"] == MEASURED.best_win_rate
    assert told["occurrence"]["state"] == "succeeded"
    assert [run["id"] for run in told["attempts"]] == [1]
    assert reading.get("/api/v1/executions/1/log").body == b""
    row_folder = Path(told["run"]["folder"])
    assert row_folder.name == folder.name


def test_a_log_outside_the_state_folder_is_nobodys(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "worker.log").write_text("a secret\n")
    (home / "runs" / "00000002").mkdir(parents=True)
    (home / "runs" / "00000002" / "worker.log").symlink_to(secret / "worker.log")
    (home / "runs" / "00000003").mkdir()
    (home / "runs" / "00000003" / "worker.log").write_text("one\ntwo \x1b[31m\nthree\n")
    with closing(sqlite3.connect(home / "automation_tracking.db")) as plain, plain:
        plain.execute("UPDATE execution_rows SET run_dir = ? WHERE id = 1", (str(secret),))
        for number in (2, 3):
            plain.execute(
                "UPDATE execution_rows SET run_dir = ? WHERE id = ?", (str(home / f"runs/{number:08d}"), number)
            )
    plain.close()
    with served(home) as site:
        assert site.get("/api/v1/executions/1/log").body == b""
        assert site.get("/api/v1/executions/2/log").body == b""
        assert site.get("/api/v1/executions/3/log?lines=2").body == b"two \\x1b[31m\nthree\n"


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/v1/executions/77", 404, "77"),
        ("/api/v1/schedules/none", 404, "none"),
        ("/api/v1/why/none", 404, "none"),
        ("/api/v1/nothing", 404, ""),
        ("/api/v1/executions?cursor=%00", 400, "cursor"),
        ("/api/v1/executions?limit=0", 400, "limit"),
        ("/api/v1/executions?since=yesterday", 400, "since"),
        ("/api/v1/explain?cron=61+*+*+*+*", 422, "61"),
        ("/api/v1/explain?cron=0+0+30+2+*", 422, "never fires"),
        ("/api/v1/explain?cron=0+0+*+*+*&timezone=Mars/Olympus", 422, "Mars"),
    ],
)
def test_errors_are_problems_in_words(reading: Served, path: str, status: int, word: str) -> None:
    told = reading.get(path, accept="text/html")
    assert told.status == status
    assert told.headers["content-type"] == "application/problem+json"
    assert set(told.json) == {"type", "title", "status", "detail"}
    assert word in told.json["detail"]


def test_what_somebody_wrote_into_rows_by_hand_costs_no_page(home: Path) -> None:
    with closing(sqlite3.connect(home / "automation_tracking.db")) as plain, plain:
        plain.execute("UPDATE execution_rows SET started_at = datetime(started_at) WHERE id = 1")
        plain.execute("UPDATE execution_rows SET scheduled_for = 'soon', worker_reason = CAST(x'66fc72' AS TEXT)")
        plain.execute("UPDATE occurrence_rows SET start_deadline = 'late', created_at = 'soon'")
        plain.execute("UPDATE schedules SET next_run = 'soon', last_run = datetime()")
        plain.execute("UPDATE daemon SET status = 'runnig', heartbeat_at = datetime()")
        plain.execute("UPDATE commands SET requested_at = ''")
        plain.execute("UPDATE outbox SET created_at = 'soon'")
        (name,) = plain.execute("SELECT name FROM schedules").fetchone()
    pages = ["/", "/history", "/history/1", "/schedules", f"/schedules/{name}", "/metrics"]
    asked = ["status", "executions", "executions/1", "queue", "next", f"why/{name}", "mail", "commands"]
    with served(home) as site:
        answers = {path: site.get(path).status for path in [*pages, *(f"/api/v1/{path}" for path in asked)]}
    assert answers == dict.fromkeys(answers, 200)


def test_without_a_database_every_question_is_answered(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        told = site.get("/api/v1/status")
        assert told.status == 503
        assert "ouroboros init" in told.json["detail"]
        assert site.get("/healthz").status == 200
        assert b"ouroboros_database_readable 0.0" in site.get("/metrics").body


def test_definitions_change_without_a_daemon_and_are_audited(home: Path) -> None:
    with served(home) as site:
        saved = site.ask("PUT", "/api/v1/schedules/extra", NEW)
        assert (saved.status, saved.json["ok"]) == (200, True)
        assert saved.json["answer"].startswith("saved extra; it fires next at ")
        assert site.get("/api/v1/schedules/extra").json["definition"]["timezone"] == "Europe/Berlin"
        refused = site.ask("PUT", "/api/v1/schedules/extra", NEW | {"cron_expression": "0 0 30 2 *"})
        assert refused.status == 422
        assert site.ask("POST", "/api/v1/schedules/none/pause").status == 404
        told = site.get(f"/api/v1/commands/{saved.json['id']}").json
        assert (told["verb"], told["requested_by"]) == ("save_schedule", "dashboard from 127.0.0.1")
        assert site.ask("POST", "/api/v1/stop").status == 409, "no daemon lives"
        late = site.ask("POST", "/api/v1/pause", {"note": "a move"})
        assert (late.status, late.json["ok"]) == (202, None), "it waits for the daemon"
        assert late.headers["location"] == f"/api/v1/commands/{late.json['id']}"
    with closing(sqlite3.connect(home / "automation_tracking.db")) as plain:
        found = plain.execute(
            "SELECT requested_by, handled_at IS NOT NULL, ok, answer FROM commands ORDER BY id"
        ).fetchall()
    assert [line[:3] for line in found] == [("dashboard from 127.0.0.1", 1, 1), ("dashboard from 127.0.0.1", 0, None)]


def test_a_daemon_answers_every_verb(home: Path) -> None:
    trigger = {"name": "often", "trigger_type": "data_driven", "condition_function": "check_new_data_threshold"}
    with served(home) as site, daemon_of(site.settings) as service:
        wait_for(lambda: site.get("/readyz").status == 200)
        done = [
            site.ask("PUT", "/api/v1/schedules/extra", NEW),
            site.ask("POST", "/api/v1/schedules/extra/pause", {"note": "a move"}),
            site.ask("POST", "/api/v1/schedules/extra/unpause"),
            site.ask("POST", "/api/v1/schedules/extra/disable"),
            site.ask("POST", "/api/v1/schedules/extra/enable"),
            site.ask("POST", "/api/v1/schedules/extra/run", {"note": "now"}),
            site.ask("POST", "/api/v1/schedules/extra/cancel"),
            site.ask("PUT", "/api/v1/triggers/often", trigger),
            site.ask("POST", "/api/v1/triggers/often/pause"),
            site.ask("POST", "/api/v1/triggers/often/unpause"),
            site.ask("POST", "/api/v1/triggers/often/disable"),
            site.ask("POST", "/api/v1/triggers/often/enable"),
            site.ask("DELETE", "/api/v1/triggers/often"),
            site.ask("DELETE", "/api/v1/schedules/extra"),
            site.ask("POST", "/api/v1/mail/retry"),
            site.ask("POST", "/api/v1/pause", {"note": "lunch"}),
        ]
        assert [(answer.status, answer.json.get("answer")) for answer in done if answer.status != 200] == []
        assert site.get("/api/v1/status").json["paused"] is True
        assert site.ask("POST", "/api/v1/resume").json["answer"] == "resumed"
        unknown = site.ask("POST", "/api/v1/executions/999/cancel")
        assert (unknown.status, unknown.json["detail"]) == (404, "no execution 999")
        bad = trigger | {"parameters": {"min_gmaes": 1}}
        assert site.ask("PUT", "/api/v1/triggers/often", bad).status == 422
        asked = walk(site, "/api/v1/commands?limit=5")
        assert len(asked) == 17
        assert all(each["handled_at"] for each in asked)
        assert not service.daemon.stopping
        assert site.ask("POST", "/api/v1/stop").status == 200
        wait_for(lambda: service.daemon.stopping)


def test_the_same_key_is_the_same_wish_also_after_a_restart(home: Path) -> None:
    key = {"Idempotency-Key": "deploy 17"}
    with served(home) as site:
        first = site.ask("POST", "/api/v1/schedules/nightly/run", {"note": "x"}, key)
        again = site.ask("POST", "/api/v1/schedules/nightly/run", {"note": "x"}, key)
        assert first.json["id"] == again.json["id"]
        other = site.ask("POST", "/api/v1/schedules/nightly/run", {"note": "y"}, key)
        assert other.status == 422
    with served(home) as site:
        assert site.ask("POST", "/api/v1/schedules/nightly/run", {"note": "x"}, key).json["id"] == first.json["id"]
        with daemon_of(site.settings):
            wait_for(lambda: site.get(f"/api/v1/commands/{first.json['id']}").json["ok"])
            done = site.ask("POST", "/api/v1/schedules/nightly/run", {"note": "x"}, key)
            assert (done.status, done.json["ok"]) == (200, True)
        fresh = site.ask("POST", "/api/v1/schedules/nightly/run", {"note": "x"}, {"Idempotency-Key": "deploy 18"})
        assert fresh.json["id"] != first.json["id"]
    assert row(home, "SELECT count(*) FROM commands WHERE verb = 'trigger'") == (2,)


def test_tokens_are_let_in_by_scope_until_they_are_revoked(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(home))

    def told(*words: str) -> str:
        assert cli.run(["dashboard", "token", *words]) == 0
        return capsys.readouterr().out

    reads, steers = told("add", "graphs").strip(), told("add", "phone", "--scope", "steer").strip()
    assert "graphs" in told("list")
    assert cli.run(["dashboard", "token", "add", "phone"]) == 2
    with served(home) as site:
        bearer = {"authorization": f"Bearer {reads}"}
        assert site.get("/api/v1/status", **bearer).status == 200
        assert site.ask("POST", "/api/v1/pause", headers=bearer).status == 403
        asked = site.ask("POST", "/api/v1/pause", headers={"authorization": f"Bearer {steers}"})
        assert asked.json["requested_by"] == "token phone from 127.0.0.1"
        told("revoke", "phone")
        assert site.ask("POST", "/api/v1/pause", headers={"authorization": f"Bearer {steers}"}).status == 401
        assert site.get("/api/v1/status", authorization=f"Bearer {steers}").status == 401
    with closing(sqlite3.connect(home / "automation_tracking.db")) as plain:
        dump = "\n".join(plain.iterdump())
    assert reads not in dump
    assert steers not in dump


def test_the_listings_tell_what_the_commands_tell(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    assert cli.run(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    with served(home) as site:
        told = site.get("/api/v1/status").json
    shared = told["statistics"].keys() & status["statistics"].keys()
    assert len(shared) == 4
    assert {name: told["statistics"][name] for name in shared} == {name: status["statistics"][name] for name in shared}
    assert [run["id"] for run in told["recent"]] == [run["id"] for run in status["recent_executions"]]
    assert [run["state"] for run in told["recent"]] == [run["pipeline_state"] for run in status["recent_executions"]]
    assert (told["running"], told["paused"]) == (status["running"], status["paused"])


def test_a_browser_names_its_token_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUROBOROS_HOME", str(home))
    assert cli.run(["dashboard", "token", "add", "phone"]) == 0
    token = capsys.readouterr().out.strip()
    kind = {"content-type": "application/x-www-form-urlencoded"}
    with served(home, token_always=True) as site:
        sent_on = site.get("/", accept="text/html")
        assert (sent_on.status, sent_on.headers["location"]) == (303, "/login")
        assert b'name="token"' in site.get("/login", accept="text/html").body
        assert site.ask("POST", "/login", b"token=guess", kind).status == 403
        evil = site.ask("POST", "/login", f"token={token}".encode(), kind | {"origin": "http://evil.example"})
        assert evil.status == 403
        let_in = site.ask("POST", "/login", f"token={token}".encode(), kind)
        assert (let_in.status, let_in.headers["location"]) == (303, "/")
        cookie = let_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert site.get("/api/v1/status", cookie=cookie.partition(";")[0]).status == 200
        assert site.get("/api/v1/status").status == 401


def test_no_secret_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUROBOROS_SMTP_PASSWORD", "pass-word-1")
    notifications = {"heartbeat_url": "https://hc.example/secret-uuid"}
    with served(home, notifications=notifications) as site:
        told = site.get("/api/v1/settings")
        assert told.json["notifications"]["heartbeat_url"] == "(set)"
        bodies = told.body + site.get("/api/v1/status").body + site.get("/metrics").body + site.get("/").body
    for secret in (b"secret-uuid", b"pass-word-1", b"thirty-two bytes"):
        assert secret not in bodies
