"""Proximal policy optimisation: a learner, its games and its league, moved on by one update at a time.

An update plays a stretch of games (`rollout.py`) against whoever the league seats (`league.py`) and goes over it a few
times in batches (`ppo_loss.py`), until the policy moved too far. Each thread plays its own share of the games and
computes the gradients of its share of every batch. On several GPUs each has a replica of the network: the gradients are
summed on the first, which steps, and the others take its weights.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor

from pipeline.data.buffer import ExperienceBatch
from pipeline.engine.players.match import GameConditions
from pipeline.evolution.device import low_precision, replica_devices, replica_of
from pipeline.evolution.expert_replay import ExpertReplay
from pipeline.evolution.league import (
    RESIDENTS,
    CurriculumStage,
    League,
    TeacherTargets,
    phase_curriculum,
    player_mark,
    warm_up,
)
from pipeline.evolution.networks import Network
from pipeline.evolution.ppo_loss import (
    BatchPart,
    LossWeights,
    PpoStats,
    Taught,
    batch_gradients,
    run_all,
    split_drawn,
)
from pipeline.evolution.rollout import RolloutStats, RolloutWorker, Samples
from pipeline.evolution.rollout_stretch import SpreadRollouts, play_spread
from pipeline.evolution.supervised_step import make_optimizer
from pipeline.evolution.training_state import OptimizerState, TrainingState, load_weights, weights_of
from pipeline.live_games import LiveGames
from pipeline.simulator.go_snake import go_snake_of
from pipeline.simulator.watch import GameWatch
from schemas.cgroup import usable_processors
from schemas.errors import NothingLearnedError
from schemas.live_game import LiveSource
from schemas.phases import TrainingPhaseConfig
from schemas.settings import Settings

DUEL: Final = 2
CROWD: Final = 4
_RECOVERY_UPDATES: Final = 200
"""Good updates after which a rate that was halved by a setback is doubled again: a life is longer than a bad day."""
_KL: Final = PpoStats._fields.index("kl")


class _Learned(NamedTuple):
    """What an update's passes came to, and what was drawn of the expert's positions for them, with each one's error."""

    stats: PpoStats
    drawn: list[ExperienceBatch]
    errors: list[NDArray[np.float32]]


