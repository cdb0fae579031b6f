"""What every handler of the web process is given: settings, the databases, the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from runner import single_instance
from runner.web.read.database import Database
from runner.web.read.game_index import GameIndex
from runner.web.read.machine import Machine
from runner.web.read.rows import History
from runner.web.read.tuning import Digests
from schemas import postgresql
from schemas.database import sqlite_file
from schemas.errors import SettingsError
from schemas.settings import Settings

LEDGER = "ledger.db"


def opened_dir(home: Path) -> Path:
    """Where games of training, of the tuner and of tournaments that were opened lie, as lines of the game log."""
    return home.absolute() / "web" / "opened"


def _game_folders(settings: Settings) -> tuple[Path, ...]:
    return settings.games_dir, settings.replays_dir, opened_dir(settings.home)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """One state folder as the web process sees it."""

    settings: Settings
    history: History
    """`automation_tracking.db`, or the database on the server."""
    lives: Callable[[], bool]
    """See `daemon_lives`."""
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
        """A process holds the database's lock right now; of a server's, one that leads it, on whatever machine.

        Raises:
            StateError: the server cannot be asked.
        """
        return self.lives()

    def close(self) -> None:
        """Let the databases go."""
        self.machine.close()
        self.games.close()
        for database in (self.history, self.ledger, self.tournaments):
            database.close()


def open_site(settings: Settings, secret: bytes) -> Site:
    """The site of these settings; nothing need be there yet.

    Raises:
        SettingsError: the history's URL cannot be used, or its driver is not installed.
    """
    history, lives = _history(settings)
    ledger = Database(settings.tuner_dir.absolute() / LEDGER, revision="", maker="ouroboros tune")
    return Site(
        settings=settings,
        history=history,
        lives=lives,
        ledger=ledger,
        digests=Digests(ledger),
        games=GameIndex(_game_folders(settings), settings.home.absolute()),
        machine=Machine(settings),
        tournaments=Database(
            settings.home.absolute() / "tournaments" / "tournaments.db", revision="", maker="ouroboros tournament"
        ),
        secret=secret,
    )


def _history(settings: Settings) -> tuple[History, Callable[[], bool]]:
    """The history, and how it is found out whether a daemon serves it."""
    url = settings.database_url
    if postgresql.is_server(url):
        from runner.web.read.server_database import ServerDatabase

        server = ServerDatabase(url)
        return server, server.is_led
    file = sqlite_file(url)
    if file is None:
        raise SettingsError(
            "this is neither an SQLite file nor PostgreSQL",
            where="storage.database_url",
            remedy="Leave it out, or write postgresql+psycopg://USER@HOST/DATABASE.",
        )
    return Database(file), lambda: single_instance.daemon_is_running(settings.home, file)
