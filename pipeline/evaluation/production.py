"""Whether a model may go to production, by what was measured of it."""

from typing import Final

from schemas.judging import TournamentConfig
from schemas.model import ModelCard

SPEED: Final = ("inference_time_ms", "memory_usage_mb")
"""Names, on a model's card, of the p99 of one served decision and of the serving process's resident memory."""


def judge_production(card: ModelCard, limits: TournamentConfig) -> tuple[bool, list[str]]:
    """Return whether the model keeps every limit, and in words what it breaks or what was never measured."""
    reasons = []
    rate = card.win_rate
    if rate is None:
        reasons.append("its win rate in duels with the strong heuristic was never measured")
    elif rate.value < limits.min_win_rate_vs_heuristic:
        reasons.append(
            f"it wins {rate.value:.1%} of {rate.games} duels with the strong heuristic, less than"
            f" {limits.min_win_rate_vs_heuristic:.1%}"
        )
    most = dict(zip(SPEED, (limits.max_inference_time_ms, limits.max_memory_mb), strict=True))
    for name, limit in most.items():
        measured = card.measured.get(name)
        if measured is None:
            reasons.append(f"{name} was never measured")
        elif measured.value > limit:
            reasons.append(f"{name} is {measured.value:.2f}, more than {limit:g} ({measured.how})")
    return not reasons, reasons
