"""Games that the learner plays to learn from: many side by side, cut into stretches of turns, with advantages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observations
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from pipeline.engine.symmetry import MOVE_FROM, MOVE_TO
from pipeline.environment.vector import VectorEnvironment
from pipeline.evolution.league import LEARNER, RESIDENTS, League, OpponentShares, TeacherTargets
from pipeline.evolution.networks import Network
from pipeline.evolution.policy import draw_moves, judge
from pipeline.simulator.go_snake import GO_SNAKE, GoSnake
from pipeline.simulator.watch import GameWatch
from schemas.self_play import SelfPlaySettings

_KEPT_AS: Final = ("words", "cells", "longs")
"""What checkpoints call the fields, the grid and the clock of the games: older ones are read too."""
UNTAUGHT: Final = 255


class Samples(NamedTuple):
    """M of the learner's decisions: planes u8 [M, 12, 11, 11], features u8 [M, 32], context u8 [M, 16], masks bool
    [M, 4], moves u8 [M], log_chances f32 [M] (of the move, when it was played), advantages and returns f32 [M],
    taught u8 [M]: the teacher's or the expert's move, UNTAUGHT where neither was asked; expert bool [M]: whether it is
    the expert's."""

    planes: NDArray[np.uint8]
    features: NDArray[np.uint8]
    context: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    moves: NDArray[np.uint8]
    log_chances: NDArray[np.float32]
    advantages: NDArray[np.float32]
    returns: NDArray[np.float32]
    taught: NDArray[np.uint8]
    expert: NDArray[np.bool_]

    def rows(self, rows: NDArray[np.int64]) -> "Samples":
        """The samples of these numbers [K], copied: every array [K, ...]."""
        return Samples(*(column[rows] for column in self))  # type: ignore[arg-type]  # each column keeps its type


