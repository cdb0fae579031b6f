"""One game as a PettingZoo ParallelEnv: every living snake moves at once."""

from typing import Any, Final

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from pipeline.engine import layout
from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.layout import ALIVE_CAUSE, HEADER, SNAKE_FIELDS, WALL
from pipeline.engine.observe import Observer, allocate_observations
from pipeline.engine.planes import FRAME
from pipeline.engine.rng import derive_seed
from pipeline.environment.settling import DRAW, LOSS, SOLO_TURN, WIN
from pipeline.environment.spaces import Observation, action_masks, observation_space, view


class BattlesnakeParallelEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo is untyped
    """Agents `snake_0` ..; actions 0..3 = up, down, left, right; rewards as `VectorEnvironment` defines them.

    Observations are dicts of uint8 arrays `board_state` (12, frame, frame), `snake_features` (32,) and `game_context`
    (16,) as `planes.py` defines them; infos hold `action_mask`, int8[4]: 1 for moves that neither wall nor staying body
    forbids (all 1 where there is none). A game that `turn_limit` ends is truncated.
    """

    metadata: Final = {"render_modes": ["ansi"], "name": "battlesnake_v1", "is_parallelizable": True}

    def __init__(
        self,
        spec: GameSpec | None = None,
        *,
        seed: int = 0,
        turn_limit: int = 0,
        frame: int = FRAME,
        render_mode: str | None = None,
    ) -> None:
        """Set up; a first `reset` without a seed is `reset(seed=seed)`, and later ones follow from it.

        Raises:
            GameStateError: a spec that cannot be set up, or a board larger than the frame.
        """
        self.render_mode = render_mode
        self.spec: Final = spec or GameSpec()
        self.possible_agents = [f"snake_{index}" for index in range(self.spec.snakes)]
        self.agents: list[str] = []
        self._batch: Final = Batch.uniform(1, self.spec, auto_reset=False, turn_limit=turn_limit)
        self._observer: Final = Observer(self._batch.records, frame)
        self._rows: Final = allocate_observations(self.spec.snakes, np.uint8, frame)
        self._seat: Final = {agent: index for index, agent in enumerate(self.possible_agents)}
        self._seed, self._games = seed, -1
        self._spaces: Final = {agent: observation_space(frame) for agent in self.possible_agents}
        self._actions: Final = {agent: spaces.Discrete(4) for agent in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Dict:
        """Return the agent's observation space, always the same object."""
        return self._spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """Return the agent's action space, always the same object."""
        return self._actions[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin a new game; the same seed gives the same game. `options` has no effect.

        Raises:
            SetUpError: the map has no room for its snakes or food.
        """
        if seed is not None:
            self._seed, self._games = seed, 0
        else:
            self._games += 1
        self._batch.reset([self._seed if self._games == 0 else int(derive_seed(self._seed, self._games))])
        self.agents = list(self.possible_agents)
        return self._observe(self.agents), self._infos(self.agents)

    def step(
        self, actions: dict[str, int]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one turn; the dicts hold an entry for each agent that lived before it.

        Raises:
            ValueError: a living agent has no action.
            GameStateError: an action that is no whole number; others than 0..3 take the rules' default move.
        """
        acting = self.agents
        for agent in acting:
            if agent not in actions:
                raise ValueError(f"{agent} lives and has no action")
        self._batch.step(np.asarray([[actions[agent] if agent in acting else 0 for agent in self.possible_agents]]))
        fields = self._batch.records.fields[0]
        living = [agent for agent in acting if fields[self._at(agent) + layout.CAUSE] == ALIVE_CAUSE]
        over = bool(fields[layout.OVER])
        truncated = over and len(living) > (0 if self._solo else 1)
        rewards = {agent: self._reward(agent in living, living, over) for agent in acting}
        terminations = {agent: agent not in living or (over and not truncated) for agent in acting}
        truncations = {agent: truncated and agent in living for agent in acting}
        observations, infos = self._observe(acting), self._infos(acting)
        self.agents = [] if over else living
        return observations, rewards, terminations, truncations, infos

    def render(self) -> str | None:
        """Return the board as text, top row first: letters for snakes (head upper case), `*` food, `~` hazard."""
        if self.render_mode != "ansi":
            return None
        fields, grid = self._batch.records.fields[0], self._batch.records.grid[0]
        width, height = int(fields[layout.WIDTH]), int(fields[layout.HEIGHT])
        heads = {int(fields[self._at(agent) + layout.HEAD]) for agent in self.agents}
        lines = []
        for y in reversed(range(height)):
            row = [(y + 1) * (width + 2) + x + 1 for x in range(width)]
            lines.append("".join(_symbol(int(grid[c]), int(grid[fields[layout.AREA] + c]), c in heads) for c in row))
        return "\n".join(lines)

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def _solo(self) -> bool:
        return bool(self.spec.rules() & layout.SOLO)

    def _at(self, agent: str) -> int:
        return HEADER + self._seat[agent] * SNAKE_FIELDS

    def _reward(self, lives: bool, living: list[str], over: bool) -> float:
        if self._solo:
            return SOLO_TURN if lives else LOSS
        if lives:
            return (WIN if len(living) == 1 else DRAW) if over else 0.0
        return DRAW if over and not living else LOSS

    def _observe(self, agents: list[str]) -> dict[str, Observation]:
        seats = np.arange(self.spec.snakes, dtype=np.int64)
        self._rows.symmetries[:] = 0
        self._observer.observe(np.zeros_like(seats), seats, self._rows)
        return {agent: view(self._rows, self._seat[agent]) for agent in agents}

    def _infos(self, agents: list[str]) -> dict[str, dict[str, Any]]:
        masks = action_masks(self._rows)
        return {agent: {"action_mask": masks[self._seat[agent]]} for agent in agents}


def _symbol(byte: int, hazards: int, is_head: bool) -> str:
    owner = byte & layout.OWNER
    if 0 < owner < WALL:
        letter = "abcdefghijklmnop"[owner - 1]
        return letter.upper() if is_head else letter
    if byte & layout.FOOD_BIT:
        return "*"
    return "~" if hazards else "."
