"""How two configurations are compared: which games, and what they say."""

from dataclasses import replace

import pytest

from pipeline.tuner.contest import Contest
from pipeline.tuner.jobs import GameResult, JobKind, JobResult, Participant, PlayConditions, SourceKind
from schemas.tuning import Objective

ONE, TWO, RIVAL = (Participant(SourceKind.WEIGHTS, text) for text in ("one", "two", "rival"))


def contest(objective: Objective = Objective.DUEL, opponents: tuple[Participant, ...] = ()) -> Contest:
    seeds = (11, 12, 13, 14)
    return Contest("c", JobKind.GATE, ONE, TWO, seeds, PlayConditions(), objective, opponents)


def game(seed: int, rotation: tuple[int, ...], died_on: tuple[int, ...], failures: tuple[str, ...] = ()) -> GameResult:
    seats = len(rotation)
    blank = ("",) * seats
    return GameResult(
        seed, rotation, (0.0,) * seats, 90, (3,) * seats, died_on, blank, failures or blank, (1.0,) * seats,
        f"{seed} {died_on}",
    )  # fmt: skip


def results(contest: Contest, died_on: dict[str, tuple[int, ...]], failed: int | None = None) -> dict[str, JobResult]:
    """Every game of a job ends alike: by participant, the turn on which its snakes die."""
    found = {}
    for job in contest.jobs:
        ends = died_on[job.id]
        games = tuple(
            game(
                seed,
                rotation,
                tuple(ends[who] for who in rotation),
                tuple("timeout" if who == failed else "" for who in rotation),
            )
            for seed, rotation in job.games
        )
        found[job.id] = JobResult(job.id, games)
    return found


def test_without_opponents_the_two_play_each_other_from_both_seats() -> None:
    (job,) = contest().jobs
    assert job.line == (0, 1)
    assert len(job.games) == 8
    scores = contest().scores(results(contest(), {"c/duel": (0, 40)}), candidate_first=True)
    assert [(score.own, score.gain, score.unchanged) for score in scores] == [(1.0, 0.5, False)] * 4


def test_the_very_same_games_are_known_as_unchanged() -> None:
    same = {"c/duel": JobResult("c/duel", tuple(game(s, r, (0, 40)) for s, r in contest().jobs[0].games))}
    scores = contest().scores(same, candidate_first=True)
    assert [(score.gain, score.unchanged) for score in scores] == [(0.0, True)] * 4


def test_against_opponents_the_gain_is_the_difference_on_the_same_seeds() -> None:
    played = contest(opponents=(RIVAL,))
    assert [job.id for job in played.jobs] == ["c/duel/0/first", "c/duel/0/second"]
    ends = {"c/duel/0/first": (0, 30), "c/duel/0/second": (30, 0)}
    scores = played.scores(results(played, ends), candidate_first=True)
    assert {(score.own, score.gain) for score in scores} == {(1.0, 1.0)}


def test_several_opponents_and_both_kinds_of_games_take_turns_and_go_on_where_the_block_before_ended() -> None:
    rivals = (RIVAL, replace(RIVAL, text="other"))
    whole = Contest("w", JobKind.GATE, ONE, TWO, tuple(range(8)), PlayConditions(), Objective.MIXED, rivals)
    late = replace(whole, seeds=tuple(range(4, 8)), offset=4)

    def of_seeds(part: Contest) -> set[tuple[int, tuple[int, ...], str]]:
        return {(seed, job.line, job.participants[1].text) for job in part.jobs for seed in job.seeds if seed >= 4}

    assert of_seeds(whole) == of_seeds(late)
    assert len({(line, rival) for _, line, rival in of_seeds(whole)}) == 4


def test_in_games_of_four_every_place_counts() -> None:
    """Second and third place of two sides: each of ours outlives one of theirs."""
    played = contest(Objective.STANDARD)
    (job,) = played.jobs
    assert job.line == (0, 1, 0, 1)
    games = []
    for seed, rotation in job.games:
        seen: dict[int, int] = {}
        ends = []
        for who in rotation:
            seen[who] = seen.get(who, 0) + 1
            ends.append({(0, 1): 70, (0, 2): 60, (1, 1): 0, (1, 2): 20}[who, seen[who]])
        games.append(game(seed, rotation, tuple(ends)))
    scores = played.scores({job.id: JobResult(job.id, tuple(games))}, candidate_first=True)
    assert {score.own for score in scores} == {0.5}


@pytest.mark.parametrize(
    ("died_on", "failed", "candidate_first", "own"),
    [
        ((0, 40), 1, True, 0.5),  # the champion was late: no win for the candidate
        ((40, 0), 1, True, 0.0),  # but its loss stays one
        ((40, 0), 0, True, 0.0),  # the candidate's own failure counts as the game went
        ((40, 0), 0, False, 0.5),  # between two explorers neither gains by it
    ],
)
def test_nobody_wins_by_the_other_sides_time_outs(
    died_on: tuple[int, int], failed: int, candidate_first: bool, own: float
) -> None:
    found = results(contest(), {"c/duel": died_on}, failed)
    assert {score.own for score in contest().scores(found, candidate_first=candidate_first)} == {own}
