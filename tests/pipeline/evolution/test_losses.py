"""Losses: against numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch

from pipeline.evolution import supervised_step
from pipeline.evolution.batches import Targets
from pipeline.evolution.networks import Heads
from pipeline.evolution.supervised_step import Divisors, Losses, loss_sums, total

HORIZONS = 2
CELLS = 3


def heads(rows: int = 1, **parts: list[list[float]]) -> Heads:
    shapes = {"policy_logits": 4, "value": 1, "survival_logits": HORIZONS, "territory_logits": CELLS}
    filled = {name: torch.tensor(parts.get(name, [[0.0] * width] * rows)) for name, width in shapes.items()}
    return Heads(**{name: tensor.requires_grad_() for name, tensor in filled.items()})


def targets(rows: int = 1, **parts: object) -> Targets:
    plain: dict[str, object] = {
        "masks": [[True] * 4] * rows,
        "moves": [0] * rows,
        "outcome": [0.0] * rows,
        "survived": [[1.0] * HORIZONS] * rows,
        "told": [[1.0] * HORIZONS] * rows,
        "territory": [[0.0] * CELLS] * rows,
        "on_board": [[1.0] * CELLS] * rows,
        "policy_weights": [1.0] * rows,
        "weights": [1.0] * rows,
    }
    return Targets(**{name: torch.tensor(value) for name, value in (plain | parts).items()})


def test_the_policy_is_the_cross_entropy_over_legal_moves() -> None:
    said = heads(policy_logits=[[1.0, 2.0, 3.0, 50.0]])
    sums = loss_sums(said, targets(masks=[[True, True, True, False]], moves=[1]))
    expected = -math.log(math.exp(2) / (math.exp(1) + math.exp(2) + math.exp(3)))
    assert sums.policy.item() == pytest.approx(expected, rel=1e-6)
    assert sums.right.item() == 0
    assert loss_sums(said, targets(masks=[[True, True, True, False]], moves=[2])).right.item() == 1


def test_a_row_of_no_weight_may_name_an_illegal_move() -> None:
    said = heads(2)
    sums = loss_sums(said, targets(2, masks=[[False, True, True, True], [True] * 4], policy_weights=[0.0, 1.0]))
    assert sums.policy.item() == pytest.approx(math.log(4))
    total(sums, Divisors(1, 2)).backward()  # type: ignore[no-untyped-call]
    assert said.policy_logits.grad is not None and torch.isfinite(said.policy_logits.grad).all()
    assert (said.policy_logits.grad[0] == 0).all()


def test_value_survival_and_territory() -> None:
    said = heads(value=[[0.5]], survival_logits=[[2.0, -1.0]], territory_logits=[[0.0, 3.0, -3.0]])
    sums = loss_sums(
        said,
        targets(outcome=[-1.0], told=[[1.0, 0.0]], territory=[[1.0, 1.0, 0.0]], on_board=[[1.0, 1.0, 0.0]]),
    )
    assert sums.value.item() == pytest.approx(2.25)
    assert sums.survival.item() == pytest.approx(math.log1p(math.exp(-2)) / 2, rel=1e-6)
    assert sums.territory.item() == pytest.approx((math.log(2) + math.log1p(math.exp(-3))) / 2, rel=1e-6)


def test_rows_count_by_their_weights() -> None:
    said = heads(2, value=[[0.0], [0.0]])
    sums = loss_sums(said, targets(2, outcome=[1.0, 0.5], weights=[1.0, 3.0], policy_weights=[0.0, 2.0]))
    assert sums.value.item() == pytest.approx(1 + 3 * 0.25)
    assert sums.policy.item() == pytest.approx(2 * math.log(4))


def test_the_total_weighs_the_parts_as_documented() -> None:
    sums = loss_sums(heads(2), targets(2, outcome=[1.0, 1.0], weights=[1.0, 3.0], policy_weights=[1.0, 3.0]))
    weights = np.array([1.0, 3.0], np.float32)
    divisors = Divisors.of(weights, weights)
    mean = Losses.mean([part.item() for part in sums], divisors)
    assert mean.total == pytest.approx(total(sums, divisors).item())
    assert mean.total == pytest.approx(
        mean.policy
        + supervised_step.VALUE_WEIGHT * mean.value
        + supervised_step.SURVIVAL_WEIGHT * mean.survival
        + supervised_step.TERRITORY_WEIGHT * mean.territory
    )
    assert mean.accuracy == 1 and mean.value == 1


def test_rows_that_all_weigh_nothing_lose_nothing() -> None:
    nothing = np.zeros(2, np.float32)
    sums = loss_sums(heads(2), targets(2, weights=[0.0, 0.0], policy_weights=[0.0, 0.0]))
    assert total(sums, Divisors.of(nothing, nothing)).item() == 0
