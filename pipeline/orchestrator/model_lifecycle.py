"""`ModelLifecycle`: trains phases, registers what they make, measures it, and decides who is champion."""

import copy
import dataclasses
import math
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import torch

from pipeline.cluster.all_matches import MatchesOnAllMachines
from pipeline.cluster.all_rollouts import RolloutsOnAllMachines
from pipeline.engine.planes import ENCODER_ID
from pipeline.evaluation.evaluator import CROWD, DUEL, ModelPerformanceEvaluator
from pipeline.evaluation.promotion import TrialPlan, decide_first_champion, decide_promotion
from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.evolution.continual_learner import FOLDER as LEARNER_FOLDER
from pipeline.evolution.device import choose_device, prepare_cpu, settings_for_device
from pipeline.evolution.model_registry import ModelRegistry, arrays_of, code_revision
from pipeline.evolution.networks import Network, build_network
from pipeline.evolution.policy import TorchPolicy
from pipeline.live_games import LiveGames
from pipeline.orchestrator.phase_runner import JudgingOrder, Origin
from pipeline.orchestrator.run_record import JUDGING, RunRecord
from pipeline.phases.bootstrap import bootstrap
from pipeline.phases.context import PhaseContext, PhaseResult, seed_for
from pipeline.phases.continuous import CYCLES_FILE, Judging, continuous
from pipeline.phases.hybrid import hybrid
from pipeline.phases.self_play import self_play
from pipeline.registry.model_store import ModelStore
from pipeline.simulator.competitor import HEURISTIC, Competitor, from_policy, heuristic
from pipeline.simulator.journal import GameJournal
from schemas.errors import ModelError, SettingsError
from schemas.live_game import LiveSource
from schemas.model import EvaluationResult, ModelCard, ModelDraft, ModelEventKind, ModelStatus, Returned, SetAside
from schemas.phases import DataSource, refuse_idle_knobs
from schemas.promotion import FirstModel, PromotionDecision
from schemas.settings import Settings
from schemas.training import TournamentConfig

POOL = ("strong", "voronoi", "aggressive")
"""Heuristics of the frozen pool, beside past champions."""
PAST_CHAMPIONS = 3
SMALLEST_GAIN = 0.005
"""No number of games finds a gain of nothing: a threshold below this counts as this."""
MODEL = "model:"


class _Deadline:
    """Says when a part of a judgement's time is over."""

    def __init__(self, budget_s: float) -> None:
        self._began, self._budget_s = time.monotonic(), budget_s

    def over(self, share: float) -> Callable[[], bool]:
        """Whether this share of the whole is used up."""
        return lambda: time.monotonic() - self._began >= share * self._budget_s


