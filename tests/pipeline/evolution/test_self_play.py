"""Self-play: legal moves only, learning that works, and a run that resumes bit for bit."""

import functools
import itertools
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import live_games
from pipeline.engine.observe import Observations
from pipeline.engine.players.kinds import VORONOI, kind_of
from pipeline.engine.symmetry import MOVE_TO
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.league import LEARNER, RESIDENTS, League, OpponentShares, TeacherTargets, phase_curriculum
from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.policy import TorchPolicy, draw_moves
from pipeline.evolution.ppo_loss import LossWeights
from pipeline.evolution.ppo_trainer import PpoTrainer
from pipeline.evolution.rollout import UNTAUGHT, RolloutWorker, Samples, generalised_advantages
from pipeline.evolution.self_play import SelfPlayReport, improve, told
from pipeline.simulator.go_snake import GO_SNAKE, go_snake_of
from schemas.errors import NothingLearnedError, OutOfTimeError, StoppedError, TrainingError
from schemas.game import GameLogFrame
from schemas.live_game import LiveGame, LiveSource, live_file, watched_file
from schemas.network import ArchitectureType, NeuralNetworkConfig
from schemas.phases import DataSource, TrainingPhaseConfig
from schemas.self_play import OpponentShare, SelfPlaySettings
from schemas.settings import Settings
from schemas.training import DataSettings, TrainingOptimizationConfig


def _network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    small = NeuralNetworkConfig(
        architecture_type=ArchitectureType.CNN_SIMPLE, conv_channels=8, conv_blocks=1, attention_heads=1,
        hidden_layers=[16], dropout_rate=0.1, ground_steps=4,
    )  # fmt: skip
    return build_network(small).eval()


def _self_play(**changed: object) -> SelfPlaySettings:
    small = {
        "environments": 8, "rollout_turns": 8, "snapshot_every_updates": 2, "turn_limit": 20, "crowd_from": 0.0,
        "heuristics": [OpponentShare(kind="hungry", weight=1)], "teacher": "voronoi", "expert": "strong",
        "table_every_updates": 2,
    }  # fmt: skip
    return SelfPlaySettings.model_validate(small | changed)


@functools.cache
def _samples(turns: int = 12, share: float = 1.0, seats: int = 2, *, augmented: bool = False) -> Samples:
    network, settings = _network(), _self_play()
    league = League(settings.heuristics, 0, 0)
    worker = RolloutWorker(6, seats, league, OpponentShares(0.5, 0.0), settings, 5, augmented=augmented)
    return worker.collect(network, [None, None], turns, TeacherTargets(VORONOI, share))[0]


@pytest.mark.parametrize("seats", [2, 4])
def test_only_legal_moves_are_played_and_their_chances_are_the_network_s(seats: int) -> None:
    samples = _samples(seats=seats)
    rows = np.arange(len(samples.moves))
    assert samples.masks[rows, samples.moves].all()
    assert np.isfinite(samples.log_chances).all()
    assert (samples.log_chances <= 0).all()
    assert np.isfinite(samples.advantages).all()
    assert len({len(column) for column in samples}) == 1
    assert samples.features.any(1).all(), "no row of a seat that does not move"


def test_the_teacher_is_asked_in_its_share_of_the_games() -> None:
    assert (_samples(share=1.0).taught != UNTAUGHT).all()
    some = (_samples(share=0.5).taught != UNTAUGHT).mean()
    assert 0 < some < 1
    assert (_samples(share=0.0).taught == UNTAUGHT).all()


def test_advantages_by_hand() -> None:
    values = np.array([[0.5], [0.2], [0.4]], np.float32)
    rewards = np.array([[0.0], [1.0]], np.float32)
    ends = np.array([[False], [True]])
    found = generalised_advantages(values, rewards, ends, 0.9, 0.8)
    second = 1.0 - 0.2
    first = 0.9 * 0.2 - 0.5 + 0.9 * 0.8 * second
    assert np.allclose(found[:, 0], [first, second])
    open_end = generalised_advantages(values, rewards, np.array([[False], [False]]), 0.9, 0.8)
    assert np.allclose(open_end[1, 0], 1.0 + 0.9 * 0.4 - 0.2)


