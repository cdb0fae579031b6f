"""Hybrid: games of teacher and network together; the teacher says what it would have played where the network went.

Imitation alone has never seen the positions that its own small errors lead to. So the network plays, against the
heuristics and itself, and every position it meets is labelled by the teacher (DAgger: Ross, Gordon, Bagnell 2011, "A
Reduction of Imitation Learning and Structured Prediction to No-Regret Online Learning"). In rounds: the share of the
teacher's own games falls from `heuristic_mix_ratio` to `heuristic_mix_ratio_end`.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import torch

from pipeline.data.game_making import games_from
from pipeline.data.manager import SelfPlayDataManager
from pipeline.data.stored_game import StoredGame
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.match import GameConditions, fresh_seeds
from pipeline.evolution.fit_progress import FitEnd
from pipeline.evolution.networks import Network
from pipeline.evolution.policy import TorchPolicy
from pipeline.phases.context import PhaseContext, PhaseResult, seed_for
from pipeline.phases.fit_phase import FitRound, build_dataset, fit_phase, numbers_of, summary_of
from pipeline.simulator.competitor import Competitor, from_policy, heuristic
from schemas.errors import OutOfTimeError
from schemas.phases import DataSource, TrainingPhaseConfig

ROUNDS = 4
TEMPERATURE = 0.5
"""Of the network's moves while it gathers positions: some variety, few blunders of chance."""
_SOURCES = (DataSource.MIXED.value,)
PLAYING_SHARE = 0.2
"""Of a round's bar of progress, for its games; the rest is learning."""
_CROWD_SHARE = 0.5
"""Of the network's games: four snakes instead of two."""


def hybrid(context: PhaseContext, network: Network, device: torch.device) -> PhaseResult:
    """Train `network` in place, in rounds. After a kill the finished rounds are gone through again quickly: their
    games are in the store, and their training stands in their checkpoints.

    Raises:
        StoppedError: while games were played.
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one step was made. DataError: there are too few games.
    """
    started = time.monotonic()
    data = SelfPlayDataManager(context.settings)
    rounds = min(ROUNDS, context.phase.max_epochs, context.phase.games_required)
    own, positions_seen, fitted = 0, 0, None
    for number in range(rounds):
        share = _share(context.phase, number, rounds)
        wanted = round((1 - share) * context.phase.games_required / rounds)
        _play_round(context, network.to(device), data, number, rounds, wanted)
        own_games = _games_of_rounds(context, data.training_games(sources=_SOURCES), number)
        teacher_games = _teacher_games(data, _teacher_count(context.phase, share, len(own_games)))
        fit_round = _fit_round(context, number, rounds, [*own_games, *teacher_games], started)
        try:
            fitted = fit_phase(context, network, device, fit_round)
        except OutOfTimeError:
            if fitted is None:
                raise
            break  # what the rounds before have learned is the phase's
        own, positions_seen = len(own_games), len(fit_round.positions)
        if fitted.ended is FitEnd.STOP:
            break
    assert fitted is not None
    return PhaseResult(
        network=network,
        summary=f"{own:,} games of its own and the teacher's, {positions_seen:,} positions: {summary_of(fitted)}",
        games=len(_games_of_rounds(context, data.store.read(sources=_SOURCES), rounds)),
        games_learned=own,
        positions_learned=positions_seen,
        data_sources=(DataSource.MIXED.value, DataSource.HEURISTIC_SUPERVISION.value),
        seed=seed_for(context.seed, context.name),
        stopped=fitted.ended is FitEnd.STOP,
        numbers=numbers_of(fitted),
    )


def _share(phase: TrainingPhaseConfig, number: int, rounds: int) -> float:
    """The teacher's share of a round's games."""
    last = phase.heuristic_mix_ratio if phase.heuristic_mix_ratio_end is None else phase.heuristic_mix_ratio_end
    along = number / max(rounds - 1, 1)
    return phase.heuristic_mix_ratio + along * (last - phase.heuristic_mix_ratio)