class ModelLifecycle:
    """Does for a run what `PhaseRunner` promises, with torch, the registry and real games.

    Args:
        settings: of the run; where they name no network, the one that suits the device is built.
        device: "auto", "cpu" or "cuda".
        tell: told in words.

    Raises:
        SettingsError: `tournament.first_champion_floor` is no heuristic.
    """

    def __init__(
        self, settings: Settings, device: str, now: Callable[[], datetime], tell: Callable[[str], None]
    ) -> None:
        self.device = choose_device(device)
        self.settings = settings = settings_for_device(settings, self.device.type)
        self._now, self._tell = now, tell
        self._floor = _floor_of(settings.tournament)
        self.registry = ModelRegistry(settings, now=now)
        self.model_store: ModelStore = self.registry.model_store
        self.threads = prepare_cpu(settings.training_optimization.threads)
        self.evaluator = ModelPerformanceEvaluator(settings, registry=self.model_store, now=now, player_of=self.player)

    def train(self, context: PhaseContext) -> PhaseResult:
        """See `PhaseRunner.train`: what kind of phase it is follows from its data source."""
        return self.train_from(self._start(context), context)

    def train_from(self, base: Network | None, context: PhaseContext) -> PhaseResult:
        """Do a phase from a copy of `base`, which stays as it is; None: from nothing.

        Raises:
            SettingsError: the phase sets what does nothing in it.
        """
        refuse_idle_knobs(context.name, context.phase)
        network = copy.deepcopy(base) if base is not None else self._start(context)
        source = context.phase.data_source
        if source is DataSource.HEURISTIC_SUPERVISION:
            return bootstrap(context, network, self.device)
        if source is DataSource.MIXED:
            with MatchesOnAllMachines(self.settings.home, self.threads, context.tell) as matches:
                return hybrid(dataclasses.replace(context, play=matches.play), network, self.device)
        with RolloutsOnAllMachines(self.settings.home, self.threads, context.tell) as machines:
            return self._learn(network, dataclasses.replace(context, spread=machines))

    def _learn(self, network: Network, context: PhaseContext) -> PhaseResult:
        """A phase that learns from its own games."""
        if context.phase.data_source is DataSource.SELF_PLAY:
            return self_play(context, network, self.device)

        def judged(result: PhaseResult, name: str, parent: str | None, budget_s: float) -> ModelCard:
            card = self._register(result, Origin(context.run_id, f"{context.name} {name}", context.name, parent))
            seed = seed_for(context.seed, context.name, name, "trial")
            gain, since = context.configuration.min_improvement_threshold, context.run_started_at
            self._judge(card, JudgingOrder(context.run_id, since, gain, seed, context.stop, budget_s))
            return self.card(card.id)

        judging = Judging(judged, lambda model: self.registry.get_model(model)[0], self._note_return)
        return continuous(context, network, self.device, judging)

    def _note_return(self, model_id: str, evidence: Returned) -> None:
        """Write down a return to the champion, once, whatever was killed when."""
        told = [e for e in self.model_store.events(model_id) if e.kind is ModelEventKind.RETURNED_TO]
        if not any(event.evidence.get("learner") == evidence.learner for event in told):
            self.model_store.note_return(model_id, evidence, self._now())

    def _start(self, context: PhaseContext) -> Network:
        """The network a phase begins with: its base model's, or a new one whose weights follow from the seed."""
        if context.base_model is not None:
            return self.registry.get_model(context.base_model)[0]
        torch.manual_seed(seed_for(context.seed, "network"))
        return build_network(self.settings.neural_network)

    def register(self, result: PhaseResult, run: RunRecord, phase: str) -> ModelCard:
        """See `PhaseRunner.register`."""
        if result.judged_as is not None:
            return self.model_store.card(result.judged_as)
        return self._register(result, Origin(run.run_id, phase, phase, run.latest_model()))

    def _register(self, result: PhaseResult, origin: Origin) -> ModelCard:
        network, name = result.network, f"{origin.run_id} {origin.name}"
        for card in self.model_store.list(name=name):
            if card.damage is None:  # registered before a kill; what was trained since then does not count
                return card
        draft = ModelDraft(
            name=name,
            architecture=network.config.architecture_type.value,
            training_phase=origin.phase,
            network=network.config,
            frame=network.frame,
            encoder_id=ENCODER_ID,
            parent_id=origin.parent,
            created_at=self._now(),
            code_revision=code_revision(),
            seed=result.seed,
            phase=self.settings.training_phases.get(origin.phase),
            optimization=self.settings.training_optimization,
            games_learned=result.games_learned,
            positions_learned=result.positions_learned,
            data_sources=list(result.data_sources),
            notes=result.summary,
        )
        return self.model_store.put(draft, arrays_of(network))

    def judge(
        self, card: ModelCard, run: RunRecord, stop: Callable[[], bool], budget_s: float = math.inf
    ) -> ModelCard | None:
        """See `PhaseRunner.judge`."""
        gain = run.configuration.min_improvement_threshold
        seed = seed_for(run.seed, card.training_phase, "trial")
        self._judge(card, JudgingOrder(run.run_id, run.started_at, gain, seed, stop, budget_s))
        return self.model_store.champion()

    def _judge(self, card: ModelCard, order: JudgingOrder) -> None:
        """Measure the candidate by fresh games, then let it challenge the champion; decided once, it stays so.

        Its games are kept as they end (`run/judging`), so that a judgement that was interrupted goes on game by game.
        """
        if card.status is not ModelStatus.CANDIDATE:
            return
        player, deadline = self.player(card.id), _Deadline(order.budget_s)
        path = self.settings.pipeline_dir / order.run_id / JUDGING / f"{card.id}.jsonl"
        live = LiveGames(self.settings.home, LiveSource.TRAINING)
        with MatchesOnAllMachines(self.settings.home, self.threads, self._tell) as machines:
            journal = GameJournal(path, live, f"The network {card.id} is judged", machines.play)
            measured = self._measure(player, card.id, order, journal, deadline)
            champion = self.champion()
            decision = self._decide(player, champion, measured[DUEL], order, journal, deadline)
        self._tell(f"  {decision.outcome.value}: {decision.reason}")
        if decision.promoted:
            self.model_store.promote(card.id, decision, self._now(), instead_of=champion.id if champion else "")
            self._tell(f"✓ {card.id} is the {'champion' if champion else 'first champion'}")
        else:
            self.model_store.reject(card.id, decision, self._now())

    def promoted(self) -> set[str]:
        """The networks that were ever promoted."""
        return {event.model_id for event in self.model_store.events() if event.kind is ModelEventKind.PROMOTED}

    def _measure(
        self, player: Competitor, model_id: str, order: JudgingOrder, journal: GameJournal, deadline: _Deadline
    ) -> dict[int, EvaluationResult]:
        """Its games with the strong heuristic, by the number of snakes; what was measured before a kill stays."""
        seed = seed_for(order.seed, "measure")
        known = {found.snakes: found for found in self.model_store.evaluations(model_id) if found.seed == seed}
        for snakes, share in ((DUEL, 1 / 6), (CROWD, 1 / 3)):
            if snakes not in known:
                known[snakes] = self.evaluator.evaluate(
                    player, seats=(snakes,), seed=seed, threads=self.threads, stop=order.stop, play=journal.play,
                    enough=deadline.over(share),
                )[0]  # fmt: skip
            result = known[snakes]
            self._tell(
                f"  {result.opponent}, {result.snakes} snakes: {result.win_rate:.1%}"
                f" [{result.low:.1%}, {result.high:.1%}] over {result.games:,} games"
            )
        return known

    def _decide(
        self, player: Competitor, champion: ModelCard | None, measured: EvaluationResult, order: JudgingOrder,
        journal: GameJournal, deadline: _Deadline,
    ) -> PromotionDecision | FirstModel:  # fmt: skip
        """Let the candidate challenge the champion; where there is none, the floor."""
        config = self.settings.tournament.model_copy(update={"minimum_improvement": max(order.gain, SMALLEST_GAIN)})
        plan = TrialPlan(
            config, number=self._tests_since(order.since) + 1, seed=order.seed, threads=self.threads, stop=order.stop,
            play=journal.play, enough=deadline.over(2 / 3),
        )  # fmt: skip
        if champion is None:
            return decide_first_champion(player, self._floor, measured, plan)
        return decide_promotion(player, self.player(champion.id), self._pool(champion), plan)

    def player(self, name: str) -> Competitor:
        """The player of a name: `champion`, `heuristic:<kind>`, `model:<id>` or a model's id.

        Raises:
            KeyError: no such heuristic.
            ModelError: no such model, or no champion.
        """
        if name.startswith(HEURISTIC):
            return heuristic(name.removeprefix(HEURISTIC))
        if name == "champion":
            champion = self.model_store.champion()
            if champion is None:
                raise ModelError("there is no champion yet", where="champion", remedy="Train a model first.")
            name = champion.id
        model_id = name.removeprefix(MODEL)
        network = self.registry.get_model(model_id)[0].to(self.device)
        return from_policy(TorchPolicy(network, MODEL + model_id))

    def card(self, model_id: str) -> ModelCard:
        """See `PhaseRunner.card`."""
        return self.model_store.card(model_id)

    def why_unusable(self, model_id: str) -> str | None:
        """See `PhaseRunner.why_unusable`."""
        try:
            self.registry.get_model(model_id)
        except ModelError as error:
            return str(error)
        return None

    def champion(self) -> ModelCard | None:
        """See `PhaseRunner.champion`."""
        while (model_id := self.model_store.champion_id()) is not None:
            reason = self.why_unusable(model_id)
            if reason is None:
                return self.model_store.card(model_id)
            self._tell(f"⚠ Champion {model_id} is set aside: {reason}")
            self.model_store.set_aside_champion(self._now(), SetAside(set_aside=model_id, reason=reason))
        return None

    def champion_id(self) -> str | None:
        """The champion's id, None without one."""
        champion = self.champion()
        return champion.id if champion else None

    def champion_lineage(self) -> Sequence[ModelCard]:
        """The champion and the models it came from, as far as their rows can be read; empty without one."""
        champion = self.champion()
        if champion is None:
            return []
        try:
            return self.model_store.lineage(champion.id)
        except ModelError as error:
            self._tell(f"⚠ What the champion came from cannot be read: {error}")
            return [champion]

    def _pool(self, champion: ModelCard) -> list[Competitor]:
        """The frozen pool: heuristics and the latest champions before this one that can be used."""
        past = [
            event.previous_id for event in self.model_store.events() if event.previous_id not in (None, champion.id)
        ]
        pool = [heuristic(name) for name in POOL]
        for model_id in dict.fromkeys(reversed([model_id for model_id in past if model_id])):
            if len(pool) == len(POOL) + PAST_CHAMPIONS:
                break
            reason = self.why_unusable(model_id)
            if reason is None:
                pool.append(self.player(model_id))
            else:
                self._tell(f"  {model_id} is left out of the pool: {reason}")
        return pool

    def _tests_since(self, moment: datetime) -> int:
        """Challengers tested since then: the run's error rate is shared out among them by number."""
        tested = (ModelEventKind.PROMOTED, ModelEventKind.REJECTED)
        return sum(event.kind in tested and event.at >= moment for event in self.model_store.events())

    def roll_back_checkpoint(self, folder: Path) -> str:
        """See `PhaseRunner.roll_back_checkpoint`: the newest checkpoint of the phase's latest part is dropped."""
        parts = sorted(folder.rglob("checkpoints"), key=lambda path: path.stat().st_mtime)
        if (folder / CYCLES_FILE).exists():  # cycles are parts of a life, which lies in no run's folder
            folder = self.settings.pipeline_dir / LEARNER_FOLDER
            parts = sorted(folder.glob("checkpoints"))
        for path in reversed(parts):
            checkpoints = CheckpointFolder(path, self.settings.training_optimization.keep_checkpoints, self._tell)
            names = checkpoints.names()
            if len(names) > 1:
                checkpoints.forget_after(names[-2])
                return f"Rolled back to checkpoint {path.relative_to(folder)}/{names[-2]}"
            if names:
                shutil.rmtree(path)
                return f"The only checkpoint of {path.relative_to(folder)} was dropped: that part begins anew"
        return f"There is no checkpoint in {folder.name}: the phase begins anew"

    def repair(self, run_folder: Path) -> list[str]:
        """Look for damage and mend what can be: damaged checkpoints are set aside, a damaged champion gives way to the
        one before it. Returns what was found and done, in words."""
        told: list[str] = []
        life = run_folder.parent / LEARNER_FOLDER
        for path in (*sorted(run_folder.rglob("checkpoints")), *sorted(life.glob("checkpoints"))):
            CheckpointFolder(path, self.settings.training_optimization.keep_checkpoints, told.append).latest()
        found = self.model_store.verify(self._now())
        told += [f"model {model_id} is damaged: {reason}" for model_id, reason in found.damaged.items()]
        before = self.model_store.champion_id()
        champion = self.champion_id()
        if champion != before:
            told.append(f"rolled back to champion {champion}" if champion else "there is no champion left")
        return told


def _floor_of(tournament: TournamentConfig) -> Competitor | None:
    if tournament.first_champion_floor is None:
        return None
    try:
        return heuristic(tournament.first_champion_floor)
    except KeyError as error:
        raise SettingsError(str(error.args[0]), where="tournament.first_champion_floor") from error
