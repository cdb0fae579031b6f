"""The learned leaf evaluation with the real Go snake: it plays, its games are fitted to, it reads the file."""

import hashlib
import json
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from go_programs import build_go_snake

from pipeline.data.positions import held_back
from pipeline.ladder.snake_analysis import SnakeAnalyser
from pipeline.leaf_eval.dataset import HELD_BACK, Dataset, ShownPositions, game_id, parse_shown, read_dataset
from pipeline.leaf_eval.fit_run import fit_evaluation, measure_evaluation
from pipeline.leaf_eval.fitting import FitSettings, Scale, fit, quantised, targets
from pipeline.leaf_eval.games import GamePlan, StoredGames, play_games
from pipeline.leaf_eval.network import LANES, LeafEval, LeafNetwork, Legend, load, rows_of
from pipeline.stopping import Stopping
from pipeline.tuner.snake_source import BUNDLED
from schemas.errors import DataError, ModelError, SnakeError

PLANS = (GamePlan(2, 20, 0.1, 12), GamePlan(4, 22, 0.1, 6))


def ignore(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="session")
def analyser(tmp_path_factory: pytest.TempPathFactory) -> SnakeAnalyser:
    return SnakeAnalyser(build_go_snake(tmp_path_factory.mktemp("snake")), BUNDLED / "config.yaml", "")


@pytest.fixture(scope="session")
def store(analyser: SnakeAnalyser, tmp_path_factory: pytest.TempPathFactory) -> StoredGames:
    games = StoredGames(tmp_path_factory.mktemp("games"))
    assert play_games(games, analyser, 36, Stopping(), ignore, PLANS) == 36
    return games


@pytest.fixture(scope="session")
def dataset(store: StoredGames, analyser: SnakeAnalyser) -> Dataset:
    return read_dataset(store, analyser)


def test_games_are_stored_once_and_the_next_ones_follow(store: StoredGames) -> None:
    assert [file.name for file in store.files()] == [
        "2-000000001-12.jsonl", "2-000000013-12.jsonl", "4-000000001-6.jsonl", "4-000000007-6.jsonl",
    ]  # fmt: skip
    lines = [json.loads(line) for file in store.files() for line in file.read_bytes().splitlines()]
    assert [game["seed"] for game in lines] == [*range(1, 25), *range(1, 13)]
    assert (store.next_seed(2), store.next_seed(4), store.next_seed(3)) == (25, 13, 1)


def test_a_copy_under_another_name_is_in_nobodys_way(tmp_path: Path) -> None:
    for name in ("2-000000013-12", "2-000000001-12 (copy)", "2-notes", "a"):
        (tmp_path / f"{name}.jsonl").touch()
    assert (StoredGames(tmp_path).next_seed(2), StoredGames(tmp_path).next_seed(4)) == (25, 1)


def test_a_stop_leaves_whole_files_only(analyser: SnakeAnalyser, tmp_path: Path) -> None:
    games = StoredGames(tmp_path)
    assert play_games(games, analyser, 12, Stopping(lambda: True), ignore, PLANS) == 0
    assert games.files() == []


def test_a_game_is_on_one_side_and_stays_there(store: StoredGames, dataset: Dataset) -> None:
    ids = [game_id(line) for file in store.files() for line in file.read_bytes().splitlines()]
    held = set(np.flatnonzero(held_back(ids, HELD_BACK)))
    assert set(dataset.held_out.game) == held
    assert set(dataset.training.game) == set(range(36)) - held
    assert ids[0] == hashlib.sha256(b"2 1 20").hexdigest()
    sides = held_back(ids[:20], HELD_BACK)
    assert set(np.flatnonzero(sides)) == {game for game in held if game < 20}, "more games move no game"


def test_outcomes_are_the_games(dataset: Dataset) -> None:
    played = dataset.training.played
    assert set(np.unique(played.outcome)) <= {0, 0.25, np.float32(0.333), 0.5, 1}
    beside = dataset.training.where(dataset.training.outcome < 0)
    assert len(beside) > len(played) / 2
    assert beside.searched.all()


