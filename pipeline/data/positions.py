"""Positions to learn from, made of stored games: the tapes are played again and encoded, nothing but tapes is kept.

Which rows there are follows from the games, `seats`, `every` and `seed` alone, and so does their order: game by game,
turn by turn, seat by seat. Boards lie as they were played (identity symmetry); trainers turn them themselves.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.data.position_encoding import HORIZON, Made, PositionSelection, encode_games
from pipeline.data.scan import pack, workspace
from pipeline.data.stored_game import StoredGame
from pipeline.engine import layout
from pipeline.engine.encode import TRAIL
from pipeline.engine.observe import allocate_observations, lenses_for
from pipeline.engine.planes import FRAME
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from schemas.errors import DataError

__all__ = ["HORIZON", "Positions", "Seats", "join", "positions_of"]

Seats = Literal["all", "winner", "learn"]
"""Whose positions: every snake's, the sole survivor's, or those of the games' `seats_to_learn`."""
_UNUSED: Final = -1
_SCALE = 2**64


class _Arrays(NamedTuple):
    """The fields of `Positions`."""

    planes: NDArray[np.uint8]
    features: NDArray[np.uint8]
    context: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    moves: NDArray[np.uint8]
    outcome: NDArray[np.float32]
    survived: NDArray[np.uint16]
    died: NDArray[np.bool_]
    territory: NDArray[np.uint8]
    game: NDArray[np.int64]
    turns: NDArray[np.int32]
    seats: NDArray[np.uint8]


class Positions(_Arrays):
    """M positions, each seen by one living snake before its move.

    planes u8[M, 12, 11, 11], features u8[M, 32], context u8[M, 16]: `engine.planes`. masks bool[M, 4]: the moves that
    neither wall nor staying body forbids, all True where there is none. moves u8[M]: the move played, or the teacher's.
    outcome f32[M], as `VectorEnvironment` rewards it: +1 the row's snake was the sole survivor, 0 it died together with
    the last others or lived on with others when the game was cut, -1 it died while others lived on, or alone in a
    solo game. survived u16[M]: turns it still lived through, its last one included (at most 65,535), and died
    bool[M]: whether it died then; if not, the game ended and how long it could have lived is unknown. territory
    u8[M, 121]: who lies on each cell of the frame HORIZON turns later (or at the game's end, if that comes first):
    0 nobody, 1 the row's snake, 2 another; occupation so far ahead is what room to move depends on, while at
    the very end hardly more than the winner lies anywhere. game int64[M]: index of its game; turns i32[M], seats u8[M].
    """

    __slots__ = ()

    def __len__(self) -> int:
        """Rows, not fields; `_fields` still names those."""
        return int(self.moves.shape[0])

    def rows(self, chosen: Any) -> "Positions":
        """Return the rows that an index array, mask or slice chooses."""
        return Positions(*(array[chosen] for array in self))

    def _replace(self, **fields: Any) -> "Positions":
        # The inherited one counts fields by `len`.
        return Positions(**{**self._asdict(), **fields})


def allocate_positions(count: int, frame: int = FRAME) -> Positions:
    """Return uninitialised positions: each row is to be written."""
    seen = allocate_observations(0, np.uint8, frame)
    return Positions(
        np.empty((count, *seen.planes.shape[1:]), np.uint8),
        np.empty((count, seen.features.shape[1]), np.uint8),
        np.empty((count, seen.context.shape[1]), np.uint8),
        np.empty((count, 4), np.bool_),
        np.empty(count, np.uint8),
        np.empty(count, np.float32),
        np.empty(count, np.uint16),
        np.empty(count, np.bool_),
        np.empty((count, frame * frame), np.uint8),
        np.empty(count, np.int64),
        np.empty(count, np.int32),
        np.empty(count, np.uint8),
    )


def join(parts: Sequence[Positions]) -> Positions:
    """Return the rows of all parts, one after the other; `game` keeps each part's own numbers."""
    return Positions(*(np.concatenate(arrays) for arrays in zip(*map(tuple, parts), strict=True)))


