"""How the next candidate is found: random changes of a few weights, with or without momentum."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from pipeline.tuner.specification import Specification
from pipeline.tuner.trial import Trial
from schemas.campaign import CandidateDecision, WeightValue

Values = Mapping[str, WeightValue]
"""Path -> value."""


@dataclass(frozen=True)
class Proposal:
    """A candidate to be judged."""

    changes: dict[str, WeightValue]
    """Path -> new value; only what differs from the best."""
    origin: str
    """How it was found, in a word or two, for the log."""


Contest = Callable[[Values, Values, int], float]
"""Play the configurations with the first and the second changes so many pairs of games on fresh seeds; returns the
first one's mean score, 0..1."""


class Search(Protocol):
    """A search strategy."""

    def propose(self, best: Values, rules: Specification, random: Random, contest: Contest) -> Proposal:
        """Find the next candidate; `contest` is for strategies that play games of their own."""
        ...

    def learn(self, best: Values, proposal: Proposal, trial: Trial) -> None:
        """Take note of how the proposal, made from `best`, fared."""
        ...

    def state(self) -> dict[str, list[float]]:
        """What has been learned, for the checkpoint."""
        ...

    def restore(self, state: Mapping[str, list[float]]) -> None:
        """Go on from what `state` gave."""
        ...


def random_changes(
    best: Values, rules: Specification, random: Random, magnitude: float, fewest: int, most: int
) -> dict[str, WeightValue]:
    """Change between `fewest` and `most` weights, each by about `magnitude` of its size, up or down.

    The size of each change is uniform between half and one and a half times `magnitude`, its sign a coin toss; whole
    numbers move by at least 1, switches are flipped. What `WeightRule.moved` says of bounds holds.
    """
    tunable = [path for path in best if path in rules]
    count = min(len(tunable), random.randint(fewest, most))
    changes: dict[str, WeightValue] = {}
    for path in random.sample(tunable, count):
        share = magnitude * random.uniform(0.5, 1.5) * random.choice((-1, 1))
        moved = rules[path].moved(best[path], share)
        if moved != best[path]:
            changes[path] = moved
    return changes


class RandomSearch:
    """The guide's: a random change of 3 to 5 weights of the best configuration, nothing remembered.

    Args:
        perturb: the change itself; `ContinuousTrainer.random_perturbation`, which users may override.
    """

    def __init__(self, perturb: Callable[[Values, Random], dict[str, WeightValue]]) -> None:
        self._perturb = perturb

    def propose(self, best: Values, rules: Specification, random: Random, contest: Contest) -> Proposal:
        return Proposal(self._perturb(best, random), "random")

    def learn(self, best: Values, proposal: Proposal, trial: Trial) -> None:
        pass

    def state(self) -> dict[str, list[float]]:
        return {}

    def restore(self, state: Mapping[str, list[float]]) -> None:
        pass


class MomentumSearch:
    """Random changes, but what helped is tried again, one and a half times as far, and what clearly lost the other way.

    A change lost clearly if its score lies below 0.5 by `CLEAR_LOSS` or more when it is rejected. Every idea is tried
    once; then the search is random again.
    """

    STRETCH = 1.5
    CLEAR_LOSS = 0.05

    def __init__(self, perturb: Callable[[Values, Random], dict[str, WeightValue]]) -> None:
        self._perturb = perturb
        self._idea: dict[str, float] = {}
        """Path -> change to add; empty: none."""

    def propose(self, best: Values, rules: Specification, random: Random, contest: Contest) -> Proposal:
        changes: dict[str, WeightValue] = {}
        for path, shift in self._idea.items():
            if path in rules and path in best:
                moved = rules[path].fitted(best[path] + shift)
                if moved != best[path]:
                    changes[path] = moved
        self._idea = {}
        return Proposal(changes, "momentum") if changes else Proposal(self._perturb(best, random), "random")

    def learn(self, best: Values, proposal: Proposal, trial: Trial) -> None:
        shifts = {path: float(value) - float(best[path]) for path, value in proposal.changes.items()}
        if trial.decision is CandidateDecision.ACCEPTED:
            self._idea = {path: self.STRETCH * shift for path, shift in shifts.items()}
        elif trial.decision is CandidateDecision.REJECTED and proposal.origin == "random":
            lost = trial.deciding.gain <= -self.CLEAR_LOSS
            self._idea = {path: -shift for path, shift in shifts.items()} if lost else {}

    def state(self) -> dict[str, list[float]]:
        return {path: [shift] for path, shift in self._idea.items()}

    def restore(self, state: Mapping[str, list[float]]) -> None:
        self._idea = {path: entry[0] for path, entry in state.items() if len(entry) == 1}
