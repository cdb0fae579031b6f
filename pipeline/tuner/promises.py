"""What the rule of acceptance promises, in the words shown at the start of a run."""

from pipeline.evaluation.power import chance_of_higher_mean, power_of_fixed_games
from schemas.tuning import AcceptRule, TunerSettings

SHOWN_GAIN = 0.03
"""The gain for which a plain comparison's power is stated."""


def false_keeps_per_100(settings: TunerSettings) -> float:
    """Expected number of candidates kept among 100 that change nothing (at most, for the sequential rule)."""
    if settings.accept is AcceptRule.MEAN:
        return 100 * chance_of_higher_mean(settings.games, 0.0, settings.min_improvement)
    return 100 * settings.alpha**2


def power_at_target(settings: TunerSettings) -> float:
    """Least probability of keeping a candidate that gains `target_improvement`, if `max_games` does not cut it off."""
    if settings.accept is AcceptRule.MEAN:
        return chance_of_higher_mean(settings.games, settings.target_improvement, settings.min_improvement)
    return (1 - settings.beta) ** 2


def promise(settings: TunerSettings) -> str:
    """The rule in one or two sentences, with its error rates."""
    if settings.accept is AcceptRule.MEAN:
        power = power_of_fixed_games(settings.games, SHOWN_GAIN)
        return (
            f"⚠ accept=mean: a candidate is kept if it scores better on {settings.games} games. So few games cannot "
            f"tell: a test of this size at the usual 5 % level finds a real gain of {SHOWN_GAIN:.0%} with a power of "
            f"{power:.1%}, and of 100 candidates that change nothing, about {false_keeps_per_100(settings):.0f} will "
            "be kept as improvements. Use accept=sprt."
        )
    return (
        f"A candidate is kept if two sequential tests on different seeds find it better (null +"
        f"{settings.min_improvement:.1%}, target +{settings.target_improvement:.1%}, alpha {settings.alpha:g}, beta "
        f"{settings.beta:g} each): of 100 candidates that change nothing, {false_keeps_per_100(settings):.2g} are kept "
        f"on average; one that gains {settings.target_improvement:.1%} is kept with {power_at_target(settings):.0%}."
    )
