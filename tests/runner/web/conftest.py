"""A state folder with something in it, served over HTTP."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from served_site import Served, fill, served


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; each test that changes something gets a copy."""
    home = tmp_path_factory.mktemp("filled")
    fill(home, datetime.now(UTC))
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    shutil.copytree(filled, folder)
    return folder


@pytest.fixture(scope="module")
def reading(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Served for tests that change nothing."""
    folder = tmp_path_factory.mktemp("reading") / "home"
    shutil.copytree(filled, folder)
    with served(folder) as site:
        yield site