def _name(context: PhaseContext, number: int) -> str:
    """How the network is called in the games of a round; by it they are found again."""
    return f"model:{context.run_id}-{context.name}-{number}"


def _play_round(
    context: PhaseContext, network: Network, data: SelfPlayDataManager, number: int, rounds: int, wanted: int
) -> None:
    """Let the network play what the store lacks of this round's games."""
    name = _name(context, number)
    stored = Counter(len(g.players) for g in data.store.read(sources=_SOURCES) if name in g.players)
    me = from_policy(TorchPolicy(network, name, temperature=TEMPERATURE))
    rivals = [heuristic(share.kind) for share in context.settings.self_play.heuristics]
    for seats, games in ((2, round(wanted * (1 - _CROWD_SHARE))), (4, round(wanted * _CROWD_SHARE))):
        # A kill between two files stores a part: all are played again, and the store knows those it has.
        if stored[seats] >= games:
            continue
        seed = seed_for(context.seed, context.name, number, seats)
        players, seatings = _seat(me, rivals, seats, games, seed)

        def told(done: int, total: int, seats: int = seats) -> None:
            details = f"round {number + 1}: {done:,} of {total:,} games of {seats}"
            context.report((number + PLAYING_SHARE * done / total) / rounds, details, {})

        finished = context.play(
            players, seatings, fresh_seeds(seed, games), GameConditions(snakes=seats), tapes=True, stop=context.stop,
            progress=told,
        )  # fmt: skip
        names = [player.name for player in players]
        data.store.add(games_from(finished, names, DataSource.MIXED.value, context.now(), partial(_seats_of, name)))


def _seats_of(name: str, players: tuple[str, ...], _ranks: tuple[int, ...]) -> tuple[int, ...]:
    """The seats of the player of this name: its positions are to be corrected, won or lost."""
    return tuple(seat for seat, player in enumerate(players) if player == name)


def _seat(
    me: Competitor, rivals: Sequence[Competitor], seats: int, games: int, seed: int
) -> tuple[list[Competitor], np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """The network at a drawn seat of every game, the others drawn from heuristics and itself."""
    chance = np.random.default_rng(seed)
    seatings = chance.integers(0, len(rivals) + 1, (games, seats)).astype(np.uint8)
    seatings[np.arange(games), chance.integers(0, seats, games)] = 0
    return [me, *rivals], seatings


def _games_of_rounds(context: PhaseContext, stored: Iterable[StoredGame], number: int) -> list[StoredGame]:
    """The network's games of this round and those before it."""
    names = {_name(context, earlier) for earlier in range(number + 1)}
    return [game for game in stored if names & set(game.players)]


def _teacher_count(phase: TrainingPhaseConfig, share: float, own: int) -> int:
    """How many of the teacher's games make its share beside `own` of the network."""
    return phase.games_required if share >= 1 else round(own * share / (1 - share))


def _teacher_games(data: SelfPlayDataManager, count: int) -> list[StoredGame]:
    return data.training_games(sources=[DataSource.HEURISTIC_SUPERVISION.value], newest=count) if count else []


def _fit_round(
    context: PhaseContext, number: int, rounds: int, games: Sequence[StoredGame], started: float
) -> FitRound:
    """A round's positions, all labelled by the teacher, and its share of the phase's epochs and time."""
    settings = context.settings.data
    seed = seed_for(context.seed, context.name, number, "positions")
    positions = build_dataset(games, settings.max_positions, seed, teacher=kind_of(settings.teacher))
    left_s = context.budget_s - (time.monotonic() - started)
    epochs = max(1, context.phase.max_epochs // rounds)
    return FitRound(
        name=f"round {number + 1} of {rounds}",
        positions=positions,
        game_ids=[game.game_id for game in games],
        folder=context.folder / f"round-{number}",
        phase=context.phase.model_copy(update={"max_epochs": epochs}),
        budget_s=left_s / (rounds - number),
        begins=(number + PLAYING_SHARE) / rounds,
        ends=(number + 1) / rounds,
    )
