"""The Rust snake against Python and the Go snake: the same bytes, floats and moves; and what it says over HTTP."""

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from api_requests import api_request
from go_programs import build_go_snake
from played_requests import CASES, STANDARD_CASES, played
from rust_programs import build_rust_snake

from pipeline.data.importers.frames import FrameReader, SeenBoard, SeenSnake
from pipeline.engine.game import Game
from pipeline.engine.game_spec import CLI_DEFAULTS
from pipeline.engine.observe import Observations
from pipeline.engine.planes import CONTEXT_SCALES, ENCODER_ID, FEATURE_SCALES, PLANE_SCALES
from pipeline.evolution.networks import build_network
from pipeline.export.onnx_export import export_onnx
from pipeline.serve.onnx_model import OnnxModel, best_moves
from schemas.exported_model import ExportCard
from schemas.game import GameLog
from schemas.network import NeuralNetworkConfig

pytestmark = pytest.mark.timeout(3000)  # the first build takes minutes

GO_SNAKE = Path(__file__).parents[2] / "deploy" / "go-snake"
MOVES = ("up", "down", "left", "right")


@pytest.fixture(scope="module")
def snake() -> Path:
    """The built binary."""
    return build_rust_snake()


@pytest.fixture(scope="module")
def go_snake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built Go snake."""
    return build_go_snake(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported network with strong opinions, so that no two moves are nearly equal."""
    torch.manual_seed(5)
    torch.set_num_threads(1)
    small = {"conv_channels": 8, "conv_blocks": 2, "hidden_layers": [16], "attention_heads": 2}
    network = build_network(NeuralNetworkConfig(**small, ground_steps=3))
    torch.nn.init.normal_(network.policy.weight)
    path = tmp_path_factory.mktemp("model") / "champion.onnx"
    export_onnx(network, path, card=ExportCard(model_id="tiny"))
    return path


