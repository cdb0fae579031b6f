"""Whether a model may go to production, by what was measured of it."""

from typing import Final

from schemas.model import ModelCard, ModelEvent, ModelEventKind
from schemas.promotion import FirstModel
from schemas.training import TournamentConfig

SPEED: Final = ("inference_time_ms", "memory_usage_mb")
"""Names, on a model's card, of the p99 of one served decision and of the serving process's resident memory."""


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
