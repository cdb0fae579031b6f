"""The games in play: a batch, its players in their seats, and one turn of all of them at a time.

Which snakes a turn asks for is found by compiled code over all games at once, as rows.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.batch import Batch
from pipeline.engine.compile_cache import compiled, inlined
from pipeline.engine.game_spec import GameSpec
from pipeline.engine.layout import (
    ALIVE_CAUSE,
    CAUSE,
    HEADER,
    OVER,
    SEED,
    SNAKE_FIELDS,
    SNAKES,
    TURN,
    Clock,
    Fields,
    Moves,
    Records,
)
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import FEATURES
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.match import GameConditions
from pipeline.engine.players.mind import make_mind
from pipeline.engine.rng import PLAYER, draw, stream
from pipeline.engine.seats import CALLER
from pipeline.engine.slots import Outcomes
from pipeline.engine.symmetry import IDENTITY
from pipeline.simulator.competitor import Competitor, Policy

NOBODY: Final = 255
"""In `asked`: no policy moves this seat."""
_OPEN: Final = [slot.name for slot in FEATURES].index("open_up")
_HEAD_BYTES: Final = 4096
_TURN_BYTES: Final = 24  # a turn with 16 snakes, three new foods and some hazards; memory is only taken where written
_DRAW_BITS: Final = 24  # a float32's fraction: every draw is exact, and below 1
_DRAW_INDEX: Final = 1  # number 0 of a seat's stream is the random heuristic's


@inlined
def is_asked(fields: Fields, asked: Moves, game: int, snake: int) -> bool:
    """Return whether a policy moves this seat next."""
    alive = fields[game, HEADER + snake * SNAKE_FIELDS + CAUSE] == ALIVE_CAUSE
    return bool(alive and asked[game, snake] != NOBODY and not fields[game, OVER])


@compiled
def list_rows(
    fields: Fields,
    clock: Clock,
    asked: Moves,
    starts: NDArray[np.int64],
    games: NDArray[np.int64],
    snakes: NDArray[np.int64],
    draws: NDArray[np.float32],
) -> None:
    """List the living snakes that policies move, policy by policy, then game by game and seat by seat.

    Args:
        asked: [N, S], the number of the seat's policy, or NOBODY.
        starts: [policies + 1], written: policy p's rows are starts[p] .. starts[p + 1].
        games, snakes, draws: [at least as many as there are such seats], written: each row's game, seat, and chance
            number from (game seed, turn, seat).
    """
    starts[:] = 0
    for game in range(fields.shape[0]):
        for snake in range(fields[game, SNAKES]):
            if is_asked(fields, asked, game, snake):
                starts[asked[game, snake] + 1] += 1
    for policy in range(1, starts.shape[0]):
        starts[policy] += starts[policy - 1]
    # From here on starts[p] is where p's next row goes, which in the end is where the rows of p + 1 begin.
    for game in range(fields.shape[0]):
        for snake in range(fields[game, SNAKES]):
            if is_asked(fields, asked, game, snake):
                row = starts[asked[game, snake]]
                starts[asked[game, snake]] = row + 1
                games[row], snakes[row] = game, snake
                key = stream(clock[game, SEED], clock[game, TURN], PLAYER + snake)
                draws[row] = np.float32(draw(key, _DRAW_INDEX, 1 << _DRAW_BITS)) / np.float32(1 << _DRAW_BITS)
    for policy in range(starts.shape[0] - 1, 0, -1):
        starts[policy] = starts[policy - 1]
    starts[0] = 0


@compiled
def put_moves(chosen: Moves, games: NDArray[np.int64], snakes: NDArray[np.int64], moves: Moves) -> None:
    """Write row i's move to moves[games[i], snakes[i]]."""
    for row in range(chosen.shape[0]):
        moves[games[row], snakes[row]] = chosen[row]


