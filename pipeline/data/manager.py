"""`SelfPlayDataManager`: plays, imports and keeps the games that training learns from, and tells what they are like."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from pipeline.data.external_games import stored_games, stored_log
from pipeline.data.game_making import games_from
from pipeline.data.heuristic_games import HeuristicMix, play_mix
from pipeline.data.statistics import data_statistics, quality_analysis
from pipeline.data.store import GameStore
from pipeline.data.stored_game import CollectedGames, ImportedGames, RefusedGame, StoredGame
from pipeline.engine.planes import FRAME
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import HEURISTIC, Competitor, every_seating, heuristic, seatings_of
from pipeline.simulator.matches import play_matches
from schemas.cgroup import usable_processors
from schemas.errors import DataError
from schemas.game import GameLog
from schemas.phases import DataSource
from schemas.settings import Settings, get_config

ANALYSED_GAMES: Final = 5000
_PAIR_ROUND: Final = 512

Importable = str | Path | Iterable[StoredGame | GameLog | str | Path]


class GameSource(Protocol):
    """Somebody else's way to come by games."""

    def collect_game_data(self, num_games: int) -> Importable:
        """Return about `num_games` games in any form that `import_external_games` takes."""


class SelfPlayDataManager:
    """The games of one state folder (`settings.training_games_dir`), stored as `GameStore` does."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        players: Callable[[str], Competitor] | None = None,
        seed: int | None = None,
        conditions: GameConditions | None = None,
    ) -> None:
        """Take the store; nothing is read or played yet.

        Args:
            settings: default: those this process runs under.
            players: finds the player of a name, for `collect_self_play_data`; whoever knows models gives it. Left
                out, only the built-in heuristics are known (`strong` or `heuristic:strong`).
            seed: of all games played by this manager; None: a fresh one is drawn. Every game stores its own.
            conditions: board and rules of the self-play games; default: standard duels on 11x11.
        """
        self.settings: Final = settings or get_config()
        self.store: Final = GameStore(self.settings.training_games_dir, self.settings.data)
        self.seed: Final = secrets.randbits(63) if seed is None else seed
        self._players: Final = players or _heuristics_only
        self._conditions: Final = conditions or GameConditions()
        self._sources: Final[list[GameSource]] = []
        self._calls = 0

    def collect_heuristic_supervision_data(
        self,
        target_games: int = 2000,
        parallel_processes: int | None = None,
        *,
        mix: HeuristicMix | None = None,
        stop: Callable[[], bool] | None = None,
        report: Callable[[int, int], None] | None = None,
        now: datetime | None = None,
    ) -> CollectedGames:
        """Let the teacher of the settings play `target_games` games against varied heuristics, and store them.

        Half are duels, half have four snakes. Games are stored round by round (512), so a stop loses little.

        Args:
            parallel_processes: threads that think side by side (compiled code holds no lock); None: one per core.
            mix: who plays, instead of `settings.data.teacher` against `settings.self_play.heuristics`.
            report: told (games stored, games in all) after each round.

        Raises:
            StoppedError: `stop` said so; what was stored until then stays.
            DataError: an unknown heuristic, or the store cannot be written to.
        """
        chosen = mix or HeuristicMix(self.settings.data.teacher, self.settings.self_play.heuristics)
        threads, made, new, unstored = parallel_processes or usable_processors(), [], 0, 0
        source = DataSource.HEURISTIC_SUPERVISION.value
        moment = now or datetime.now(UTC)
        rounds = play_mix(chosen, target_games, source, self._next_seed(), moment, threads=threads, stop=stop)
        for played in rounds:
            new += self._keep(played.games, moment)
            made += played.games
            unstored += played.unstored
            if report is not None:
                report(len(made), target_games)
        return CollectedGames(made, new, unstored)

    def collect_self_play_data(
        self,
        model_pairs: Sequence[tuple[str, str]],
        games_per_pair: int = 1000,
        parallel_processes: int | None = None,
        *,
        stop: Callable[[], bool] | None = None,
        report: Callable[[int, int], None] | None = None,
        now: datetime | None = None,
    ) -> CollectedGames:
        """Let each pair play `games_per_pair` games, every seed from both seatings, and store them.

        A pair may name one player twice. The sole survivor's moves are those worth learning.

        Args:
            model_pairs: names that this manager's `players` knows.
            parallel_processes: threads for heuristics and observing; None: one per core. Policies have their own.
            report: told (games stored, games in all) after each round.

        Raises:
            DataError: an unknown player, or the store cannot be written to.
            StoppedError: `stop` said so; what was stored until then stays.
        """
        pairs = [tuple(self._player(name) for name in pair) for pair in model_pairs]
        threads = parallel_processes or usable_processors()
        moment = now or datetime.now(UTC)
        made: list[StoredGame] = []
        new = unstored = 0
        for pair in pairs:
            for first in range(0, games_per_pair, _PAIR_ROUND):
                count = min(_PAIR_ROUND, games_per_pair - first)
                games = self._play_pair(pair, count, threads, stop, moment)
                new += self._keep(games, moment)
                made += games
                unstored += count - len(games)
                if report is not None:
                    report(len(made), games_per_pair * len(pairs))
        return CollectedGames(made, new, unstored)

    def import_external_games(self, games: Importable, now: datetime | None = None) -> ImportedGames:
        """Store games that were not played here; what `settings.data` says is too old or too many goes after that.

        Args:
            games: a file or folder, or several (game logs of our snakes, output of the official CLI, exported engine
                JSON, also gzipped), or games: what `BattlesnakeDataCollector.collect_batch_games` returned, stored
                games, game logs. A game whose boards do not tell all its moves is refused with the reason.

        Raises:
            BadInputError: a path does not exist.
            DataError: the store cannot be written to.
        """
        moment = now or datetime.now(UTC)
        given = [games] if isinstance(games, str | Path) else list(games)
        found = [game for item in given for game in _games_of(item, moment)]
        kept = [game for game in found if isinstance(game, StoredGame)]
        new = self._keep(kept, moment)
        return ImportedGames(new, len(kept) - new, [game for game in found if isinstance(game, RefusedGame)])

    def add_data_source(self, source: GameSource) -> None:
        """Remember a source for `collect_from_data_sources`.

        Raises:
            DataError: it has no method `collect_game_data`.
        """
        if not callable(getattr(source, "collect_game_data", None)):
            raise DataError(f"{type(source).__name__} has no method collect_game_data(num_games)")
        self._sources.append(source)

    def collect_from_data_sources(self, num_games: int) -> ImportedGames:
        """Ask every added source for `num_games` games and store what they return.

        Raises:
            DataError: a source returned nothing that can be imported, or the store cannot be written to.
        """
        new = already = 0
        refused: list[RefusedGame] = []
        for source in self._sources:
            games = source.collect_game_data(num_games)
            if games is None:
                raise DataError("collect_game_data returned None", where=type(source).__name__)
            done = self.import_external_games(games)
            new, already, refused = new + done.new, already + done.already_there, refused + done.refused
        return ImportedGames(new, already, refused)

    def training_games(self, *, sources: Sequence[str] | None = None, newest: int | None = None) -> list[StoredGame]:
        """Return the stored games to learn from: of at least `settings.data.quality_threshold`, boards up to 11x11."""
        found = self.store.read(sources=sources, newest=newest, min_quality=self.settings.data.quality_threshold)
        return [game for game in found if self._can_be_learned(game, sources)]

    def get_data_statistics(self) -> dict[str, Any]:
        """Return what the store holds: see `report.data_statistics`."""
        return data_statistics(self.store)

    def get_data_quality_analysis(self) -> dict[str, Any]:
        """Return how good and varied the newest 5,000 games are: see `report.quality_analysis`."""
        return quality_analysis(self.store.read(newest=ANALYSED_GAMES), self.settings.data.quality_threshold)

    def _can_be_learned(self, game: StoredGame, sources: Sequence[str] | None) -> bool:
        good = game.quality >= self.settings.data.quality_threshold
        return good and max(game.width, game.height) <= FRAME and (sources is None or game.source in sources)

    def _keep(self, games: Sequence[StoredGame], now: datetime) -> int:
        """Store games and remove what is beyond the settings' number and age; return how many were new."""
        new = self.store.add(games)
        self.store.prune(now)
        return new

    def _play_pair(
        self,
        pair: Sequence[Competitor],
        count: int,
        threads: int,
        stop: Callable[[], bool] | None,
        now: datetime,
    ) -> list[StoredGame]:
        conditions = self._conditions
        seeds = fresh_seeds(self._next_seed(), (count + 1) // 2)
        seatings, each_seed = every_seating(seatings_of(2, conditions.snakes), seeds)
        finished = play_matches(
            pair, seatings[:count], each_seed[:count], conditions, tapes=True, threads=threads, stop=stop
        )
        return games_from(finished, [player.name for player in pair], DataSource.SELF_PLAY.value, now)

    def _player(self, name: str) -> Competitor:
        try:
            return self._players(name)
        except KeyError as error:
            raise DataError(
                f"no player is called {name!r}",
                where="model_pairs",
                remedy="Name a built-in heuristic, or give the manager `players`, which finds models.",
            ) from error

    def _next_seed(self) -> int:
        self._calls += 1
        return int(fresh_seeds(self.seed, self._calls)[-1]) & (2**63 - 1)


def _heuristics_only(name: str) -> Competitor:
    return heuristic(name.removeprefix(HEURISTIC))


def _games_of(item: StoredGame | GameLog | str | Path, now: datetime) -> Iterable[StoredGame | RefusedGame]:
    if isinstance(item, StoredGame):
        return [item]
    if isinstance(item, GameLog):
        return [stored_log(item, now)]
    if isinstance(item, str | Path):
        return stored_games([Path(item)], now)
    return [RefusedGame(type(item).__name__, "neither a path, nor a game log, nor a stored game")]
