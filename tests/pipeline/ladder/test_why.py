"""Why did it die: the real Go snake on the last turns of a recorded game that was lost."""

from pathlib import Path

import pytest
from arena_stand_in import OURS, recorded_game
from go_programs import build_go_snake
from ladder_bench import NOW, Bench
from sqlalchemy import select, update

from pipeline import bundled_snake
from pipeline.ladder import actions
from pipeline.ladder.answers import ListedGame
from pipeline.ladder.reading import asked_turns, read_ladder_game
from pipeline.ladder.snake_analysis import SnakeAnalyser
from pipeline.ladder.source import explain_losses
from pipeline.ladder.tables import games
from pipeline.tuner.snake_source import BUNDLED
from schemas.errors import BadInputError, SnakeError
from schemas.ladder import ArenaSettings, GameWhy


@pytest.fixture(scope="session")
def snake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go_snake(tmp_path_factory.mktemp("snake"))


def test_the_last_turn_at_which_another_move_held(bench: Bench, snake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bundled_snake, "_build", lambda _folder, binary: binary.write_bytes(snake.read_bytes()) and binary.chmod(0o755)
    )
    bench.settings.arena_dir.mkdir()
    bench.world.add("duel")
    lost = bench.world.add("lost")
    bench.sync()
    settings = bench.settings.model_copy(update={"arena": ArenaSettings(explain_budget=800, explain_turns=20)})
    found = actions.explain_game(settings, None, None, again=False, now=NOW)
    assert (found.game_id, found.died_on, found.cause) == (lost, 34, "wall-collision")
    assert [turn.turn for turn in found.turns] == list(range(14, 34))
    assert found.turns[-1].played == "up", "the move that it died of"
    assert found.last_chance is not None
    chance = next(turn for turn in found.turns if turn.turn == found.last_chance)
    assert chance.played not in {move.move for move in chance.other_holding}
    assert all(not turn.other_holding for turn in found.turns if turn.turn > found.last_chance)
    assert found.last_chance < 33, "it was lost turns before it died"
    assert f"The last chance was turn {found.last_chance}: it played {chance.played}" in found.verdict
    with bench.database.read() as connection:
        kept = connection.execute(select(games.c.why_json).where(games.c.game_id == lost)).scalar_one()
    assert GameWhy.model_validate_json(kept) == found
    assert actions.explain_game(settings, lost, None, again=False, now=NOW.replace(year=2027)) == found
    again = actions.explain_game(settings, lost, None, again=True, now=NOW.replace(year=2027))
    assert again.turns == found.turns, "by no clock: the same position is always thought of alike"
    with pytest.raises(BadInputError, match=r"no lost game '0+-0000-4000-8000-0+' is kept here"):
        actions.explain_game(settings, bench.world.games[0]["id"], None, again=False, now=NOW)


def test_a_lost_game_that_cannot_be_thought_over_stops_no_other(
    bench: Bench, snake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bundled_snake, "_build", lambda _folder, binary: binary.write_bytes(snake.read_bytes()) and binary.chmod(0o755)
    )
    bench.settings.arena_dir.mkdir()
    older, newer = bench.world.add("lost"), bench.world.add("lost")
    bench.sync()
    with bench.database.write() as connection:
        gone = update(games).where(games.c.game_id == newer)
        connection.execute(gone.values(file="gone.jsonl", created_at="2027-01-01T00:00:00.000000Z"))
    settings = bench.settings.model_copy(update={"arena": ArenaSettings(explain_budget=50, explain_turns=3)})
    told = explain_losses(settings)
    assert [line.split(": ")[0] for line in told] == [f"game {newer} cannot be thought over", f"game {older}"]


def test_a_snake_that_does_not_think_is_told_in_a_sentence(bench: Bench, snake: Path) -> None:
    tree = recorded_game("lost")
    game = ListedGame.model_validate({**tree, "updated_at": tree["created_at"]})
    log = read_ladder_game(game, tree["frames"], {OURS: ""}, challenged=False).log
    request = next(asked_turns(log)).request
    no_weights = bench.home / "none.yaml"
    no_weights.write_text("search: {}\n")
    with pytest.raises(SnakeError, match=r"does not think: .*none\.yaml"):
        SnakeAnalyser(snake, no_weights, "").think([request], 100)
    with pytest.raises(SnakeError, match="refuses a position"):
        SnakeAnalyser(snake, BUNDLED / "config.yaml", "").think([{**request, "you": {"id": "nobody", "body": []}}], 100)
    with pytest.raises(SnakeError, match="cannot be started"):
        SnakeAnalyser(bench.home / "no-snake", no_weights, "").think([request], 100)
