"""The continual learner on disk: one folder of checkpoints, which cycles, runs and restarts go on from.

A checkpoint holds all of it: weights and running averages, the optimizer's moments, the league with its records, every
source of chance, the games in play, the expert's positions, and its history: where it comes from, what it made last,
and how often in a row that was refused. Whatever changes the history writes the next checkpoint, whole.
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


class LearnerHistory(Frozen):
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


class ContinualLearner:
    """One learner's life between the stretches in which it learns."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints: Final = checkpoints

    def history(self) -> LearnerHistory | None:
        """What is known of it; None: there is none yet."""
        state = self.checkpoints.latest()
        return None if state is None else _history(state)

    def counts(self) -> Counts:
        """How far it has come."""
        state = self.checkpoints.latest()
        if state is None:
            return Counts()
        return Counts(*(int(str(state.counters[name])) for name in Counts._fields))

    def spent_s(self) -> float:
        """Seconds of learning in its life."""
        state = self.checkpoints.latest()
        return 0.0 if state is None else float(str(state.counters["spent_s"]))

    def why_unfit(self, network: Network) -> str | None:
        """Why it cannot go on as such a network; None: it can, or there is none yet."""
        history = self.history()
        if history is None or history.network == configuration_of(network):
            return None
        return "it is of another network than the one that is configured"

    def judged(self, cycle: str, model_id: str, *, promoted: bool) -> LearnerHistory:
        """Note what became of a cycle, once, whatever was killed when."""
        state, history = self._present()
        if history.judged == cycle:
            return history
        refused = 0 if promoted else history.refused + 1
        return self._tell(state, history.model_copy(update={"judged": cycle, "model": model_id, "refused": refused}))

    def return_to(self, model_id: str, weights: Mapping[str, Tensor]) -> LearnerHistory:
        """Take over a model's weights; moments begin anew, league, counts and chance go on.

        Args:
            weights: all of the network's `state_dict` by name, in the shapes and dtypes of the ones before.
        """
        state, history = self._present()
        groups = state.optimizer.groups if state.optimizer else []
        state = replace(state, network=dict(weights), optimizer=OptimizerState({}, groups))
        changed = {"model": model_id, "refused": 0, "returned": history.returned + 1}
        return self._tell(state, history.model_copy(update=changed))

    def _present(self) -> tuple[TrainingState, LearnerHistory]:
        state = self.checkpoints.latest()
        assert state is not None
        return state, _history(state)

    def _tell(self, state: TrainingState, history: LearnerHistory) -> LearnerHistory:
        counters = {**state.counters, LIFE: history.model_dump(mode="json")}
        self.checkpoints.save(replace(state, counters=counters))
        return history


def configuration_of(network: Network) -> dict[str, JsonValue]:
    """What a network is built by, as a history tells it."""
    return network.config.model_dump(mode="json") | {"frame": network.frame}


def _history(state: TrainingState) -> LearnerHistory:
    return LearnerHistory.model_validate(state.counters[LIFE])
