"""A game is the same game wherever it is played: in the snake's process, over HTTP by our referee, by the official CLI.

In-process and HTTP are held to each other on whole random games: the same seeds give the same starts, food, hazards and
ids, so deterministic snakes must play the same moves to the same deaths. The official command draws by itself, so there
no food appears after the start, and a seed of ours is looked for whose draws (places, first food, the sides that royale
takes) are the official game's: then one and the same whole game must come out of all three, moves, meals and deaths.
That the rules hold with food appearing too is shown turn by turn in tests/pipeline/referee/test_official_cli.py.
"""

import http.client
import json
import subprocess
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest
from go_programs import REPOSITORY, build_go_snake, build_official_cli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import InProcess
from replays import read_replay
from scripted_snake import ScriptedSnake, move

from pipeline.engine import Game
from pipeline.referee import (
    Contestant,
    MatchConditions,
    ScheduledGame,
    SnakeCommand,
    SnakeProcess,
    play_match,
    running_snakes,
    transcript_hash,
)
from pipeline.referee.game import DEAD
from pipeline.referee.schedule import RuleNumbers

WEIGHTS = (REPOSITORY / "deploy/go-snake/config.yaml").read_text()
LETTERS = ("up", "down", "left", "right")


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_go_snake(tmp_path_factory.mktemp("snake"))


def weights_with(**budgets):
    """The shipped weights, at a cheaper search."""
    lines = []
    for line in WEIGHTS.splitlines():
        key = line.strip().partition(":")[0]
        lines.append(f"{line.partition(':')[0]}: {budgets[key]}" if key in budgets else line)
    return "\n".join(lines) + "\n"


# No clock: a game must not hang on how busy the machine is.
QUICK = weights_with(duel_budget=60, crowd_budget=40, time_share=0.0)
OTHER = weights_with(duel_budget=25, crowd_budget=12, time_share=0.0)


@pytest.fixture(scope="module")
def processes(binary, tmp_path_factory):
    """The two snakes as HTTP servers."""
    folder = tmp_path_factory.mktemp("served")
    snakes = []
    for name, text in (("quick", QUICK), ("other", OTHER)):
        (folder / f"{name}.yaml").write_text(text)
        command = SnakeCommand((str(binary), "-config", str(folder / f"{name}.yaml")))
        snakes.append(SnakeProcess(name, command, folder / f"{name}.log"))
    with running_snakes(snakes):
        yield snakes


@pytest.fixture(scope="module")
def served(processes):
    """Contestants 0 and 1: the first is asked at its port, the second on its Unix socket."""
    assert processes[1].quickest_url.startswith("http+unix://")
    return [Contestant("quick", processes[0].url), Contestant("other", processes[1].quickest_url)]


@pytest.fixture(scope="module")
def in_process(binary):
    with InProcess(binary) as arena:
        arena.weigh("quick", QUICK)
        arena.weigh("other", OTHER)
        yield arena


def over_http(served, conditions, seeds, rotations):
    schedule = [ScheduledGame(pair, seed, tuple(rotation)) for pair, seed in enumerate(seeds) for rotation in rotations]
    return play_match(served, schedule, conditions, failure_limit=1.0).games


def plain(outcome):
    """A game of the referee in the protocol's words."""
    return {
        "seed": outcome.spec.seed,
        "rotation": list(outcome.spec.seats),
        "turns": outcome.turns,
        "transcript": outcome.transcript,
        "causes": [snake.cause for snake in outcome.snakes],
        "died_on": [snake.died_on_turn or 0 for snake in outcome.snakes],
        "lengths": [snake.length for snake in outcome.snakes],
        "failed_moves": [sum(snake.failures.values()) for snake in outcome.snakes],
    }


def same_words(game):
    return {name: game[name] for name in PLAIN_NAMES}


PLAIN_NAMES = ("seed", "rotation", "turns", "transcript", "causes", "died_on", "lengths", "failed_moves")

rulesets = st.sampled_from(["standard", "royale", "wrapped", "constrictor", "wrapped_constrictor", "solo"])


