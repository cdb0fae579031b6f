"""Search strategies: random, momentum, and simultaneous perturbation."""

from collections.abc import Mapping
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tuner.search import MomentumSearch, Proposal, RandomSearch, Values, random_changes
from pipeline.tuner.specification import specify
from pipeline.tuner.spsa import SpsaSearch
from pipeline.tuner.trial import Games, Trial
from pipeline.tuner.weights import parse
from schemas.campaign import CandidateDecision, WeightValue

FILE = parse("".join(f"w{number}: {10.0 + number}\n" for number in range(12)) + "n: 5\non: true\n", "t.yaml")
RULES = specify(FILE, None)
BEST = FILE.values


def no_contest(_first: Values, _second: Values, _pairs: int) -> float:
    raise AssertionError("this search plays no games of its own")


def trial(decision: CandidateDecision, gain: float) -> Trial:
    return Trial(decision, Games(own=[0.5 + gain], gains=[0.5 + gain], games=2), None, 0.0)


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_a_random_change_is_of_three_to_five_weights_by_about_15_percent(seed: int) -> None:
    changes = random_changes(BEST, RULES, Random(seed), 0.15, 3, 5)
    assert 3 <= len(changes) <= 5
    assert changes == random_changes(BEST, RULES, Random(seed), 0.15, 3, 5)
    for path, value in changes.items():
        assert type(value) is type(BEST[path])
        if isinstance(value, float):
            assert 0.074 <= abs(value - BEST[path]) / BEST[path] <= 0.226


def test_few_weights_are_all_there_is() -> None:
    file = parse("a: 1.0\nb: 2.0\n", "t.yaml")
    assert len(random_changes(file.values, specify(file, None), Random(1), 0.15, 3, 5)) == 2


def perturb(_best: Values, _random: Random) -> dict[str, WeightValue]:
    return {"w0": 12.0, "n": 6}


def test_random_search_proposes_what_the_perturbation_gives() -> None:
    search = RandomSearch(perturb)
    assert search.propose(BEST, RULES, Random(1), no_contest) == Proposal({"w0": 12.0, "n": 6}, "random")
    assert search.state() == {}


def test_momentum_goes_on_where_it_was_accepted() -> None:
    search = MomentumSearch(perturb)
    proposal = search.propose(BEST, RULES, Random(1), no_contest)
    search.learn(BEST, proposal, trial(CandidateDecision.ACCEPTED, 0.1))
    saved = search.state()
    again = MomentumSearch(perturb)
    again.restore(saved)
    now = dict(BEST) | proposal.changes
    assert again.propose(now, RULES, Random(1), no_contest) == Proposal({"w0": 15.0, "n": 8}, "momentum")
    assert again.propose(now, RULES, Random(1), no_contest).origin == "random"


def test_momentum_turns_round_after_a_clear_loss_once() -> None:
    search = MomentumSearch(perturb)
    proposal = search.propose(BEST, RULES, Random(1), no_contest)
    search.learn(BEST, proposal, trial(CandidateDecision.REJECTED, -0.2))
    turned = search.propose(BEST, RULES, Random(1), no_contest)
    assert turned == Proposal({"w0": 8.0, "n": 4}, "momentum")
    search.learn(BEST, turned, trial(CandidateDecision.REJECTED, -0.2))
    assert search.propose(BEST, RULES, Random(1), no_contest).origin == "random"


def test_momentum_forgets_a_change_that_hardly_lost() -> None:
    search = MomentumSearch(perturb)
    search.learn(BEST, search.propose(BEST, RULES, Random(1), no_contest), trial(CandidateDecision.REJECTED, -0.01))
    assert search.propose(BEST, RULES, Random(1), no_contest).origin == "random"


class Hill:
    """Games on a known hill: the strength of a configuration falls with its distance from the top."""

    def __init__(self, top: Mapping[str, float], noise: Random) -> None:
        self._top, self._noise = top, noise
        self.games = 0

    def strength(self, changes: Values) -> float:
        values = dict(BEST) | dict(changes)
        return -sum(((float(values[path]) - goal) / 10) ** 2 for path, goal in self._top.items())

    def contest(self, first: Values, second: Values, pairs: int) -> float:
        wins = min(1.0, max(0.0, 0.5 + (self.strength(first) - self.strength(second)) / 2))
        self.games += 2 * pairs
        return sum(self._noise.random() < wins for _ in range(2 * pairs)) / (2 * pairs)


def test_spsa_climbs_a_hill_that_it_only_sees_through_noisy_games() -> None:
    """Six of twelve weights matter; after 400 steps most of the way is gone, and switches are as they were."""
    top = {f"w{number}": BEST[f"w{number}"] + (5 if number % 2 else -5) for number in range(6)}
    hill, search = Hill(top, Random(4)), SpsaSearch(0.15)
    proposal = Proposal({}, "none")
    for turn in range(20):
        proposal = search.propose(BEST, RULES, Random(turn), hill.contest)
    assert hill.strength({}) < -1.4
    assert hill.strength(proposal.changes) > -0.5
    assert "on" not in proposal.changes
    assert all(type(value) is type(BEST[path]) for path, value in proposal.changes.items())
    assert all(RULES[path].low <= value <= RULES[path].high for path, value in proposal.changes.items())


def test_spsa_goes_on_from_its_point_until_a_candidate_clearly_loses() -> None:
    hill, search = Hill({"w0": 20.0}, Random(4)), SpsaSearch(0.15)
    proposal = search.propose(BEST, RULES, Random(1), hill.contest)
    search.learn(BEST, proposal, trial(CandidateDecision.REJECTED, 0.01))
    saved = search.state()
    assert set(saved) == (set(BEST) - {"on"}) | {":rate"}
    assert saved[":rate"][0] < SpsaSearch(0.15).state()[":rate"][0]
    again = SpsaSearch(0.15)
    again.restore(saved)
    assert again.state() == saved
    again.learn(BEST, proposal, trial(CandidateDecision.REJECTED, -0.1))
    assert set(again.state()) == {":rate"}
    again.learn(BEST, proposal, trial(CandidateDecision.ACCEPTED, 0.1))
    assert again.state() == SpsaSearch(0.15).state()
