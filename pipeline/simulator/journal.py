"""Games that were asked for once and are not played twice: a judgement that is interrupted goes on game by game.

What becomes of a game follows from its players, seating, seed and conditions, so a finished one is known by these. A
journal is a file of JSON lines, one a game, written as each ends; a line that a kill or a full disk has torn is cut off
when the file is opened again, and its game is played again.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.players.match import GameConditions
from pipeline.live_games import LiveGames
from pipeline.simulator.competitor import Competitor
from pipeline.simulator.matches import Finished, play_matches
from pipeline.simulator.watch import GameWatch

_SYNC_EVERY_S: Final = 1.0
_SEATS: Final = ("ranks", "causes", "killers", "deaths", "lengths")


class GameJournal:
    """The finished games of one judgement. Players must keep their names: by them a game is known again.

    Args:
        path: of its file, which is made with its first game.
        live: where one of the games is shown while it is played; None: nowhere.
        about: what is judged, for whoever looks.
        play: plays what is not in the journal, as `play_matches` does.
    """

    def __init__(
        self,
        path: Path,
        live: LiveGames | None = None,
        about: str = "A judgement",
        play: Callable[..., Finished] = play_matches,
    ) -> None:
        self.path: Final = path
        self._live, self._about, self._matches = live, about, play
        self._rows: Final[dict[str, dict[str, Any]]] = _read(path)
        self._synced_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._rows)

    def play(
        self,
        players: Sequence[Competitor],
        seatings: NDArray[np.uint8],
        seeds: NDArray[np.int64],
        conditions: GameConditions,
        *,
        tapes: bool = False,
        threads: int = 1,
        stop: Callable[[], bool] | None = None,
    ) -> Finished:
        """Return what `play_matches` returns for the same arguments; only games that are not in the journal are played.

        Raises:
            StoppedError, GameStateError, ValueError: as `play_matches`; the games that ended until then are kept.
            OSError: the journal cannot be written.
        """
        names = [player.name for player in players]
        keys = [
            _key([names[seat] for seat in seating], seed, conditions, tapes=tapes)
            for seating, seed in zip(seatings.tolist(), seeds.tolist(), strict=True)
        ]
        missing = np.array([index for index, key in enumerate(keys) if key not in self._rows], np.int64)
        if len(missing):
            self._play(players, seatings[missing], seeds[missing], conditions, [keys[i] for i in missing], names,
                       tapes=tapes, threads=threads, stop=stop)  # fmt: skip
        return _finished([self._rows[key] for key in keys], seatings, seeds, tapes=tapes)

    def _play(
        self, players: Sequence[Competitor], seatings: NDArray[np.uint8], seeds: NDArray[np.int64],
        conditions: GameConditions, keys: Sequence[str], names: Sequence[str], *,
        tapes: bool, threads: int, stop: Callable[[], bool] | None,
    ) -> None:  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:

            def keep(finished: Finished, games: NDArray[np.int64]) -> None:
                for game in games.tolist():
                    row = _row(finished, game, tapes=tapes)
                    row["players"] = [names[seat] for seat in finished.seatings[game].tolist()]
                    file.write(json.dumps({"key": keys[game]} | row).encode() + b"\n")
                    self._rows[keys[game]] = row
                file.flush()  # a kill of this process loses nothing from here on
                if time.monotonic() - self._synced_at >= _SYNC_EVERY_S:
                    os.fsync(file.fileno())
                    self._synced_at = time.monotonic()

            watch = None if self._live is None else GameWatch(self._live, self._about, names.__getitem__, conditions)
            self._matches(
                players, seatings, seeds, conditions, tapes=tapes, threads=threads, stop=stop, finish=keep, watch=watch
            )
            os.fsync(file.fileno())


def _key(names: Sequence[str], seed: int, conditions: GameConditions, *, tapes: bool) -> str:
    text = repr((names, seed, conditions, tapes))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _row(finished: Finished, game: int, *, tapes: bool) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(finished, name)[game].tolist() for name in _SEATS}
    row["turns"] = int(finished.turns[game])
    if tapes:
        row["tape"] = base64.b64encode(finished.tapes[game]).decode()
    return row


def _finished(
    rows: Sequence[dict[str, Any]], seatings: NDArray[np.uint8], seeds: NDArray[np.int64], *, tapes: bool
) -> Finished:
    seats = {name: np.array([row[name] for row in rows], np.int32).reshape(seatings.shape) for name in _SEATS}
    kept = [base64.b64decode(row["tape"]) for row in rows] if tapes else []
    turns = np.array([row["turns"] for row in rows], np.int64)
    return Finished(seeds=seeds.copy(), turns=turns, seatings=seatings.copy(), tapes=kept, **seats)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The whole lines; the file is cut after the last of them."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    rows: dict[str, dict[str, Any]] = {}
    whole = 0
    for line in content.splitlines(keepends=True):
        try:
            row: Any = json.loads(line) if line.endswith(b"\n") else None
            rows[row.pop("key")] = row
        except (ValueError, AttributeError, KeyError):
            break
        whole += len(line)
    if whole < len(content):
        os.truncate(path, whole)
    return rows
