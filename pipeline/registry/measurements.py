"""Which of a card's metrics an evaluation measures."""

from schemas.model import EvaluationResult, Measured

REFERENCE = "heuristic:strong"
"""The opponent in whose duels a model's `win_rate` is measured."""


def measured_by(result: EvaluationResult) -> dict[str, Measured]:
    """By metric: `win_rate/OPPONENT/SNAKES`, for duels with the reference also `win_rate`, and the result's others."""
    how = f"{result.how}; {result.conditions}; against {result.opponent}, {result.snakes} snakes"
    rate = Measured(
        value=result.win_rate, low=result.low, high=result.high, games=result.games, seed=result.seed, how=how
    )
    values = dict(result.metrics)
    if result.strategic_score is not None:
        values["strategic_score"] = result.strategic_score
    found = {
        name: Measured(value=value, games=result.games, seed=result.seed, how=how) for name, value in values.items()
    }
    found[f"win_rate/{result.opponent}/{result.snakes}"] = rate
    if (result.opponent, result.snakes) == (REFERENCE, 2):
        found["win_rate"] = rate
    return found
