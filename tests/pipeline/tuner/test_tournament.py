"""Tournaments: who meets whom, that they resume, and that the ratings find the strength that is there."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_hill import gain_of

from pipeline.tuner.jobs import GameResult, JobResult, MatchJob, Participant, PlayConditions, SourceKind
from pipeline.tuner.tournament import Entrant, Tournament, gauntlet, round_robin, swiss_round, table_of


def field(count: int, seeds: int = 4) -> Tournament:
    entrants = tuple(Entrant(f"snake {n}", Participant(SourceKind.URL, f"http://snake-{n}")) for n in range(count))
    return Tournament(entrants, tuple(range(100, 100 + seeds)), PlayConditions(), "cup")


def strength(participant: Participant) -> float:
    """Each snake is 60 Elo better than the one before."""
    return 60.0 * int(participant.text.rpartition("-")[2])


def play(job: MatchJob) -> JobResult:
    """Games drawn by the logistic law, seat by seat: the one who is drawn last to lose lives longest."""
    games = []
    for seed in job.seeds:
        for rotation in job.rotations:
            random = np.random.default_rng((seed, *(ord(letter) for letter in job.id), *rotation))
            power = np.array([10 ** (strength(job.participants[who]) / 400) for who in rotation])
            order = np.argsort(-(np.log(power) + random.gumbel(size=len(power)))).tolist()
            died = [0] * len(order)
            for place, seat in enumerate(order[1:], start=1):
                died[seat] = 100 - place
            scores = tuple(float(seat == order[0]) for seat in range(len(order)))
            blank = ("",) * len(order)
            games.append(GameResult(seed, rotation, scores, 99, (3,) * len(order), tuple(died), blank, blank, (), "t"))
    return JobResult(job.id, tuple(games))


def test_everybody_meets_everybody_once_and_a_gauntlet_is_one_against_all() -> None:
    met = [tuple(map(int, job.id.split(":")[1].split("-"))) for job in round_robin(field(5))]
    assert met == list(combinations(range(5), 2))
    assert [job.id for job in gauntlet(field(4), first=2)] == ["cup:2-0", "cup:2-1", "cup:2-3"]
    assert [len(job.rotations) for job in round_robin(field(5), seats=4)] == [4] * 5


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9))
def test_swiss_neighbours_never_meet_twice_and_in_the_end_all_have_met(count: int) -> None:
    cup, results = field(count, seeds=1), {}
    rounds = []
    while jobs := swiss_round(cup, results):
        assert swiss_round(cup, results) == jobs
        rounds.append([frozenset(map(int, job.id.split(":")[1].split("-"))) for job in jobs])
        assert len(frozenset().union(*rounds[-1])) == 2 * len(jobs)
        results |= {job.id: play(job) for job in jobs}
        assert len(rounds) <= count * count
    met = [pair for pairs in rounds for pair in pairs]
    assert len(met) == len(set(met)) == count * (count - 1) // 2
    assert len(rounds[0]) == count // 2


def test_the_first_swiss_rounds_bring_the_strong_together() -> None:
    cup, results = field(8, seeds=60), {}
    for _ in range(3):
        results |= {job.id: play(job) for job in swiss_round(cup, results)}
    assert "cup:6-7" in results
    table = table_of(cup, results, 1)
    assert [row.name for row in table.standings[:2]] == ["snake 7", "snake 6"]
    assert len(table.pairings) == 12


@pytest.mark.parametrize("seats", [2, 4])
def test_ratings_find_the_strengths_that_are_there(seats: int) -> None:
    cup = field(5, seeds=150)
    table = table_of(cup, {job.id: play(job) for job in round_robin(cup, seats)}, 1)
    assert [row.name for row in table.standings] == [f"snake {n}" for n in (4, 3, 2, 1, 0)]
    for row in table.standings:
        truth = 60.0 * int(row.name[-1]) - 120
        assert row.elo_low - 15 < truth < row.elo_high + 15
        assert abs(row.elo - truth) < 40
    assert table.games == sum(len(job.seeds) * len(job.rotations) for job in round_robin(cup, seats))


def test_a_gauntlets_table_leaves_open_who_did_not_meet() -> None:
    cup = field(3, seeds=40)
    table = table_of(cup, {job.id: play(job) for job in gauntlet(cup, first=2)}, 1)
    assert {(row.first, row.second) for row in table.pairings} == {("snake 0", "snake 2"), ("snake 1", "snake 2")}
    (nearer,) = [row for row in table.pairings if row.first == "snake 1"]
    assert nearer.low < 0.5 - gain_of(60.0) < nearer.high
    rows = table.cross_table().splitlines()
    assert rows[2].startswith("| snake 2 |")
    assert rows[2].count("|  |") == 1  # against itself
    assert rows[3].count(" |  |") == 2 or "|  |  |" in rows[3]


def test_a_tournament_resumes_by_its_jobs_names_and_other_jobs_do_not_disturb_it() -> None:
    cup = field(4)
    every = {job.id: play(job) for job in round_robin(cup)}
    half = dict(list(every.items())[:3])
    missing = [job for job in round_robin(cup) if job.id not in half]
    resumed = half | {job.id: play(job) for job in missing}
    strange = {"probe:0-1": every["cup:0-1"], "other": every["cup:0-1"]}
    assert table_of(cup, resumed | strange, 1) == table_of(cup, every, 1)
    assert table_of(cup, half, 1).games < table_of(cup, every, 1).games


def test_who_does_not_answer_is_counted() -> None:
    cup = field(2, seeds=1)
    (job,) = round_robin(cup)
    first, second = play(job).games
    failed = GameResult(
        first.seed, first.rotation, (0.0, 1.0), 3, (3, 3), (3, 0), ("", ""), ("timeout", ""), (), first.transcript
    )
    table = table_of(cup, {job.id: JobResult(job.id, (failed, second))}, 1)
    assert {row.name: row.failures for row in table.standings} == {"snake 0": 1, "snake 1": 0}


@pytest.mark.parametrize(
    ("entrants", "words"),
    [
        ([("a", "1")], "at least two"),
        ([("a", "1"), ("a", "2")], "names that differ; twice or more: a"),
        ([("a", "1"), ("b", "1")], "the same snake"),
    ],
)
def test_a_field_that_is_none_is_refused(entrants: list[tuple[str, str]], words: str) -> None:
    players = tuple(Entrant(name, Participant(SourceKind.URL, text)) for name, text in entrants)
    with pytest.raises(ValueError, match=words):
        Tournament(players, (1,), PlayConditions(), "cup")


def test_nothing_played_is_no_table() -> None:
    with pytest.raises(ValueError, match="no game"):
        table_of(field(2), {}, 1)


def test_a_name_breaks_no_table() -> None:
    players = (
        Entrant("a|b\n", Participant(SourceKind.URL, "http://snake-1")),
        Entrant("c", Participant(SourceKind.URL, "http://snake-0")),
    )
    cup = Tournament(players, (1, 2), PlayConditions(), "cup")
    rows = table_of(cup, {job.id: play(job) for job in round_robin(cup)}, 1).cross_table().splitlines()
    assert len(rows) == 4
    assert any(row.startswith("| a\\|b? |") for row in rows)
