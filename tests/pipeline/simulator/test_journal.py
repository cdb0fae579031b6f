"""A journal of games: what was played is not played again, whatever interrupted it, and tells the same."""

import numpy as np
import pytest

from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.simulator.competitor import every_seating, heuristic, seatings_of
from pipeline.simulator.journal import GameJournal
from pipeline.simulator.matches import Finished, play_matches
from schemas.errors import StoppedError

PLAYERS = [heuristic("hungry"), heuristic("aggressive")]
SMALL = GameConditions(width=7, height=7, snakes=2)


def ask(journal, seeds, **options):
    return journal.play(PLAYERS, *every_seating(seatings_of(2, 2), seeds), SMALL, **options)


def same(one: Finished, other: Finished) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_games_are_those_that_play_matches_plays_and_none_is_played_twice(tmp_path):
    seeds = fresh_seeds(3, 6)
    journal = GameJournal(tmp_path / "judging" / "m.jsonl")
    first = ask(journal, seeds, tapes=True)
    assert same(first, play_matches(PLAYERS, *every_seating(seatings_of(2, 2), seeds), SMALL, tapes=True))
    nobody = GameJournal(journal.path, play=lambda *_, **__: pytest.fail("played again"))
    assert same(ask(nobody, seeds, tapes=True), first)
    assert same(ask(journal, seeds[3:5], tapes=True), ask(GameJournal(journal.path), seeds[3:5], tapes=True))


def test_an_interrupted_judgement_goes_on_game_by_game(tmp_path):
    seeds = fresh_seeds(4, 20)
    path, turns = tmp_path / "m.jsonl", iter(range(10_000))
    with pytest.raises(StoppedError):
        ask(GameJournal(path), seeds, stop=lambda: next(turns) > 25)
    kept = len(GameJournal(path))
    assert 0 < kept < 40
    played = []

    def counted(players, seatings, seeds, *rest, **options):
        played.append(len(seeds))
        return play_matches(players, seatings, seeds, *rest, **options)

    whole = ask(GameJournal(path, play=counted), seeds)
    assert played == [40 - kept]
    assert same(whole, play_matches(PLAYERS, *every_seating(seatings_of(2, 2), seeds), SMALL))


@pytest.mark.parametrize("torn", [b'{"key": "ab", "ranks": [1', b"\x00\x00\x00", b'{"ranks": []}\n', b"7\n"])
def test_a_torn_line_costs_its_game_alone(tmp_path, torn):
    seeds, path = fresh_seeds(5, 3), tmp_path / "m.jsonl"
    whole = ask(GameJournal(path), seeds)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + torn)
    again = GameJournal(path)
    assert len(again) == 4
    assert same(ask(again, seeds), whole)
    assert len(GameJournal(path)) == 6


def test_other_players_conditions_or_seeds_are_other_games(tmp_path):
    seeds, journal = fresh_seeds(6, 2), GameJournal(tmp_path / "m.jsonl")
    ask(journal, seeds)
    journal.play(PLAYERS[::-1], *every_seating(seatings_of(2, 2), seeds), SMALL)
    assert len(journal) == 4, "the same two players, named in another order, sat in the same seats"
    journal.play([PLAYERS[0], PLAYERS[0]], *every_seating(seatings_of(2, 2), seeds), SMALL)
    journal.play(PLAYERS, *every_seating(seatings_of(2, 2), seeds), GameConditions(width=9, height=9, snakes=2))
    assert len(journal) == 4 + 2 + 4
