"""The one tree of errors. Every message says what was wrong, where, and what to do next."""

import os
from typing import ClassVar


class OuroborosError(Exception):
    """The root. `exit_code` is what a command ends with when nobody catches it.

    Args:
        what: what was wrong, as a sentence without its full stop.
        where: the id, file, line or field it concerns ("" when `what` says it already).
        remedy: what the reader can do next ("" only where nothing can be done).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        place = f" ({where})" if where else ""
        advice = f" {remedy}" if remedy else ""
        super().__init__(f"{what}{place}.{advice}")


class BadInputError(OuroborosError):
    """What the user gave cannot be used; nothing was changed."""

    exit_code = 2


class SettingsError(BadInputError):
    """A settings file, an environment variable or a field in them is wrong."""


class ScheduleError(BadInputError):
    """A schedule, cron line, time zone or trigger cannot be used."""


class StateError(BadInputError):
    """The state folder or its database cannot be used: locked, damaged, newer than us, or held by another daemon."""


class TransientStateError(StateError):
    """The database cannot be used just now; nothing was changed, and the same call may succeed later."""

    exit_code = os.EX_TEMPFAIL  # a supervisor that takes 2 for final tries this one again


class DatabaseBusyError(TransientStateError):
    """Another process held the database for longer than the busy timeout."""


class DatabaseAwayError(TransientStateError):
    """The database's server does not answer, or ended the connection; it may be back later."""


class LeadershipLostError(TransientStateError):
    """Another daemon leads this database now: whatever this one still wanted to write or start is not its to do."""


class DatabaseFullError(TransientStateError):
    """The disk (or the file's size limit) is full; the transaction was rolled back."""


class FolderInUseError(StateError):
    """Another process works in this folder: the same call may succeed once that one is done."""


class NothingThereError(StateError):
    """What is asked for is not there and cannot be: its number is larger than any, or no work of its kind was done."""


class DatabaseReadOnlyError(StateError):
    """The database file or its folder may not be written."""


class DatabaseDamagedError(StateError):
    """The database file is no SQLite database, or is damaged."""


class DatabaseNewerError(StateError):
    """The database was written by a newer version, or by another program; it was left untouched."""


class SnakeError(BadInputError):
    """A snake does not build, start, answer, or its configuration file cannot be used."""


class GameStateError(BadInputError):
    """A game state breaks the rules' invariants; `where` names the field."""


class ModelError(BadInputError):
    """A model, its files or its registry entry cannot be used: damaged, unknown, or made for another encoder."""


class DataError(BadInputError):
    """Stored games, or games to be imported, cannot be used."""


class ArenaError(BadInputError):
    """The Arena refused: the token, the snake, the game, or how it was asked."""


class ArenaAwayError(OuroborosError):
    """The Arena cannot be reached, is at work elsewhere, or answers what no Arena answers; it may be well later."""

    exit_code = os.EX_TEMPFAIL


class MachineError(OuroborosError):
    """The machine lacks what is needed now: disk, memory, a device, a toolchain."""

    exit_code = 2


class SilentDaemonError(OuroborosError):
    """The daemon holds its lock and gives no sign of life."""


class EvaluationError(OuroborosError):
    """Games were played but must not be scored, for instance because more than 1 % ended by time-outs."""


class ReplayDiffersError(OuroborosError):
    """A game that was played again is not the one that was recorded."""


class TrainingError(OuroborosError):
    """Training could not go on: the loss was lost for good, or too many failures followed one another."""


class NothingLearnedError(TrainingError):
    """Training came to an end without a single update; `what` names why."""


class OutOfTimeError(NothingLearnedError):
    """The time was used up before the first update."""


class ExportError(OuroborosError):
    """A model was not exported: parity, latency or memory is beyond its limit, or the exporter failed."""


class StoppedError(OuroborosError):
    """Work was given up because somebody asked for that; what was half done is not told."""


class WorkerError(OuroborosError):
    """A training run could not be launched, observed or understood."""
