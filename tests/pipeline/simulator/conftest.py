"""Policies that need no network: one that draws its moves, one that looks at what it sees."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.engine.observe import Observations
from pipeline.engine.planes import FEATURES
from pipeline.simulator.competitor import Policy

FOOD = [slot.name for slot in FEATURES].index("food_up")


class Drawn:
    """A uniform legal move by the draw it is given; remembers how it was asked."""

    def __init__(self, name: str = "drawn") -> None:
        self.name = name
        self.rows: list[int] = []

    def choose(
        self, observations: Observations, masks: NDArray[np.bool_], draws: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        self.rows.append(len(draws))
        assert draws.dtype == np.float32
        assert (draws >= 0).all()
        assert (draws < 1).all()
        assert masks.any(1).all()
        nth = (draws * masks.sum(1)).astype(np.int64)
        return np.asarray((np.cumsum(masks, 1) <= nth[:, None]).sum(1), np.uint8)


class Eater:
    """The legal move with the most steps towards food to save; knows only its observation."""

    def __init__(self, name: str = "eater") -> None:
        self.name = name

    def choose(
        self, observations: Observations, masks: NDArray[np.bool_], draws: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        steps = observations.features[:, FOOD : FOOD + 4].astype(np.int64)
        return np.asarray(np.where(masks, steps, -1).argmax(1), np.uint8)


@pytest.fixture(scope="session")
def drawn() -> Callable[[str], Policy]:
    return Drawn


@pytest.fixture(scope="session")
def eater() -> Callable[[str], Policy]:
    return Eater
