"""One curve over days of what matters: how strong snake and network are, and what the ladder says of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import hypot
from pathlib import Path

from litestar import get
from litestar.response import Template

from runner.web.pages.charts import Chart, Level, Line, Mark, draw, legend
from runner.web.pages.games import games_link
from runner.web.pages.opened_games import again_link, players_link
from runner.web.pages.page import AnyRequest, clockwork, missing, page
from runner.web.pages.words import Clockwork, elo, elo_words
from runner.web.read import ladder, ledger_games, models, tournaments, tuning
from runner.web.read.ladder import RatingChange
from runner.web.read.models import ChampionStep, Evaluation
from runner.web.read.tournaments import Cup
from runner.web.site import Site
from schemas.errors import StateError
from schemas.outside_text import NAME_LIMIT, line

SPANS = {"week": 7, "month": 31, "quarter": 92, "year": 366, "all": 36_500}
RUNS_READ, CUPS_SHOWN, MEASURED_SHOWN, MARKED_DAYS = 30, 5, 2_000, 200
_START = (0.0, 0.0, 0.0)
_CUP_NAME = re.compile("[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class SnakePoint:
    """The snake's strength after a promotion, over the weights that the first of a chain of runs began with."""

    at: datetime
    elo: float
    low: float
    high: float
    """Its 95 % interval: the errors of the runs before it are added to its own as independent ones, side by side."""
    run: str
    serial: int
    words: str
    chain: int
    """Runs that began where the one before had ended are one chain; another snake begins another at 0."""


@get("/strength", sync_to_thread=True)
def strength(request: AnyRequest, site: Site) -> Template:
    """The curves, and every number with the games behind it."""
    clock = clockwork(request, site)
    chosen = str(request.query_params.get("span", "quarter"))
    days = SPANS.get(chosen, SPANS["quarter"])
    since = clock.now - timedelta(days=days)
    snake = [point for point in snake_points(site) if point.at >= since]
    measured, steps, ratings = _measured(site, since)
    cups = _cups(site)
    lines, marks = _curves(snake, measured, steps)
    chart = Chart(
        title="Strength over days", x_name="day", y_name="Elo", lines=lines, marks=marks,
        levels=[Level(0, "the start")], x_time=True, zone=clock.zone, y_least=40, words=[mark.words for mark in marks],
    )  # fmt: skip
    return page(
        request, site, "strength.html", "Strength", "/strength", clock=clock, chosen=chosen, spans=SPANS,
        chart=draw(chart) if marks else "", legend=legend(lines), snake=snake[::-1], measured=measured, steps=steps,
        ladder=ratings[::-1], ladder_chart=draw(ladder_chart(ratings, clock)) if ratings else "",
        ladder_legend=legend(_ladder_lines(ratings)), cups=cups, reference=models.REFERENCE,
        is_reading=site.digests.is_reading,
    )  # fmt: skip


@get("/strength/evaluation/{number:int}", sync_to_thread=True)
def evaluation(request: AnyRequest, site: Site, number: int) -> Template:
    """One measurement of a network: the games of one seed, which can be played again."""
    with site.history.snapshot() as rows:
        found = models.evaluation(rows, number)
    if found is None:
        raise missing(f"measurement {number}")
    title = f"{found[0].model_id} against {found[0].opponent}"
    games = players_link([f"model:{found[0].model_id}", found[0].opponent])
    return page(request, site, "evaluation.html", title, "/strength", found=found[0], told=found[1], games=games)


@get("/strength/cup/{name:str}/{first:int}/{second:int}", sync_to_thread=True)
def cup_games(request: AnyRequest, site: Site, name: str, first: int, second: int) -> Template:
    """The games of one pairing of a tournament."""
    names, _ = tournaments.entrants(_cup_folder(site), name) if _CUP_NAME.fullmatch(name) else ((), "")
    with site.tournaments.snapshot() as rows:
        found = ledger_games.games_of_cup(rows, name, first, second, names)
    if found is None:
        raise missing(f"pairing of entrants {first + 1} and {second + 1} in a tournament {name}")
    games, total = found
    return page(
        request, site, "ledger_games.html", f"Tournament {name}", "/strength", games=games, total=total,
        told=f"{_entrant(names, first)} and {_entrant(names, second)}.", at=None, back="/strength",
        base=f"/strength/cup/{name}", again=again_link,
    )  # fmt: skip


def _cup_folder(site: Site) -> Path:
    return site.settings.home / "tournaments"


def _entrant(names: Sequence[str], number: int) -> str:
    return line(names[number], NAME_LIMIT) if number < len(names) else f"Entrant {number + 1}"


def snake_points(site: Site) -> list[SnakePoint]:
    """After each promotion of the runs in the ledger, oldest first."""
    try:
        with site.ledger.snapshot() as rows:
            runs = tuning.list_runs(rows)[:RUNS_READ][::-1]
            states = {each.run: tuning.state_of(rows, each.run) for each in runs}
    except StateError:
        return []
    points: list[SnakePoint] = []
    chain, base, last_champion = 0, _START, None
    for each in runs:
        state = states[each.run]
        if state is None:
            continue
        if last_champion is not None and state.reference != last_champion:
            chain, base = chain + 1, _START
        own = _points_of(site, each.run, chain, base)
        points += own
        if own:
            base = (own[-1].elo, own[-1].low, own[-1].high)
        last_champion = state.champion
    return points


