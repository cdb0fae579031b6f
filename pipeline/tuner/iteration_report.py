"""What people are told: the rule of acceptance at the start, a line an iteration, win rates in words."""

from pipeline.evaluation.intervals import chance_of_higher_mean, power_of_fixed_games
from pipeline.tuner.setup import Setup
from schemas.tuning import AcceptRule
from schemas.tuning_run import CandidateDecision, IterationFacts, MeasuredRate

CHANGES_SHOWN = 5
"""So many changed weights a message names; the log has them all."""
SHOWN_GAIN = 0.03
"""The gain for which a plain comparison's power is stated."""


def promise(setup: Setup) -> str:
    """The rule of acceptance in one or two sentences, with its error rates."""
    settings = setup.settings
    if len(setup.aims) > 1:
        wanted = "; ".join(f"{aim.name} ({aim.meaning})" for aim in setup.aims)
        return (
            f"{len(setup.aims)} objectives: {wanted}. NSGA-II looks for configurations of which none beats another in "
            "everything; they are measured on fresh seeds, and you choose: nothing is promoted by itself."
        )
    if settings.accept is not AcceptRule.MEAN:
        return setup.gate_rules.promise()
    power = power_of_fixed_games(settings.games, SHOWN_GAIN)
    kept = 100 * chance_of_higher_mean(settings.games, 0.0, settings.min_improvement)
    return (
        f"⚠ accept=mean: a candidate is kept if it scores better on {settings.games} games. So few games cannot "
        f"tell: a test of this size at the usual 5 % level finds a real gain of {SHOWN_GAIN:.0%} with a power of "
        f"{power:.1%}, and of 100 candidates that change nothing, about {kept:.0f} will be kept as improvements. "
        "Use accept=sprt."
    )


def words(rate: MeasuredRate | None) -> str:
    """A win rate with its interval and games."""
    if rate is None:
        return "not measured yet"
    return f"{rate.win_rate:.1%} ({rate.low:.1%} to {rate.high:.1%}, {rate.games} games)"


def line(facts: IterationFacts) -> str:
    """The iteration in one line for people."""
    against = "the opponents" if facts.win_rate_against == "opponents" else "the best"
    head = (
        f"[{facts.iteration}] {facts.win_rate:.1%} ({facts.win_rate_low:.1%} to {facts.win_rate_high:.1%}, "
        f"{facts.gate_games} games) against {against}: "
        f"{facts.decision.value.replace('_', ' ')}"
    )
    if facts.decision is not CandidateDecision.ACCEPTED:
        return f"{head} ({facts.reason})" if facts.reason else head
    shown = [f"{path} {old} → {new}" for path, (old, new) in list(facts.changed.items())[:CHANGES_SHOWN]]
    rest = len(facts.changed) - len(shown)
    changes = ", ".join([*shown, f"and {rest} more"] if rest else shown)
    return (
        f"{head} ✓ gain on unseen games {facts.improvement:+.1%} ({facts.improvement_low:+.1%} to "
        f"{facts.improvement_high:+.1%}){_carried(facts)}; best win rate {facts.best_win_rate:.1%} "
        f"({facts.best_win_rate_low:.1%} to {facts.best_win_rate_high:.1%}). {changes}"
    )


def _carried(facts: IterationFacts) -> str:
    if facts.probe_improvement is None:
        return ""
    return f", {facts.probe_improvement:+.1%} at the cheap conditions that it was found at"
