"""`ouroboros import-games` and `ouroboros game`: games of other programs into the games folder, and one game shown."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.data.game_logs import import_games
from schemas.outside_text import REASON_LIMIT, line
from schemas.settings import get_config


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
def show(source: str, turn: int | None, chosen: str | None) -> None:
    """Draw a board in the terminal.

    FILE is any that `ouroboros import-games` reads, and a replay of `ouroboros play`; ID is that of a game in the games
    folder or among the training games, or how it begins. Snakes are letters, their heads capitals; * is food, ~ a
    hazard.

    Example: ouroboros game show game.jsonl --turn 40
    """
    # Only now: the list of all commands must not load the engine.
    from rich.console import Console

    from pipeline.data.game_showing import drawn, game_in_file, game_of_id

    path, config = Path(source), get_config()
    if path.is_file():
        found, remark = game_in_file(path, chosen)
    else:
        found, remark = game_of_id(source, config.games_dir, config.training_games_dir), ""
    Console(highlight=False).print(drawn(found, turn, remark))
