"""`ouroboros import-games`: games of other programs into the games folder."""

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
