"""Policies that need no network."""

from typing import Any

import numpy as np
import pytest

from pipeline.engine.planes import FEATURES

FOOD = [slot.name for slot in FEATURES].index("food_up")


class Eater:
    """The legal move with the most steps towards food to save; the first of equal ones, so it sees up and left."""

    name = "eater"

    def choose(self, observations: Any, masks: Any, draws: Any) -> Any:
        steps = observations.features[:, FOOD : FOOD + 4].astype(np.int64)
        return np.where(masks, steps, -1).argmax(1).astype(np.uint8)


class Upward:
    """Up wherever that is legal, else the first legal move."""

    name = "upward"

    def choose(self, observations: Any, masks: Any, draws: Any) -> Any:
        return masks.argmax(1).astype(np.uint8)


@pytest.fixture(scope="session")
def eater() -> Eater:
    return Eater()


@pytest.fixture(scope="session")
def upward() -> Upward:
    return Upward()
