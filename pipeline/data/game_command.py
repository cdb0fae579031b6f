"""`ouroboros game`: what can be done with one game."""

from pathlib import Path

import click

from schemas.settings import get_config


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
