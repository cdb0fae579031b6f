"""`ouroboros arena`: the public Arena from the command line."""

from datetime import UTC, datetime
from pathlib import Path

import click

from schemas.settings import get_config

_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: for programs.",
)


@click.group("arena")
def arena() -> None:
    """Your snakes on the public Arena: fetch their games, watch their rating, challenge others, learn why they died.

    The token comes from OUROBOROS_ARENA_TOKEN or from a file that only you may read; the settings name no token.

    Example: ouroboros arena standing
    """


@arena.command("login")
@click.option("--token-file", type=click.Path(path_type=Path), help="A file with the token, mode 0600.")
@_FORMAT
def login(token_file: Path | None, form: str) -> None:
    """Try the token of OUROBOROS_ARENA_TOKEN, or of a file, and keep it for the daemon.

    Example: OUROBOROS_ARENA_TOKEN=... ouroboros arena login
    """
    from pipeline.ladder.actions import log_in
    from pipeline.ladder.showing import show_snakes

    path, snakes = log_in(get_config(), token_file)
    click.echo(f"The Arena knows the token; it is kept in {path}.", err=form == "json")
    show_snakes(snakes, form)


@arena.command("snakes")
@_FORMAT
def snakes(form: str) -> None:
    """List your snakes as the Arena has them.

    Example: ouroboros arena snakes --format json
    """
    from pipeline.ladder.actions import own_snakes
    from pipeline.ladder.showing import show_snakes

    show_snakes(own_snakes(get_config()), form)


@arena.command("sync")
@_FORMAT
def sync(form: str) -> None:
    """Fetch what is new: ratings, and the games of your snakes, each once. The daemon does so by itself.

    Example: ouroboros arena sync
    """
    from pipeline.ladder.actions import fetch
    from pipeline.ladder.showing import show_sync

    report = fetch(get_config(), click.echo if form == "text" else lambda _line: None)
    show_sync(report, form)
    if report.trouble:
        raise click.exceptions.Exit(2 if report.token_refused else 75)


@arena.command("challenge")
@click.argument("names", nargs=-1, required=True, metavar="SNAKE...")
@click.option("--as", "own", metavar="SNAKE", help="Your snake, if you have several.")
@click.option("--games", type=click.IntRange(1, 200), default=1, show_default=True)
@click.option("--board", type=click.Choice(["7x7", "11x11", "19x19"]), default="11x11", show_default=True)
@click.option(
    "--type",
    "game_type",
    type=click.Choice(["standard", "royale", "constrictor", "snail"]),
    default="standard",
    show_default=True,
)
@_FORMAT
def challenge(*, names: tuple[str, ...], own: str | None, games: int, board: str, game_type: str, form: str) -> None:
    """Ask the Arena for games of your snake against others, named or by id; it plays them, not this machine.

    `arena standing` names those that beat you. The games are fetched by the next `arena sync`, and count neither for
    the ladder nor for the triggers.

    Example: ouroboros arena challenge Rival --games 5
    """
    from pipeline.ladder.actions import challenge_snakes
    from pipeline.ladder.showing import show_challenge

    show_challenge(challenge_snakes(get_config(), names, own, games, board, game_type), form)


@arena.command("standing")
@_FORMAT
def standing(form: str) -> None:
    """Show where your snakes stand, what they scored by rating of the opponents, and who beat them.

    Example: ouroboros arena standing
    """
    from pipeline.ladder.actions import read_standing
    from pipeline.ladder.showing import show_standing

    now = datetime.now(UTC)
    show_standing(read_standing(get_config(), now), now, form)


@arena.command("register")
@click.argument("snake", required=False)
@click.option("--games", type=click.IntRange(1), help="The newest so many ladder games.  [default: all]")
@_FORMAT
def register(snake: str | None, games: int | None, form: str) -> None:
    """Hold a snake to its win rate on the ladder, by rating of the opponents, as it is now.

    `check_performance_degradation` tests the games that follow against it. The first registration comes by itself; a
    stronger snake deserves a new one.

    Example: ouroboros arena register --games 200
    """
    from pipeline.ladder.actions import register_now
    from pipeline.ladder.showing import show_registration

    show_registration(register_now(get_config(), snake, games, datetime.now(UTC)), form)


@arena.command("why")
@click.argument("game", required=False, metavar="[GAME]")
@click.option("--turns", type=click.IntRange(1, 1000), help="Turns before the death.  [default: arena.explain_turns]")
@click.option("--again", is_flag=True, help="Think anew, with the weights of now.")
@_FORMAT
def why(game: str | None, turns: int | None, again: bool, form: str) -> None:
    """Tell why a lost game was lost: the last turn at which another move held. Without GAME: the newest lost one.

    Example: ouroboros arena why
    """
    from pipeline.ladder.actions import explain_game
    from pipeline.ladder.showing import show_why

    show_why(explain_game(get_config(), game, turns, again=again, now=datetime.now(UTC)), form)
