"""`ModelPerformanceEvaluator`: measures players against the heuristics, and judges what production asks of a model."""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evaluation.measurement import Analysis, Measurement, Play, measure
from pipeline.evaluation.tournament import TournamentResult, run_tournament
from pipeline.registry.model_store import ModelStore
from pipeline.registry.transactions import REFERENCE
from pipeline.simulator.competitor import HEURISTIC, Competitor, heuristic
from pipeline.simulator.matches import play_matches
from schemas.errors import ModelError
from schemas.model import EvaluationResult, Measured, ModelCard, ModelEvent, ModelEventKind
from schemas.promotion import FirstModel
from schemas.settings import Settings, get_config
from schemas.training import TournamentConfig

MODEL: Final = "model:"
DUEL: Final = 2
CROWD: Final = 4
SPEED: Final = ("inference_time_ms", "memory_usage_mb")
"""Names, on a model's card, of the p99 of one served decision and of the serving process's resident memory."""


class ModelPerformanceEvaluator:
    """Measures models by games, and keeps what was measured in the registry.

    Args:
        settings: None: `get_config()`.
        registry: where models and evaluations are kept; None: the model store of these settings.
        now: the clock.
        player_of: makes a player of a registered model's id (this room knows no networks); None: players are given as
            `Competitor`, or are heuristics.

    Raises:
        StateError: the registry's database cannot be used.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        registry: ModelStore | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        player_of: Callable[[str], Competitor] | None = None,
    ) -> None:
        self._settings: Final = settings or get_config()
        self._model_store: Final = registry or ModelStore(self._settings)
        self._now: Final = now
        self._player_of: Final = player_of
        self._analyses: Final[list[Analysis]] = []

    def register_custom_analysis_function(self, function: Analysis) -> None:
        """Let `function` look at the games of every later evaluation; its numbers join the evaluation's metrics.

        It gets the list of `GameResult` whose tapes were kept (at most `measurement.ANALYSED_GAMES` or a few more) and
        returns numbers by name.
        """
        self._analyses.append(function)

    def get_champion_performance(self) -> dict[str, Any]:
        """Return what was measured of the champion.

        `win_rate` (0..1, in duels with the strong heuristic) with `win_rate_low`, `win_rate_high`, `win_rate_games`,
        `win_rate_seed`; `strategic_score` (0..100); `production_ready` and `production_reasons` (in words, why not);
        `inference_time_ms` (p99, served), `memory_usage_mb`; `model_id`, `model_name`, `promoted_from` (its parent);
        `metrics`: every measured number. NaN, and 0 games, for what was never measured.

        Raises:
            ModelError: there is no champion yet.
        """
        champion = self._model_store.champion()
        if champion is None:
            raise ModelError(
                "there is no champion yet", where="champion", remedy="Train a model first: ouroboros train."
            )
        rate = champion.win_rate
        ready, reasons = judge_production(champion, self._settings.tournament)
        return {
            "model_id": champion.id,
            "model_name": champion.name,
            "promoted_from": champion.parent_id,
            "win_rate": rate.value if rate else math.nan,
            "win_rate_low": rate.low if rate else math.nan,
            "win_rate_high": rate.high if rate else math.nan,
            "win_rate_games": rate.games if rate else 0,
            "win_rate_seed": rate.seed if rate else None,
            "strategic_score": _value(champion, "strategic_score"),
            "production_ready": ready,
            "production_reasons": reasons,
            **{name: _value(champion, name) for name in SPEED},
            "metrics": {name: measured.value for name, measured in champion.measured.items()},
        }

    def get_evaluation_history(self, model_id: str | None = None) -> list[EvaluationResult]:
        """Return the evaluations kept, oldest first; of one model, or of all."""
        return list(self._model_store.evaluations(model_id))

    def note_production_check(self, model_id: str, metrics: Mapping[str, Any]) -> None:
        """Keep what `PerformanceBenchmark.validate_production_readiness` measured, for `production_ready`.

        What it could not check here is not kept: no other server's figures are to stand for it.

        Raises:
            ModelError: no such model.
        """
        if metrics.get("unchecked"):
            return
        how = f"{metrics['decisions']} decisions of a {metrics['server']} server, batch 1"
        self._model_store.note_measured(
            model_id, {name: Measured(value=float(metrics[name]), games=0, how=how) for name in SPEED}
        )

    def compare_models(
        self,
        one: str | Competitor,
        other: str | Competitor,
        games: int | None = None,
        *,
        seed: int | None = None,
        snakes: int = DUEL,
        threads: int = 1,
        stop: Callable[[], bool] | None = None,
    ) -> TournamentResult:
        """Let two play each other on fresh seeds, each from all seats: `pairings[0]` holds score, interval, p-value.

        Args:
            one, other: players, names of heuristics (`heuristic:<kind>`) or ids of registered models.
            games: None: `games_per_matchup` of the settings.
            seed: of the games; None: the settings', else one is drawn. The result holds it.

        Raises:
            KeyError: no such heuristic. ModelError: no such model, or it cannot be used.
        """
        config = self._settings.tournament
        config = config.model_copy(update={"games_per_matchup": games or config.games_per_matchup})
        players = [self._player(one), self._player(other)]
        return run_tournament(players, config, self._seed(seed), snakes, threads=threads, stop=stop)

    def evaluate(
        self,
        player: str | Competitor,
        *,
        opponents: Sequence[str] = (REFERENCE,),
        seats: Sequence[int] = (DUEL, CROWD),
        games: int | None = None,
        seed: int | None = None,
        conditions: GameConditions | None = None,
        threads: int = 1,
        stop: Callable[[], bool] | None = None,
        play: Play = play_matches,
        enough: Callable[[], bool] = lambda: False,
    ) -> list[EvaluationResult]:
        """Measure a player against each opponent with each number of seats, and keep the results in the registry.

        In a duel it plays one of the opponent, in a crowd it is alone among as many as fill the seats; each seed is
        played from every seat.

        Args:
            player: or the name of a heuristic, or the id of a registered model.
            opponents: names as above. The first result is the first opponent's duel.
            games: of each measurement, rounded up to whole seeds; None: `remeasure_games` of the settings.
            seed: of all games; None: the settings', else one is drawn. Each measurement's results hold it.
            conditions: other than the official CLI's; `snakes` is put in.
            play: plays the games; a journal that holds some already does not play these again.
            enough: once it says so, a measurement ends with the seeds that it has begun, of which there are a few.

        Raises:
            EvaluationError: a custom analysis returned something else than numbers by new names.
            StoppedError: `stop` said so; measurements done before are kept.
            KeyError, ModelError: as `compare_models`.
        """
        me, seed = self._player(player), self._seed(seed)
        tournament = self._settings.tournament
        results = []
        for opponent in opponents:
            rival = self._player(opponent)
            for snakes in seats:
                measurement = Measurement(
                    me=me,
                    rival=rival,
                    conditions=replace(conditions or GameConditions(), snakes=snakes),
                    seeds=fresh_seeds(seed, -(-(games or tournament.remeasure_games) // snakes)),
                    seed=seed,
                    confidence=tournament.confidence_level,
                    threads=threads,
                    stop=stop,
                    play=play,
                    enough=enough,
                )
                found = measure(measurement, self._analyses)
                model_id, name = self._name_of(me)
                result = EvaluationResult(model_id=model_id, model_name=name, evaluated_at=self._now(), **found)
                self._model_store.add_evaluation(result)
                results.append(result)
        return results

    def _name_of(self, player: Competitor) -> tuple[str, str]:
        """Return the id and the name that results tell: of a registered model its own, of others the player's."""
        model_id = player.name.removeprefix(MODEL)
        return model_id, next((card.name for card in self._model_store.list() if card.id == model_id), model_id)

    def _player(self, player: str | Competitor) -> Competitor:
        if isinstance(player, Competitor):
            return player
        if player.startswith(HEURISTIC):
            return heuristic(player.removeprefix(HEURISTIC))
        if self._player_of is None:
            raise ModelError(
                "this evaluator was not told how registered models play",
                where=player,
                remedy="Give it `player_of`, or a Competitor: `from_policy(TorchPolicy(network, name))`.",
            )
        return self._player_of(player.removeprefix(MODEL))

    def _seed(self, seed: int | None) -> int:
        given = self._settings.tournament.seed if seed is None else seed
        return secrets.randbits(63) if given is None else given


