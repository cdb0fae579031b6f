"""Many games advanced by one compiled call, on arrays allocated once."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.advance import advance_any, begin_slots, kernel
from pipeline.engine.compile_cache import CACHE_FOLDER
from pipeline.engine.game_spec import CLI_DEFAULTS, GameSpec, read_settings
from pipeline.engine.layout import Records
from pipeline.engine.map_names import ROYALE_MAP, map_limits
from pipeline.engine.new_game import check_new_game, raise_set_up_problem, signed_seed
from pipeline.engine.record import Board
from pipeline.engine.record_checks import PROBLEMS, row_problem
from pipeline.engine.rng import derive_seed
from pipeline.engine.rules import apply_rules, is_over
from pipeline.engine.slots import Outcomes, allocate_slots, drain
from pipeline.engine.starts import FINE
from pipeline.engine.state import load_hazards, load_state, put_food, write_header
from pipeline.engine.state_checks import read_food, read_hazards, read_integer, read_state, refuse
from pipeline.engine.state_reading import read_state_back

_MOST: Final = 2**31 - 1
_WORTH_A_KERNEL: Final = 200_000_000
"""Turns: a kernel saves about a sixth of 60 ns each, and takes 3 s to compile."""


def _mark_of(board: Board) -> Path:
    """Where it is noted that a board's kernel lies compiled on disk."""
    return CACHE_FOLDER / "kernels" / "-".join(map(str, board))


def _seeds(seeds: Any, games: int) -> list[int]:
    given = seeds.tolist() if isinstance(seeds, np.ndarray) else seeds
    if not isinstance(given, Sequence) or isinstance(given, str):
        refuse(f"{type(seeds).__name__} given where a seed for each game belongs", "seeds")
    if len(given) != games:
        refuse(f"{len(given)} seeds for {games} games", "seeds")
    return [signed_seed(seed, f"seeds[{index}]") for index, seed in enumerate(given)]


