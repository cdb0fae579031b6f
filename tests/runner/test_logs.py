"""The daemon's log where it cannot be written."""

import logging
import shutil
from datetime import UTC, datetime

import pytest

from runner.logs import start_logging, stop_logging
from schemas.service import LoggingSettings


@pytest.fixture
def log(tmp_path):
    """A log in a folder of its own, and a logger that writes to it."""
    yield (
        start_logging(tmp_path / "logs", LoggingSettings(), datetime(2026, 3, 1, tzinfo=UTC)),
        logging.getLogger("ouroboros.test"),
    )
    stop_logging()


def test_a_log_that_cannot_be_written_costs_one_line_and_goes_on_afterwards(log, capsys):
    path, logger = log
    path.unlink()
    path.symlink_to("/dev/full")
    for _ in range(3):
        logger.error("lost")
    assert capsys.readouterr().err.splitlines() == [
        f"The log cannot be written for now: No space left on device ({path})."
    ]
    path.unlink()
    logger.error("kept")
    assert path.read_text().endswith("kept\n")


def test_a_log_that_was_renamed_is_opened_anew_by_its_name(log):
    path, logger = log
    logger.error("before")
    aside = path.rename(path.with_suffix(".1"))
    logger.error("after")
    assert (aside.read_text().split()[-1], path.read_text().split()[-1]) == ("before", "after")


def test_a_log_that_was_removed_with_its_folder_comes_back(log):
    path, logger = log
    logger.error("before")
    shutil.rmtree(path.parent)
    logger.error("after")
    logger.error("and more")
    assert [line.split(" ouroboros.test ")[1] for line in path.read_text().splitlines()] == ["after", "and more"]


def test_a_log_that_another_file_replaced_is_written_to_that_file(log):
    path, logger = log
    other = path.with_name("other")
    other.write_text("theirs\n")
    other.replace(path)
    logger.error("ours")
    lines = path.read_text().splitlines()
    assert (lines[0], lines[1].split()[-1]) == ("theirs", "ours")


def test_a_log_whose_folder_cannot_be_made_anew_costs_one_line_until_it_can(log, capsys):
    path, logger = log
    shutil.rmtree(path.parent)
    path.parent.write_text("a file in its place")
    for _ in range(3):
        logger.error("lost")
    assert len(capsys.readouterr().err.splitlines()) == 1
    path.parent.unlink()
    logger.error("kept")
    assert path.read_text().endswith("kept\n")
