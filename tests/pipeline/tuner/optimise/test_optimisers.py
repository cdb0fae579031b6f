"""What every optimiser promises, whichever it is: one suite over all of them."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from simulated_hill import Climb, Hill, pair_scores

from pipeline.tuner.gate import GateRules
from pipeline.tuner.optimise import Answer, Optimiser, Question, SearchSpace, front
from pipeline.tuner.optimise.build import SHIPPED, strategy
from pipeline.tuner.optimise.optuna_search import CmaEs, Nsga2, Tpe
from pipeline.tuner.optimise.optuna_trials import MOST_PAIRS, OptunaTrials, pairs_of
from schemas.errors import SettingsError

HILL = Hill(dimensions=10, inert=2, interactions=3, to_gain=250.0, seed=5)
MIXED = SearchSpace((0.3, 0.5, 1.0, 0.0, 0.5, 0.9), (0, 0, 2, 2, 3, 0), (0.3, 0.5, 1.0, 1.0, 0.5, 0.9), 11)
GAIN_WANTED = {"random": 5.0, "momentum": 5.0}
"""Elo over the start after 6,000 games on `HILL`; 60 where nothing is said."""
NAMES = sorted(SHIPPED)
ROUNDS = {"gp": 4}
"""Of the longest histories below, where thinking is dear; 30 otherwise."""
WITHOUT_GP = [name for name in NAMES if name != "gp"]


def answers(questions: Sequence[Question], salt: int = 0) -> list[Answer]:
    """What the games of each question say: by its number, so that a repetition says the same."""
    told = []
    for question in questions:
        second = np.array(HILL.start if question.second is None else question.second)
        width = min(len(question.first), HILL.dimensions)
        away = float(np.sum((question.first[:width] - second[:width]) * (HILL.top - HILL.start)[:width]))
        scores = pair_scores(2000 * away, question.pairs, np.random.default_rng((salt, question.id)))
        told.append(Answer(question.id, tuple(scores.tolist())))
    return told


def steps(search: Optimiser, rounds: int, first_round: int = 0) -> list[str]:
    """Drive an optimiser, answers in reverse and one round late, each candidate judged; returns all that it did."""
    did: list[str] = []
    waiting: list[Question] = []
    for turn in range(first_round, first_round + rounds):
        asked = search.ask(3)
        did += [repr((q.id, q.first.tolist(), None if q.second is None else q.second.tolist(), q.pairs)) for q in asked]
        search.tell(answers(waiting[::-1]))
        waiting = asked
        point = search.candidate()
        if point is not None:
            did.append(repr(point.tolist()))
            assert np.array_equal(point, search.candidate())  # type: ignore[arg-type]
            search.judged(point, turn % 3 == 0, 0.04 if turn % 3 == 0 else -0.03)
    search.tell(answers(waiting))
    return did


@pytest.mark.parametrize("name", NAMES)
def test_the_same_history_gives_the_same_questions(name: str) -> None:
    made = strategy(name)
    rounds = ROUNDS.get(name, 30)
    first = steps(made.build(HILL.space(3)), rounds)
    assert first == steps(made.build(HILL.space(3)), rounds)
    assert first != steps(made.build(HILL.space(4)), rounds)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("before", [0, 36])
def test_restored_in_mid_flight_it_goes_on_as_if_undisturbed(name: str, before: int) -> None:
    made = strategy(name)
    undisturbed = made.build(HILL.space(3))
    before = min(before, ROUNDS.get(name, before))
    steps(undisturbed, before)
    open_questions = undisturbed.ask(4)
    again = made.restore(undisturbed.state())
    assert again.state() == undisturbed.state()
    for search in (undisturbed, again):
        search.tell(answers(open_questions[::-1]))
    rounds = ROUNDS.get(name, 20)
    assert steps(again, rounds, before) == steps(undisturbed, rounds, before)
    assert again.state() == undisturbed.state()


@pytest.mark.parametrize("name", WITHOUT_GP)
def test_every_point_is_in_the_cube_and_on_its_levels(name: str) -> None:
    search = strategy(name).build(MIXED)
    for turn in range(60):
        questions = search.ask(4)
        point = search.candidate()
        candidates = [] if point is None else [point]
        for place in [q.first for q in questions] + [q.second for q in questions if q.second is not None] + candidates:
            assert place.shape == (6,)
            assert place.dtype == np.float64
            assert np.all((place >= 0) & (place <= 1))
            for value, levels in zip(place.tolist(), MIXED.levels, strict=True):
                assert not levels or value * (levels - 1) == pytest.approx(round(value * (levels - 1)), abs=1e-12)
        search.tell(answers(questions, salt=turn))
        if point is not None:
            search.judged(point, turn % 2 == 0, 0.02)


@pytest.mark.parametrize("name", WITHOUT_GP)
def test_answers_may_be_lost_and_nobody_waits_for_them(name: str) -> None:
    """Every third question is never answered, every other third one comes back without games or with fewer."""
    search, moved = strategy(name).build(HILL.space(3)), 0
    for _ in range(80):
        questions = search.ask(3)
        for answer in answers(questions):
            if answer.question % 3 == 1:
                search.tell([Answer(answer.question, answer.scores[: answer.question % 2])])
            elif answer.question % 3 == 2:
                search.tell([answer])
        point = search.candidate()
        moved += len(questions) + (point is not None)
        if point is not None:
            search.judged(point, False, 0.0)
    assert moved >= 80, "it stopped asking"


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_to_no_open_question_is_refused(name: str) -> None:
    search = strategy(name).build(HILL.space(3))
    questions = search.ask(2)
    search.tell(answers(questions))
    for number in [question.id for question in questions] + [1000]:
        with pytest.raises(ValueError, match=f"question {number} is not open"):
            search.tell([Answer(number, (0.5,))])


@pytest.mark.parametrize("name", [name for name in WITHOUT_GP if name != "front"])  # which offers the gate nothing
def test_it_gains_on_the_hill(name: str) -> None:
    climb = Climb(HILL, strategy(name).build(HILL.space(1)), GateRules(max_seeds=500), 1).until(6000)
    assert HILL.elo(climb.champion) > GAIN_WANTED.get(name, 60.0)


@pytest.mark.parametrize("name", ["cma_es", "tpe", "nsga2", "front"])
def test_trials_get_twice_the_seeds_now_and_then(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All trials are the state: with as many seeds for each it would grow to hundreds of megabytes in weeks."""
    for of in (CmaEs, Tpe, Nsga2):
        monkeypatch.setattr(of, "method", replace(of.method, doubling=5))
    monkeypatch.setattr(front, "DOUBLING", 5)
    made, pairs = strategy(name), list[int]()
    search = made.build(HILL.space(3))
    for _ in range(17):
        asked = search.ask(1)
        pairs += [question.pairs for question in asked]
        search.tell(answers(asked))
        search = made.restore(search.state())
    assert pairs == [4] * 5 + [8] * 5 + [16] * 5 + [32] * 2
    of_before = {key: value for key, value in json.loads(search.state()).items() if key != "uncounted"}
    upgraded = made.restore(json.dumps(of_before).encode())
    assert [question.pairs for question in upgraded.ask(6)] == [8] * 5 + [16], "its trials all had eight"
    assert pairs_of(10**9, 5) == MOST_PAIRS


