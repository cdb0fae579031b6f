"""Bringing what is new at the Arena here: ratings, lists of games, games, each once, whatever is killed when."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from pipeline.ladder import game_rows, standing
from pipeline.ladder.answers import ListedGame, OwnSnake, RankingEntry, Rankings
from pipeline.ladder.challenge import settle_challenges
from pipeline.ladder.client import MOST_LISTED, ArenaClient, Busy, TokenRefused
from pipeline.ladder.game_files import append, lines_of_others, lines_without_row
from pipeline.ladder.reading import LadderGame, read_ladder_game
from pipeline.ladder.tables import opponents, ratings, syncs
from pipeline.registry.database import RegistryDatabase
from schemas.errors import ArenaAwayError, ArenaError
from schemas.ladder import ArenaSettings, SyncReport
from schemas.outside_text import REASON_LIMIT, line
from schemas.times import from_text, to_text

_FIRST_LIMIT: Final = 20
_GROWTH: Final = 5
_STATUSES: Final = 100
_AT_ONCE: Final = 20
_KEPT_SYNCS: Final = 1000
_AWAY_AFTER: Final = 3
"""So many things in a row that cannot be had are no fault of theirs: it is the Arena."""


@dataclass(slots=True)
class Sync:
    """One synchronisation. `run` may be called once, by one process at a time.

    Args:
        games_dir: where production games arrive.
        now: the wall clock.
        stopping: whether to end after the game in hand.
        tell: told of each game that was kept, in a line.
    """

    client: ArenaClient
    database: RegistryDatabase
    settings: ArenaSettings
    games_dir: Path
    now: Callable[[], datetime]
    stopping: Callable[[], bool] = lambda: False
    tell: Callable[[str], None] = lambda _line: None
    _owners: dict[str, str] = field(default_factory=dict)
    """Ids of our snakes, and their owner's name on the ladder."""
    _games: int = 0
    _refused: int = 0
    _notes: list[str] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)
    _failed_in_a_row: int = 0
    _not_had: list[tuple[str, str]] = field(default_factory=list)
    """Games in a row that could not be had, and why: whether it is they or the Arena, the next game tells."""
    _tried_early: str = ""

    def run(self) -> SyncReport:
        """Do all that is due, and write down what came of it; what fails ends it, and the next one goes on there.

        Raises:
            MachineError: games cannot be written.
            StateError: the database cannot be used.
        """
        started, trouble, refused = self.now(), "", False
        try:
            self._steps()
        except (ArenaError, ArenaAwayError) as error:
            trouble, refused = line(str(error), REASON_LIMIT), isinstance(error, TokenRefused)
        trouble, *more = [*([trouble] if trouble else []), *self._failed] or [""]
        self._notes += more
        return self._report(started, trouble, refused)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """What fails in here is told of and stops nothing else; unless the token is refused, a pause is asked for, or
        it is the third thing in a row that fails: then it is the Arena."""
        try:
            yield
        except (TokenRefused, Busy):
            raise
        except (ArenaError, ArenaAwayError) as error:
            self._failed_in_a_row += 1
            if self._failed_in_a_row == _AWAY_AFTER:
                raise
            self._failed.append(line(str(error), REASON_LIMIT))
        else:
            self._failed_in_a_row = 0

    def _steps(self) -> None:
        self._adopt_what_a_kill_left()
        snakes = self.client.snakes()
        self._owners = {snake.id: "" for snake in snakes}
        if not snakes:
            self._notes.append("no snake is registered there for this token")
        with self._apart():
            self._ratings()
        for snake in snakes:
            with self._apart():
                self._list(snake)
        with self._apart():
            self._ask_after_running()
        with self._apart():
            settle_challenges(self.client, self.database, snakes)
        self._take_what_our_snake_wrote()
        self._fetch()
        self._register()

    def _adopt_what_a_kill_left(self) -> None:
        with self.database.read() as connection:
            known = game_rows.known_to(connection)
        for place, log in lines_without_row(self.games_dir, known):
            with self.database.write() as connection:
                self._games += game_rows.adopt(connection, log, place, self.now())

    def _ratings(self) -> None:
        for leaderboard in self.client.leaderboards():
            if leaderboard.active:
                with self._apart():
                    self._rate(self.client.rankings(leaderboard.id))

    def _rate(self, table: Rankings) -> None:
        for entry in (*table.ranked, *table.placement):
            if entry.battlesnake_id in self._owners:
                self._owners[entry.battlesnake_id] = entry.owner
        with self.database.write() as connection:
            note_rankings(connection, table, self._owners, self.now())

    def _list(self, snake: OwnSnake) -> None:
        """The newest games; more of them, until one is known or the Arena gives no more."""
        with self.database.read() as connection:
            met_before = game_rows.of_snake(connection, snake.id)
        limit, noted = _FIRST_LIMIT, set[str]()
        while True:
            found = self.client.games(snake.id, limit)
            listed = found.games
            joined = self._note(listed, noted)
            noted |= {game.id for game in listed}
            if joined or found.length < limit or limit >= MOST_LISTED:
                break
            limit = min(limit * _GROWTH, MOST_LISTED)
        if met_before and listed and not joined and limit > _FIRST_LIMIT:
            oldest = min(game.created_at for game in listed)
            self._notes.append(
                f"the Arena lists {found.length} games of {snake.name} at most, the oldest of {oldest:%Y-%m-%d %H:%M}"
                " UTC: what was played before and not fetched cannot be asked for; lower arena.sync_minutes"
            )

    def _note(self, listed: Sequence[ListedGame], noted: Collection[str]) -> bool:
        """Write a list down; whether it reaches back to a game that was known before these lists."""
        with self.database.write() as connection:
            oldest = listed[-1].id if listed else ""
            joined = oldest not in noted and game_rows.is_known(connection, oldest)
            game_rows.note_listed(connection, listed, self._owners)
        return joined

    def _ask_after_running(self) -> None:
        """Games that lists do not show any more, or that have ended since."""
        with self.database.read() as connection:
            running = game_rows.running(connection, _STATUSES)
        if not running:
            return
        found = self.client.statuses(running)
        with self.database.write() as connection:
            for status in found:
                game_rows.note_status(connection, status.id, status.status, status.updated_at)

    def _take_what_our_snake_wrote(self) -> None:
        """A snake of ours on this machine may have told of its game already: then that line is the game."""
        with self.database.read() as connection:
            wanted, oldest = game_rows.listed_since(connection)
        if not wanted:
            return
        for place, log in lines_of_others(self.games_dir, wanted, from_text(oldest)):
            with self.database.write() as connection:
                self._games += game_rows.adopt(connection, log, place, self.now())

    def _fetch(self) -> None:
        """Some games at a time: so many are asked for again after a kill, at most."""
        after = ("", "")
        while not self._ending:
            with self.database.read() as connection:
                rows = game_rows.next_listed(connection, after, _AT_ONCE)
            if not rows:
                break
            after = (rows[-1]["created_at"], rows[-1]["game_id"])
            read: list[LadderGame] = []
            try:
                for row in rows:
                    if self._ending:
                        break
                    if row["game_id"] != self._tried_early:
                        read += self._read(row)
                    if len(self._not_had) == _AWAY_AFTER:
                        read += self._read_newest()
            finally:
                self._keep(read)
        self._tell_of_not_had()

    def _read_newest(self) -> list[LadderGame]:
        """Several in a row could not be had: another game shows whether it is they or the Arena."""
        with self.database.read() as connection:
            row = game_rows.newest_listed(connection)
        if row is not None and row["game_id"] not in dict(self._not_had):
            self._tried_early = row["game_id"]
            if found := self._read(row):
                return found
        self._tell_of_not_had()
        return []

    def _tell_of_not_had(self) -> None:
        """Nothing is held against games of which no other has come since: they are asked for again."""
        if self._not_had:
            raise ArenaAwayError(self._not_had[-1][1].removesuffix("."))

    @property
    def _ending(self) -> bool:
        return self.client.time_is_up or self.stopping()

    def _read(self, row: RowMapping) -> list[LadderGame]:
        """The game; none where it cannot be had or read, which is written down."""
        try:
            tree = self.client.game(row["game_id"])
            listed = game_rows.listed_again(row, tree.get("winner"))
            found = read_ladder_game(listed, tree["frames"], self._owners, challenged=row["challenged"])
        except (TokenRefused, Busy):
            raise
        except ArenaAwayError as error:
            self._not_had.append((row["game_id"], line(str(error), REASON_LIMIT)))
            return []
        except (ValueError, KeyError, ArenaError) as error:
            self._refuse(row["game_id"], str(error))
            return []
        self._blame()
        return [found]

    def _blame(self) -> None:
        """A game came after some that did not: it was not the Arena, it was they."""
        for game_id, reason in self._not_had:
            self._refuse(game_id, reason)
        self._not_had.clear()

    def _keep(self, read: Sequence[LadderGame]) -> None:
        if not read:
            return
        with self.database.write() as connection:
            for game in read:
                game_rows.note_read(connection, game)
        places = append(self.games_dir, self.now(), [game.log for game in read])
        with self.database.write() as connection:
            for game, place in zip(read, places, strict=True):
                self._games += game_rows.keep(connection, game, place, self.now())
        for game in read:
            self.tell(f"{game.log.game_id}: {game.log.outcome.value} after {game.log.turns} turns")

    def _refuse(self, game_id: str, reason: str) -> None:
        """Nothing is held against a game where a ladder, which tells the owners of namesakes, could not be had."""
        given_up = False
        if not self._failed:
            with self.database.write() as connection:
                given_up = game_rows.refuse(connection, game_id, reason)
        self._refused += given_up
        what = "is given up" if given_up else "is tried again at the next synchronisation"
        self._notes.append(f"game {game_id} cannot be read and {what}: {reason}")

    def _register(self) -> None:
        with self.database.write() as connection:
            made = standing.register_when_due(connection, self.settings.register_after_games, self.now())
        self._notes += [f"{held.snake_name} is held to its {held.games} ladder games from now on" for held in made]

    def _report(self, started: datetime, trouble: str, refused: bool) -> SyncReport:
        traffic = self.client.connection.traffic
        with self.database.write() as connection:
            waiting, running = (game_rows.count(connection, state) for state in (game_rows.LISTED, game_rows.RUNNING))
            report = SyncReport(
                games=self._games,
                refused=self._refused,
                waiting=waiting,
                running=running,
                requests=traffic.requests,
                bytes_read=traffic.bytes_read,
                trouble=trouble,
                token_refused=refused,
                notes=[*self._notes, *self._odd()],
            )
            row = report.model_dump(include={"games", "refused", "waiting", "requests", "bytes_read", "trouble"})
            times = {"started_at": to_text(started), "ended_at": to_text(self.now())}
            connection.execute(insert(syncs).values(**times, **row))
            newest = connection.execute(select(func.max(syncs.c.id))).scalar_one()
            connection.execute(delete(syncs).where(syncs.c.id <= newest - _KEPT_SYNCS))
        return report

    def _odd(self) -> list[str]:
        if not (untold := self.client.odd_untold):
            return self.client.odd
        return [*self.client.odd, f"{untold:,} more items of the Arena's lists cannot be read"]