def _learn(
    samples: Samples, weights: LossWeights, parts: int, passes: int = 20, *, replicas: int = 1, target_kl: float = 1e9,
    rate: float = 3e-3, accumulated: int = 1,
) -> tuple[PpoTrainer, list[float]]:  # fmt: skip
    phase = _phase(learning_rate=rate, gradient_accumulation_steps=accumulated, batch_size=32 // accumulated)
    settings = Settings(
        self_play=_self_play(update_epochs=passes, target_kl=target_kl, environments=1),
        training_optimization=TrainingOptimizationConfig(threads=parts, weight_decay=0.0, use_mixed_precision=False),
    )
    devices = [torch.device("cpu")] * replicas
    with PpoTrainer(_network(), phase, settings, 0, lambda: None, devices=devices) as trainer:
        stats = trainer._learn(samples, weights).stats
    return trainer, list(stats)


def _chance_of(network: Network, samples: Samples, moves: np.ndarray) -> float:
    policy = TorchPolicy(network, "x")
    symmetries = np.zeros(len(samples.moves), np.uint8)
    logits = policy.logits(Observations(samples.planes, samples.features, samples.context, symmetries))
    chances = torch.softmax(torch.from_numpy(np.where(samples.masks, logits, -1e9)), 1).numpy()
    return float(chances[np.arange(len(moves)), moves].mean())


def test_moves_that_did_well_become_likelier_whatever_the_parts() -> None:
    samples = _samples()
    firsts = samples.masks.argmax(1).astype(np.uint8)  # it does well to take the first legal move
    good = np.where(samples.moves == firsts, 1.0, -1.0).astype(np.float32)
    samples = samples._replace(advantages=good)
    weights = LossWeights(1.0, 0.0, 0.0, 0.0, 0.0, 10.0)
    before = _chance_of(_network(), samples, firsts)
    learned = [_chance_of(_learn(samples, weights, parts)[0].network, samples, firsts) for parts in (1, 2)]
    assert learned[0] > before + 0.2
    assert abs(learned[0] - learned[1]) < 0.05
    again = _learn(samples, weights, 2)[0].network
    assert _same(again, _learn(samples, weights, 2)[0].network)


def _same(one: Network, other: Network) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("told", [{"replicas": 2}, {"accumulated": 2}])
def test_replicas_and_accumulated_batches_make_the_steps_that_one_batch_would(told: dict[str, int]) -> None:
    weights = LossWeights(1.0, 0.5, 0.01, 1.0, 0.0, 0.2)
    samples = _samples().rows(np.arange(32))  # one step: Adam would make much of the rounding of several
    expected, _ = _learn(samples, weights, 2, 1)
    found, _ = _learn(samples, weights, 2, 1, **told)
    for a, b in zip(expected.network.parameters(), found.network.parameters(), strict=True):
        assert a.grad is not None and b.grad is not None
        assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-5)
    assert all(_same(found.network, replica) for replica in found._replicas)
    steps = {int(kept["step"]) for kept in found.optimizer.state.values()}
    assert steps == {int(kept["step"]) for kept in expected.optimizer.state.values()}


def test_a_batch_of_fewer_rows_than_there_are_threads_for_it_is_learned_from() -> None:
    """Machines have more cores than a last batch has rows: an empty part ended the run."""
    weights = LossWeights(1.0, 0.5, 0.01, 1.0, 0.0, 0.2)
    trainer, stats = _learn(_samples().rows(np.arange(20)), weights, parts=2, passes=1, accumulated=16)
    assert np.isfinite(stats).all()
    assert {int(kept["step"]) for kept in trainer.optimizer.state.values()} == {1}


