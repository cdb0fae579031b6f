"""The daemon's own log files: `logs/runner_YYYYMMDD_HHMMSS.log`, rotated and compressed by size, old ones removed."""

import gzip
import logging
import os
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from schemas.errors import StateError
from schemas.outside_text import TRACE_LIMIT, passage
from schemas.service import LogFormat, LoggingSettings

LOGGER_NAME = "ouroboros"
TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
BACKUPS_PER_FILE = 5


class _SafeFormatter(logging.Formatter):
    """What a record quotes from outside steers no terminal that shows the log, and is not endless."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        return passage(super().format(record), TRACE_LIMIT)


class _LogFile(RotatingFileHandler):
    """A log that cannot be written (a full disk) costs one line on standard error, not a traceback for each record.

    A file that somebody renamed or removed (logrotate, a clean-up) is opened anew by its name at the next record.
    """

    _failing = False
    _was_failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write; after a failure the first record that goes in again ends it."""
        failing, self._failing = self._failing, False
        self._was_failing = failing
        try:
            self._follow_the_name()
        except OSError:
            self.handleError(record)
            return
        super().emit(record)

    def _follow_the_name(self) -> None:
        """Open the file anew where its name no longer leads to what is open.

        Raises:
            OSError: it cannot be opened; tried again at the next record.
        """
        if self.stream is not None:
            ours = os.fstat(self.stream.fileno())
            try:
                named = os.stat(self.baseFilename)  # noqa: PTH116 - a string, for each record
            except FileNotFoundError:
                named = None
            if named is not None and (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
                return
            stale, self.stream = self.stream, None
            with suppress(OSError):  # what it still holds found no room when it was written, and was told of then
                stale.close()
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `emit` while the error is handled."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._failing = True
        if not self._was_failing:
            sys.stderr.write(f"The log cannot be written for now: {error.strerror} ({self.baseFilename}).\n")


def start_logging(logs_dir: Path, settings: LoggingSettings, now: datetime) -> Path:
    """Send the daemon's log to a new file in `logs_dir` and return it; call the returned file's handlers' `close` via
    `stop_logging`.

    Raises:
        StateError: the folder or the file cannot be written.
    """
    path = logs_dir / f"runner_{now:%Y%m%d_%H%M%S}.log"
    try:
        logs_dir.mkdir(parents=True, exist_ok=True)
        _remove_oldest(logs_dir, keep=settings.keep_files - 1)
        handler = _LogFile(path, maxBytes=int(settings.max_mb * 1e6), backupCount=BACKUPS_PER_FILE, encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"cannot write the log: {error.strerror}", where=str(path), remedy="Check the folder's owner and the disk."
        ) from error
    handler.rotator, handler.namer = _compress, _compressed_name
    handler.setFormatter(_formatter(settings.format))
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(settings.level)
    logger.addHandler(handler)
    return path


def stop_logging() -> None:
    """Close the files that `start_logging` opened."""
    logger = logging.getLogger(LOGGER_NAME)
    for handler in list(logger.handlers):
        if isinstance(handler, RotatingFileHandler):
            logger.removeHandler(handler)
            handler.close()


def _formatter(wanted: LogFormat) -> logging.Formatter:
    text = TEXT_FORMAT
    if wanted is LogFormat.JSON:
        from pythonjsonlogger.json import JsonFormatter

        formatter: logging.Formatter = JsonFormatter(text)
    else:
        formatter = _SafeFormatter(text)
    # Aware UTC in the files, whatever zone the machine is set to.
    formatter.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, UTC).timetuple()
    formatter.default_msec_format = "%s.%03dZ"
    return formatter


def _compressed_name(name: str) -> str:
    return f"{name}.gz"


def _compress(source: str, target: str) -> None:
    with Path(source).open("rb") as plain, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(plain, packed)
    Path(source).unlink()


def _remove_oldest(logs_dir: Path, keep: int) -> None:
    starts = sorted(logs_dir.glob("runner_*.log"))
    for path in starts[: max(0, len(starts) - keep)]:
        for belonging in logs_dir.glob(f"{path.name}*"):
            belonging.unlink(missing_ok=True)
