"""Two people at once, and a daemon that dies and comes back, with pages open all the while."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from served_site import Served, daemon_of, served, wait_for

pytestmark = pytest.mark.browser


def shows(page: Page, words: str) -> None:
    """Wait until the state line has these words, without a reload."""
    page.wait_for_function("words => document.getElementById('state').innerText.includes(words)", arg=words)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_two_browsers_steer_at_once_and_see_each_other_s_doing(chromium: Browser, own_home: Path) -> None:
    with served(own_home) as site, daemon_of(site.settings):
        wait_for(lambda: b"process" in site.get("/").body)
        first, second = (chromium.new_context(), chromium.new_context())
        one, other = first.new_page(), second.new_page()
        for page in (one, other):
            page.goto(f"http://127.0.0.1:{site.port}/")
        one.get_by_role("link", name="Pause", exact=True).click()
        one.get_by_label("Why").fill("<b>rest</b>")
        press(one, "Pause")
        assert "paused: runs under way go on" in one.locator("#asked").inner_text()
        shows(other, "paused: <b>rest</b>")
        other.get_by_role("link", name="Resume").click()
        press(other, "Resume")
        one.wait_for_function("() => !document.getElementById('state').innerText.includes('rest')")
        for page in (one, other):
            page.goto(f"http://127.0.0.1:{site.port}/steer?verb=pause_schedule&name=nightly")
        press(one, "Pause this schedule")
        press(other, "Pause this schedule")
        assert "nightly is paused" in one.locator("#asked").inner_text()
        other.wait_for_load_state()
        assert "nightly" in other.locator("#asked").inner_text()
        first.close()
        second.close()
    with closing(sqlite3.connect(own_home / "automation_tracking.db")) as database:
        rows = database.execute("SELECT verb, requested_by, ok FROM commands ORDER BY id DESC LIMIT 4").fetchall()
    assert [verb for verb, _, _ in rows] == ["pause_schedule", "pause_schedule", "resume", "pause"]
    assert all(by.startswith("dashboard from 127.0.0.1") and ok is not None for _, by, ok in rows)


@contextmanager
def daemon(site: Served) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon in a process of its own, as `ouroboros up` is."""
    site.settings.save_to_file(site.settings.home / "settings.json")
    child = subprocess.Popen(
        [Path(sys.executable).with_name("ouroboros"), "up", "--no-web", "--no-first-run"],
        env=os.environ | {"OUROBOROS_HOME": str(site.settings.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait(60)


def test_a_page_outlives_the_daemon_and_the_web_process(chromium: Browser, own_home: Path) -> None:
    with served(own_home) as site:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{site.port}/")
        shows(page, "No daemon is running")
        with daemon(site) as child:
            shows(page, f"process {child.pid}")
            child.send_signal(signal.SIGKILL)
            child.wait(60)
            shows(page, "No daemon is running")
        with daemon(site) as child:
            shows(page, f"process {child.pid}")
        port = site.port
    page.wait_for_function("() => document.getElementById('link').className === 'lost'")
    with served(own_home, port=port):
        page.wait_for_function("() => document.getElementById('link').innerText === 'live'")
        shows(page, "No daemon is running")
    context.close()


def test_every_button_asks_back_and_needs_the_page_s_own_token(own_home: Path) -> None:
    with served(own_home) as site:
        page = site.get("/steer?verb=stop", accept="text/html").body.decode()
        assert "Runs under way are asked to save" in page
        form = {"content-type": "application/x-www-form-urlencoded", "origin": f"http://127.0.0.1:{site.port}"}
        assert site.ask("POST", "/steer", b"verb=pause", form).status == 403
        (token,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', page))
        answered = site.ask(
            "POST", "/steer", f"csrf_token={token}&verb=pause&note=x".encode(),
            form | {"cookie": f"ouroboros_csrf={token}"},
        )  # fmt: skip
        assert answered.status == 303
        shown = site.get(answered.headers["location"], accept="text/html").body.decode()
        assert "it waits until a daemon runs" in shown
        for bad in ("verb=fly", "verb=cancel&run=seven", "verb=cancel", "verb=trigger&name="):
            body = f"csrf_token={token}&{bad}".encode()
            assert site.ask("POST", "/steer", body, form | {"cookie": f"ouroboros_csrf={token}"}).status in {
                303, 400, 409, 422
            }, bad  # fmt: skip