@given(
    width=st.integers(7, 13),
    height=st.integers(7, 13),
    square=st.booleans(),
    ruleset=rulesets,
    map_id=st.sampled_from(["standard", "empty", "royale"]),
    seats=st.integers(1, 8),
    numbers=st.builds(
        RuleNumbers,
        food_spawn_chance=st.sampled_from([0, 1, 15, 60, 100]),
        minimum_food=st.sampled_from([0, 1, 4]),
        hazard_damage_per_turn=st.sampled_from([14, 5, 0, -10, 100]),
        shrink_every_n_turns=st.sampled_from([1, 3, 25]),
    ),
    seed=st.integers(1, 2**63 - 1),
)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_process_and_http_are_one_game(
    served, in_process, width, height, square, ruleset, map_id, seats, numbers, seed
):
    conditions = MatchConditions(width, width if square else height, ruleset, map_id, numbers, 5000, max_turns=120)
    rotation = [seat % 2 for seat in range(seats)]
    game = in_process.play(["quick", "other"], [rotation], [seed], conditions)[0]
    (outcome,) = over_http(served, conditions, [seed], [rotation])
    assert same_words(game) == plain(outcome)
    shares = dict.fromkeys((0, 1), 0.0)
    for participant, score in zip(rotation, game["scores"], strict=True):
        shares[participant] += score
    assert sum(game["scores"]) == pytest.approx(1)
    assert shares == pytest.approx({0: outcome.score(0), 1: outcome.score(1)})


@pytest.mark.parametrize("line", [(0, 1), (0, 1, 1), (0, 1, 1, 1)])
def test_duels_and_crowds_in_every_rotation(served, in_process, line):
    rotations = [line[shift:] + line[:shift] for shift in range(len(line))]
    seeds = [2**62 + 17, 3]
    conditions = MatchConditions(timeout_ms=5000)
    games = in_process.play(["quick", "other"], rotations, seeds, conditions)
    outcomes = over_http(served, conditions, seeds, rotations)
    assert [same_words(game) for game in games] == [plain(outcome) for outcome in outcomes]
    assert len({game["transcript"] for game in games}) == len(games)


def test_any_number_of_cores_plays_the_same_games(binary):
    def games(cores):
        with InProcess(binary, cores=cores) as arena:
            assert arena.hello["workers"] == cores
            arena.weigh("quick", QUICK)
            arena.weigh("other", OTHER)
            return arena.play(["quick", "other"], [(0, 1), (1, 0), (0, 1, 0, 1)], [1, 2, 3, 4], MatchConditions())

    one, many = games(1), games(4)
    assert [same_words(game) for game in one] == [same_words(game) for game in many]


def test_a_broken_weights_text_is_named_by_line_and_key(in_process):
    in_process.send(type="weights", id="broken", text=WEIGHTS.replace("duel_depth:", "duel_deph:"))
    answer = in_process.read()
    line = next(number for number, text in enumerate(WEIGHTS.splitlines(), 1) if "duel_depth:" in text)
    assert answer["id"] == "broken"
    assert f"weights:{line}: " in answer["error"] and "duel_deph" in answer["error"]


@dataclass
class OfficialGame:
    """What the official command played."""

    seats: list[int]
    """The number of each snake on its command line, in the order of its board, which is its own choice."""
    frames: list[dict]
    """Turn 0 to the last."""
    letters: list[list[int | None]]
    transcript: str


