"""The learner that lives for ever, on disk: one folder of checkpoints, which cycles, runs and restarts go on from.

A checkpoint holds all of it: weights and running averages, the optimizer's moments, the league with its records, every
source of chance, the games in play, the expert's positions, and its story: where it comes from, what it made last, and
how often in a row that was refused. Whatever changes the story writes the next checkpoint, whole.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import JsonValue
from torch import Tensor

from pipeline.evolution.networks import Network
from pipeline.evolution.self_play import LIFE, Checkpoints, Counts
from pipeline.evolution.training_state import OptimizerState, TrainingState
from schemas.base import Frozen

FOLDER: Final = "learner"


class Story(Frozen):
    """What is known of a learner beside what it is."""

    network: dict[str, JsonValue]
    """The configuration it is built by."""
    born_from: str | None
    """The registered model whose weights it began with; None: it began with none's."""
    born_in: str
    """The run it began in."""
    model: str | None = None
    """The last model it made."""
    judged: str = ""
    """The last cycle that was judged, by its run and number."""
    refused: int = 0
    """Cycles in a row that were not promoted."""
    returned: int = 0
    """How often it took over the champion's weights."""


class MemoryOnly:
    """Checkpoints of a run that keeps none: the newest, for as long as this process lives."""

    def __init__(self) -> None:
        self._newest: TrainingState | None = None

    def save(self, state: TrainingState) -> None:
        """Keep it as the newest."""
        self._newest = state

    def latest(self) -> TrainingState | None:
        """The newest one."""
        return self._newest


class LastingLearner:
    """One learner's life between the stretches in which it learns."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints: Final = checkpoints

    def story(self) -> Story | None:
        """What is known of it; None: there is none yet."""
        state = self.checkpoints.latest()
        return None if state is None else _story(state)

    def counts(self) -> Counts:
        """How far it has come."""
        state = self.checkpoints.latest()
        if state is None:
            return Counts()
        return Counts(*(int(str(state.counters[name])) for name in Counts._fields))

    def why_unfit(self, network: Network) -> str | None:
        """Why it cannot go on as such a network; None: it can, or there is none yet."""
        story = self.story()
        if story is None or story.network == configuration_of(network):
            return None
        return "it is of another network than the one that is configured"

    def judged(self, cycle: str, model_id: str, *, promoted: bool) -> Story:
        """Note what became of a cycle, once, whatever was killed when."""
        state, story = self._present()
        if story.judged == cycle:
            return story
        refused = 0 if promoted else story.refused + 1
        return self._tell(state, story.model_copy(update={"judged": cycle, "model": model_id, "refused": refused}))

    def return_to(self, model_id: str, weights: Mapping[str, Tensor]) -> Story:
        """Take over a model's weights, with moments that begin anew; league, counts and chance go on."""
        state, story = self._present()
        groups = state.optimizer.groups if state.optimizer else []
        state = replace(state, network=dict(weights), optimizer=OptimizerState({}, groups))
        changed = {"model": model_id, "refused": 0, "returned": story.returned + 1}
        return self._tell(state, story.model_copy(update=changed))

    def _present(self) -> tuple[TrainingState, Story]:
        state = self.checkpoints.latest()
        assert state is not None
        return state, _story(state)

    def _tell(self, state: TrainingState, story: Story) -> Story:
        counters = {**state.counters, LIFE: story.model_dump(mode="json")}
        self.checkpoints.save(replace(state, counters=counters))
        return story


def configuration_of(network: Network) -> dict[str, JsonValue]:
    """What a network is built by, as a story tells it."""
    return network.config.model_dump(mode="json") | {"frame": network.frame}


def _story(state: TrainingState) -> Story:
    return Story.model_validate(state.counters[LIFE])
