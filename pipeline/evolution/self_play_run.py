"""One self-play run in memory: its games, league and learner, moved on by one update at a time, and its whole state."""

import functools
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

import numpy as np
import torch
from pydantic import JsonValue

from pipeline.engine.players.kinds import kind_of
from pipeline.evolution.league import League, Shares
from pipeline.evolution.learner import make_optimizer
from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.parallel import run_all
from pipeline.evolution.ppo import Learner, Limits, Losses, Weights
from pipeline.evolution.rollout import Roller, Samples, Tally, Teaching
from pipeline.evolution.training_state import TrainingState, load_weights, weights_of
from schemas.optimization import TrainingOptimizationConfig
from schemas.phases import TrainingPhaseConfig
from schemas.self_play import SelfPlaySettings

DUEL: Final = 2
CROWD: Final = 4
_WARM_UP_UPDATES: Final = 10
_LAST_RATE: Final = 0.1


class SelfPlayRun:
    """Games, league and learner of one run; everything follows from the seed, the settings and the thread count.

    Each thread plays its own share of the games and computes the gradients of its share of every batch.
    """

    def __init__(
        self,
        network: Network,
        phase: TrainingPhaseConfig,
        settings: SelfPlaySettings,
        optimization: TrainingOptimizationConfig,
        seed: int,
        ensure_running: Callable[[], None],
    ) -> None:
        """Begin the games.

        Args:
            ensure_running: called many times in an update, also by other threads; what it raises ends the update.

        Raises:
            KeyError: a heuristic or teacher that no built-in player is called.
        """
        self._ensure_running: Final = ensure_running
        self._phase, self._settings, self._optimization = phase, settings, optimization
        self.network: Final = network
        network.recompute = phase.gradient_checkpointing
        device = next(network.parameters()).device
        self.threads: Final = optimization.threads or len(os.sched_getaffinity(0))
        self._workers: Final = ThreadPoolExecutor(
            self.threads, "self-play", initializer=torch.set_num_threads, initargs=(1,)
        )
        network.low_precision = _low_precision(device, optimization)
        self._past: Final = build_network(network.config, network.frame).to(device).eval()
        self._past.low_precision = network.low_precision
        self.optimizer: Final = make_optimizer(network, phase.learning_rate, optimization.weight_decay)
        self._learner: Final = Learner(
            network, self.optimizer, self._workers, self.threads if device.type == "cpu" else 1
        )
        self.league: Final = League(settings.heuristics, settings.past_selves)
        self._generator: Final = np.random.default_rng(seed)
        self._rollers: Final = {seats: self._make_rollers(seats) for seats in (DUEL, CROWD)}
        self._teacher: Final = None if settings.teacher is None else kind_of(settings.teacher)
        self.updates = self.games = self.decisions = 0
        self.scale = 1.0
        self._torch_threads = 1

    def _make_rollers(self, seats: int) -> list[Roller]:
        games = max(1, self._settings.environments * DUEL // seats // self.threads)
        seeds = self._generator.integers(2**62, size=self.threads)
        shares = self._shares(0.0)
        return [
            Roller(games, seats, self.league, shares, self._settings, int(seed), self._ensure_running) for seed in seeds
        ]

    def __enter__(self) -> Self:
        # The workers use all cores: a team of torch's own threads beside them would only wait, and spinning at that.
        self._torch_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown()
        torch.set_num_threads(self._torch_threads)

    def _shares(self, done: float) -> Shares:
        phase = self._phase
        last = phase.heuristic_mix_ratio if phase.heuristic_mix_ratio_end is None else phase.heuristic_mix_ratio_end
        heuristics = phase.heuristic_mix_ratio + (last - phase.heuristic_mix_ratio) * done
        return Shares(heuristics, (1 - heuristics) * self._settings.past_self_share)

    def _rate(self, done: float) -> float:
        rise = min(1.0, (self.updates + 1) / _WARM_UP_UPDATES)
        return self.scale * self._phase.learning_rate * rise * (1 - (1 - _LAST_RATE) * done)

    def update(self, done: float) -> tuple[Losses, Tally]:
        """Play a stretch of games and learn from it; `done` 0..1 says how far the phase is.

        Raises:
            StoppedError: by `ensure_running`, in the middle: only a state captured before is whole.
            FloatingPointError: a loss or gradient was not finite.
        """
        settings = self._settings
        left = max(0.0, 1 - done / settings.teacher_until)
        teaching = Teaching(self._teacher if left > 0 else None, settings.teacher_share)
        samples, tally = self._play(done, teaching)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(done)
        losses = self._learner.update(
            samples,
            self._phase.batch_size,
            settings.update_epochs,
            Weights.of(settings, settings.teacher_weight * left if self._teacher is not None else 0.0),
            Limits(settings.target_kl, self._optimization.gradient_clipping),
            self._generator,
            self._ensure_running,
        )
        self.updates += 1
        self.games += tally.games
        self.decisions += tally.decisions
        if self.updates % settings.snapshot_every_updates == 0:
            self.league.remember(self.updates, weights_of(self.network))
        return losses, tally

    def _play(self, done: float, teaching: Teaching) -> tuple[Samples, Tally]:
        settings = self._settings
        ramp = (done - settings.crowd_from) / (1 - settings.crowd_from) if settings.crowd_from < 1 else 0.0
        crowd = settings.crowd_share * min(1.0, 2 * max(0.0, ramp))
        rollers = self._rollers[CROWD if self._generator.random() < crowd else DUEL]
        weights = self.league.draw_snapshot(self._generator)
        if weights is not None:
            load_weights(self._past, weights)
        past = None if weights is None else self._past

        def collect(roller: Roller) -> tuple[Samples, Tally]:
            roller.shares = self._shares(done)
            return roller.collect(self.network, past, settings.rollout_turns, teaching)

        parts, tallies = zip(*run_all(self._workers, collect, rollers), strict=True)
        samples = Samples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        return samples, functools.reduce(Tally.plus, tallies)

    def _named_rollers(self) -> dict[str, Roller]:
        return {f"{seats}/{index}": r for seats, rollers in self._rollers.items() for index, r in enumerate(rollers)}

    def _generators(self) -> dict[str, np.random.Generator]:
        return {"run": self._generator} | {name: roller.generator for name, roller in self._named_rollers().items()}

    def capture(self, counters: Mapping[str, JsonValue]) -> TrainingState:
        """Return everything that the next update depends on, with the caller's own `counters`."""
        own = {name: getattr(self, name) for name in ("updates", "games", "decisions", "scale")}
        arrays = {f"league/{name}": tensor for name, tensor in self.league.to_arrays().items()}
        for name, roller in self._named_rollers().items():
            arrays |= {f"games/{name}/{part}": torch.from_numpy(array) for part, array in roller.to_arrays().items()}
        return TrainingState.capture(
            self.network, self.optimizer, counters={**counters, **own}, generators=self._generators(), arrays=arrays
        )

    def restore(self, state: TrainingState) -> None:
        """Go back, or on, to a captured state of a run with the same settings and number of threads.

        Raises:
            ModelError: the network, the games or the number of threads differ.
        """
        state.restore(self.network, self.optimizer, generators=self._generators())
        self.league.from_arrays(state.arrays_under("league"))
        for name, roller in self._named_rollers().items():
            roller.from_arrays({part: tensor.numpy() for part, tensor in state.arrays_under(f"games/{name}").items()})
        counters = state.counters
        self.updates, self.games, self.decisions = (int(str(counters[n])) for n in ("updates", "games", "decisions"))
        self.scale = float(str(counters["scale"]))


def _low_precision(device: torch.device, optimization: TrainingOptimizationConfig) -> bool:
    if not optimization.use_mixed_precision:
        return False
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
