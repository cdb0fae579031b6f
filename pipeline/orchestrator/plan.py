"""Which phases a run has, and what the first one starts from. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import SettingsError
from schemas.model import ModelCard
from schemas.network import NeuralNetworkConfig
from schemas.phases import DataSource, TrainingPhaseConfig, refuse_idle_knobs
from schemas.training import TrainingConfiguration, TrainingPhase

_SUPERVISED = (DataSource.HEURISTIC_SUPERVISION, DataSource.MIXED)
_ONCE = (*_SUPERVISED, DataSource.SELF_PLAY)


@dataclass(frozen=True)
class PhasePlan:
    """Phases in order, the registered model they start from (None: nothing), and what was left out, in words."""

    phases: tuple[str, ...]
    base_model: str | None
    left_out: tuple[str, ...]


def plan_phases(
    configuration: TrainingConfiguration,
    phases: dict[str, TrainingPhaseConfig],
    network: NeuralNetworkConfig,
    lineage: Sequence[ModelCard],
) -> PhasePlan:
    """Decide what a new run does.

    Phases that the champion has behind it are not repeated, unless `force_retrain` asks for it or the network to build
    is another one: supervised ones, and self-play where cycles of continuous learning go on from it. All others go on
    from the champion.

    Args:
        phases: every known phase.
        network: the network to build.
        lineage: the champion and the models it came from; empty without a champion.

    Raises:
        SettingsError: a phase that is not configured, or sets what does nothing in it, or no phase left to do.
    """
    refuse_unknown(configuration.target_phases, phases)
    champion = lineage[0] if lineage else None
    continues = champion is not None and champion.network == network and not configuration.force_retrain
    behind = {card.training_phase for card in lineage} if continues else set()
    once = _ONCE if _goes_on(configuration, phases) else _SUPERVISED
    chosen, left_out = [], []
    for name in configuration.target_phases:
        if name == TrainingPhase.CONTINUOUS and not configuration.continuous_learning_enabled:
            left_out.append(f"{name}: continuous_learning_enabled is off")
        elif name in behind and phases[name].data_source in once:
            left_out.append(f"{name}: the champion has it behind it (force_retrain repeats it)")
        else:
            refuse_idle_knobs(name, phases[name])
            chosen.append(name)
    if not chosen:
        raise SettingsError(
            "no phase is left to do: " + "; ".join(left_out),
            where="target_phases",
            remedy="Name another phase, or set force_retrain.",
        )
    return PhasePlan(tuple(chosen), champion.id if continues and champion else None, tuple(left_out))


def refuse_unknown(names: Sequence[str], phases: Mapping[str, TrainingPhaseConfig]) -> None:
    """Refuse names that none of the configured `phases` has.

    Raises:
        SettingsError: names them.
    """
    unknown = [name for name in names if name not in phases]
    if unknown:
        raise SettingsError(
            f"no phase is called {', '.join(unknown)}",
            where="target_phases",
            remedy=f"Known are {', '.join(phases)}; add others to training_phases.",
        )


def _goes_on(configuration: TrainingConfiguration, phases: dict[str, TrainingPhaseConfig]) -> bool:
    """Whether cycles are among the phases: the everlasting learner takes over from self-play."""
    wanted = [phases[name].data_source for name in configuration.target_phases]
    return configuration.continuous_learning_enabled and DataSource.CONTINUOUS in wanted


def phase_budget_s(left_s: float, remaining: Sequence[str], phases: Mapping[str, TrainingPhaseConfig]) -> float:
    """Seconds for the first of the `remaining` phases, out of `left_s` for all of them.

    By their `time_share`, so that time which one phase did not need goes to those after it.
    """
    total = sum(phases[name].time_share for name in remaining)
    return max(0.0, left_s) * phases[remaining[0]].time_share / total


def training_budget_s(budget_s: float, judging_share: float) -> float:
    """The part of a phase's time that is not kept for judging."""
    return budget_s * (1 - judging_share)
