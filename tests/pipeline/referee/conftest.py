"""Scripted snakes for the referee's tests."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripted_snake import Script, ScriptedSnake, move, safe_move


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedSnake]]:
    """Make scripted snakes; all are closed after the test."""
    made: list[ScriptedSnake] = []

    def make(script: Script, **options: Any) -> ScriptedSnake:
        made.append(ScriptedSnake(script, **options))
        return made[-1]

    yield make
    for snake in made:
        snake.close()


@pytest.fixture
def good_snake(scripted: Callable[..., ScriptedSnake]) -> ScriptedSnake:
    """A snake that answers and avoids walls and bodies."""
    return scripted(lambda request: [move(safe_move(request.body))])