def run(snake: Path, *arguments: str, lines: list[str] | None = None) -> list[dict[str, Any]]:
    """Run a subcommand over request lines; return its answers."""
    text = "".join(line + "\n" for line in lines or [])
    ran = subprocess.run([snake, *arguments], input=text, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_every_position_is_encoded_byte_for_byte_and_every_float_bit_for_bit(snake: Path) -> None:
    asked = list(played(CASES, 70, seed=11))
    assert len(asked) >= 1000
    answers = run(snake, "encode", lines=[one.to_line() for one in asked])
    floats = run(snake, "encode", "--floats", lines=[one.to_line() for one in asked[::7]])
    for one, answer in zip(asked, answers, strict=True):
        for part in ("planes", "features", "context"):
            assert answer[part] == getattr(one.row, part).tobytes().hex(), (part, one.to_line())
    for one, answer in zip(asked[::7], floats, strict=True):
        for part, numbers in scaled(one.row).items():
            assert answer[part] == numbers.astype("<f4").tobytes().hex(), (part, one.to_line())


def scaled(row: Observations) -> dict[str, np.ndarray[Any, Any]]:
    """The float form: each byte times its slot's scale, one float32 multiply."""
    return {
        "planes": row.planes * PLANE_SCALES[None, :, None, None],
        "features": row.features * FEATURE_SCALES,
        "context": row.context * CONTEXT_SCALES,
    }


def test_moves_are_those_of_onnxruntime(snake: Path, model: Path) -> None:
    asked = list(played(STANDARD_CASES, 340, seed=23))
    assert len(asked) >= 1000
    rows = Observations(*(np.concatenate(parts) for parts in zip(*(one.row for one in asked), strict=True)))
    masks = np.stack([one.mask for one in asked])
    theirs = OnnxModel(model).look(rows)
    answers = run(snake, "decide", "--model", str(model), lines=[one.to_line() for one in asked])
    assert [answer["safe"] for answer in answers] == [None] * len(asked)
    assert np.array([answer["legal"] for answer in answers]).tolist() == masks.tolist()
    logits = np.array([answer["logits"] for answer in answers], np.float32)
    scale = max(1.0, float(np.abs(theirs.policy_logits).max()))
    assert np.abs(logits - theirs.policy_logits).max() < 1e-5 * scale
    assert np.abs([answer["value"] for answer in answers] - theirs.value[:, 0]).max() < 1e-5
    moves = [MOVES.index(answer["move"]) for answer in answers]
    # Only a move that is equally good but for rounding may differ.
    best = best_moves(theirs.policy_logits, masks)
    rows_of = np.arange(len(moves))
    lost = theirs.policy_logits[rows_of, best] - theirs.policy_logits[rows_of, moves]
    assert masks[rows_of, moves].all()
    assert lost.max() < 1e-5 * scale
    assert (best == moves).mean() > 0.999


def test_games_the_model_or_encoder_does_not_know_get_safe_moves(snake: Path, model: Path) -> None:
    cases = (
        (11, 11, 2, "wrapped", "standard", {}),
        (11, 11, 8, "standard", "standard", {}),
    )
    asked = [*played(cases[:1], 1, 3), *played(cases[1:], 1, 3)]
    large = asked[1].request | {"board": asked[1].request["board"] | {"width": 19, "height": 19}, "seats": 2}
    lines = [one.to_line() for one in asked] + [json.dumps(large)]
    answers = run(snake, "decide", "--model", str(model), lines=lines)
    assert [answer["safe"] for answer in answers] == [
        'the model was not trained for ruleset "wrapped"',
        "the model was trained for at most 4 snakes, not 8",
        "a board of 19x19 does not fit 11x11",
    ]
    assert all(answer["legal"][MOVES.index(answer["move"])] for answer in answers)


def test_safe_moves_are_legal_wherever_there_is_one(snake: Path) -> None:
    asked = list(played(CASES, 30, seed=31))
    answers = run(snake, "decide", "--without-model", lines=[one.to_line() for one in asked])
    for one, answer in zip(asked, answers, strict=True):
        assert one.mask[MOVES.index(answer["move"])], one.to_line()


def test_the_encoder_is_pythons(snake: Path) -> None:
    told = subprocess.run([snake, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert told.split("encoder ")[1].strip() == ENCODER_ID


def other_encoder(file: Any) -> None:
    """Make the model one of another encoder."""
    next(entry for entry in file.metadata_props if entry.key == "encoder_id").value = "ouroboros-0-12345678"


def other_input(file: Any) -> None:
    """Give it another input."""
    file.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 31


def other_channels(file: Any) -> None:
    """Give it other planes."""
    entry = next(entry for entry in file.metadata_props if entry.key == "channels")
    entry.value = entry.value.replace("prey", "pray")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (other_encoder, '"ouroboros-0-12345678"; this program encodes "' + ENCODER_ID),
        (other_input, "snake_features is no float32 tensor of shape N x [32]"),
        (other_channels, '"pray"'),
    ],
)
def test_a_model_made_for_something_else_is_refused(
    snake: Path, model: Path, tmp_path: Path, change: Callable[[Any], None], says: str
) -> None:
    file = onnx.load(model)
    change(file)
    onnx.save(file, tmp_path / "other.onnx")
    ran = subprocess.run(
        [snake, "--port", "0", "--model", tmp_path / "other.onnx"], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert says in ran.stderr and "other.onnx" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nowhere.onnx"], "nowhere.onnx: there is no such file; name it by --model"),
        (["--port", "x"], "see --help"),
        (["fly"], '"fly" is no command'),
        (["--without-model", "--weights", "nowhere.yaml"], "nowhere.yaml: No such file"),
        (["--time-share", "2"], "no number from 0 to 0.9"),
    ],
)
def test_what_the_user_can_mend_ends_with_two(snake: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    ran = subprocess.run([snake, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, says in ran.stderr) == (2, True), ran.stderr


def test_a_foreign_file_is_no_model(snake: Path, tmp_path: Path) -> None:
    (tmp_path / "champion.onnx").write_text("no model at all")
    ran = subprocess.run([snake, "--port", "0"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert "champion.onnx" in ran.stderr


@contextmanager
def serving(*command: Path | str, games: Path | None = None) -> Iterator[str]:
    """Run the server on a free port; at the end SIGTERM must end it with 0."""
    environment = {**os.environ, "OUROBOROS_GAMES_DIR": str(games or "")}
    process = subprocess.Popen([*command, "--port", "0", "--host", "127.0.0.1"], stderr=subprocess.PIPE, text=True,
                               env=environment)  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("listening on "):
                yield "http://" + line.split()[-1]
                break
        else:
            pytest.fail("it did not listen")
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def post(url: str, path: str, body: dict[str, Any]) -> Any:
    """Send a request, return the answer."""
    request = urllib.request.Request(url + path, json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)


def play_a_game(url: str, seed: int) -> list[dict[str, Any]]:
    """Referee a duel of the served snake (seat s0) against one that goes round in the rules' default way."""
    game = Game.new(7, 7, ["s0", "s1"], "standard", "standard", {"foodSpawnChance": 50}, seed)
    settings = {**CLI_DEFAULTS._asdict(), "foodSpawnChance": 50}
    states = []

    def request() -> dict[str, Any]:
        state = game.to_state()
        states.append(state)
        asked = next(snake["id"] for snake in state["snakes"] if not snake.get("cause"))
        body = api_request(state, "standard", "standard", settings, asked, f"game-{seed}")
        del body["seats"]
        dead = [snake for snake in state["snakes"] if snake["id"] == "s0" and snake.get("cause")]
        return body | {"you": {"id": "s0", "name": "rusty", "health": 0, "body": []}} if dead else body

    first = request()
    first["you"]["name"] = "rusty"
    assert post(url, "/start", first) == {}
    states.clear()
    body = request()
    while not game.is_over() and game.turn < 60:
        body["you"]["name"] = "rusty"
        move = post(url, "/move", body)["move"]
        game.step({"s0": move, "s1": MOVES[game.turn % 4 // 2 * 3]})
        body = request()
    body["you"]["name"] = "rusty"
    assert post(url, "/end", body) == {}
    return states


@pytest.mark.parametrize("way", [["--no-search"], ["--positions", "200"]])
def test_it_plays_over_http_and_logs_the_game_as_it_was(
    snake: Path, model: Path, tmp_path: Path, way: list[str]
) -> None:
    games = tmp_path / "games"
    with serving(snake, "--model", model, *way, games=games) as url:
        with urllib.request.urlopen(url, timeout=90) as answer:
            assert json.load(answer)["apiversion"] == "1"
        played_states = [play_a_game(url, seed) for seed in (1, 2)]
    (file,) = games.iterdir()
    assert file.name.startswith("rusty-20")
    logs = [GameLog.model_validate_json(line) for line in file.read_text().splitlines()]
    assert [log.game_id for log in logs] == ["game-1", "game-2"]
    for log, states in zip(logs, played_states, strict=True):
        writer = FrameReader()
        for state in states:
            writer.add(as_seen(state))
        thoughts = [frame.k for frame in log.frames]
        assert all(thought is not None and thought.n > 0 and thought.s for thought in thoughts[: len(states) - 1])
        assert [frame.model_copy(update={"k": None}) for frame in log.frames] == writer.frames
        assert log.settings.foodSpawnChance == 50 and log.snakes[log.you].id == "s0"
        alive = [snake["id"] for snake in states[-1]["snakes"] if not snake.get("cause")]
        assert log.outcome == {("s0",): "win", ("s1",): "loss"}.get(tuple(alive), "draw")
        assert log.model == "tiny"
        assert log.started_at is not None and abs((datetime.now(UTC) - log.started_at).total_seconds()) < 3600


def test_a_new_champion_plays_the_games_that_begin_after_it(snake: Path, model: Path, tmp_path: Path) -> None:
    served, games = tmp_path / "served.onnx", tmp_path / "games"
    served.write_bytes(model.read_bytes())
    with serving(snake, "--model", served, "--no-search", games=games) as url:
        begun = next(iter(played(STANDARD_CASES, 1, 3))).request
        begun["game"]["id"] = "begun before"
        post(url, "/start", begun)
        renamed = onnx.load(model)
        next(entry for entry in renamed.metadata_props if entry.key == "model_id").value = "next"
        onnx.save(renamed, tmp_path / "next.onnx")
        (tmp_path / "next.onnx").replace(served)
        assert post(url, "/reload", {}) == {"model": "next"}
        play_a_game(url, 1)
        post(url, "/move", begun)
        post(url, "/end", begun)
        served.write_text("half of a mod")
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(url, "/reload", {})
        assert refused.value.code == 409 and "model next goes on" in refused.value.read().decode()
        play_a_game(url, 2)
    logs = [GameLog.model_validate_json(line) for file in games.iterdir() for line in file.read_text().splitlines()]
    models = {log.game_id: log.model for log in logs}
    assert models == {"begun before": "tiny", "game-1": "next", "game-2": "next"}


def as_seen(state: dict[str, Any]) -> SeenBoard:
    """A state as the log's own writer in Python takes it."""
    flat = lambda cells: [number for cell in cells for number in cell]  # noqa: E731
    living = [snake for snake in state["snakes"] if not snake.get("cause")]
    return SeenBoard(
        turn=state["turn"],
        snakes=[SeenSnake(s["id"], s["id"], s["health"], flat(s["body"])) for s in living],
        food=flat(state["food"]),
        hazards=flat(state["hazards"]),
    )


def test_requests_it_cannot_use_are_refused_and_the_server_goes_on(snake: Path) -> None:
    asked = next(iter(played(STANDARD_CASES, 1, 3)))
    with serving(snake, "--without-model") as url:
        for path, body, status, says in (
            ("/move", asked.request | {"you": {"id": "nobody"}}, 400, "nobody"),
            ("/move", {"turn": "three"}, 400, "three"),
            ("/start", {"filling": "x" * (5 << 20)}, 413, "length limit"),
            ("/fly", {}, 404, "POST /start"),
            ("/", {}, 405, "method"),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                post(url, path, body)
            assert refused.value.code == status and says in refused.value.read().decode()
        assert post(url, "/move", asked.request)["move"] in MOVES


@pytest.mark.parametrize("evaluation", [["none"], []], ids=["own", "with_leaf_eval"])
def test_the_search_finds_the_go_snakes_moves_with_its_weights(
    snake: Path, go_snake: Path, tmp_path: Path, evaluation: list[str]
) -> None:
    config = (GO_SNAKE / "config.yaml").read_text()
    for key, value in {"duel_budget": 300, "crowd_budget": 200, "time_share": 0.0}.items():
        config = re.sub(rf"  {key}: [\d.]+", f"  {key}: {value}", config)
    (tmp_path / "config.yaml").write_text(config)
    asked = [one for one in played(CASES, 40, seed=43) if len(one.request["board"]["snakes"]) > 1]
    ours = ["--weights", tmp_path / "config.yaml", *(part for value in evaluation for part in ("--eval", value))]
    answers = run(snake, "search", *map(str, ours), lines=[one.to_line() for one in asked])
    theirs_by = (part for value in evaluation for part in ("-eval", value))
    with serving(go_snake, "-config", tmp_path / "config.yaml", *theirs_by) as url:
        theirs = [post(url, "/move", one.request)["move"] for one in asked]
    same = [answer["move"] == move for answer, move in zip(answers, theirs, strict=True)]
    assert len(same) > 400
    # Where two ways lead to one position the Go snake's table knows it, and may come a turn deeper within its budget.
    assert np.mean(same) > 0.97


def test_a_damaged_leaf_evaluation_is_named_and_the_search_goes_on_without(snake: Path, tmp_path: Path) -> None:
    damaged = bytearray((GO_SNAKE / "leaf.eval").read_bytes())
    damaged[5000] ^= 1
    (tmp_path / "leaf.eval").write_bytes(damaged)
    line = next(iter(played(STANDARD_CASES, 1, 3))).to_line()
    own = [str(snake), "search", "--positions", "300"]
    told = subprocess.run(
        [*own, "--eval", str(tmp_path / "leaf.eval")], input=line, capture_output=True, text=True, check=False
    )
    assert told.stderr == (
        f"rust-snake: {tmp_path / 'leaf.eval'} is a damaged leaf evaluation: its checksum is not that of what it "
        "holds; playing by the snake's own evaluation\n"
    )
    assert told.returncode == 0
    assert [json.loads(told.stdout)] == run(snake, "search", "--positions", "300", "--eval", "none", lines=[line])


def test_a_board_too_large_for_the_search_gets_a_safe_move(snake: Path) -> None:
    asked = next(iter(played(STANDARD_CASES, 1, 3))).request
    board = {**asked["board"], "width": 25, "height": 25}
    with serving(snake, "--without-model") as url:
        assert post(url, "/move", {**asked, "board": board})["move"] in MOVES


def test_the_figures_are_this_processs_own(snake: Path, model: Path) -> None:
    (figures,) = run(snake, "bench", "--model", str(model), "--decisions", "50")
    assert figures["decisions"] == 50
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["most_ms"]
    assert 1 < figures["resident_mb"] < 50