def positions_of(
    games: Sequence[StoredGame],
    *,
    teacher: int | None = None,
    seats: Seats = "all",
    every: int = 1,
    seed: int = 0,
    frame: int = FRAME,
) -> Positions:
    """Play the games again and return their positions.

    Args:
        teacher: a player kind: `moves` are what it would play there; None: what was played.
        every: of each snake's positions in a game, every so many-th; where it begins follows from game, seat and seed.

    Raises:
        DataError: a tape is cut, is no game's, tells another story than the game's own fields, or its board is larger
            than the frame; names the game.
        ValueError: `every` is less than 1.
    """
    if not games:
        return allocate_positions(0, frame)
    if every < 1:
        raise ValueError(f"every is {every}; it must be at least 1")
    tapes = [game.tape for game in games]
    records = workspace(tapes)
    most = records.clock.shape[1] - layout.DEATHS
    _check(games, frame)
    lived = _lived(games, most)
    offsets = _offsets(games, most, seats, every, seed)
    counts = np.where(offsets == _UNUSED, 0, np.maximum(lived - offsets + every - 1, 0) // every).sum(1)
    rows = np.zeros(len(games) + 1, np.int64)
    np.cumsum(counts, out=rows[1:])
    made = allocate_positions(int(rows[-1]), frame)
    made.game[:] = np.repeat(np.arange(len(games)), counts)
    packed, ends = pack(tapes)
    boards = [(tape[1], tape[2], tape[4] & layout.WRAPPED) for tape in tapes]
    lenses, lens_of = lenses_for(np.array(boards, np.int64), frame)
    longest = max(game.turns for game in games)
    kinds = np.full(layout.MAX_SNAKES, CALLER, np.uint8)
    asked = PositionSelection(
        packed, ends, rows, offsets, every, CALLER if teacher is None else teacher, lenses, lens_of
    )
    refused = encode_games(
        make_mind(), records, kinds, np.zeros(layout.MAX_SNAKES, np.uint8),
        np.zeros(1, TRAIL)[0], np.zeros((longest + 1, frame * frame), np.uint8),
        np.zeros((2, layout.MAX_SNAKES), np.int64), np.zeros(layout.MAX_SNAKES, np.uint8),
        asked, Made(*_flat(made)),
    )  # fmt: skip
    if refused >= 0:
        raise DataError(
            "its tape is cut, is no game's, or tells another story than its turns and deaths",
            where=f"game {games[refused].game_id}",
            remedy="Set the game aside.",
        )
    return made


def _flat(made: Positions) -> tuple[NDArray[Any], ...]:
    fields = made._asdict()
    del fields["game"]
    return tuple({**fields, "planes": made.planes.reshape(len(made), math.prod(made.planes.shape[1:]))}.values())


def _lived(games: Sequence[StoredGame], most: int) -> NDArray[np.int64]:
    """Return each seat's positions, int64[G, most]: the turns it began alive."""
    lived = np.zeros((len(games), most), np.int64)
    for index, game in enumerate(games):
        lived[index, : len(game.deaths)] = [death or game.turns for death in game.deaths]
    return lived


def _offsets(games: Sequence[StoredGame], most: int, seats: Seats, every: int, seed: int) -> NDArray[np.int64]:
    """Return where each seat's sampled turns begin, int64[G, most]; _UNUSED for seats that are not wanted."""
    offsets = np.full((len(games), most), _UNUSED, np.int64)
    for index, game in enumerate(games):
        wanted: Sequence[int] = range(len(game.deaths))
        if seats == "winner":
            wanted = () if game.winner is None else (game.winner,)
        elif seats == "learn":
            wanted = game.seats_to_learn
        for seat in wanted:
            offsets[index, seat] = _offset(f"{game.game_id}/{seat}/{seed}", every) if every > 1 else 0
    return offsets


def _offset(key: str, every: int) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % every


def _check(games: Sequence[StoredGame], frame: int) -> None:
    for game in games:
        seats = game.tape[3]
        if len(game.deaths) != seats or any(not 0 <= seat < seats for seat in game.seats_to_learn):
            raise DataError(f"its fields are not of the {seats} seats that its tape has", where=f"game {game.game_id}")
        if max(game.tape[1:3]) > frame:
            raise DataError(
                f"its board of {game.tape[1]}x{game.tape[2]} is larger than the frame of {frame}",
                where=f"game {game.game_id}",
                remedy="Leave it out, or ask for a larger frame.",
            )


def held_back(game_ids: Sequence[str], validation_split: float) -> NDArray[np.bool_]:
    """Return which games validate, bool[G]: about `validation_split` (0..1) of them.

    The side follows from the game's id alone, whatever other games there are, and a larger share holds back all that a
    smaller one does: games that a later round or phase reads again stay where they were, so that nothing once trained
    on ever validates. Only where all would be on one side does one go to the other: of so few games that this
    happens, the one whose id is nearest.
    """
    places = np.array([int(game_id[:16], 16) for game_id in game_ids], np.uint64)
    held = places < np.uint64(min(int(validation_split * _SCALE), _SCALE - 1))
    if len(places) > 1 and held.all():
        held[places.argmax()] = False
    elif len(places) > 1 and not held.any():
        held[places.argmin()] = True
    return held


def split_by_game(
    positions: Positions, game_ids: Sequence[str], validation_split: float
) -> tuple[Positions, Positions]:
    """Return (training, validation), each game's positions on the side of its id.

    Positions of one game resemble each other: were they on both sides, the validation would praise remembering.

    Args:
        game_ids: of the games that `positions.game` counts.

    Raises:
        DataError: the positions come from fewer than two games.
    """
    present = np.unique(positions.game)
    if len(present) < 2:
        raise DataError(
            f"positions of {len(present)} game(s) cannot be divided into training and validation",
            remedy="Collect more games first.",
        )
    held = np.zeros(len(game_ids), np.bool_)
    held[present] = held_back([game_ids[game] for game in present], validation_split)
    validates = held[positions.game]
    return positions.rows(~validates), positions.rows(validates)
