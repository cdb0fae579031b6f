"""`ouroboros tournament` from the command line."""

import click

from schemas.settings import get_config


@click.command("tournament", context_settings={"show_default": True})
@click.argument("snakes", nargs=-1, required=True, metavar="SNAKE...")
@click.option("--format", "form", type=click.Choice(["round-robin", "gauntlet", "swiss"]), default="round-robin")
@click.option("--games", type=click.IntRange(2), default=100, help="Games of each pairing.")
@click.option("--seats", type=click.IntRange(2, 4), default=2, help="Snakes in a game; more than 2: round-robin.")
@click.option("--rounds", type=click.IntRange(1), help="Of a Swiss tournament.  [default: by the number of snakes]")
@click.option("--seed", type=click.IntRange(0, 2**62), default=1, help="Of boards and food.")
def tournament(*, snakes: tuple[str, ...], form: str, games: int, seats: int, rounds: int | None, seed: int) -> None:
    """Rate snakes by games: folders, URLs of running snakes (such as `ouroboros serve`'s), or weights files for the
    snake that is tuned. A gauntlet is the first one against all others. Stopped, the same command goes on.

    Example: ouroboros tournament automation/go-snake http://127.0.0.1:8000 --games 200
    """
    from pipeline.tuner.tournament_run import Format, TournamentRequest, run_tournament

    request = TournamentRequest(snakes, Format(form), games, seats, rounds, seed)
    table = run_tournament(get_config(), request, click.echo)
    if table is None:
        click.echo("Stopped before the first pairing was played.")
        return
    click.echo(table.cross_table())
    for row in table.standings:
        if row.failures:
            click.echo(f"{row.name} failed to answer in {row.failures} of {row.games} games.")
    click.echo(f"{table.games:,} games; Elo around the field's mean, with 95 % intervals.")
