"""Whether a model may become champion where there is none: it has to beat a stated heuristic, the floor."""

from collections.abc import Callable
from dataclasses import replace

from pipeline.arena.arena import play_matches
from pipeline.arena.player import Player
from pipeline.engine.players.match import Conditions
from pipeline.evaluation.conditions_text import conditions_text
from pipeline.evaluation.measurement import Play
from pipeline.evaluation.promotion import Trial, duels_under, reason_of
from schemas.model import EvaluationResult
from schemas.promotion import FirstModel, PromotionOutcome
from schemas.training import TournamentConfig


def consider_first(
    challenger: Player,
    floor: Player | None,
    measured: EvaluationResult,
    config: TournamentConfig,
    *,
    number: int,
    seed: int,
    conditions: Conditions | None = None,
    threads: int = 1,
    stop: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
    play: Play = play_matches,
    enough: Callable[[], bool] = lambda: False,
) -> FirstModel:
    """Test a model that has no champion to challenge, and decide.

    The test is that of promotions (`promotion.py`, step 1) with the floor in the champion's place, at the same shared
    error rate: that a model which is not better than the floor passes happens at most as often as `promotion_alpha`,
    however many try.

    Args:
        floor: None: whoever comes is taken.
        measured: what else is known of the model, for the record.
        number: which challenger of the run this is, from 1.
        seed: of all games.
        conditions: of the duels; default the official CLI's.
        play, enough: as for `consider`.

    Raises:
        GameStateError, StoppedError: as `play_matches`.
        SettingsError: `minimum_improvement` is 0.
    """
    conditions = replace(conditions or Conditions(), snakes=2)
    told = conditions_text(conditions)
    if floor is None:
        return FirstModel(
            promoted=True,
            outcome=PromotionOutcome.PROMOTED,
            reason="there was no champion to test against, and the settings ask for no floor",
            measured=measured,
            floor=None,
            number=number,
            seed=seed,
            conditions=told,
        )
    duel = duels_under(conditions, threads, stop, play)
    trial = Trial(challenger, floor, config, seed, duel, report or (lambda _line: None), enough)
    outcome, duels = trial.against_champion(number)
    return FirstModel(
        promoted=outcome is PromotionOutcome.PROMOTED,
        outcome=outcome,
        reason=f"there was no champion; {reason_of(outcome, duels, [], floor.name)}",
        measured=measured,
        floor=floor.name,
        number=number,
        seed=seed,
        conditions=told,
        duels=duels,
        games=trial.games,
    )
