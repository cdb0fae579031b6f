"""Games that the learner plays to learn from: many side by side, cut into stretches of turns, with advantages."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observations
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from pipeline.environment.vector import VectorEnvironment
from pipeline.evolution.league import LEARNER, PAST_SELF, League, Shares
from pipeline.evolution.networks import Network
from pipeline.evolution.policy import draw_moves
from pipeline.evolution.tensors import to_floats
from schemas.errors import ModelError
from schemas.self_play import SelfPlaySettings

UNTAUGHT: Final = 255


class Samples(NamedTuple):
    """M of the learner's decisions: planes u8 [M, 12, 11, 11], features u8 [M, 32], context u8 [M, 16], masks bool
    [M, 4], moves u8 [M], log_chances f32 [M] (of the move, when it was played), advantages and returns f32 [M],
    taught u8 [M]: the teacher's move, UNTAUGHT where it was not asked."""

    planes: NDArray[np.uint8]
    features: NDArray[np.uint8]
    context: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    moves: NDArray[np.uint8]
    log_chances: NDArray[np.float32]
    advantages: NDArray[np.float32]
    returns: NDArray[np.float32]
    taught: NDArray[np.uint8]

    def rows(self, rows: NDArray[np.int64]) -> "Samples":
        """The samples of these numbers, copied."""
        return Samples(*(column[rows] for column in self))  # type: ignore[arg-type]  # each column keeps its type


class Tally(NamedTuple):
    """What was seen in games that ended: counts, per what sat opposite.

    `met` int64[256, 4]: by the opponent's mark (LEARNER, PAST_SELF, or the strongest built-in kind of the game):
    learner's seats, seats that won alone, seats that shared the last turn, turns; `games`, `cut` by the turn limit,
    `deaths` int64[len(CAUSE_WORDS)] of the learner's seats.
    """

    met: NDArray[np.int64]
    deaths: NDArray[np.int64]
    games: int
    cut: int
    decisions: int
    entropy: float

    @staticmethod
    def empty() -> "Tally":
        """Nothing seen."""
        return Tally(np.zeros((256, 4), np.int64), np.zeros(len(layout.CAUSE_WORDS), np.int64), 0, 0, 0, 0.0)

    def plus(self, other: "Tally") -> "Tally":
        """Both together; entropy is summed over decisions."""
        return Tally(
            self.met + other.met,
            self.deaths + other.deaths,
            self.games + other.games,
            self.cut + other.cut,
            self.decisions + other.decisions,
            self.entropy + other.entropy,
        )


class _Turn(NamedTuple):
    """One turn of all games: rows are the learner's decisions, `where` their flat seat numbers."""

    where: NDArray[np.int64]
    observations: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
    masks: NDArray[np.bool_]
    moves: NDArray[np.uint8]
    log_chances: NDArray[np.float32]
    taught: NDArray[np.uint8]


class Teaching(NamedTuple):
    """Which kind labels the learner's positions (None: nobody) and in which share of the games."""

    kind: int | None
    share: float