def test_the_teacher_s_moves_become_likelier_and_values_come_true() -> None:
    samples = _samples()._replace(returns=np.full(len(_samples().moves), 0.7, np.float32))
    before = _chance_of(_network(), samples, samples.taught)
    trainer, _ = _learn(samples, LossWeights(0.0, 1.0, 0.0, 1.0, 0.0, 0.2), 1)
    assert _chance_of(trainer.network, samples, samples.taught) > before + 0.05
    first = _learn(samples, LossWeights(0.0, 1.0, 0.0, 1.0, 0.0, 0.2), 1, passes=1)[1]
    last = _learn(samples, LossWeights(0.0, 1.0, 0.0, 1.0, 0.0, 0.2), 1, passes=20)[1]
    assert last[2] < first[2] / 2


def test_passes_end_once_the_policy_moved_far() -> None:
    samples = _samples()
    trainer, _ = _learn(samples, LossWeights(1.0, 0.0, 0.0, 0.0, 0.0, 10.0), 1, 50, target_kl=1e-9, rate=1e-2)
    steps = int(next(iter(trainer.optimizer.state.values()))["step"])
    assert 0 < steps <= len(samples.moves) // 32 + 1


def test_augmented_games_are_seen_turned_and_played_as_they_lie() -> None:
    """The same chance and a network that does not care for directions: what is labelled is a legal move as seen."""
    samples = _samples(augmented=True)
    rows = np.arange(len(samples.moves))
    assert samples.masks[rows, samples.moves].all()
    open_ways = samples.masks.sum(1) < 4
    labels = np.minimum(samples.taught, 3)
    assert samples.masks[rows, labels][open_ways].all(), "the teacher shuns walls, in the frame that the row sees"
    assert not np.array_equal(samples.planes[:6], _samples().planes[:6])


def test_the_expert_s_labels_are_kept_and_drawn_again_by_how_far_off_the_learner_is() -> None:
    settings = Settings(
        self_play=_self_play(expert_share=0.5), training_optimization=TrainingOptimizationConfig(threads=1)
    )
    with PpoTrainer(_network(), _phase(), settings, 3, lambda: None) as trainer:
        for done in (0.0, 0.2, 0.4, 0.6):
            stats, _ = trainer.update(phase_curriculum(_phase(), settings.self_play, done))
        assert stats.replayed > 0
        kept, buffer = len(trainer._replay), trainer._replay._buffer
        assert kept > 4 * 8
        assert len(np.unique(buffer._tree.weights[:kept])) > 2, "priorities follow the errors"
        again = PpoTrainer(_network(1), _phase(), settings, 9, lambda: None)
        with again:
            assert again.restore(trainer.capture({})) == []
            assert len(again._replay) == kept
            assert np.array_equal(again._replay.draw(8, 5).indices, trainer._replay.draw(8, 5).indices)


@pytest.fixture(scope="session")
def snakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("snakes")


def test_the_go_snake_plays_teaches_and_is_the_expert(snakes: Path) -> None:
    settings = _self_play(heuristics=[], go_snake_weight=1.0, go_snake_positions=40, expert="go_snake")
    go_snake = go_snake_of(settings, snakes)
    assert go_snake is not None
    league = League(settings.heuristics, 0, 0, settings.go_snake_weight)
    shares, targets = OpponentShares(1.0, 0.0), TeacherTargets(None, 0.0, GO_SNAKE, 1.0)
    worker = RolloutWorker(6, 2, league, shares, settings, 5, augmented=True, go_snake=go_snake)
    records, seated = worker._environment.batch.records, worker._seated
    assert (np.sort(seated, 1) == [GO_SNAKE, LEARNER]).all()
    everywhere = np.divmod(np.arange(12), 2)
    expected = go_snake.choose(records, *everywhere).reshape(6, 2)
    mine, views = np.nonzero(seated == LEARNER), worker._environment.symmetries.reshape(6, 2).copy()
    seats = seated.copy()
    samples, seen = worker.collect(_network(), [None, None], 1, targets)
    turned = MOVE_TO[views[mine], expected[mine]]
    assert samples.expert.all()
    assert len(set(turned.tolist())) > 1
    assert np.array_equal(samples.taught, turned)
    assert np.array_equal(worker._environment.batch.actions[seats == GO_SNAKE], expected[seats == GO_SNAKE])
    assert seen.decisions == 6
    go_snake.close()