@pytest.mark.parametrize("sampler", ["cma_es", "tpe", "gp", "nsga2"])
def test_a_sampler_is_told_what_it_would_find_by_comparing_its_trials(sampler: str) -> None:
    trials = OptunaTrials(replace(MIXED, start=(*MIXED.start[:-1], 1.0), scale=(*MIXED.scale[:-1], 1e-20)), sampler)
    for number in range(3):
        trials.ask()
        own = trials.study.sampler
        told = [kind.infer_relative_search_space(own, trials.study, None) for kind in type(own).__mro__[:2]]  # type: ignore[arg-type, attr-defined]
        assert told[0] == told[1]
        assert list(told[0]) == list(told[1])
        assert bool(told[0]) is (number > 1)
        trials.tell(number, None if number == 0 else 5.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("state", [b"", b"{}", b"\xff", b'{"kind": "other", "version": 1}', b"[1]"])
def test_what_is_no_state_is_refused(name: str, state: bytes) -> None:
    with pytest.raises(ValueError):
        strategy(name).restore(state)


class Own:
    """A user's search: always the middle of the cube."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def ask(self, count: int) -> list[Question]:
        return []

    def tell(self, answers: Sequence[Answer]) -> None: ...

    def candidate(self) -> None: ...

    def judged(self, point: object, promoted: bool, gain: float) -> None: ...

    def state(self) -> bytes:
        return b""

    @classmethod
    def restore(cls, state: bytes) -> "Own":
        return cls(MIXED)


def test_a_class_of_ones_own_is_found_by_its_dotted_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "their_search", __import__("sys").modules[__name__])
    for name in ("their_search.Own", "their_search:Own"):
        made = strategy(name)
        assert type(made.build(MIXED)).__name__ == type(made.restore(b"")).__name__ == "Own"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("annealing", "there is no search called 'annealing'"),
        ("nowhere.Search", "cannot be imported: ModuleNotFoundError"),
        ("json.JSONDecoder", "it has no ask, tell, candidate, judged, state, restore"),
        ("json.loads", "it has no ask"),
    ],
)
def test_a_search_that_is_none_is_refused_in_a_sentence(name: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        strategy(name)