def _points_of(site: Site, run: str, chain: int, base: tuple[float, float, float]) -> list[SnakePoint]:
    """After each promotion of a run that began at `base`: Elo, and the ends of its interval."""
    points = []
    start, start_low, start_high = base
    for each in site.digests.of(run).promotions:
        facts = each.facts
        if facts.best_win_rate_against != "reference":
            continue
        gain, low, high = (
            elo(share) for share in (facts.best_win_rate, facts.best_win_rate_low, facts.best_win_rate_high)
        )
        rates = (facts.best_win_rate, facts.best_win_rate_low, facts.best_win_rate_high)
        words = f"snake promoted: {elo_words(*rates)} in this run, {facts.best_win_rate_games:,} games"
        level = start + gain
        least = level - hypot(start - start_low, gain - low)
        most = level + hypot(start_high - start, high - gain)
        points.append(SnakePoint(each.at, level, least, most, run, each.serial, words, chain))
    return points


def _measured(site: Site, since: datetime) -> tuple[list[Evaluation], list[ChampionStep], list[RatingChange]]:
    try:
        with site.history.snapshot() as rows:
            found = models.evaluations_since(rows, since, MEASURED_SHOWN)
            return found, models.steps(rows, 200), ladder.ratings(rows, since)
    except StateError:
        return [], [], []


def _cups(site: Site) -> list[Cup]:
    try:
        with site.tournaments.snapshot() as rows:
            return tournaments.cups(rows, _cup_folder(site), CUPS_SHOWN)
    except StateError:
        return []


def _curves(
    snake: Sequence[SnakePoint], measured: Sequence[Evaluation], steps: Sequence[ChampionStep]
) -> tuple[list[Line], list[Mark]]:
    lines, marks = [], []
    for chain in dict.fromkeys(point.chain for point in snake):
        own = [(point.at.timestamp(), point.elo) for point in snake if point.chain == chain]
        lines.append(Line("snake, over the weights it began with", own, "c1", stepped=True))
    marks += [
        Mark(point.at.timestamp(), point.elo, point.words, point.low, point.high,
             f"/tuner/{point.run}/step/{point.serial}", "c1", strong=True)
        for point in snake
    ]  # fmt: skip
    promoted = {step.model_id for step in steps if step.kind == "promoted"}
    duels = [each for each in measured if each.opponent == models.REFERENCE and each.snakes == 2][::-1]
    champions = [(each.evaluated_at.timestamp(), elo(each.win_rate)) for each in duels if each.model_id in promoted]
    if champions:
        lines.append(Line(f"network, over {models.REFERENCE}", champions, "c2", stepped=True))
    marks += [_network_mark(each, each.model_id in promoted) for each in duels]
    return lines, marks


def _network_mark(each: Evaluation, promoted: bool) -> Mark:
    told = f"network {each.model_id}{', promoted' if promoted else ''}"
    return Mark(
        each.evaluated_at.timestamp(),
        elo(each.win_rate),
        f"{told}: {elo_words(each.win_rate, each.low, each.high)} over {each.opponent}, {each.games:,} games",
        elo(each.low),
        elo(each.high),
        f"/strength/evaluation/{each.id}",
        "c2",
        strong=promoted,
    )


def _ladder_lines(ratings: Sequence[RatingChange]) -> list[Line]:
    names = list(dict.fromkeys((each.snake, each.ladder) for each in ratings))
    return [
        Line(
            f"{snake} on {where}",
            [(each.at.timestamp(), each.rating) for each in ratings if (each.snake, each.ladder) == (snake, where)],
            f"c{number % 4 + 1}",
            stepped=True,
        )
        for number, (snake, where) in enumerate(names)
    ]


def _ladder_marks(ratings: Sequence[RatingChange], clock: Clockwork) -> list[Mark]:
    """The last rating of each of the reader's days, which opens that day's games of the snake."""
    looks = {line.name: line.look for line in _ladder_lines(ratings)}
    last = {(each.snake, each.ladder, f"{each.at.astimezone(clock.zone):%Y-%m-%d}"): each for each in ratings}
    return [
        Mark(
            each.at.timestamp(), each.rating,
            f"{snake} on {where}, {day}: {each.rating:.1f}, {each.games:,} games so far",
            href=games_link(snake, day), look=looks[f"{snake} on {where}"],
        )
        for (snake, where, day), each in list(last.items())[-MARKED_DAYS:]
    ]  # fmt: skip


def ladder_chart(ratings: Sequence[RatingChange], clock: Clockwork) -> Chart:
    """The rating that the Arena shows, mu - 3 sigma, over days."""
    newest = {(each.snake, each.ladder): each for each in ratings}
    words = [f"{each.snake} on {each.ladder}: {each.rating:.1f} after {each.games:,} games" for each in newest.values()]
    return Chart(
        title="Ratings on the Arena's ladders", x_name="day", y_name="rating", lines=_ladder_lines(ratings),
        marks=_ladder_marks(ratings, clock),
        x_time=True, zone=clock.zone, words=words,
    )  # fmt: skip
