"""Games of the arena: the same whatever the batch, and the same that the engine plays elsewhere."""

from typing import Any

import numpy as np
import pytest

from pipeline.engine import layout
from pipeline.engine.game_spec import RuleSettings
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.match import GameConditions, fresh_seeds, play_games
from pipeline.engine.tape_reading import TapeReader
from pipeline.simulator.competitor import Competitor, alone_among, every_seating, from_policy, heuristic, seatings_of
from pipeline.simulator.matches import Finished, play_matches
from schemas.errors import GameStateError, StoppedError

CROWD = GameConditions(snakes=4)


def same(one: Finished, two: Finished) -> bool:
    """Whether two calls' games are equal, tapes included."""
    return all(np.array_equal(a, b) for a, b in zip(one[:-1], two[:-1], strict=True)) and one.tapes == two.tapes


@pytest.fixture(scope="module")
def mixed(drawn: Any, eater: Any) -> list[Competitor]:
    """Four players: two policies, two heuristics."""
    return [from_policy(drawn("a")), heuristic("hungry"), from_policy(eater("b")), heuristic("random")]


@pytest.fixture(scope="module")
def reference(mixed: list[Competitor]) -> Finished:
    """Forty games of the four, one at a time."""
    return play_matches(
        mixed, *every_seating(seatings_of(4, 4), fresh_seeds(5, 10)), CROWD, tapes=True, games_at_once=1
    )


@pytest.mark.parametrize(("games_at_once", "threads"), [(7, 1), (64, 1), (7, 3)])
def test_batch_and_threads_do_not_matter(
    mixed: list[Competitor], reference: Finished, games_at_once: int, threads: int
) -> None:
    games = (reference.seatings, reference.seeds, CROWD)
    assert same(reference, play_matches(mixed, *games, tapes=True, games_at_once=games_at_once, threads=threads))


def test_order_does_not_matter(mixed: list[Competitor], reference: Finished) -> None:
    order = np.random.default_rng(3).permutation(len(reference.seeds))
    shuffled = play_matches(
        mixed, reference.seatings[order], reference.seeds[order], CROWD, tapes=True, games_at_once=9
    )
    back = np.argsort(order)
    assert same(reference, Finished(*(array[back] for array in shuffled[:-1]), [shuffled.tapes[i] for i in back]))


def test_heuristics_play_as_in_whole_compiled_games() -> None:
    names = ["strong", "hungry", "aggressive", "random"]
    seatings, seeds = every_seating(seatings_of(4, 4), fresh_seeds(8, 6))
    games = play_matches([heuristic(name) for name in names], seatings, seeds, CROWD, games_at_once=5)
    kinds = np.array([kind_of(name) for name in names], np.uint8)[seatings]
    elsewhere = play_games(kinds, seeds, CROWD)
    assert np.array_equal(games.deaths, elsewhere.deaths)
    assert np.array_equal(games.turns, elsewhere.turns)


def test_tapes_replay_to_what_is_told(reference: Finished) -> None:
    for game in range(0, len(reference.seeds), 4):
        reader = TapeReader(reference.tapes[game])
        assert reader.seed == reference.seeds[game]
        turns = sum(1 for _ in reader.turns()) - 1
        fields = reader.records.fields[0]
        blocks = fields[layout.HEADER : layout.HEADER + 4 * layout.SNAKE_FIELDS].reshape(4, layout.SNAKE_FIELDS)
        assert turns == reference.turns[game]
        assert np.array_equal(blocks[:, layout.LENGTH], reference.lengths[game])
        assert np.array_equal(blocks[:, layout.CAUSE], reference.causes[game])
        assert np.array_equal(reader.records.clock[0, layout.DEATHS :], reference.deaths[game])


def test_a_policy_is_asked_once_a_turn_for_all_its_rows(drawn: Any) -> None:
    policy = drawn("both")
    players = [from_policy(policy), from_policy(policy)]
    seatings, seeds = every_seating(seatings_of(2, 2), fresh_seeds(2, 8))
    games = play_matches(players, seatings, seeds, GameConditions(), games_at_once=16)
    assert len(policy.rows) == games.turns.max()
    assert policy.rows[0] == 32
    assert sum(policy.rows) == 2 * games.turns.sum()  # in a duel both live until the last turn


def test_a_slot_is_filled_again_at_once(drawn: Any) -> None:
    policy = drawn("busy")
    seatings, seeds = every_seating(seatings_of(2, 2), fresh_seeds(2, 40))
    play_matches([from_policy(policy), heuristic("random")], seatings, seeds, GameConditions(), games_at_once=8)
    full = [rows == 8 for rows in policy.rows]
    assert all(full[: full.index(False)])
    assert not any(full[full.index(False) :]), "once a slot stays empty there was no game left"
    assert full.count(True) > len(full) * 0.7