class MatchBatch:
    """Slots in which games are played; use it as a context, `seat` games, then call `turn` until they have ended.

    With `threads` > 1 observing and the heuristics' thinking are spread over that many; policies are asked from the
    calling thread, once per turn and policy, for all their rows.
    """

    def __init__(
        self, players: Sequence[Competitor], conditions: GameConditions, slots: int, *, tapes: bool, threads: int
    ):
        """Allocate everything.

        Raises:
            GameStateError: conditions that cannot be set up, or, with policies, a board larger than their frame.
        """
        seats = conditions.snakes
        spec = GameSpec(
            conditions.width,
            conditions.height,
            seats,
            conditions.ruleset,
            conditions.map_id,
            conditions.settings._asdict(),
        )
        tape_bytes = _HEAD_BYTES + _TURN_BYTES * conditions.most_turns if tapes else 0
        self._batch: Final = Batch.uniform(
            slots,
            spec,
            auto_reset=False,
            outcomes_per_slot=1,
            turn_limit=conditions.most_turns,
            tape_bytes=tape_bytes,
        )
        self._policies: Final = _distinct([player.policy for player in players])
        numbers = {id(policy): number for number, policy in enumerate(self._policies)}
        self._kind_of: Final = np.array([player.kind for player in players], np.uint8)
        self._asked_of: Final = np.array([numbers.get(id(player.policy), NOBODY) for player in players], np.uint8)
        self._kinds: Final = np.full((slots, seats), CALLER, np.uint8)
        self._asked: Final = np.full((slots, seats), NOBODY, np.uint8)
        self._minds: Final = [make_mind() for _ in range(threads)]
        rows = slots * seats if self._policies else 0
        self._observers: Final = [Observer(self._batch.records) for _ in range(threads if rows else 0)]
        self._rows: Final = allocate_observations(rows)
        self._masks: Final = np.ones((rows, 4), np.bool_)
        self._starts: Final = np.zeros(len(self._policies) + 1, np.int64)
        self._games, self._snakes = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._draws: Final = np.zeros(rows, np.float32)
        self._threads: Final = threads
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._threads > 1:
            self._pool = ThreadPoolExecutor(self._threads, "arena")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def seat(self, slots: NDArray[np.int64], seatings: NDArray[np.uint8], seeds: NDArray[np.int64]) -> None:
        """Begin a game in each of `slots`: row i of `seatings` (player indices) plays seeds[i] in slots[i]."""
        self._kinds[slots] = self._kind_of[seatings]
        self._asked[slots] = self._asked_of[seatings]
        self._batch.start(slots, seeds)

    @property
    def records(self) -> Records:
        """The games as they stand; see `layout.py`."""
        return self._batch.records

    def turn(self) -> Outcomes | None:
        """Play one turn of every game that is not over; return how games ended on it, None if none did."""
        batch = self._batch
        if self._policies:
            self._ask_policies()
        if (self._kind_of != CALLER).any():
            self._spread(batch.games, self._think)
        batch.step()
        return batch.drain_outcomes() if batch.done.any() else None

    def _ask_policies(self) -> None:
        records, starts = self._batch.records, self._starts
        list_rows(records.fields, records.clock, self._asked, starts, self._games, self._snakes, self._draws)
        count = int(starts[-1])
        self._spread(count, self._observe)
        for number, policy in enumerate(self._policies):
            part = slice(int(starts[number]), int(starts[number + 1]))
            if part.start == part.stop:
                continue
            seen = Observations(*(array[part] for array in self._rows))
            chosen = _checked(policy, policy.choose(seen, self._masks[part], self._draws[part]), part.stop - part.start)
            put_moves(chosen, self._games[part], self._snakes[part], self._batch.actions)

    def _observe(self, thread: int, first: int, end: int) -> None:
        part = slice(first, end)
        rows = Observations(*(array[part] for array in self._rows))
        rows.symmetries[:] = IDENTITY
        self._observers[thread].observe(self._games[part], self._snakes[part], rows)
        masks = self._masks[part]
        np.greater(rows.features[:, _OPEN : _OPEN + 4], 0, out=masks)
        masks[~masks.any(1)] = True

    def _think(self, thread: int, first: int, end: int) -> None:
        records, part = self._batch.records, slice(first, end)
        choose_in_batch(
            self._minds[thread],
            Records(records.fields[part], records.grid[part], records.clock[part], records.corpses[part]),
            self._kinds[part],
            self._batch.actions[part],
        )

    def _spread(self, count: int, work: Callable[[int, int, int], None]) -> None:
        """Call work(thread, first, end) over 0 .. count - 1, in equal parts."""
        if self._pool is None:
            work(0, 0, count)
            return
        ends = [count * part // self._threads for part in range(self._threads + 1)]
        for job in [self._pool.submit(work, part, ends[part], ends[part + 1]) for part in range(self._threads)]:
            job.result()


def _distinct(policies: Sequence[Policy | None]) -> list[Policy]:
    """Return each policy once, in order: two players may share one, which then is asked once for both."""
    return list({id(policy): policy for policy in policies if policy is not None}.values())


def _checked(policy: Policy, chosen: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    if chosen.shape != (rows,) or chosen.dtype != np.uint8 or chosen.max() > 3:
        raise ValueError(
            f"policy {policy.name!r} answered {chosen.dtype}{chosen.shape} for {rows} rows; needed is uint8({rows},) of"
            " moves 0..3"
        )
    return np.ascontiguousarray(chosen)