def test_a_learner_meets_the_go_snake_and_tells_how_it_does(snakes: Path) -> None:
    settings = Settings(
        home=snakes,
        self_play=_self_play(heuristics=[], go_snake_weight=1.0, go_snake_positions=40, teacher="go_snake"),
        training_optimization=TrainingOptimizationConfig(threads=2),
    )
    phase = _phase(heuristic_mix_ratio=1.0)
    with PpoTrainer(_network(), phase, settings, 3, lambda: None) as trainer:
        stages = [phase_curriculum(phase, settings.self_play, done) for done in (0.0, 0.1, 0.2, 0.3)]
        numbers = [told(*trainer.update(stage), 1.0) for stage in stages]
        assert trainer.league.record_of("heuristic:go_snake").games > 0
    assert any("won/go_snake" in told_ for told_ in numbers)
    assert not trainer._go_snake._idle, "closed with the trainer"


def test_draws_follow_the_chances_and_never_take_an_illegal_move() -> None:
    legal = np.log(
        np.array([[0.0, 0.25, 0.0, 0.75]], np.float64),
        where=np.array([[False, True, False, True]]),
        out=np.full((1, 4), -np.inf),
    )
    draws = np.linspace(0, 1, 1000, endpoint=False, dtype=np.float32)
    moves = draw_moves(np.repeat(legal, 1000, 0), draws)
    assert set(moves.tolist()) == {1, 3}
    assert abs((moves == 1).mean() - 0.25) < 0.01
    assert draw_moves(legal, np.array([np.nextafter(np.float32(1), np.float32(0))], np.float32)) == 3


def _phase(updates: int = 5, **changed: object) -> TrainingPhaseConfig:
    known = {"max_epochs": updates, "games_required": 10_000, "batch_size": 32, "heuristic_mix_ratio": 0.5,
             "learning_rate": 1e-3, "data_source": DataSource.SELF_PLAY}  # fmt: skip
    return TrainingPhaseConfig.model_validate(known | changed)


def _run(
    network: Network, folder: Path, stop: Callable[[], bool], phase: TrainingPhaseConfig | None = None
) -> tuple[SelfPlayReport, list[Mapping[str, float]]]:
    told: list[Mapping[str, float]] = []
    settings = Settings(
        training_optimization=TrainingOptimizationConfig(threads=2, checkpoint_interval_s=1e-6), self_play=_self_play()
    )
    report = improve(
        network, phase or _phase(), settings, seed=3, checkpoints=CheckpointFolder(folder, 2),
        report=lambda done, details, numbers: told.append(numbers), stop=stop,
    )  # fmt: skip
    return report, told