class Relay:
    """Hands each request on to a snake and keeps the answers: the official record does not show the dying moves."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.moves = {}
        self._snake = http.client.HTTPConnection(parts.hostname, parts.port)
        self.server = ScriptedSnake(self._answer)

    def _answer(self, request):
        self._snake.request(
            "POST", "/move", request.raw if isinstance(request.raw, bytes) else json.dumps(request.body)
        )
        word = json.loads(self._snake.getresponse().read())["move"]
        self.moves[request.body["turn"], request.body["you"]["id"]] = LETTERS.index(word)
        return [move(word)]

    def close(self):
        self.server.close()
        self._snake.close()


@pytest.fixture(scope="module")
def official(processes, tmp_path_factory):
    """Play one game with the official command, the two snakes in turn."""
    folder = tmp_path_factory.mktemp("official")
    program = build_official_cli(folder)

    def play(conditions, seats, seed):
        relays = [Relay(processes[seat % 2].url) for seat in range(seats)]
        numbers = conditions.numbers
        try:
            arguments = [
                part for index, relay in enumerate(relays) for part in ("-u", relay.server.url, "-n", str(index))
            ]
            options = {
                "-W": conditions.width,
                "-H": conditions.height,
                "-g": conditions.ruleset,
                "-m": conditions.map_id,
                "-t": 9000,
                "-r": seed,
                "--foodSpawnChance": numbers.food_spawn_chance,
                "--minimumFood": numbers.minimum_food,
                "--hazardDamagePerTurn": numbers.hazard_damage_per_turn,
                "--shrinkEveryNTurns": numbers.shrink_every_n_turns,
                "-o": folder / "game.jsonl",
            }
            flags = [str(part) for option in options.items() for part in option]
            run = subprocess.run([program, "play", *arguments, *flags], capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
        finally:
            for relay in relays:
                relay.close()
        return official_game(read_replay(folder / "game.jsonl"), relays, conditions)

    return play


def official_game(replay, relays, conditions):
    start = replay.frames[0]["board"]["snakes"]
    seats, ids = [int(snake["name"]) for snake in start], [snake["id"] for snake in start]
    letters = []
    for turn, frame in enumerate(replay.frames[:-1]):
        living = {snake["id"] for snake in frame["board"]["snakes"]}
        if len(living) <= (1 if len(ids) > 1 else 0):
            break  # the official command notices the end a turn late
        letters.append(
            [relays[seat].moves[turn, name] if name in living else None for seat, name in zip(seats, ids, strict=True)]
        )
    frames = replay.frames[: len(letters) + 1]
    played = [bytes(DEAD if move is None else move for move in moves) for moves in letters]
    return OfficialGame(seats, frames, letters, transcript_hash(conditions, len(ids), played))


def points(cells):
    return {(cell["x"], cell["y"]) for cell in cells}


def draws_alike(game, theirs):
    """Whether our engine's game draws what the official one drew, from its start to its end."""
    first = theirs.frames[0]["board"]
    places = [[snake["body"][0]["x"], snake["body"][0]["y"]] for snake in first["snakes"]]
    state = game.to_state()
    if places != [snake["body"][0] for snake in state["snakes"]]:
        return False
    if points(first["food"]) != set(map(tuple, state["food"])):
        return False
    for letters, frame in zip(theirs.letters, theirs.frames[1:], strict=True):
        game.step({str(seat): LETTERS[move] for seat, move in enumerate(letters) if move is not None})
        if points(frame["board"]["hazards"]) != set(map(tuple, game.to_state()["hazards"])):
            return False
    return True


def our_seed(conditions, seats, theirs):
    """The first seed of ours that draws what the official game drew."""
    numbers = conditions.numbers
    rules = {
        "foodSpawnChance": numbers.food_spawn_chance,
        "minimumFood": numbers.minimum_food,
        "damagePerTurn": numbers.hazard_damage_per_turn,
        "shrinkEveryNTurns": numbers.shrink_every_n_turns,
    }
    names = [str(seat) for seat in range(seats)]
    for seed in range(1, 200_000):
        game = Game.new(
            conditions.width, conditions.height, names, conditions.ruleset, conditions.map_id, rules, seed=seed
        )
        if draws_alike(game, theirs):
            return seed
    raise AssertionError("no seed draws what the official game drew")


NO_DRAWS = RuleNumbers(food_spawn_chance=0, minimum_food=0)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("seats", "conditions"),
    [
        (2, MatchConditions(numbers=NO_DRAWS)),
        (4, MatchConditions(numbers=NO_DRAWS)),
        (3, MatchConditions(width=7, height=7, ruleset="wrapped", numbers=NO_DRAWS)),
        (2, MatchConditions(ruleset="constrictor", map_id="empty", numbers=NO_DRAWS)),
        (1, MatchConditions(width=9, height=9, ruleset="solo", map_id="empty", numbers=NO_DRAWS)),
        (2, MatchConditions(ruleset="royale", map_id="royale", numbers=replace(NO_DRAWS, shrink_every_n_turns=30))),
    ],
)
def test_the_official_command_plays_that_game_too(served, in_process, official, seats, conditions, seed):
    theirs = official(conditions, seats, seed)
    ours = our_seed(conditions, seats, theirs)
    rotation = [seat % 2 for seat in theirs.seats]
    patient = replace(conditions, timeout_ms=9000)
    game = in_process.play(["quick", "other"], [rotation], [ours], patient)[0]
    (outcome,) = over_http(served, patient, [ours], [rotation])
    assert len(theirs.letters) > 3
    assert bool(theirs.frames[-1]["board"]["hazards"]) == (conditions.map_id == "royale")
    assert game["turns"] == outcome.turns == len(theirs.letters)
    assert game["transcript"] == outcome.transcript == theirs.transcript
