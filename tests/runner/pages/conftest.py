"""A lived-in state folder, served once for all; and one Chromium."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from left_out import leave_out, needed_program
from lived_in import live_in
from playwright.sync_api import Browser, Error, sync_playwright
from served_site import Served, served

from runner.web.read import game_index, tuning


@pytest.fixture(scope="module", autouse=True)
def whole_looks() -> Iterator[None]:
    """A view reads on in the games' files and in the ledger for a moment only and shows what it has: on a busy machine
    that was a part of them, and in the order in which the moments ended. Here the first view reads all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(game_index, "LOOK_S", 60.0)
        patch.setattr(tuning, "LOOK_S", 60.0)
        yield


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; tests that change something take a copy."""
    home = tmp_path_factory.mktemp("lived-in") / "automation"
    live_in(home, datetime.now(UTC))
    return home


@pytest.fixture(scope="session")
def site(lived_in: Path) -> Iterator[Served]:
    """For tests that change nothing."""
    with served(lived_in) as found:
        yield found


@pytest.fixture
def own_home(lived_in: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "automation"
    shutil.copytree(lived_in, folder)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's; Playwright's own browsers are not fetched.

    One for each file, not for the session: while Playwright lives, no test of this process can run a loop of its own.
    """
    path = shutil.which("chromium") or shutil.which("google-chrome") or needed_program("chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            leave_out(f"Chromium does not start here: {str(error)[:300]}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: OUROBOROS_TEST_OUTPUT, which CI sets, else a temporary folder."""
    named = os.environ.get("OUROBOROS_TEST_OUTPUT")
    folder = Path(named) / "pages" if named else tmp_path_factory.mktemp("pages")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
