"""`ModelEvolutionSystem`: the operations guide's door to phases, tournaments and export, one call at a time."""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.cluster.all_matches import MatchesOnAllMachines
from pipeline.data.manager import SelfPlayDataManager
from pipeline.evaluation.tournament import TournamentResult, run_tournament
from pipeline.evolution.networks import Network
from pipeline.evolution.policy import TorchPolicy
from pipeline.export.benchmark import PerformanceBenchmark
from pipeline.export.bundle import BundleOptions, write_bundle
from pipeline.export.quantize import LossTest
from pipeline.orchestrator.deployment import PRODUCTION_FILE, champion_of, deploy, export_card, export_model
from pipeline.orchestrator.model_lifecycle import ModelLifecycle
from pipeline.orchestrator.plan import phase_budget_s
from pipeline.phases.context import PhaseContext, PhaseResult, seed_for
from pipeline.simulator.competitor import Competitor, from_policy
from schemas.errors import ModelError, SettingsError
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings, describe, get_config
from schemas.training import TournamentConfig, TrainingConfiguration, TrainingPhase

_log = logging.getLogger("ouroboros.evolution")
Model = Network | str
"""A network, or the id of a registered model."""
FOREVER_S = 10 * 365 * 86_400.0


class ModelEvolutionSystem:
    """Trains, compares and exports models by hand; `SelfPlayTrainingPipeline` does the same unattended.

    Where the settings name no network, the light one is built on a CPU, as the pipeline does. A phase that is given
    neither games nor epochs takes as long as it would in a run of the default length.

    Networks come back as they are, unregistered: `registry.register_model` keeps what is worth keeping.

    Args:
        settings: default: `get_config()`.
        seed: of everything; None: drawn. Every call derives its own from it.
        device: "auto", "cpu" or "cuda".
        echo: told in words; default: the logger `ouroboros.evolution`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        seed: int | None = None,
        device: str = "auto",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        echo: Callable[[str], None] = _log.info,
    ) -> None:
        self.settings = settings or get_config()
        self.seed = secrets.randbits(63) if seed is None else seed
        self._now, self._echo = now, echo
        self._lifecycle = ModelLifecycle(self.settings, device, now, echo)
        self.settings = self._lifecycle.settings
        self.registry = self._lifecycle.registry
        self.data_manager = SelfPlayDataManager(self.settings, players=self._lifecycle.player, seed=self.seed)
        self._bootstrap: Network | None = None
        self._calls = 0
        self._last: PhaseResult | None = None
        self._gain: float | None = None

    def bootstrap_training_phase(
        self, target_games: int | None = None, training_epochs: int | None = None, **changes: Any
    ) -> Network:
        """Imitate the teacher: `target_games` of its games, `training_epochs` passes; the settings' numbers by default.

        Args:
            changes: other fields of the phase's configuration.

        Raises:
            SettingsError: a number is out of range.
            TrainingError: the loss was lost for good.
        """
        return self._train(TrainingPhase.BOOTSTRAP, self._bootstrap, target_games, training_epochs, changes)

    def hybrid_training_phase(
        self,
        base_model: Model,
        heuristic_ratio: float | None = None,
        training_epochs: int | None = None,
        target_games: int | None = None,
        **changes: Any,
    ) -> Network:
        """Let `base_model` play and the teacher correct it; `heuristic_ratio` of the games are the teacher's own.

        `base_model` stays as it is. Raises as `bootstrap_training_phase`.
        """
        if heuristic_ratio is not None:
            changes |= {"heuristic_mix_ratio": heuristic_ratio, "heuristic_mix_ratio_end": heuristic_ratio}
        return self._train(TrainingPhase.HYBRID, self._network(base_model), target_games, training_epochs, changes)

    def self_play_training_phase(
        self, models: Mapping[str, Model], target_games: int | None = None, updates: int | None = None, **changes: Any
    ) -> Network:
        """Improve one of `models` by self-play: the one called `champion`, `current` or `base`, else the first.

        The other models stay as they are. Raises as `bootstrap_training_phase`.
        """
        if not models:
            raise ModelError("no model to improve", where="models", remedy="Give at least one.")
        name = next((name for name in ("champion", "current", "base") if name in models), next(iter(models)))
        return self._train(TrainingPhase.SELF_PLAY, self._network(models[name]), target_games, updates, changes)

    def set_bootstrap_model(self, model: Model) -> None:
        """Let the next bootstrap begin from `model` instead of from nothing."""
        self._bootstrap = self._network(model)

    def evolve_from_existing(
        self, base_model: Model, target_improvement: float | None = None, max_cycles: int = 10
    ) -> Network:
        """Improve `base_model` by cycles of self-play until it scores 1/2 + `target_improvement` against itself as it
        was (the lower bound of the interval over `remeasure_games` fresh games), or `max_cycles` are done.

        Returns the improved network; `get_evolution_status()["last_gain"]` says what was measured.
        """
        base = self._network(base_model)
        wanted = self.settings.tournament.minimum_improvement if target_improvement is None else target_improvement
        config = self.settings.tournament.model_copy(
            update={"games_per_matchup": self.settings.tournament.remeasure_games}
        )
        improved = base
        for cycle in range(max_cycles):
            updates = self.settings.self_play.updates_per_cycle
            improved = self._train(TrainingPhase.SELF_PLAY, improved, None, updates, {})
            players = [_seat("improved", improved), _seat("base", base)]
            pairing = self._play_out(players, config, self._next_seed()).pairings[0]
            interval = f"[{pairing.low:.3f}, {pairing.high:.3f}]"
            self._echo(f"cycle {cycle + 1}: {pairing.score:.3f} {interval} against the base")
            self._gain = pairing.score - 0.5
            if pairing.low >= 0.5 + wanted:
                break
        return improved

    def run_model_tournament(
        self, models: Mapping[str, Model | Competitor], games_per_matchup: int | None = None, snakes: int = 2
    ) -> TournamentResult:
        """Let `models` play each other on fresh seeds, every seed from all seats: ratings, cross-table, intervals.

        Args:
            models: by the name they are to be called: networks, players, ids of registered models, `champion`, or
                `heuristic:<kind>`.
        """
        config = self.settings.tournament
        if games_per_matchup is not None:
            config = config.model_copy(update={"games_per_matchup": games_per_matchup})
        players = [self._player(name, model) for name, model in models.items()]
        seed = config.seed if config.seed is not None else self._next_seed()
        return self._play_out(players, config, seed, snakes)

    def _play_out(
        self, players: Sequence[Competitor], config: TournamentConfig, seed: int, snakes: int = 2
    ) -> TournamentResult:
        threads = self._lifecycle.threads
        with MatchesOnAllMachines(self.settings.home, threads, self._echo) as machines:
            return run_tournament(players, config, seed, snakes, threads=threads, play=machines.play)

    def run_manual_tournament(
        self, models: Mapping[str, Model | Competitor], games: int = 100, *, verbose: bool = False
    ) -> TournamentResult:
        """As `run_model_tournament`; `verbose` prints the tables."""
        result = self.run_model_tournament(models, games)
        if verbose:
            self._echo(result.text())
        return result

    def export_champion_to_onnx(
        self, output_path: str | Path | None = None, *, validate_inference_time: bool = True, optimize: bool = True
    ) -> Path:
        """Export the champion; the file holds what the network says to 1e-5 on real positions, or is not there.

        Args:
            output_path: default: `production_file`, to which all checks of `deployment.deploy` are made.
            optimize: fold constants and drop what is never used.
            validate_inference_time: refuse a model beyond the limits of time and memory; to production always.

        Raises:
            ModelError: there is no champion.
            ExportError: parity does not hold, or a limit is broken.
        """
        champion = champion_of(self.registry).id
        if output_path is None:
            path = self.production_file
            return deploy(self.registry, self.settings, champion, path, self._echo, optimize=optimize).path
        path = Path(output_path)
        export_model(
            self.registry, self.settings, champion, path, measure=validate_inference_time, tell=self._echo,
            optimize=optimize,
        )  # fmt: skip
        return path

    def export_production_models(self, folder: str | Path) -> Path:
        """Write the champion and all that goes with it (int8 if games show no loss, golden positions, checksums) into
        `folder`, proved before it appears there: see `export.bundle`; return the folder.

        Raises:
            ModelError: there is no champion.
            ExportError: parity does not hold, or a limit is broken.
        """
        champion = champion_of(self.registry)
        network, _ = self.registry.get_model(champion.id)
        write_bundle(
            network,
            export_card(champion),
            Path(folder),
            benchmark=PerformanceBenchmark(self.settings),
            now=self._now(),
            options=BundleOptions(int8=LossTest(most_games=self.settings.tournament.max_promotion_games)),
            tell=self._echo,
        )
        return Path(folder)

    @property
    def production_file(self) -> Path:
        """Where the pipeline puts the champion."""
        return self.settings.models_dir / "production" / PRODUCTION_FILE

    def get_evolution_status(self) -> dict[str, Any]:
        """What there is: champion and its numbers, models by status, phases in the champion's lineage, and how the
        last call of this object went."""
        champion = self.registry.model_store.champion()
        models = self.registry.model_store.list()
        return {
            "champion": champion.id if champion else None,
            "champion_win_rate": champion.win_rate.model_dump() if champion and champion.win_rate else None,
            "champion_phases": [card.training_phase for card in reversed(self._lifecycle.champion_lineage())],
            "models": dict(Counter(card.status.value for card in models)),
            "device": str(self._lifecycle.device),
            "last_phase": self._last.summary if self._last else None,
            "last_numbers": dict(self._last.numbers) if self._last else {},
            "last_gain": self._gain,
        }

    def _train(
        self,
        phase: TrainingPhase,
        base: Network | None,
        games: int | None,
        epochs: int | None,
        changes: Mapping[str, Any],
    ) -> Network:
        """Do one phase without checkpoints, from a copy of `base`."""
        given = {"games_required": games, "max_epochs": epochs}
        wanted = dict(changes) | {name: value for name, value in given.items() if value is not None}
        config = _changed(self.settings.training_phases[phase.value], wanted, phase.value)
        self._calls += 1
        configuration = TrainingConfiguration(target_phases=[phase.value], save_checkpoints=False)
        folder = self.settings.pipeline_dir / "by_hand" / f"{phase.value}-{self._calls}"
        result = self._lifecycle.train_from(
            base,
            PhaseContext(
                name=phase.value,
                phase=config,
                settings=self.settings,
                configuration=configuration,
                folder=folder,
                run_id=f"by_hand_{self.seed:x}_{self._calls}",
                run_started_at=self._now(),
                base_model=None,
                seed=self._next_seed(),
                budget_s=self._budget_s(phase, wanted),
                report=lambda _done, details, _numbers: _log.debug("%s", details),
                stop=lambda: False,
                champion=self._lifecycle.champion_id,
                now=self._now,
                tell=self._echo,
            ),
        )
        self._last = result
        return result.network

    def _budget_s(self, phase: TrainingPhase, wanted: Mapping[str, Any]) -> float:
        """For ever, if the call says how much is to be done; else what a run of the default length gives the phase."""
        if {"games_required", "max_epochs"} & wanted.keys():
            return FOREVER_S
        phases = self.settings.training_phases
        rest = [phase.value, *(name.value for name in TrainingPhase if name is not phase and name.value in phases)]
        return phase_budget_s(TrainingConfiguration().max_training_time_hours * 3600, rest, phases)

    def _player(self, name: str, model: Model | Competitor) -> Competitor:
        player = self._lifecycle.player(model) if isinstance(model, str) else model
        return replace(player, name=name) if isinstance(player, Competitor) else _seat(name, player)

    def _network(self, model: Model) -> Network:
        return model if isinstance(model, Network) else self.registry.get_model(model)[0]

    def _next_seed(self) -> int:
        self._calls += 1
        return seed_for(self.seed, "by_hand", self._calls)


def _seat(name: str, network: Network) -> Competitor:
    return from_policy(TorchPolicy(network, name))


def _changed(phase: TrainingPhaseConfig, wanted: Mapping[str, Any], name: str) -> TrainingPhaseConfig:
    try:
        return TrainingPhaseConfig.model_validate(phase.model_dump() | dict(wanted))
    except ValidationError as error:
        raise SettingsError(describe(error), where=f"phase {name}") from error
