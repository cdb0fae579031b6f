"""`BattlesnakeDataCollector`: games of the built-in players on any board, not stored until they are imported."""

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.data.collected import CollectedGames
from pipeline.data.heuristic_games import HeuristicMix, play_mix
from pipeline.engine.settings import CLI_DEFAULTS, read_settings
from schemas.errors import DataError
from schemas.phases import DataSource
from schemas.self_play import SelfPlaySettings

_KNOWN: Final = ("width", "height", "snakes", "ruleset", "map", "settings", "timeout")


class BattlesnakeDataCollector:
    """Lets the teacher and varied opponents play."""

    def __init__(self, teacher: str = "strong", seed: int | None = None) -> None:
        """Take who plays in every game; `seed` None: a fresh one is drawn. Every game stores its own."""
        self.teacher: Final = teacher
        self.seed: Final = secrets.randbits(63) if seed is None else seed
        self._calls = 0

    def collect_batch_games(
        self,
        num_games: int,
        game_config: Mapping[str, Any] | None = None,
        parallel_processes: int | None = None,
        now: datetime | None = None,
    ) -> CollectedGames:
        """Play `num_games` games; hand the result to `SelfPlayDataManager.import_external_games` to store it.

        Args:
            game_config: width, height (11), ruleset, map ("standard"), settings (the rules' own names), snakes (left
                out: duels and four-player games by turns), timeout (ms a move, checked to be positive; the built-in
                players think for microseconds and cannot overstep it).
            parallel_processes: threads; None: one per core.

        Raises:
            DataError: an unknown field, or a time-out that is none.
            GameStateError: a game that cannot be set up so.
        """
        config = dict(game_config or {})
        unknown = sorted(set(config) - set(_KNOWN))
        if unknown:
            raise DataError(f"unknown {', '.join(unknown)}", where="game_config", remedy=f"Known: {', '.join(_KNOWN)}.")
        if not config.get("timeout", 1) > 0:
            raise DataError(f"a time-out of {config['timeout']} ms", where="game_config.timeout")
        mix = HeuristicMix(
            self.teacher,
            SelfPlaySettings().heuristics,
            seats=config.get("snakes"),
            width=config.get("width", 11),
            height=config.get("height", 11),
            ruleset=config.get("ruleset", "standard"),
            map_id=config.get("map", "standard"),
            settings=read_settings(config.get("settings"), CLI_DEFAULTS),
        )
        self._calls += 1
        seed = self.seed + self._calls
        source, moment = DataSource.HEURISTIC_SUPERVISION.value, now or datetime.now(UTC)
        threads = parallel_processes or os.cpu_count() or 1
        rounds = list(play_mix(mix, num_games, source, seed, moment, threads=threads))
        return CollectedGames([game for r in rounds for game in r.games], unstored=sum(r.unstored for r in rounds))