class PpoTrainer:
    """One learner in memory; everything follows from the seed, the settings and the thread count."""

    def __init__(
        self,
        network: Network,
        phase: TrainingPhaseConfig,
        settings: Settings,
        seed: int,
        ensure_running: Callable[[], None],
        *,
        devices: Sequence[torch.device] | None = None,
        spread: SpreadRollouts | None = None,
    ) -> None:
        """Begin the games. The network is trained in evaluation mode, so that chances are those it was played with.

        Args:
            ensure_running: called many times in an update, also by other threads; what it raises ends the update.
            devices: where replicas compute, the network's own first; None: all GPUs with `use_multi_gpu`, else one.
            spread: plays the parts of the games on several machines, if there are as many parts as the settings say
                (`rollout_parts`) and the network computes on a CPU: a GPU adds up in another order than theirs.

        Raises:
            KeyError: a heuristic, teacher or expert that no built-in player is called.
            SnakeError, MachineError: the Go snake is asked for, and does not build.
        """
        self._ensure_running: Final = ensure_running
        self._phase, self._settings = phase, settings.self_play
        self._optimization: Final = settings.training_optimization
        self.network: Final = network.eval()
        network.recompute = phase.gradient_checkpointing
        devices = devices or replica_devices(network)
        network.low_precision = low_precision(devices[0], self._optimization)
        network.pack_leaves = devices[0].type == "cpu"  # on a GPU finding the open ones costs more than the closed ones
        self._replicas: Final = [network, *(replica_of(network, device) for device in devices[1:])]
        self._residents: Final = [[replica_of(network, device) for _ in RESIDENTS] for device in devices]
        self.threads: Final = self._optimization.threads or usable_processors()
        self._parts: Final = self.threads if devices[0].type == "cpu" else len(devices)
        self._rollout_parts: Final = self._settings.rollout_parts or self.threads
        may_spread = self._settings.rollout_parts is not None and devices[0].type == "cpu"
        self._spread: Final = spread if may_spread else None
        self._workers: Final = ThreadPoolExecutor(
            self.threads, "self-play", initializer=torch.set_num_threads, initargs=(1,)
        )
        self.optimizer: Final = make_optimizer(network, phase.learning_rate, self._optimization.weight_decay)
        self._parameters: Final = [weight for weight in network.parameters() if weight.requires_grad]
        self.league: Final = League(
            self._settings.heuristics,
            self._settings.past_selves,
            self._settings.past_champions,
            self._settings.go_snake_weight,
        )
        self._go_snake: Final = go_snake_of(self._settings, settings.arena_dir)
        self._generator: Final = np.random.default_rng(seed)
        self._live: Final = LiveGames(settings.home, LiveSource.TRAINING)  # of the first thread's games alone
        self._rollouts: Final = {seats: self._begin_games(seats) for seats in (DUEL, CROWD)}
        self._replay: Final = ExpertReplay(settings.data)
        self.updates = self.games = self.decisions = 0
        self.scale, self._good, self._torch_threads = 1.0, 0, 1

    def _begin_games(self, seats: int) -> list[RolloutWorker]:
        games = max(1, self._settings.environments * DUEL // seats // self._rollout_parts)
        shares = phase_curriculum(self._phase, self._settings, 0.0).shares
        conditions = GameConditions(snakes=seats, most_turns=self._settings.turn_limit)
        watch = GameWatch(self._live, "The network plays to learn", self.league.title_of, conditions)
        return [
            RolloutWorker(
                games, seats, self.league, shares, self._settings, int(seed), self._ensure_running,
                augmented=self._phase.data_augmentation, watch=None if part else watch, go_snake=self._go_snake,
            )
            for part, seed in enumerate(self._generator.integers(2**62, size=self._rollout_parts))
        ]  # fmt: skip

    def __enter__(self) -> Self:
        # The workers use all cores: a team of torch's own threads beside them would only wait, and spinning at that.
        self._torch_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown()
        if self._go_snake is not None:
            self._go_snake.close()
        torch.set_num_threads(self._torch_threads)

    # ── an update ────────────────────────────────────────────────────────────────────────────────────────────────

    def update(self, stage: CurriculumStage) -> tuple[PpoStats, RolloutStats]:
        """Play a stretch of games and learn from it.

        Raises:
            StoppedError: by `ensure_running`, in the middle: only a state captured before is whole.
            FloatingPointError: a loss or gradient was not finite.
            NothingLearnedError: the stretch is too short for one batch.
        """
        self._change_residents()
        samples, seen = self._play(stage)
        for group in self.optimizer.param_groups:
            group["lr"] = self._phase.learning_rate * self.scale * stage.rate * warm_up(self.updates)
        weights = LossWeights.of(self._settings, self._settings.teacher_weight * stage.teacher)
        learned = self._learn(samples, weights)
        self._conclude(samples, seen, learned)
        return learned.stats, seen

    def _change_residents(self) -> None:
        if self.updates % self._settings.table_every_updates == 0 or None in self.league.residents:
            place = self.league.change_residents(self._generator)
            if place is not None:
                self._seat(place)

    def _seat(self, place: int) -> None:
        name = self.league.residents[place]
        if name is not None:
            for residents in self._residents:
                load_weights(residents[place], self.league.weights_of(name))

    def _play(self, stage: CurriculumStage) -> tuple[Samples, RolloutStats]:
        workers = self._rollouts[CROWD if self._generator.random() < stage.crowd else DUEL]
        turns, targets = self._settings.rollout_turns, self._teaching(stage)
        for worker in workers:
            worker.shares = stage.shares

        def collect(index: int) -> tuple[Samples, RolloutStats]:
            replica = index % len(self._replicas)
            return workers[index].collect(self._replicas[replica], self._at_the_table(replica), turns, targets)

        played = None
        if self._spread is not None:
            networks = [self.network, *self._at_the_table(0)]
            played = play_spread(self._spread, workers, self.league, networks, turns, targets, self._ensure_running)
        if played is None:
            played = run_all(self._workers, collect, range(len(workers)))
        parts, seen = zip(*played, strict=True)
        samples = Samples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        return samples, functools.reduce(RolloutStats.plus, seen)

    def _at_the_table(self, replica: int) -> list[Network | None]:
        """Who moves the seats of each of RESIDENTS; None: nobody sits there yet."""
        names = self.league.residents
        return [who if name is not None else None for who, name in zip(self._residents[replica], names, strict=True)]

    def _teaching(self, stage: CurriculumStage) -> TeacherTargets:
        settings = self._settings
        teacher = player_mark(settings.teacher) if settings.teacher is not None and stage.teacher > 0 else None
        expert = player_mark(settings.expert) if settings.expert is not None and settings.expert_weight > 0 else None
        return TeacherTargets(teacher, settings.teacher_share, expert, settings.expert_share)

    def _learn(self, samples: Samples, weights: LossWeights) -> _Learned:
        """Go over the samples up to `update_epochs` times in batches; of what lasts it changes the weights alone."""
        count, taught = len(samples.moves), Taught.of(samples)
        size = self._phase.batch_size * self._phase.gradient_accumulation_steps
        if count <= size // 2:
            raise _too_few(count, size)
        samples = samples._replace(advantages=_normalised(samples.advantages))
        sums, seen = np.zeros(len(PpoStats._fields)), 0
        drawn: list[ExperienceBatch] = []
        errors: list[NDArray[np.float32]] = []
        for _ in range(self._settings.update_epochs):
            order = self._generator.permutation(count)
            before, from_here = sums.copy(), seen
            for first in range(0, count - size // 2, size):
                self._ensure_running()
                rows = order[first : first + size]
                replayed = self._draw(len(rows))
                sums += self._step(samples, rows, replayed, weights, taught, errors) * len(rows)
                drawn += [replayed] if replayed is not None else []
                seen += len(rows)
            if (sums - before)[_KL] / max(seen - from_here, 1) > self._settings.target_kl:
                break
        return _Learned(PpoStats(*(sums / max(seen, 1)).tolist()), drawn, errors)

    def _draw(self, rows: int) -> ExperienceBatch | None:
        count = round(rows * self._settings.replay_share)
        if not count or not len(self._replay) or self._settings.expert_weight == 0:
            return None
        return self._replay.draw(count, int(self._generator.integers(2**62)))

    def _step(
        self, samples: Samples, rows: NDArray[np.int64], replayed: ExperienceBatch | None, weights: LossWeights,
        taught: Taught, errors: list[NDArray[np.float32]],
    ) -> NDArray[np.float64]:  # fmt: skip
        """Make one step of the optimizer; return the batch's mean of each of `PpoStats`."""
        # No part may be empty: a machine may have more cores than a batch has rows.
        parts = min(self._parts * self._phase.gradient_accumulation_steps, len(rows))
        steps = [
            BatchPart(share, drawn, self._replicas[part % len(self._replicas)])
            for part, (share, drawn) in enumerate(
                zip(np.array_split(rows, parts), split_drawn(replayed, parts), strict=True)
            )
        ]
        kept = 0 if replayed is None else len(replayed.weights)
        done = run_all(
            self._workers, lambda step: batch_gradients(step, samples, weights, taught, len(rows), kept), steps
        )
        device = self._parameters[0].device
        for index, parameter in enumerate(self._parameters):
            parameter.grad = sum((part[0][index].to(device) for part in done[1:]), done[0][0][index].to(device))
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._optimization.gradient_clipping)
        means: Tensor = sum((part[1] for part in done[1:]), done[0][1])
        if not (torch.isfinite(norm) and torch.isfinite(means).all()):
            raise FloatingPointError(f"gradient norm {float(norm)}, losses {means.tolist()}")
        self.optimizer.step()
        for replica in self._replicas[1:]:
            load_weights(replica, self.network.state_dict())
        if replayed is not None:
            errors.append(np.concatenate([part[2] for part in done]))
        return means.numpy().astype(np.float64)

    def _conclude(self, samples: Samples, seen: RolloutStats, learned: _Learned) -> None:
        """Count the update, and let league and replay learn from it."""
        self.updates += 1
        self.games += seen.games
        self.decisions += seen.decisions
        self.league.note(seen.faced)
        self._replay.keep(samples, learned.drawn, learned.errors)
        if self.updates % self._settings.snapshot_every_updates == 0:
            self.league.remember(self.updates, weights_of(self.network))
        self._good += 1
        if self.scale < 1 and self._good % _RECOVERY_UPDATES == 0:
            self.scale = min(1.0, 2 * self.scale)

    def slow_down(self, scale: float) -> None:
        """Go on with this part of the learning rate, until enough updates were good."""
        self.scale, self._good = scale, 0

    # ── the whole state ──────────────────────────────────────────────────────────────────────────────────────────

    def _named_workers(self) -> dict[str, RolloutWorker]:
        return {f"{seats}/{index}": w for seats, workers in self._rollouts.items() for index, w in enumerate(workers)}

    def capture(self, counters: Mapping[str, JsonValue], *, whole: bool = True) -> TrainingState:
        """Return everything that the next update depends on, with the caller's own `counters`.

        Args:
            whole: with the expert's positions, which an update that is dropped does not change; else `restore` leaves
                these as they are.
        """
        own: dict[str, JsonValue] = {name: getattr(self, name) for name in ("updates", "games", "decisions", "scale")}
        own |= {"good": self._good, "league": self.league.counters()}
        arrays: dict[str, Tensor | NDArray[np.generic]] = {
            f"league/{name}": tensor for name, tensor in self.league.to_arrays().items()
        }
        for name, worker in self._named_workers().items():
            arrays |= {f"games/{name}/{part}": array for part, array in worker.to_arrays().items()}
        if whole:
            arrays |= {f"replay/{name}": array for name, array in self._replay.to_arrays().items()}
            own["replay"] = self._replay.counters()
        generators = {"run": self._generator} | {name: w.generator for name, w in self._named_workers().items()}
        return TrainingState.capture(
            self.network, self.optimizer, counters={**counters, **own}, generators=generators, arrays=arrays
        )

    def restore(self, state: TrainingState) -> list[str]:
        """Go back, or on, to a captured state; return what could not be taken over, in words.

        The learner (weights, moments, league, counts) goes on under any settings. Games and the expert's positions are
        taken over where the settings ask for as many as they did; else these begin anew.

        Raises:
            ModelError: the network is built otherwise.
        """
        left_out: list[str] = []
        load_weights(self.network, state.network)
        for replica in self._replicas[1:]:
            load_weights(replica, state.network)
        groups = self.optimizer.state_dict()["param_groups"]  # settings that were changed meanwhile count
        OptimizerState(state.optimizer.moments if state.optimizer else {}, groups).restore(self.optimizer)
        counters = state.counters
        league = counters.get("league")
        if isinstance(league, dict):
            self.league.restore(state.arrays_under("league"), league)
            for place in range(len(RESIDENTS)):
                self._seat(place)
        else:
            left_out.append("its league is of an earlier version: it begins anew")
        self.updates, self.games, self.decisions = (int(str(counters[n])) for n in ("updates", "games", "decisions"))
        self.scale, self._good = float(str(counters["scale"])), int(str(counters.get("good", 0)))
        if not self._restore_games(state):
            left_out.append("its games are of other settings (environments, threads, rollout_parts): they begin anew")
        kept = counters.get("replay")
        if isinstance(kept, dict):
            arrays = {name: tensor.numpy() for name, tensor in state.arrays_under("replay").items()}
            if not self._replay.restore(arrays, kept):
                left_out.append("data.buffer_size is another: the expert's positions are collected anew")
        return left_out

    def _restore_games(self, state: TrainingState) -> bool:
        workers = self._named_workers()
        games = {
            name: {part: tensor.numpy() for part, tensor in state.arrays_under(f"games/{name}").items()}
            for name in workers
        }
        alike = state.random.generators.keys() == {"run", *workers}
        if not alike or not all(worker.fits(games[name]) for name, worker in workers.items()):
            state.random.restore({"run": self._generator})
            return False
        for name, worker in workers.items():
            worker.from_arrays(games[name])
        state.random.restore({"run": self._generator} | {name: worker.generator for name, worker in workers.items()})
        return True


def _too_few(count: int, size: int) -> NothingLearnedError:
    return NothingLearnedError(
        f"an update of self-play has nothing to learn from: {count} positions were played, a batch of {size} takes more"
        f" than {size // 2}",
        where="self_play.environments, self_play.rollout_turns, batch_size, gradient_accumulation_steps",
        remedy="Play more at once, or lower the phase's batch_size.",
    )


def _normalised(advantages: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((advantages - advantages.mean()) / (advantages.std() + 1e-6), np.float32)
