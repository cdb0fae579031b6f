"""What one wants to know in the morning: is the snake stronger, what does it do on the ladder, why did it die."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import hypot

from runner.web.pages.games import game_link
from runner.web.pages.words import elo
from runner.web.read import ladder, models, tuning
from runner.web.read.ladder import Loss, StandingNow
from runner.web.read.models import Evaluation
from runner.web.site import Site
from schemas.errors import StateError
from schemas.tuning_run import TuningState

RUNS_READ, LADDERS, LOSSES = 30, 4, 3
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class GainSoFar:
    """How strong the tuner's best weights are."""

    words: str
    """Elo over the weights that the first of a chain of runs began with, and its 95 % interval."""
    promotions: int
    """Of all runs of the chain."""
    games: int
    """Behind the newest run's measurement."""


@dataclass(frozen=True, slots=True)
class YourSnake:
    """All of it; what is not known is empty."""

    level: GainSoFar | None
    standings: list[StandingNow]
    week: dict[str, int]
    """Ladder games of the last seven days by their outcome."""
    losses: list[tuple[Loss, str]]
    """The newest, each with where it opens."""
    network: Evaluation | None
    arena: bool
    """Whether a snake of the Arena is known."""

    @property
    def nothing(self) -> bool:
        """Nothing is known."""
        return not (self.level or self.standings or self.week or self.losses or self.network)


def your_snake(site: Site, now: datetime) -> YourSnake:
    """What the rows say; a file that is not there says nothing."""
    with site.history.snapshot() as rows:
        found = [(loss, _where(loss)) for loss in ladder.losses(rows, LOSSES)]
        standings = ladder.standings(rows, now - _WEEK, LADDERS)
        week = ladder.outcomes(rows, now - _WEEK)
        network = models.champion_measured(rows)
    return YourSnake(_level(site), standings, week, found, network, bool(standings or week or found))


def _where(loss: Loss) -> str:
    """The game, at the turn that matters."""
    turn = loss.last_chance if loss.last_chance is not None else loss.turns and max(0, loss.turns - 1)
    return game_link(loss.game_id, turn)


def _level(site: Site) -> GainSoFar | None:
    """Over the newest chain of runs, each of which began where the one before had ended: their gains are added, and
    their errors as independent ones."""
    try:
        with site.ledger.snapshot() as rows:
            runs = [tuning.state_of(rows, each.run) for each in tuning.list_runs(rows)[:RUNS_READ]]
    except StateError:
        return None
    chain: list[TuningState] = []
    for state in runs:
        if state is None:
            continue
        if chain and chain[-1].reference != state.champion:
            break
        chain.append(state)
    measured = [state.best for state in chain if state.best is not None and state.accepted]
    if not measured:
        return None
    gain = sum(elo(best.win_rate) for best in measured)
    low = gain - hypot(*(elo(best.win_rate) - elo(best.low) for best in measured))
    high = gain + hypot(*(elo(best.high) - elo(best.win_rate) for best in measured))
    words = f"{gain:+.0f} Elo [{low:+.0f}, {high:+.0f}]"
    return GainSoFar(words, sum(state.accepted for state in chain), measured[0].games)
