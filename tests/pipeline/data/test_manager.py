"""The data manager and the collector: games are really played, stored once, and told of truly."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.heuristic_games import BattlesnakeDataCollector, HeuristicMix
from pipeline.data.manager import SelfPlayDataManager
from pipeline.data.positions import held_back, positions_of, split_by_game
from pipeline.data.stored_game import StoredGame, game_id_of
from pipeline.engine.players.kinds import kind_of
from pipeline.simulator.competitor import Competitor, from_policy, heuristic
from schemas.errors import BadInputError, DataError, StoppedError
from schemas.self_play import OpponentShare
from schemas.settings import Settings
from schemas.training import DataSettings

GOLDEN = Path(__file__).parents[2] / "golden" / "game_logs"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
QUICK = HeuristicMix("aggressive", [OpponentShare(kind="hungry", weight=2), OpponentShare(kind="random", weight=1)])


def manager_in(folder: Path, seed: int = 1, **data: object) -> SelfPlayDataManager:
    return SelfPlayDataManager(Settings(home=folder, data=DataSettings(**data)), seed=seed)


def test_heuristics_play_for_supervision(tmp_path: Path) -> None:
    manager = manager_in(tmp_path)
    told: list[tuple[int, int]] = []
    made = manager.collect_heuristic_supervision_data(
        30, parallel_processes=2, mix=QUICK, now=NOW, report=lambda *n: told.append(n)
    )
    assert len(made) == made.new == 30
    assert told == [(15, 30), (30, 30)]
    assert Counter(len(game.players) for game in made) == {2: 15, 4: 15}
    seats = Counter()
    for game in made:
        teachers = [seat for seat, name in enumerate(game.players) if name == "heuristic:aggressive"]
        assert list(game.seats_to_learn) == teachers != []
        assert game.source == "heuristic_supervision"
        assert game.played_at == NOW
        seats.update(teachers)
    assert set(seats) == {0, 1, 2, 3}
    assert len({game.seed for game in made}) == 30
    assert made.statistics["samples"] == sum(game.decisions for game in made)
    assert manager.store.read() != []


def test_equal_seeds_give_equal_games_however_many_threads(tmp_path: Path) -> None:
    one, other = manager_in(tmp_path / "a"), manager_in(tmp_path / "b")
    first = one.collect_heuristic_supervision_data(8, 1, mix=QUICK, now=NOW).games
    assert other.collect_heuristic_supervision_data(8, 2, mix=QUICK, now=NOW).games == first
    assert one.collect_heuristic_supervision_data(8, 1, mix=QUICK, now=NOW).new == 8
    assert manager_in(tmp_path / "a").collect_heuristic_supervision_data(8, 1, mix=QUICK, now=NOW).new == 0


def test_the_settings_say_who_teaches(tmp_path: Path) -> None:
    made = manager_in(tmp_path, teacher="voronoi").collect_heuristic_supervision_data(2, now=NOW)
    assert all("heuristic:voronoi" in game.players for game in made)


def test_a_teacher_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no player kind is called 'genius'"):
        manager_in(tmp_path, teacher="genius").collect_heuristic_supervision_data(2)


def test_a_stop_keeps_what_was_stored(tmp_path: Path) -> None:
    manager, stored = manager_in(tmp_path), []
    with pytest.raises(StoppedError):
        manager.collect_heuristic_supervision_data(
            30, 1, mix=QUICK, now=NOW, stop=lambda: bool(stored), report=lambda done, _: stored.append(done)
        )
    assert manager.store.counts().games == stored[0] == 15


class First:
    """Takes the first legal move."""

    name = "model:first"

    def choose(self, observations: object, masks: np.ndarray, draws: np.ndarray) -> np.ndarray:
        return masks.argmax(1).astype(np.uint8)


def known(name: str) -> Competitor:
    return from_policy(First()) if name == "champion" else heuristic(name)


def test_pairs_play_each_other_from_both_seats(tmp_path: Path) -> None:
    manager = SelfPlayDataManager(Settings(home=tmp_path), players=known, seed=3)
    made = manager.collect_self_play_data([("champion", "hungry"), ("hungry", "hungry")], games_per_pair=6, now=NOW)
    assert len(made) == 12
    seatings = Counter(game.players for game in made.games[:6])
    assert seatings == {("model:first", "heuristic:hungry"): 3, ("heuristic:hungry", "model:first"): 3}
    assert len({game.seed for game in made.games[:6]}) == 3
    assert all(game.seats_to_learn == (() if game.winner is None else (game.winner,)) for game in made)
    assert manager.store.counts().by_source["self_play"] == made.new
    for game in made.games[:6]:
        seen = positions_of([game])
        mine = seen.rows(seen.seats == game.players.index("model:first"))
        assert (mine.moves == mine.masks.argmax(1)).all()


def test_an_unknown_player_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="champion"):
        manager_in(tmp_path).collect_self_play_data([("champion", "strong")], games_per_pair=2)


def test_games_of_others_are_imported_once(tmp_path: Path) -> None:
    manager = manager_in(tmp_path)
    files = sorted(GOLDEN.glob("*.cli.jsonl.gz"))
    first = manager.import_external_games(GOLDEN, NOW)
    assert (len(first), first.already_there) == (len(files), len(files))
    (tmp_path / "torn.jsonl").write_text('{"a": 1')
    again = manager.import_external_games([files[0], str(files[1]), tmp_path / "torn.jsonl", 7], NOW)
    assert (again.new, again.already_there) == (0, 2)
    assert [refused.where for refused in again.refused] == [str(tmp_path / "torn.jsonl"), "int"]
    with pytest.raises(BadInputError, match="no such file"):
        manager.import_external_games("nowhere", NOW)
    assert manager.get_data_statistics()["games_by_source"] == {"imported": len(files)}


def test_sources_are_asked(tmp_path: Path, games: list[StoredGame]) -> None:
    class Source:
        def collect_game_data(self, num_games: int) -> object:
            return games[:num_games]

    class Nothing:
        def collect_game_data(self, num_games: int) -> None:
            return None

    manager = manager_in(tmp_path)
    manager.add_data_source(Source())
    assert len(manager.collect_from_data_sources(4)) == 4
    assert manager.collect_from_data_sources(5).already_there == 4
    with pytest.raises(DataError, match="no method collect_game_data"):
        manager.add_data_source(object())  # type: ignore[arg-type]
    manager.add_data_source(Nothing())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="Nothing"):
        manager.collect_from_data_sources(1)


def test_statistics_and_analysis_are_those_of_the_games(tmp_path: Path, games: list[StoredGame]) -> None:
    manager = manager_in(tmp_path, quality_threshold=0.6)
    empty = manager.get_data_statistics(), manager.get_data_quality_analysis()
    assert empty[0]["total_games"] == empty[1]["games_analysed"] == empty[0]["average_quality_score"] == 0
    manager.import_external_games(games)
    told, analysed = manager.get_data_statistics(), manager.get_data_quality_analysis()
    assert told["total_games"] == analysed["games_analysed"] == len(games)
    assert told["total_samples"] == len(positions_of(games))
    assert told["average_quality_score"] == pytest.approx(np.mean([game.quality for game in games]))
    assert told["avg_game_length"] == analysed["avg_game_length"] == np.mean([game.turns for game in games])
    assert analysed["usable_share"] == np.mean([game.quality >= 0.6 for game in games])
    deaths = Counter(cause for game in games for cause in game.causes if cause)
    assert len(analysed["causes_of_death"]) == len(deaths)
    assert sum(analysed["causes_of_death"].values()) == pytest.approx(1)
    wins = Counter(game.players[game.winner] for game in games if game.winner is not None)
    assert {name: row["wins"] for name, row in analysed["players"].items()} == {
        name: wins[name] for name in sorted({player for game in games for player in game.players})
    }
    assert 0 < analysed["strategy_diversity"] <= 1
    assert {game.game_id for game in manager.training_games()} == {
        game.game_id for game in games if game.quality >= 0.6
    }


def test_what_is_too_old_or_too_many_goes(tmp_path: Path, games: list[StoredGame]) -> None:
    manager = manager_in(tmp_path, max_games=20, games_per_file=9, keep_days=30)
    assert manager.import_external_games(games, NOW).new == len(games)
    assert manager.get_data_statistics()["total_games"] == 18
    manager.import_external_games([], NOW + timedelta(days=31))
    assert manager.get_data_statistics()["total_games"] == 0


def test_a_game_validates_always_or_never(games: list[StoredGame]) -> None:
    positions = positions_of(games, every=40)
    ids = [game.game_id for game in games]
    training, validation = split_by_game(positions, ids, 0.4)
    assert len(training) + len(validation) == len(positions)
    validating = {ids[game] for game in validation.game}
    assert not validating & {ids[game] for game in training.game}
    assert 0.2 < len(validating) / len(games) < 0.6
    later = games[::-1][:30]  # other games beside them, in another order: a later round's
    ids = [game.game_id for game in later]
    again = split_by_game(positions_of(later, every=40), ids, 0.4)[1]
    assert {ids[game] for game in again.game} == validating & set(ids)


@given(st.integers(0, 2**32), st.integers(2, 40), st.floats(0.001, 0.89), st.floats(0.001, 0.89))
def test_a_larger_share_holds_back_what_a_smaller_one_does(first: int, count: int, one: float, other: float) -> None:
    ids = [game_id_of(b"%d" % (first + game)) for game in range(count)]
    smaller, larger = (held_back(ids, share) for share in sorted((one, other)))
    assert 0 < smaller.sum() < count and 0 < larger.sum() < count
    assert not (smaller & ~larger).any()
    shares = [int(game_id[:16], 16) / 2**64 < max(one, other) for game_id in ids]
    if any(shares) and not all(shares):
        assert larger.tolist() == shares, "by the id alone, whoever else is there"


def test_one_game_cannot_be_divided(games: list[StoredGame]) -> None:
    with pytest.raises(DataError, match="1 game"):
        split_by_game(positions_of(games[:1]), [games[0].game_id], 0.5)


def test_the_collector_plays_as_configured(tmp_path: Path) -> None:
    collector = BattlesnakeDataCollector("aggressive", seed=4)
    made = collector.collect_batch_games(6, {"width": 7, "height": 9, "timeout": 500})
    assert len(made) == 6
    assert {(game.width, game.height) for game in made} == {(7, 9)}
    three = collector.collect_batch_games(2, {"snakes": 3, "ruleset": "wrapped", "settings": {"minimumFood": 5}})
    assert [(len(game.players), game.ruleset) for game in three] == [(3, "wrapped")] * 2
    assert manager_in(tmp_path).import_external_games(three).new == 2
    for wrong in ({"breadth": 7}, {"timeout": 0}, {"ruleset": "chess"}, {"width": 99}):
        with pytest.raises(BadInputError):
            collector.collect_batch_games(2, wrong)


def test_teachers_move_as_positions_say(tmp_path: Path) -> None:
    """What was played by the teacher's seat is what the teacher would play there."""
    made = manager_in(tmp_path).collect_heuristic_supervision_data(4, mix=QUICK, now=NOW)
    played = positions_of(made.games, seats="learn")
    asked = positions_of(made.games, seats="learn", teacher=kind_of("aggressive"))
    assert len(played) > 50
    assert (played.moves == asked.moves).all()
