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

from pipeline.arena.arena import play_matches
from pipeline.arena.player import Player, from_policy, heuristic
from pipeline.data.game_making import games_from
from pipeline.data.manager import SelfPlayDataManager
from pipeline.data.stored_game import StoredGame
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.match import Conditions, fresh_seeds
from pipeline.evolution.fit_progress import FitEnd
from pipeline.evolution.networks import Network
from pipeline.evolution.policy import TorchPolicy
from pipeline.phases.build_dataset import build_dataset
from pipeline.phases.lesson import Lesson, learn, numbers_of, summary_of
from pipeline.phases.result import PhaseResult
from pipeline.phases.seeds import seed_for
from pipeline.phases.work import PhaseWork
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


def hybrid(work: PhaseWork, network: Network, device: torch.device) -> PhaseResult:
    """Train `network` in place, in rounds. After a kill the finished rounds are gone through again quickly: their
    games are in the store, and their training stands in their checkpoints.

    Raises:
        StoppedError: while games were played.
        TrainingError: the loss was lost for good.
        NothingLearnedError: not one step was made. DataError: there are too few games.
    """
    started = time.monotonic()
    data = SelfPlayDataManager(work.settings)
    rounds = min(ROUNDS, work.phase.max_epochs, work.phase.games_required)
    own, positions_seen, fitted = 0, 0, None
    for number in range(rounds):
        share = _share(work.phase, number, rounds)
        wanted = round((1 - share) * work.phase.games_required / rounds)
        _play_round(work, network, data, number, rounds, wanted)
        own_games = _games_of_rounds(work, data.training_games(sources=_SOURCES), number)
        teacher_games = _teacher_games(data, _teacher_count(work.phase, share, len(own_games)))
        lesson = _lesson(work, number, rounds, [*own_games, *teacher_games], started)
        try:
            fitted = learn(work, network, device, lesson)
        except OutOfTimeError:
            if fitted is None:
                raise
            break  # what the rounds before have learned is the phase's
        own, positions_seen = len(own_games), len(lesson.positions)
        if fitted.ended is FitEnd.STOP:
            break
    assert fitted is not None
    return PhaseResult(
        network=network,
        summary=f"{own:,} games of its own and the teacher's, {positions_seen:,} positions: {summary_of(fitted)}",
        games=len(_games_of_rounds(work, data.store.read(sources=_SOURCES), rounds)),
        games_learned=own,
        positions_learned=positions_seen,
        data_sources=(DataSource.MIXED.value, DataSource.HEURISTIC_SUPERVISION.value),
        seed=seed_for(work.seed, work.name),
        stopped=fitted.ended is FitEnd.STOP,
        numbers=numbers_of(fitted),
    )


def _share(phase: TrainingPhaseConfig, number: int, rounds: int) -> float:
    """The teacher's share of a round's games."""
    last = phase.heuristic_mix_ratio if phase.heuristic_mix_ratio_end is None else phase.heuristic_mix_ratio_end
    along = number / max(rounds - 1, 1)
    return phase.heuristic_mix_ratio + along * (last - phase.heuristic_mix_ratio)


def _name(work: PhaseWork, number: int) -> str:
    """How the network is called in the games of a round; by it they are found again."""
    return f"model:{work.run_id}-{work.name}-{number}"


def _play_round(
    work: PhaseWork, network: Network, data: SelfPlayDataManager, number: int, rounds: int, wanted: int
) -> None:
    """Let the network play what the store lacks of this round's games."""
    name = _name(work, number)
    stored = Counter(len(g.players) for g in data.store.read(sources=_SOURCES) if name in g.players)
    me = from_policy(TorchPolicy(network, name, temperature=TEMPERATURE))
    rivals = [heuristic(share.kind) for share in work.settings.self_play.heuristics]
    for seats, games in ((2, round(wanted * (1 - _CROWD_SHARE))), (4, round(wanted * _CROWD_SHARE))):
        # A kill between two files stores a part: all are played again, and the store knows those it has.
        if stored[seats] >= games:
            continue
        seed = seed_for(work.seed, work.name, number, seats)
        players, seatings = _seat(me, rivals, seats, games, seed)

        def told(done: int, total: int, seats: int = seats) -> None:
            details = f"round {number + 1}: {done:,} of {total:,} games of {seats}"
            work.report((number + PLAYING_SHARE * done / total) / rounds, details, {})

        finished = play_matches(
            players, seatings, fresh_seeds(seed, games), Conditions(snakes=seats), tapes=True, stop=work.stop,
            progress=told,
        )  # fmt: skip
        names = [player.name for player in players]
        data.store.add(games_from(finished, names, DataSource.MIXED.value, work.now(), partial(_seats_of, name)))


def _seats_of(name: str, players: tuple[str, ...], _ranks: tuple[int, ...]) -> tuple[int, ...]:
    """The seats of the player of this name: its positions are to be corrected, won or lost."""
    return tuple(seat for seat, player in enumerate(players) if player == name)


def _seat(
    me: Player, rivals: Sequence[Player], seats: int, games: int, seed: int
) -> tuple[list[Player], np.ndarray[tuple[int, int], np.dtype[np.uint8]]]:
    """The network at a drawn seat of every game, the others drawn from heuristics and itself."""
    chance = np.random.default_rng(seed)
    seatings = chance.integers(0, len(rivals) + 1, (games, seats)).astype(np.uint8)
    seatings[np.arange(games), chance.integers(0, seats, games)] = 0
    return [me, *rivals], seatings


def _games_of_rounds(work: PhaseWork, stored: Iterable[StoredGame], number: int) -> list[StoredGame]:
    """The network's games of this round and those before it."""
    names = {_name(work, earlier) for earlier in range(number + 1)}
    return [game for game in stored if names & set(game.players)]


def _teacher_count(phase: TrainingPhaseConfig, share: float, own: int) -> int:
    """How many of the teacher's games make its share beside `own` of the network."""
    return phase.games_required if share >= 1 else round(own * share / (1 - share))


def _teacher_games(data: SelfPlayDataManager, count: int) -> list[StoredGame]:
    return data.training_games(sources=[DataSource.HEURISTIC_SUPERVISION.value], newest=count) if count else []


def _lesson(work: PhaseWork, number: int, rounds: int, games: Sequence[StoredGame], started: float) -> Lesson:
    """A round's positions, all labelled by the teacher, and its share of the phase's epochs and time."""
    settings = work.settings.data
    seed = seed_for(work.seed, work.name, number, "positions")
    positions = build_dataset(games, settings.max_positions, seed, teacher=kind_of(settings.teacher))
    left_s = work.budget_s - (time.monotonic() - started)
    epochs = max(1, work.phase.max_epochs // rounds)
    return Lesson(
        name=f"round {number + 1} of {rounds}",
        positions=positions,
        game_ids=[game.game_id for game in games],
        folder=work.folder / f"round-{number}",
        phase=work.phase.model_copy(update={"max_epochs": epochs}),
        budget_s=left_s / (rounds - number),
        begins=(number + PLAYING_SHARE) / rounds,
        ends=(number + 1) / rounds,
    )
