"""Stored games made of tapes: everything that is stored of a game but its players is read off its tape."""

from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from pipeline.data.quality import quality_of
from pipeline.data.scan import scan
from pipeline.data.stored_game import StoredGame, game_id_of
from pipeline.engine.layout import RULESETS, SOLO
from pipeline.engine.map_names import MAPS
from pipeline.engine.tape import HEAD_BYTES, seed_of
from pipeline.simulator.matches import Finished
from schemas.errors import DataError

_RULESET_OF = {bits & ~SOLO: name for name, bits in RULESETS.items() if name != "solo"}
_MAP_OF = {limits.number: name for name, limits in MAPS.items()}

LearnedSeats = Callable[[tuple[str, ...], tuple[int, ...]], tuple[int, ...]]
"""(players, ranks) -> the seats whose moves are worth learning."""


def winners(_players: tuple[str, ...], ranks: tuple[int, ...]) -> tuple[int, ...]:
    """The seat that alone is first; none of a draw."""
    return (ranks.index(1),) if ranks.count(1) == 1 else ()


def games_of_tapes(
    tapes: Sequence[bytes], players: Sequence[tuple[str, ...]], source: str, played_at: datetime, learned: LearnedSeats
) -> list[StoredGame]:
    """Return a stored game per tape.

    Args:
        players: per game the player of each seat.

    Raises:
        DataError: a tape is cut, or holds what no game can; names the first such by its index.
    """
    facts = scan(tapes)
    areas = np.array([tape[1] * tape[2] for tape in tapes], np.int64)
    quality = quality_of(facts, areas).tolist()
    per_seat = [array.tolist() for array in (facts.ranks, facts.causes, facts.killers, facts.deaths, facts.lengths)]
    games = []
    for index, (tape, seats) in enumerate(zip(tapes, players, strict=True)):
        if len(seats) != tape[3]:
            raise DataError(f"{len(seats)} players for {tape[3]} seats", where=f"game {index}")
        ranks, causes, killers, deaths, lengths = (tuple(array[index][: tape[3]]) for array in per_seat)
        games.append(
            StoredGame(
                game_id=game_id_of(tape),
                seed=seed_of(tape),
                tape=tape,
                players=tuple(seats),
                ranks=ranks,
                causes=causes,
                killers=killers,
                deaths=deaths,
                lengths=lengths,
                turns=int(facts.turns[index]),
                width=tape[1],
                height=tape[2],
                ruleset=_ruleset(tape),
                map_id=_MAP_OF.get(tape[5], str(tape[5])),
                source=source,
                played_at=played_at,
                quality=quality[index],
                seats_to_learn=learned(tuple(seats), ranks),
            )
        )
    return games


def games_from(
    finished: Finished,
    players: Sequence[str],
    source: str,
    now: datetime,
    learned: LearnedSeats = winners,
) -> list[StoredGame]:
    """Return the games of `play_matches(..., tapes=True)`, `players` being the names its seatings count.

    A game too long for its tape (b"" there) cannot be stored and is left out; compare the lengths to notice.
    """
    kept = [index for index, tape in enumerate(finished.tapes) if len(tape) > HEAD_BYTES]
    names = [tuple(players[player] for player in finished.seatings[index]) for index in kept]
    return games_of_tapes([finished.tapes[index] for index in kept], names, source, now, learned)


def _ruleset(tape: bytes) -> str:
    bits = tape[4]
    return "solo" if bits == SOLO else _RULESET_OF.get(bits & ~SOLO, str(bits))
