"""How the Arena's matters look in a terminal, and as JSON."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click
import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.ladder.answers import OwnSnake
from schemas.ladder import GameWhy, RatingBand, SyncReport
from schemas.outside_text import NAME_LIMIT, line
from schemas.times import duration

if TYPE_CHECKING:
    from pipeline.ladder.actions import Challenged
    from pipeline.ladder.standing import LadderStanding, Registration

PLAIN_WIDTH: Final = 180
"""Columns where the output is no terminal: nothing should be cut."""


def show_snakes(snakes: Sequence[OwnSnake], form: str) -> None:
    """List our snakes."""
    if form == "json":
        _json([snake.model_dump() for snake in snakes])
        return
    if not snakes:
        click.echo("No snake is registered at the Arena for this token.")
        return
    rows = [[snake.name, snake.id, snake.url, "anybody" if snake.is_public else "you"] for snake in snakes]
    _table(("snake", "id", "called at", "challenged by"), rows)


def show_sync(report: SyncReport, form: str) -> None:
    """Tell what a synchronisation did."""
    if form == "json":
        _json(report.model_dump())
        return
    told = [f"{report.games} games fetched"]
    told += [f"{report.running} still running"] if report.running else []
    told += [f"{report.waiting} waiting"] if report.waiting else []
    told += [f"{report.refused} cannot be read"] if report.refused else []
    click.echo(f"{', '.join(told)}; {report.requests} requests, {report.bytes_read / 1e6:.1f} MB.")
    for note in report.notes:
        click.echo(f"note: {note}")
    if report.trouble:
        click.echo(f"error: {report.trouble}", err=True)


def show_challenge(made: "Challenged", form: str) -> None:
    """Tell which games are on their way."""
    if form == "json":
        _json({"games": made.game_ids, "snakes": made.snake_ids})
        return
    for game_id in made.game_ids:
        click.echo(game_id)
    click.echo(f"{len(made.game_ids)} games asked for; `ouroboros arena sync` fetches them once they have ended.")


def show_standing(found: "LadderStanding", now: datetime, form: str) -> None:
    """Show ratings, records and those who beat us."""
    if form == "json":
        _json(found.model_dump(mode="json"))
        return
    if found.synced_at is None:
        click.echo("Nothing was fetched from the Arena yet: `ouroboros arena sync`.")
        return
    click.echo(f"As of {duration(now - found.synced_at)} ago.")
    if found.trouble:
        click.echo(f"The last synchronisation ended early: {found.trouble}")
    _show_places(found)
    for record in found.records:
        click.echo(f"{record.snake}: its last {record.games} ladder games, by rating of the opponents")
        _bands(record.bands)
        if record.registered_at is not None:
            click.echo(f"held to, since {record.registered_at:%Y-%m-%d %H:%M} UTC")
            _bands(record.registered)
    if found.beaten_by:
        click.echo("Beaten by; `ouroboros arena challenge NAME` asks for a game")
        rows = [
            [other.name, other.owner or "-", _rating(other.rating), f"{other.games}", f"{other.won}", f"{other.lost}"]
            for other in found.beaten_by
        ]
        _table(("snake", "of", "rating", "games", "won", "lost"), rows)
    if found.lost_unexplained:
        click.echo(f"{found.lost_unexplained} lost games are not thought over yet: `ouroboros arena why`.")


def _show_places(found: "LadderStanding") -> None:
    rows = []
    for place in found.places:
        rank = f"{place.rank} of {place.of_ranked}" if place.rank is not None else "not ranked yet"
        change = "-" if place.week_before is None else f"{place.rating - place.week_before:+.2f}"
        games = f"{place.games_played} ({place.first_places} won)"
        rows.append([place.leaderboard, place.snake, f"{place.rating:.2f}", change, rank, games])
    if rows:
        _table(("ladder", "snake", "rating", "in 7 days", "rank", "games"), rows)
    else:
        click.echo("None of your snakes is on a ladder.")


def show_registration(made: "Registration", form: str) -> None:
    """Show what a snake is held to from now on."""
    if form == "json":
        bands = [band.model_dump() for band in made.bands]
        _json({"snake": made.snake_name, "at": made.at, "games": made.games, "bands": bands})
        return
    click.echo(f"{made.snake_name} is held to its last {made.games} ladder games:")
    _bands(made.bands)


def show_why(found: GameWhy, form: str) -> None:
    """Show what our snake thinks of the turns before a death."""
    if form == "json":
        _json(found.model_dump(mode="json"))
        return
    click.echo(f"Game {found.game_id}: {found.verdict}")
    rows = []
    for turn in found.turns:
        moves = "  ".join(f"{move.move} {'holds' if move.holds else 'dies'} {move.value:.0f}" for move in turn.moves)
        mark = "last chance" if turn.turn == found.last_chance else ""
        rows.append([str(turn.turn), turn.played or "?", turn.chosen, str(turn.depth), moves or "no way out", mark])
    _table(("turn", "played", "would play", "depth", "moves, by the worst reply", ""), rows)
    click.echo(f"Weights {found.weights_sha256[:12]}, {found.budget:,} positions for each move.")


def _bands(bands: Sequence[RatingBand]) -> None:
    rows = []
    for band in bands:
        rate = f"{100 * band.win_rate:.1f} % [{100 * band.low:.1f}, {100 * band.high:.1f}]"
        rows.append([str(band.opponents), _range(band), rate, str(band.games)])
    _table(("opponents", "their rating", "win rate", "games"), rows)


def _range(band: RatingBand) -> str:
    if not band.rated:
        return "not rated"
    low, high = band.rating_from, band.rating_below
    if low is None:
        return "any" if high is None else f"below {high:.2f}"
    return f"{low:.2f} and more" if high is None else f"{low:.2f} to {high:.2f}"


def _rating(rating: float | None) -> str:
    return "-" if rating is None else f"{rating:.2f}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(line(cell, 2 * NAME_LIMIT)) for cell in row))
    console.print(table)


def _json(tree: object) -> None:
    click.echo(orjson.dumps(tree, option=orjson.OPT_INDENT_2).decode())
