"""The database's revision, and what the child process that upgrades it says.

Upgrades are the work of a child process, `python -m migrations`, so that nobody else loads what they need; its last
line on standard output is an `UpgradeReport`.
"""

from glob import escape
from pathlib import Path
from urllib.parse import unquote

from pydantic import Field

from schemas import errors
from schemas.base import Frozen
from schemas.errors import OuroborosError, StateError

HEAD = "0006"
"""The newest revision in `migrations/versions`; a test compares."""
SECONDS_PER_ROW = 45e-6
"""Processor time, measured over 200,000 rows: 44 microseconds. The disk's own time comes on top."""


_SQLITE = "sqlite:///"
DATABASE_NAME = "automation_tracking.db"
"""Of the history in the state folder."""
BACKUP_NAME = "{stem}-{time}{suffix}"
"""Of a nightly copy, in the folder `backups_of` the database; `time` sorts."""
_UPGRADE_MARK = ".backup-"
REPLACED_MARK = ".replaced-"
"""In the name of a database that a restore has set aside."""
REPLACED_SCHEMA = "replaced_"
"""How the name of a schema begins that holds the tables which a restore has set aside on a server."""
_TIME_LENGTH = len("20260131T023000")


def sqlite_url(file: Path) -> str:
    """The SQLAlchemy URL of an SQLite file, whatever its path holds: there `?` begins options, `%` a number."""
    return _SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def sqlite_file(url: str) -> Path | None:
    """The absolute path of the file that a URL names, as SQLAlchemy reads it; None: it names none."""
    return Path(unquote(url.removeprefix(_SQLITE))).absolute() if url.startswith(_SQLITE) else None


def backups_of(database: Path) -> Path:
    """The folder of a database's nightly copies."""
    return database.with_name("backups")


def nightly_backups(database: Path) -> list[Path]:
    """The nightly copies, newest first."""
    found = backups_of(database).glob(f"{escape(database.stem)}-*")
    return sorted((each for each in found if each.suffix in {".db", ".dump"}), key=_time_in_name, reverse=True)


def all_backups(database: Path) -> list[Path]:
    """The nightly copies and those that upgrades made beside the database, newest first."""
    upgrades = database.parent.glob(f"{escape(database.name)}{_UPGRADE_MARK}*")
    return sorted([*nightly_backups(database), *upgrades], key=_time_in_name, reverse=True)


def way_back(database: Path) -> str:
    """What to do about a damaged database: names only files that are there."""
    backups = all_backups(database)
    if not backups:
        return (
            "No backup of it is here. `ouroboros db export FOLDER` saves what can still be read; once the file is moved"
            " aside, `ouroboros up` begins a new one."
        )
    return f"`ouroboros db restore` puts the newest sound backup in its place ({backups[0]}) and keeps this file."


def undo_unfinished(database: Path) -> None:
    """Take back what an upgrade or a restore began that was killed before its last rename: the second name that it gave
    the database, and its log. Call it under the database's lock."""
    if not database.exists() or database.stat().st_nlink == 1:
        return
    for mark in (_UPGRADE_MARK, REPLACED_MARK):
        for aside in database.parent.glob(f"{escape(database.name)}{mark}*"):
            if aside.name.endswith(("-wal", "-journal")) or not aside.samefile(database):
                continue
            for log in ("-wal", "-journal"):
                moved, home = aside.with_name(aside.name + log), database.with_name(database.name + log)
                if moved.exists() and not home.exists():
                    moved.rename(home)
            aside.unlink()


def _time_in_name(backup: Path) -> str:
    return backup.name.removesuffix(".db").removesuffix(".dump").rpartition("-")[2][:_TIME_LENGTH]


class PassedError(Frozen):
    """An error of ours on its way between two processes."""

    kind: str
    what: str
    where: str
    remedy: str

    @staticmethod
    def of(error: OuroborosError) -> "PassedError":
        """The error in words."""
        return PassedError(kind=type(error).__name__, what=error.what, where=error.where, remedy=error.remedy)

    def error(self) -> OuroborosError:
        """The same error again; of a kind that is unknown here, a `StateError`."""
        kind = getattr(errors, self.kind, StateError)
        assert issubclass(kind, OuroborosError)
        return kind(self.what, where=self.where, remedy=self.remedy)


class UpgradeProgress(Frozen):
    """How far a long upgrade is: a line of its own on standard output, before the report."""

    done: int
    """Rows of the history moved so far, those of earlier tries too."""
    total: int
    need_bytes: int
    """Free disk that it takes at most."""

    def sentence(self) -> str:
        """What is going to happen, before the first row is moved: the time is that of an idle machine."""
        seconds = max(1, round((self.total - self.done) * SECONDS_PER_ROW))
        return (
            f"Upgrading the database: {self.total - self.done:,} rows of history are moved into a smaller file, which"
            f" takes about {seconds} s where nothing else runs and up to {self.need_bytes / 1e6:,.0f} MB of free disk;"
            " stopped in the middle, it goes on from there at the next start."
        )


class UpgradeReport(Frozen):
    """What `python -m migrations` found and did."""

    before: str | None = None
    """The revision found; None: the database was empty or absent."""
    after: str = ""
    backup: Path | None = None
    """The copy made before."""
    drift: list[str] = Field(default_factory=list)
    """With `--drift`: how the tables differ from the code's."""
    failure: PassedError | None = None
    """Nothing was changed, for this reason."""


def upgrade_progress(line: str) -> UpgradeProgress | None:
    """What a line of the child's output tells; None: something else."""
    try:
        return UpgradeProgress.model_validate_json(line)
    except ValueError:
        return None


def upgrade_report(stdout: str, stderr: str, exit_code: int, where: str) -> UpgradeReport:
    """Read what the child said on its way out.

    Raises:
        OuroborosError: the one that it failed with, of the same class.
        StateError: it ended without a report.
    """
    lines = stdout.strip().splitlines()
    try:
        report = UpgradeReport.model_validate_json(lines[-1] if lines else "")
    except ValueError:
        last = stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise StateError(
            f"the upgrade of the database ended with code {exit_code}: {last[0]}",
            where=where,
            remedy="Nothing was changed. Try again; `python -m migrations URL` shows more.",
        ) from None
    if report.failure is not None:
        raise report.failure.error()
    return report
