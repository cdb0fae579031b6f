"""The game of a batch that is shown is the one that is played, and showing it changes no game."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest

from pipeline import live_games
from pipeline.engine.layout import CAUSE_WORDS
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.engine.tape_reading import TapeReader
from pipeline.live_games import LiveGames
from pipeline.simulator.competitor import every_seating, heuristic, seatings_of
from pipeline.simulator.journal import GameJournal
from pipeline.simulator.matches import play_matches
from schemas.game import GameLogFrame
from schemas.live_game import LiveEnd, LiveGame, LiveSource, live_file, watched_file

PLAYERS = [heuristic("hungry"), heuristic("random")]


@pytest.mark.parametrize(
    "conditions", [GameConditions(), GameConditions(most_turns=7), GameConditions(ruleset="royale")]
)
def test_a_judgement_shows_its_first_game_while_somebody_looks(
    tmp_path: Path, conditions: GameConditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_games, "WATCHED_FOR_S", 3600.0)  # the engine's code may take long to load
    monkeypatch.setattr(live_games, "TURNS_PER_S", 1e-6)  # no second game takes the first one's place
    watched_file(tmp_path).parent.mkdir()
    watched_file(tmp_path).touch()
    games = every_seating(seatings_of(2, 2), fresh_seeds(3, 4))
    journal = GameJournal(tmp_path / "j.jsonl", LiveGames(tmp_path, LiveSource.TRAINING), "n is judged")
    seen = journal.play(PLAYERS, *games, conditions, tapes=True)
    unseen = play_matches(PLAYERS, *games, conditions, tapes=True)
    assert seen.tapes == unseen.tapes
    first, *told, last = live_file(tmp_path, LiveSource.TRAINING).read_bytes().splitlines()
    game = LiveGame.model_validate_json(first)
    (played,) = [place for place in range(2) if game.names == [PLAYERS[who].name for who in seen.seatings[place]]]
    assert (game.game_id, game.about) == (f"seed {seen.seeds[played]}", "n is judged")
    frames = [GameLogFrame.model_validate(orjson.loads(line)) for line in told]
    states = list(TapeReader(seen.tapes[played]).states())
    assert [frame.t for frame in frames] == [state["turn"] for state in states]
    for frame, state in zip(frames, states, strict=True):
        living = [snake for snake in state["snakes"] if "cause" not in snake]
        assert [tuple(one[1:]) for one in frame.s] == [
            (snake["health"], len(snake["body"]), *snake["body"][0]) for snake in living
        ]
        assert frame.f == [number for cell in state["food"] for number in cell]
        assert frame.z == [number for cell in state["hazards"] for number in cell]
    assert frames[0].b is not None
    assert all(frame.b is None for _, frame in pairwise(frames))
    words = ["" if cause == 0 else CAUSE_WORDS[cause] for cause in seen.causes[played]]
    assert LiveEnd.model_validate_json(last).causes == words
    assert np.array_equal(seen.turns, unseen.turns)