def note_rankings(connection: Connection, table: Rankings, own: Collection[str], now: datetime) -> int:
    """Write down a ladder's table; return how many of our ratings changed."""
    changed = 0
    for entry in table.ranked:
        changed += _note(connection, table, entry, own, now, entry.rank)
    for entry in table.placement:
        changed += _note(connection, table, entry, own, now, None)
    return changed


def _note(
    connection: Connection, table: Rankings, entry: RankingEntry, own: Collection[str], now: datetime, rank: int | None
) -> int:
    if entry.battlesnake_id not in own:
        _note_opponent(connection, entry, now)
        return 0
    where = (ratings.c.leaderboard_id == table.leaderboard_id) & (ratings.c.snake_id == entry.battlesnake_id)
    query = select(ratings).where(where).order_by(ratings.c.id.desc()).limit(1)
    last = connection.execute(query).mappings().first()
    values = {
        "leaderboard_id": table.leaderboard_id,
        "leaderboard_name": table.leaderboard_name,
        "snake_id": entry.battlesnake_id,
        "snake_name": entry.snake_name,
        "rating": entry.display_score,
        "rank": rank,
        "of_ranked": len(table.ranked),
        "games_played": entry.games_played,
        "first_places": entry.first_place_finishes,
    }
    told = ("rating", "rank", "games_played", "snake_name")
    if last is not None and all(last[name] == values[name] for name in told):
        return 0
    connection.execute(insert(ratings).values(at=to_text(now), **values))
    return 1


def _note_opponent(connection: Connection, entry: RankingEntry, now: datetime) -> None:
    """A snake that has not played on the ladder yet has no rating, whatever number the table shows."""
    snake_id = entry.battlesnake_id
    row = connection.execute(select(opponents).where(opponents.c.snake_id == snake_id)).mappings().first()
    rating = entry.display_score if entry.games_played else None
    values = {"name": entry.snake_name, "owner": entry.owner, "rating": rating}
    if row is None:
        first = {"snake_id": snake_id, "games": 0, "won": 0, "lost": 0, "rating_at": to_text(now), **values}
        connection.execute(insert(opponents).values(first))
    elif any(row[name] != value for name, value in values.items()):
        changed = {**values, "rating_at": to_text(now)}
        connection.execute(update(opponents).where(opponents.c.snake_id == snake_id).values(**changed))
