"""Many games as one environment, in arrays that live as long as it does: what a self-play trainer steps."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.batch import Batch
from pipeline.engine.encode import FOLLOW_FACING
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import FEATURES, FRAME
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import KINDS
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from pipeline.engine.slots import Outcomes
from pipeline.engine.state_checks import refuse
from pipeline.engine.symmetry import IDENTITY, SYMMETRIES
from pipeline.environment.settling import allow, find_learners, settle_finished, settle_running, turn_back

OPEN_FEATURE: Final = [slot.name for slot in FEATURES].index("open_up")


class FinalViews(NamedTuple):
    """K learners whose games `turn_limit` ended on the last step, and what each saw of the last position.

    games int64[K], seats int64[K], and their rows as `Observations` has them: views of the first K rows of arrays that
    live as long as the environment and are rewritten by a later step.
    """

    games: NDArray[np.int64]
    seats: NDArray[np.int64]
    rows: Observations


class VectorEnvironment:
    """N games of S seats; `reset` once, then `step` for ever: finished games are replaced at once.

    Arrays, the same objects for the environment's life, rewritten by each call; seat s of game g is [g, s]:

    - `planes` [N, S, 12, frame, frame], `features` [N, S, 32], `context` [N, S, 16] of `dtype` (uint8 or float32),
      what each living learner sees now (`planes.py`); zero for others.
    - `masks` bool[N, S, 4]: the moves that neither wall nor staying body forbids; all True where there is none, and
      for seats that do not move.
    - `living` bool[N, S]: learners that move next. The action of any other seat is ignored.
    - `rewards` float32[N, S]: 0 each turn, and at the turn on which a learner's game ends for it: LOSS (-1) when it
      dies while anybody else lives on, WIN (+1) when it alone is left, DRAW (0) for all who die together last, and
      for all who live when `turn_limit` ends the game. Solo games: SOLO_TURN (+0.01) for each turn lived, LOSS at
      death.
    - `dones` bool[N, S]: the learner died or its game ended on the last step, so that `rewards` closes its episode.
    - `truncated` bool[N]: that game was ended by `turn_limit`. What is observed after a finished game is the next one;
      `final` holds the last position of the truncated ones, so that a trainer can estimate what would have followed.
    - `kinds` uint8[N, S]: who moves each seat: CALLER (the learner) or a player kind. The caller may write to it.

    `outcomes` holds the games that the last step finished. With `egocentric` each snake sees the board turned so that
    it faces up, with `augmented` each game is seen through one of the board's symmetries, a slot's next game through
    the next one; masks and actions then are in that view too.

    - `views` uint8[N]: the symmetry of each game, or FOLLOW_FACING.
    """

    def __init__(
        self,
        games: int,
        spec: GameSpec | None = None,
        *,
        opponents: Sequence[int] = (),
        dtype: Any = np.uint8,
        egocentric: bool = False,
        augmented: bool = False,
        frame: int = FRAME,
        turn_limit: int = 0,
        threads: int = 1,
    ) -> None:
        """Allocate everything; call `reset` next.

        Args:
            opponents: player kinds (`players.kinds`) for the last seats; the others are learners.

        Raises:
            GameStateError: a spec that cannot be set up, or a board larger than the frame.
            ValueError: more opponents than seats, or both `egocentric` and `augmented`.
        """
        if egocentric and augmented:
            raise ValueError("an egocentric view is turned already: augmented adds nothing to it")
        spec = spec or GameSpec()
        if len(opponents) > spec.snakes:
            raise ValueError(f"{len(opponents)} opponents for {spec.snakes} seats; leave seats to the learners")
        self.batch: Final = Batch.uniform(
            games, spec, auto_reset=False, threads=threads, turn_limit=turn_limit, outcomes_per_slot=1
        )
        seats = spec.snakes
        self.kinds: Final = np.full((games, seats), CALLER, np.uint8)
        self.kinds[:, seats - len(opponents) :] = list(opponents)
        self.observer: Final = Observer(self.batch.records, frame)
        self._rows: Final[Observations] = allocate_observations(games * seats, dtype, frame)
        self.planes: Final = self._rows.planes.reshape(games, seats, *self._rows.planes.shape[1:])
        self.features: Final = self._rows.features.reshape(games, seats, -1)
        self.context: Final = self._rows.context.reshape(games, seats, -1)
        self.symmetries: Final = self._rows.symmetries.reshape(games, seats)
        self.masks: Final = np.ones((games, seats, 4), np.bool_)
        self.living: Final = np.zeros((games, seats), np.bool_)
        self.rewards: Final = np.zeros((games, seats), np.float32)
        self.dones: Final = np.zeros((games, seats), np.bool_)
        self.truncated: Final = np.zeros(games, np.bool_)
        self.outcomes: Outcomes = self.batch.drain_outcomes()
        self._last: Final[Observations] = allocate_observations(games * seats if turn_limit else 0, dtype, frame)
        nobody = np.zeros(0, np.int64)
        self.final = FinalViews(nobody, nobody, Observations(*(array[:0] for array in self._last)))
        self.views: Final = np.full(games, FOLLOW_FACING if egocentric else IDENTITY, np.uint8)
        self._augmented: Final = augmented
        if augmented:
            self.views[:] = np.arange(games) % SYMMETRIES
        self._turned: Final = egocentric or augmented
        self._solo: Final = bool(spec.rules() & layout.SOLO)
        self._games: Final = np.repeat(np.arange(games, dtype=np.int64), seats)
        self._snakes: Final = np.zeros(games * seats, np.int64)
        self._mind: Final = make_mind()
        end = layout.HEADER + seats * layout.SNAKE_FIELDS
        self._causes: Final = self.batch.records.fields[:, layout.HEADER + layout.CAUSE : end : layout.SNAKE_FIELDS]

    def reset(self, seeds: int | Sequence[int] | NDArray[np.int64]) -> None:
        """Begin a first game in every slot: one seed per slot, int64[slots], or one from which they follow.

        Raises:
            SetUpError: the map has no room for its snakes or food.
        """
        self.batch.reset(seeds)
        self.rewards[:] = 0
        self.dones[:] = False
        self.truncated[:] = False
        self._look_back()
        self._look()

    def look_again(self) -> None:
        """Observe anew, after the caller put other games into `batch.records` (a resumed run does)."""
        self._look()

    def step(self, actions: NDArray[np.uint8]) -> None:
        """Play one turn of every game; `actions` uint8[N, S], 0..3 = up, down, left, right as each learner sees it.

        Any other number takes the rules' default move (straight on).

        Raises:
            GameStateError: actions of another shape, a kind of player that there is not, or no game stands yet.
        """
        self._check(actions)
        moves = self.batch.actions
        if self._turned:
            turn_back(actions, self.symmetries, moves)
        else:
            moves[:] = actions
        if (self.kinds != CALLER).any():
            choose_in_batch(self._mind, self.batch.records, self.kinds, moves)
        self.play()

    def play(self, seen: Callable[[layout.Records], None] | None = None) -> None:
        """Play one turn by the moves that stand in `batch.actions`, as the board lies.

        Args:
            seen: handed the games after the turn, those that ended before others take their slots.
        """
        self.batch.step()
        if seen is not None:
            seen(self.batch.records)
        self.outcomes = self.batch.drain_outcomes()
        self._settle()
        self._look_back()
        self.batch.begin_next(self.outcomes.slot)
        if self._augmented:
            self.views[self.outcomes.slot] = (self.views[self.outcomes.slot] + 1) % SYMMETRIES
        self._look()

    def _check(self, actions: NDArray[np.uint8]) -> None:
        self.batch.require_games()
        if actions.shape != self.kinds.shape or actions.dtype != np.uint8:
            refuse(f"{actions.dtype}{list(actions.shape)} is not uint8{list(self.kinds.shape)}", "actions")
        unknown = (self.kinds >= len(KINDS)) & (self.kinds != CALLER)
        if unknown.any():
            refuse(f"{self.kinds[unknown][0]} is no kind of player", "kinds")

    def _settle(self) -> None:
        """Write rewards and ends of the turn just played; `living` still says who took part in it."""
        out, fields = self.outcomes, self.batch.records.fields
        settle_running(fields, self.living, self._solo, self.rewards, self.dones)
        settle_finished(
            out.slot, out.died_on, out.turns, self.living, self._solo, self.rewards, self.dones, self.truncated
        )

    def _look_back(self) -> None:
        """Observe for the learners still alive in the games that were cut, before those are replaced."""
        cut = np.flatnonzero(self.truncated)
        lived = self.living[cut] & (self._causes[cut] == layout.ALIVE_CAUSE)
        rows, seats = (np.ascontiguousarray(part) for part in np.nonzero(lived))
        self.final = FinalViews(cut[rows], seats, Observations(*(array[: len(rows)] for array in self._last)))
        if len(rows):
            self.final.rows.symmetries[:] = self.views[self.final.games]
            self.observer.observe(self.final.games, seats, self.final.rows)

    def _look(self) -> None:
        """Observe the games as they stand now."""
        fields = self.batch.records.fields
        find_learners(fields, self.kinds, self.views, self.living, self.symmetries, self._snakes)
        self.observer.observe(self._games, self._snakes, self._rows)
        allow(self.features, OPEN_FEATURE, self.masks)
