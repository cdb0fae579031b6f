"""The daemon's log where it cannot be written."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from runner.logs import start_logging, stop_logging
from schemas.service import LoggingSettings


def test_a_log_that_cannot_be_written_costs_one_line_and_goes_on_afterwards(tmp_path, capsys):
    path = start_logging(tmp_path, LoggingSettings(), datetime(2026, 3, 1, tzinfo=UTC))
    logger = logging.getLogger("ouroboros.test")
    try:
        (handler,) = (item for item in logging.getLogger("ouroboros").handlers if hasattr(item, "baseFilename"))
        whole, handler.stream = handler.stream, Path("/dev/full").open("w")  # noqa: SIM115
        for _ in range(3):
            logger.error("lost")
        assert capsys.readouterr().err.splitlines() == [
            f"The log cannot be written for now: No space left on device ({path})."
        ]
        broken, handler.stream = handler.stream, whole
        logger.error("kept")
        assert path.read_text().endswith("kept\n")
    finally:
        stop_logging()
        _close_quietly(broken)


def _close_quietly(stream) -> None:
    try:
        stream.close()
    except OSError:
        return
