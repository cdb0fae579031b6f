"""`ouroboros import-games` and `ouroboros game`: games of other programs brought in, one shown, those of training."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.data.game_logs import import_games
from schemas.outside_text import REASON_LIMIT, line
from schemas.settings import Settings, get_config

_MOST_SEARCHED = 100_000


@click.command("import-games")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--you", metavar="NAME", help="Your snake, by name or id; default: the first one listed in each game.")
def import_games_command(paths: tuple[Path, ...], you: str | None) -> None:
    """Import games: files, or all game files of a folder.

    Read are output files of the official CLI (`-o`), the game engine's JSON (a game with its frames, or both in files
    of their own), its websocket's events one a line, the Arena's game details and our own game logs; gzip and
    zstandard too.

    Example: ouroboros import-games games.jsonl.gz
    """
    games_dir = get_config().games_dir
    report = import_games(paths, games_dir, datetime.now(UTC), you)
    for refused in report.refused:
        click.echo(line(f"not imported: {refused.path}: {refused.reason}", REASON_LIMIT), err=True)
    where = f" into {report.written_to}" if report.written_to else ""
    click.echo(f"{report.games} games imported{where}, {report.already_there} were there already.")
    if report.refused and not report.games:
        raise click.exceptions.Exit(1)


@click.group()
def game() -> None:
    """Look at a game.

    Example: ouroboros game show game.jsonl
    """


@game.command()
@click.argument("source", metavar="FILE_OR_ID")
@click.option("--turn", type=click.IntRange(0), help="Default: the last.")
@click.option("--game", "chosen", metavar="N_OR_ID", help="Of a file with several games; default: the first.")
@click.option("--as-log", is_flag=True, help="Write it as a line of the game log instead; by its id alone.")
def show(source: str, turn: int | None, chosen: str | None, as_log: bool) -> None:
    """Draw a board in the terminal.

    FILE is any that `ouroboros import-games` reads, and a replay of `ouroboros play`; ID is that of a game in the games
    folder or among the training games, or how it begins. Snakes are letters, their heads capitals; * is food, ~ a
    hazard. Where the dashboard runs and knows the game, its address there follows.

    Example: ouroboros game show game.jsonl --turn 40
    """
    # Only now: the list of all commands must not load the engine.
    from rich.console import Console

    from pipeline.dashboard_link import game_page, training_game_page
    from pipeline.data.game_showing import drawn, game_in_file, game_of_id

    path, config = Path(source), get_config()
    if path.is_file():
        found, remark = game_in_file(path, chosen)
        page = game_page(config, found.game_id, turn) if _is_followed(path, config) else None
    else:
        by_id, remark = game_of_id(source, config), ""
        if as_log:
            sys.stdout.write(by_id.to_log().to_line())
            return
        found, address = by_id.shown(), training_game_page if by_id.logged is None else game_page
        page = address(config, found.game_id, turn)
    console = Console(highlight=False)
    console.print(drawn(found, turn, remark))
    if page:
        console.print(f"On the board: {page}", soft_wrap=True)


@game.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--player", "players", multiple=True, metavar="NAME", help="Only games that it took part in; repeatable.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def list_games(limit: int, players: tuple[str, ...], form: str) -> None:
    """List games that training keeps: those by which networks were judged, then the store's, the newest first.

    Players are called as the list calls them (model:ID, heuristic:KIND); by them the newest 100,000 games are searched.

    Example: ouroboros game list --player heuristic:strong --limit 20
    """
    from itertools import islice

    from pipeline.data.training_games import training_games

    searched = islice(training_games(get_config()), _MOST_SEARCHED if players else None)
    found = list(islice((each for each in searched if set(players) <= set(each.players)), limit))
    rows = [
        {
            "game_id": each.game_id,
            "source": each.source,
            "players": list(each.players),
            "winner": None if each.winner is None else each.players[each.winner],
            "turns": each.turns,
            "board": f"{each.width}x{each.height}",
            "ruleset": each.ruleset,
            "played_at": each.played_at.isoformat(),
        }
        for each in found
    ]
    if form == "json":
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for each in found:
        names = ", ".join(each.players)
        click.echo(f"{each.game_id}  {each.source:12} {each.turns:5} turns  {line(names)}")
    if not found:
        click.echo("No game of these players is kept." if players else "Training has kept no game yet.")


def _is_followed(path: Path, config: Settings) -> bool:
    """Whether the pages read the folder that a file lies in."""
    return path.absolute().parent in {config.games_dir.absolute(), config.replays_dir.absolute()}
