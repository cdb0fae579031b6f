"""A stand-in Arena, a home whose database exists, and a client that counts its pauses instead of waiting."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from arena_stand_in import TOKEN, StandIn, World
from sqlalchemy.engine import Connection as Rows

from pipeline.ladder.client import ArenaClient
from pipeline.ladder.connection import AnswerCache, ArenaConnection
from pipeline.ladder.source import database_of
from pipeline.ladder.sync import Sync
from pipeline.ladder.tables import games
from pipeline.registry.database import RegistryDatabase
from schemas.ladder import ArenaSettings, SyncReport
from schemas.service import StorageSettings
from schemas.settings import Settings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Clock:
    """Time that passes only in pauses, and a little with each look."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def monotonic_s(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        self.seconds += 0.001
        return NOW + timedelta(seconds=self.seconds)


class Bench:
    """A home of its own against one stand-in."""

    def __init__(self, home: Path, server: StandIn, settings: Settings, database: RegistryDatabase) -> None:
        self.home, self.server, self.world, self.settings, self.database = (
            home,
            server,
            server.world,
            settings,
            database,
        )
        self.clock = Clock()

    def client(self, token: str = TOKEN, call_limit_s: float = 30, until_s: float = 1000) -> ArenaClient:
        connection = ArenaConnection(
            self.server.url, token, call_limit_s, 1e6, pause=self.clock.pause, monotonic_s=self.clock.monotonic_s
        )
        return ArenaClient(connection, self.clock.seconds + until_s, AnswerCache(self.home / "a.json", "us"))

    def sync(self, client: ArenaClient | None = None, arena: ArenaSettings | None = None) -> SyncReport:
        made = Sync(
            client or self.client(),
            self.database,
            arena or self.settings.arena,
            self.settings.games_dir,
            self.clock.now,
        )
        return made.run()

    def rows(self, ask: Callable[[Rows], object]) -> object:
        with self.database.read() as connection:
            return ask(connection)

    def states(self) -> dict[str, int]:
        """How many games stand how."""
        with self.database.read() as connection:
            found = [row.state for row in connection.execute(games.select())]
        return {state: found.count(state) for state in set(found)}

    def lines(self) -> list[bytes]:
        """All lines of the games folder."""
        files = sorted(self.settings.games_dir.glob("*.jsonl"))
        return [line for file in files for line in file.read_bytes().splitlines()]


@pytest.fixture
def history_storage() -> StorageSettings:
    """Where the history lies; a file that overrides this tries another database."""
    return StorageSettings()


@pytest.fixture
def bench(tmp_path: Path, empty_database: Path, history_storage: StorageSettings) -> Iterator[Bench]:
    (tmp_path / "automation_tracking.db").write_bytes(empty_database.read_bytes())
    with StandIn(World()) as server:
        settings = Settings(
            home=tmp_path, storage=history_storage, arena=ArenaSettings(base_url=server.url, requests_per_s=1000)
        )
        settings.games_dir.mkdir(parents=True)
        yield Bench(tmp_path, server, settings, database_of(settings, create=False))
