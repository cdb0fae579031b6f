"""A node's first game is played here too: what a node plays counts only once its game was this machine's, move by move.

The same check stands in fishtest, whose workers must reproduce a bench number before they play. Where the two differ,
the game is played here once more: a snake that differs from itself is not the node's fault.
"""

from dataclasses import dataclass, field

from pipeline.cluster.dispatch import Key
from pipeline.tuner.backends import GameOrder, Played
from pipeline.tuner.jobs import GameResult


@dataclass
class Trial:
    """One node's."""

    held: list[Played] = field(default_factory=list)
    """Its answers, until they may count; the first of them is the one on trial."""
    here: GameResult | None = None
    """What this machine played of it; set while it plays it once more."""
    asked: Key | None = None
    """The game that this machine was asked to play for it."""

    @property
    def key(self) -> Key | None:
        """The game on trial."""
        return (self.held[0].job_id, self.held[0].number) if self.held else None

    @property
    def theirs(self) -> str:
        """The transcript of the game on trial."""
        result = self.held[0].result
        assert isinstance(result, GameResult)
        return result.transcript

    def forget(self, job_id: str) -> None:
        """Nobody wants this job's games."""
        if self.key is not None and self.key[0] == job_id:
            self.here = None
        self.held = [played for played in self.held if played.job_id != job_id]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a look at a trial."""

    trusted: bool | None
    """None: not known yet."""
    again: bool = False
    """This machine is to play the game once more."""


def judged(trial: Trial, here: GameResult) -> Verdict:
    """This machine has played the game on trial."""
    if trial.here is not None:
        return Verdict(trusted=here.transcript != trial.here.transcript)
    if here.transcript == trial.theirs:
        return Verdict(trusted=True)
    trial.here = here
    return Verdict(trusted=None, again=True)


def once_more(order: GameOrder) -> GameOrder:
    """The same game under a name of its own, which no job has."""
    job = order.job
    seed, rotation = job.games[order.number]
    return GameOrder(type(job)(f"{job.id}#again", job.kind, job.participants, rotation, (seed,), job.conditions), 0)
