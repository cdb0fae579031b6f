"""Supervised learning on games of random walkers: it learns, every setting acts, and it ends when it should."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from played_positions import changed, played_lesson
from small_networks import small_network

from pipeline.data.positions import Positions
from pipeline.evolution import supervised_trainer
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.fit_progress import FitEnd, FitReport
from pipeline.evolution.networks import Heads, Network
from pipeline.evolution.supervised import fit
from pipeline.evolution.supervised_step import Losses, SupervisedLearner, make_optimizer
from pipeline.evolution.training_state import TrainingState
from schemas.errors import DataError, OutOfTimeError, TrainingError
from schemas.phases import TrainingPhaseConfig
from schemas.training import TrainingOptimizationConfig

Rows = tuple[Positions, Positions]
PHASE: dict[str, Any] = {"learning_rate": 0.01, "batch_size": 16, "max_epochs": 1, "data_augmentation": False}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return played_lesson(240)


def learn(
    network: Network,
    rows: Rows,
    *,
    optimization: Mapping[str, Any] | None = None,
    stop: Callable[[], bool] = lambda: False,
    checkpoints: CheckpointFolder | None = None,
    report: Callable[[float, str, Mapping[str, float]], None] = lambda done, details, numbers: None,
    time_budget_s: float | None = None,
    weights: Any = None,
    seed: int = 3,
    **phase: Any,
) -> FitReport:
    return fit(
        network, *rows, TrainingPhaseConfig(**(PHASE | phase)),
        TrainingOptimizationConfig(**({"threads": 1} | dict(optimization or {}))),
        seed=seed, checkpoints=checkpoints, report=report, stop=stop, time_budget_s=time_budget_s, device=CPU,
        weights=weights,
    )  # fmt: skip


def learned(rows: Rows, *, network: Network | None = None, **arguments: Any) -> dict[str, torch.Tensor]:
    """The weights after one short training of the same first network."""
    network = network or small_network()
    learn(network, rows, **arguments)
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def close(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], within: float) -> bool:
    return all(torch.allclose(tensor.float(), second[name].float(), atol=within) for name, tensor in first.items())


def test_it_learns_and_says_so(rows: Rows) -> None:
    told: list[tuple[float, str, Mapping[str, float]]] = []
    network = small_network()
    made = learn(network, rows, max_epochs=6, report=lambda *words: told.append(words))
    assert made.ended is FitEnd.EPOCHS and made.setbacks == 0 and not made.resumed
    assert made.steps == 6 * (-(-len(rows[0]) // 16)) and made.samples == 6 * len(rows[0])
    assert made.best is not None
    assert made.best.validation.total < made.history[0].validation.total * 0.95
    assert made.best.validation.policy < made.history[0].validation.policy
    assert [record.epoch for record in made.history] == list(range(6))
    assert not network.training and not network.recompute
    shares = [done for done, _, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert told[-1][2]["validation_loss"] == made.history[-1].validation.total
    assert 0 < made.outside_share < 1 and made.samples_per_s > 0


def test_the_same_arguments_teach_the_same(rows: Rows) -> None:
    first = learned(rows, data_augmentation=True)
    assert equal(first, learned(rows, data_augmentation=True))
    assert not equal(first, learned(rows, data_augmentation=True, seed=4))


def test_chance_of_the_process_does_not_matter(rows: Rows) -> None:
    network = small_network()
    first = learned(rows, network=network)
    torch.manual_seed(77)
    np.random.seed(8)
    assert equal(first, learned(rows))


@pytest.mark.parametrize(
    "phase",
    [
        {"learning_rate": 0.02},
        {"batch_size": 8},
        {"data_augmentation": True},
        {"gradient_accumulation_steps": 2},
        {"max_epochs": 2},
    ],
    ids=str,
)
def test_a_phase_setting_acts(rows: Rows, phase: dict[str, Any]) -> None:
    assert not equal(learned(rows), learned(rows, **phase))


@pytest.mark.parametrize("optimization", [{"gradient_clipping": 1e-3}, {"weight_decay": 10.0}], ids=str)
def test_an_optimization_setting_acts(rows: Rows, optimization: dict[str, Any]) -> None:
    assert not equal(learned(rows), learned(rows, optimization=optimization))


def test_threads_are_set(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    learned(rows, optimization={"threads": 3})
    assert asked == [3]


@pytest.mark.parametrize("fields", [{"dropout_rate": 0.5}, {"batch_norm": False}], ids=str)
def test_a_network_setting_acts_in_training(rows: Rows, fields: dict[str, Any]) -> None:
    first = learned(rows)
    other = learned(rows, network=small_network(**fields))
    assert not equal({name: first[name] for name in first if name in other}, other)


def test_accumulated_batches_are_one_large_batch(rows: Rows) -> None:
    plain: dict[str, Any] = {"dropout_rate": 0.0, "batch_norm": False}
    whole = learn(small_network(**plain), rows, batch_size=32)
    parts = learn(small_network(**plain), rows, batch_size=8, gradient_accumulation_steps=4)
    small = learn(small_network(**plain), rows, batch_size=8)
    assert whole.steps == parts.steps
    assert parts.history[0].training.total == pytest.approx(whole.history[0].training.total, rel=1e-4)
    assert parts.history[0].validation.total == pytest.approx(whole.history[0].validation.total, rel=1e-4)
    assert small.history[0].validation.total != pytest.approx(whole.history[0].validation.total, rel=1e-3)


def test_recomputed_activations_change_nothing_but_are_recomputed(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    evaluate = Network.evaluate

    def watched(network: Network, *inputs: torch.Tensor) -> Heads:
        seen.append(network.recompute)
        return evaluate(network, *inputs)

    monkeypatch.setattr(Network, "evaluate", watched)
    plain: dict[str, Any] = {"dropout_rate": 0.0, "batch_norm": False}
    kept = learned(rows, network=small_network(**plain))
    assert not any(seen)
    recomputed = learned(rows, network=small_network(**plain), gradient_checkpointing=True)
    assert any(seen) and close(kept, recomputed, 1e-6)


def test_mixed_precision_leaves_a_cpu_alone(rows: Rows) -> None:
    exact = learned(rows, optimization={"use_mixed_precision": False})
    assert equal(exact, learned(rows, optimization={"use_mixed_precision": True}))


def test_rows_of_no_weight_teach_nothing(rows: Rows) -> None:
    training, validation = rows
    weights = np.ones(len(training), np.float32)
    weights[::2] = 0
    nonsense = training.moves.copy()
    nonsense[::2] = 3 - nonsense[::2]
    plain: dict[str, Any] = {"weights": weights}
    first = learned(rows, network=small_network(), **plain)
    spoilt = (changed(training, moves=nonsense, outcome=np.where(weights > 0, training.outcome, 1)), validation)
    assert equal(first, learned(spoilt, network=small_network(), **plain))
    assert not equal(first, learned(spoilt, network=small_network()))


def test_it_stops_when_validation_no_longer_improves_and_keeps_the_best(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = iter([3.0, 2.0, 2.5, 2.0, 1.0])  # as good as the best is not better
    weights: list[dict[str, torch.Tensor]] = []
    original = SupervisedLearner.validation_losses

    def pretended(self: SupervisedLearner, sums: list[float]) -> Losses:
        weights.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})
        return original(self, sums).model_copy(update={"total": next(totals)})

    monkeypatch.setattr(SupervisedLearner, "validation_losses", pretended)
    network = small_network()
    made = learn(network, rows, max_epochs=9, early_stopping_patience=2)
    assert made.ended is FitEnd.PATIENCE and len(made.history) == 4
    assert made.best_epoch == 1 and made.best is not None and made.best.validation.total == 2.0
    assert equal(weights[1], network.state_dict()) and not equal(weights[3], network.state_dict())


def test_a_stop_is_obeyed_at_once_and_the_rest_comes_later(rows: Rows, tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "c")
    whole_network, network = small_network(), small_network()
    whole = learn(whole_network, rows, max_epochs=3)
    asked = iter(range(1000))
    made = learn(network, rows, max_epochs=3, checkpoints=checkpoints, stop=lambda: next(asked) == 17)
    assert made.ended is FitEnd.STOP and 17 - 3 <= made.steps <= 17
    asked = iter(range(1000))
    for _ in range(2):  # once more within an epoch, then at its end, while it validates
        asked = iter(range(1000))
        left = -made.steps % 12 or 12
        made = learn(network, rows, max_epochs=3, checkpoints=checkpoints, stop=lambda: next(asked) == left)  # noqa: B023
        assert made.resumed
    made = learn(small_network(9), rows, max_epochs=3, checkpoints=checkpoints)
    assert made.resumed and made.history == whole.history and made.ended is FitEnd.EPOCHS


def test_a_finished_training_is_not_trained_again(rows: Rows, tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "c")
    network, other = small_network(), small_network(5)
    made = learn(network, rows, checkpoints=checkpoints)
    names = checkpoints.names()
    again = learn(other, rows, checkpoints=checkpoints)
    assert again.resumed and again.ended is FitEnd.EPOCHS and again.history == made.history
    assert again.samples_per_s == 0 and checkpoints.names() == names
    assert equal(network.state_dict(), other.state_dict())


def test_a_checkpoint_of_other_rows_is_not_resumed(
    rows: Rows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = CheckpointFolder(tmp_path / "c")
    learn(small_network(), rows, checkpoints=checkpoints)
    training, validation = rows
    made = learn(small_network(), (changed(training, outcome=-training.outcome), validation), checkpoints=checkpoints)
    assert not made.resumed and "another training" in caplog.text


def test_the_clock_ends_it_with_a_whole_result(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    monkeypatch.setattr(
        supervised_trainer, "time", SimpleNamespace(monotonic=lambda: next(looks) / 100)
    )  # each look: 10 ms
    made = learn(small_network(), rows, max_epochs=10_000, early_stopping_patience=10_000, time_budget_s=5)
    assert made.ended is FitEnd.TIME and made.best is not None
    assert len(rows[0]) < made.samples < 10_000 * len(rows[0])
    assert made.history[-1].rate < 0.01, "the rate fell towards the end that the clock set"


def lose(network: Network, monkeypatch: pytest.MonkeyPatch, at: set[int], by: float) -> None:
    """Spoil the losses of the calls numbered `at`."""
    evaluate, calls = network.evaluate, iter(range(100_000))

    def spoilt(*inputs: torch.Tensor) -> Heads:
        heads = evaluate(*inputs)
        return heads._replace(value=heads.value * by) if network.training and next(calls) in at else heads

    monkeypatch.setattr(network, "evaluate", spoilt)


@pytest.mark.parametrize("by", [float("nan"), float("inf"), 1e9])
def test_a_lost_loss_is_gone_back_from_with_half_the_rate(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    told: list[str] = []
    network = small_network()
    lose(network, monkeypatch, {20}, by)
    made = learn(network, rows, max_epochs=3, report=lambda done, words, numbers: told.append(words))
    undisturbed = learn(small_network(), rows, max_epochs=3)
    assert made.setbacks == 1 and made.ended is FitEnd.EPOCHS
    assert made.steps == undisturbed.steps and made.history[0] == undisturbed.history[0]
    assert made.history[-1].rate == undisturbed.history[-1].rate / 2
    assert sum("the loss was lost at step" in words for words in told) == 1
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


def test_three_lost_losses_end_it(rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = small_network()
    lose(network, monkeypatch, {5, 9, 11}, float("nan"))
    with pytest.raises(TrainingError, match="lost 3 times"):
        learn(network, rows, max_epochs=3)
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


def test_too_few_rows_are_refused(rows: Rows) -> None:
    training, validation = rows
    with pytest.raises(DataError, match="validation"):
        learn(small_network(), (training, validation.rows(slice(0, 0))))
    with pytest.raises(DataError, match="training"):
        learn(small_network(), (training.rows(slice(0, 1)), validation))


def test_a_last_row_alone_is_left_out(rows: Rows) -> None:
    training, validation = rows
    made = learn(small_network(), (training.rows(slice(0, 33)), validation), max_epochs=2)
    assert made.steps == 4 and made.samples == 64


def test_time_that_is_spent_before_the_first_step_is_an_error_and_nothing_is_kept_of_it(
    rows: Rows, tmp_path: Path
) -> None:
    kept = CheckpointFolder(tmp_path, 3)
    with pytest.raises(OutOfTimeError, match="before its first step"):
        learn(small_network(), rows, checkpoints=kept, time_budget_s=0.0)
    assert kept.latest() is None
    assert learn(small_network(), rows, checkpoints=kept).steps > 0


def test_a_checkpoint_of_an_optimizer_that_groups_otherwise_is_gone_on_from_without_its_moments() -> None:
    network = small_network()
    former = torch.optim.AdamW(network.parameters(), lr=0.01)
    state = TrainingState.capture(network, former)
    now = make_optimizer(network, 0.5, 0.1)
    state.restore(network, now)
    assert {group["lr"] for group in now.param_groups} == {0.5}