class Roller:
    """N games of S seats that go on from one stretch to the next; used by one thread."""

    def __init__(
        self,
        games: int,
        snakes: int,
        league: League,
        shares: Shares,
        settings: SelfPlaySettings,
        seed: int,
        ensure_running: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin the games, cast by `league`; games, chance and casting all follow from `seed`.

        Args:
            ensure_running: called every turn; what it raises ends a stretch in the middle.
        """
        self._ensure_running: Final = ensure_running
        self._league: Final = league
        self._settings: Final = settings
        self.shares = shares
        self.generator: Final = np.random.default_rng(seed)
        self._environment: Final = VectorEnvironment(games, GameSpec(snakes=snakes), turn_limit=settings.turn_limit)
        self._mind: Final = make_mind()
        self._environment.reset(int(self.generator.integers(2**62)))
        self._cast: Final = league.cast(games, snakes, shares, self.generator)
        self._entropy = 0.0

    def collect(self, network: Network, past: Network | None, turns: int, teaching: Teaching) -> tuple[Samples, Tally]:
        """Play `turns` turns of every game; return the learner's decisions and what ended.

        Args:
            past: who moves the seats of past selves; None: the learner does.

        Raises:
            StoppedError: by `ensure_running`, in the middle: only a state kept before is whole.
        """
        shape = (turns, *self._cast.shape)
        values, rewards = np.zeros((turns + 1, *shape[1:]), np.float32), np.zeros(shape, np.float32)
        acts, ends = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        played: list[_Turn] = []
        tally = Tally.empty()
        self._entropy = 0.0
        for turn in range(turns):
            self._ensure_running()
            mine = self._environment.living & (self._cast == LEARNER)
            acts[turn] = mine
            played.append(self._decide(network, mine, values[turn], teaching))
            self._move_others(past or network, played[-1])
            tally = tally.plus(self._step(network, mine, rewards[turn], ends[turn]))
        self._value_standing(network, values[turns])
        decisions = sum(len(turn.where) for turn in played)
        tally = tally._replace(decisions=decisions, entropy=self._entropy)
        return self._gather(played, values, rewards, acts, ends), tally

    def _decide(
        self, network: Network, mine: NDArray[np.bool_], values: NDArray[np.float32], teaching: Teaching
    ) -> _Turn:
        environment, where = self._environment, np.flatnonzero(mine)
        observations = _rows(environment, where)
        masks = environment.masks.reshape(-1, 4)[where]
        log_policy, value = judge(network, observations, masks)
        values.reshape(-1)[where] = value
        moves = draw_moves(log_policy, self.generator.random(len(where), np.float32))
        chances = np.exp(log_policy)
        self._entropy -= float((chances * np.where(masks, log_policy, 0)).sum())
        log_chances = log_policy[np.arange(len(where)), moves]
        return _Turn(where, observations[:3], masks, moves, log_chances, self._teach(mine, teaching)[where])

    def _teach(self, mine: NDArray[np.bool_], teaching: Teaching) -> NDArray[np.uint8]:
        labels = np.full(mine.shape, UNTAUGHT, np.uint8)
        if teaching.kind is not None and teaching.share > 0:
            # The first games of the slots, not drawn ones: a game is labelled throughout or not at all.
            taught = mine & (np.arange(len(mine)) < round(teaching.share * len(mine)))[:, None]
            kinds = np.where(taught, np.uint8(teaching.kind), np.uint8(CALLER))
            choose_in_batch(self._mind, *self._environment.batch.records[:3], kinds, labels)
        return labels.reshape(-1)

    def _move_others(self, past: Network, turn: _Turn) -> None:
        environment, actions = self._environment, self._environment.batch.actions
        actions.reshape(-1)[turn.where] = turn.moves
        where = np.flatnonzero(environment.living & (self._cast == PAST_SELF))
        if len(where):
            log_policy, _ = judge(past, _rows(environment, where), environment.masks.reshape(-1, 4)[where])
            actions.reshape(-1)[where] = draw_moves(log_policy, self.generator.random(len(where), np.float32))
        kinds = np.where(self._cast < PAST_SELF, self._cast, np.uint8(CALLER))
        choose_in_batch(self._mind, *environment.batch.records[:3], kinds, actions)

    def _step(
        self, network: Network, mine: NDArray[np.bool_], rewards: NDArray[np.float32], ends: NDArray[np.bool_]
    ) -> Tally:
        environment = self._environment
        environment.step(environment.batch.actions)
        rewards[:], ends[:] = environment.rewards, environment.dones
        final = environment.final
        if len(final.games):
            # A game that the turn limit cut would have gone on: what the network expects of it stands for the rest.
            open_masks = np.ones((len(final.games), 4), np.bool_)
            _, value = judge(network, final.rows, open_masks)
            rewards[final.games, final.seats] += np.float32(self._settings.discount) * value
        return self._recast(mine)

    def _recast(self, mine: NDArray[np.bool_]) -> Tally:
        """Count the games that ended and cast those that replace them."""
        outcomes, tally = self._environment.outcomes, Tally.empty()
        slots = outcomes.slot
        if not len(slots):
            return tally
        cast = self._cast[slots]
        learner = cast == LEARNER
        others = np.where(learner, 0, cast).max(1)
        marks = np.repeat(np.where(learner.all(1), LEARNER, others), learner.sum(1))
        first = (outcomes.rank == 1) & learner
        alone = ((outcomes.rank == 1).sum(1) == 1)[:, None]
        turns = np.broadcast_to(outcomes.turns[:, None], cast.shape)
        counts = np.stack([learner, first & alone, first & ~alone, np.where(learner, turns, 0)], 2)[learner]
        np.add.at(tally.met, marks, counts)
        np.add.at(tally.deaths, outcomes.cause[learner], 1)
        self._cast[slots] = self._league.cast(len(slots), cast.shape[1], self.shares, self.generator)
        return tally._replace(games=len(slots), cut=int(self._environment.truncated.sum()))

    def _value_standing(self, network: Network, values: NDArray[np.float32]) -> None:
        """Value the positions after the stretch's last turn."""
        where = np.flatnonzero(self._environment.living & (self._cast == LEARNER))
        masks = self._environment.masks.reshape(-1, 4)[where]
        _, values.reshape(-1)[where] = judge(network, _rows(self._environment, where), masks)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The games and who plays them; with the generator's state all that the next stretch depends on."""
        words, cells, longs, _ = self._environment.batch.records
        return {"words": words, "cells": cells, "longs": longs, "cast": self._cast}

    def from_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take back what `to_arrays` gave.

        Raises:
            ModelError: they are of other games than these.
            GameStateError: games that the rules never leave.
        """
        for name, array in self.to_arrays().items():
            if name not in arrays or arrays[name].shape != array.shape:
                raise ModelError(
                    f"the checkpoint's games do not fit: {array.shape} {name} are needed",
                    where="self_play.environments, training_optimization.threads",
                    remedy="Resume with the settings it was begun with.",
                )
        self._cast[:] = arrays["cast"]
        self._environment.batch.load_records(*(arrays[name] for name in ("words", "cells", "longs")))
        self._environment.look_again()

    def _gather(
        self,
        played: list[_Turn],
        values: NDArray[np.float32],
        rewards: NDArray[np.float32],
        acts: NDArray[np.bool_],
        ends: NDArray[np.bool_],
    ) -> Samples:
        settings = self._settings
        advantages = generalised_advantages(values, rewards, ends, settings.discount, settings.gae_lambda)
        returns = advantages + values[:-1]
        picked = np.concatenate([np.flatnonzero(act) + index * act.size for index, act in enumerate(acts)])
        planes, features, context = (np.concatenate([turn.observations[part] for turn in played]) for part in range(3))
        return Samples(
            planes,
            features,
            context,
            np.concatenate([turn.masks for turn in played]),
            np.concatenate([turn.moves for turn in played]),
            np.concatenate([turn.log_chances for turn in played]),
            advantages.reshape(-1)[picked],
            returns.reshape(-1)[picked],
            np.concatenate([turn.taught for turn in played]),
        )


def _rows(environment: VectorEnvironment, where: NDArray[np.int64]) -> Observations:
    planes = environment.planes.reshape(-1, *environment.planes.shape[2:])
    features = environment.features.reshape(-1, environment.features.shape[2])
    context = environment.context.reshape(-1, environment.context.shape[2])
    return Observations(planes[where], features[where], context[where], environment.symmetries.reshape(-1)[where])


def judge(
    network: Network, observations: Observations, masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the log chances of the moves, float32[M, 4] (-inf where illegal), and values, float32[M]."""
    if not len(masks):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits, value = network(*to_floats(observations, device))
        masked = logits.masked_fill(~torch.from_numpy(masks).to(device), -torch.inf)
        log_policy = torch.log_softmax(masked, 1)
    return log_policy.cpu().numpy(), value[:, 0].cpu().numpy()


def generalised_advantages(
    values: NDArray[np.float32],
    rewards: NDArray[np.float32],
    ends: NDArray[np.bool_],
    discount: float,
    smoothing: float,
) -> NDArray[np.float32]:
    """Return advantages float32[T, ...] (Schulman et al. 2016) from values [T + 1, ...], rewards and ends [T, ...].

    `ends`: an episode was closed by that turn's reward, so that nothing after it counts.
    """
    advantages = np.zeros_like(rewards)
    running = np.zeros_like(rewards[0])
    for turn in reversed(range(len(rewards))):
        goes_on = np.float32(discount) * ~ends[turn]
        surprise = rewards[turn] + goes_on * values[turn + 1] - values[turn]
        running = surprise + goes_on * np.float32(smoothing) * running
        advantages[turn] = running
    return advantages
