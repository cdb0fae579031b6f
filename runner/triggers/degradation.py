"""Does the champion win less than it is registered with? A sequential test on the games it really played.

Wald's sequential probability ratio test (A. Wald, Sequential Analysis, 1947) of H0: the mean score is p0, the win rate
registered for production, against H1: it is p1 = p0 - degradation_threshold. A game scores s = 1 (win), 1/2 (draw), 0
(loss) and adds s ln(p1/p0) + (1-s) ln((1-p1)/(1-p0)) to the log likelihood ratio. Its exponential is a supermartingale
under H0, and its inverse one under H1, for any scores in [0, 1] of that mean (by convexity), so that by Ville's
inequality stopping at ln(1/alpha) and ln(beta) keeps both error rates without Wald's approximation: a healthy champion
is called degraded in at most a share alpha of the tests, and a degraded one healthy in at most beta. After either
decision a new test begins.

Every game decides once: the cursor holds how far each log has been read, and the running sum.
"""

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import Field

from runner.triggers.context import ConditionContext, ConditionVerdict, load_cursor
from runner.triggers.games_folder import Cursor, FileNews, LoggedGame, look, note_unreadable
from runner.triggers.ladder_conditions import Evidence, check_ladder
from schemas.base import Frozen
from schemas.game import GameLogOutcome

MAX_BYTES_PER_LOOK = 64 << 20
"""More waits for the next look, so that years of logs do not exceed the time limit."""
_SCORES = {GameLogOutcome.WIN: 1.0, GameLogOutcome.DRAW: 0.5, GameLogOutcome.LOSS: 0.0}


class DegradationParameters(Frozen):
    """Of `check_performance_degradation`."""

    degradation_threshold: float = Field(default=0.05, gt=0, lt=1)
    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    """Error rate, in each test, of calling a champion degraded that is not. Tests follow one another for ever, so it is
    kept small."""
    beta: float = Field(default=0.10, gt=0, lt=0.5)
    """Error rate, in each test, of calling one healthy that has lost `degradation_threshold`; the next test follows."""
    registered_win_rate: float | None = Field(default=None, gt=0, lt=1)
    """What a healthy champion scores against the opponents met in production. The win rate that a run measured is one
    against other opponents (the Go-weight tuner's: its own starting weights), and says nothing here. None: what the
    snake is held to on the public Arena's ladder, by rating of the opponents (`ladder_degradation`)."""
    snake_name: str | None = None
    """Only games of this snake; None: all that lie in the games folder."""


class _FileRead(Frozen):
    inode: int
    offset_bytes: int


class _TestInHand(Frozen):
    champion: str
    """Which champion and rate the sum belongs to; another one begins a new test."""
    since: datetime | None
    """Games that ended before the champion was found are not its games."""
    files: dict[str, _FileRead]
    log_ratio: float = 0.0
    games: int = 0
    score: float = 0.0


def check_performance_degradation(context: ConditionContext) -> ConditionVerdict:
    """Fires when the test finds for H1. Imported games and games of a snake alone are not looked at."""
    wanted = DegradationParameters.model_validate(dict(context.parameters))
    memory = load_cursor(_TestInHand, context.cursor)
    rate = wanted.registered_win_rate
    if rate is None:
        return _by_ladder(wanted, context)
    champion, since = _champion(rate, context)
    if rate <= wanted.degradation_threshold:
        told = f"the registered win rate {rate:.3f} cannot fall by {wanted.degradation_threshold:g}"
        return ConditionVerdict(False, told, context.cursor)
    if memory is None or memory.champion != champion:
        memory = _TestInHand(champion=champion, since=since, files=memory.files if memory else {})
    return _test(wanted, rate, memory, context.settings.games_dir)


def _by_ladder(wanted: DegradationParameters, context: ConditionContext) -> ConditionVerdict:
    """Without a rate of the user's: what the public Arena's ladder is held to, where snakes of ours play there."""
    named = [held for held in context.view.ladder_registrations() if wanted.snake_name in {None, held.snake_name}]
    if named:
        return check_ladder(
            Evidence(threshold=wanted.degradation_threshold, alpha=wanted.alpha, beta=wanted.beta), named, context
        )
    told = (
        "its parameters lack registered_win_rate, the win rate in production to compare with, and no snake is held to"
        " one on the Arena's ladder (`ouroboros arena register`); it never fires"
    )
    return ConditionVerdict(False, told, context.cursor)


def _champion(rate: float, context: ConditionContext) -> tuple[str, datetime | None]:
    """The champion of the last run that measured one, with the rate it is held to; and since when it is the one."""
    run = context.view.last_measured_success()
    return (f"given {rate}", None) if run is None else (f"{run.best_model_version} {rate}", run.completed_at)


def _test(wanted: DegradationParameters, rate: float, memory: _TestInHand, games_dir: Path) -> ConditionVerdict:
    worse = rate - wanted.degradation_threshold
    win, loss = math.log(worse / rate), math.log((1 - worse) / (1 - rate))
    degraded, healthy = math.log(1 / wanted.alpha), math.log(wanted.beta)
    files = dict(memory.files)
    ratio, games, score = memory.log_ratio, memory.games, memory.score
    found, decided = "", ""
    for game in _new_games(games_dir, files, memory.since, wanted.snake_name):
        value = _SCORES[game.outcome]
        ratio, games, score = ratio + value * win + (1 - value) * loss, games + 1, score + value
        if healthy < ratio < degraded:
            continue
        verdict = f"mean score {score / games:.3f} over {games} games, registered {rate:.3f}"
        if ratio >= degraded:
            found = f"degraded by {wanted.degradation_threshold:g} or more: {verdict} (alpha {wanted.alpha:g})"
        else:
            decided = f"not degraded: {verdict} (beta {wanted.beta:g})"
        ratio, games, score = 0.0, 0, 0.0
    kept = memory.model_copy(update={"files": files, "log_ratio": ratio, "games": games, "score": score})
    mean = f", mean score {score / games:.3f}" if games else ""
    undecided = f"undecided after {games} games{mean}, registered {rate:.3f}"
    return ConditionVerdict(bool(found), found or decided or undecided, kept.model_dump_json())


def _new_games(
    games_dir: Path, files: dict[str, _FileRead], since: datetime | None, snake_name: str | None
) -> Iterator[LoggedGame]:
    """Games that count, each once; `files` is moved on as they are read."""
    known = {games_dir / name: Cursor(file.inode, file.offset_bytes) for name, file in files.items()}
    read = 0
    for news in look(games_dir, known, note_unreadable):
        files[news.path.name] = _FileRead(inode=news.after.inode, offset_bytes=news.after.offset_bytes)
        for game in news.games:
            too_old = since is not None and game.ended_at is not None and game.ended_at < since
            if not (game.imported or game.snakes < 2 or too_old or snake_name not in {None, game.you_name}):
                yield game
        read += _length(news)
        if read >= MAX_BYTES_PER_LOOK:
            break
    for name in [name for name in files if not (games_dir / name).exists()]:
        del files[name]


def _length(news: FileNews) -> int:
    return news.after.offset_bytes - (news.before.offset_bytes if news.before else 0)
