"""Open pages are told of each change, by whomever; and no more of them than can be served."""

import sqlite3
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from served_site import DEADLINE_S, Served, daemon_of, served

from runner.web.events import MOST_LISTENERS


def listen(site: Served) -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=DEADLINE_S)
    connection.request("GET", "/events")
    return connection, connection.getresponse()


def next_change(stream: HTTPResponse) -> str:
    """The data of the next `changed` event."""
    seen = False
    while line := stream.readline().decode().rstrip():
        seen = seen or line == "event: changed"
        if seen and line.startswith("data: "):
            return line
    return next_change(stream)


def test_a_commit_of_anybody_and_the_daemons_life_are_changes(home: Path) -> None:
    with served(home) as site:
        connection, stream = listen(site)
        first = next_change(stream)
        with closing(sqlite3.connect(home / "automation_tracking.db")) as plain, plain:
            plain.execute("UPDATE totals SET settled = settled + 1")
        plain.close()
        second = next_change(stream)
        assert second != first
        with daemon_of(site.settings):
            while not site.get("/api/v1/status").json["running"]:
                next_change(stream)
        while site.get("/api/v1/status").json["running"]:
            next_change(stream)
        connection.close()


def test_listeners_have_a_limit(home: Path) -> None:
    with served(home) as site:
        open_ones = [listen(site) for _ in range(MOST_LISTENERS)]
        for _, stream in open_ones:
            next_change(stream)
        connection, refused = listen(site)
        assert refused.status == 503
        connection.close()
        for each, _ in open_ones:
            each.close()
