"""Requests as programs on the net send them: each is answered, none is a fault of ours."""

import pytest
from served_site import Served


@pytest.mark.parametrize("name", ["%00", "a" * 300, "a/" * 300, "%2e%2e/server.py", "..%2fserver.py", "%ff"])
def test_a_name_that_can_be_no_file_is_not_found(reading: Served, name: str) -> None:
    assert reading.get(f"/static/{name}").status == 404


@pytest.mark.parametrize("path", ["/healthz", "/", "/api/v1/status", "/static/base.css", "/games/none"])
def test_whoever_asks_for_the_head_gets_that_of_the_whole(reading: Served, path: str) -> None:
    whole, head = reading.get(path), reading.ask("HEAD", path)
    assert (head.status, head.body) == (whole.status, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


@pytest.mark.parametrize("path", ["/events", "/games/live"])
def test_a_stream_has_no_head(reading: Served, path: str) -> None:
    assert reading.ask("HEAD", path).status == 405
