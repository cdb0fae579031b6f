"""One learner against compiled players, as Gymnasium's `Env` and as its `VectorEnv`."""

from collections.abc import Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.layout import ALIVE_CAUSE, HEADER
from pipeline.engine.new_game import signed_seed
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.engine.planes import FRAME
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import kind_of
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from pipeline.engine.state_checks import refuse
from pipeline.environment.settling import DRAW, LOSS, SOLO_TURN, WIN
from pipeline.environment.spaces import Observation, action_masks, observation_space, view

_DUEL: Final = GameSpec(snakes=2)


class BattlesnakeVectorEnv(VectorEnv[Any, Any, Any]):
    """N games, in each of which seat 0 learns: actions int[N], 0..3 = up, down, left, right.

    Observations are dicts of uint8 arrays with N rows (`spaces.observation_space`); infos hold `action_mask`
    int8[N, 4].
    Rewards are those of `VectorEnvironment`. An episode ends with the learner's death or its game (terminated), or by
    `turn_limit` (truncated); the call after that begins the next game there, whatever the action (NEXT_STEP).
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        num_envs: int = 1,
        spec: GameSpec = _DUEL,
        *,
        opponents: Sequence[str] | None = None,
        seed: int = 0,
        turn_limit: int = 0,
        frame: int = FRAME,
    ) -> None:
        """Set up; a first `reset` without a seed is `reset(seed=seed)`.

        Args:
            opponents: names of player kinds for seats 1.. (default: all "voronoi").

        Raises:
            GameStateError: a spec that cannot be set up, or a board larger than the frame.
            KeyError: no such player kind.
            ValueError: not one opponent for each other seat.
        """
        names = ["voronoi"] * (spec.snakes - 1) if opponents is None else list(opponents)
        if len(names) != spec.snakes - 1:
            raise ValueError(f"{len(names)} opponents for {spec.snakes - 1} other seats; name one for each seat")
        self.num_envs = num_envs
        self.single_observation_space = observation_space(frame)
        self.single_action_space = spaces.Discrete(4)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._batch: Final = Batch.uniform(num_envs, spec, auto_reset=False, turn_limit=turn_limit, outcomes_per_slot=1)
        self._observer: Final = Observer(self._batch.records, frame)
        self._rows: Final = allocate_observations(num_envs, np.uint8, frame)
        self._kinds: Final = np.tile(np.array([CALLER, *map(kind_of, names)], np.uint8), (num_envs, 1))
        self._mind: Final = make_mind()
        self._solo: Final = bool(spec.rules() & layout.SOLO)
        self._first_seed: int | None = seed
        self._ended: Final = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a new game everywhere; game i of a number `seed` has the seed `seed + i`. `options` has no effect.

        Without a seed a slot goes on to the game that follows its last; its first is the constructor's `seed + i`.

        Raises:
            GameStateError: a seed that is none, or not one for each game.
        """
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        seeds = self._seed_of_each(seed)
        told = [index for index, one in enumerate(seeds) if one is not None]
        self._batch.start(np.array(told, np.int64), [signed_seed(seeds[index], f"seed[{index}]") for index in told])
        self._batch.begin_next(np.array([index for index, one in enumerate(seeds) if one is None], np.int64))
        self._first_seed = None
        self._ended[:] = False
        return self._observe()

    def _seed_of_each(self, seed: int | Sequence[int | None] | None) -> list[Any]:
        """Return what each game begins with; None: the game that follows its last."""
        numbers, first = range(self.num_envs), self._first_seed
        unsaid = [None if first is None else first + index for index in numbers]
        if seed is None:
            return unsaid
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + index for index in numbers]
        if len(seed) != self.num_envs:
            refuse(f"{len(seed)} seeds for {self.num_envs} games", "seed")
        return [other if one is None else one for one, other in zip(seed, unsaid, strict=True)]

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one turn everywhere, but begin the next game where one had ended.

        Raises:
            GameStateError: not a whole number for each game, or no game stands yet. Others than 0..3 take the rules'
                default move.
        """
        batch, resetting = self._batch, np.flatnonzero(self._ended)
        batch.require_games()
        given = np.asarray(actions)
        if given.shape != (self.num_envs,) or given.dtype.kind not in "iu":
            refuse(
                f"{given.dtype}{list(given.shape)} is not a whole number for each of {self.num_envs} games", "actions"
            )
        moves: NDArray[Any] = np.zeros_like(batch.actions, np.int64)
        moves[:, 0] = given
        choose_in_batch(self._mind, batch.records, self._kinds, batch.actions)
        moves[:, 1:] = batch.actions[:, 1:]
        batch.step(moves)
        batch.drain_outcomes()
        rewards, terminated, truncated = self._settle()
        batch.begin_next(resetting)
        for array in (rewards, terminated, truncated):
            array[resetting] = 0
        self._ended[:] = terminated | truncated
        return *self._observe()[:1], rewards, terminated, truncated, self._infos()

    def _settle(self) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return what the turn was worth to each learner, and whose episode it ended or cut."""
        fields = self._batch.records.fields
        lives, over = fields[:, HEADER + layout.CAUSE] == ALIVE_CAUSE, fields[:, layout.OVER] != 0
        left = fields[:, layout.ALIVE]
        truncated = over & lives & (left > (0 if self._solo else 1))
        if self._solo:
            return np.where(lives, SOLO_TURN, LOSS), ~lives, truncated
        rewards = np.where(lives, np.where(over & (left == 1), WIN, 0.0), np.where(left == 0, DRAW, LOSS))
        return rewards, ~lives | (over & ~truncated), truncated

    def _observe(self) -> tuple[Observation, dict[str, Any]]:
        games = np.arange(self.num_envs, dtype=np.int64)
        self._rows.symmetries[:] = 0
        self._observer.observe(games, np.zeros_like(games), self._rows)
        return view(self._rows, slice(None)), self._infos()

    def _infos(self) -> dict[str, Any]:
        return {"action_mask": action_masks(self._rows), "_action_mask": np.ones(self.num_envs, np.bool_)}


class BattlesnakeEnv(gymnasium.Env[Any, Any]):
    """One game of `BattlesnakeVectorEnv`: actions 0..3, rewards, ends and `action_mask` int8[4] as there."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        spec: GameSpec = _DUEL,
        *,
        opponents: Sequence[str] | None = None,
        seed: int = 0,
        turn_limit: int = 0,
        frame: int = FRAME,
    ) -> None:
        """Set up, as `BattlesnakeVectorEnv` does; a first `reset` without a seed is `reset(seed=seed)`."""
        self._games: Final = BattlesnakeVectorEnv(
            1, spec, opponents=opponents, seed=seed, turn_limit=turn_limit, frame=frame
        )
        self.observation_space = self._games.single_observation_space
        self.action_space = self._games.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a new game: of this seed, or the one that follows the last. `options` has no effect."""
        super().reset(seed=seed)
        observations, infos = self._games.reset(seed=seed)
        return {name: rows[0] for name, rows in observations.items()}, {"action_mask": infos["action_mask"][0]}

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one turn; after an end, call `reset`."""
        observations, rewards, terminated, truncated, infos = self._games.step(np.array([action]))
        first = {name: rows[0] for name, rows in observations.items()}
        info = {"action_mask": infos["action_mask"][0]}
        return first, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info