class Batch:
    """N games side by side; a game is the same whatever the batch's size, order or threads.

    Public arrays, valid for the batch's life and changed in place: `records` (see `layout.py`), `actions`
    uint8[N, S] (the caller's moves; random seats leave theirs here), `done` uint8[N] (1: the last call finished a
    game in this slot). With `auto_reset` a finished game is replaced at once by the next one, whose seed follows
    from the last; its outcome waits in a ring of `outcomes_per_slot` until `drain_outcomes`. A slot whose ring is full
    stands still rather than lose one. `tape_bytes` > 0 keeps each game's tape, up to that length. `turn_limit` > 0
    ends games after so many turns (the living share rank 1).
    """

    def __init__(
        self,
        specs: Sequence[GameSpec],
        *,
        auto_reset: bool = True,
        threads: int = 1,
        outcomes_per_slot: int = 2,
        turn_limit: int = 0,
        corpses: bool = False,
        tape_bytes: int = 0,
    ) -> None:
        """Allocate everything; no game stands yet, so call `reset` before playing.

        Raises:
            GameStateError: a spec that no game can be set up with.
        """
        for index, spec in enumerate(specs):
            if not isinstance(spec, GameSpec):
                refuse(f"{type(spec).__name__} given where a GameSpec belongs", f"specs[{index}]")
            check_new_game(spec.size, spec.rules(), spec.map_id, read_settings(spec.settings, CLI_DEFAULTS))
        self.specs: Final = tuple(specs)
        games = len(self.specs)
        seats = max((spec.snakes for spec in self.specs), default=0)
        self.records: Final = self._allocate(corpses)
        most = read_integer(outcomes_per_slot, "outcomes_per_slot", 1, _MOST)
        self._slots: Final = allocate_slots(self.records, seats, most, read_integer(tape_bytes, "tape_bytes", 0, _MOST))
        self.actions: Final = self._slots.actions
        self.done: Final = self._slots.done
        self.auto_reset = auto_reset
        self.threads: Final = min(max(read_integer(threads, "threads", -_MOST, _MOST), 1), max(games, 1))
        # Each thread's games: from one of these to the next.
        self._ends: Final = [games * part // self.threads for part in range(self.threads + 1)] if games else [0]
        self._pool: Final = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self.turn_limit = read_integer(turn_limit, "turn_limit", 0, _MOST)
        self._standing: Final = np.zeros(games, np.bool_)
        self._ready = games == 0
        self._board: Final = self._one_board()
        self._played = 0
        self._waiting = 0
        self._advance_games: Callable[..., int] = advance_any
        if self._board is not None and _mark_of(self._board).exists():
            self._advance_games = kernel(self._board)

    def _one_board(self) -> Board | None:
        """Return the board that a kernel of its own could play, None where slots differ or need more than it knows."""
        boards = {Board(*spec.size, spec.rules(), map_limits(spec.map_id).number) for spec in self.specs}
        plain = len(boards) == 1 and len(self._slots.tape) == 0
        board = boards.pop() if plain else None
        return board if board is not None and board.map <= ROYALE_MAP else None

    def compile_kernel(self) -> None:
        """Compile a kernel for this batch's board now, if its slots are alike; later processes find it on disk.

        A batch does so by itself once it has played as many turns as the compiling is worth.
        """
        if self._board is not None:
            self._advance_games = kernel(self._board)
            self._advance_games(0, 0, 0, 0, False, False, *self._slots)
            mark = _mark_of(self._board)
            mark.parent.mkdir(exist_ok=True)
            mark.touch()

    @classmethod
    def uniform(cls, games: int, spec: GameSpec | None = None, **options: Any) -> Self:
        """Return a batch of equal specs; the options are the constructor's."""
        return cls([spec or GameSpec()] * games, **options)

    def _allocate(self, corpses: bool) -> Records:
        # Castle walls and the maze spawn no food on the dead, so these need to be known.
        corpses = corpses or any(map_limits(spec.map_id).minds_corpses for spec in self.specs)
        sizes = [spec.size for spec in self.specs] or [(1, 1, 1)]
        records = layout.allocate(len(self.specs), sizes, corpses=corpses)
        for index, spec in enumerate(self.specs):
            settings = read_settings(spec.settings, CLI_DEFAULTS)
            write_header(records, index, spec.size, spec.rules(), map_limits(spec.map_id).number, settings)
        return records

    @property
    def games(self) -> int:
        """Number of slots."""
        return len(self.specs)

    def reset(self, seeds: int | Sequence[int] | NDArray[np.int64]) -> None:
        """Set up every slot's first game: one seed per slot, int64[games], or one number from which they follow.

        Raises:
            SetUpError: a map has no room for its snakes or food.
        """
        clock = self.records.clock
        if isinstance(seeds, (int, np.integer)):
            base = signed_seed(seeds, "seeds")
            clock[:, layout.SEED] = [derive_seed(base, slot) for slot in range(self.games)]
        else:
            clock[:, layout.SEED] = _seeds(seeds, self.games)
        self._slots.waiting[:] = 0
        self._waiting = 0
        self._begin(np.arange(self.games))

    def start(self, slots: NDArray[np.int64], seeds: Sequence[int] | NDArray[np.int64]) -> None:
        """Begin a new game, of its own seed, in each of `slots`, whatever stood there; outcomes that wait stay.

        Args:
            slots: int64[K], numbers of games.
            seeds: int64[K], or as many whole numbers.

        Raises:
            SetUpError: a map has no room for its snakes or food.
            GameStateError: a slot that does not exist, or not a seed for each.
        """
        slots = self._known(slots)
        self.records.clock[slots, layout.SEED] = _seeds(seeds, len(slots))
        self._begin(slots)

    def _begin(self, slots: NDArray[np.int64]) -> None:
        clock = self.records.clock
        clock[slots, layout.EPISODE] = 0
        self.done[slots] = 0
        problems = np.zeros(len(slots), np.uint8)
        begin_slots(slots, problems, False, *self._slots)
        self._standing[slots] = problems == FINE
        self._ready = bool(self._standing.all())
        for index in np.flatnonzero(problems != FINE)[:1]:
            spec = self.specs[slots[index]]
            raise_set_up_problem(int(problems[index]), spec.size, spec.map_id)

    def _known(self, slots: Any) -> NDArray[np.int64]:
        known = np.asarray(slots)
        if known.ndim != 1 or (known.dtype.kind not in "iu" and known.size):
            refuse(f"{known.dtype}{list(known.shape)} given where numbers of slots belong", "slots")
        if len(known) and not 0 <= known.min() <= known.max() < self.games:
            refuse(f"{known.min()}..{known.max()} is not within 0..{self.games - 1}", "slots")
        return np.ascontiguousarray(known, np.int64)

    def require_games(self) -> None:
        """Refuse unless a game stands in every slot.

        Raises:
            GameStateError: one has not been set up yet.
        """
        if not self._ready:
            refuse(f"no game stands in slot {int(np.argmin(self._standing))} yet; call `reset`", "batch")

    def begin_next(self, slots: NDArray[np.int64]) -> None:
        """Begin the next game in these slots (int64[K]), the one that `auto_reset` would have begun; for batches
        without it.

        Raises:
            GameStateError: a slot that does not exist, or in which no game has stood yet.
        """
        slots = self._known(slots)
        self.require_games()
        begin_slots(slots, np.zeros(len(slots), np.uint8), True, *self._slots)

    def step(self, actions: NDArray[np.uint8] | None = None) -> int:
        """Play one turn of every game that is not over; return how many turns were played.

        `actions` uint8[N, S] is copied into `self.actions` unless it is left out (then what stands there counts).
        Moves are 0..3 = up, down, left, right; anything else takes the rules' default move; dead seats are ignored.

        Raises:
            GameStateError: actions of another shape, or no whole numbers; or no game stands yet.
        """
        if actions is not None:
            self._take_actions(actions)
        return self._advance(1, random=False)

    def _take_actions(self, actions: NDArray[Any]) -> None:
        given = np.asarray(actions)
        if given.shape != self.actions.shape or given.dtype.kind not in "iu":
            refuse(f"{given.dtype}{list(given.shape)} is not uint8{list(self.actions.shape)}", "actions")
        self.actions[:] = given if given.dtype == np.uint8 else np.where((given < 0) | (given > 3), 255, given)

    def play_random(self, turns: int) -> int:
        """Let random legal snakes play `turns` turns of every slot in one compiled call; return the turns played."""
        return self._advance(read_integer(turns, "turns", 0, _MOST), random=True)

    def _advance(self, turns: int, *, random: bool) -> int:
        if not self._ready:
            self.require_games()
        ends = self._ends
        if self._pool is None:
            played = self._part(turns, random, 0, ends[-1])
        else:
            played = sum(self._pool.map(partial(self._part, turns, random), ends[:-1], ends[1:]))
        for first in ends[:-1]:
            self._waiting += int(self._slots.filed[first])
        self._played += played
        if self._played >= _WORTH_A_KERNEL and self._advance_games is advance_any:
            self._played = 0
            self.compile_kernel()
        return played

    def _part(self, turns: int, random: bool, first: int, end: int) -> int:
        return self._advance_games(first, end, turns, self.turn_limit, self.auto_reset, random, *self._slots)

    def drain_outcomes(self) -> Outcomes:
        """Return the outcomes of all games finished since the last drain, and make room for more."""
        count, self._waiting = self._waiting, 0
        return drain(self._slots, count)

    def load_state(self, slot: int, state: Mapping[str, Any]) -> None:
        """Put a state in the form of `Game.to_state` into a slot of the same size and number of snakes.

        Raises:
            GameStateError: the state breaks an invariant, or does not fit the slot's spec.
        """
        spec = self.specs[self._known([slot])[0]]
        checked = read_state(state, spec.rules())
        size = (checked.width, checked.height, len(checked.snakes))
        if size != spec.size:
            refuse(f"a state of {size} for a slot of {spec.size}", "width, height, snakes")
        load_state(self.records, slot, checked)
        self._standing[slot] = True
        self._ready = bool(self._standing.all())

    def load_records(self, fields: NDArray[Any], grid: NDArray[Any], clock: NDArray[Any]) -> None:
        """Put the games of another batch of the same specs into this one, as its `records` held them: arrays of the
        shapes and dtypes of `Records`, one row a game.

        Raises:
            GameStateError: they are of other games than these, or such as the rules never leave; nothing was loaded.
        """
        given = {"fields": fields, "grid": grid, "clock": clock}
        for name, array in given.items():
            own = getattr(self.records, name)
            if array.shape != own.shape or array.dtype != own.dtype:
                refuse(f"{array.dtype}{list(array.shape)} is not {own.dtype}{list(own.shape)}", name)
        same = [layout.WIDTH, layout.HEIGHT, layout.SNAKES, layout.RULES, layout.MAP]
        if (fields[:, same] != self.records.fields[:, same]).any():
            refuse("other games than these specs are for", "fields")
        whole = Records(np.array(fields), np.array(grid), np.array(clock), self.records.corpses)
        for slot in range(self.games):
            problem = row_problem(whole.game(slot))
            if problem:
                refuse("such a game cannot come about by the rules", f"game {slot}, {PROBLEMS[problem]}")
        for name, array in given.items():
            getattr(self.records, name)[:] = array
        self._standing[:] = True
        self._ready = True

    def state_of(self, slot: int) -> dict[str, Any]:
        """Return a slot's state in the form of `Game.to_state`, snakes called s0, s1, ...

        Bodies of dead snakes are empty where the batch keeps no corpses, or the snake was loaded dead.
        """
        self._known([slot])
        self.require_games()
        return read_state_back(self.records, slot, [f"s{index}" for index in range(self.specs[slot].snakes)])

    def replay_turn(
        self, actions: NDArray[np.uint8], spawned: Mapping[int, tuple[Sequence[Any], Sequence[Any]]]
    ) -> None:
        """Play one turn of the slots named in `spawned`, nothing drawn: its food is added, its hazards stand after.

        Args:
            actions: uint8[N, S], as for `step`.
            spawned: by slot, cells [x, y] of new food, and of all hazards.

        Raises:
            GameStateError: food or hazards that cannot be there.
        """
        self._take_actions(actions)
        self._known(list(spawned))
        self.require_games()
        for slot, (food, hazards) in spawned.items():
            spec, game = self.specs[slot], self.records.game(slot)
            new_food = read_food(food, "food", spec.width, spec.height)
            new_hazards = read_hazards(hazards, "hazards", spec.width, spec.height)
            if not game.fields[layout.OVER]:
                apply_rules(game, self.actions[slot], True)
            put_food(self.records, slot, new_food)
            load_hazards(self.records, slot, new_hazards)
            game.clock[layout.TURN] += 1
            game.fields[layout.OVER] = is_over(game)