@pytest.mark.parametrize("asked", [0, 40, 90])
def test_a_stopped_run_resumes_bit_for_bit(tmp_path: Path, asked: int) -> None:
    whole, parts = _network(), _network()
    undisturbed, _ = _run(whole, tmp_path / "a", lambda: False)
    times = itertools.count()
    first, _ = _run(parts, tmp_path / "b", lambda: next(times) >= asked)
    assert first.stopped
    assert first.updates < undisturbed.updates
    again = _network(9)
    second, _ = _run(again, tmp_path / "b", lambda: False)
    assert (second.updates, second.games, second.decisions) == (
        undisturbed.updates,
        undisturbed.games,
        undisturbed.decisions,
    )
    assert not second.stopped
    for (name, expected), found in zip(whole.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(expected, found), name


def test_a_stop_that_one_thread_hears_first_ends_no_update_under_another_thread_s_hands() -> None:
    """The run goes back to the state kept before: a thread still in its games would play on in what was put back."""
    playing, heard_late, over = threading.Event(), threading.Event(), threading.Event()

    def ensure_running() -> None:
        if threading.current_thread().name.endswith("_0"):
            playing.wait(90)
            raise StoppedError("the first to hear of it")
        playing.set()
        over.wait(0.5)  # in the middle of a turn
        heard_late.set()
        raise StoppedError("the second")

    optimization = TrainingOptimizationConfig(threads=2)
    settings = Settings(self_play=_self_play(), training_optimization=optimization)
    with PpoTrainer(_network(), _phase(), settings, 3, ensure_running) as trainer:
        with pytest.raises(StoppedError):
            trainer.update(phase_curriculum(_phase(), settings.self_play, 0.0))
        assert heard_late.is_set(), "no thread is at work any more"
        over.set()


def test_time_that_is_spent_before_the_first_update_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutOfTimeError, match="before its first update"):
        improve(
            _network(), _phase(10_000), Settings(self_play=_self_play()), seed=1,
            checkpoints=CheckpointFolder(tmp_path, 2), report=lambda *_: None, stop=lambda: False, time_budget_s=1e-3,
        )  # fmt: skip
    later, _ = _run(_network(), tmp_path, lambda: False, _phase(1))
    assert later.updates == 1, "with time it goes on as if nothing had been"


def test_a_spent_time_budget_after_an_update_ends_the_phase_and_is_no_stop(tmp_path: Path) -> None:
    _run(_network(), tmp_path, lambda: False, _phase(2))
    two = Settings(training_optimization=TrainingOptimizationConfig(threads=2), self_play=_self_play())
    report = improve(
        _network(), _phase(10_000), two, seed=3, checkpoints=CheckpointFolder(tmp_path, 2),
        report=lambda *_: None, stop=lambda: False, time_budget_s=0.0,
    )  # fmt: skip
    assert (report.updates, report.stopped) == (2, False)


def test_an_update_that_has_too_little_to_learn_from_is_an_error_that_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(NothingLearnedError, match=r"positions were played, a batch of 100000 .*environments") as caught:
        _run(_network(), tmp_path, lambda: False, _phase(2, batch_size=100_000))
    assert not isinstance(caught.value, OutOfTimeError)
    assert CheckpointFolder(tmp_path, 2).latest() is None


def test_biases_and_norms_do_not_decay() -> None:
    settings = Settings(
        self_play=_self_play(), training_optimization=TrainingOptimizationConfig(threads=1, weight_decay=0.3)
    )
    with PpoTrainer(_network(), _phase(), settings, 1, lambda: None) as trainer:
        decay = {id(w): group["weight_decay"] for group in trainer.optimizer.param_groups for w in group["params"]}
    weights = dict(trainer.network.named_parameters())
    assert {name: decay[id(w)] for name, w in weights.items()} == {
        name: 0.0 if w.ndim == 1 else 0.3 for name, w in weights.items()
    }
    assert any(w.ndim == 1 for w in weights.values())


def test_a_lost_loss_goes_back_and_gives_up_at_last(tmp_path: Path) -> None:
    network = _network()
    with torch.no_grad():
        network.value.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="in a row"):
        _run(network, tmp_path, lambda: False)