def _value(card: ModelCard, name: str) -> float:
    return card.measured[name].value if name in card.measured else math.nan


def judge_production(card: ModelCard, limits: TournamentConfig) -> tuple[bool, list[str]]:
    """Return whether the model keeps every limit, and in words what it breaks or what was never measured."""
    reasons = judge_games(card, limits)
    most = dict(zip(SPEED, (limits.max_inference_time_ms, limits.max_memory_mb), strict=True))
    for name, limit in most.items():
        measured = card.measured.get(name)
        if measured is None:
            reasons.append(f"{name} was never measured")
        elif measured.value > limit:
            reasons.append(f"{name} is {measured.value:.2f}, more than {limit:g} ({measured.how})")
    return not reasons, reasons


def judge_games(card: ModelCard, limits: TournamentConfig) -> list[str]:
    """Return in words what its games say against the model."""
    rate = card.win_rate
    if rate is None or rate.games == 0:
        return ["its win rate in duels with the strong heuristic was never measured"]
    if rate.value >= limits.min_win_rate_vs_heuristic:
        return []
    return [
        f"it wins {rate.value:.1%} of {rate.games} duels with the strong heuristic, less than"
        f" {limits.min_win_rate_vs_heuristic:.1%}"
    ]


def judge_step(event: ModelEvent | None) -> list[str]:
    """Return in words what the step that made a model champion leaves open.

    Args:
        event: the last one by which it became champion: by its games, by hand or by a roll-back; None: there is none.
    """
    if event is None or event.kind not in (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK):
        return ["no step in the history made it champion"]
    if event.evidence.get("kind") == FirstModel.__name__ and event.evidence.get("promoted") is not True:
        return ["it became the first champion untested, by an earlier version; promote it by hand if that was right"]
    return []
