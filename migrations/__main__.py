"""`python -m migrations URL`: create a database or bring it to this version, as a process of its own.

URL is SQLAlchemy's; `-` reads it from standard input, where no list of processes shows a password in it. The last
line on standard output is a `schemas.database.UpgradeReport`, the lines before it, while much is moved, are
`UpgradeProgress`; errors are told on standard error too.
"""

import argparse
import sys
from datetime import UTC, datetime

from migrations.upgrade import drift, upgrade
from runner.store.engine import Store
from schemas.database import PassedError, UpgradeProgress, UpgradeReport
from schemas.errors import OuroborosError, SettingsError
from schemas.service import StorageSettings
from schemas.times import from_text


def main(arguments: list[str]) -> int:
    """Do it, say what was done, and return the exit code: 0, or that of the error."""
    wanted = _parser().parse_args(arguments)
    url = sys.stdin.readline().rstrip("\n") if wanted.url == "-" else wanted.url
    try:
        report = _work(url, wanted)
    except OuroborosError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.stdout.write(UpgradeReport(failure=PassedError.of(error)).model_dump_json() + "\n")
        return error.exit_code
    sys.stdout.write(report.model_dump_json() + "\n")
    return 0


def _work(url: str, wanted: argparse.Namespace) -> UpgradeReport:
    store = Store(url, wanted.busy_timeout_s)
    try:
        if wanted.drift:
            with store.look() as connection:
                return UpgradeReport(drift=drift(connection))
        return upgrade(store, wanted.keep_backups, _instant(wanted.now), _tell)
    finally:
        store.close()


def _tell(told: UpgradeProgress) -> None:
    sys.stdout.write(told.model_dump_json() + "\n")
    sys.stdout.flush()


def _instant(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        return from_text(text)
    except ValueError as error:
        raise SettingsError(str(error), where="--now") from error


def _parser() -> argparse.ArgumentParser:
    storage = StorageSettings()
    parser = argparse.ArgumentParser("python -m migrations", description="Bring a database to this version.")
    parser.add_argument("url", help="SQLAlchemy URL; `-`: read it from standard input")
    parser.add_argument("--keep-backups", type=int, default=storage.keep_backups, help="copies kept beside the file")
    parser.add_argument("--busy-timeout-s", type=float, default=storage.busy_timeout_s, help="wait for other writers")
    parser.add_argument("--now", default="", help="instant that a backup is named by; empty: the clock's")
    parser.add_argument("--drift", action="store_true", help="change nothing; tell how the tables differ from the code")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