def test_under_other_settings_the_learner_goes_on_and_says_what_begins_anew(tmp_path: Path) -> None:
    _run(_network(), tmp_path, lambda: False, _phase(2))
    before = CheckpointFolder(tmp_path, 2).latest()
    assert before is not None and before.optimizer is not None
    settings = Settings(
        training_optimization=TrainingOptimizationConfig(threads=1, weight_decay=0.5),
        self_play=_self_play(environments=12),
        data=DataSettings(buffer_size=50),
    )
    lines: list[str] = []
    report = improve(
        _network(5), _phase(3), settings, seed=3, checkpoints=CheckpointFolder(tmp_path, 2),
        report=lambda *_: None, stop=lambda: False, tell=lines.append,
    )  # fmt: skip
    after = CheckpointFolder(tmp_path, 2).latest()
    assert report.updates == 3
    assert after is not None and after.optimizer is not None
    assert after.optimizer.moments["0/step"] > before.optimizer.moments["0/step"]
    assert after.optimizer.groups[0]["weight_decay"] == 0.5
    assert ["environments" in line for line in lines] == [True, False]
    assert "buffer_size" in lines[1]


def test_numbers_are_told(tmp_path: Path) -> None:
    _, told = _run(_network(), tmp_path, lambda: False)
    assert len(told) == 5
    assert all(numbers["positions_per_s"] > 0 for numbers in told)
    ended = [numbers for numbers in told if numbers["games"]]
    assert ended
    assert all({"cut", "head_on", "turns", "drawn/self"} <= numbers.keys() for numbers in ended)
    assert any(name.startswith("won/") for numbers in ended for name in numbers)


def test_one_game_of_the_learner_s_is_shown_to_whoever_looks_and_changes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_games, "WATCHED_FOR_S", 3600.0)
    monkeypatch.setattr(live_games, "_LOOK_S", 0.0)
    monkeypatch.setattr(live_games, "TURNS_PER_S", 1e9)  # the next game at once
    settings = _self_play(turn_limit=9, environments=4)
    played = []
    for home in (tmp_path / "seen", tmp_path / "unseen"):
        watched_file(home).parent.mkdir(parents=True)
        if home.name == "seen":
            watched_file(home).touch()
        whole = Settings(home=home, self_play=settings, training_optimization=TrainingOptimizationConfig(threads=2))
        with PpoTrainer(_network(), _phase(), whole, 3, lambda: None) as trainer:
            stage = phase_curriculum(_phase(), settings, 0.0)._replace(crowd=0.0, shares=OpponentShares(1.0, 0.0))
            played.append([trainer._play(stage)[0].moves for _ in range(4)])
            path = live_file(home, LiveSource.TRAINING)
            if home.name == "seen":
                _is_a_game_of_the_learner(path, settings.turn_limit)
                trainer.restore(trainer.capture({}))  # the games are others: the one that was shown is let go
                assert trainer._live.wanted()
            else:
                assert not path.exists()
    for seen, unseen in zip(*played, strict=True):
        assert np.array_equal(seen, unseen)


def _is_a_game_of_the_learner(path: Path, turn_limit: int) -> None:
    first, *told = path.read_bytes().splitlines()
    game = LiveGame.model_validate_json(first)
    assert (game.source, sorted(game.names)) == (LiveSource.TRAINING, ["hungry", "learner"])
    turns = [GameLogFrame.model_validate_json(line) for line in told if b"causes" not in line]
    assert [frame.t for frame in turns] == list(range(len(turns)))
    assert turns[0].b is not None
    assert len(turns) <= turn_limit + 1
    for before, after in itertools.pairwise(turns):
        heads = {seat: (x, y) for seat, _, _, x, y in before.s}
        for seat, _, _, x, y in after.s:
            assert abs(heads[seat][0] - x) + abs(heads[seat][1] - y) == 1, "each head moves by one cell a turn"


def test_the_league_says_who_sits_there() -> None:
    league = League([OpponentShare(kind="hungry", weight=1)], 2, 1)
    league.remember(40, _network().state_dict())
    league.welcome("abc", _network().state_dict())
    league.residents = ["past:40", "champion:abc"]
    marks = (LEARNER, *RESIDENTS, int(kind_of("hungry")))
    assert [league.title_of(mark) for mark in marks] == ["learner", "itself, update 40", "champion abc", "hungry"]