def test_what_is_fitted_is_what_the_snake_computes(
    dataset: Dataset, store: StoredGames, analyser: SnakeAnalyser, tmp_path: Path
) -> None:
    settings = FitSettings(hand_share=0.5, crowd_share=0.5, epochs=3, batch=512)
    fitted = fit_evaluation(dataset, settings, ignore)
    again = fit_evaluation(dataset, settings, ignore)
    assert fitted.evaluation.to_bytes() == again.evaluation.to_bytes(), "equal seeds, equal files"
    path = tmp_path / "leaf.eval"
    fitted.evaluation.save(path)
    kept = load(path, dataset.legend)
    assert kept.to_bytes() == path.read_bytes()
    assert (kept.hand_share, kept.width, kept.height) == (0.5, 11, 11)
    seen = read_dataset(store, analyser, path).training
    for network, duel in ((kept.duel, True), (kept.crowd, False)):
        part = seen.where((seen.living == 2) == duel)
        assert len(part) > 1000
        assert np.array_equal(network.evaluate(rows_of(part.shown, kept.legend)), part.added)
        assert np.ptp(part.added) > 1000
    assert measure_evaluation(kept, dataset).text() == fitted.text()
    assert "duels" in fitted.text()


def test_fitting_finds_what_the_search_saw(dataset: Dataset) -> None:
    """On the positions themselves: with this few games nothing more can be asked for."""
    fitted = fit_evaluation(dataset, FitSettings(duel_share=1, epochs=6, batch=256), ignore)
    part = dataset.training.where((dataset.training.living == 2) & dataset.training.searched)
    part = part.where(np.abs(part.value) < 1000)
    added = fitted.evaluation.duel.evaluate(rows_of(part.shown, dataset.legend)) / 2**12
    assert np.square(part.value - part.own - added).mean() < 0.9 * np.square(part.value - part.own).mean()
    shrunk = fit_evaluation(dataset, FitSettings(epochs=6, batch=256), ignore)
    half = shrunk.evaluation.duel.evaluate(rows_of(part.shown, dataset.legend)) / 2**12
    assert np.abs(half - added / 2).max() < 1  # output weights are whole numbers
    crowd = rows_of(dataset.training.where(dataset.training.living > 2).shown, dataset.legend)
    assert not shrunk.evaluation.crowd.evaluate(crowd).any(), "silent among more than two snakes, as shipped"


def test_a_damaged_file_is_named_and_the_snake_plays_on(analyser: SnakeAnalyser, tmp_path: Path) -> None:
    content = bytearray((BUNDLED / "leaf.eval").read_bytes())
    content[3000] ^= 1
    damaged = tmp_path / "leaf.eval"
    damaged.write_bytes(content)
    command = [str(analyser.binary), "-self-play", "1", "-positions", "20"]
    own = subprocess.run([*command, "-eval", "none"], capture_output=True, text=True, check=True)
    told = subprocess.run([*command, "-eval", str(damaged)], capture_output=True, text=True, check=True)
    assert told.stderr == (
        f"ouroboros-snake: {damaged} is a damaged leaf evaluation: its checksum is not that of what it holds; "
        "playing by the snake's own evaluation\n"
    )
    assert told.stdout == own.stdout
    sound = subprocess.run([*command, "-eval", str(BUNDLED / "leaf.eval")], capture_output=True, text=True, check=True)
    assert sound.stderr == ""
    assert sound.stdout != own.stdout
    built_in = subprocess.run(command, capture_output=True, text=True, check=True)
    assert built_in.stdout == sound.stdout


def test_stored_games_that_cannot_be_read_are_refused(
    analyser: SnakeAnalyser, store: StoredGames, tmp_path: Path
) -> None:
    games = StoredGames(tmp_path)
    with pytest.raises(DataError, match=r"too few to learn from .* `ouroboros leaf-eval play`"):
        read_dataset(games, analyser)
    lines = store.files()[0].read_bytes().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_bytes(lines[0] + lines[1][:-200] + b"\n")
    with pytest.raises(DataError, match="a stored game cannot be read"):
        read_dataset(games, analyser)
    (tmp_path / "a.jsonl").write_bytes(lines[0] + lines[1].replace(b'"moves":"', b'"moves":"x'))
    with pytest.raises(DataError, match="line 2 of the games"):
        read_dataset(games, analyser)
    with pytest.raises(SnakeError, match="cannot be read"):
        parse_shown(b"listening on 8000\n")


LEGEND = Legend(("a", "b"), (2, 3))


def made_up(rows: int, searched: int) -> ShownPositions:
    """Positions of duels, of which so many were searched."""
    nothing = np.zeros(rows, np.int32)
    return ShownPositions(
        nothing, nothing + 2, (np.arange(rows) % 2).astype(np.float32), np.arange(rows) < searched,
        nothing.astype(np.float32), nothing.astype(np.float32), np.zeros((rows, 2), np.uint8), nothing,
    )  # fmt: skip


