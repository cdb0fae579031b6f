"""Search by simultaneous perturbation: many noisy steps of all weights at once, then one candidate.

SPSA (Spall, "Multivariate stochastic approximation using a simultaneous perturbation gradient approximation", IEEE
Transactions on Automatic Control 37, 1992), as Fishtest uses it to tune engines: two configurations mirrored about the
present point play each other, and the point moves towards the winner, in every weight, by the share it won.
"""

from collections.abc import Mapping
from random import Random

from pipeline.tuner.search import Contest, Proposal, Values
from pipeline.tuner.specification import Specification, WeightRule
from pipeline.tuner.trial import Trial
from schemas.campaign import CandidateDecision, WeightValue

STEPS = 20
"""Steps between two candidates."""
PAIRS = 12
"""Pairs of games in one step: enough to pay for starting two snakes, few enough for many steps."""
REACH = 2.0
"""The two that play each other lie so many perturbations from the point, one on each side."""
RATE = 0.4
"""A step's winner that won everything draws the point this share of the way towards itself, at first and again after
each accepted candidate. These four numbers were chosen on simulated hills of 59 weights, not on snakes."""
RATE_DECAY = 0.8
"""After a candidate that was not kept the steps become smaller: near a top, noise is most of what moves the point."""
SMALLEST_RATE = 0.05
CLEAR_LOSS = 0.02
"""A candidate rejected with a loss of so much has gone astray: the search starts again from the best."""
_RATE_KEY = ":rate"


class SpsaSearch:
    """The point moves on from candidate to candidate, whether they are kept or not, until one clearly loses.

    Switches are left alone: there is no half-way between on and off to move along.

    Args:
        perturbation: relative size of a change, as for the other searches; here of every weight at once, times
            `REACH`, and at least one step of the weight.
    """

    def __init__(self, perturbation: float) -> None:
        self._perturbation = perturbation
        self._rate = RATE
        self._point: dict[str, float] = {}
        """Path -> position; a path that is missing stands where the best does."""

    def propose(self, best: Values, rules: Specification, random: Random, contest: Contest) -> Proposal:
        paths = [path for path in best if path in rules and rules[path].kind is not bool]
        for path in paths:
            self._point.setdefault(path, float(best[path]))
        for _ in range(STEPS):
            self._step(paths, best, rules, random, contest)
        return Proposal(_changes(self._point, paths, best, rules), "spsa")

    def _step(self, paths: list[str], best: Values, rules: Specification, random: Random, contest: Contest) -> None:
        reach = {path: self._reach(rules[path], self._point[path]) * random.choice((-1, 1)) for path in paths}
        forward = {path: self._point[path] + reach[path] for path in paths}
        backward = {path: self._point[path] - reach[path] for path in paths}
        score = contest(_changes(forward, paths, best, rules), _changes(backward, paths, best, rules), PAIRS)
        for path in paths:
            moved = self._point[path] + self._rate * (2 * score - 1) * reach[path]
            self._point[path] = min(max(moved, rules[path].low), rules[path].high)

    def _reach(self, rule: WeightRule, position: float) -> float:
        return max(REACH * self._perturbation * rule.scale(position), rule.step)

    def learn(self, best: Values, proposal: Proposal, trial: Trial) -> None:
        kept = trial.decision is CandidateDecision.ACCEPTED
        self._rate = RATE if kept else max(SMALLEST_RATE, RATE_DECAY * self._rate)
        lost = trial.decision is CandidateDecision.REJECTED and trial.deciding.gain <= -CLEAR_LOSS
        if lost or trial.decision is CandidateDecision.NOT_CONFIRMED:
            self._point = {}

    def state(self) -> dict[str, list[float]]:
        return {_RATE_KEY: [self._rate]} | {path: [position] for path, position in self._point.items()}

    def restore(self, state: Mapping[str, list[float]]) -> None:
        known = {path: entry[0] for path, entry in state.items() if len(entry) == 1}
        self._rate = known.pop(_RATE_KEY, RATE)
        self._point = known


def _changes(
    point: Mapping[str, float], paths: list[str], best: Values, rules: Specification
) -> dict[str, WeightValue]:
    fitted = {path: rules[path].fitted(point[path]) for path in paths}
    return {path: value for path, value in fitted.items() if value != best[path]}
