"""Optuna's side of a search: its samplers, and its trials as plain data and back.

Optuna takes most of a second to import, so it is imported where a search begins.
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.tuner.optimise import Point, SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

WIDTH = 0.75
"""Share of a weight's size about the start within which is searched."""
FIRST_SIGMA = 0.2
"""CMA-ES begins with this spread, as a share of a weight's size."""
FIRST_PAIRS, MOST_PAIRS = 4, 1024
"""Seeds of a search's first trials, and of any."""
_KEPT_MODELS = 3
"""CMA-ES writes its whole model to one trial of each generation and reads the latest: earlier ones are not kept."""
_MODEL = "cma:optimizer"


def pairs_of(trial: int, doubling: int) -> int:
    """Seeds of a trial: twice as many after every `doubling` trials.

    All trials are the state, and each costs every later one time. So their number must not grow with the games: at
    this pace it grows with the logarithm of them, and the later trials, which look closer, say more each.
    """
    return min(MOST_PAIRS, FIRST_PAIRS << min(max(0, trial) // doubling, 16))


def trials_not_counted(told: Mapping[str, Any], doubling: int) -> int:
    """Trials of a search's state that do not count for `pairs_of`: a state of before, whose trials all had eight seeds,
    goes on with as many."""
    known = told.get("uncounted")
    return int(known) if known is not None else max(0, len(told["optuna"]["trials"]) - doubling)


class OptunaTrials:
    """One study in memory.

    Args:
        sampler: cma_es, tpe, gp or nsga2.
    """

    def __init__(self, space: SearchSpace, sampler: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._sampler = space, sampler
        self._distributions = _distributions(space)
        self.study: Study = optuna.create_study(
            directions=["maximize"] * space.aims, sampler=optuna.samplers.RandomSampler(seed=0)
        )

    def ask(self) -> tuple[int, Point]:
        """The number of a new trial and its point."""
        trials = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = _sampler(self._sampler, self._space, trials, self._distributions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's, on methods that it calls experimental
            trial = self.study.ask(self._distributions)
        return trial.number, self.point(trial.params)

    def point(self, params: Mapping[str, Any]) -> Point:
        """A trial's parameters as a point."""
        values = np.array(self._space.start, dtype=np.float64)
        for name, value in params.items():
            place = int(name)
            levels = self._space.levels[place]
            values[place] = value / (levels - 1) if levels else value
        return values

    def tell(self, trial: int, value: float | list[float] | None) -> None:
        """End a trial; None: it failed."""
        from optuna.trial import TrialState

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if value is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.study.tell(trial, value)

    def completed(self, latest: int) -> tuple[list[Point], list[float]]:
        """Points and values of the latest trials that have one."""
        done = [trial for trial in self.study.get_trials(deepcopy=False) if trial.value is not None][-latest:]
        return [self.point(trial.params) for trial in done], [float(trial.value or 0.0) for trial in done]

    def several(self, latest: int) -> tuple[list[Point], list[tuple[float, ...]]]:
        """The same with several objectives."""
        done = [trial for trial in self.study.get_trials(deepcopy=False) if trial.values is not None][-latest:]
        return [self.point(trial.params) for trial in done], [tuple(trial.values or ()) for trial in done]

    def dump(self) -> dict[str, Any]:
        """All trials as plain data."""
        trials = self.study.get_trials(deepcopy=False)
        models = [trial.number for trial in trials if any(key.startswith(_MODEL) for key in trial.system_attrs)]
        kept = set(models[-_KEPT_MODELS:])
        return {
            "trials": [_plain(trial, trial.number in kept) for trial in trials],
            "study": dict(self.study._storage.get_study_system_attrs(self.study._study_id)),
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the trials of `dump` into a study that has none."""
        from optuna.trial import TrialState, create_trial

        for entry in dumped["trials"]:
            state = TrialState[entry["state"]]
            trial = create_trial(
                state=state,
                values=entry["values"],
                params=entry["params"],
                distributions=self._distributions,
                system_attrs=entry["attributes"],
            )
            self.study.add_trial(trial)
        for key, value in dumped["study"].items():
            self.study._storage.set_study_system_attr(self.study._study_id, key, value)


def _plain(trial: "FrozenTrial", with_model: bool) -> dict[str, Any]:
    attributes = {key: value for key, value in trial.system_attrs.items() if with_model or not key.startswith(_MODEL)}
    return {"state": trial.state.name, "values": trial.values, "params": trial.params, "attributes": attributes}


def _distributions(space: SearchSpace) -> "dict[str, BaseDistribution]":
    from optuna.distributions import FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for place, (start, levels, scale) in enumerate(zip(space.start, space.levels, space.scale, strict=True)):
        if levels:
            found[f"{place:04d}"] = IntDistribution(0, levels - 1)
        else:
            found[f"{place:04d}"] = FloatDistribution(max(0.0, start - WIDTH * scale), min(1.0, start + WIDTH * scale))
    return found


def _sampler(name: str, space: SearchSpace, trial: int, distributions: "dict[str, BaseDistribution]") -> "BaseSampler":
    from optuna.samplers import CmaEsSampler, GPSampler, NSGAIISampler, TPESampler

    def made(kind: "type[BaseSampler]", **how: Any) -> "BaseSampler":
        return _knowing(kind, distributions)(**how)

    seed = int(np.random.default_rng((space.seed, 2, trial)).integers(2**31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "tpe":
            return made(TPESampler, seed=seed)
        if name == "gp":
            return made(GPSampler, seed=seed)
        if name == "nsga2":
            return made(NSGAIISampler, seed=seed, population_size=32)
        start = {f"{place:04d}": value for place, value in enumerate(space.start)}
        for place, levels in enumerate(space.levels):
            if levels:
                start[f"{place:04d}"] = round(space.start[place] * (levels - 1))
        return made(CmaEsSampler, x0=start, sigma0=FIRST_SIGMA / (2 * WIDTH), seed=seed, lr_adapt=True)


def _knowing(kind: "type[BaseSampler]", distributions: "dict[str, BaseDistribution]") -> "type[BaseSampler]":
    """The sampler, told what it would find by comparing all trials for each new one, which was most of its time: all
    have the same distributions."""
    from optuna.trial import TrialState

    class Knowing(kind):  # type: ignore[misc, valid-type]
        def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> "dict[str, BaseDistribution]":
            if not any(each.state is TrialState.COMPLETE for each in study.get_trials(deepcopy=False)):
                return {}
            return {name: known for name, known in distributions.items() if not known.single()}

    return Knowing