def test_what_was_never_searched_is_nothing_to_learn_from() -> None:
    """A network of random numbers was written as if it had been fitted."""
    dataset = Dataset(LEGEND, made_up(2000, 10), made_up(200, 200), 20)
    with pytest.raises(DataError, match="there are 10 positions of duels to learn from, too few"):
        fit_evaluation(dataset, FitSettings(), ignore)


def test_a_network_without_a_share_needs_no_games() -> None:
    """`--crowd-share 0`, the default, asked for games of more than two snakes all the same."""
    told: list[str] = []
    dataset = Dataset(LEGEND, made_up(2000, 2000), made_up(200, 200), 20)
    fitted = fit_evaluation(dataset, FitSettings(epochs=1, batch=512), told.append)
    assert fitted.evaluation.crowd.silent
    assert not fitted.evaluation.duel.silent
    assert "more than two snakes: left to the snake's own evaluation" in told
    assert fitted.crowd is None
    assert [line.split()[0] for line in fitted.text().splitlines()] == ["held-out", "duels"]
    with pytest.raises(DataError, match="0 positions of more than two snakes to learn from"):
        fit_evaluation(dataset, FitSettings(crowd_share=0.1, epochs=1, batch=512), told.append)
    with pytest.raises(DataError, match="0 positions of more than two snakes to measure on"):
        measure_evaluation(replace(fitted.evaluation, crowd=fitted.evaluation.duel), dataset)


def test_the_cross_entropy_that_is_told_is_a_mean() -> None:
    """Of fewer positions than one batch, too: it was told too small by what the batch lacked."""
    told: list[str] = []
    fit(made_up(100, 100), LEGEND, Scale(100.0, np.zeros(3)), FitSettings(epochs=1, rate=0.0), 1.0, told.append)
    chances = float(told[0].rpartition(" ")[2])
    assert 0.5 < chances < 0.9, "log 2, but for what the random network adds"


def small(seed: int = 1) -> LeafEval:
    rng = np.random.default_rng(seed)
    shapes = ((5, LANES), LANES, LANES)
    duel, crowd = (
        LeafNetwork(*(rng.integers(-780, 781, shape).astype(np.int16) for shape in shapes)) for _ in range(2)
    )
    return LeafEval(LEGEND, 1.0, 11, 11, duel, crowd)


def test_the_value_is_the_sum_that_the_module_describes() -> None:
    network = small().duel
    for shown in ([0, 0], [1, 2], [0, 1]):
        rows = rows_of(np.array([shown], np.uint8), LEGEND)
        assert rows.tolist() == [[shown[0], 2 + shown[1]]]
        want = 0
        for lane in range(LANES):
            total = sum(int(network.table[row, lane]) for row in rows[0]) + int(network.bias[lane])
            total = min(max(total, 0), 256) if lane < LANES - 1 else total
            want += total * int(network.output[lane])
        assert network.evaluate(rows).tolist() == [want]


def test_numbers_are_rounded_and_kept_within_what_the_snakes_hold() -> None:
    big = quantised(
        *(np.full(shape, value, np.float32) for shape, value in (((2, LANES), 9), (LANES, -999), (LANES, 1)))
    )
    assert (big.table == 780).all()
    assert (big.bias == -32767).all()
    assert (big.output == 16).all()  # 1/16 of a point each


def test_a_file_says_what_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "leaf.eval"
    content = small().to_bytes()

    def refused(data: bytes, says: str) -> None:
        path.write_bytes(data)
        with pytest.raises(ModelError, match=says):
            load(path, LEGEND)

    refused(b"", "no leaf evaluation")
    refused(content[:-1], "damaged")
    refused(content[:40] + bytes([content[40] ^ 1]) + content[41:], "damaged")
    later = content[:8] + b"\x02" + content[9:-4]
    refused(later + zlib.crc32(later).to_bytes(4, "little"), "another version")
    path.write_bytes(content)
    with pytest.raises(ModelError, match="another version"):
        load(path, Legend(("a", "c"), (2, 3)))
    with pytest.raises(ModelError, match="cannot be written"):
        small().save(tmp_path / "none" / "leaf.eval")


def test_targets_mix_the_outcome_with_the_searchs_chance(dataset: Dataset) -> None:
    scale = Scale(400.0, np.zeros(9))
    part = dataset.training.where(dataset.training.searched)
    chances = 1 / (1 + np.exp(-part.value / 400.0))
    assert np.allclose(targets(part, scale, 0.0), chances, atol=1e-5)
    mixed = np.where(part.outcome < 0, chances, 0.25 * part.outcome + 0.75 * chances)
    assert np.allclose(targets(part, scale, 0.25), mixed, atol=1e-5)
