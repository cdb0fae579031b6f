"""The store of training games: Parquet files that appear whole, prove their content, and hold each game once.

A file's name is `games-<newest game's UTC time>-<games>-<digest of its bytes>.parquet`: order, number and checksum can
be told without opening it, and one rename publishes all of them. Whoever writes holds the lock file, which the system
gives back when its holder dies; temporary files found under the lock therefore belong to nobody and are removed.
A file that is torn, altered or foreign goes to `rejected/`, beside it `<name>.reason.txt`.
"""

import contextlib
import fcntl
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.data.game_table import from_parquet, to_parquet
from pipeline.data.stored_game import StoredGame
from schemas.errors import DataError
from schemas.files import fsync_folder, write_atomic
from schemas.training import DataSettings

REJECTED: Final = "rejected"
_NAME: Final = re.compile(r"games-(\d{8}T\d{6}\.\d{6})-(\d+)-([0-9a-f]{32})\.parquet")
_STAMP: Final = "%Y%m%dT%H%M%S.%f"


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """What lies in the store. `decisions`: moves of all seats, the positions that can be learned from."""

    games: int = 0
    files: int = 0
    decisions: int = 0
    turns: int = 0
    quality_sum: float = 0.0
    by_source: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "StoreCounts") -> "StoreCounts":
        return StoreCounts(
            self.games + other.games,
            self.files + other.files,
            self.decisions + other.decisions,
            self.turns + other.turns,
            self.quality_sum + other.quality_sum,
            self.by_source + other.by_source,
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a file that was read and found whole."""

    ids: frozenset[str]
    counts: StoreCounts


class GameStore:
    """A folder of games. Safe for several processes and threads at once, and for a kill at any moment."""

    def __init__(self, folder: Path, settings: DataSettings | None = None) -> None:
        """Take the folder, which is made if it is not there; nothing is read yet."""
        self.folder: Final = folder
        self._settings: Final = settings or DataSettings()
        self._files: dict[str, _Known] = {}

    def add(self, games: Sequence[StoredGame]) -> int:
        """Store those of `games` that the store does not hold yet; return their number.

        Each new file holds at most `games_per_file` of them and appears as a whole: after a kill the games of the
        files that appeared are stored, the others not.

        Raises:
            DataError: the folder cannot be written to.
        """
        with self._locked():
            self._refresh()
            fresh: dict[str, StoredGame] = {}
            for game in games:
                if not self._holds(game.game_id):
                    fresh.setdefault(game.game_id, game)
            ordered, size = list(fresh.values()), self._settings.games_per_file
            for first in range(0, len(ordered), size):
                self._write(ordered[first : first + size])
            return len(ordered)

    def read(
        self, *, sources: Sequence[str] | None = None, newest: int | None = None, min_quality: float = 0.0
    ) -> list[StoredGame]:
        """Return games in the order of their files and rows, oldest first.

        Args:
            sources: only games of these.
            newest: at most so many, the last ones.
            min_quality: only games of at least this quality.

        Raises:
            DataError: the folder cannot be read.
        """
        found: list[list[StoredGame]] = []
        count = 0
        for games in self.newest_first():
            fits = [g for g in games if g.quality >= min_quality and (sources is None or g.source in sources)]
            found.append(fits)
            count += len(fits)
            if newest is not None and count >= newest:
                break
        chosen = [game for games in reversed(found) for game in games]
        return chosen if newest is None else chosen[max(0, len(chosen) - newest) :]

    def newest_first(self) -> Iterator[list[StoredGame]]:
        """Yield the games of one file after the other, for stores that do not fit into memory."""
        with self._locked():
            self._refresh()
        for name in sorted(self._files, reverse=True):
            games = self._read_file(name)
            if games is not None:
                yield games

    def counts(self) -> StoreCounts:
        """Return what the store holds; files not seen before are read and verified.

        Raises:
            DataError: the folder cannot be read.
        """
        with self._locked():
            self._refresh()
        return sum((self._files[name].counts for name in sorted(self._files)), StoreCounts())

    def prune(self, now: datetime) -> int:
        """Remove whole files, the oldest first, until no more than `max_games` are left, and all whose newest game
        is older than `keep_days`; return the number of games removed. By number alone the newest file always stays.
        """
        with self._locked():
            self._refresh()
            keep_days, gone = self._settings.keep_days, 0
            oldest = None if keep_days is None else now.astimezone(UTC) - timedelta(days=keep_days)
            names = sorted(self._files)
            left = sum(self._files[name].counts.games for name in names)
            for name in names:
                too_many = left > self._settings.max_games and name != names[-1]
                if not too_many and (oldest is None or _time_of(name) >= oldest):
                    continue
                (self.folder / name).unlink(missing_ok=True)
                games = self._files.pop(name).counts.games
                left, gone = left - games, gone + games
            fsync_folder(self.folder)
            return gone

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise DataError(
                f"the store of games cannot be used: {error.strerror or error}",
                where=str(error.filename or self.folder),
                remedy="Make room, or check who owns the folder.",
            ) from error

    def _names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self.folder.glob("*.parquet") if not entry.name.startswith("."))
        except OSError as error:
            raise DataError(f"cannot read the store: {error.strerror}", where=str(self.folder)) from error

    def _refresh(self) -> None:
        """Get to know files that others wrote, forget those they removed. Needs the lock."""
        for temporary in (*self.folder.glob(".*.tmp"), *(self.folder / REJECTED).glob(".*.tmp")):
            temporary.unlink(missing_ok=True)
        names = self._names()
        for name in self._files.keys() - set(names):
            del self._files[name]
        for name in names:
            if name not in self._files and (data := self._bytes(name)) is not None:
                try:
                    self._get_to_know(name, _checked(name, data))
                except DataError as error:
                    self._set_aside(name, str(error))

    def _get_to_know(self, name: str, games: list[StoredGame]) -> None:
        """Remember a file; one that somebody copied in, and whose games are here already, would count them twice."""
        fresh = [game for game in games if not self._holds(game.game_id)]
        if len(fresh) == len(games):
            self._files[name] = _known(games)
            return
        if fresh:
            self._write(fresh)
        raise DataError(f"{len(games) - len(fresh)} of its {len(games)} games lie in other files already", where=name)

    def _holds(self, game_id: str) -> bool:
        return any(game_id in known.ids for known in self._files.values())

    def _write(self, games: list[StoredGame]) -> None:
        data = to_parquet(games)
        stamp = max(game.played_at for game in games).astimezone(UTC).strftime(_STAMP)
        name = f"games-{stamp}-{len(games)}-{_digest(data)}.parquet"
        write_atomic(self.folder / name, data)
        self._files[name] = _known(games)

    def _read_file(self, name: str) -> list[StoredGame] | None:
        data = self._bytes(name)
        if data is None:
            return None
        try:
            return _checked(name, data)
        except DataError as error:
            with self._locked():
                self._files.pop(name, None)
                self._set_aside(name, str(error))
            return None

    def _bytes(self, name: str) -> bytes | None:
        """The file's content; None: another process has removed it in the meantime."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _set_aside(self, name: str, reason: str) -> None:
        """Move a file to `rejected/`. The reason goes first: a kill in between leaves the file to be found again."""
        rejected = self.folder / REJECTED
        rejected.mkdir(exist_ok=True)
        write_atomic(rejected / f"{name}.reason.txt", reason + "\n")
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            (self.folder / name).replace(rejected / name)
        fsync_folder(self.folder)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _time_of(name: str) -> datetime:
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError("its name is none that this store gives", where=name)
    return datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)


def _checked(name: str, data: bytes) -> list[StoredGame]:
    """The games of a file whose bytes are those that its name promises.

    Raises:
        DataError: they are not.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError("its name is none that this store gives", where=name)
    if _digest(data) != match[3]:
        raise DataError("its bytes are not those that were written: torn or altered", where=name)
    games = from_parquet(data)
    if len(games) != int(match[2]):
        raise DataError(f"it holds {len(games)} games, its name says {match[2]}", where=name)
    return games


def _known(games: Sequence[StoredGame]) -> _Known:
    counts = StoreCounts(
        games=len(games),
        files=1,
        decisions=sum(game.decisions for game in games),
        turns=sum(game.turns for game in games),
        quality_sum=sum(game.quality for game in games),
        by_source=Counter(game.source for game in games),
    )
    return _Known(frozenset(game.game_id for game in games), counts)