class RolloutStats(NamedTuple):
    """What was seen in games that ended: counts, per what sat opposite.

    `met` int64[256, 4]: by the opponent's mark (LEARNER, one of RESIDENTS, or the strongest built-in kind of the game):
    learner's seats, seats that won alone, seats that shared the last turn, turns; `faced` float64[256, 2]: by each
    opponent's mark the pairs of a learner's seat and one of its seats, and the learner's score in them; `games`, `cut`
    by the turn limit, `deaths` int64[len(CAUSE_WORDS)] of the learner's seats.
    """

    met: NDArray[np.int64]
    faced: NDArray[np.float64]
    deaths: NDArray[np.int64]
    games: int
    cut: int
    decisions: int
    entropy: float

    @staticmethod
    def empty() -> "RolloutStats":
        """Nothing seen."""
        deaths = np.zeros(len(layout.CAUSE_WORDS), np.int64)
        return RolloutStats(np.zeros((256, 4), np.int64), np.zeros((256, 2)), deaths, 0, 0, 0, 0.0)

    def plus(self, other: "RolloutStats") -> "RolloutStats":
        """Both together; entropy is summed over decisions."""
        return RolloutStats(
            self.met + other.met,
            self.faced + other.faced,
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
    symmetries: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    moves: NDArray[np.uint8]
    log_chances: NDArray[np.float32]
    taught: NDArray[np.uint8]
    expert: NDArray[np.bool_]


class WorkerSetup(NamedTuple):
    """What a worker's games are like, whoever sits in them."""

    games: int
    snakes: int
    settings: SelfPlaySettings
    augmented: bool


class RolloutWorker:
    """N games of S seats that go on from one stretch to the next; used by one thread."""

    def __init__(
        self,
        games: int,
        snakes: int,
        league: League,
        shares: OpponentShares,
        settings: SelfPlaySettings,
        seed: int,
        ensure_running: Callable[[], None] = lambda: None,
        *,
        augmented: bool = False,
        watch: GameWatch | None = None,
        go_snake: GoSnake | None = None,
    ) -> None:
        """Begin the games, matched by `league`; games, chance and matches all follow from `seed`.

        Args:
            ensure_running: called every turn; what it raises ends a stretch in the middle.
            augmented: let the learner see each game through another symmetry of the board.
            watch: shows one of the games while it is played.
            go_snake: moves the seats of GO_SNAKE, and labels where it is the teacher or the expert; whoever gives none
                has it in no league and asks for no label of it.
        """
        self._go_snake: Final = go_snake
        self._ensure_running: Final = ensure_running
        self._league: Final = league
        self._settings, self._watch = settings, watch
        self.setup: Final = WorkerSetup(games, snakes, settings, augmented)
        self.shares = shares
        self.generator: Final = np.random.default_rng(seed)
        self._environment: Final = VectorEnvironment(
            games, GameSpec(snakes=snakes), turn_limit=settings.turn_limit, augmented=augmented
        )
        self._mind: Final = make_mind()
        self._environment.reset(int(self.generator.integers(2**62)))
        self._seated: Final = league.matchmake(games, snakes, shares, self.generator)
        self._begun_at: Final = np.full(games, league.tables, np.int64)
        self._entropy = 0.0

    def collect(
        self, network: Network, residents: Sequence[Network | None], turns: int, targets: TeacherTargets
    ) -> tuple[Samples, RolloutStats]:
        """Play `turns` turns of every game; return the learner's decisions and what ended.

        Args:
            residents: who moves the seats of each of RESIDENTS; None: the learner does.

        Raises:
            StoppedError: by `ensure_running`, in the middle: only a state kept before is whole.
            SnakeError: the Go snake does not play.
        """
        shape = (turns, *self._seated.shape)
        values, rewards = np.zeros((turns + 1, *shape[1:]), np.float32), np.zeros(shape, np.float32)
        acts, ends = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        played: list[_Turn] = []
        stats = RolloutStats.empty()
        self._entropy = 0.0
        for turn in range(turns):
            self._ensure_running()
            mine = self._environment.living & (self._seated == LEARNER)
            acts[turn] = mine
            played.append(self._decide(network, mine, values[turn], targets))
            self._move_others([resident or network for resident in residents], played[-1])
            stats = stats.plus(self._step(network, rewards[turn], ends[turn]))
        self._value_standing(network, values[turns])
        decisions = sum(len(turn.where) for turn in played)
        stats = stats._replace(decisions=decisions, entropy=self._entropy)
        return self._gather(played, values, rewards, acts, ends), stats

    def _decide(
        self, network: Network, mine: NDArray[np.bool_], values: NDArray[np.float32], targets: TeacherTargets
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
        symmetries = observations.symmetries
        taught, expert = self._teach(mine, where, symmetries, targets)
        return _Turn(where, observations[:3], symmetries, masks, moves, log_chances, taught, expert)

    def _teach(
        self, mine: NDArray[np.bool_], where: NDArray[np.int64], symmetries: NDArray[np.uint8], targets: TeacherTargets
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the labels of these rows, as the rows see the board, and which are the expert's."""
        labels, expert = np.full(mine.shape, UNTAUGHT, np.uint8), np.zeros(mine.shape, np.bool_)
        searched = self._labelled(mine, targets.expert, targets.expert_share)
        taught = self._labelled(mine, targets.teacher, targets.share) & ~searched
        for kind, asked in ((targets.teacher, taught), (targets.expert, searched)):
            if asked.any():
                self._choose(np.where(asked, np.uint8(kind or 0), np.uint8(CALLER)), labels)
        expert[searched] = True
        rows = labels.reshape(-1)[where]
        seen = np.where(rows == UNTAUGHT, rows, MOVE_TO[symmetries, np.minimum(rows, 3)])
        return np.asarray(seen, np.uint8), expert.reshape(-1)[where]

    def _labelled(self, mine: NDArray[np.bool_], kind: int | None, share: float) -> NDArray[np.bool_]:
        """The seats that a kind labels: of the first games of the slots, not drawn ones, so that a game is labelled
        throughout or not at all."""
        games = 0 if kind is None or share <= 0 else max(1, round(share * len(mine)))
        return mine & (np.arange(len(mine)) < games)[:, None]

    def _move_others(self, residents: Sequence[Network], turn: _Turn) -> None:
        environment, actions = self._environment, self._environment.batch.actions
        actions.reshape(-1)[turn.where] = MOVE_FROM[turn.symmetries, turn.moves]
        for mark, resident in zip(RESIDENTS, residents, strict=True):
            where = np.flatnonzero(environment.living & (self._seated == mark))
            if len(where):
                seen = _rows(environment, where)
                log_policy, _ = judge(resident, seen, environment.masks.reshape(-1, 4)[where])
                moves = draw_moves(log_policy, self.generator.random(len(where), np.float32))
                actions.reshape(-1)[where] = MOVE_FROM[seen.symmetries, moves]
        self._choose(np.where(self._seated < RESIDENTS[-1], self._seated, np.uint8(CALLER)), actions)

    def _choose(self, players: NDArray[np.uint8], moves: NDArray[np.uint8]) -> None:
        """Write the moves of the living seats of kinds and GO_SNAKE, uint8[games, seats] both; CALLER's stay."""
        records = self._environment.batch.records
        theirs = players == GO_SNAKE
        choose_in_batch(self._mind, records, np.where(theirs, np.uint8(CALLER), players), moves)
        games, snakes = np.nonzero(theirs & self._environment.living)
        if len(games):
            assert self._go_snake is not None
            moves[games, snakes] = self._go_snake.choose(records, games, snakes)

    def _step(self, network: Network, rewards: NDArray[np.float32], ends: NDArray[np.bool_]) -> RolloutStats:
        environment = self._environment
        environment.play(self._watch.turn if self._watch else None)
        rewards[:], ends[:] = environment.rewards, environment.dones
        final = environment.final
        if len(final.games):
            # A game that the turn limit cut would have gone on: what the network expects of it stands for the rest.
            open_masks = np.ones((len(final.games), 4), np.bool_)
            _, value = judge(network, final.rows, open_masks)
            rewards[final.games, final.seats] += np.float32(self._settings.discount) * value
        return self._match_anew()

    def _match_anew(self) -> RolloutStats:
        """Count the games that ended and match those that replace them."""
        outcomes, stats = self._environment.outcomes, RolloutStats.empty()
        slots = outcomes.slot
        if not len(slots):
            return stats
        seated = self._seated[slots]
        learner = seated == LEARNER
        others = np.where(learner, 0, seated).max(1)
        marks = np.repeat(np.where(learner.all(1), LEARNER, others), learner.sum(1))
        first = (outcomes.rank == 1) & learner
        alone = ((outcomes.rank == 1).sum(1) == 1)[:, None]
        turns = np.broadcast_to(outcomes.turns[:, None], seated.shape)
        counts = np.stack([learner, first & alone, first & ~alone, np.where(learner, turns, 0)], 2)[learner]
        np.add.at(stats.met, marks, counts)
        np.add.at(stats.deaths, outcomes.cause[learner], 1)
        self._score(seated, outcomes.rank, self._begun_at[slots], stats.faced)
        self._seated[slots] = self._league.matchmake(len(slots), seated.shape[1], self.shares, self.generator)
        self._begun_at[slots] = self._league.tables
        if self._watch:
            self._watch.seated(self._environment.batch.records, int(slots[0]), self._seated[slots[0]])
        return stats._replace(games=len(slots), cut=int(self._environment.truncated.sum()))

    def _score(
        self,
        seated: NDArray[np.uint8],
        ranks: NDArray[np.int32],
        begun_at: NDArray[np.int64],
        faced: NDArray[np.float64],
    ) -> None:
        """Add every pair of a learner's seat and another's: the better rank scores 1, the same 1/2. A game that began
        before the last change at its resident's place was not played out by one opponent, and tells nothing."""
        for mine in range(seated.shape[1]):
            for other in range(seated.shape[1]):
                pairs = (seated[:, mine] == LEARNER) & (seated[:, other] != LEARNER)
                for place, mark in enumerate(RESIDENTS):
                    pairs &= (seated[:, other] != mark) | (begun_at >= self._league.last_change(place))
                score = np.sign(ranks[:, other] - ranks[:, mine]) / 2 + 0.5
                counts = np.stack([np.ones(len(seated)), score], 1)[pairs]
                np.add.at(faced, seated[pairs, other], counts)

    def _value_standing(self, network: Network, values: NDArray[np.float32]) -> None:
        """Value the positions after the stretch's last turn."""
        where = np.flatnonzero(self._environment.living & (self._seated == LEARNER))
        masks = self._environment.masks.reshape(-1, 4)[where]
        _, values.reshape(-1)[where] = judge(network, _rows(self._environment, where), masks)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The games (`fields`, `grid`, `clock` of the shapes and dtypes of `Records`) and who plays them (`cast`, one
        row a game); with the generator's state all that the next stretch depends on."""
        fields, grid, clock, _ = self._environment.batch.records
        views = self._environment.views
        games: dict[str, NDArray[np.generic]] = dict(zip(_KEPT_AS, (fields, grid, clock), strict=True))
        return games | {"cast": self._seated, "begun_at": self._begun_at, "views": views}

    def fits(self, arrays: Mapping[str, NDArray[np.generic]]) -> bool:
        """Whether `to_arrays` of as many games of as many seats gave these: the same names and shapes."""
        mine = self.to_arrays()
        return mine.keys() == arrays.keys() and all(mine[name].shape == arrays[name].shape for name in mine)

    def from_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take back what `to_arrays` gave, arrays of the same shapes and dtypes; `fits` says whether these are of such
        games.

        Raises:
            GameStateError: games that the rules never leave.
        """
        self._seated[:], self._begun_at[:] = arrays["cast"], arrays["begun_at"]
        self._environment.views[:] = arrays["views"]
        self._environment.batch.load_records(*(arrays[name] for name in _KEPT_AS))
        self._environment.look_again()
        if self._watch:
            self._watch.let_go()

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
            np.concatenate([turn.expert for turn in played]),
        )


def _rows(environment: VectorEnvironment, where: NDArray[np.int64]) -> Observations:
    planes = environment.planes.reshape(-1, *environment.planes.shape[2:])
    features = environment.features.reshape(-1, environment.features.shape[2])
    context = environment.context.reshape(-1, environment.context.shape[2])
    return Observations(planes[where], features[where], context[where], environment.symmetries.reshape(-1)[where])


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
