"""What every handler of the web process is given: settings, the databases, the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from runner import single_instance
from runner.web.read.database import Database
from runner.web.read.game_index import GameIndex
from runner.web.read.machine import Machine
from runner.web.read.tuning import Digests
from schemas.database import sqlite_file
from schemas.errors import SettingsError
from schemas.settings import Settings

LEDGER = "ledger.db"


def opened_dir(home: Path) -> Path:
    """Where games of training that were opened lie, as lines of the game log."""
    return home.absolute() / "web" / "opened"


def _game_folders(settings: Settings) -> tuple[Path, ...]:
    return settings.games_dir, settings.replays_dir, opened_dir(settings.home)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """One state folder as the web process sees it."""

    settings: Settings
    history: Database
    """`automation_tracking.db`."""
    ledger: Database
    """The tuner's: games, tests, decisions."""
    tournaments: Database
    digests: Digests
    """What is known of the ledger's runs."""
    games: GameIndex
    machine: Machine
    secret: bytes
    """Signs what a browser must bring back."""
    clock: Callable[[], datetime] = field(default=_utc_now)

    def daemon_lives(self) -> bool:
        """A process holds the database's lock right now."""
        return single_instance.daemon_is_running(self.settings.home, self.history.path)

    def close(self) -> None:
        """Let the databases go."""
        self.machine.close()
        self.games.close()
        for database in (self.history, self.ledger, self.tournaments):
            database.close()


def open_site(settings: Settings, secret: bytes) -> Site:
    """The site of these settings; nothing need be there yet.

    Raises:
        SettingsError: the history is no SQLite file.
    """
    file = sqlite_file(settings.database_url)
    if file is None:
        raise SettingsError(
            "the dashboard reads SQLite files only",
            where="storage.database_url",
            remedy="Start with `ouroboros up --no-web`; status, history and why read any database.",
        )
    ledger = Database(settings.tuner_dir.absolute() / LEDGER, revision="")
    return Site(
        settings=settings,
        history=Database(file),
        ledger=ledger,
        digests=Digests(ledger),
        games=GameIndex(_game_folders(settings), settings.home.absolute()),
        machine=Machine(settings),
        tournaments=Database(settings.home.absolute() / "tournaments" / "tournaments.db", revision=""),
        secret=secret,
    )