def test_the_turn_limit_is_a_draw_and_told() -> None:
    seatings, seeds = every_seating(seatings_of(2, 2), fresh_seeds(4, 5))
    games = play_matches([heuristic("strong"), heuristic("strong")], seatings, seeds, GameConditions(most_turns=20))
    assert (games.turns == 20).all()
    assert games.cut_off.all()
    assert (games.shares == 0.5).all()
    assert (games.ranks == 1).all()


def test_shares_split_the_first_place() -> None:
    seatings, seeds = every_seating(alone_among(4), fresh_seeds(11, 20))
    games = play_matches([heuristic("strong"), heuristic("random")], seatings, seeds, CROWD)
    assert np.allclose(games.shares.sum(1), 1)
    assert not games.cut_off.any()
    winners = (games.deaths == 0).sum(1)
    assert (games.shares[winners == 1].max(1) == 1).all()
    mine = games.shares[np.arange(80), np.tile(np.arange(4), 20)]
    assert mine.mean() > 0.7, "the strong heuristic beats three random ones nearly always"


def test_other_conditions(drawn: Any) -> None:
    conditions = GameConditions(9, 9, 3, "wrapped", "royale", RuleSettings(10, 30, 3, 5))
    players = [from_policy(drawn("a")), heuristic("voronoi"), heuristic("tail_chaser")]
    seatings, seeds = every_seating(seatings_of(3, 3), fresh_seeds(1, 4))
    games = play_matches(players, seatings, seeds, conditions, tapes=True, games_at_once=5)
    records = TapeReader(games.tapes[0]).records
    assert records.fields[0, [layout.WIDTH, layout.SNAKES, layout.DAMAGE]].tolist() == [9, 3, 10]
    assert all(games.tapes)


def test_stopping_hands_out_nothing() -> None:
    asked: list[int] = []
    seatings, seeds = every_seating(seatings_of(2, 2), fresh_seeds(4, 5))
    with pytest.raises(StoppedError, match="of 10 games"):
        play_matches(
            [heuristic("strong"), heuristic("hungry")], seatings, seeds, GameConditions(),
            stop=lambda: bool(asked.append(1) or len(asked) > 30),
        )  # fmt: skip


def test_progress_ends_at_all() -> None:
    told: list[tuple[int, int]] = []
    seatings, seeds = every_seating(seatings_of(2, 2), fresh_seeds(4, 9))
    play_matches([heuristic("random"), heuristic("hungry")], seatings, seeds, GameConditions(), games_at_once=4,
                 progress=lambda done, total: told.append((done, total)))  # fmt: skip
    assert told == sorted(set(told))
    assert told[-1] == (18, 18)


def test_no_games_is_no_error() -> None:
    nothing = play_matches([heuristic("random")], np.zeros((0, 2), np.uint8), np.zeros(0, np.int64), GameConditions())
    assert len(nothing.seeds) == len(nothing.shares) == 0


class Wrong:
    """Answers what it is told to."""

    name = "wrong"

    def __init__(self, answer: Any) -> None:
        self.choose = lambda observations, masks, draws: answer(len(draws))


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: np.zeros(rows + 1, np.uint8),
        lambda rows: np.zeros(rows, np.int64),
        lambda rows: np.full(rows, 4, np.uint8),
    ],
)
def test_a_policy_that_answers_no_moves_is_named(answer: Any) -> None:
    players = [from_policy(Wrong(answer)), heuristic("random")]
    with pytest.raises(ValueError, match="'wrong'"):
        play_matches(players, seatings_of(2, 2), fresh_seeds(1, 2), GameConditions())


def test_refusals(drawn: Any) -> None:
    players = [from_policy(drawn("a")), heuristic("random")]
    with pytest.raises(ValueError, match="there are 2"):
        play_matches(players, np.full((1, 2), 2, np.uint8), fresh_seeds(1, 1), GameConditions())
    with pytest.raises(ValueError, match="do not fit"):
        play_matches(players, seatings_of(2, 2), fresh_seeds(1, 3), GameConditions())
    with pytest.raises(ValueError, match="at least 1"):
        play_matches(players, seatings_of(2, 2), fresh_seeds(1, 2), GameConditions(), games_at_once=0)
    with pytest.raises(GameStateError, match="does not fit"):
        play_matches(players, seatings_of(2, 2), fresh_seeds(1, 2), GameConditions(19, 19))
    with pytest.raises(KeyError, match="known are random"):
        heuristic("nobody")
    with pytest.raises(ValueError, match="CALLER"):
        Competitor("lost", 255)


def test_seatings() -> None:
    assert seatings_of(3, 3).tolist() == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    assert seatings_of(2, 4).tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]
    assert alone_among(3).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    with pytest.raises(ValueError, match="cannot share"):
        seatings_of(3, 4)
    seatings, seeds = every_seating(seatings_of(2, 2), np.array([5, 6]))
    assert seatings.tolist() == [[0, 1], [1, 0]] * 2
    assert seeds.tolist() == [5, 5, 6, 6]
